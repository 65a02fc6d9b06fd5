//! Asking what is in a pool, and in which order. Nothing here changes it.

use std::sync::Arc;

use bitcoin::{OutPoint, Txid, Wtxid};

use super::cluster::{Cluster, MOST};
use super::nodes::Spot;
use super::rate::Paid;
use super::{Entry, Mempool, UNCONFIRMED, check};
use crate::coin::Coin;
use crate::transaction::Transaction;

impl Mempool {
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

    /// What a transaction depends on, and itself, parents before children; nothing if it is not there.
    pub fn ancestors(&self, txid: &Txid) -> impl Iterator<Item = &Arc<Entry>> {
        let family = self.family(txid);
        family.into_iter().flat_map(|(spot, cluster)| self.entries(cluster, self.graph.ancestors(spot)))
    }

    /// A transaction and what depends on it, parents before children; nothing if it is not there.
    pub fn descendants(&self, txid: &Txid) -> impl Iterator<Item = &Arc<Entry>> {
        let family = self.family(txid);
        family.into_iter().flat_map(|(spot, cluster)| self.entries(cluster, self.graph.descendants(spot)))
    }

    /// All that are connected with a transaction, in the order in which they will be mined; nothing if it is not there.
    pub fn cluster(&self, txid: &Txid) -> impl Iterator<Item = &Arc<Entry>> {
        let family = self.family(txid);
        family.into_iter().flat_map(|(_, cluster)| self.entries(cluster, cluster.all()))
    }

    /// What a transaction and those that it will be mined with pay together: its rank among all.
    #[must_use]
    pub fn chunk(&self, txid: &Txid) -> Option<Paid> {
        let (spot, cluster) = self.family(txid)?;
        let chunk = cluster.chunks().iter().find(|chunk| chunk.end > spot.position)?;
        Some(chunk.paid)
    }

    /// What each chunk pays, the best first: sums of it say what a block of any size would be worth.
    pub fn chunks(&self) -> impl Iterator<Item = Paid> {
        self.graph.chunks().map(|(key, _)| key.paid)
    }

    fn family(&self, txid: &Txid) -> Option<(Spot, &Cluster)> {
        let spot = self.nodes.spot(self.nodes.by_txid(txid)?)?;
        Some((spot, self.graph.cluster(spot.cluster)?))
    }

    fn entries<'a>(&'a self, cluster: &'a Cluster, set: u64) -> impl Iterator<Item = &'a Arc<Entry>> {
        cluster.members(set).filter_map(|slot| self.nodes.entry(slot))
    }

    /// All transactions, those in the best chunk first, parents before children.
    pub fn by_feerate(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let slots = self.graph.chunks().flat_map(|(key, _)| self.graph.chunk_slots(key));
        slots.filter_map(|slot| self.nodes.entry(*slot))
    }

    /// Transactions that came after the one with that [sequence number](Entry::sequence), in the order in which they came.
    /// Takes time linear in the pool.
    #[must_use]
    pub fn newer_than(&self, sequence: u64) -> Vec<&Arc<Entry>> {
        let entries = self.nodes.by_age().filter_map(|slot| self.nodes.entry(slot));
        let mut newer: Vec<_> = entries.filter(|entry| entry.sequence > sequence).collect();
        newer.sort_unstable_by_key(|entry| entry.sequence);
        newer
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
}
