//! The pool's transactions and the ways to find one: by its hashes, by what it spends, by age.
//!
//! Each has a slot, a number that other tables hold in its place. Tables hash with a seed that peers don't know. What
//! leaves the module is ordered by age, never by hash.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::entry::Entry;

/// Names a transaction as long as it is in the pool.
pub(super) type Slot = u32;

/// Where a transaction stands among those that it is connected with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Its cluster.
    pub(super) cluster: u32,
    /// Its place in the cluster's order.
    pub(super) position: u8,
}

#[derive(Debug)]
struct Node {
    entry: Arc<Entry>,
    spot: Spot,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Nodes {
    slots: Vec<Option<Node>>,
    free: Vec<Slot>,
    by_txid: HashTable<Slot>,
    by_wtxid: HashTable<Slot>,
    /// Which input of which transaction spends an outpoint.
    spenders: HashTable<(Slot, u32)>,
    /// Time, sequence and slot.
    by_age: BTreeSet<(u64, u64, Slot)>,
    hasher: FixedState,
    usage: usize,
    vsize: u64,
    fees: Amount,
}

impl Nodes {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_txid: HashTable::new(),
            by_wtxid: HashTable::new(),
            spenders: HashTable::new(),
            by_age: BTreeSet::new(),
            hasher: FixedState::with_seed(seed),
            usage: 0,
            vsize: 0,
            fees: Amount::ZERO,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Bytes of memory.
    pub(super) fn usage(&self) -> usize {
        self.usage
    }

    /// Adjusted virtual bytes.
    pub(super) fn vsize(&self) -> u64 {
        self.vsize
    }

    pub(super) fn fees(&self) -> Amount {
        self.fees
    }

    fn node(&self, slot: Slot) -> Option<&Node> {
        self.slots.get(usize::try_from(slot).ok()?)?.as_ref()
    }

    fn node_mut(&mut self, slot: Slot) -> Option<&mut Node> {
        self.slots.get_mut(usize::try_from(slot).ok()?)?.as_mut()
    }

    pub(super) fn entry(&self, slot: Slot) -> Option<&Arc<Entry>> {
        self.node(slot).map(|node| &node.entry)
    }

    pub(super) fn spot(&self, slot: Slot) -> Option<Spot> {
        self.node(slot).map(|node| node.spot)
    }

    pub(super) fn place(&mut self, slot: Slot, spot: Spot) {
        if let Some(node) = self.node_mut(slot) {
            node.spot = spot;
        }
    }

    pub(super) fn by_txid(&self, txid: &Txid) -> Option<Slot> {
        self.by_txid
            .find(self.hasher.hash_one(txid), |slot| self.entry(*slot).is_some_and(|entry| entry.txid() == *txid))
            .copied()
    }

    pub(super) fn by_wtxid(&self, wtxid: &Wtxid) -> Option<Slot> {
        self.by_wtxid
            .find(self.hasher.hash_one(wtxid), |slot| self.entry(*slot).is_some_and(|entry| entry.wtxid() == *wtxid))
            .copied()
    }

    /// Who spends an outpoint.
    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<Slot> {
        let spends = |spend: &(Slot, u32)| self.spent_by(*spend) == Some(outpoint);
        self.spenders.find(self.hasher.hash_one(outpoint), spends).map(|(slot, _)| *slot)
    }

    fn spent_by(&self, (slot, input): (Slot, u32)) -> Option<&OutPoint> {
        outpoint(self.entry(slot)?, input)
    }

    /// Slots, the oldest first.
    pub(super) fn by_age(&self) -> impl DoubleEndedIterator<Item = Slot> {
        self.by_age.iter().map(|(_, _, slot)| *slot)
    }

    /// Slots of those that came before `time`, the oldest first.
    pub(super) fn older_than(&self, time: u64) -> impl Iterator<Item = Slot> {
        self.by_age.range(..(time, 0, 0)).map(|(_, _, slot)| *slot)
    }

    /// Adds a transaction that is not there, and spends nothing that another spends.
    pub(super) fn add(&mut self, entry: Entry) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            Slot::try_from(self.slots.len().saturating_sub(1)).expect("memory holds fewer transactions than 2^32")
        });
        self.usage = self.usage.saturating_add(entry.usage());
        self.vsize = self.vsize.saturating_add(entry.vsize());
        self.fees = self.fees.checked_add(entry.fee).unwrap_or(Amount::MAX);
        self.by_age.insert((entry.time, entry.sequence, slot));
        let entry = Arc::new(entry);
        if let Some(place) = usize::try_from(slot).ok().and_then(|slot| self.slots.get_mut(slot)) {
            *place = Some(Node { entry: Arc::clone(&entry), spot: Spot::default() });
        }
        let Self { slots, by_txid, by_wtxid, spenders, hasher, .. } = self;
        let at = |slot: Slot| entry_at(slots, slot);
        by_txid.insert_unique(hasher.hash_one(entry.txid()), slot, |slot| {
            at(*slot).map_or(0, |entry| hasher.hash_one(entry.txid()))
        });
        by_wtxid.insert_unique(hasher.hash_one(entry.wtxid()), slot, |slot| {
            at(*slot).map_or(0, |entry| hasher.hash_one(entry.wtxid()))
        });
        for (input, spent) in (0..).zip(entry.inputs()) {
            spenders.insert_unique(hasher.hash_one(spent), (slot, input), |(slot, input)| {
                at(*slot).and_then(|entry| outpoint(entry, *input)).map_or(0, |spent| hasher.hash_one(spent))
            });
        }
        slot
    }

    /// Takes a transaction out.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Arc<Entry>> {
        let place = self.slots.get_mut(usize::try_from(slot).ok()?)?;
        let Node { entry, .. } = place.take()?;
        self.free.push(slot);
        if let Ok(found) = self.by_txid.find_entry(self.hasher.hash_one(entry.txid()), |at| *at == slot) {
            found.remove();
        }
        if let Ok(found) = self.by_wtxid.find_entry(self.hasher.hash_one(entry.wtxid()), |at| *at == slot) {
            found.remove();
        }
        for (input, spent) in (0..).zip(entry.inputs()) {
            let hash = self.hasher.hash_one(spent);
            if let Ok(found) = self.spenders.find_entry(hash, |spend| *spend == (slot, input)) {
                found.remove();
            }
        }
        self.by_age.remove(&(entry.time, entry.sequence, slot));
        self.usage = self.usage.saturating_sub(entry.usage());
        self.vsize = self.vsize.saturating_sub(entry.vsize());
        self.fees = self.fees.checked_sub(entry.fee).unwrap_or(Amount::ZERO);
        Some(entry)
    }

    /// Changes what is known of a transaction, but not what the tables find it by.
    pub(super) fn amend(&mut self, slot: Slot, change: impl FnOnce(&mut Entry)) {
        let Some(node) = self.node_mut(slot) else { return };
        let before = node.entry.usage();
        change(Arc::make_mut(&mut node.entry));
        let after = node.entry.usage();
        self.usage = self.usage.saturating_sub(before).saturating_add(after);
    }

    /// Gives back memory that the tables no longer need.
    pub(super) fn shrink(&mut self) {
        if self.len() == 0 {
            let hasher = self.hasher.clone();
            *self = Self { hasher, ..Self::new(0) };
        }
    }
}

fn entry_at(slots: &[Option<Node>], slot: Slot) -> Option<&Entry> {
    Some(&slots.get(usize::try_from(slot).ok()?)?.as_ref()?.entry)
}

fn outpoint(entry: &Entry, input: u32) -> Option<&OutPoint> {
    let input = entry.transaction.decoded().input.get(usize::try_from(input).ok()?)?;
    Some(&input.previous_output)
}
