//! What is known of each record without reading it, in the order of its distance from this node.
//!
//! The farthest gives way when there is no room: what a node is responsible for is what lies close to its name. Our own
//! records never give way. One peer may fill half of the room and no more, whatever names it gives its records.

use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::kad::RecordKey;

use super::limits::Limits;
use super::shelf::Place;

/// Distance of a key from this node: the exclusive or of their hashes, as Kademlia has it.
pub(crate) type Distance = [u8; 32];

/// What is known of a record.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) key: RecordKey,
    pub(super) revision: u64,
    /// Wall clock, in seconds; [`u64::MAX`] for never.
    pub(super) expires: u64,
    /// If we put it: when the closest peers got it last, wall clock in seconds.
    pub(super) published: Option<u64>,
    /// Who gave it; 0 for ourselves.
    pub(super) source: u64,
    pub(super) place: Place,
    pub(super) size: u64,
    /// When the closest peers got it last, as far as we know.
    pub(super) touched: Option<Instant>,
    /// Fingerprints of the peers that have it, as far as we know; `None` if we never asked ourselves.
    pub(super) known: Option<Box<[u32]>>,
}

impl Entry {
    pub(crate) const fn key(&self) -> &RecordKey {
        &self.key
    }

    /// Whether we put it.
    pub(crate) const fn is_ours(&self) -> bool {
        self.published.is_some()
    }

    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// When the closest peers got it last, as far as we know.
    pub(crate) const fn touched(&self) -> Option<Instant> {
        self.touched
    }

    /// Fingerprints of the peers that have it.
    pub(crate) fn known(&self) -> Option<&[u32]> {
        self.known.as_deref()
    }
}

/// What someone's records take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    records: usize,
    bytes: u64,
}

impl Share {
    const fn add(&mut self, bytes: u64) {
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    const fn subtract(&mut self, bytes: u64) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    const fn exceeds(&self, records: usize, bytes: u64) -> bool {
        self.records > records || self.bytes > bytes
    }
}

/// There is no room for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// All records.
#[derive(Debug)]
pub(super) struct Index {
    entries: BTreeMap<Distance, Entry>,
    all: Share,
    own: Share,
    /// By whoever gave them.
    sources: BTreeMap<u64, Share>,
    limits: Limits,
}

impl Index {
    pub(super) const fn new(limits: Limits) -> Self {
        let none = Share { records: 0, bytes: 0 };
        Self { entries: BTreeMap::new(), all: none, own: none, sources: BTreeMap::new(), limits }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all records.
    pub(super) const fn bytes(&self) -> u64 {
        self.all.bytes
    }

    pub(super) fn get(&self, distance: &Distance) -> Option<&Entry> {
        self.entries.get(distance)
    }

    /// The note of what is known of a record, which does not change what it takes.
    pub(super) fn get_mut(&mut self, distance: &Distance) -> Option<&mut Entry> {
        self.entries.get_mut(distance)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Distance, &Entry)> {
        self.entries.iter()
    }

    /// The first record behind `distance`, or of all.
    pub(super) fn after(&self, distance: Option<&Distance>) -> Option<(&Distance, &Entry)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.entries.range((distance.map_or(Unbounded, |after| Excluded(*after)), Unbounded)).next()
    }

    /// Which records must give way so that one of `size` bytes at `distance` has room; it may replace one that is
    /// there. `source` is who gives it, `None` for ourselves.
    pub(super) fn admit(&self, distance: &Distance, size: u64, source: Option<u64>) -> Result<Vec<Distance>, Full> {
        let old = self.entries.get(distance);
        let mut share = match source {
            Some(source) => self.sources.get(&source).copied().unwrap_or_default(),
            None => self.own,
        };
        let mut all = self.all;
        if let Some(old) = old {
            all.subtract(old.size);
            if old.owner() == source {
                share.subtract(old.size);
            }
        }
        share.add(size);
        all.add(size);
        if share.exceeds(self.limits.share_records, self.limits.share_bytes) {
            return Err(Full);
        }
        let mut leaving = Vec::new();
        let mut farthest = self.entries.iter().rev().filter(|(at, entry)| !entry.is_ours() && *at != distance);
        while all.exceeds(self.limits.records, self.limits.bytes) {
            let (at, entry) = farthest.next().ok_or(Full)?;
            if source.is_some() && at < distance {
                return Err(Full);
            }
            all.subtract(entry.size);
            leaving.push(*at);
        }
        Ok(leaving)
    }

    /// The farthest record that is not ours, if all together take more than they may.
    pub(super) fn excess(&self) -> Option<Distance> {
        if !self.all.exceeds(self.limits.records, self.limits.bytes) {
            return None;
        }
        self.entries.iter().rev().find(|(_, entry)| !entry.is_ours()).map(|(at, _)| *at)
    }

    /// Puts a record in, for which there is room, in place of the one that is there.
    pub(super) fn insert(&mut self, distance: Distance, entry: Entry) {
        self.remove(&distance);
        self.all.add(entry.size);
        match entry.owner() {
            Some(source) => self.sources.entry(source).or_default().add(entry.size),
            None => self.own.add(entry.size),
        }
        self.entries.insert(distance, entry);
    }

    pub(super) fn remove(&mut self, distance: &Distance) -> Option<Entry> {
        let entry = self.entries.remove(distance)?;
        self.all.subtract(entry.size);
        match entry.owner() {
            Some(source) => {
                if let Some(share) = self.sources.get_mut(&source) {
                    share.subtract(entry.size);
                    if share.records == 0 {
                        self.sources.remove(&source);
                    }
                }
            }
            None => self.own.subtract(entry.size),
        }
        Some(entry)
    }
}

impl Entry {
    /// Whose share it counts to; `None` for ours.
    const fn owner(&self) -> Option<u64> {
        if self.is_ours() { None } else { Some(self.source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 1_000, records: 10, share_bytes: 500, share_records: 5, providers: 0 };

    fn at(first: u8) -> Distance {
        let mut distance = [0; 32];
        distance[0] = first;
        distance
    }

    fn entry(source: Option<u64>, size: u64) -> Entry {
        Entry {
            key: RecordKey::new(b"key"),
            revision: 0,
            expires: 0,
            published: source.is_none().then_some(0),
            source: source.unwrap_or(0),
            place: Place::Memory(Vec::new().into()),
            size,
            touched: None,
            known: None,
        }
    }

    fn full() -> Index {
        let mut index = Index::new(LIMITS);
        for place in 1..=10_u8 {
            index.insert(at(place.saturating_mul(10)), entry(Some(u64::from(place)), 100));
        }
        index
    }

    #[test]
    fn the_farthest_gives_way_to_one_that_is_closer() {
        let index = full();
        assert_eq!(index.admit(&at(95), 100, Some(99)), Ok(vec![at(100)]));
        assert_eq!(index.admit(&at(5), 150, Some(99)), Ok(vec![at(100), at(90)]));
    }

    #[test]
    fn a_farther_one_finds_no_room() {
        assert_eq!(full().admit(&at(101), 100, Some(99)), Err(Full));
        // The farthest would give way, but that is not enough, and the next is closer.
        assert_eq!(full().admit(&at(95), 150, Some(99)), Err(Full));
    }

    #[test]
    fn our_own_takes_the_place_of_any_and_gives_way_to_none() {
        let mut index = full();
        assert_eq!(index.admit(&at(101), 100, None), Ok(vec![at(100)]));
        index.remove(&at(100));
        index.insert(at(101), entry(None, 100));
        assert_eq!(index.admit(&at(95), 100, Some(99)), Err(Full));
        assert_eq!(index.admit(&at(85), 100, Some(99)), Ok(vec![at(90)]));
    }

    #[test]
    fn one_peer_fills_its_share_in_number_and_no_more() {
        let mut index = Index::new(LIMITS);
        for place in 1..=5_u8 {
            assert_eq!(index.admit(&at(place), 10, Some(1)), Ok(Vec::new()));
            index.insert(at(place), entry(Some(1), 10));
        }
        assert_eq!(index.admit(&at(6), 10, Some(1)), Err(Full));
        assert_eq!(index.admit(&at(6), 10, Some(2)), Ok(Vec::new()));
        assert_eq!(index.admit(&at(5), 10, Some(1)), Ok(Vec::new()), "one of its own is replaced");
        index.remove(&at(5));
        assert_eq!(index.admit(&at(6), 10, Some(1)), Ok(Vec::new()));
    }

    #[test]
    fn one_peer_and_we_fill_a_share_in_bytes_and_no_more() {
        for source in [Some(1), None] {
            let mut index = Index::new(LIMITS);
            index.insert(at(1), entry(source, 400));
            assert_eq!(index.admit(&at(2), 100, source), Ok(Vec::new()));
            assert_eq!(index.admit(&at(2), 101, source), Err(Full));
        }
    }

    #[test]
    fn removing_everything_leaves_nothing_counted() {
        let mut index = full();
        index.insert(at(7), entry(None, 1));
        index.insert(at(7), entry(Some(3), 2));
        let all: Vec<Distance> = index.iter().map(|(at, _)| *at).collect();
        for distance in all {
            index.remove(&distance);
        }
        assert_eq!((index.all, index.own, index.sources.len()), (Share::default(), Share::default(), 0));
    }
}
