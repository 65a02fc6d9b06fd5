//! The newest blocks, kept in memory so that no disk is read for what many peers are about to ask for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use yap_chain::block::Block;
use yap_chain::header::tree;

use crate::compact;
use crate::message::CompactBlock;

/// Most blocks that are kept.
pub(super) const MAX_RECENT: usize = 4;

/// Most bytes of them, unless it is one block.
pub(super) const MAX_RECENT_BYTES: usize = 16 << 20;

/// A block that came a moment ago.
#[derive(Debug)]
struct Entry {
    id: tree::Id,
    block: Arc<Block>,
    likely_missing: BTreeSet<u16>,
    /// Made when it is first needed, and the same for all peers.
    compact: Option<Arc<CompactBlock>>,
}

/// The last ones that came.
#[derive(Debug, Default)]
pub(super) struct Recent {
    ring: VecDeque<Entry>,
    bytes: usize,
}

impl Recent {
    /// Keeps a block. `likely_missing` are places of transactions that peers may lack.
    pub(super) fn push(&mut self, id: tree::Id, block: &Arc<Block>, likely_missing: BTreeSet<u16>) {
        if self.contains(id) {
            return;
        }
        self.bytes = self.bytes.saturating_add(block.bytes().len());
        self.ring.push_back(Entry { id, block: Arc::clone(block), likely_missing, compact: None });
        while self.ring.len() > MAX_RECENT || (self.bytes > MAX_RECENT_BYTES && self.ring.len() > 1) {
            let Some(oldest) = self.ring.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.block.bytes().len());
        }
    }

    /// Forgets a block.
    pub(super) fn remove(&mut self, id: tree::Id) {
        self.ring.retain(|entry| entry.id != id);
        self.bytes = self.ring.iter().map(|entry| entry.block.bytes().len()).sum();
    }

    pub(super) fn contains(&self, id: tree::Id) -> bool {
        self.ring.iter().any(|entry| entry.id == id)
    }

    pub(super) fn block(&self, id: tree::Id) -> Option<&Arc<Block>> {
        self.ring.iter().find(|entry| entry.id == id).map(|entry| &entry.block)
    }

    /// The block's compact form; `nonce` is used if it is not made yet.
    pub(super) fn compact(&mut self, id: tree::Id, nonce: u64) -> Option<Arc<CompactBlock>> {
        let entry = self.ring.iter_mut().find(|entry| entry.id == id)?;
        let Entry { block, likely_missing, compact, .. } = entry;
        Some(Arc::clone(compact.get_or_insert_with(|| Arc::new(compact::make(block, nonce, likely_missing)))))
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.ring.len() <= MAX_RECENT, "{} recent blocks", self.ring.len());
        assert!(self.bytes <= MAX_RECENT_BYTES || self.ring.len() == 1, "{} bytes of recent blocks", self.bytes);
    }
}
