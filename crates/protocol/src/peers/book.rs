//! The address book: who may be dialled.
//!
//! Two tables of buckets after Bitcoin Core's `addrman`: *new* for addresses that were only heard of, *tried* for those
//! that were connected to. A secret hash of groups decides the bucket, so whoever floods the book from few networks
//! fills few buckets. An address of a tried place gives way only after it was tested. Room is taken by what is there,
//! never ahead: an empty book takes a few hundred bytes, and at most 1,280 buckets of 64 can be filled.
//!
//! Not its job: whom to believe (`exchange`), whom to dial (`wants`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::address::{Address, Identity};
use crate::message::PeerRecord;
use crate::time::Time;

use super::change::Known;
#[cfg(any(test, feature = "test-util"))]
use super::change::Place;

mod filing;
mod hash;
mod rules;
mod select;
mod store;
mod table;
#[cfg(test)]
mod tests;

pub(super) use filing::Heard;
pub(super) use hash::Key;
pub(super) use rules::Entry;
pub(super) use select::Among;

use table::{Id, Table};

/// Most addresses that one key may have in the book.
pub(super) const MAX_PER_IDENTITY: usize = 4;

/// Most signed records in the book, of at most [`MAX_RECORD`] bytes each.
pub(super) const MAX_RECORDS: usize = 4096;

/// Most bytes of endpoints of a record that is kept. Usual ones take under 200.
pub(super) const MAX_RECORD: usize = 1024;

/// Most newcomers that wait for a place among the tried ones. Bitcoin Core's number.
const MAX_COLLISIONS: usize = 10;

/// A key, its addresses, and what it says of itself.
#[derive(Clone, Debug, Default)]
struct Person {
    entries: Vec<Id>,
    record: Option<Arc<PeerRecord>>,
}

/// The address book.
#[derive(Clone, Debug)]
pub(super) struct Book {
    key: Key,
    entries: Vec<Option<Entry>>,
    free: Vec<Id>,
    /// Finds an entry by its address.
    index: HashTable<Id>,
    new: Table,
    tried: Table,
    people: BTreeMap<Identity, Person>,
    /// How many people have a record.
    records: usize,
    /// Newcomers that were connected to, but whose place among the tried ones is taken.
    collisions: BTreeSet<Id>,
    /// What changed since the changes were last taken.
    changed: BTreeSet<Address>,
    changed_records: BTreeSet<Identity>,
}

impl Book {
    /// A book without addresses.
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            entries: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            new: Table::default(),
            tried: Table::default(),
            people: BTreeMap::new(),
            records: 0,
            collisions: BTreeSet::new(),
            changed: BTreeSet::new(),
            changed_records: BTreeSet::new(),
        }
    }

    /// The secret by which addresses are filed.
    pub(super) const fn key(&self) -> Key {
        self.key
    }

    /// How many addresses are known.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// What is known of an address.
    pub(super) fn get(&self, address: &Address) -> Option<&Entry> {
        self.entry(self.find(address)?)
    }

    /// Every entry.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().flatten()
    }

    /// What `identity` says of itself.
    pub(super) fn record(&self, identity: &Identity) -> Option<&Arc<PeerRecord>> {
        self.people.get(identity)?.record.as_ref()
    }

    /// The addresses of `identity`.
    pub(super) fn addresses_of(&self, identity: &Identity) -> Vec<Address> {
        let ids = self.people.get(identity).map(|person| person.entries.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.entry(*id).map(|entry| entry.address.clone())).collect()
    }

    /// Every signed record.
    pub(super) fn records(&self) -> impl Iterator<Item = &Arc<PeerRecord>> {
        self.people.values().filter_map(|person| person.record.as_ref())
    }

    /// Keeps a verified record of someone who has an address here. Says whether it is kept.
    pub(super) fn keep_record(&mut self, record: &Arc<PeerRecord>) -> bool {
        let size: usize = record.endpoints.iter().map(|endpoint| endpoint.as_bytes().len()).sum();
        let room = self.records < MAX_RECORDS;
        let Some(person) = self.people.get_mut(&record.identity) else { return false };
        if size > MAX_RECORD || (person.record.is_none() && !room) {
            return false;
        }
        if person.record.replace(Arc::clone(record)).is_none() {
            self.records = self.records.saturating_add(1);
        }
        self.changed_records.insert(record.identity);
        true
    }

    fn find(&self, address: &Address) -> Option<Id> {
        let hash = self.key.hash(0, &[], Some(address));
        self.index.find(hash, |id| self.entry(*id).is_some_and(|entry| entry.address == *address)).copied()
    }

    fn entry(&self, id: Id) -> Option<&Entry> {
        self.entries.get(usize::try_from(id).ok()?)?.as_ref()
    }

    fn entry_mut(&mut self, id: Id) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(id).ok()?)?.as_mut()
    }

    /// Adds an entry that is in no bucket yet. `None` if its key has as many addresses as it may have.
    fn insert(&mut self, address: Address, known: Known) -> Option<Id> {
        if let Some(identity) = address.identity
            && self.people.get(&identity).is_some_and(|person| person.entries.len() >= MAX_PER_IDENTITY)
        {
            return None;
        }
        let entry = Entry { address, known, rest: Time::ZERO, vain: 0 };
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.entries.push(None);
                Id::try_from(self.entries.len().saturating_sub(1)).ok()?
            }
        };
        if let Some(identity) = entry.address.identity {
            self.people.entry(identity).or_default().entries.push(id);
        }
        let key = self.key;
        let hash = key.hash(0, &[], Some(&entry.address));
        *self.entries.get_mut(usize::try_from(id).ok()?)? = Some(entry);
        let Self { index, entries, .. } = self;
        let rehash = |id: &Id| {
            let entry = usize::try_from(*id).ok().and_then(|id| entries.get(id)?.as_ref());
            entry.map_or(0, |entry| key.hash(0, &[], Some(&entry.address)))
        };
        index.insert_unique(hash, id, rehash);
        Some(id)
    }

    /// Forgets an entry that is in no bucket.
    fn remove(&mut self, id: Id) {
        let Some(entry) = usize::try_from(id).ok().and_then(|id| self.entries.get_mut(id)?.take()) else { return };
        let hash = self.key.hash(0, &[], Some(&entry.address));
        if let Ok(found) = self.index.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        self.collisions.remove(&id);
        self.free.push(id);
        if let Some(identity) = entry.address.identity
            && let Some(person) = self.people.get_mut(&identity)
        {
            person.entries.retain(|other| *other != id);
            if person.entries.is_empty() {
                let gone = self.people.remove(&identity);
                if gone.is_some_and(|person| person.record.is_some()) {
                    self.records = self.records.saturating_sub(1);
                    self.changed_records.insert(identity);
                }
            }
        }
        self.changed.insert(entry.address);
    }

    fn touch(&mut self, id: Id) {
        if let Some(address) = self.entry(id).map(|entry| entry.address.clone()) {
            self.changed.insert(address);
        }
    }

    /// Panics if what the book says of itself does not fit together.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert_eq!(self.iter().count(), self.len(), "each entry is in the index");
        let mut filed = 0_usize;
        for entry in self.iter() {
            let id = self.find(&entry.address).expect("the index finds each entry");
            match &entry.known.place {
                Place::New(buckets) => {
                    assert!((1..=hash::BUCKETS_PER_ADDRESS).contains(&buckets.len()), "{buckets:?}");
                    for bucket in buckets {
                        let slot = self.key.new_slot(*bucket, &entry.address);
                        assert_eq!(self.new.at(*bucket, slot), Some(id), "the bucket has the entry");
                        filed = filed.saturating_add(1);
                    }
                }
                Place::Tried => {
                    let bucket = self.key.tried_bucket(&entry.address);
                    let slot = self.key.tried_slot(bucket, &entry.address);
                    assert_eq!(self.tried.at(bucket, slot), Some(id), "the bucket has the entry");
                    filed = filed.saturating_add(1);
                }
            }
        }
        assert_eq!(filed, self.new.len().saturating_add(self.tried.len()), "each place has an entry");
        assert_eq!(self.new.iter().count().saturating_add(self.tried.iter().count()), filed, "places are counted");
        assert!(self.records <= MAX_RECORDS && self.collisions.len() <= MAX_COLLISIONS);
        assert_eq!(self.records().count(), self.records, "records are counted");
        for person in self.people.values() {
            assert!((1..=MAX_PER_IDENTITY).contains(&person.entries.len()), "{person:?}");
        }
    }
}
