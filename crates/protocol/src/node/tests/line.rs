//! A few nodes and the lines between them, under virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Amount;
use yap_chain::block::Block;
use yap_chain::header::tree;
use yap_chain::transaction::Transaction;

use crate::address::{Address, Endpoint, Host, Identity};
use crate::fixture::Chain;
use crate::io::{Command, Departure, Event, Input, Judged, Output, PoolChange, Processed, Removed, Ticket, TipChange};
use crate::ledger::{Ledger, Pooled};
use crate::link::{Carrier, Direction, Link, PeerId, Purpose};
use crate::message::Message;
use crate::node::{Config, Node};
use crate::penalty::Reason;
use crate::time::{Time, Timestamp};

/// One way, for every line unless the test says otherwise.
const LATENCY: Duration = Duration::from_millis(50);

/// A node and what surrounds it.
pub(super) struct Place {
    pub(super) node: Node,
    pub(super) chain: Chain,
    pub(super) events: Vec<Event>,
    pub(super) parted: Vec<Reason>,
    pub(super) sent: Vec<Message>,
    pub(super) replies: Vec<(Ticket, crate::io::Reply)>,
    /// The other end of each connection, and how far away it is.
    pub(super) lines: BTreeMap<PeerId, (usize, PeerId, Duration)>,
}

/// Nodes, and everything on its way to them.
pub(super) struct Network {
    pub(super) places: Vec<Place>,
    pub(super) now: Time,
    on_the_way: BTreeMap<(Time, u64), (usize, Input)>,
    sequence: u64,
    peers: u64,
    /// What the next ones are dialled for.
    pub(super) purpose: Purpose,
}

impl Network {
    pub(super) fn new() -> Self {
        Self {
            places: Vec::new(),
            now: Time::from_secs(1),
            on_the_way: BTreeMap::new(),
            sequence: 0,
            peers: 0,
            purpose: Purpose::Manual,
        }
    }

    /// Starts a node on `chain`; gives its index.
    pub(super) fn start(&mut self, chain: Chain, config: Config) -> usize {
        let index = self.places.len();
        let mut config = config;
        // Nobody is dialled but by the test.
        (config.peers.full, config.peers.block_only, config.peers.feelers) = (0, 0, None);
        config.blocks.max_tip_age = None;
        let node = Node::new(config, [u8::try_from(index).expect("few nodes"); 32]);
        let (events, parted, sent, replies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.places.push(Place { node, chain, events, parted, sent, replies, lines: BTreeMap::new() });
        self.input(index, Input::Clock(Timestamp(2_000_000_000)));
        index
    }

    /// Has `from` dial `to`.
    pub(super) fn connect(&mut self, from: usize, to: usize) -> (PeerId, PeerId) {
        self.connect_by(from, to, Carrier::Libp2p, LATENCY)
    }

    /// Has `from` dial `to` by a line of so long a latency.
    pub(super) fn connect_by(
        &mut self,
        from: usize,
        to: usize,
        carrier: Carrier,
        latency: Duration,
    ) -> (PeerId, PeerId) {
        let (here, there) = (PeerId(self.peers), PeerId(self.peers + 1));
        self.peers += 2;
        self.places[from].lines.insert(here, (to, there, latency));
        self.places[to].lines.insert(there, (from, here, latency));
        // Bitcoin's transport proves no key, so nobody sees that two lines of different carriers lead to one node.
        let proven = |_: &Identity| carrier == Carrier::Libp2p;
        let place = |other| Address { identity: address(other).identity.filter(proven), ..address(other) };
        let link = |direction, other: usize, purpose| Link {
            direction,
            carrier,
            address: place(other),
            identity: place(other).identity,
            purpose,
        };
        self.input(from, Input::Connected { peer: here, link: link(Direction::Outbound, to, Some(self.purpose)) });
        self.input(to, Input::Connected { peer: there, link: link(Direction::Inbound, from, None) });
        (here, there)
    }

    pub(super) fn heights(&self) -> Vec<u32> {
        self.places.iter().map(|place| place.chain.tree.height(place.chain.tip)).collect()
    }

    pub(super) fn command(&mut self, index: usize, command: Command) {
        self.input(index, Input::Command { ticket: Ticket(self.sequence), command });
    }

    /// A block on the tip of `index`, as its miner would submit it.
    pub(super) fn mine(&mut self, index: usize) -> Arc<Block> {
        let chain = &self.places[index].chain;
        let pending: Vec<_> = chain.pool_by_age().map(|pooled| pooled.transaction).collect();
        let block = chain.mine(chain.tip, index as u64, &pending);
        self.command(index, Command::SubmitBlock(Arc::clone(&block)));
        block
    }

    /// Runs for so long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now.after(time);
        for _ in 0..1_000_000 {
            let deadlines = self.places.iter().enumerate();
            let deadline = deadlines.filter_map(|(index, place)| Some((place.node.next_deadline()?, index))).min();
            let arrival = self.on_the_way.first_key_value().map(|((time, _), _)| *time);
            match (arrival, deadline) {
                (Some(time), deadline) if time <= end && deadline.is_none_or(|(due, _)| time <= due) => {
                    let (_, (index, input)) = self.on_the_way.pop_first().expect("there is one");
                    self.now = self.now.max(time);
                    self.input(index, input);
                }
                (_, Some((due, index))) if due <= end => {
                    self.now = self.now.max(due);
                    self.input(index, Input::Deadline);
                    let next = self.places[index].node.next_deadline();
                    assert!(next.is_none_or(|next| next > self.now), "node {index} does not do what is due");
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("the nodes never come to rest");
    }

    fn post(&mut self, index: usize, input: Input, after: Duration) {
        self.sequence += 1;
        self.on_the_way.insert((self.now.after(after), self.sequence), (index, input));
    }

    pub(super) fn input(&mut self, index: usize, input: Input) {
        let place = &mut self.places[index];
        place.node.handle(self.now, input, &mut place.chain);
        while let Some(output) = self.places[index].node.poll() {
            self.output(index, output);
        }
        let place = &self.places[index];
        place.node.check(&place.chain);
    }

    fn output(&mut self, index: usize, output: Output) {
        let place = &mut self.places[index];
        match output {
            Output::Send { peer, message } => {
                place.sent.push(message.clone());
                // What is sent while the other end closes is lost.
                let Some((to, peer, latency)) = place.lines.get(&peer).copied() else { return };
                self.post(to, Input::Message { peer, message, size: 100 }, latency);
            }
            Output::Disconnect { peer, why } => {
                place.parted.push(why);
                // Both ends may close it at once.
                if let Some((to, there, latency)) = place.lines.remove(&peer) {
                    self.places[to].lines.remove(&there);
                    self.post(to, Input::Disconnected { peer: there }, latency);
                }
                self.post(index, Input::Disconnected { peer }, Duration::ZERO);
            }
            Output::Dial { address, .. } => self.post(index, Input::DialFailed { address }, LATENCY),
            Output::ReadBlock { ticket, hash } => {
                let block = place.chain.blocks.get(&hash).cloned();
                self.post(index, Input::BlockRead { ticket, block }, Duration::ZERO);
            }
            Output::Process(block) => self.process(index, &block),
            Output::Judge { transaction, parent } => {
                parent.iter().chain([&transaction]).for_each(|one| self.judge(index, one));
            }
            Output::Event(event) => place.events.push(event),
            Output::Reply { ticket, reply } => place.replies.push((ticket, reply)),
            Output::Persist(_) => {}
        }
    }

    fn process(&mut self, index: usize, block: &Arc<Block>) {
        let chain = &mut self.places[index].chain;
        let hash = block.hash();
        let known = chain.blocks.contains_key(&hash);
        let before = chain.tip;
        if block.read().is_err() {
            let outcome = Processed::Invalid { reason: "bad-blk-malformed", mutated: true };
            return self.post(index, Input::Processed { hash, outcome }, Duration::ZERO);
        }
        let outcome = if known { Processed::Known } else { Processed::Stored };
        if chain.tree.get(&block.header().prev_blockhash).is_some() {
            chain.blocks.insert(hash, Arc::clone(block));
            let _ = chain.tree.accept(block.header(), u32::MAX).expect("tests make valid headers");
        }
        // The best header whose branch is stored as a whole.
        let stored = |id: tree::Id| chain.has_block(id);
        let mut best = before;
        for id in chain.tree.iter().filter(|id| chain.tree.work(*id) > chain.tree.work(before)) {
            let whole = std::iter::successors(Some(id), |id| chain.tree.parent(*id)).all(stored);
            if whole && chain.tree.work(id) > chain.tree.work(best) {
                best = id;
            }
        }
        chain.tip = best;
        let change = change(chain, before, best);
        let pool = confirm(chain, &change);
        self.post(index, Input::Processed { hash, outcome }, Duration::ZERO);
        if best != before {
            self.post(index, Input::Tip(change), Duration::ZERO);
            self.post(index, Input::Pool(pool), Duration::ZERO);
        }
    }

    fn judge(&mut self, index: usize, transaction: &Arc<Transaction>) {
        let chain = &mut self.places[index].chain;
        let wtxid = transaction.wtxid();
        if chain.pooled(&wtxid).is_some() {
            return self.post(index, Input::Judged { wtxid, outcome: Judged::Known }, Duration::ZERO);
        }
        let mut connected = std::iter::successors(Some(chain.tip), |id| chain.tree.parent(*id));
        if connected.any(|id| holds(chain, id, transaction)) {
            let outcome = Judged::Policy { reason: "txn-already-known", witness: false };
            return self.post(index, Input::Judged { wtxid, outcome }, Duration::ZERO);
        }
        let sequence = self.sequence;
        let vsize = transaction.weight().div_ceil(4) as u64;
        let fee = Amount::from_sat(10_000);
        chain.pool.push(Pooled { transaction: Arc::clone(transaction), fee, vsize, sequence });
        let added = vec![Arc::clone(transaction)];
        self.post(index, Input::Judged { wtxid, outcome: Judged::Accepted }, Duration::ZERO);
        self.post(index, Input::Pool(PoolChange { added, removed: Vec::new() }), Duration::ZERO);
    }
}

pub(super) fn change(chain: &Chain, from: tree::Id, to: tree::Id) -> TipChange {
    let path = chain.tree.path(from, to);
    let hash = |id: &tree::Id| chain.tree.hash(*id);
    let connected = path.connect.iter().map(hash).map(|hash| (hash, chain.blocks.get(&hash).cloned())).collect();
    TipChange { disconnected: path.disconnect.iter().map(hash).collect(), connected }
}

fn holds(chain: &Chain, id: tree::Id, transaction: &Transaction) -> bool {
    let block = chain.blocks.get(&chain.tree.hash(id));
    block.is_some_and(|block| block.transactions().iter().any(|other| other.txid() == transaction.txid()))
}

/// What becomes of the pool: what blocks took back is pending again, what they have is not any more.
pub(super) fn confirm(chain: &mut Chain, change: &TipChange) -> PoolChange {
    let mut added = Vec::new();
    for block in change.disconnected.iter().filter_map(|hash| chain.blocks.get(hash)) {
        let confirmed = change.connected.iter().filter_map(|(hash, _)| chain.tree.get(hash));
        let confirmed: Vec<_> = confirmed.collect();
        for transaction in block.transactions().iter().skip(1) {
            if !confirmed.iter().any(|id| holds(chain, *id, transaction)) {
                added.push(Arc::new(transaction.clone()));
            }
        }
    }
    added.retain(|transaction| chain.pooled(&transaction.wtxid()).is_none());
    for transaction in &added {
        let vsize = transaction.weight().div_ceil(4) as u64;
        let transaction = Arc::clone(transaction);
        chain.pool.push(Pooled { transaction, fee: Amount::from_sat(10_000), vsize, sequence: 0 });
    }
    let mut removed = Vec::new();
    for block in change.connected.iter().filter_map(|(_, block)| block.as_ref()) {
        for transaction in block.transactions() {
            let Some(at) = chain.pool.iter().position(|pooled| pooled.transaction.txid() == transaction.txid()) else {
                continue;
            };
            let transaction = chain.pool.remove(at).transaction;
            removed.push(Removed { transaction, why: Departure::Confirmed });
        }
    }
    PoolChange { added, removed }
}

/// Where a node is.
pub(super) fn address(index: usize) -> Address {
    let number = u8::try_from(index).expect("few nodes");
    let host = Host::Ipv4([10, number, 0, 1].into());
    Address { identity: Some(Identity([number; 32])), endpoint: Endpoint::Bitcoin { host, port: 6001 } }
}
