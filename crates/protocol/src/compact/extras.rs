//! Transactions that blocks may have though the mempool doesn't.

use std::collections::VecDeque;
use std::sync::Arc;

use yap_chain::transaction::Transaction;

/// Most transactions that are kept, as in Bitcoin Core.
pub const MAX_EXTRAS: usize = 100;

/// Most bytes of them.
pub const MAX_EXTRA_BYTES: usize = 1 << 20;

/// The last ones that were refused, replaced, orphaned, or taken back with their block.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    ring: VecDeque<Arc<Transaction>>,
    bytes: usize,
}

impl Extras {
    /// Keeps a transaction, in place of the oldest if there is no room.
    pub fn push(&mut self, transaction: Arc<Transaction>) {
        let size = transaction.total_size();
        if size > MAX_EXTRA_BYTES || self.ring.iter().any(|other| other.wtxid() == transaction.wtxid()) {
            return;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.ring.push_back(transaction);
        while self.ring.len() > MAX_EXTRAS || self.bytes > MAX_EXTRA_BYTES {
            let Some(oldest) = self.ring.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.total_size());
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Transaction>> {
        self.ring.iter()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
