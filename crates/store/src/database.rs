//! The engine below the tables: one keyspace, written by one ingestion per commit (see `docs/adr/0002-storage-engine.md`).
//!
//! A row's key starts with the byte of its [`Table`]. Nothing but [`Database::ingest`] changes a row, so every change is
//! atomic and durable when it returns. Not its job: what is in a row.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fjall::config::{CompressionPolicy, PartitioningPolicy, PinningPolicy};
use fjall::{KeyspaceCreateOptions, PersistMode, Readable};

use crate::error::Error;

/// Commits that are not merged yet, from which on the next one waits: a read looks into each of them.
const MAX_UNMERGED: usize = 12;

/// Longest wait for merges; then reads get slower instead.
const MERGE_PATIENCE: Duration = Duration::from_secs(60);

/// How often a waiting commit looks whether a merge has ended; the engine does not tell.
const MERGE_POLL: Duration = Duration::from_millis(5);

/// A table, as the first byte of its rows' keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Table {
    /// Outpoint → coin. The first byte: a commit writes the coins before all other rows.
    Coins = b'C',
    /// Height and hash of a block → its filter.
    Filters = b'F',
    /// Height and hash of a block → its filter header.
    FilterHeaders = b'G',
    /// Sequence number → record of a block.
    Index = b'I',
    /// Number of a block file → what is in it.
    Files = b'L',
    /// What callers keep.
    Meta = b'M',
    /// Schema, chain and tip.
    State = b'S',
}

impl Table {
    /// The key of the row `name` of this table.
    pub(crate) fn key(self, name: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(name.len().saturating_add(1));
        key.push(self.byte());
        key.extend_from_slice(name);
        key
    }

    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }

    /// What it is called in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Coins => "coin",
            Self::Filters => "filter",
            Self::FilterHeaders => "filter header",
            Self::Index => "block index",
            Self::Files => "block file",
            Self::Meta => "metadata",
            Self::State => "state",
        }
    }
}

/// Rows to be written, and with `None` deleted; keys include the table's byte.
pub(crate) type Rows = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The open engine.
pub(crate) struct Database {
    engine: fjall::Database,
    rows: fjall::Keyspace,
    path: PathBuf,
}

/// Writes the row with this key, or deletes it; keys must come in ascending order, each once.
pub(crate) type Put<'a> = dyn FnMut(&[u8], Option<&[u8]>) -> Result<(), Error> + 'a;

/// Rows of one state of the database, whatever is written meanwhile.
pub(crate) struct Snapshot<'a> {
    snapshot: fjall::Snapshot,
    database: &'a Database,
}

impl Database {
    /// Opens or makes the engine's files in `path`, with a cache of blocks of `cache` bytes.
    pub(crate) fn open(path: &Path, cache: u64) -> Result<Self, Error> {
        let open = || {
            // Merging is its only work in the background: ingestion needs no flushing.
            let engine = fjall::Database::builder(path).cache_size(cache).worker_threads(1).open()?;
            let rows = engine.keyspace("rows", || {
                KeyspaceCreateOptions::default()
                    // Hashes and compressed amounts do not shrink further.
                    .data_block_compression_policy(CompressionPolicy::disabled())
                    // A read loads 4 KiB of a table's filter, and not all of it (1 MB of a full table): without this,
                    // reads of 12 million coins took 15 times as long, once the filters outgrew the cache.
                    .filter_block_partitioning_policy(PartitioningPolicy::all(true))
                    .index_block_partitioning_policy(PartitioningPolicy::all(true))
                    // Memory is for the coins above.
                    .filter_block_pinning_policy(PinningPolicy::all(false))
                    .index_block_pinning_policy(PinningPolicy::all(false))
            })?;
            Ok(Self { engine, rows, path: path.to_path_buf() })
        };
        open().map_err(Error::engine(path))
    }

    /// The row at `key` (which includes the table's byte).
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<fjall::Slice>, Error> {
        self.rows.get(key).map_err(Error::engine(&self.path))
    }

    /// The state as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { snapshot: self.engine.snapshot(), database: self }
    }

    /// Makes everything that `fill` writes visible and durable, at once when it ends; nothing of it if it fails.
    pub(crate) fn ingest(&self, fill: impl FnOnce(&mut Put<'_>) -> Result<(), Error>) -> Result<(), Error> {
        // Before and not after: what has been written has been written.
        self.check()?;
        self.wait_for_merges()?;
        let mut ingestion = self.rows.start_ingestion().map_err(Error::engine(&self.path))?;
        fill(&mut |key, value| {
            let written = match value {
                Some(value) => ingestion.write(key, value),
                None => ingestion.write_tombstone(key),
            };
            written.map_err(Error::engine(&self.path))
        })?;
        ingestion.finish().map_err(Error::engine(&self.path))
    }

    /// Whether a merge in the background has failed, which ingestion does not ask. The journal is empty, so nothing is
    /// written.
    fn check(&self) -> Result<(), Error> {
        self.engine.persist(PersistMode::Buffer).map_err(Error::engine(&self.path))
    }

    /// Lets merging catch up, if it is far behind: the engine itself never holds up an ingestion.
    fn wait_for_merges(&self) -> Result<(), Error> {
        let start = Instant::now();
        while self.rows.l0_table_count() > MAX_UNMERGED && start.elapsed() < MERGE_PATIENCE {
            self.check()?;
            thread::sleep(MERGE_POLL);
        }
        Ok(())
    }

    /// Writes these rows and nothing else.
    pub(crate) fn write(&self, rows: Rows) -> Result<(), Error> {
        self.ingest(|put| put_rows(put, rows))
    }
}

/// Writes and deletes rows in the order of their keys; of two with one key the later one counts.
pub(crate) fn put_rows(put: &mut Put<'_>, mut rows: Rows) -> Result<(), Error> {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let keys = rows.iter().skip(1).map(|(key, _)| Some(key)).chain([None]);
    for ((key, value), next) in rows.iter().zip(keys) {
        if next != Some(key) {
            put(key, value.as_deref())?;
        }
    }
    Ok(())
}

impl Snapshot<'_> {
    /// The row at `key` (which includes the table's byte).
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<fjall::Slice>, Error> {
        self.snapshot.get(&self.database.rows, key).map_err(Error::engine(&self.database.path))
    }

    /// All rows of a table in the order of their keys.
    pub(crate) fn scan(&self, table: Table) -> Scan {
        let iterator = self.snapshot.prefix(&self.database.rows, [table.byte()]);
        Scan { iterator, path: self.database.path.clone() }
    }
}

/// The rows of a table in one state.
pub(crate) struct Scan {
    iterator: fjall::Iter,
    path: PathBuf,
}

impl Iterator for Scan {
    type Item = Result<(fjall::Slice, fjall::Slice), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let guard = self.iterator.next()?;
        Some(guard.into_inner().map_err(Error::engine(&self.path)))
    }
}

/// A row's key without its table's byte.
pub(crate) fn name(key: &[u8]) -> &[u8] {
    key.get(1..).unwrap_or_default()
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_scanned_alone_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), 1 << 20).unwrap();
        let row = |table: Table, name: u8| (table.key(&[name]), Some(vec![name]));
        let rows =
            [Table::State, Table::Index, Table::Meta].into_iter().flat_map(|table| [row(table, 2), row(table, 1)]);
        database.write(rows.collect()).unwrap();
        database.write(vec![(Table::Index.key(&[2]), None), row(Table::Index, 3), row(Table::Index, 0)]).unwrap();
        let names: Vec<_> = database.snapshot().scan(Table::Index).map(|row| row.unwrap().1.to_vec()).collect();
        assert_eq!(names, [[0], [1], [3]]);
        assert_eq!(database.get(&Table::Index.key(&[2])).unwrap(), None);
        assert_eq!(database.snapshot().scan(Table::Coins).count(), 0);
    }

    #[test]
    fn nothing_of_a_failed_write_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), 1 << 20).unwrap();
        let failed = database.ingest(|put| put(b"Ma", Some(b"a")).and(Err(Error::Stopped)));
        assert!(matches!(failed, Err(Error::Stopped)));
        assert_eq!(database.get(b"Ma").unwrap(), None);
    }

    #[test]
    fn commits_never_run_far_ahead_of_merges() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(directory.path(), 1 << 20).unwrap();
        for number in 0..50_u8 {
            database.write((0..100).map(|name| (Table::Meta.key(&[name]), Some(vec![number]))).collect()).unwrap();
            assert!(database.rows.l0_table_count() <= MAX_UNMERGED.saturating_add(1));
        }
        assert!(database.snapshot().scan(Table::Meta).all(|row| *row.unwrap().1 == [49]));
    }
}
