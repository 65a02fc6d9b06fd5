//! A network of relays in virtual time: links with latencies, mempools without rules, and counts of what is sent.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::{Amount, Txid, Wtxid};
use yap_chain::header::{self, tree};
use yap_chain::transaction::Transaction;

use crate::io::{Judged, PoolChange};
use crate::ledger::{Ledger, Pooled};
use crate::link::PeerId;
use crate::message::Message;
use crate::random::Random;
use crate::relay::{Config, Facts, Outcome, State};
use crate::time::Time;

/// A mempool without rules; of the chain, nothing is asked.
#[derive(Debug, Default)]
pub(super) struct Pool {
    tree: Option<tree::Tree>,
    pub(super) pending: BTreeMap<Wtxid, Pooled>,
    txids: BTreeMap<Txid, Wtxid>,
    order: BTreeMap<u64, Wtxid>,
    pub(super) min_feerate: u64,
}

impl Pool {
    pub(super) fn insert(&mut self, transaction: &Arc<Transaction>, fee: u64) {
        let sequence = self.order.last_key_value().map_or(0, |(last, _)| last + 1);
        let vsize = transaction.weight().div_ceil(4) as u64;
        let pooled = Pooled { transaction: Arc::clone(transaction), fee: Amount::from_sat(fee), vsize, sequence };
        self.order.insert(sequence, transaction.wtxid());
        self.txids.insert(transaction.txid(), transaction.wtxid());
        self.pending.insert(transaction.wtxid(), pooled);
    }

    pub(super) fn remove(&mut self, wtxid: &Wtxid) {
        if let Some(pooled) = self.pending.remove(wtxid) {
            self.order.remove(&pooled.sequence);
            self.txids.remove(&pooled.transaction.txid());
        }
    }
}

impl Ledger for Pool {
    fn tree(&self) -> &tree::Tree {
        self.tree.as_ref().expect("relay does not look at headers")
    }

    fn accept_header(&mut self, _: &Header, _: u32) -> Result<tree::Accepted, header::Error> {
        unreachable!("relay does not accept headers")
    }

    fn tip(&self) -> tree::Id {
        self.tree().genesis()
    }

    fn has_block(&self, _: tree::Id) -> bool {
        false
    }

    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.pending.get(wtxid).cloned()
    }

    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.pooled(self.txids.get(txid)?)
    }

    fn pool_len(&self) -> usize {
        self.pending.len()
    }

    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.order.values().filter_map(|wtxid| self.pooled(wtxid)))
    }

    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        let mut all: Vec<Pooled> = self.pending.values().cloned().collect();
        all.sort_by_key(|pooled| Reverse(pooled.feerate()));
        Box::new(all.into_iter())
    }

    fn min_feerate(&self) -> u64 {
        self.min_feerate
    }
}

/// A relay and its mempool.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) relay: State,
    pub(super) pool: Pool,
    /// The other ends of its links: node, the link's name there, and one-way latency.
    pub(super) links: Vec<(usize, PeerId, Duration)>,
    /// Whether it keeps everything to itself, though it stays connected.
    pub(super) silent: bool,
    /// When each transaction became pending.
    pub(super) since: BTreeMap<Wtxid, Time>,
    wakes: Option<Time>,
}

#[derive(Debug)]
enum Happening {
    Message { to: usize, from: PeerId, message: Message },
    Judged { at: usize, transaction: Arc<Transaction> },
    Deadline { at: usize },
}

/// What was sent, all in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) bodies: u64,
    pub(super) announced: u64,
    pub(super) requested: u64,
    pub(super) pushes_switched: u64,
    pub(super) bytes: u64,
}

/// Nodes and what is on its way among them.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Time,
    pub(super) sent: Sent,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    /// When the last message of a direction arrives: none overtakes another.
    last: BTreeMap<(usize, PeerId), Time>,
    sequence: u64,
    pub(super) random: Random,
    /// What is added to each latency on average; it falls off exponentially.
    pub(super) jitter: Duration,
}

/// How long a transaction is judged.
const JUDGING: Duration = Duration::from_millis(1);

impl Net {
    pub(super) fn new(count: usize, config: Config, seed: u8) -> Self {
        let random = Random::new([seed; 32]);
        let node = |index: usize| Node {
            relay: State::new(config, random.fork(&format!("node {index}"))),
            pool: Pool::default(),
            links: Vec::new(),
            silent: false,
            since: BTreeMap::new(),
            wakes: None,
        };
        Self {
            nodes: (0..count).map(node).collect(),
            now: Time::from_secs(1),
            sent: Sent::default(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            last: BTreeMap::new(),
            sequence: 0,
            jitter: Duration::ZERO,
            random,
        }
    }

    /// `from` dials `to`.
    pub(super) fn connect(&mut self, from: usize, to: usize, latency: Duration) {
        let here = PeerId(self.nodes[from].links.len() as u64);
        let there = PeerId(self.nodes[to].links.len() as u64);
        self.nodes[from].links.push((to, there, latency));
        self.nodes[to].links.push((from, here, latency));
        for (node, peer, other, outbound) in [(from, here, to, true), (to, there, from, false)] {
            let key = self.nodes[other].relay.short_id_key();
            let facts = Facts {
                outbound,
                announce: true,
                accept: true,
                wtxid: true,
                short_id_key: Some(key),
                push: true,
                latency: None,
            };
            let Node { relay, pool, .. } = &mut self.nodes[node];
            let outcomes = relay.ready(peer, facts, self.now, pool);
            self.apply(node, outcomes);
        }
    }

    /// Each node dials `dials` others, at latencies that fall off exponentially from `least`, with the mean `mean`.
    pub(super) fn connect_randomly(&mut self, dials: usize, least: Duration, mean: Duration) {
        let count = self.nodes.len();
        for from in 0..count {
            let mut others = vec![from];
            while others.len() <= dials {
                let to = self.random.index(count);
                if others.contains(&to) {
                    continue;
                }
                others.push(to);
                let unit = (self.random.below(1 << 30) + 1) as f64 / f64::from(1 << 30);
                let latency = least + (mean - least).mul_f64(-unit.ln());
                self.connect(from, to, latency);
            }
        }
    }

    /// A transaction of `at`'s own.
    pub(super) fn submit(&mut self, at: usize, transaction: &Arc<Transaction>) {
        let outcomes = self.nodes[at].relay.submit(Arc::clone(transaction), self.now);
        self.apply(at, outcomes);
    }

    /// Lets everything happen that happens in this time.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(Reverse((at, sequence))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = at;
            let happening = self.happenings.remove(&sequence).expect("what is queued is there");
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        let (at, outcomes) = match happening {
            Happening::Message { to, from, message } => (to, self.receive(to, from, message)),
            Happening::Judged { at, transaction } => {
                let Node { relay, pool, since, .. } = &mut self.nodes[at];
                let wtxid = transaction.wtxid();
                let mut outcomes = Vec::new();
                let verdict = if pool.pending.contains_key(&wtxid) { Judged::Known } else { Judged::Accepted };
                if verdict == Judged::Accepted {
                    pool.insert(&transaction, 1_000);
                    since.insert(wtxid, now);
                    let change = PoolChange { added: vec![transaction], removed: Vec::new() };
                    outcomes.extend(relay.judged(&wtxid, &verdict, now));
                    outcomes.extend(relay.pool(&change, now, pool));
                } else {
                    outcomes.extend(relay.judged(&wtxid, &verdict, now));
                }
                (at, outcomes)
            }
            Happening::Deadline { at } => {
                let Node { relay, pool, wakes, .. } = &mut self.nodes[at];
                if wakes.is_some_and(|wakes| wakes <= now) {
                    *wakes = None;
                }
                (at, relay.deadline(now, pool))
            }
        };
        self.apply(at, outcomes);
    }

    fn receive(&mut self, to: usize, from: PeerId, message: Message) -> Vec<Outcome> {
        if self.nodes[to].links.is_empty() {
            return Vec::new();
        }
        let now = self.now;
        let Node { relay, pool, .. } = &mut self.nodes[to];
        match message {
            Message::Announce(ids) => relay.on_announce(from, &ids, now),
            Message::Request(ids) => relay.on_request(from, &ids, now, pool),
            Message::Gone(ids) => relay.on_gone(from, &ids, now),
            Message::Transaction(transaction) => relay.on_tx(from, transaction, now),
            Message::Push(push) => relay.on_push(from, push),
            Message::PoolSummary(summary) => relay.on_pool_summary(from, &summary, now),
            Message::FeeFilter(feerate) => {
                relay.on_feefilter(from, feerate);
                Vec::new()
            }
            other => panic!("relay does not send {other:?} here"),
        }
    }

    fn apply(&mut self, at: usize, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Send(peer, message) => self.send(at, peer, message),
                Outcome::Judge { transaction, .. } => {
                    self.later(self.now.after(JUDGING), Happening::Judged { at, transaction });
                }
                Outcome::Fault(peer, fault) => panic!("{at} finds fault with {peer}: {fault}"),
                Outcome::Useful(_) | Outcome::Extra(_) | Outcome::Relayed(_) => {}
            }
        }
        let node = &mut self.nodes[at];
        if let Some(next) = node.relay.next_deadline()
            && node.wakes.is_none_or(|wakes| next < wakes)
        {
            node.wakes = Some(next);
            self.later(next.max(self.now), Happening::Deadline { at });
        }
    }

    /// `at` loses all its links.
    pub(super) fn cut(&mut self, at: usize) {
        for (index, (other, there, _)) in std::mem::take(&mut self.nodes[at].links).into_iter().enumerate() {
            let outcomes = self.nodes[at].relay.disconnected(PeerId(index as u64), self.now);
            self.apply(at, outcomes);
            let outcomes = self.nodes[other].relay.disconnected(there, self.now);
            self.apply(other, outcomes);
        }
    }

    fn send(&mut self, at: usize, peer: PeerId, message: Message) {
        if self.nodes[at].silent || self.nodes[at].links.is_empty() {
            return;
        }
        self.sent.count(&message);
        let (to, from, latency) = self.nodes[at].links[usize::try_from(peer.0).unwrap()];
        let unit = (self.random.below(1 << 30) + 1) as f64 / f64::from(1 << 30);
        let arrives = self.now.after(latency).after(self.jitter.mul_f64(-unit.ln()));
        let last = self.last.entry((at, peer)).or_default();
        let arrives = arrives.max(last.after(Duration::from_micros(1)));
        *last = arrives;
        self.later(arrives, Happening::Message { to, from, message });
    }

    fn later(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence)));
        self.happenings.insert(self.sequence, happening);
    }
}

impl Sent {
    /// Frames as they are on our carrier: a byte or more of length, a byte of type, then the payload.
    fn count(&mut self, message: &Message) {
        let ids = |count: usize| 3 + 8 * count as u64;
        self.bytes += match message {
            Message::Announce(list) => {
                self.announced += list.len() as u64;
                ids(list.len())
            }
            Message::Request(list) => {
                self.requested += list.len() as u64;
                ids(list.len())
            }
            Message::Gone(list) => ids(list.len()),
            Message::Transaction(transaction) => {
                self.bodies += 1;
                transaction.total_size() as u64 + 3
            }
            Message::Push(_) => {
                self.pushes_switched += 1;
                3
            }
            Message::PoolSummary(summary) => 4 + 8 * summary.sums.len() as u64,
            Message::FeeFilter(_) => 10,
            other => panic!("relay does not send {other:?} here"),
        };
    }
}
