//! Transactions that are connected by what they spend, in their best order.

mod linearise;
mod packages;

pub(super) use linearise::{Linear, MOST, Part, bit, linearise, lowest, ones};
pub(super) use packages::{Member, Package, Packages, better};

use super::nodes::Slot;
use super::rate::Paid;

/// A chunk: transactions that are mined together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// How many of the cluster's transactions come before its end.
    pub(super) end: u8,
    /// What they pay.
    pub(super) paid: Paid,
}

/// A cluster. Most are of one transaction, and need no memory of their own.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Which came first: the lowest sequence number of its transactions.
    pub(super) oldest: u64,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    One { slot: Slot, chunk: Chunk },
    Many(Box<Many>),
}

#[derive(Debug)]
struct Many {
    slots: Box<[Slot]>,
    /// For each, the ones before it whose outputs it spends, as bits.
    parents: Box<[u64]>,
    chunks: Box<[Chunk]>,
    /// Its order by packages, unless they are its chunks.
    packages: Option<Box<[Package]>>,
}

impl Cluster {
    /// The cluster of `parts`, which are in `slots` and came with `sequences`, in the order of `linear`.
    pub(super) fn new(slots: &[Slot], parts: &[Part], linear: &Linear, sequences: &[u64]) -> Self {
        let oldest = sequences.iter().copied().min().unwrap_or(0);
        let chunks = linear.chunks.iter().map(|(end, paid)| Chunk { end: *end, paid: *paid });
        if let (&[slot], [chunk]) = (slots, linear.chunks.as_slice()) {
            let chunk = Chunk { end: chunk.0, paid: chunk.1 };
            return Self { oldest, shape: Shape::One { slot, chunk } };
        }
        let mut places = [0_usize; MOST];
        for (position, index) in linear.order.iter().enumerate() {
            if let Some(place) = places.get_mut(usize::from(*index)) {
                *place = position;
            }
        }
        let order = linear.order.iter().map(|index| usize::from(*index));
        let moved = |parents| ones(parents).filter_map(|old| places.get(old)).fold(0, |new, place| new | bit(*place));
        let members = order.clone().filter_map(|index| {
            let (part, sequence) = (parts.get(index)?, *sequences.get(index)?);
            Some(Member { paid: part.paid, parents: moved(part.parents), sequence })
        });
        let members: Vec<Member> = members.collect();
        let mut many = Many {
            slots: order.filter_map(|index| slots.get(index).copied()).collect(),
            parents: members.iter().map(|member| member.parents).collect(),
            chunks: chunks.collect(),
            packages: None,
        };
        let packages: Box<[Package]> = Packages::new(members, 0).collect();
        let ends = packages.iter().scan(0_u64, |taken, package| {
            *taken |= package.set;
            Some(*taken)
        });
        if !ends.eq(many.chunks.iter().map(|chunk| lowest(chunk.end.into()))) {
            many.packages = Some(packages);
        }
        Self { oldest, shape: Shape::Many(Box::new(many)) }
    }

    /// Its transactions in order.
    pub(super) fn slots(&self) -> &[Slot] {
        match &self.shape {
            Shape::One { slot, .. } => std::slice::from_ref(slot),
            Shape::Many(many) => &many.slots,
        }
    }

    /// For each transaction, the ones before it whose outputs it spends, as bits.
    pub(super) fn parents(&self) -> &[u64] {
        match &self.shape {
            Shape::One { .. } => &[0],
            Shape::Many(many) => &many.parents,
        }
    }

    /// Its chunks, of falling rate.
    pub(super) fn chunks(&self) -> &[Chunk] {
        match &self.shape {
            Shape::One { chunk, .. } => std::slice::from_ref(chunk),
            Shape::Many(many) => &many.chunks,
        }
    }

    /// Its order by packages, if they are not its chunks.
    pub(super) fn packages(&self) -> Option<&[Package]> {
        match &self.shape {
            Shape::One { .. } => None,
            Shape::Many(many) => many.packages.as_deref(),
        }
    }

    /// Every transaction, as bits.
    pub(super) fn all(&self) -> u64 {
        lowest(self.slots().len())
    }

    /// The positions of the chunk with this index.
    pub(super) fn chunk_range(&self, index: usize) -> std::ops::Range<usize> {
        let end = |index: usize| self.chunks().get(index).map_or(0, |chunk| usize::from(chunk.end));
        index.checked_sub(1).map_or(0, end)..end(index)
    }

    /// The chunk with this index, as bits.
    pub(super) fn chunk_set(&self, index: usize) -> u64 {
        let range = self.chunk_range(index);
        lowest(range.end) & !lowest(range.start)
    }

    /// The transactions of the chunk with this index.
    pub(super) fn chunk_slots(&self, index: usize) -> &[Slot] {
        self.slots().get(self.chunk_range(index)).unwrap_or_default()
    }

    /// `set` and all that depend on it.
    pub(super) fn with_descendants(&self, set: u64) -> u64 {
        // Parents stand before children.
        let mut all = set;
        for (position, parents) in self.parents().iter().enumerate() {
            all |= if parents & all == 0 { 0 } else { bit(position) };
        }
        all
    }

    /// `set` and all that it depends on.
    pub(super) fn with_ancestors(&self, set: u64) -> u64 {
        let mut all = set;
        for (position, parents) in self.parents().iter().enumerate().rev() {
            all |= if all & bit(position) == 0 { 0 } else { *parents };
        }
        all
    }

    /// The slots of a set.
    pub(super) fn members(&self, set: u64) -> impl Iterator<Item = Slot> {
        ones(set).filter_map(|position| self.slots().get(position).copied())
    }

    /// `set` in sets that are not connected with each other, the one with the first transaction first.
    pub(super) fn components(&self, set: u64) -> Vec<u64> {
        let mut components: Vec<u64> = Vec::new();
        for position in ones(set) {
            let parents = self.parents().get(position).copied().unwrap_or(0) & set;
            let mut joined = bit(position);
            components.retain(|component| {
                let apart = component & parents == 0;
                joined |= if apart { 0 } else { *component };
                apart
            });
            components.push(joined);
        }
        components.sort_unstable_by_key(|component| component.trailing_zeros());
        components
    }
}
