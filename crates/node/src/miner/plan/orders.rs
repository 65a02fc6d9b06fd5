//! Orders that wait, and what is left of their tries.

use std::collections::VecDeque;
use std::sync::Arc;

use bitcoin::BlockHash;
use yap_api::backend::{MineError, MiningOrder};

use super::{MAX_ORDERS, OrderId, WorkId};

/// Works whose hashes may still be told after they were taken back.
const MAX_CHARGED: usize = 4;

/// Orders, the one at work first.
#[derive(Debug, Default)]
pub(super) struct Orders {
    queue: VecDeque<Ordered>,
    made: u64,
    /// For which order the last works were.
    works: VecDeque<(WorkId, OrderId)>,
}

#[derive(Debug)]
struct Ordered {
    id: OrderId,
    order: Arc<MiningOrder>,
    found: Vec<BlockHash>,
    /// Hashes that may still be tried.
    left: u64,
}

impl Orders {
    pub(super) fn push(&mut self, order: MiningOrder) -> Result<OrderId, MineError> {
        if self.queue.len() >= MAX_ORDERS {
            return Err(MineError::Busy);
        }
        self.made = self.made.saturating_add(1);
        let id = OrderId(self.made);
        self.queue.push_back(Ordered { id, left: order.tries, order: Arc::new(order), found: Vec::new() });
        Ok(id)
    }

    /// The order that comes next, and the hashes that it has left.
    pub(super) fn first(&self) -> Option<(OrderId, &Arc<MiningOrder>, u64)> {
        self.queue.front().map(|first| (first.id, &first.order, first.left))
    }

    pub(super) fn remove(&mut self, id: OrderId) -> Option<Vec<BlockHash>> {
        let at = self.queue.iter().position(|ordered| ordered.id == id)?;
        self.queue.remove(at).map(|ordered| ordered.found)
    }

    /// The first order, if it has all its blocks, or no hash left.
    pub(super) fn complete(&self) -> Option<OrderId> {
        let first = self.queue.front()?;
        let all = u32::try_from(first.found.len()).unwrap_or(u32::MAX) >= first.order.blocks;
        (all || first.left == 0).then_some(first.id)
    }

    /// A block was found for an order, and taken.
    pub(super) fn add(&mut self, id: OrderId, hash: BlockHash) {
        if let Some(ordered) = self.queue.iter_mut().find(|ordered| ordered.id == id) {
            ordered.found.push(hash);
        }
    }

    /// A work is for an order.
    pub(super) fn works(&mut self, work: WorkId, order: OrderId) {
        if self.works.len() >= MAX_CHARGED {
            self.works.pop_front();
        }
        self.works.push_back((work, order));
    }

    /// Hashes were tried for a work: once for each.
    pub(super) fn charge(&mut self, work: WorkId, hashes: u64) {
        let Some(at) = self.works.iter().position(|(id, _)| *id == work) else { return };
        let Some((_, order)) = self.works.remove(at) else { return };
        if let Some(ordered) = self.queue.iter_mut().find(|ordered| ordered.id == order) {
            ordered.left = ordered.left.saturating_sub(hashes);
        }
    }
}
