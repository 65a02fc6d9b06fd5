//! What an offered transaction is to those of the pool: child, replacement, or too much.
//!
//! In Bitcoin Core's order (`PreChecks` from its fee rate on, `ReplacementChecks`, cluster limits, dust). Judged once
//! before the scripts run and once more after, since the pool may have changed.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{OutPoint, Txid};

use super::Mempool;
use super::check::{Offer, Terms};
use super::cluster::Cluster;
use super::entry::UNCONFIRMED;
use super::graph::{Added, Leaving, Stage};
use super::limits::REPLACED_CLUSTERS;
use super::nodes::Slot;
use super::rate::{Paid, compare_diagrams};
use super::refusal::Refusal;
use crate::block::WITNESS_SCALE;

/// The place of the first transaction offered, until it has a slot. No pool has so many.
pub(super) const FIRST: Slot = Slot::MAX;
/// The place of the second.
pub(super) const SECOND: Slot = Slot::MAX - 1;

/// Transactions of the pool that an offer touches.
#[derive(Clone, Debug, Default)]
pub(super) struct Kin {
    /// Whose outputs it spends.
    pub(super) parents: Vec<Slot>,
    /// Who spends its outputs.
    pub(super) children: Vec<Slot>,
    /// Who spends what it spends, and a sibling that must make room.
    pub(super) conflicts: Vec<Slot>,
    /// Whether there is such a sibling.
    pub(super) sibling: bool,
}

/// What would happen to the pool.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// What would be replaced.
    pub(super) leaving: Leaving,
    /// What would leave a cluster that returned transactions make too large.
    pub(super) trimmed: Leaving,
    /// The clusters afterwards.
    pub(super) stage: Stage,
}

impl Mempool {
    /// Judges one offer.
    pub(super) fn relate(&self, offer: &Offer, terms: Terms, now: u64) -> Result<Relation, Refusal> {
        self.unpaid_dust(offer)?;
        let paid = self.paid(offer);
        if terms == Terms::Relay {
            self.pays(paid.fee, offer.vsize(), now)?;
        }
        let mut kin = self.kin(offer);
        if terms == Terms::Relay
            && let Some(sibling) = self.truc(&offer.transaction, offer.vsize(), &kin)?
        {
            kin.conflicts.push(sibling);
            kin.sibling = true;
        }
        let leaving = self.replaced(&kin)?;
        self.pays_for(paid, &leaving, &kin)?;
        let trimmed = match terms {
            Terms::Relay => Leaving::default(),
            Terms::Returned => self.trimmed(&kin, paid, &leaving),
        };
        let gone = leaving.with(&trimmed);
        kin.children.retain(|child| self.nodes.spot(*child).is_some_and(|spot| !gone.contains(spot)));
        let stage = self.staged(&gone, &[added(FIRST, paid, &kin, &[])], &leaving)?;
        if !leaving.is_empty() && !self.improves(&stage) {
            return Err(Refusal::NoImprovement);
        }
        self.no_conflict_above(&kin)?;
        if terms == Terms::Relay
            && let Some(parent) = self.unspent_dust(&offer.transaction, &kin, None)
        {
            return Err(Refusal::UnspentDust(parent));
        }
        Ok(Relation { leaving, trimmed, stage })
    }

    /// Looks up what an offer touches.
    pub(super) fn kin(&self, offer: &Offer) -> Kin {
        let txid = offer.txid();
        let made = (0..).zip(&offer.transaction.decoded().output).map(|(vout, _)| OutPoint { txid, vout });
        Kin {
            parents: distinct(offer.inputs().filter_map(|outpoint| self.nodes.by_txid(&outpoint.txid))),
            children: distinct(made.filter_map(|outpoint| self.nodes.spender(&outpoint))),
            conflicts: distinct(offer.inputs().filter_map(|outpoint| self.nodes.spender(outpoint))),
            sibling: false,
        }
    }

    /// That what the pool made for an offer is still there. `parent`: one offered with it.
    pub(super) fn parents_stay(&self, offer: &Offer, parent: Option<Txid>) -> Result<(), Refusal> {
        let of_pool = offer.inputs().zip(offer.spent.iter()).filter(|(_, coin)| coin.height == UNCONFIRMED);
        let gone = of_pool.map(|(outpoint, _)| *outpoint);
        let gone = gone.filter(|outpoint| Some(outpoint.txid) != parent && !self.contains_txid(&outpoint.txid));
        let gone: Box<[_]> = gone.collect();
        if gone.is_empty() { Ok(()) } else { Err(Refusal::MissingInputs(gone)) }
    }

    /// All that would be replaced: conflicts and their descendants.
    fn replaced(&self, kin: &Kin) -> Result<Leaving, Refusal> {
        let clusters = self.clusters(&kin.conflicts).len();
        if clusters > REPLACED_CLUSTERS {
            return Err(Refusal::TooManyReplaced { clusters, sibling: kin.sibling });
        }
        Ok(self.with_descendants(&kin.conflicts))
    }

    pub(super) fn with_descendants(&self, slots: &[Slot]) -> Leaving {
        let mut leaving = Leaving::default();
        for spot in slots.iter().filter_map(|slot| self.nodes.spot(*slot)) {
            leaving.add_with_descendants(&self.graph, spot);
        }
        leaving
    }

    pub(super) fn clusters(&self, slots: &[Slot]) -> BTreeSet<u32> {
        slots.iter().filter_map(|slot| self.nodes.spot(*slot)).map(|spot| spot.cluster).collect()
    }

    fn pays_for(&self, paid: Paid, leaving: &Leaving, kin: &Kin) -> Result<(), Refusal> {
        if leaving.is_empty() {
            return Ok(());
        }
        let least = self.replacement_fee(paid.vsize(), leaving);
        if paid.fee < least {
            return Err(Refusal::ReplacementFee { fee: paid.fee, least, sibling: kin.sibling });
        }
        Ok(())
    }

    /// What a replacement of so many virtual bytes must pay: all that the replaced do (Core's rule 3), and for its own way (rule 4).
    pub(super) fn replacement_fee(&self, vsize: u64, leaving: &Leaving) -> i64 {
        let replaced = leaving.slots(&self.graph).into_iter().filter_map(|slot| self.nodes.entry(slot));
        let fees = replaced.map(|entry| entry.paid().fee).fold(0, i64::saturating_add);
        fees.saturating_add(self.limits.increment.fee(vsize))
    }

    /// The clusters as they would be, within their limits.
    pub(super) fn staged(&self, gone: &Leaving, added: &[Added], replaced: &Leaving) -> Result<Stage, Refusal> {
        let mut stage = Stage::without(&self.graph, &self.nodes, gone);
        let weight = self.limits.cluster_vsize.saturating_mul(WITNESS_SCALE as u64);
        let limits = (self.limits.cluster_count, i64::try_from(weight).unwrap_or(i64::MAX));
        for added in added {
            stage
                .join(&self.graph, &self.nodes, added, limits)
                .map_err(|(count, paid)| Refusal::TooLargeCluster { count, vsize: paid.vsize() })?;
        }
        if !replaced.is_empty() {
            stage.linearise();
        }
        Ok(stage)
    }

    /// Whether miners would be better off after a change, however much of the pool they mine.
    pub(super) fn improves(&self, stage: &Stage) -> bool {
        let (before, after) = stage.diagrams(&self.graph);
        compare_diagrams(&after, &before) == Some(Ordering::Greater)
    }

    /// That nothing that is replaced is needed.
    fn no_conflict_above(&self, kin: &Kin) -> Result<(), Refusal> {
        if kin.conflicts.is_empty() {
            return Ok(());
        }
        let mut above = Leaving::default();
        for spot in kin.parents.iter().filter_map(|slot| self.nodes.spot(*slot)) {
            above.add_with_ancestors(&self.graph, spot);
        }
        let needed = |slot: &&Slot| self.nodes.spot(**slot).is_some_and(|spot| above.contains(spot));
        match kin.conflicts.iter().find(needed).and_then(|slot| self.nodes.entry(*slot)) {
            Some(entry) => Err(Refusal::SpendsConflicting(entry.txid())),
            None => Ok(()),
        }
    }

    /// The children, with descendants, whose clusters do not fit into one with a transaction that came back. Those of
    /// the clusters that pay most stay.
    fn trimmed(&self, kin: &Kin, paid: Paid, leaving: &Leaving) -> Leaving {
        let mut children: BTreeMap<u32, Vec<Slot>> = BTreeMap::new();
        for (slot, spot) in kin.children.iter().filter_map(|slot| Some((*slot, self.nodes.spot(*slot)?))) {
            if !leaving.contains(spot) {
                children.entry(spot.cluster).or_default().push(slot);
            }
        }
        let above = self.clusters(&kin.parents);
        children.retain(|cluster, _| !above.contains(cluster));
        let size = |id: u32| self.graph.cluster(id).map(sum).unwrap_or_default();
        let mut total = above.into_iter().map(size).fold((1, paid), plus);
        let mut below: Vec<_> = children.into_iter().map(|(id, slots)| (size(id), slots)).collect();
        below.sort_by(|((_, a), _), ((_, b), _)| b.by_rate(*a));
        let mut trimmed = Leaving::default();
        for (size, slots) in below {
            let (count, paid) = plus(total, size);
            if count <= self.limits.cluster_count && paid.vsize() <= self.limits.cluster_vsize {
                total = (count, paid);
            } else {
                trimmed = trimmed.with(&self.with_descendants(&slots));
            }
        }
        trimmed
    }

    /// The transactions of a set, parents before children.
    pub(super) fn txids(&self, leaving: &Leaving) -> Box<[Txid]> {
        let slots = leaving.slots(&self.graph).into_iter();
        slots.filter_map(|slot| self.nodes.entry(slot)).map(|entry| entry.txid()).collect()
    }
}

fn sum(cluster: &Cluster) -> (usize, Paid) {
    (cluster.slots().len(), cluster.chunks().iter().map(|chunk| chunk.paid).sum())
}

fn plus((count, paid): (usize, Paid), (more, adds): (usize, Paid)) -> (usize, Paid) {
    (count.saturating_add(more), paid.plus(adds))
}

/// Slots sorted, each once: a transaction may have thousands of inputs.
fn distinct(slots: impl Iterator<Item = Slot>) -> Vec<Slot> {
    let mut slots: Vec<Slot> = slots.collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// An offer as the graph takes it; `parents` are those offered with it.
pub(super) fn added(slot: Slot, paid: Paid, kin: &Kin, parents: &[Slot]) -> Added {
    Added { slot, paid, parents: [&kin.parents, parents].concat(), children: kin.children.clone() }
}
