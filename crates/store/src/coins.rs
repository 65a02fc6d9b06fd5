//! The UTXO set in memory: what is newer than the tables, and what was read from them.
//!
//! ```text
//! dirty   changes since the last commit began        ─┐
//! frozen  changes that a commit is writing            ├─ the first that knows the outpoint answers
//! clean   coins as the tables have them               │
//! tables  (not here)                                 ─┘
//! ```
//!
//! A coin that is made and spent between two commits never reaches the tables: it is *fresh*, which means that neither
//! the tables nor the commit under way has it, and spending it just forgets it. Spending any other coin leaves a
//! tombstone.
//!
//! Bound: `dirty` takes half of the budget, `frozen` and `clean` together the other half. When [`Cache::is_full`] says
//! so, a commit is due; changes of one more block may still come and at worst double `dirty`. `clean` is emptied when
//! it is full: what is spent soon after it was read is read once in any case.
//!
//! Not its job: whether a coin may be spent.

mod table;

use std::sync::Arc;

use bitcoin::OutPoint;
use yap_chain::coin::Coin;

pub(crate) use table::{Entry, Table};

/// The UTXO set as far as it is in memory.
#[derive(Debug)]
pub(crate) struct Cache {
    dirty: Table,
    frozen: Option<Arc<Table>>,
    clean: Table,
    half: usize,
}

/// What the cache knows of an outpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// There is a coin.
    Coin(Coin),
    /// There is none.
    Absent,
    /// The tables must be asked.
    Unknown,
}

impl Cache {
    /// An empty cache that takes up to `budget` bytes.
    pub(crate) fn new(budget: usize) -> Self {
        let dirty = Table::default();
        Self { clean: dirty.sibling(), dirty, frozen: None, half: budget / 2 }
    }

    /// What is known of `outpoint`.
    pub(crate) fn find(&self, outpoint: &OutPoint) -> Known {
        let hash = self.dirty.hash(outpoint);
        let entry = self
            .dirty
            .find(hash, outpoint)
            .or_else(|| self.frozen.as_ref()?.find(hash, outpoint))
            .or_else(|| self.clean.find(hash, outpoint));
        match entry {
            Some(Entry { coin: Some(coin), .. }) => Known::Coin(coin.clone()),
            Some(_) => Known::Absent,
            None => Known::Unknown,
        }
    }

    /// Removes a coin that is in the set.
    pub(crate) fn remove(&mut self, outpoint: &OutPoint) {
        let hash = self.dirty.hash(outpoint);
        self.dirty.update(hash, outpoint, |known| match known {
            Some(true) => None,
            Some(false) | None => Some((None, false)),
        });
    }

    /// Adds a coin; `overwrites` says that the set has one there already.
    pub(crate) fn insert(&mut self, outpoint: &OutPoint, coin: Coin, overwrites: bool) {
        let hash = self.dirty.hash(outpoint);
        // An entry that is there keeps its freshness: a tombstone stands for a coin that the tables have.
        self.dirty.update(hash, outpoint, |known| Some((Some(coin), known.unwrap_or(!overwrites))));
    }

    /// Keeps a coin that was read from the tables.
    pub(crate) fn keep(&mut self, outpoint: &OutPoint, coin: Coin) {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.memory());
        if self.clean.memory_after(1).saturating_add(coin.heap_size()).saturating_add(frozen) > self.half {
            self.clean.clear();
            if self.clean.memory_after(1).saturating_add(frozen) > self.half {
                self.clean = self.dirty.sibling();
                return;
            }
        }
        let hash = self.clean.hash(outpoint);
        self.clean.update(hash, outpoint, |_| Some((Some(coin), false)));
    }

    /// Whether the changes have filled their half of the budget, or would by the time of a few more blocks.
    pub(crate) fn is_full(&self) -> bool {
        let reserve = self.dirty.capacity() / 8;
        self.dirty.memory_after(reserve) > self.half
    }

    /// Coins that were changed and not handed over yet.
    pub(crate) fn changed(&self) -> usize {
        self.dirty.len()
    }

    /// Coins that were handed over.
    pub(crate) fn frozen(&self) -> usize {
        self.frozen.as_ref().map_or(0, |frozen| frozen.len())
    }

    /// Bytes that the cache occupies.
    pub(crate) fn memory(&self) -> usize {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.memory());
        self.dirty.memory().saturating_add(frozen).saturating_add(self.clean.memory())
    }

    /// Hands over the changes to be committed. The commit before must have been [thawed](Self::thaw).
    pub(crate) fn freeze(&mut self) -> Arc<Table> {
        let dirty = self.dirty.sibling();
        let frozen = Arc::new(std::mem::replace(&mut self.dirty, dirty));
        if frozen.memory().saturating_add(self.clean.memory()) > self.half {
            self.clean = self.dirty.sibling();
        }
        self.frozen = Some(Arc::clone(&frozen));
        frozen
    }

    /// Notes that the tables have the frozen changes now.
    pub(crate) fn thaw(&mut self) {
        let Some(frozen) = self.frozen.take() else { return };
        // The thread that wrote it has ended, so it is not shared any more.
        let Some(mut frozen) = Arc::into_inner(frozen) else {
            self.clean = self.dirty.sibling();
            return;
        };
        if frozen.len() >= self.clean.len() {
            frozen.drop_tombstones();
            self.clean = if frozen.memory() <= self.half { frozen } else { self.dirty.sibling() };
            return;
        }
        let merged = self.clean.memory_after(frozen.len()).saturating_add(frozen.heap());
        let fits = merged <= self.half;
        for entry in frozen.into_entries() {
            let hash = self.clean.hash(&entry.outpoint);
            // Without room the old coins stay, but never one that has changed.
            let coin = entry.coin.filter(|_| fits);
            self.clean.update(hash, &entry.outpoint, |_| coin.map(|coin| (Some(coin), false)));
        }
    }
}

#[cfg(test)]
mod tests;
