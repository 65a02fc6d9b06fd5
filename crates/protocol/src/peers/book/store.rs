//! The book as changes, and back.

use std::sync::Arc;

use crate::address::Address;
use crate::peers::change::{ChangeSet, Known, Place};

use super::hash::{BUCKETS_PER_ADDRESS, NEW_BUCKETS};
use super::{Book, Key};

impl Book {
    /// The book that changes led to, under the key that they were made with. Whatever can't have come from a book is
    /// passed over.
    pub(in crate::peers) fn restore(key: Key, changes: &ChangeSet) -> Self {
        let mut book = Self::new(key);
        for (address, known) in &changes.addresses {
            if let Some(known) = known {
                book.restore_address(address, known);
            }
        }
        for (identity, record) in &changes.records {
            if let Some(record) = record
                && record.identity == *identity
            {
                book.keep_record(record);
            }
        }
        book.changed.clear();
        book.changed_records.clear();
        book
    }

    fn restore_address(&mut self, address: &Address, known: &Known) {
        let unfiled = Known { place: Place::New(Vec::new()), ..known.clone() };
        let Some(id) = self.insert(address.clone(), unfiled) else { return };
        let place = match &known.place {
            Place::Tried => {
                let bucket = self.key.tried_bucket(address);
                let slot = self.key.tried_slot(bucket, address);
                self.tried.at(bucket, slot).is_none().then(|| {
                    self.tried.set(bucket, slot, id);
                    Place::Tried
                })
            }
            Place::New(buckets) => {
                let mut mine = Vec::new();
                for &bucket in buckets.iter().take(BUCKETS_PER_ADDRESS).filter(|bucket| **bucket < NEW_BUCKETS) {
                    let slot = self.key.new_slot(bucket, address);
                    if self.new.at(bucket, slot).is_none() {
                        self.new.set(bucket, slot, id);
                        mine.push(bucket);
                    }
                }
                (!mine.is_empty()).then_some(Place::New(mine))
            }
        };
        match (place, self.entry_mut(id)) {
            (Some(place), Some(entry)) => entry.known.place = place,
            _ => self.remove(id),
        }
    }

    /// How many changes were not taken yet.
    pub(in crate::peers) fn changes(&self) -> usize {
        self.changed.len().saturating_add(self.changed_records.len())
    }

    /// Adds what changed since the last time.
    pub(in crate::peers) fn take_changes(&mut self, to: &mut ChangeSet) {
        for address in std::mem::take(&mut self.changed) {
            let known = self.get(&address).map(|entry| entry.known.clone());
            to.addresses.insert(address, known);
        }
        for identity in std::mem::take(&mut self.changed_records) {
            to.records.insert(identity, self.record(&identity).map(Arc::clone));
        }
    }

    /// Adds everything.
    pub(in crate::peers) fn snapshot(&self, to: &mut ChangeSet) {
        to.key = Some(self.key.0);
        to.addresses.extend(self.iter().map(|entry| (entry.address.clone(), Some(entry.known.clone()))));
        to.records.extend(self.records().map(|record| (record.identity, Some(Arc::clone(record)))));
    }
}
