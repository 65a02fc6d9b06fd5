//! Taking a transaction into the pool, and giving up what there is no room for.

use std::sync::Arc;

use bitcoin::hashes::Hash;

use super::Mempool;
use super::check::{Candidate, Offer, Terms};
use super::entry::{Entry, Reason, Removed};
use super::graph::Leaving;
use super::nodes::Slot;
use super::refusal::Refusal;
use super::relation::{FIRST, Relation};

/// What came of inserting a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The transaction.
    pub entry: Arc<Entry>,
    /// What it replaced.
    pub replaced: Vec<Removed>,
    /// What the pool gave up to have room.
    pub evicted: Vec<Removed>,
}

/// What came of inserting some together.
pub(super) struct Admitted<const N: usize> {
    pub(super) entries: [Arc<Entry>; N],
    pub(super) replaced: Vec<Removed>,
    pub(super) evicted: Vec<Removed>,
}

impl Mempool {
    /// Takes a transaction whose scripts hold. Checks again what may have changed since [`check`](Self::check).
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Refusal::Stale`] if the chain has changed since; [`Refusal::Full`] if the pool is
    /// full of what pays more, with what left the pool all the same. With any other the pool is as it was.
    pub fn insert(&mut self, candidate: Candidate, now: u64) -> Result<Inserted, Refusal> {
        if candidate.generation != self.generation {
            return Err(Refusal::Stale);
        }
        let Candidate { offer, terms, .. } = candidate;
        self.absent(&offer.transaction)?;
        self.parents_stay(&offer, None)?;
        let relation = self.relate(&offer, terms, now)?;
        let Admitted { entries: [entry], replaced, evicted } = self.admit([(FIRST, offer)], relation, terms, now)?;
        Ok(Inserted { entry, replaced, evicted })
    }

    /// Makes the change that was judged, for offers that stand in it under placeholders.
    pub(super) fn admit<const N: usize>(
        &mut self,
        offers: [(Slot, Offer); N],
        relation: Relation,
        terms: Terms,
        now: u64,
    ) -> Result<Admitted<N>, Refusal> {
        let Relation { leaving, trimmed, mut stage } = relation;
        stage.linearise();
        let by = offers.last().map_or_else(Hash::all_zeros, |(_, offer)| offer.txid());
        let replaced = self.remove(&leaving, |_| Reason::Replaced { by });
        let mut evicted = self.remove(&trimmed, |_| Reason::ClusterLimit);
        let slots = offers.map(|(placeholder, offer)| {
            let entry = self.entry(offer, terms, now);
            let slot = self.nodes.add(entry);
            stage.settle(placeholder, slot);
            slot
        });
        let entries = slots.map(|slot| Arc::clone(self.nodes.entry(slot).expect("it was added just now")));
        self.graph.commit(stage, &mut self.nodes);
        if terms == Terms::Relay {
            evicted.extend(self.evict(now));
        }
        if entries.iter().all(|entry| self.contains(&entry.wtxid())) {
            return Ok(Admitted { entries, replaced, evicted });
        }
        let others = replaced.into_iter().chain(evicted).filter(|removed| !entries.contains(&removed.entry));
        Err(Refusal::Full { removed: others.collect() })
    }

    fn entry(&mut self, offer: Offer, terms: Terms, now: u64) -> Entry {
        let sequence = match terms {
            Terms::Relay => {
                self.arrivals = self.arrivals.saturating_add(1);
                self.arrivals
            }
            // As in Core: earlier than any child that was in the pool before.
            Terms::Returned => 0,
        };
        Entry {
            priority: self.priorities.get(&offer.txid()).copied().unwrap_or(0),
            fee: offer.fee,
            weight: offer.weight,
            sigops: offer.sigops,
            time: now,
            sequence,
            height: offer.height,
            transaction: offer.transaction,
            spent: offer.spent,
        }
    }

    /// Gives up the chunks that pay least until the pool is within its limit. What they paid, and a little more, is the
    /// price from now on (Core's `TrimToSize`).
    pub(super) fn evict(&mut self, now: u64) -> Vec<Removed> {
        let mut evicted = Vec::new();
        if self.usage() > self.limits.usage {
            self.floor.advance(&self.limits, self.usage(), now);
        }
        while self.usage() > self.limits.usage {
            // The last chunk of all is the last of its cluster: nothing depends on it.
            let Some((key, _)) = self.graph.chunks().next_back() else { break };
            self.floor.raise(key.paid.rate().saturating_add(self.limits.increment));
            let mut leaving = Leaving::default();
            for spot in self.graph.chunk_slots(key).iter().filter_map(|slot| self.nodes.spot(*slot)) {
                leaving.add(spot);
            }
            evicted.extend(self.take_out(&leaving, |_| Reason::Evicted));
        }
        evicted
    }
}
