//! A block filled by packages, from where chunks first did not fit.
//!
//! Each time the transaction that pays most together with the ancestors that it still needs is taken, of equals the one
//! that came first; what does not fit is not tried again. As long as all fits, clusters do not matter to each other:
//! each knows the order of its own packages, and most have their chunks for packages. So above the rate at which a
//! chunk first did not fit, little must be done again: only clusters whose packages are not their chunks are looked at.
//! Below, packages of all clusters meet in a heap. Nothing is sorted: no package pays more than the first chunk of its
//! cluster, so chunks in their order say when a cluster's first package must be there.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::super::Mempool;
use super::super::cluster::{Cluster, Member, Package, Packages, better, bit, lowest};
use super::super::graph::{Key, Summary};
use super::super::rate::Paid;
use super::{Filling, Mark, Pick, Room};

/// What may be taken next.
#[derive(Debug)]
struct Next {
    paid: Paid,
    /// When its last transaction came.
    sequence: u64,
    of: Of,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    /// A transaction that is connected with none.
    One(Summary),
    /// The package with this index in its cluster's own order; those before it are taken.
    Some { cluster: u32, index: usize, package: Package, lightest: u32 },
    /// The best package of a cluster of which something did not fit.
    Broken { cluster: u32, package: Package },
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        better(self.paid, self.sequence, other.paid, other.sequence)
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next {}

/// A block on its way.
struct Run<'a> {
    pool: &'a Mempool,
    filling: Filling<'a>,
    waiting: BinaryHeap<Next>,
    /// Clusters whose packages are their chunks, and wait or are taken.
    met: BTreeSet<u32>,
    /// Clusters of which something did not fit.
    broken: BTreeMap<u32, Packages>,
}

impl Mempool {
    /// Fills a block by packages. `mark` is where chunks first did not fit, and `odd` are the clusters above it whose
    /// packages are not their chunks.
    pub(super) fn fill_with_packages<'a>(&'a self, chunks: &Filling<'a>, mark: &Mark, odd: &[Key]) -> Filling<'a> {
        let from_mark = Run::from_mark(self, chunks, mark, odd);
        let (run, first) = match from_mark {
            Some(run) => (run, Some(&mark.key)),
            None => (Run::new(self, chunks.room), None),
        };
        run.finish(first)
    }

    fn members(&self, cluster: &Cluster) -> Vec<Member> {
        let entries = cluster.slots().iter().filter_map(|slot| self.nodes.entry(*slot));
        let members = entries.zip(cluster.parents());
        members
            .map(|(entry, parents)| Member { paid: entry.paid(), parents: *parents, sequence: entry.sequence })
            .collect()
    }

    fn summary(&self, cluster: &Cluster, set: u64) -> Summary {
        let mut summary = Summary::default();
        for entry in cluster.members(set).filter_map(|slot| self.nodes.entry(slot)) {
            summary.add(entry);
        }
        summary
    }

    /// The package with this index of a cluster's own order, and when its transaction came.
    fn package(&self, cluster: &Cluster, index: usize) -> Option<(Package, u64)> {
        let package = match cluster.packages() {
            Some(packages) => *packages.get(index)?,
            None => {
                let chunk = cluster.chunks().get(index)?;
                // All others of the chunk are ancestors of its last.
                Package { set: cluster.chunk_set(index), paid: chunk.paid, top: chunk.end.saturating_sub(1) }
            }
        };
        let top = cluster.slots().get(usize::from(package.top));
        let sequence = top.and_then(|slot| self.nodes.entry(*slot)).map_or(0, |entry| entry.sequence);
        Some((package, sequence))
    }
}

impl<'a> Run<'a> {
    fn new(pool: &'a Mempool, room: &'a Room) -> Self {
        let filling = Filling::new(room);
        Self { pool, filling, waiting: BinaryHeap::new(), met: BTreeSet::new(), broken: BTreeMap::new() }
    }

    /// All packages that pay more than the mark; `None` if they do not fit all.
    fn from_mark(pool: &'a Mempool, chunks: &Filling<'a>, mark: &Mark, odd: &[Key]) -> Option<Self> {
        let mut run = Self { filling: chunks.up_to(mark), ..Self::new(pool, chunks.room) };
        let mut changed: BTreeMap<u32, u64> = BTreeMap::new();
        for key in odd {
            let cluster = pool.graph.cluster(key.cluster)?;
            let above = |paid: &Paid| paid.by_rate(mark.key.paid) == Ordering::Greater;
            let taken = cluster.chunks().iter().take_while(|chunk| above(&chunk.paid)).last();
            let taken = taken.map_or(0, |chunk| lowest(chunk.end.into()));
            let packages = cluster.packages().unwrap_or_default();
            let count = packages.iter().take_while(|package| above(&package.paid)).count();
            let set = packages.iter().take(count).fold(0, |set, package| set | package.set);
            if set != taken {
                let paid = |set: u64| -> Paid {
                    cluster.members(set).filter_map(|slot| pool.nodes.entry(slot)).map(|entry| entry.paid()).sum()
                };
                run.filling.exchange(&pool.summary(cluster, taken), paid(taken).fee, false);
                run.filling.exchange(&pool.summary(cluster, set), paid(set).fee, true);
                changed.insert(key.cluster, set);
            }
            run.wait(key.cluster, count);
        }
        run.filling.picks.retain(|pick| match pick {
            Pick::One(_) => true,
            Pick::Some { cluster, .. } => !changed.contains_key(cluster),
        });
        let changed = changed.into_iter().filter(|(_, set)| *set != 0);
        run.filling.picks.extend(changed.map(|(cluster, set)| Pick::Some { cluster, set }));
        run.filling.fits().then_some(run)
    }

    /// Puts the package of this index where the best is chosen, if there is one.
    fn wait(&mut self, id: u32, index: usize) {
        let Some(cluster) = self.pool.graph.cluster(id) else { return };
        let Some((package, sequence)) = self.pool.package(cluster, index) else { return };
        let weights = cluster.slots().iter().filter_map(|slot| self.pool.nodes.entry(*slot)).map(|entry| entry.weight);
        let lightest = weights.min().unwrap_or(0);
        let of = Of::Some { cluster: id, index, package, lightest };
        self.waiting.push(Next { paid: package.paid, sequence, of });
    }

    /// Takes what is left to take, with chunks from `first` on.
    fn finish(mut self, first: Option<&Key>) -> Filling<'a> {
        let mut chunks = self.pool.graph.chunks_from(first).peekable();
        while !self.filling.is_full() {
            // All that may be as good as the best that waits must wait beside it.
            while let Some((key, summary)) =
                chunks.next_if(|(key, _)| self.waiting.peek().is_none_or(|best| key.paid.by_rate(best.paid).is_ge()))
            {
                self.meet(key, summary);
                if self.filling.is_full() {
                    return self.filling;
                }
            }
            let Some(next) = self.waiting.pop() else { break };
            if !self.filling.room.pays(next.paid) {
                break;
            }
            self.take(next);
        }
        self.filling
    }

    /// A chunk's turn comes near.
    fn meet(&mut self, key: &Key, summary: &Summary) {
        if summary.lightest > self.filling.left() {
            self.filling.miss();
        } else if summary.cluster_size == 1 {
            self.waiting.push(Next { paid: key.paid, sequence: key.oldest, of: Of::One(*summary) });
        } else if summary.has_packages {
            // They follow each other.
            if key.index == 0 {
                self.wait(key.cluster, 0);
            }
        } else if self.met.insert(key.cluster) {
            // The chunks before it are taken, and those after it follow.
            self.wait(key.cluster, key.index.into());
        }
    }

    fn take(&mut self, next: Next) {
        match next.of {
            Of::One(summary) => {
                self.filling.take(&summary, next.paid.fee, || Pick::One(summary.first));
            }
            Of::Some { lightest, .. } if lightest > self.filling.left() => self.filling.miss(),
            Of::Some { cluster: id, index, package, .. } => {
                let Some(cluster) = self.pool.graph.cluster(id) else { return };
                if self.fill(id, cluster, &package) {
                    self.wait(id, index.saturating_add(1));
                } else {
                    let before = (0..index).filter_map(|index| self.pool.package(cluster, index));
                    let taken = before.fold(0, |taken, (package, _)| taken | package.set);
                    let mut packages = Packages::new(self.pool.members(cluster), taken);
                    packages.give_up(&package);
                    self.broken.insert(id, packages);
                    self.wait_broken(id);
                }
            }
            Of::Broken { cluster: id, package } => {
                let Some(cluster) = self.pool.graph.cluster(id) else { return };
                let taken = self.fill(id, cluster, &package);
                if let Some(packages) = self.broken.get_mut(&id) {
                    if taken { packages.take(&package) } else { packages.give_up(&package) }
                }
                self.wait_broken(id);
            }
        }
    }

    fn fill(&mut self, id: u32, cluster: &Cluster, package: &Package) -> bool {
        debug_assert!(package.set & bit(package.top.into()) != 0, "a package holds its own transaction");
        let summary = self.pool.summary(cluster, package.set);
        self.filling.take(&summary, package.paid.fee, || Pick::Some { cluster: id, set: package.set })
    }

    fn wait_broken(&mut self, id: u32) {
        let Some(packages) = self.broken.get(&id) else { return };
        let Some(package) = packages.best() else { return };
        let sequence = packages.sequence(package.top);
        self.waiting.push(Next { paid: package.paid, sequence, of: Of::Broken { cluster: id, package } });
    }
}
