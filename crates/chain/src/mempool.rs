//! Transactions that wait for a block: which are taken, replaced, evicted, and mined first.
//!
//! Owns what concerns transactions among one another, by the rules and defaults of Bitcoin Core 31: clusters of at most
//! 64, full replacement by fee rate diagrams, transactions of version 3 (BIP-0431), a parent and a child as a pair, a
//! price that rises when the pool is full; and that they are standard, if it is told so
//! ([`with_rules`](Mempool::with_rules)). Not its job: scripts, which leave as a
//! [`verify::Job`](crate::verify::Job) and are answered elsewhere; coins, which the caller looks up; the clock.
//!
//! ```text
//! missing ── coins looked up ──▶ check ── Candidate ── scripts hold ──▶ insert ──▶ in the pool
//!                                  │                                      │           │
//!                                  ▼                                      ▼           ▼
//!                               Refusal                            Refusal (Stale:  Removed: connect, expire,
//!                                                                  check again)     reorganised, another's insert
//! ```
//!
//! Invariants, after every call: no two transactions spend the same; each cluster is connected, within its limits, and
//! in an optimal order; chunks of all clusters are in one order by what they pay; memory is within [`Limits::usage`]
//! unless blocks were taken back and [`Mempool::reorganised`] was not called yet.
//!
//! Cost: looking up and expiring are table look-ups; adding a transaction rebuilds its own cluster, and replacing those
//! of what it replaces (at most [`limits::REPLACED_CLUSTERS`]); a block rebuilds the clusters that it touches; a
//! template reads chunks, the best first, and never sorts. Iteration never follows hash order.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, Txid};

use crate::policy;

mod block;
mod check;
mod cluster;
pub mod dump;
mod dust;
mod entry;
mod floor;
mod graph;
mod insert;
pub mod limits;
mod nodes;
mod pair;
mod query;
mod rate;
mod refusal;
mod relation;
mod template;
mod truc;

pub use check::{Candidate, Place};
pub use entry::{Entry, Reason, Removed, UNCONFIRMED, Unfit};
pub use insert::Inserted;
pub use limits::Limits;
pub use pair::{CandidatePair, InsertedPair};
pub use rate::{FeeRate, Paid};
pub use refusal::{Pair, Refusal, Truc, Verdict};
pub use template::{RESERVED_SIGOPS, RESERVED_WEIGHT, Room, Template};

use cluster::MOST;
use floor::Floor;
use graph::{Graph, Leaving, Stage};
use nodes::{Nodes, Slot};

/// The transactions that wait. See the [module](self).
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    /// What is relayed of what is valid; `None` leaves that to the caller.
    rules: Option<policy::Rules>,
    nodes: Nodes,
    graph: Graph,
    floor: Floor,
    /// Satoshi by which an operator changed the worth of transactions, here or not.
    priorities: BTreeMap<Txid, i64>,
    /// Transactions of our own that no peer has asked for yet.
    unbroadcast: BTreeSet<Txid>,
    /// The last sequence number given.
    arrivals: u64,
    /// Changes with the chain, so that a candidate checked before is known.
    generation: u64,
}

impl Mempool {
    /// An empty pool. `seed`: a number that peers can't know, for hash tables whose keys they choose; nothing that can
    /// be seen depends on it.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let cluster_count = limits.cluster_count.min(MOST);
        Self {
            limits: Limits { cluster_count, ..limits },
            rules: None,
            nodes: Nodes::new(seed),
            graph: Graph::default(),
            floor: Floor::default(),
            priorities: BTreeMap::new(),
            unbroadcast: BTreeSet::new(),
            arrivals: 0,
            generation: 0,
        }
    }

    /// The same pool, which takes standard transactions only: those that [`policy::check`] lets pass under `rules`. How
    /// scripts are satisfied is still asked elsewhere ([`policy::script`]). What dust is follows from them too: where
    /// transactions need not be standard, nothing is.
    #[must_use]
    pub fn with_rules(self, rules: policy::Rules) -> Self {
        let rate = if rules.require_standard { rules.dust_rate.to_sat() } else { 0 };
        let limits = Limits { dust: FeeRate::from_sat_per_kvb(rate), ..self.limits };
        Self { rules: Some(rules), limits, ..self }
    }

    /// What it takes.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What is relayed of what is valid, if it was told so ([`with_rules`](Self::with_rules)).
    #[must_use]
    pub fn rules(&self) -> Option<&policy::Rules> {
        self.rules.as_ref()
    }

    /// The greatest [`Entry::sequence`] so far: it grows with each arrival.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.arrivals
    }

    /// How many transactions it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that its transactions take: an estimate, the same on every machine.
    #[must_use]
    pub fn usage(&self) -> usize {
        self.nodes.usage()
    }

    /// Virtual bytes of all transactions, adjusted for signature operations.
    #[must_use]
    pub fn vsize(&self) -> u64 {
        self.nodes.vsize()
    }

    /// What all transactions pay.
    #[must_use]
    pub fn fees(&self) -> Amount {
        self.nodes.fees()
    }

    /// What a transaction must pay now at least to enter: [`Limits::relay`], or more if the pool was full.
    #[must_use]
    pub fn min_feerate(&self, now: u64) -> FeeRate {
        self.floor(now).max(self.limits.relay)
    }

    /// The part of [`min_feerate`](Self::min_feerate) that comes of evictions.
    fn floor(&self, now: u64) -> FeeRate {
        self.floor.rate(&self.limits, self.usage(), now)
    }

    /// Changes by `delta` satoshi what a transaction counts for, here or when it comes, whatever it pays. Gives the sum
    /// of all changes, or `None` and does nothing if [`limits::PRIORITIES`] transactions have one already.
    pub fn prioritise(&mut self, txid: Txid, delta: i64) -> Option<i64> {
        let before = self.priorities.get(&txid).copied();
        if before.is_none() && self.priorities.len() >= limits::PRIORITIES {
            return None;
        }
        let sum = before.unwrap_or(0).saturating_add(delta);
        if sum == 0 {
            self.priorities.remove(&txid);
        } else {
            self.priorities.insert(txid, sum);
        }
        if let Some((slot, spot)) = self.nodes.by_txid(&txid).and_then(|slot| Some((slot, self.nodes.spot(slot)?))) {
            self.nodes.amend(slot, |entry| entry.priority = sum);
            let mut stage = Stage::again(&self.graph, &self.nodes, spot.cluster);
            stage.linearise();
            self.graph.commit(stage, &mut self.nodes);
        }
        Some(sum)
    }

    /// The transactions whose worth was changed, and by how many satoshi.
    #[must_use]
    pub fn priorities(&self) -> &BTreeMap<Txid, i64> {
        &self.priorities
    }

    /// Notes that no peer has a transaction yet. Does nothing if the pool does not have it either.
    pub fn mark_unbroadcast(&mut self, txid: Txid) {
        if self.contains_txid(&txid) {
            self.unbroadcast.insert(txid);
        }
    }

    /// Notes that a peer asked for a transaction.
    pub fn mark_broadcast(&mut self, txid: &Txid) {
        self.unbroadcast.remove(txid);
    }

    /// Notes that no peer has these transactions yet, and that of all others one has. Those that are not here are passed
    /// over.
    pub fn set_unbroadcast(&mut self, txids: impl IntoIterator<Item = Txid>) {
        let mut next = std::mem::take(&mut self.unbroadcast);
        next.clear();
        next.extend(txids.into_iter().filter(|txid| self.contains_txid(txid)));
        self.unbroadcast = next;
    }

    /// The transactions that no peer has yet.
    #[must_use]
    pub fn unbroadcast(&self) -> &BTreeSet<Txid> {
        &self.unbroadcast
    }

    /// Takes out what came more than [`Limits::expiry`] before `now`, with descendants.
    pub fn expire(&mut self, now: u64) -> Vec<Removed> {
        let mut leaving = Leaving::default();
        for slot in self.nodes.older_than(now.saturating_sub(self.limits.expiry)) {
            self.nodes.spot(slot).into_iter().for_each(|spot| leaving.add_with_descendants(&self.graph, spot));
        }
        self.take_out(&leaving, |_| Reason::Expired)
    }

    /// Takes transactions out and puts what is left of their clusters in order.
    fn take_out(&mut self, leaving: &Leaving, reason: impl Fn(Slot) -> Reason) -> Vec<Removed> {
        if leaving.is_empty() {
            return Vec::new();
        }
        let mut stage = Stage::without(&self.graph, &self.nodes, leaving);
        stage.linearise();
        let removed = self.remove(leaving, reason);
        self.graph.commit(stage, &mut self.nodes);
        self.nodes.shrink();
        removed
    }

    /// Takes transactions out of the tables, not yet out of the graph.
    fn remove(&mut self, leaving: &Leaving, reason: impl Fn(Slot) -> Reason) -> Vec<Removed> {
        let slots = leaving.slots(&self.graph);
        let removed = slots.into_iter().filter_map(|slot| {
            let entry = self.nodes.remove(slot)?;
            self.unbroadcast.remove(&entry.txid());
            Some(Removed { entry, reason: reason(slot) })
        });
        removed.collect()
    }
}

#[cfg(test)]
mod tests;
