//! Several machines, wired together without delay or loss: do they find each other, and keep one connection each?

use std::collections::VecDeque;
use std::sync::Arc;

use ed25519_dalek::SigningKey;

use super::*;
use crate::Message;
use crate::address::Multiaddr;
use crate::message::PeerRecord;

/// One end of a connection: whose it is, and its name there.
type End = (usize, PeerId);

struct Network {
    nodes: Vec<State>,
    addresses: Vec<Address>,
    links: BTreeMap<End, End>,
    now: Time,
    next: u64,
    waiting: VecDeque<(usize, Outcome)>,
    parted: Vec<Reason>,
}

impl Network {
    /// Nodes of one LAN. The first is known to all; each says of itself where it is.
    fn lan(size: u8, config: &Config) -> Self {
        let mut network = Self {
            nodes: Vec::new(),
            addresses: Vec::new(),
            links: BTreeMap::new(),
            now: Time::ZERO,
            next: 0,
            waiting: VecDeque::new(),
            parted: Vec::new(),
        };
        for number in 0..size {
            let signer = SigningKey::from_bytes(&[number + 1; 32]);
            let endpoint = Multiaddr::new(&[4, 192, 168, 0, number + 1, 6, 0x20, 0x8d]).unwrap();
            let record = PeerRecord::sign(&signer, WALL.0, SERVICES, vec![endpoint.clone()]).unwrap();
            let identity = record.identity;
            let config = Config { identity: Some(identity), ..config.clone() };
            let mut state = State::new(config, Random::new([number; 32]));
            state.clock(WALL, Time::ZERO);
            network.addresses.push(Address { identity: Some(identity), endpoint: Endpoint::Libp2p(endpoint) });
            let out = state.set_own_record(Arc::new(record), Time::ZERO);
            network.nodes.push(state);
            network.queue(usize::from(number), out);
            let first = network.addresses[0].clone();
            let out = network.nodes[usize::from(number)].learn(&[first], Time::ZERO);
            network.queue(usize::from(number), out);
        }
        network
    }

    fn queue(&mut self, node: usize, out: Vec<Outcome>) {
        self.nodes[node].check();
        self.waiting.extend(out.into_iter().map(|outcome| (node, outcome)));
    }

    fn name(&mut self) -> PeerId {
        self.next += 1;
        PeerId(self.next)
    }

    fn dial(&mut self, from: usize, address: &Address, purpose: Purpose) {
        let Some(to) = self.addresses.iter().position(|other| other == address).filter(|to| *to != from) else {
            let out = self.nodes[from].dial_failed(address, self.now);
            return self.queue(from, out);
        };
        let (ours, theirs) = (self.name(), self.name());
        self.links.insert((from, ours), (to, theirs));
        self.links.insert((to, theirs), (from, ours));
        let own = self.addresses[from].clone();
        let out = Desk::link(Direction::Outbound, address, Some(purpose));
        let into = Desk::link(Direction::Inbound, &own, None);
        let welcome = self.connect((from, ours), &out) & self.connect((to, theirs), &into);
        if welcome {
            for (node, peer) in [(from, ours), (to, theirs)] {
                let out = self.nodes[node].ready(peer, facts(), self.now);
                self.queue(node, out);
            }
        }
    }

    fn connect(&mut self, (node, peer): End, link: &Link) -> bool {
        match self.nodes[node].connected(peer, link, self.now) {
            Verdict::Refuse(reason) => {
                self.waiting.push_back((node, Outcome::Part(peer, reason)));
                false
            }
            Verdict::Welcome { instead } => {
                let part = instead.map(|(other, reason)| (node, Outcome::Part(other, reason)));
                self.waiting.extend(part);
                true
            }
        }
    }

    fn deliver(&mut self, (node, peer): End, message: &Message) {
        let Some((to, from)) = self.links.get(&(node, peer)).copied() else { return };
        let state = &mut self.nodes[to];
        let out = match message {
            Message::GetAddr => state.on_get_addresses(from, self.now),
            Message::Addr(list) | Message::AddrV2(list) => state.on_addresses(from, list, self.now),
            Message::PeerRecords(list) => state.on_records(from, list, self.now),
            other => panic!("not a word about addresses: {other:?}"),
        };
        self.queue(to, out);
    }

    fn close(&mut self, end: End) {
        let Some(other) = self.links.remove(&end) else { return };
        self.links.remove(&other);
        for (node, peer) in [end, other] {
            let out = self.nodes[node].disconnected(peer, self.now);
            self.queue(node, out);
        }
    }

    fn run(&mut self, secs: u64) {
        for _ in 0..secs {
            self.now = self.now.after(seconds(1));
            for node in 0..self.nodes.len() {
                let out = self.nodes[node].deadline(self.now);
                self.queue(node, out);
            }
            for _ in 0..100_000 {
                let Some((node, outcome)) = self.waiting.pop_front() else { break };
                match outcome {
                    Outcome::Dial { address, purpose } => self.dial(node, &address, purpose),
                    Outcome::Send(peer, message) => self.deliver((node, peer), &message),
                    Outcome::Part(peer, reason) => {
                        self.parted.push(reason);
                        self.close((node, peer));
                    }
                    Outcome::Fault(_, fault) => panic!("nobody here breaks a rule: {fault}"),
                    Outcome::Alone(_) | Outcome::Persist(_) => {}
                }
            }
            assert!(self.waiting.is_empty(), "it comes to rest");
        }
    }

    /// The nodes that each one is connected with, twice if by two connections.
    fn friends(&self, node: usize) -> Vec<usize> {
        let mut friends: Vec<usize> =
            self.links.iter().filter(|((from, _), _)| *from == node).map(|(_, (to, _))| *to).collect();
        friends.sort_unstable();
        friends
    }
}

#[test]
fn a_lan_finds_itself_from_one_address() {
    let mut network = Network::lan(7, &Config::default());
    network.run(600);
    for node in 0..7 {
        let others: Vec<usize> = (0..7).filter(|other| *other != node).collect();
        assert_eq!(network.friends(node), others, "node {node}: one connection with each of the others");
    }
}

#[test]
fn a_seed_brings_others_together_and_keeps_nobody() {
    let mut network = Network::lan(6, &Config { feelers: None, ..Config::default() });
    // The first becomes a seed: it answers and parts.
    network.nodes[0].config.seed = true;
    network.nodes[0].config.full = 0;
    network.nodes[0].config.block_only = 0;
    network.run(600);
    for node in 1..6 {
        let others: Vec<usize> = (1..6).filter(|other| *other != node).collect();
        let friends: Vec<usize> = network.friends(node).into_iter().filter(|friend| *friend != 0).collect();
        assert_eq!(friends, others, "node {node}");
    }
    assert!(network.parted.contains(&Reason::Done));
}

#[test]
fn a_full_node_sends_newcomers_on() {
    let mut network = Network::lan(8, &Config { feelers: None, inbound: 20, ..Config::default() });
    network.nodes[0].config.inbound = 2;
    network.nodes[0].config.full = 0;
    network.nodes[0].config.block_only = 0;
    network.run(900);
    assert!(network.parted.contains(&Reason::Full));
    for node in 1..8 {
        let friends = network.friends(node).into_iter().filter(|friend| *friend != 0).count();
        assert!(friends >= 5, "node {node} has {friends}");
    }
}
