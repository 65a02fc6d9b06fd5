//! Ways through the tree: ancestors, forks, paths, locators.
//!
//! Each header links to its parent and to one ancestor further back. How far depends on the height alone, in a way that
//! makes both an ancestor and a fork point take a logarithmic number of steps (Bitcoin Core's `pskip`).

use bitcoin::BlockHash;

use super::{Id, Tree};

/// How to get from one header to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The last header that both have in common.
    pub fork: Id,
    /// Headers to leave, from the start down to the one above the fork.
    pub disconnect: Vec<Id>,
    /// Headers to enter, from the one above the fork up to the end.
    pub connect: Vec<Id>,
}

/// Hashes in a locator after which each step is twice the one before.
const DENSE: usize = 10;

impl Tree {
    /// The header at `height` on the branch that ends with `id`; `None` above it.
    #[must_use]
    pub fn ancestor(&self, id: Id, height: u32) -> Option<Id> {
        if height > self.height(id) {
            return None;
        }
        let mut walk = id;
        let mut at = self.height(id);
        while at > height {
            let skip = skip_height(at);
            let from_parent = skip_height(at.saturating_sub(1));
            // Follow the skip unless the parent's own skip gets closer without going too far.
            let parent_better = from_parent < skip.saturating_sub(2) && from_parent >= height;
            if skip == height || (skip > height && !parent_better) {
                walk = Id(self.entry(walk).skip);
                at = skip;
            } else {
                walk = Id(self.entry(walk).parent);
                at = at.saturating_sub(1);
            }
        }
        Some(walk)
    }

    /// Whether `ancestor` is `id` or before it.
    #[must_use]
    pub fn is_ancestor(&self, ancestor: Id, id: Id) -> bool {
        self.ancestor(id, self.height(ancestor)) == Some(ancestor)
    }

    /// Where a header of this height after `parent` skips to.
    pub(super) fn skip(&self, parent: Id, height: u32) -> Id {
        self.ancestor(parent, skip_height(height)).unwrap_or_else(|| self.genesis())
    }

    /// The last header that both branches have in common.
    #[must_use]
    pub fn fork_point(&self, a: Id, b: Id) -> Id {
        let height = self.height(a).min(self.height(b));
        let mut a = self.ancestor(a, height).unwrap_or(a);
        let mut b = self.ancestor(b, height).unwrap_or(b);
        while a != b {
            // At equal heights the skips are at equal heights too. While they differ, the fork is before both.
            while self.entry(a).skip != self.entry(b).skip {
                a = Id(self.entry(a).skip);
                b = Id(self.entry(b).skip);
            }
            if a != b {
                a = Id(self.entry(a).parent);
                b = Id(self.entry(b).parent);
            }
        }
        a
    }

    /// The blocks to take back and to connect on the way from `from` to `to`.
    #[must_use]
    pub fn path(&self, from: Id, to: Id) -> Path {
        let fork = self.fork_point(from, to);
        let mut connect = self.above(fork, to);
        connect.reverse();
        Path { fork, disconnect: self.above(fork, from), connect }
    }

    /// From `id` down to the header above its ancestor `fork`.
    fn above(&self, fork: Id, id: Id) -> Vec<Id> {
        let count = self.height(id).saturating_sub(self.height(fork));
        std::iter::successors(Some(id), |id| self.parent(*id)).take(count as usize).collect()
    }

    /// Hashes by which a peer finds the last header it shares with the branch of `tip`: the newest ones, then ever
    /// larger steps, the genesis hash last. Some thirty for a million headers.
    #[must_use]
    pub fn locator(&self, tip: Id) -> Vec<BlockHash> {
        let mut hashes = Vec::with_capacity(32);
        let mut step = 1_u32;
        let mut id = tip;
        loop {
            hashes.push(self.hash(id));
            let height = self.height(id);
            if height == 0 {
                return hashes;
            }
            id = self.ancestor(id, height.saturating_sub(step)).unwrap_or_else(|| self.genesis());
            if hashes.len() > DENSE {
                step = step.saturating_mul(2);
            }
        }
    }

    /// Where a peer's locator leaves the branch of `tip`: its first hash on that branch; `tip` if the hash comes after
    /// it; the genesis header if none is known. How many hashes a locator may have is for the caller to bound.
    #[must_use]
    pub fn find_fork(&self, tip: Id, locator: &[BlockHash]) -> Id {
        for id in locator.iter().filter_map(|hash| self.get(hash)) {
            if self.is_ancestor(id, tip) {
                return id;
            }
            if self.is_ancestor(tip, id) {
                return tip;
            }
        }
        self.genesis()
    }
}

/// The height to which a header at `height` skips.
fn skip_height(height: u32) -> u32 {
    match height {
        0 | 1 => 0,
        odd if odd & 1 == 1 => clear_lowest_one(clear_lowest_one(odd & !1)).saturating_add(1),
        even => clear_lowest_one(even),
    }
}

fn clear_lowest_one(number: u32) -> u32 {
    number & number.wrapping_sub(1)
}
