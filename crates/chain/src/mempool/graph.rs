//! All clusters, and all their chunks in one order, the best first.
//!
//! A change is prepared as a [`Stage`], which looks at the graph but leaves it alone, so that its worth and its limits
//! can be judged first; [`Graph::commit`] then makes it. Cost: what a change touches is rebuilt, at most
//! [`REPLACED_CLUSTERS`](super::limits::REPLACED_CLUSTERS) clusters and a new one for a new transaction; the order of
//! all chunks is never sorted, only amended.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

mod stage;

pub(super) use stage::{Added, Stage};

use super::cluster::{Cluster, bit};
use super::entry::Entry;
use super::nodes::{Nodes, Slot, Spot};
use super::rate::Paid;

/// A chunk's place among all: `Less` is mined earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) paid: Paid,
    /// The lowest sequence number in the cluster: of equal rates, the older cluster comes first.
    pub(super) oldest: u64,
    pub(super) cluster: u32,
    /// The chunk's index in its cluster.
    pub(super) index: u8,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = |key: &Self| (key.oldest, key.cluster, key.index);
        other.paid.by_rate(self.paid).then_with(|| rest(self).cmp(&rest(other)))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a block builder must know of a chunk, so that it need not look at the transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Fees without what operators add.
    pub(super) fees: u64,
    /// Weight units, not adjusted.
    pub(super) weight: u32,
    /// Cost of signature operations.
    pub(super) sigops: u32,
    /// A block with it must be higher than this.
    pub(super) lock_height: u32,
    /// The median time past before a block with it must be later than this.
    pub(super) lock_time: u32,
    /// Its first transaction.
    pub(super) first: Slot,
    /// The least weight of any transaction of its cluster.
    pub(super) lightest: u32,
    /// How many transactions its cluster has.
    pub(super) cluster_size: u8,
    /// Whether its cluster's packages are not its chunks.
    pub(super) has_packages: bool,
}

impl Summary {
    pub(super) fn add(&mut self, entry: &Entry) {
        let (lock_height, lock_time) = entry.locks();
        let (fees, weight, sigops) = (entry.fee.to_sat(), entry.weight, entry.sigops);
        self.join(&Self { fees, weight, sigops, lock_height, lock_time, ..Self::default() });
    }

    /// Adds what is known of others.
    pub(super) fn join(&mut self, other: &Self) {
        self.fees = self.fees.saturating_add(other.fees);
        self.weight = self.weight.saturating_add(other.weight);
        self.sigops = self.sigops.saturating_add(other.sigops);
        self.lock_height = self.lock_height.max(other.lock_height);
        self.lock_time = self.lock_time.max(other.lock_time);
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Graph {
    clusters: Vec<Option<Cluster>>,
    free: Vec<u32>,
    order: BTreeMap<Key, Summary>,
}

impl Graph {
    pub(super) fn cluster(&self, id: u32) -> Option<&Cluster> {
        self.clusters.get(usize::try_from(id).ok()?)?.as_ref()
    }

    /// No cluster has this number or a greater one.
    pub(super) fn bound(&self) -> usize {
        self.clusters.len()
    }

    /// All chunks, the best first, parents before children.
    pub(super) fn chunks(&self) -> impl DoubleEndedIterator<Item = (&Key, &Summary)> {
        self.order.iter()
    }

    /// The transactions of a chunk.
    pub(super) fn chunk_slots(&self, key: &Key) -> &[Slot] {
        self.cluster(key.cluster).map_or(&[], |cluster| cluster.chunk_slots(key.index.into()))
    }

    /// The transactions of a chunk, as bits of its cluster.
    pub(super) fn chunk_set(&self, key: &Key) -> u64 {
        self.cluster(key.cluster).map_or(0, |cluster| cluster.chunk_set(key.index.into()))
    }

    /// Chunks from this one on.
    pub(super) fn chunks_from(&self, key: Option<&Key>) -> impl Iterator<Item = (&Key, &Summary)> {
        let from = key.map_or(Bound::Unbounded, Bound::Included);
        self.order.range::<Key, _>((from, Bound::Unbounded))
    }

    /// A transaction and all that it depends on: how many, and which.
    pub(super) fn ancestors(&self, spot: Spot) -> u64 {
        self.cluster(spot.cluster).map_or(0, |cluster| cluster.with_ancestors(bit(spot.position.into())))
    }

    /// A transaction and all that depend on it.
    pub(super) fn descendants(&self, spot: Spot) -> u64 {
        self.cluster(spot.cluster).map_or(0, |cluster| cluster.with_descendants(bit(spot.position.into())))
    }

    /// Makes a change that was prepared on this graph, whose transactions have their slots by now.
    pub(super) fn commit(&mut self, stage: Stage, nodes: &mut Nodes) {
        for id in stage.dissolved() {
            self.dissolve(id);
        }
        for draft in stage.drafts() {
            let sequence = |slot: &Slot| nodes.entry(*slot).map_or(0, |entry| entry.sequence);
            let sequences: Vec<u64> = draft.slots.iter().map(sequence).collect();
            self.add(Cluster::new(&draft.slots, &draft.parts, &draft.linear, &sequences), nodes);
        }
        if self.order.is_empty() {
            *self = Self::default();
        }
    }

    fn add(&mut self, cluster: Cluster, nodes: &mut Nodes) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.clusters.push(None);
            u32::try_from(self.clusters.len().saturating_sub(1)).expect("there are no more clusters than slots")
        });
        for (position, slot) in (0..).zip(cluster.slots()) {
            nodes.place(*slot, Spot { cluster: id, position });
        }
        let weights = cluster.slots().iter().filter_map(|slot| nodes.entry(*slot)).map(|entry| entry.weight);
        let lightest = weights.min().unwrap_or(0);
        for (index, chunk) in (0..).zip(cluster.chunks()) {
            let slots = cluster.chunk_slots(index.into());
            let mut summary = Summary {
                first: slots.first().copied().unwrap_or_default(),
                lightest,
                cluster_size: u8::try_from(cluster.slots().len()).unwrap_or(u8::MAX),
                has_packages: cluster.packages().is_some(),
                ..Summary::default()
            };
            for entry in slots.iter().filter_map(|slot| nodes.entry(*slot)) {
                summary.add(entry);
            }
            self.order.insert(Key { paid: chunk.paid, oldest: cluster.oldest, cluster: id, index }, summary);
        }
        if let Some(place) = usize::try_from(id).ok().and_then(|id| self.clusters.get_mut(id)) {
            *place = Some(cluster);
        }
    }

    fn dissolve(&mut self, id: u32) {
        let place = usize::try_from(id).ok().and_then(|id| self.clusters.get_mut(id));
        let Some(cluster) = place.and_then(Option::take) else { return };
        for (index, chunk) in (0..).zip(cluster.chunks()) {
            self.order.remove(&Key { paid: chunk.paid, oldest: cluster.oldest, cluster: id, index });
        }
        self.free.push(id);
    }
}

/// Transactions that are to leave, as a set of bits per cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving(BTreeMap<u32, u64>);

impl Leaving {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one transaction.
    pub(super) fn add(&mut self, spot: Spot) {
        *self.0.entry(spot.cluster).or_default() |= bit(spot.position.into());
    }

    /// Adds a transaction and all that depend on it.
    pub(super) fn add_with_descendants(&mut self, graph: &Graph, spot: Spot) {
        *self.0.entry(spot.cluster).or_default() |= graph.descendants(spot);
    }

    /// Adds a transaction and all that it depends on.
    pub(super) fn add_with_ancestors(&mut self, graph: &Graph, spot: Spot) {
        *self.0.entry(spot.cluster).or_default() |= graph.ancestors(spot);
    }

    /// Both sets together.
    pub(super) fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (cluster, set) in other.sets() {
            *both.0.entry(cluster).or_default() |= set;
        }
        both
    }

    pub(super) fn contains(&self, spot: Spot) -> bool {
        self.0.get(&spot.cluster).is_some_and(|set| set & bit(spot.position.into()) != 0)
    }

    /// Those of one cluster.
    pub(super) fn of(&self, cluster: u32) -> u64 {
        self.0.get(&cluster).copied().unwrap_or(0)
    }

    /// Clusters and their sets, in the clusters' order.
    pub(super) fn sets(&self) -> impl Iterator<Item = (u32, u64)> {
        self.0.iter().map(|(cluster, set)| (*cluster, *set))
    }

    /// The transactions, parents before children.
    pub(super) fn slots(&self, graph: &Graph) -> Vec<Slot> {
        self.sets()
            .filter_map(|(id, set)| Some((graph.cluster(id)?, set)))
            .flat_map(|(cluster, set)| cluster.members(set))
            .collect()
    }
}
