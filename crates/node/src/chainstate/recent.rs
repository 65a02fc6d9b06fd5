//! Blocks that came lately and are not connected, so that they need not be read back from disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use yap_chain::block::Block;
use yap_chain::header::tree::Id;

/// Bytes of serialised blocks kept. Decoded blocks take about twice that, and five times at worst; four blocks of full size fit.
const LIMIT: usize = 16 << 20;

/// A bounded cache, oldest out first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    blocks: BTreeMap<Id, Arc<Block>>,
    order: VecDeque<Id>,
    bytes: usize,
}

impl Recent {
    /// Keeps a block, and lets go of the oldest beyond the limit.
    pub(super) fn insert(&mut self, id: Id, block: Arc<Block>) {
        self.bytes = self.bytes.saturating_add(block.bytes().len());
        if let Some(old) = self.blocks.insert(id, block) {
            self.bytes = self.bytes.saturating_sub(old.bytes().len());
        } else {
            self.order.push_back(id);
        }
        while self.bytes > LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// Takes a block out, if it is still here.
    pub(super) fn take(&mut self, id: Id) -> Option<Arc<Block>> {
        let block = self.forget(id)?;
        // The newest is the usual one to be asked for.
        if let Some(at) = self.order.iter().rposition(|&other| other == id) {
            self.order.remove(at);
        }
        Some(block)
    }

    fn forget(&mut self, id: Id) -> Option<Arc<Block>> {
        let block = self.blocks.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(block.bytes().len());
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::branch;
    use super::*;

    /// A block of 1 MiB: one transaction without witness data, whose only output has a long script.
    fn block() -> Arc<Block> {
        const SIZE: u32 = 1 << 20;
        // What stands around the script: the header, a count, and a transaction with one input.
        const SCRIPT: u32 = SIZE - 80 - 1 - 4 - 1 - 41 - 1 - 8 - 5 - 4;
        let mut bytes = vec![0; 80];
        bytes.extend([1, 1, 0, 0, 0, 1]);
        bytes.extend([0; 41]);
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe]);
        bytes.extend(SCRIPT.to_le_bytes());
        bytes.resize(usize::try_from(SIZE).unwrap(), 0);
        Arc::new(Block::parse(bytes).unwrap())
    }

    #[test]
    fn the_oldest_leave_at_the_limit_and_not_before() {
        let block = block();
        let most = LIMIT / block.bytes().len();
        let ids = branch(most + 1);
        let mut recent = Recent::default();
        for &id in &ids[..most] {
            recent.insert(id, Arc::clone(&block));
        }
        assert_eq!(recent.blocks.len(), most);
        recent.insert(ids[most], Arc::clone(&block));
        assert_eq!(recent.blocks.len(), most);
        assert!(recent.take(ids[0]).is_none());
        assert!(recent.take(ids[most]).is_some());
        assert_eq!(recent.order.len(), recent.blocks.len());
    }
}
