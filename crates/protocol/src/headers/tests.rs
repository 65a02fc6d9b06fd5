//! A node that learns headers, against peers that serve, stall and lie.

use std::sync::Arc;

use bitcoin::TxMerkleNode;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use yap_chain::header::pow;
use yap_chain::spec::Spec;

use super::*;
use crate::address::{Address, Endpoint, Multiaddr};
use crate::fixture::Chain;
use crate::link::{Carrier, Direction, Purpose};

mod fetch;
mod flood;
mod order;
mod random;
mod rules;
mod serve;

const ALICE: PeerId = PeerId(1);
const BOB: PeerId = PeerId(2);
const CAROL: PeerId = PeerId(3);

/// After every header that a test mines.
const WALL: Timestamp = Timestamp(1_700_000_000);

fn link(inbound: bool) -> Link {
    let endpoint = Endpoint::Libp2p(Multiaddr::new(&[4, 127, 0, 0, 1]).unwrap());
    Link {
        direction: if inbound { Direction::Inbound } else { Direction::Outbound },
        carrier: Carrier::Libp2p,
        address: Address { identity: None, endpoint },
        identity: None,
        purpose: (!inbound).then_some(Purpose::Full),
    }
}

/// A ledger of the genesis block alone.
fn ledger(spec: Spec) -> Chain {
    let tree = tree::Tree::new(Arc::new(spec), 7);
    let tip = tree.genesis();
    Chain { tree, tip, ..Chain::new() }
}

/// Regtest, where a chain of fewer than `blocks` counts for nothing.
fn demanding(blocks: u32) -> Spec {
    let spec = Spec::regtest();
    let one = pow::work(spec.genesis.header.bits);
    let minimum_work = (0..blocks).fold(one, |work, _| pow::sum(work, one));
    Spec { minimum_work, ..spec }
}

/// A header on `parent` that keeps every rule.
fn child(tree: &tree::Tree, parent: tree::Id, salt: u64) -> Header {
    let mut root = [0; 32];
    root[..8].copy_from_slice(&salt.to_le_bytes());
    let time = tree.median_time_past(parent).max(tree.time(parent)) + 60;
    mined(Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: tree.hash(parent),
        merkle_root: TxMerkleNode::from_byte_array(root),
        time,
        bits: tree.next_bits(parent, time),
        nonce: 0,
    })
}

fn mined(mut header: Header) -> Header {
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}

/// Headers on `parent`, taken into the tree.
fn grow(tree: &mut tree::Tree, parent: tree::Id, count: u32, salt: u64) -> tree::Id {
    (0..count).fold(parent, |parent, _| {
        let header = child(tree, parent, salt);
        tree.accept(&header, WALL.header_time()).unwrap().id()
    })
}

/// A peer's ledger: `count` headers on the genesis block, verified.
fn remote(count: u32, salt: u64) -> Chain {
    let mut chain = Chain::new();
    chain.tip = grow(&mut chain.tree, chain.tip, count, salt);
    chain
}

fn claim(chain: &Chain) -> Option<Claim> {
    Some(Claim { tip: chain.tree.hash(chain.tip), work: chain.tree.work(chain.tip) })
}

/// The node under test.
struct Local {
    wall: Timestamp,
    state: State,
    ledger: Chain,
    now: Time,
    /// Most bytes that presyncs ever took together.
    bytes: usize,
}

impl Local {
    fn new(ledger: Chain) -> Self {
        Self::with(ledger, Config::default())
    }

    fn with(ledger: Chain, config: Config) -> Self {
        Self { wall: WALL, state: State::new(config, Random::new([4; 32])), ledger, now: Time::ZERO, bytes: 0 }
    }

    fn at(&self) -> Moment {
        Moment { now: self.now, wall: self.wall }
    }

    fn checked(&mut self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        self.state.check();
        let bytes = self.state.peers.values().filter_map(|entry| entry.presync.as_ref().map(|presync| presync.bytes()));
        self.bytes = self.bytes.max(bytes.sum());
        outcomes
    }

    fn ready(&mut self, peer: PeerId, inbound: bool, claim: Option<Claim>) -> Vec<Outcome> {
        let outcomes = self.state.ready(peer, &link(inbound), claim, &self.ledger, self.at());
        self.checked(outcomes)
    }

    fn headers(&mut self, peer: PeerId, headers: &[Header]) -> Vec<Outcome> {
        let at = self.at();
        let outcomes = self.state.on_headers(peer, headers, &mut self.ledger, at);
        self.checked(outcomes)
    }

    fn header(&mut self, peer: PeerId, header: &Header) -> (Place, Vec<Outcome>) {
        let at = self.at();
        let (place, outcomes) = self.state.on_header(peer, header, &mut self.ledger, at);
        (place, self.checked(outcomes))
    }

    fn inv(&mut self, peer: PeerId, hash: BlockHash) -> Vec<Outcome> {
        let outcomes = self.state.on_inv(peer, hash, &self.ledger, self.at());
        self.checked(outcomes)
    }

    fn gone(&mut self, peer: PeerId) -> Vec<Outcome> {
        let outcomes = self.state.disconnected(peer, &self.ledger, self.at());
        self.checked(outcomes)
    }

    /// Waits until the next deadline.
    fn wait(&mut self) -> Vec<Outcome> {
        self.now = self.state.next_deadline().unwrap();
        let outcomes = self.state.deadline(&self.ledger, self.at());
        self.checked(outcomes)
    }

    /// Lets `peer` answer from `remote` until it is asked nothing more. Gives everything else that happened.
    fn talk(&mut self, peer: PeerId, remote: &Chain, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        let (mut rest, mut outcomes) = (Vec::new(), outcomes);
        for _ in 0..200 {
            let mut question = None;
            for outcome in outcomes {
                match outcome {
                    Outcome::Send(to, Message::GetHeaders(locate)) if to == peer => question = Some(locate),
                    other => rest.push(other),
                }
            }
            let Some(locate) = question else { return rest };
            let (Message::Headers(headers), _) = super::serve::answer(&locate, remote) else { panic!("no headers") };
            outcomes = self.headers(peer, &headers);
        }
        panic!("the talk does not end");
    }

    fn knows(&self, hash: BlockHash) -> bool {
        self.ledger.tree.contains(&hash)
    }
}

/// Whom a `getheaders` goes to.
fn asked(outcomes: &[Outcome]) -> Vec<PeerId> {
    let mut peers = Vec::new();
    for outcome in outcomes {
        if let Outcome::Send(peer, Message::GetHeaders(_)) = outcome {
            peers.push(*peer);
        }
    }
    peers
}

fn faults(outcomes: &[Outcome]) -> Vec<Fault> {
    let fault = |outcome: &Outcome| if let Outcome::Fault(_, fault) = outcome { Some(*fault) } else { None };
    outcomes.iter().filter_map(fault).collect()
}

/// Headers of a chain from above the genesis block to `tip`.
fn headers_to(tree: &tree::Tree, tip: tree::Id) -> Vec<Header> {
    tree.path(tree.genesis(), tip).connect.into_iter().map(|id| tree.header(id)).collect()
}
