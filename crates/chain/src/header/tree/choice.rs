//! Which branch to follow: the most work among those not known to be invalid.

use std::cmp::{Ordering, Reverse};

use bitcoin::{BlockHash, Work};

use super::super::pow;
use super::super::wide::Wide;
use super::{Id, Status, Tree};

/// Seconds of work, at the best header's rate, that must lie on a block before its scripts are taken as valid without a
/// look: two weeks, as in Bitcoin Core.
const ASSUMED_BURIAL: u64 = 14 * 24 * 60 * 60;

/// A block that could be the tip. The greater one is to be followed: more work, then whichever block's data came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The work of its branch.
    pub work: Work,
    /// Its turn in the order in which blocks' data arrived; the caller counts.
    pub sequence: u64,
    /// The block's header.
    pub id: Id,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |candidate: &Self| (candidate.work, Reverse(candidate.sequence), Reverse(candidate.id));
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Tree {
    /// The header with the most work that nothing is known against; of equal ones, the first that came.
    #[must_use]
    pub fn best(&self) -> Id {
        self.best
    }

    /// A block as a candidate for the tip, whose data was the `sequence`-th to arrive.
    #[must_use]
    pub fn candidate(&self, id: Id, sequence: u64) -> Candidate {
        Candidate { work: self.work(id), sequence, id }
    }

    /// The work of a header less that of `blocks` more like it; none if that is more.
    #[must_use]
    pub fn work_less(&self, id: Id, blocks: u32) -> Work {
        let less = Wide::from(pow::work(self.bits(id))).times(u64::from(blocks));
        Wide::from(self.work(id)).minus(less).map_or_else(|| Work::from_be_bytes([0; 32]), Wide::to_work)
    }

    /// Headers that no other follows, in the order they came.
    #[must_use]
    pub fn tips(&self) -> Vec<Id> {
        let mut followed = vec![false; self.len()];
        for parent in self.iter().filter_map(|id| self.parent(id)) {
            if let Some(flag) = followed.get_mut(parent.0 as usize) {
                *flag = true;
            }
        }
        self.iter().zip(followed).filter(|(_, followed)| !followed).map(|(id, _)| id).collect()
    }

    /// Marks a block as invalid and every block after it as following one. Gives the header; `None` if it is unknown or
    /// the genesis header, which can't be invalid. Takes time linear in the headers that came later, or in all of them
    /// if the best one is among those marked (75 ms for a million).
    pub fn invalidate(&mut self, hash: &BlockHash) -> Option<Id> {
        let id = self.get(hash).filter(|id| *id != self.genesis())?;
        self.invalidate_all([id]);
        Some(id)
    }

    /// As [`invalidate`](Self::invalidate) for many blocks, in the time that one takes: a ledger that is opened may
    /// know any number of invalid blocks. The genesis header among them is passed over.
    pub fn invalidate_all(&mut self, ids: impl IntoIterator<Item = Id>) {
        let genesis = self.genesis();
        let mut first = None;
        for id in ids.into_iter().filter(|id| *id != genesis) {
            self.set_status(id, Status::Invalid);
            first = Some(first.map_or(id, |first: Id| first.min(id)));
        }
        let Some(first) = first else { return };
        self.spread(first);
        if self.entry(self.best).status != Status::Valid {
            self.best = self.most_work();
        }
    }

    /// Takes back what is known against a block, the blocks before it and those after it. Gives the header if it is
    /// known. A branch that leaves below the block becomes valid too, unless a block of its own is invalid.
    pub fn reconsider(&mut self, hash: &BlockHash) -> Option<Id> {
        let id = self.get(hash)?;
        let mut first = id;
        let mut walk = Some(id);
        while let Some(before) = walk {
            if self.entry(before).status != Status::Valid {
                self.set_status(before, Status::Valid);
                first = before;
            }
            walk = self.parent(before);
        }
        for after in self.iter().skip(id.0 as usize) {
            if self.entry(after).status == Status::Invalid && self.is_ancestor(id, after) {
                self.set_status(after, Status::Descends);
            }
        }
        self.spread(first);
        self.best = self.most_work();
        Some(id)
    }

    /// Fixes a block: branches that leave it are not followed from now on, whatever their work, and [`Tree::best`] is never
    /// on one. Only a descendant of what was fixed before can be; anything else changes nothing. Gives whether it was.
    pub fn fix(&mut self, id: Id) -> bool {
        let forward = id != self.fixed && self.is_ancestor(self.fixed, id);
        if forward {
            self.fixed = id;
            if !self.keeps_fixed(self.best) {
                self.best = self.most_work();
            }
        }
        forward
    }

    /// The newest block that was [fixed](Self::fix): the genesis block if none was.
    #[must_use]
    pub fn fixed(&self) -> Id {
        self.fixed
    }

    /// Whether the branch of `id` has the fixed block, or may yet get it.
    pub(super) fn keeps_fixed(&self, id: Id) -> bool {
        // Where nothing was fixed, as on chains of proof of work, this costs nothing.
        self.fixed == self.genesis()
            || if id < self.fixed { self.is_ancestor(id, self.fixed) } else { self.is_ancestor(self.fixed, id) }
    }

    /// Makes every later header's status follow from its parent's.
    fn spread(&mut self, from: Id) {
        for id in self.iter().skip(from.0 as usize).skip(1) {
            // What follows from a fixed block is not kept, so no entry has the status `Forked`.
            let parent = self.parent(id).map_or(Status::Valid, |parent| self.entry(parent).status);
            match (self.entry(id).status, parent) {
                (Status::Invalid, _) => {}
                (_, Status::Valid | Status::Forked) => self.set_status(id, Status::Valid),
                (_, Status::Invalid | Status::Descends) => self.set_status(id, Status::Descends),
            }
        }
    }

    /// The first valid header of the most work.
    fn most_work(&self) -> Id {
        let mut best = self.genesis();
        for id in self.iter() {
            if self.status(id) == Status::Valid && self.entry(id).work > self.entry(best).work {
                best = id;
            }
        }
        best
    }

    fn set_status(&mut self, id: Id, status: Status) {
        if let Some(entry) = self.entries.get_mut(id.0 as usize) {
            entry.status = status;
        }
    }

    /// Whether the block's scripts may be taken as valid, because somebody the user trusts has verified them.
    ///
    /// As Bitcoin Core: the spec's assumed-valid block is known and the block is it or before it; the best header
    /// follows the block, has the work that the spec demands, and two weeks of work on top. The last two keep
    /// whoever can feed us headers from making us take a young or weak chain on trust.
    #[must_use]
    pub fn assumed_valid(&self, id: Id) -> bool {
        let Some(assumed) = self.spec.assume_valid.and_then(|hash| self.get(&hash)) else { return false };
        self.is_ancestor(id, assumed)
            && self.is_ancestor(id, self.best)
            && self.work(self.best) >= self.spec.minimum_work
            && self.buried(id)
    }

    /// Whether the work from `id` to the best header, at the best header's target, takes more than two weeks.
    fn buried(&self, id: Id) -> bool {
        let Some(above) = Wide::from(self.work(self.best)).minus(Wide::from(self.work(id))) else { return false };
        let seconds = above.times(u64::from(self.spec.work.spacing));
        // `seconds ÷ one header's work > ASSUMED_BURIAL`, where the quotient is rounded down.
        seconds >= Wide::from(pow::work(self.bits(self.best))).times(ASSUMED_BURIAL.saturating_add(1))
    }
}
