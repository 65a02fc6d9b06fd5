//! A change to the graph, prepared beside it.

use std::collections::BTreeSet;

use super::super::cluster::{Cluster, Linear, MOST, Part, bit, linearise, lowest, ones};
use super::super::nodes::{Nodes, Slot};
use super::super::rate::Paid;
use super::{Graph, Leaving};

/// A transaction to be added.
#[derive(Clone, Debug)]
pub(in super::super) struct Added {
    /// A slot that no transaction has, until [`Stage::settle`] gives the real one.
    pub(in super::super) slot: Slot,
    pub(in super::super) paid: Paid,
    /// Whose outputs it spends.
    pub(in super::super) parents: Vec<Slot>,
    /// Who spends its outputs; only after blocks were taken back.
    pub(in super::super) children: Vec<Slot>,
}

/// A cluster as it would be.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Draft {
    pub(in super::super) slots: Vec<Slot>,
    pub(in super::super) parts: Vec<Part>,
    pub(in super::super) linear: Linear,
}

impl Draft {
    /// What its transactions pay together.
    pub(in super::super) fn paid(&self) -> Paid {
        self.parts.iter().map(|part| part.paid).sum()
    }

    /// Takes another's transactions behind its own.
    fn absorb(&mut self, other: Self) {
        let shift = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let moved = |part: Part| Part { parents: part.parents.checked_shl(shift).unwrap_or(0), ..part };
        self.slots.extend(other.slots);
        self.parts.extend(other.parts.into_iter().map(moved));
    }

    fn position(&self, slot: Slot) -> Option<usize> {
        self.slots.iter().position(|other| *other == slot)
    }
}

/// What would become of the clusters that a change touches.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Stage {
    /// Clusters that would be no more.
    dissolved: BTreeSet<u32>,
    drafts: Vec<Draft>,
}

impl Stage {
    /// What is left when some leave, in an order that is not yet the best.
    pub(in super::super) fn without(graph: &Graph, nodes: &Nodes, leaving: &Leaving) -> Self {
        let mut stage = Self::default();
        for (id, set) in leaving.sets() {
            stage.open(graph, nodes, id, set);
        }
        stage
    }

    /// A cluster as it is, to be put in order again.
    pub(in super::super) fn again(graph: &Graph, nodes: &Nodes, id: u32) -> Self {
        let mut stage = Self::default();
        stage.open(graph, nodes, id, 0);
        stage
    }

    /// Copies a cluster, but for some of its transactions, once.
    fn open(&mut self, graph: &Graph, nodes: &Nodes, id: u32, leaving: u64) {
        let Some(cluster) = graph.cluster(id) else { return };
        if self.dissolved.insert(id) {
            let components = cluster.components(cluster.all() & !leaving);
            self.drafts.extend(components.into_iter().map(|set| copied(cluster, set, nodes)));
        }
    }

    /// Adds a transaction, joining what it connects.
    ///
    /// # Errors
    /// The size of the cluster that it would be in, if that has more transactions or weight than given here. The stage
    /// is of no use any more then.
    pub(in super::super) fn join(
        &mut self,
        graph: &Graph,
        nodes: &Nodes,
        added: &Added,
        (count, weight): (usize, i64),
    ) -> Result<(), (usize, Paid)> {
        let relatives = added.parents.iter().chain(&added.children);
        // There may be thousands: they need not be looked at to know that they are too many.
        let size = added.parents.len().saturating_add(added.children.len()).saturating_add(1);
        if size > count.min(MOST) {
            return Err((size, added.paid));
        }
        for spot in relatives.clone().filter_map(|slot| nodes.spot(*slot)) {
            self.open(graph, nodes, spot.cluster, 0);
        }
        let (joined, rest) = std::mem::take(&mut self.drafts)
            .into_iter()
            .partition::<Vec<_>, _>(|draft| relatives.clone().any(|slot| draft.slots.contains(slot)));
        self.drafts = rest;
        let size = joined.iter().map(|draft| draft.slots.len()).fold(1, usize::saturating_add);
        let paid = joined.iter().map(Draft::paid).fold(added.paid, Paid::plus);
        if size > count.min(MOST) || paid.weight > weight {
            return Err((size, paid));
        }
        let mut whole = Draft::default();
        for draft in joined {
            whole.absorb(draft);
        }
        let parents = added.parents.iter().filter_map(|slot| whole.position(*slot)).fold(0, |all, at| all | bit(at));
        let new = bit(whole.slots.len());
        for (slot, part) in whole.slots.iter().zip(&mut whole.parts) {
            part.parents |= if added.children.contains(slot) { new } else { 0 };
        }
        whole.slots.push(added.slot);
        whole.parts.push(Part { paid: added.paid, parents });
        self.drafts.push(whole);
        Ok(())
    }

    /// Finds the best order of each cluster.
    pub(in super::super) fn linearise(&mut self) {
        for draft in &mut self.drafts {
            if draft.linear.order.is_empty() {
                draft.linear = linearise(&draft.parts);
            }
        }
    }

    /// Gives an added transaction its slot.
    pub(in super::super) fn settle(&mut self, placeholder: Slot, slot: Slot) {
        let slots = self.drafts.iter_mut().flat_map(|draft| &mut draft.slots);
        for place in slots.filter(|place| **place == placeholder) {
            *place = slot;
        }
    }

    /// The chunks of the clusters that would be no more, and those that would come for them, the best first.
    pub(in super::super) fn diagrams(&self, graph: &Graph) -> (Vec<Paid>, Vec<Paid>) {
        let clusters = self.dissolved.iter().filter_map(|id| graph.cluster(*id));
        let before = clusters.flat_map(Cluster::chunks).map(|chunk| chunk.paid).collect();
        let after = self.drafts.iter().flat_map(|draft| &draft.linear.chunks).map(|(_, paid)| *paid).collect();
        (sorted(before), sorted(after))
    }

    pub(super) fn dissolved(&self) -> impl Iterator<Item = u32> {
        self.dissolved.iter().copied()
    }

    pub(super) fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter()
    }
}

fn sorted(mut chunks: Vec<Paid>) -> Vec<Paid> {
    chunks.sort_by(|a, b| b.by_rate(*a));
    chunks
}

/// Some transactions of a cluster, which hold all parents that each has among the cluster's that stay.
fn copied(cluster: &Cluster, set: u64, nodes: &Nodes) -> Draft {
    let slots: Vec<Slot> = cluster.members(set).collect();
    let paid = slots.iter().map(|slot| nodes.entry(*slot).map(|entry| entry.paid()).unwrap_or_default());
    let parents = ones(set).map(|position| cluster.parents().get(position).copied().unwrap_or(0) & set);
    // Positions close up where others leave.
    let closed_up = |position: usize| usize::try_from((set & lowest(position)).count_ones()).unwrap_or(MOST);
    let moved = parents.map(|parents| ones(parents).fold(0, |moved, position| moved | bit(closed_up(position))));
    let parts = paid.zip(moved).map(|(paid, parents)| Part { paid, parents }).collect();
    Draft { slots, parts, linear: Linear::default() }
}
