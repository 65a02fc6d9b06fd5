//! Which blocks the wallet has taken in.
//!
//! Every hash of the last [`RECENT`] blocks is kept, and of older ones each [`EVERY`]th: enough to find the fork of any
//! reorganisation, on a chain of any length (some 10 kB per million blocks).

use std::collections::BTreeMap;

use bitcoin::BlockHash;

/// Blocks below the tip of which each hash is kept.
pub const RECENT: u32 = 1_000;

/// Of older blocks, the hashes at these heights are kept.
pub const EVERY: u32 = 1_000;

/// Hashes of blocks on the wallet's chain, always with the genesis block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocks(BTreeMap<u32, BlockHash>);

impl Blocks {
    pub(crate) fn new(genesis: BlockHash) -> Self {
        Self(BTreeMap::from([(0, genesis)]))
    }

    /// The newest block.
    pub(crate) fn tip(&self) -> (u32, BlockHash) {
        let newest = self.0.last_key_value().map(|(height, hash)| (*height, *hash));
        newest.expect("the genesis block never leaves")
    }

    /// One more block on the tip, or a jump ahead.
    pub(crate) fn push(&mut self, height: u32, hash: BlockHash) {
        self.0.insert(height, hash);
        // One leaves as one comes, but for jumps and files of other constants.
        let old = height.saturating_sub(RECENT);
        if !old.is_multiple_of(EVERY) {
            self.0.remove(&old);
        }
    }

    /// Notes an old block, if it is one that is kept.
    pub(crate) fn note(&mut self, height: u32, hash: BlockHash) -> bool {
        let kept = height.is_multiple_of(EVERY) && height <= self.tip().0;
        kept && self.0.insert(height, hash) != Some(hash)
    }

    /// Goes back to `height`, or to the newest known block below it; the genesis block stays. Gives the height.
    pub(crate) fn rewind(&mut self, height: u32) -> u32 {
        // The genesis block, at 0, is never split off.
        self.0.split_off(&height.saturating_add(1));
        self.tip().0
    }

    /// Known hashes, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (u32, BlockHash)> {
        self.0.iter().rev().map(|(height, hash)| (*height, *hash))
    }

    /// The newest known block at or below a height.
    pub(crate) fn at_or_below(&self, height: u32) -> (u32, BlockHash) {
        let known = self.0.range(..=height).next_back().map(|(height, hash)| (*height, *hash));
        known.expect("the genesis block never leaves")
    }
}
