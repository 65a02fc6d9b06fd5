//! How addresses come into the tables, move and leave.

use std::time::Duration;

use crate::address::{Address, Group};
use crate::message::Services;
use crate::peers::change::{Known, Place};
use crate::random::Random;
use crate::time::{Time, Timestamp};

use super::hash::BUCKETS_PER_ADDRESS;
use super::rules::{self, Contest};
use super::table::Id;
use super::{Book, MAX_COLLISIONS};

/// What somebody says of an address.
#[derive(Clone, Debug)]
pub(in crate::peers) struct Heard {
    pub(in crate::peers) address: Address,
    pub(in crate::peers) services: Services,
    pub(in crate::peers) seen: Timestamp,
    /// Who says it.
    pub(in crate::peers) source: Group,
    /// What is taken from `seen`, since it is hearsay.
    pub(in crate::peers) penalty: Duration,
}

impl Book {
    /// Takes what somebody says of an address. Says whether the address is new to the book.
    pub(in crate::peers) fn hear(&mut self, heard: &Heard, wall: Timestamp, random: &mut Random) -> bool {
        let (id, fresh) = match self.find(&heard.address) {
            Some(id) => {
                if !self.hear_again(id, heard, wall, random) {
                    return false;
                }
                (id, false)
            }
            None => {
                let known = Known {
                    services: heard.services,
                    seen: Timestamp(heard.seen.0.saturating_sub(heard.penalty.as_secs())),
                    source: heard.source,
                    tried: Timestamp(0),
                    succeeded: Timestamp(0),
                    failures: 0,
                    place: Place::New(Vec::new()),
                };
                let Some(id) = self.insert(heard.address.clone(), known) else { return false };
                (id, true)
            }
        };
        self.file_new(id, heard.source, wall) && fresh
    }

    /// Takes what is new about an entry. Says whether it shall be filed once more.
    fn hear_again(&mut self, id: Id, heard: &Heard, wall: Timestamp, random: &mut Random) -> bool {
        let Some(entry) = self.entry_mut(id) else { return false };
        let services = entry.known.services.with(heard.services);
        let told_more = services != entry.known.services;
        entry.known.services = services;
        let before = entry.known.seen;
        let fresher = entry.hear(heard.seen, heard.penalty, wall);
        let again = match &entry.known.place {
            Place::Tried => false,
            // Nobody gains by saying the same again, and each further bucket is half as likely as the one before.
            Place::New(_) if heard.seen <= before => false,
            Place::New(buckets) if buckets.len() >= BUCKETS_PER_ADDRESS => false,
            Place::New(buckets) => random.below(1_u64 << buckets.len().min(63)) == 0,
        };
        if told_more || fresher {
            self.touch(id);
        }
        again
    }

    /// Files an entry in the new bucket that its source leads to, if the place is free or its holder can be spared.
    /// Otherwise, an entry that is nowhere else is forgotten. Says whether the entry is there.
    fn file_new(&mut self, id: Id, source: Group, wall: Timestamp) -> bool {
        let Some(entry) = self.entry(id) else { return false };
        let bucket = self.key.new_bucket(&entry.address, source);
        let slot = self.key.new_slot(bucket, &entry.address);
        let Place::New(mine) = &entry.known.place else { return false };
        let homeless = mine.is_empty();
        match self.new.at(bucket, slot) {
            Some(holder) if holder == id => return true,
            Some(holder) => {
                let spare = self.entry(holder).is_none_or(|holder| {
                    let elsewhere = matches!(&holder.known.place, Place::New(buckets) if buckets.len() > 1);
                    holder.is_terrible(wall) || (elsewhere && homeless)
                });
                if !spare {
                    if homeless {
                        self.remove(id);
                    }
                    return false;
                }
                self.take_new(bucket, slot);
            }
            None => {}
        }
        self.put_new(id, bucket, slot);
        true
    }

    fn put_new(&mut self, id: Id, bucket: u16, slot: u8) {
        self.new.set(bucket, slot, id);
        if let Some(entry) = self.entry_mut(id)
            && let Place::New(buckets) = &mut entry.known.place
        {
            buckets.push(bucket);
        }
        self.touch(id);
    }

    /// Frees a new place. Whoever was nowhere else is forgotten.
    fn take_new(&mut self, bucket: u16, slot: u8) {
        let Some(id) = self.new.clear(bucket, slot) else { return };
        let Some(entry) = self.entry_mut(id) else { return };
        let Place::New(buckets) = &mut entry.known.place else { return };
        buckets.retain(|other| *other != bucket);
        if buckets.is_empty() { self.remove(id) } else { self.touch(id) }
    }

    /// A handshake with `address` was done.
    pub(in crate::peers) fn succeed(&mut self, address: &Address, services: Services, wall: Timestamp) {
        let Some(id) = self.find(address) else { return };
        let Some(entry) = self.entry_mut(id) else { return };
        entry.known.succeeded = wall;
        entry.known.tried = wall;
        entry.known.failures = 0;
        entry.known.services = services;
        let filed = entry.known.place == Place::Tried;
        self.touch(id);
        if filed {
            return;
        }
        if self.tried_holder(id).is_some() {
            if self.collisions.len() < MAX_COLLISIONS {
                self.collisions.insert(id);
            }
            return;
        }
        self.move_to_tried(id, wall);
    }

    /// Who has the place among the tried ones that belongs to `id`.
    fn tried_holder(&self, id: Id) -> Option<Id> {
        let address = &self.entry(id)?.address;
        let bucket = self.key.tried_bucket(address);
        self.tried.at(bucket, self.key.tried_slot(bucket, address)).filter(|holder| *holder != id)
    }

    /// Moves an entry to the tried ones. Whoever had its place goes back to the new ones.
    fn move_to_tried(&mut self, id: Id, wall: Timestamp) {
        let Some(entry) = self.entry_mut(id) else { return };
        let Place::New(buckets) = std::mem::replace(&mut entry.known.place, Place::Tried) else { return };
        let address = entry.address.clone();
        for bucket in buckets {
            self.new.clear(bucket, self.key.new_slot(bucket, &address));
        }
        let bucket = self.key.tried_bucket(&address);
        let old = self.tried.set(bucket, self.key.tried_slot(bucket, &address), id);
        self.collisions.remove(&id);
        self.changed.insert(address);
        if let Some(old) = old
            && let Some(entry) = self.entry_mut(old)
        {
            entry.known.place = Place::New(Vec::new());
            let source = entry.known.source;
            self.touch(old);
            self.make_room(old, source);
            self.file_new(old, source, wall);
        }
    }

    /// Frees the new place of an entry that was tried once: that counts for more than what was only heard of.
    fn make_room(&mut self, id: Id, source: Group) {
        let Some(entry) = self.entry(id) else { return };
        let bucket = self.key.new_bucket(&entry.address, source);
        let slot = self.key.new_slot(bucket, &entry.address);
        self.take_new(bucket, slot);
    }

    /// `address` is dialled. It counts as a failure until it succeeds, if `counts`: while nothing at all can be
    /// reached, nobody is to blame.
    pub(in crate::peers) fn attempt(
        &mut self,
        address: &Address,
        counts: bool,
        wall: Timestamp,
        (now, random): (Time, &mut Random),
    ) {
        let Some(id) = self.find(address) else { return };
        let Some(entry) = self.entry_mut(id) else { return };
        entry.known.tried = wall;
        if counts {
            entry.known.failures = entry.known.failures.saturating_add(1);
        }
        let jitter = random.up_to(Duration::from_millis(500));
        entry.tire(now, jitter);
        self.touch(id);
    }

    /// A connection to `address` has ended that was of use: it may be dialled again at once.
    pub(in crate::peers) fn rested(&mut self, address: &Address) {
        let Some(entry) = self.find(address).and_then(|id| self.entry_mut(id)) else { return };
        (entry.rest, entry.vain) = (Time::ZERO, 0);
    }

    /// `address` is connected now: it counts as seen. As in Core, only now and then, so that what we tell does not
    /// show when connections end.
    pub(in crate::peers) fn seen(&mut self, address: &Address, wall: Timestamp) {
        let Some(id) = self.find(address) else { return };
        let Some(entry) = self.entry_mut(id) else { return };
        if wall.since(entry.known.seen) > Duration::from_secs(20 * 60) {
            entry.known.seen = wall;
            self.touch(id);
        }
    }

    /// Decides the contests for places among the tried ones that can be decided.
    pub(in crate::peers) fn resolve(&mut self, wall: Timestamp) {
        for id in std::mem::take(&mut self.collisions) {
            let Some(newcomer) = self.entry(id) else { continue };
            let old = self.tried_holder(id).and_then(|old| self.entry(old));
            let verdict = old.map_or(Contest::Replace, |old| rules::contest(&old.known, &newcomer.known, wall));
            match verdict {
                Contest::Keep => {}
                Contest::Wait => drop(self.collisions.insert(id)),
                Contest::Replace => self.move_to_tried(id, wall),
            }
        }
    }

    /// The holder of a contested place, to be tested.
    pub(in crate::peers) fn contested(&self, random: &mut Random) -> Option<Address> {
        let waiting: Vec<Id> = self.collisions.iter().copied().collect();
        let old = self.tried_holder(*random.pick(&waiting)?)?;
        Some(self.entry(old)?.address.clone())
    }

    /// Forgets an address wherever it is filed.
    pub(in crate::peers) fn forget(&mut self, address: &Address) {
        let Some(id) = self.find(address) else { return };
        let Some(entry) = self.entry_mut(id) else { return };
        match std::mem::replace(&mut entry.known.place, Place::Tried) {
            Place::New(buckets) => {
                for bucket in buckets {
                    self.new.clear(bucket, self.key.new_slot(bucket, address));
                }
            }
            Place::Tried => {
                let bucket = self.key.tried_bucket(address);
                self.tried.clear(bucket, self.key.tried_slot(bucket, address));
            }
        }
        self.remove(id);
    }
}
