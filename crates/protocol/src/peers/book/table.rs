//! A table of buckets that takes no room for what is empty.

use std::collections::BTreeMap;

use crate::random::Random;

/// Places in a bucket. Bitcoin Core's number.
pub(super) const BUCKET_SIZE: u8 = 64;

/// Names an entry of the book.
pub(super) type Id = u32;

#[derive(Clone, Debug)]
struct Bucket {
    number: u16,
    slots: Vec<(u8, Id)>,
}

/// Buckets of up to [`BUCKET_SIZE`] entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Those that have entries, in any order, so that one can be drawn.
    buckets: Vec<Bucket>,
    /// Where each of them stands there.
    index: BTreeMap<u16, usize>,
    len: usize,
}

impl Table {
    /// How many places are taken.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Who has the place.
    pub(super) fn at(&self, bucket: u16, slot: u8) -> Option<Id> {
        let bucket = self.buckets.get(*self.index.get(&bucket)?)?;
        bucket.slots.iter().find(|(taken, _)| *taken == slot).map(|(_, id)| *id)
    }

    /// Gives a place to `id`. Returns who had it.
    pub(super) fn set(&mut self, bucket: u16, slot: u8, id: Id) -> Option<Id> {
        let position = *self.index.entry(bucket).or_insert_with(|| {
            self.buckets.push(Bucket { number: bucket, slots: Vec::new() });
            self.buckets.len().saturating_sub(1)
        });
        let slots = &mut self.buckets.get_mut(position)?.slots;
        if let Some((_, taken)) = slots.iter_mut().find(|(taken, _)| *taken == slot) {
            return Some(std::mem::replace(taken, id));
        }
        slots.push((slot, id));
        self.len = self.len.saturating_add(1);
        None
    }

    /// Frees a place. Returns who had it.
    pub(super) fn clear(&mut self, bucket: u16, slot: u8) -> Option<Id> {
        let position = *self.index.get(&bucket)?;
        let slots = &mut self.buckets.get_mut(position)?.slots;
        let found = slots.iter().position(|(taken, _)| *taken == slot)?;
        let (_, id) = slots.swap_remove(found);
        self.len = self.len.saturating_sub(1);
        if slots.is_empty() {
            self.index.remove(&bucket);
            self.buckets.swap_remove(position);
            if let Some(moved) = self.buckets.get(position) {
                self.index.insert(moved.number, position);
            }
        }
        Some(id)
    }

    /// One of the entries: each bucket that has any is as likely as the others, so that many addresses in few buckets
    /// gain nothing by their number.
    pub(super) fn pick(&self, random: &mut Random) -> Option<Id> {
        let bucket = random.pick(&self.buckets)?;
        random.pick(&bucket.slots).map(|(_, id)| *id)
    }

    /// Every taken place.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, u8, Id)> {
        self.buckets.iter().flat_map(|bucket| bucket.slots.iter().map(|(slot, id)| (bucket.number, *slot, *id)))
    }
}
