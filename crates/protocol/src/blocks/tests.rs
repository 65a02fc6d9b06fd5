//! Stories of one node and its peers, and a model of its network in virtual time.

mod announcing;
mod fetching;
mod rebuilding;
mod serving;
mod swarm;

use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::header::tree;

use super::*;
use crate::fixture::Chain;
use crate::link::{Carrier, Direction};
use crate::message::Message;

pub(super) const ALICE: PeerId = PeerId(1);
pub(super) const BOB: PeerId = PeerId(2);
pub(super) const CAROL: PeerId = PeerId(3);
pub(super) const DAVE: PeerId = PeerId(4);

pub(super) fn facts(direction: Direction) -> Facts {
    Facts { direction, carrier: Carrier::Bitcoin, serves: Serves::All }
}

/// A machine, its ledger and its clock; checked after every step.
pub(super) struct World {
    pub(super) state: State,
    pub(super) chain: Chain,
    pub(super) now: Time,
}

impl World {
    /// A node whose chain ends at `height` and which is caught up.
    pub(super) fn new(height: u32) -> Self {
        Self::with(Chain::of(height), Config { max_tip_age: None, ..Config::default() })
    }

    pub(super) fn with(chain: Chain, config: Config) -> Self {
        Self { state: State::new(config, Random::new([7; 32])), chain, now: Time::from_secs(1000) }
    }

    pub(super) fn step(&mut self, act: impl FnOnce(&mut State, Time, &Chain) -> Vec<Outcome>) -> Vec<Outcome> {
        let out = act(&mut self.state, self.now, &self.chain);
        self.state.check();
        out
    }

    /// Lets peers come whose handshake is done, all of which take compact blocks and headers.
    pub(super) fn meet(&mut self, peers: &[PeerId], direction: Direction) {
        for peer in peers {
            let _ = self.step(|state, now, chain| state.ready(*peer, facts(direction), now, chain));
            self.state.on_sendcmpct(*peer, SendCompact { high_bandwidth: false, version: compact::VERSION });
            self.state.on_sendheaders(*peer);
        }
    }

    pub(super) fn wait(&mut self, wait: Duration) -> Vec<Outcome> {
        let end = self.now.after(wait);
        let mut out = Vec::new();
        for _ in 0..10_000 {
            let Some(due) = self.state.next_deadline().filter(|due| *due <= end) else {
                self.now = end;
                return out;
            };
            self.now = self.now.max(due);
            out.extend(self.step(|state, now, chain| state.deadline(now, chain)));
        }
        panic!("the deadline does not move on");
    }

    /// Makes a block on `parent` whose header is known, and whose data is not.
    pub(super) fn mine(&mut self, parent: tree::Id, salt: u64, transactions: &[Arc<Transaction>]) -> Arc<Block> {
        let block = self.chain.mine(parent, salt, transactions);
        let _ = self.chain.tree.accept(block.header(), u32::MAX).unwrap();
        block
    }

    pub(super) fn id(&self, block: &Block) -> tree::Id {
        self.chain.tree.get(&block.hash()).unwrap()
    }

    pub(super) fn has(&mut self, peer: PeerId, block: &Block) -> Vec<Outcome> {
        let id = self.id(block);
        self.state.has(peer, id, self.now, &self.chain);
        self.step(|state, now, chain| state.deadline(now, chain))
    }

    pub(super) fn block(&mut self, peer: PeerId, block: &Arc<Block>) -> Vec<Outcome> {
        self.step(|state, now, chain| state.on_block(peer, Arc::clone(block), now, chain))
    }

    pub(super) fn compact(&mut self, peer: PeerId, message: &CompactBlock) -> Vec<Outcome> {
        self.step(|state, now, chain| state.on_compact_block(peer, message, now, chain))
    }

    pub(super) fn processed(&mut self, hash: BlockHash, outcome: &Processed) -> Vec<Outcome> {
        self.step(|state, now, chain| state.processed(hash, outcome, now, chain))
    }

    /// Stores and connects a block, as the driver does after `Process`.
    pub(super) fn connect(&mut self, block: &Arc<Block>) -> Vec<Outcome> {
        let old = self.chain.tip;
        let new = self.chain.store(block);
        let mut out = self.processed(block.hash(), &Processed::Stored);
        if self.chain.tip == new {
            let path = self.chain.tree.path(old, new);
            let hash = |id: &tree::Id| self.chain.tree.hash(*id);
            let change = TipChange {
                disconnected: path.disconnect.iter().map(hash).collect(),
                connected: path.connect.iter().map(|id| (hash(id), (*id == new).then(|| Arc::clone(block)))).collect(),
            };
            out.extend(self.step(|state, now, chain| state.tip(&change, now, chain)));
        }
        out
    }
}

/// Every message sent to a peer.
pub(super) fn sent(out: &[Outcome], to: PeerId) -> Vec<&Message> {
    out.iter()
        .filter_map(|outcome| match outcome {
            Outcome::Send(peer, message) if *peer == to => Some(message),
            _ => None,
        })
        .collect()
}

/// What a peer was asked for.
pub(super) fn asked(out: &[Outcome], of: PeerId) -> Vec<Inventory> {
    sent(out, of)
        .into_iter()
        .flat_map(|message| match message {
            Message::GetData(items) => items.clone(),
            _ => Vec::new(),
        })
        .collect()
}

pub(super) fn faults(out: &[Outcome]) -> Vec<(PeerId, Fault)> {
    out.iter()
        .filter_map(|outcome| match outcome {
            Outcome::Fault(peer, fault) => Some((*peer, *fault)),
            _ => None,
        })
        .collect()
}

pub(super) fn processing(out: &[Outcome]) -> Vec<BlockHash> {
    out.iter()
        .filter_map(|outcome| match outcome {
            Outcome::Process(block) => Some(block.hash()),
            _ => None,
        })
        .collect()
}
