//! The order of a cluster by packages: each time the transaction that pays most together with the ancestors it still
//! needs, of equals the one that came first. What miners did before clusters were kept in order; never better than the
//! cluster's own order, but cut into smaller pieces, which may use the end of a block better.

use std::cmp::Ordering;

use super::super::rate::Paid;
use super::linearise::{MOST, ancestors, bit, ones};

/// A transaction and the ancestors that it needs when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Package {
    /// All of them, as bits.
    pub(in super::super) set: u64,
    /// What they pay.
    pub(in super::super) paid: Paid,
    /// The position of the transaction itself.
    pub(in super::super) top: u8,
}

/// What a transaction of a cluster is to its packages.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Member {
    pub(in super::super) paid: Paid,
    /// Those whose outputs it spends, as bits.
    pub(in super::super) parents: u64,
    pub(in super::super) sequence: u64,
}

/// The packages of a cluster, some of whose transactions may be taken or given up already.
#[derive(Clone, Debug)]
pub(in super::super) struct Packages {
    members: Vec<Member>,
    ancestors: [u64; MOST],
    taken: u64,
    failed: u64,
}

impl Packages {
    pub(in super::super) fn new(members: Vec<Member>, taken: u64) -> Self {
        let ancestors = ancestors(members.iter().map(|member| member.parents));
        Self { members, ancestors, taken, failed: 0 }
    }

    /// The best that is left.
    pub(in super::super) fn best(&self) -> Option<Package> {
        let left = (0..).zip(self.members.iter().zip(&self.ancestors));
        let left = left.filter(|(top, _)| (self.taken | self.failed) & bit(usize::from(*top)) == 0);
        let packages = left.map(|(top, (member, ancestors))| {
            let set = ancestors & !self.taken;
            let paid = if set == bit(top.into()) { member.paid } else { self.paid(set) };
            (Package { set, paid, top }, member.sequence)
        });
        packages.max_by(|(a, first), (b, second)| better(a.paid, *first, b.paid, *second)).map(|(package, _)| package)
    }

    fn paid(&self, set: u64) -> Paid {
        ones(set).filter_map(|at| self.members.get(at)).map(|member| member.paid).sum()
    }

    /// Takes a package.
    pub(in super::super) fn take(&mut self, package: &Package) {
        self.taken |= package.set;
    }

    /// Gives up a transaction whose package did not fit.
    pub(in super::super) fn give_up(&mut self, package: &Package) {
        self.failed |= bit(package.top.into());
    }

    /// When a transaction came.
    pub(in super::super) fn sequence(&self, top: u8) -> u64 {
        self.members.get(usize::from(top)).map_or(0, |member| member.sequence)
    }
}

impl Iterator for Packages {
    type Item = Package;

    /// Takes the best.
    fn next(&mut self) -> Option<Package> {
        let best = self.best()?;
        self.take(&best);
        Some(best)
    }
}

/// Which of two packages goes first: `Greater` if the first does.
pub(in super::super) fn better(a: Paid, first: u64, b: Paid, second: u64) -> Ordering {
    a.by_rate(b).then(second.cmp(&first))
}
