//! One hash table of coins that knows its memory.

use std::hash::BuildHasher;

use bitcoin::OutPoint;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use yap_chain::coin::Coin;

/// What is known of one outpoint.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) outpoint: OutPoint,
    /// The coin; `None`: there is none any more.
    pub(crate) coin: Option<Coin>,
    /// Nothing below this table has a coin there.
    fresh: bool,
}

/// A table of coins. Tables that are [siblings](Self::sibling) hash alike.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashTable<Entry>,
    /// The seed is random, so that nobody can make outpoints that collide.
    state: RandomState,
    heap: usize,
}

impl Table {
    /// An empty table with the same seed.
    pub(super) fn sibling(&self) -> Self {
        Self { entries: HashTable::new(), state: self.state.clone(), heap: 0 }
    }

    pub(super) fn hash(&self, outpoint: &OutPoint) -> u64 {
        self.state.hash_one(outpoint)
    }

    pub(super) fn find(&self, hash: u64, outpoint: &OutPoint) -> Option<&Entry> {
        self.entries.find(hash, |entry| entry.outpoint == *outpoint)
    }

    /// Replaces what is known of an outpoint: `change` gets whether the entry is fresh, if there is one, and gives the
    /// new coin and freshness, or `None` to forget the outpoint.
    pub(super) fn update(
        &mut self,
        hash: u64,
        outpoint: &OutPoint,
        change: impl FnOnce(Option<bool>) -> Option<(Option<Coin>, bool)>,
    ) {
        let size = |coin: &Option<Coin>| coin.as_ref().map_or(0, Coin::heap_size);
        let state = &self.state;
        let slot =
            self.entries.entry(hash, |entry| entry.outpoint == *outpoint, |entry| state.hash_one(entry.outpoint));
        match slot {
            Slot::Occupied(mut slot) => {
                self.heap = self.heap.saturating_sub(size(&slot.get().coin));
                match change(Some(slot.get().fresh)) {
                    Some((coin, fresh)) => {
                        self.heap = self.heap.saturating_add(size(&coin));
                        let entry = slot.get_mut();
                        (entry.coin, entry.fresh) = (coin, fresh);
                    }
                    None => drop(slot.remove()),
                }
            }
            Slot::Vacant(slot) => {
                if let Some((coin, fresh)) = change(None) {
                    self.heap = self.heap.saturating_add(size(&coin));
                    slot.insert(Entry { outpoint: *outpoint, coin, fresh });
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries that fit without growing, with those that are there.
    pub(super) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// Bytes of scripts too long to be in the table itself.
    pub(super) fn heap(&self) -> usize {
        self.heap
    }

    /// Bytes that the table occupies.
    pub(super) fn memory(&self) -> usize {
        self.entries.allocation_size().saturating_add(self.heap)
    }

    /// Bytes that the table occupies with `more` entries, scripts on the heap apart.
    pub(super) fn memory_after(&self, more: usize) -> usize {
        let wanted = self.len().saturating_add(more);
        // hashbrown: a power of two of slots with a byte more each, of which at most 7/8 are taken, by entries or by
        // marks of deleted ones. Marks are swept when the entries take less than half; otherwise the table doubles.
        let slot = const { size_of::<Entry>() + 1 };
        let slots = self.entries.allocation_size().checked_div(slot).and_then(usize::checked_ilog2);
        let usable = slots.and_then(|bits| 1_usize.checked_shl(bits)).map_or(0, |slots| (slots / 8).saturating_mul(7));
        if wanted <= self.capacity() || wanted <= usable / 2 {
            return self.memory();
        }
        let wanted = wanted.max(usable.saturating_add(1));
        let slots = wanted.saturating_mul(8).div_ceil(7).max(4).checked_next_power_of_two().unwrap_or(usize::MAX);
        slots.saturating_mul(slot).saturating_add(self.heap)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.heap = 0;
    }

    pub(super) fn drop_tombstones(&mut self) {
        self.entries.retain(|entry| entry.coin.is_some());
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_iter()
    }

    /// The entries, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }
}
