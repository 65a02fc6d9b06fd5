//! Blocks that came lately and are not connected, so that they need not be read back from disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use yap_chain::Block;
use yap_chain::header::tree::Id;

/// Bytes of serialised blocks kept. Decoded blocks take about twice that; four blocks of full size fit.
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
    use super::*;
    use yap_chain::bitcoin::consensus::serialize;
    use yap_chain::spec::Spec;

    #[test]
    fn the_oldest_leave_at_the_limit_and_not_before() {
        let block = Arc::new(Block::parse(serialize(&Spec::regtest().genesis)).unwrap());
        let most = LIMIT / block.bytes().len();
        let mut recent = Recent::default();
        for id in 0..most {
            recent.insert(Id::from_index(id).unwrap(), Arc::clone(&block));
        }
        assert_eq!(recent.blocks.len(), most);
        recent.insert(Id::from_index(most).unwrap(), Arc::clone(&block));
        assert_eq!(recent.blocks.len(), most);
        assert!(recent.take(Id::from_index(0).unwrap()).is_none());
        assert!(recent.take(Id::from_index(most).unwrap()).is_some());
        assert_eq!(recent.order.len(), recent.blocks.len());
    }
}
