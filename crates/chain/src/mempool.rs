//! Transactions that wait for a block: which are taken, replaced, evicted, and mined first.
//!
//! Owns what concerns transactions among one another, by the rules and defaults of Bitcoin Core 30 and later: clusters
//! of at most 64, full replacement by fee rate diagrams, transactions of version 3 (BIP-0431), a parent and a child as
//! a pair, a price that rises when the pool is full; and that they are standard, if it is told so. Not its job: scripts, which leave as a
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
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};

use crate::coin::Coin;
use crate::policy;
use crate::transaction::Transaction;

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
    /// scripts are satisfied is still asked elsewhere ([`policy::script`]).
    #[must_use]
    pub fn with_rules(self, rules: policy::Rules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// What it takes.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
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

    /// The transaction with this hash of all of it.
    #[must_use]
    pub fn get(&self, wtxid: &Wtxid) -> Option<&Arc<Entry>> {
        self.nodes.entry(self.nodes.by_wtxid(wtxid)?)
    }

    /// The transaction with this hash, whatever its witness.
    #[must_use]
    pub fn get_by_txid(&self, txid: &Txid) -> Option<&Arc<Entry>> {
        self.nodes.entry(self.nodes.by_txid(txid)?)
    }

    /// Whether it has this transaction.
    #[must_use]
    pub fn contains(&self, wtxid: &Wtxid) -> bool {
        self.nodes.by_wtxid(wtxid).is_some()
    }

    /// Whether it has this transaction, whatever its witness.
    #[must_use]
    pub fn contains_txid(&self, txid: &Txid) -> bool {
        self.nodes.by_txid(txid).is_some()
    }

    /// The transaction that spends `outpoint`.
    #[must_use]
    pub fn spender(&self, outpoint: &OutPoint) -> Option<&Arc<Entry>> {
        self.nodes.entry(self.nodes.spender(outpoint)?)
    }

    /// The coin that a transaction of the pool makes at `outpoint`, spent or not, of height [`UNCONFIRMED`].
    #[must_use]
    pub fn coin(&self, outpoint: &OutPoint) -> Option<Coin> {
        check::output(self.get_by_txid(&outpoint.txid)?.transaction(), outpoint.vout, UNCONFIRMED)
    }

    /// What `transaction` spends that no transaction of the pool makes: coins to look up before
    /// [`check`](Self::check).
    pub fn missing<'a>(&self, transaction: &'a Transaction) -> impl Iterator<Item = &'a OutPoint> {
        let spent = transaction.decoded().input.iter().map(|input| &input.previous_output);
        spent.filter(|outpoint| !self.contains_txid(&outpoint.txid))
    }

    /// How many transactions of the pool a transaction depends on, and how many depend on it, itself counted in both.
    #[must_use]
    pub fn relatives(&self, txid: &Txid) -> Option<(usize, usize)> {
        let spot = self.nodes.spot(self.nodes.by_txid(txid)?)?;
        let count = |set: u64| usize::try_from(set.count_ones()).unwrap_or(MOST);
        Some((count(self.graph.ancestors(spot)), count(self.graph.descendants(spot))))
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

    /// All transactions, those in the best chunk first, parents before children.
    pub fn by_feerate(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let slots = self.graph.chunks().flat_map(|(key, _)| self.graph.chunk_slots(key));
        slots.filter_map(|slot| self.nodes.entry(*slot))
    }

    /// All transactions, the oldest first, but parents before children.
    pub fn by_age(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let mut given = vec![0_u64; self.graph.bound()];
        self.nodes.by_age().flat_map(move |slot| {
            let spot = self.nodes.spot(slot).unwrap_or_default();
            let (cluster, due) = self.graph.cluster(spot.cluster).map(|all| (all, self.graph.ancestors(spot))).unzip();
            let given = usize::try_from(spot.cluster).ok().and_then(|id| given.get_mut(id));
            let new = given.map_or(0, |given| {
                let new = due.unwrap_or(0) & !*given;
                *given |= new;
                new
            });
            cluster.into_iter().flat_map(move |cluster| cluster.members(new)).filter_map(|slot| self.nodes.entry(slot))
        })
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
