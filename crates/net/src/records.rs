//! The record store of the DHT: what this node keeps for the network, and what it put itself.
//!
//! A record is a key of at most [`MAX_KEY`] bytes and a value of at most [`MAX_VALUE`]; a provider is a peer that says
//! of a key that it has what the key stands for. Both are on disk with [`Store::open`]'s directory, and what is known
//! of each without reading it is in memory.
//!
//! - **Durable.** Whatever was put is there again after the death of the process; a power cut may cost the last
//!   seconds. Expiries are kept on the wall clock. What is our own stays our own, so that it is put anew after a restart.
//! - **One order.** Of two values of a key the later stays, whoever gives it and however often ([`value`]). Nothing is
//!   signed: whoever knows a key may put another value under it.
//! - **Bounded.** Bytes and number in all, and of each peer that gives ([`limits`]). Whatever is farthest from this
//!   node's name gives way, our own never.
//! - **Damage** costs the rows that are damaged, with a warning ([`log`]). A fault of the disk costs the record that was
//!   to be written; the node goes on.
//!
//! Not its job: who should hold a record (`service`).
//!
//! | module | owns |
//! |---|---|
//! | [`value`] | what peers exchange: a value and its revision |
//! | [`row`] | what is written |
//! | [`log`] | rows in files |
//! | [`shelf`] | rows in files or in memory |
//! | [`limits`] | the bounds |
//! | [`index`] | what is known of each record |
//! | [`providers`] | what is known of each provider |
//! | [`pace`] | how fast one peer may have us write |
//! | [`clock`] | both clocks |
//! | [`keep`] | what the service wants of the store |

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libp2p::kad::store::{self, RecordStore};
use libp2p::kad::{KBucketKey, ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};

use self::clock::Clock;
use self::index::{Distance, Entry, Index};
use self::limits::{Limits, MAX_ADDRESS, MAX_ADDRESSES};
use self::log::Log;
use self::pace::Pace;
use self::providers::{Held, Providers};
use self::row::Row;
use self::shelf::{Place, Shelf};
use self::value::Value;
use crate::config::{self, MAX_KEY, MAX_VALUE};
use crate::error::StartError;

mod clock;
mod index;
mod keep;
mod limits;
mod log;
mod pace;
mod providers;
mod row;
mod shelf;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use index::Distance as Position;
pub(crate) use value::Value as Versioned;

/// An expiry that never comes: that of what is ours.
const NEVER: u64 = u64::MAX;

/// An expiry that moves by less than this part of a record's life is not written anew.
const MOVE: u32 = 64;

/// Most records that peers gave and the service has not heard of.
const MAX_RECEIVED: usize = 1_024;

/// Most damaged records that are found before they are struck off.
const MAX_DAMAGED: usize = 64;

/// A record with less left of its life is not given to anyone: on the wire, a life of less than a second is one that
/// never ends (libp2p-kad 0.49), and whoever gets it begins a new one.
const LAST: Duration = Duration::from_secs(2);

/// Bytes of rows that are cleaned for each that is written.
const CLEAN: u64 = 256 << 10;

/// Why the records could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The folder or a file in it can't be made, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another node has them open.
    #[error("another node has locked {}", .0.display())]
    Locked(PathBuf),
}

impl OpenError {
    /// For the owner of the node.
    pub(crate) fn at(self, folder: &Path) -> StartError {
        StartError::Records { path: folder.to_path_buf(), why: self.to_string() }
    }
}

/// The records and provider records that this node holds.
#[derive(Debug)]
pub(crate) struct Store {
    local: PeerId,
    /// Hash of our name.
    hash: Distance,
    lifetime: Duration,
    clock: Clock,
    shelf: Shelf,
    index: Index,
    providers: Providers,
    /// Who gives what is put now, as a fingerprint; 0 for ourselves.
    source: u64,
    pace: Pace,
    /// What peers gave, and the service has not heard of.
    received: Vec<RecordKey>,
    /// What turned out to be damaged when it was read.
    damaged: RefCell<Vec<Distance>>,
}

impl Store {
    /// Opens what was kept in `directory/records`, or begins with nothing; without a directory everything is in memory.
    pub(crate) fn open(local: PeerId, directory: Option<&Path>, config: &config::Records) -> Result<Self, OpenError> {
        Self::open_at(local, directory, config, Clock::new())
    }

    fn open_at(
        local: PeerId,
        directory: Option<&Path>,
        config: &config::Records,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let limits = Limits::new(config.room);
        let mut store = Self {
            local,
            hash: hash(KBucketKey::from(local).hashed_bytes()),
            lifetime: config.lifetime,
            clock,
            shelf: Shelf::new(None),
            index: Index::new(limits),
            providers: Providers::new(&limits),
            source: 0,
            pace: Pace::default(),
            received: Vec::new(),
            damaged: RefCell::default(),
        };
        if let Some(directory) = directory {
            let folder = directory.join("records");
            let log = Log::open(&folder, config.room, &mut |place, row| store.load(place, row))?;
            store.shelf = Shelf::new(Some(log));
            store.trim();
        }
        Ok(store)
    }

    /// Takes a row that was written earlier.
    fn load(&mut self, place: log::Place, bytes: &[u8]) {
        let (place, size) = (Place::Disk(place), shelf::size(bytes));
        match Row::decode(bytes) {
            Some(Row::Record(row)) => {
                let distance = self.distance(&row.key);
                // One of ours that nobody took yet is offered to everybody.
                let known = (row.published == Some(0)).then(Box::default);
                let entry = Entry {
                    key: row.key,
                    revision: row.revision,
                    expires: row.expires,
                    published: row.published,
                    source: row.source,
                    place,
                    size,
                    touched: None,
                    known,
                };
                self.index.insert(distance, entry);
            }
            Some(Row::Gone { key }) => {
                let distance = self.distance(&key);
                self.index.remove(&distance);
            }
            Some(Row::Provider(row)) => {
                let distance = self.distance(&row.key);
                let held = Held { peer: row.peer, expires: row.expires, announced: row.announced, place, size };
                self.providers.insert(distance, row.key, held);
            }
            Some(Row::NotProvider { key, peer }) => {
                let distance = self.distance(&key);
                self.providers.remove(&distance, &peer);
            }
            None => tracing::warn!("a record that this version can't read is left out"),
        }
    }

    /// How many records are held.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Distance of a key from this node.
    fn distance(&self, key: &RecordKey) -> Distance {
        let mut distance = hash(KBucketKey::new(key.clone()).hashed_bytes());
        for (byte, ours) in distance.iter_mut().zip(self.hash) {
            *byte ^= ours;
        }
        distance
    }

    /// Writes a record, for which there is room, and remembers it.
    fn write(&mut self, row: row::Record) -> io::Result<()> {
        let distance = self.distance(&row.key);
        let known = self.index.get(&distance).filter(|old| old.revision == row.revision);
        let (touched, known) = known.map_or((None, None), |old| (old.touched, old.known.clone()));
        let (key, revision, expires) = (row.key.clone(), row.revision, row.expires);
        let (published, source) = (row.published, row.source);
        let (place, size) = self.append(&Row::Record(row))?;
        let entry = Entry { key, revision, expires, published, source, place, size, touched, known };
        self.index.insert(distance, entry);
        self.clean();
        Ok(())
    }

    fn append(&mut self, row: &Row) -> io::Result<(Place, u64)> {
        self.shelf.write(row).inspect_err(|error| tracing::warn!(%error, "a record could not be written to the disk"))
    }

    /// Strikes a record off.
    fn strike(&mut self, distance: &Distance) {
        if let Some(entry) = self.index.remove(distance) {
            // If this can't be written, the record is back after a restart, until it expires.
            let _ = self.append(&Row::Gone { key: entry.key });
            self.clean();
        }
    }

    fn strike_provider(&mut self, distance: &Distance, key: &RecordKey, peer: &PeerId) {
        if self.providers.remove(distance, peer).is_some() {
            let _ = self.append(&Row::NotProvider { key: key.clone(), peer: *peer });
            self.clean();
        }
    }

    /// Brings what is held within the bounds, which may have become narrower, and strikes damaged records off.
    fn trim(&mut self) {
        for distance in self.damaged.take() {
            self.strike(&distance);
        }
        while let Some(distance) = self.index.excess() {
            self.strike(&distance);
        }
    }

    /// Gives back room on the disk, a little more than what was written needs.
    fn clean(&mut self) {
        let live = self.index.bytes().saturating_add(self.providers.bytes());
        let mut cleaned = 0;
        while cleaned < CLEAN {
            let Some(log) = self.shelf.log() else { return };
            let total = log.total();
            if total <= live.saturating_mul(2).saturating_add(log.limit().saturating_mul(2)) {
                return;
            }
            match log.clean() {
                Ok(Some((place, row))) => {
                    cleaned = cleaned.saturating_add(shelf::size(&row));
                    if let Err(error) = self.carry(place, &row) {
                        tracing::warn!(%error, "a file of records could not be cleaned");
                        // What was not carried must not go with its file.
                        if let Some(log) = self.shelf.log() {
                            log.clean_anew();
                        }
                        return;
                    }
                }
                Ok(None) if log.total() < total => {}
                // There is only one file.
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a file of records could not be cleaned");
                    return;
                }
            }
        }
    }

    /// Appends a row again if it still counts.
    fn carry(&mut self, old: log::Place, bytes: &[u8]) -> io::Result<()> {
        let place = match Row::decode(bytes) {
            Some(Row::Record(row)) => {
                let distance = self.distance(&row.key);
                self.index.get_mut(&distance).map(|entry| &mut entry.place)
            }
            Some(Row::Provider(row)) => {
                let distance = self.distance(&row.key);
                self.providers.get_mut(&distance, &row.peer).map(|held| &mut held.place)
            }
            Some(Row::Gone { .. } | Row::NotProvider { .. }) | None => None,
        };
        if let Some(place) = place.filter(|place| place.is(old))
            && let Some(log) = self.shelf.log()
        {
            *place = Place::Disk(log.append(bytes)?);
        }
        Ok(())
    }

    /// Reads a record; notes that it is damaged if it is.
    fn read(&self, distance: &Distance) -> Option<row::Record> {
        let entry = self.index.get(distance)?;
        match self.shelf.read(&entry.place) {
            Ok(Row::Record(row)) if row.key == entry.key => return Some(row),
            Ok(_) => tracing::warn!("a record is damaged, and left out"),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                tracing::warn!("a record is damaged, and left out");
            }
            Err(error) => {
                tracing::warn!(%error, "a record could not be read from the disk");
                return None;
            }
        }
        let mut damaged = self.damaged.borrow_mut();
        if damaged.len() < MAX_DAMAGED && !damaged.contains(distance) {
            damaged.push(*distance);
        }
        None
    }

    /// As Kademlia has it.
    fn record(&self, row: &row::Record) -> Record {
        let value = Value { revision: row.revision, bytes: &row.value }.encode();
        let expires = match row.expires {
            // Ours never expires here; whoever gets it keeps it as long as any.
            NEVER => Instant::now().checked_add(self.lifetime),
            seconds => self.clock.instant(seconds),
        };
        Record { key: row.key.clone(), value, publisher: None, expires }
    }

    /// When what is put now expires, unless whoever gave it says sooner; wall clock in seconds.
    fn expiry(&self, given: Option<Instant>) -> u64 {
        let now = Instant::now();
        let most = self.clock.seconds(now).saturating_add(self.lifetime.as_secs().max(1));
        given.map_or(most, |given| self.clock.seconds(given).min(most))
    }

    /// Least time by which an expiry must move to be written, in seconds.
    fn least_move(&self) -> u64 {
        self.lifetime.checked_div(MOVE).unwrap_or_default().as_secs()
    }

    /// Whether whoever gives something now may have us write so many bytes.
    fn may_write(&mut self, bytes: u64, now: Instant) -> bool {
        self.source == 0 || self.pace.allow(self.source, bytes, now)
    }

    /// A peer gives a record.
    fn take(&mut self, record: &Record) -> store::Result<()> {
        let value = Value::decode(&record.value).ok_or(store::Error::ValueTooLarge)?;
        let length = record.key.as_ref().len();
        if !(1..=MAX_KEY).contains(&length) || value.bytes.len() > MAX_VALUE {
            return Err(store::Error::ValueTooLarge);
        }
        let now = Instant::now();
        if !value.is_plausible(self.clock.millis(now)) || record.is_expired(now) {
            return Err(store::Error::MaxRecords);
        }
        self.trim();
        let distance = self.distance(&record.key);
        let mut row = row::Record {
            key: record.key.clone(),
            revision: value.revision,
            expires: self.expiry(record.expires),
            published: None,
            source: self.source,
            value: value.bytes.to_vec(),
        };
        if let Some(old) = self.index.get(&distance)
            && old.revision >= value.revision
        {
            if old.revision > value.revision {
                return Err(store::Error::MaxRecords);
            }
            let (expires, moved) = (old.expires, old.expires.saturating_add(self.least_move()));
            if let Some(held) = self.read(&distance) {
                match value.bytes.cmp(&held.value) {
                    std::cmp::Ordering::Less => return Err(store::Error::MaxRecords),
                    std::cmp::Ordering::Equal if expires == NEVER || row.expires <= moved => return Ok(()),
                    // The same again, for longer: it stays with whoever gave it first.
                    std::cmp::Ordering::Equal => row.source = held.source,
                    std::cmp::Ordering::Greater => {}
                }
            }
        }
        if !self.may_write(row.size(), now) {
            return Err(store::Error::MaxRecords);
        }
        let leaving =
            self.index.admit(&distance, row.size(), Some(row.source)).map_err(|_| store::Error::MaxRecords)?;
        for distance in leaving {
            self.strike(&distance);
        }
        self.write(row).map_err(|_| store::Error::MaxRecords)
    }
}

/// The 32 bytes of a hash.
fn hash(bytes: &[u8]) -> Distance {
    bytes.try_into().expect("a key of Kademlia is a SHA-256")
}

/// A short name of a peer, for what is kept of it.
pub(crate) fn fingerprint(peer: &PeerId) -> u64 {
    let hashed = KBucketKey::from(*peer);
    let first = hashed.hashed_bytes().first_chunk::<8>().expect("a key of Kademlia is a SHA-256");
    // 0 is ourselves.
    u64::from_le_bytes(*first).max(1)
}

impl RecordStore for Store {
    type RecordsIter<'a> = Box<dyn Iterator<Item = Cow<'a, Record>> + 'a>;
    type ProvidedIter<'a> = Box<dyn Iterator<Item = Cow<'a, ProviderRecord>> + 'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let distance = self.distance(key);
        let lasts = self.index.get(&distance).is_some_and(|entry| self.lasts(entry, LAST, Instant::now()));
        let row = lasts.then(|| self.read(&distance))??;
        Some(Cow::Owned(self.record(&row)))
    }

    fn put(&mut self, record: Record) -> store::Result<()> {
        self.take(&record)?;
        if self.received.len() < MAX_RECEIVED {
            self.received.push(record.key);
        }
        Ok(())
    }

    /// Called when one has expired.
    fn remove(&mut self, key: &RecordKey) {
        let distance = self.distance(key);
        if self.index.get(&distance).is_some_and(|entry| !entry.is_ours()) {
            self.strike(&distance);
        }
    }

    fn records(&self) -> Self::RecordsIter<'_> {
        let rows = self.index.iter().filter_map(|(distance, _)| self.read(distance));
        Box::new(rows.map(|row| Cow::Owned(self.record(&row))))
    }

    fn add_provider(&mut self, record: ProviderRecord) -> store::Result<()> {
        if !(1..=MAX_KEY).contains(&record.key.as_ref().len()) {
            return Err(store::Error::MaxProvidedKeys);
        }
        let ours = record.provider == self.local;
        let distance = self.distance(&record.key);
        let leaving = self
            .providers
            .admit(&distance, &record.key, &record.provider, ours)
            .map_err(|_| store::Error::MaxProvidedKeys)?;
        if let Some((at, peer)) = leaving {
            let key = self.providers.iter().find(|(distance, _)| **distance == at).map(|(_, held)| held.key.clone());
            if let Some(key) = key {
                self.strike_provider(&at, &key, &peer);
            }
        }
        let short = |address: &Multiaddr| address.len() <= MAX_ADDRESS;
        let row = row::Provider {
            key: record.key.clone(),
            peer: record.provider,
            expires: if ours { NEVER } else { self.expiry(record.expires) },
            announced: ours.then(|| self.announced(&distance)),
            addresses: record.addresses.into_iter().filter(short).take(MAX_ADDRESSES).collect(),
        };
        let (expires, announced) = (row.expires, row.announced);
        let row = Row::Provider(row);
        if !ours && !self.may_write(shelf::size(&row.encode()), Instant::now()) {
            return Err(store::Error::MaxProvidedKeys);
        }
        let (place, size) = self.append(&row).map_err(|_| store::Error::MaxRecords)?;
        let held = Held { peer: record.provider, expires, announced, place, size };
        self.providers.insert(distance, record.key, held);
        self.clean();
        Ok(())
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        let held = self.providers.get(&self.distance(key)).iter();
        held.filter_map(|held| self.provider(held)).collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        let held = self.providers.iter().flat_map(|(_, provided)| &provided.peers);
        let ours = held.filter(|held| held.announced.is_some());
        Box::new(ours.filter_map(|held| self.provider(held)).map(Cow::Owned))
    }

    fn remove_provider(&mut self, key: &RecordKey, peer: &PeerId) {
        let distance = self.distance(key);
        self.strike_provider(&distance, key, peer);
    }
}
