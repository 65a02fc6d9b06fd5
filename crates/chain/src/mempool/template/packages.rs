//! A block filled by packages: each time the transaction that pays most together with the ancestors that it still
//! needs, of equals the one that came first; what does not fit is not tried again.
//!
//! Nothing is sorted: no transaction with ancestors pays more than the first chunk of its cluster, so chunks in their
//! order say when a cluster must be opened.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::super::Mempool;
use super::super::cluster::{MOST, ancestors, bit, ones};
use super::super::graph::Summary;
use super::super::nodes::Slot;
use super::super::rate::Paid;
use super::{Filling, Pick, Room};

/// What may be taken next.
#[derive(Debug)]
struct Package {
    paid: Paid,
    /// When its last transaction came.
    sequence: u64,
    of: Of,
}

#[derive(Debug)]
enum Of {
    /// A transaction that is connected with none.
    One(Summary),
    /// A transaction, by its position, of an open cluster, and what it needs.
    Some { open: usize, position: usize, set: u64 },
}

impl Ord for Package {
    fn cmp(&self, other: &Self) -> Ordering {
        self.paid.by_rate(other.paid).then_with(|| other.sequence.cmp(&self.sequence))
    }
}

impl PartialOrd for Package {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Package {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Package {}

/// A cluster of which some are taken.
#[derive(Debug)]
struct Open {
    id: u32,
    members: Vec<Member>,
    taken: u64,
    /// Those that did not fit.
    failed: u64,
}

#[derive(Debug)]
struct Member {
    ancestors: u64,
    paid: Paid,
    sequence: u64,
    summary: Summary,
}

impl Open {
    fn new(mempool: &Mempool, id: u32) -> Option<Self> {
        let cluster = mempool.graph.cluster(id)?;
        let above = ancestors(cluster.parents().iter().copied());
        let slots: &[Slot] = cluster.slots();
        let members = slots.iter().zip(above).filter_map(|(slot, ancestors)| {
            let entry = mempool.nodes.entry(*slot)?;
            let mut summary = Summary::default();
            summary.add(entry);
            Some(Member { ancestors, paid: entry.paid(), sequence: entry.sequence, summary })
        });
        Some(Self { id, members: members.collect(), taken: 0, failed: 0 })
    }

    /// The best that is left.
    fn best(&self, open: usize) -> Option<Package> {
        let left = self.members.iter().enumerate().take(MOST);
        let left = left.filter(|(position, _)| (self.taken | self.failed) & bit(*position) == 0);
        let packages = left.map(|(position, member)| {
            let set = member.ancestors & !self.taken;
            let paid = ones(set).filter_map(|at| self.members.get(at)).map(|member| member.paid).sum();
            Package { paid, sequence: member.sequence, of: Of::Some { open, position, set } }
        });
        packages.max()
    }

    fn summary(&self, set: u64) -> Summary {
        let mut all = Summary::default();
        for Member { summary, .. } in ones(set).filter_map(|at| self.members.get(at)) {
            all.join(summary);
        }
        all
    }
}

impl Mempool {
    pub(super) fn fill_with_packages<'a>(&self, room: &'a Room) -> Filling<'a> {
        let mut filling = Filling::new(room);
        let mut opened: Vec<Open> = Vec::new();
        let mut waiting: BinaryHeap<Package> = BinaryHeap::new();
        let mut chunks = self.graph.chunks().filter(|(key, _)| key.index == 0).peekable();
        while !filling.is_full() {
            // All that may be as good as the best that waits must wait beside it.
            while let Some((key, summary)) =
                chunks.next_if(|(key, _)| waiting.peek().is_none_or(|best| key.paid.by_rate(best.paid).is_ge()))
            {
                if summary.cluster_size == 1 {
                    waiting.push(Package { paid: key.paid, sequence: key.oldest, of: Of::One(*summary) });
                } else if let Some(open) = Open::new(self, key.cluster) {
                    waiting.extend(open.best(opened.len()));
                    opened.push(open);
                }
            }
            let Some(Package { paid, of, .. }) = waiting.pop().filter(|best| room.pays(best.paid)) else { break };
            match of {
                Of::One(summary) => {
                    filling.take(&summary, paid.fee, || Pick::One(summary.first));
                }
                Of::Some { open: at, position, set } => {
                    let Some(open) = opened.get_mut(at) else { continue };
                    let pick = || Pick::Some { cluster: open.id, set };
                    if filling.take(&open.summary(set), paid.fee, pick) {
                        open.taken |= set;
                    } else {
                        open.failed |= bit(position);
                    }
                    waiting.extend(open.best(at));
                }
            }
        }
        filling
    }
}
