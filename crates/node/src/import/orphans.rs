//! Blocks that came before their parents: the window within which an input may be out of order.

use std::collections::{BTreeMap, VecDeque};

use yap_chain::bitcoin::BlockHash;

use super::Origin;
use crate::prepare::Prepared;

/// Blocks held. Files of Bitcoin Core, written while blocks came from many peers, are out of order by up to 1,024.
pub(super) const MOST_BLOCKS: usize = 1_024;

/// Serialised bytes of the blocks held; decoded, they take about twice that besides, four times if all their
/// transactions are as small as can be, and five times if they are witness items of no bytes.
pub(super) const MOST_BYTES: usize = 16 << 20;

/// The name of a block that had to leave: where it came from, its hash and the parent that it lacks.
pub(super) type Left = (Origin, BlockHash, BlockHash);

/// A bounded set of blocks by their missing parents, oldest out first.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    by_parent: BTreeMap<BlockHash, Vec<(Origin, Prepared)>>,
    /// Parents in the order of arrival; may name some that were released.
    order: VecDeque<BlockHash>,
    blocks: usize,
    bytes: usize,
}

impl Orphans {
    /// Holds a block. Gives those that had to leave for it, if the window is full.
    pub(super) fn hold(&mut self, origin: Origin, prepared: Prepared) -> Vec<Left> {
        let parent = prepared.block().header().prev_blockhash;
        self.blocks = self.blocks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(prepared.block().bytes().len());
        self.order.push_back(parent);
        self.by_parent.entry(parent).or_default().push((origin, prepared));
        let mut left = Vec::new();
        // A large block may take the place of many small ones.
        while self.blocks > MOST_BLOCKS || self.bytes > MOST_BYTES {
            let Some(oldest) = self.drop_oldest() else { break };
            left.push(oldest);
        }
        left
    }

    /// Takes out the blocks that waited for `parent`.
    pub(super) fn release(&mut self, parent: BlockHash) -> Vec<(Origin, Prepared)> {
        let released = self.by_parent.remove(&parent).unwrap_or_default();
        if released.is_empty() {
            return released;
        }
        self.order.retain(|other| *other != parent);
        for (_, prepared) in &released {
            self.subtract(prepared);
        }
        released
    }

    /// What is left at the end of the input.
    pub(super) fn into_left(self) -> impl Iterator<Item = Left> {
        self.by_parent.into_iter().flat_map(|(parent, blocks)| {
            blocks.into_iter().map(move |(origin, prepared)| (origin, prepared.block().hash(), parent))
        })
    }

    fn drop_oldest(&mut self) -> Option<Left> {
        let parent = self.order.pop_front()?;
        let blocks = self.by_parent.get_mut(&parent)?;
        let (origin, prepared) = blocks.remove(0);
        if blocks.is_empty() {
            self.by_parent.remove(&parent);
        }
        self.subtract(&prepared);
        Some((origin, prepared.block().hash(), parent))
    }

    fn subtract(&mut self, prepared: &Prepared) {
        self.blocks = self.blocks.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(prepared.block().bytes().len());
    }
}

#[cfg(test)]
mod tests;
