//! What the service wants of the store: its own records, who has which, and what is due.

use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::store::RecordStore as _;
use libp2p::kad::{ProviderRecord, Record, RecordKey};

use super::index::{Distance, Entry};
use super::providers::Held;
use super::row::{self, Row};
use super::value::Value;
use super::{NEVER, Store, fingerprint};
use crate::error::RecordError;

/// Most peers that are known to have a record: those that do, and some that did. The oldest are forgotten.
pub(super) const MAX_KNOWN: usize = 40;

impl Store {
    /// Says who gives what is put next; `None` for nobody.
    pub(crate) fn expect_from(&mut self, peer: Option<&PeerId>) {
        self.source = peer.map_or(0, fingerprint);
    }

    /// Keeps a record of our own, later than `after` and than the one that is here. Says its revision.
    pub(crate) fn publish(&mut self, key: &RecordKey, value: Vec<u8>, after: u64) -> Result<u64, RecordError> {
        self.trim();
        let distance = self.distance(key);
        let held = self.index.get(&distance).map_or(0, Entry::revision).max(after);
        let revision = self.clock.millis(Instant::now()).max(held.saturating_add(1));
        let row = row::Record { key: key.clone(), revision, expires: NEVER, published: Some(0), source: 0, value };
        self.keep(row)?;
        // Nobody has it yet, and whoever comes is to get it.
        self.know(key, &[], None);
        Ok(revision)
    }

    /// Notes that the closest peers got a record of ours.
    pub(crate) fn published(&mut self, key: &RecordKey, now: Instant) {
        let distance = self.distance(key);
        if self.index.get(&distance).is_some_and(Entry::is_ours)
            && let Some(mut row) = self.read(&distance)
        {
            row.published = Some(self.clock.seconds(now));
            // If this can't be written, it is put anew sooner.
            let _ = self.write(row);
        }
    }

    /// Makes a record of ours one of anybody's. Whether there was one.
    pub(crate) fn withdraw(&mut self, key: &RecordKey) -> Result<bool, RecordError> {
        let distance = self.distance(key);
        if !self.index.get(&distance).is_some_and(Entry::is_ours) {
            return Ok(false);
        }
        let Some(mut row) = self.read(&distance) else { return Ok(false) };
        (row.published, row.expires) = (None, self.expiry(None));
        self.write(row).map_err(|_| RecordError::Disk)?;
        Ok(true)
    }

    fn keep(&mut self, row: row::Record) -> Result<(), RecordError> {
        let distance = self.distance(&row.key);
        let leaving = self.index.admit(&distance, row.size(), None).map_err(|_| RecordError::Full)?;
        for distance in leaving {
            self.strike(&distance);
        }
        self.write(row).map_err(|_| RecordError::Disk)
    }

    /// Takes a later value that was found under a key, if there is room: as from a peer, but nobody needs to hear of it.
    pub(crate) fn adopt(&mut self, record: &Record) -> bool {
        self.take(record).is_ok()
    }

    /// What is known of a record.
    pub(crate) fn entry(&self, key: &RecordKey) -> Option<&Entry> {
        self.index.get(&self.distance(key))
    }

    /// The record behind a position in the order of distances, or the first.
    pub(crate) fn after(&self, position: Option<&Distance>) -> Option<(Distance, &Entry)> {
        self.index.after(position).map(|(distance, entry)| (*distance, entry))
    }

    /// What peers gave since this was asked last.
    pub(crate) fn received(&mut self) -> Vec<RecordKey> {
        std::mem::take(&mut self.received)
    }

    /// Notes that these peers have a record, and that all of the closest got it now if `all`.
    pub(crate) fn know(&mut self, key: &RecordKey, peers: &[u32], all: Option<Instant>) {
        let distance = self.distance(key);
        let Some(entry) = self.index.get_mut(&distance) else { return };
        let mut known = entry.known.take().map_or_else(Vec::new, Vec::from);
        known.retain(|peer| !peers.contains(peer));
        known.extend(peers);
        known.drain(..known.len().saturating_sub(MAX_KNOWN));
        entry.known = Some(known.into_boxed_slice());
        entry.touched = all.or(entry.touched);
    }

    /// Whether a record of ours is to be put anew: the closest peers got it before `interval` ago.
    pub(crate) fn is_due(&self, entry: &Entry, interval: Duration, now: Instant) -> bool {
        let due = |published: u64| published.saturating_add(interval.as_secs()) <= self.clock.seconds(now);
        entry.published.is_some_and(due)
    }

    /// Whether a record lives so much longer.
    pub(crate) fn lasts(&self, entry: &Entry, by: Duration, now: Instant) -> bool {
        self.clock.wall(now).saturating_add(by).as_secs() < entry.expires
    }

    /// Strikes the record at a position off if it has expired. Whether it has.
    pub(crate) fn expire(&mut self, position: &Distance, now: Instant) -> bool {
        let seconds = self.clock.seconds(now);
        let expired = self.index.get(position).is_some_and(|entry| entry.expires <= seconds);
        if expired {
            self.strike(position);
        }
        expired
    }

    /// Strikes every provider off that has expired.
    pub(crate) fn expire_providers(&mut self, now: Instant) {
        let seconds = self.clock.seconds(now);
        let mut expired = Vec::new();
        for (distance, provided) in self.providers.iter() {
            let old = provided.peers.iter().filter(|held| held.expires <= seconds);
            expired.extend(old.map(|held| (*distance, provided.key.clone(), held.peer)));
        }
        for (distance, key, peer) in expired {
            self.strike_provider(&distance, &key, &peer);
        }
    }

    /// Keys that we provide, and of which the closest peers heard before `interval` ago.
    pub(crate) fn provide_due(&self, interval: Duration, now: Instant) -> impl Iterator<Item = &RecordKey> {
        let seconds = self.clock.seconds(now);
        let due = move |held: &Held| {
            held.announced.is_some_and(|announced| announced.saturating_add(interval.as_secs()) <= seconds)
        };
        let keys = self.providers.iter().filter(move |(_, provided)| provided.peers.iter().any(due));
        keys.map(|(_, provided)| &provided.key)
    }

    /// Notes that the closest peers heard that we provide a key.
    pub(crate) fn announce(&mut self, key: &RecordKey, now: Instant) {
        let distance = self.distance(key);
        let (local, seconds) = (self.local, self.clock.seconds(now));
        if let Some(held) = self.providers.get_mut(&distance, &local) {
            held.announced = Some(seconds);
            // Written as it is remembered; if it can't be, it is told anew sooner.
            let _ = self.add_provider(ProviderRecord::new(key.clone(), local, Vec::new()));
        }
    }

    /// When it was told last that we provide the key at a distance; wall clock in seconds.
    pub(super) fn announced(&self, distance: &Distance) -> u64 {
        let ours = self.providers.get(distance).iter().find(|held| held.peer == self.local);
        ours.and_then(|held| held.announced).unwrap_or(0)
    }

    /// As Kademlia has it.
    pub(super) fn provider(&self, held: &Held) -> Option<ProviderRecord> {
        match self.shelf.read(&held.place) {
            Ok(Row::Provider(row)) => {
                let expires = self.clock.instant(row.expires);
                Some(ProviderRecord { key: row.key, provider: row.peer, expires, addresses: row.addresses })
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "a provider could not be read");
                None
            }
        }
    }

    /// Milliseconds of the wall clock.
    pub(crate) fn millis(&self, now: Instant) -> u64 {
        self.clock.millis(now)
    }

    /// What is to be done, on a thread that may block, so that everything survives a power cut; `None` if nothing was
    /// written. (The store does it itself when it is dropped.)
    pub(crate) fn sync_later(&mut self) -> Option<impl FnOnce() + Send + 'static> {
        let file = self.shelf.log()?.unsynced()?;
        Some(move || {
            if let Err(error) = file.sync_data() {
                tracing::warn!(%error, "the last records may not survive a power cut");
            }
        })
    }

    /// Whether a value may be what an honest peer put.
    pub(crate) fn is_plausible(&self, value: &Value<'_>, now: Instant) -> bool {
        value.is_plausible(self.millis(now))
    }
}
