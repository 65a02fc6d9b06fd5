//! Orphans: transactions whose parents are not known yet.
//!
//! Each is kept with the peers that announced it, who may have its parents. Where there are too many, the peer that takes
//! the most room loses its oldest, so that a flood takes room from the flooder alone.
//!
//! Invariants: at most [`MAX_ORPHANS`] and [`MAX_WEIGHT`]; each has an announcer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{OutPoint, Txid};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use crate::link::PeerId;
use crate::time::Time;

use super::id::Id;

/// Most orphans.
pub const MAX_ORPHANS: usize = 100;

/// Most weight of all orphans: ten of the largest that are kept.
pub const MAX_WEIGHT: usize = 4_000_000;

/// Most weight of one orphan: what is relayed at most (Bitcoin Core's number).
pub const MAX_ORPHAN_WEIGHT: usize = 400_000;

/// Most announcers that are remembered of one orphan.
pub const MAX_ANNOUNCERS: usize = 16;

/// How long an orphan is kept (Bitcoin Core's number).
pub const EXPIRY: Duration = Duration::from_secs(20 * 60);

#[derive(Debug)]
struct Orphan {
    transaction: Arc<Transaction>,
    announcers: Vec<PeerId>,
    /// Its turn in the order of arrival.
    turn: u64,
    expires: Time,
}

/// The orphans.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    orphans: BTreeMap<Id, Orphan>,
    /// Which orphans spend an outpoint.
    spenders: BTreeSet<(OutPoint, Id)>,
    /// By expiry.
    timers: BTreeSet<(Time, Id)>,
    weight: usize,
    turns: u64,
}

impl Orphans {
    /// Keeps `transaction`, or adds to its announcers.
    pub(super) fn insert(&mut self, id: Id, transaction: &Arc<Transaction>, announcers: &[PeerId], now: Time) {
        if self.orphans.contains_key(&id) {
            for peer in announcers {
                self.announced(id, *peer);
            }
            return;
        }
        let weight = transaction.weight();
        if announcers.is_empty() || weight > MAX_ORPHAN_WEIGHT {
            return;
        }
        self.turns = self.turns.saturating_add(1);
        let expires = now.after(EXPIRY);
        let announcers = announcers.iter().copied().take(MAX_ANNOUNCERS).collect();
        let orphan = Orphan { transaction: Arc::clone(transaction), announcers, turn: self.turns, expires };
        self.spenders.extend(spent(transaction).map(|outpoint| (outpoint, id)));
        self.timers.insert((expires, id));
        self.weight = self.weight.saturating_add(weight);
        self.orphans.insert(id, orphan);
        while self.orphans.len() > MAX_ORPHANS || self.weight > MAX_WEIGHT {
            self.evict();
        }
    }

    /// `peer` announced an orphan, too.
    pub(super) fn announced(&mut self, id: Id, peer: PeerId) {
        let Some(orphan) = self.orphans.get_mut(&id) else { return };
        if orphan.announcers.len() < MAX_ANNOUNCERS && !orphan.announcers.contains(&peer) {
            orphan.announcers.push(peer);
        }
    }

    /// Forgets an orphan.
    pub(super) fn remove(&mut self, id: Id) {
        let Some(orphan) = self.orphans.remove(&id) else { return };
        for outpoint in spent(&orphan.transaction) {
            self.spenders.remove(&(outpoint, id));
        }
        self.timers.remove(&(orphan.expires, id));
        self.weight = self.weight.saturating_sub(orphan.transaction.weight());
    }

    /// An orphan and its announcers.
    pub(super) fn get(&self, id: Id) -> Option<(&Arc<Transaction>, &[PeerId])> {
        self.orphans.get(&id).map(|orphan| (&orphan.transaction, orphan.announcers.as_slice()))
    }

    /// The orphans that spend an output of `parent`, oldest first.
    pub(super) fn children(&self, parent: Txid) -> Vec<Arc<Transaction>> {
        let from = (OutPoint { txid: parent, vout: 0 }, Id(0));
        let mut found: BTreeMap<u64, Arc<Transaction>> = BTreeMap::new();
        for (_, id) in self.spenders.range(from..).take_while(|(outpoint, _)| outpoint.txid == parent) {
            if let Some(orphan) = self.orphans.get(id) {
                found.insert(orphan.turn, Arc::clone(&orphan.transaction));
            }
        }
        found.into_values().collect()
    }

    /// Forgets what `block` has, or makes impossible.
    pub(super) fn confirmed(&mut self, block: &Block) {
        if self.orphans.is_empty() {
            return;
        }
        for transaction in block.transactions() {
            for outpoint in spent(transaction) {
                let spenders = self.spenders.range((outpoint, Id(0))..);
                let gone: Vec<Id> = spenders.take_while(|(other, _)| *other == outpoint).map(|(_, id)| *id).collect();
                gone.iter().for_each(|id| self.remove(*id));
            }
        }
    }

    /// Forgets a peer, and what nobody else announced.
    pub(super) fn leave(&mut self, peer: PeerId) {
        let mut alone = Vec::new();
        for (id, orphan) in &mut self.orphans {
            orphan.announcers.retain(|announcer| *announcer != peer);
            if orphan.announcers.is_empty() {
                alone.push(*id);
            }
        }
        alone.iter().for_each(|id| self.remove(*id));
    }

    /// Forgets what waited for too long.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.remove(id);
        }
    }

    /// When [`expire`](Self::expire) is wanted.
    pub(super) fn next(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Takes the oldest orphan from the peer whose orphans take the largest part of either limit. It is gone if nobody
    /// else announced it.
    fn evict(&mut self) {
        let mut shares: BTreeMap<PeerId, usize> = BTreeMap::new();
        for orphan in self.orphans.values() {
            // In weight: each takes at least its part of the count.
            let share = orphan.transaction.weight().max(MAX_WEIGHT / MAX_ORPHANS);
            for peer in &orphan.announcers {
                let sum = shares.entry(*peer).or_default();
                *sum = sum.saturating_add(share);
            }
        }
        let most = shares.into_iter().max_by_key(|(_, share)| *share).map(|(peer, _)| peer);
        let oldest = most.and_then(|peer| {
            let its = self.orphans.iter_mut().filter(|(_, orphan)| orphan.announcers.contains(&peer));
            its.min_by_key(|(_, orphan)| orphan.turn).map(|(id, orphan)| {
                orphan.announcers.retain(|announcer| *announcer != peer);
                (*id, orphan.announcers.is_empty())
            })
        });
        if let Some((id, true)) = oldest {
            self.remove(id);
        }
    }

    /// Panics if a bound or an invariant is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.orphans.len() <= MAX_ORPHANS, "too many orphans");
        assert!(self.weight <= MAX_WEIGHT, "orphans are too heavy");
        assert_eq!(self.timers.len(), self.orphans.len(), "each orphan expires");
        let weight: usize = self.orphans.values().map(|orphan| orphan.transaction.weight()).sum();
        assert_eq!(weight, self.weight, "the weight is counted");
        for orphan in self.orphans.values() {
            assert!((1..=MAX_ANNOUNCERS).contains(&orphan.announcers.len()), "somebody announced it");
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.orphans.len()
    }
}

/// The outpoints that a transaction spends.
fn spent(transaction: &Transaction) -> impl Iterator<Item = OutPoint> + '_ {
    transaction.decoded().input.iter().map(|input| input.previous_output)
}
