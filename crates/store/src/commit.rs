//! One commit: what is in it, and how it reaches the disk.

mod sort;

use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use bitcoin::BlockHash;
use bitcoin::bip158::FilterHeader;
use bitcoin::hashes::Hash;

use crate::blocks::Unsynced;
use crate::coins;
use crate::database::{Rows, Table, put_rows};
use crate::error::Error;
use crate::index::Record;
use crate::reader::Shared;
use crate::state::{Committed, Tip};

/// Longest name of a row that callers keep.
pub const MAX_NAME: usize = 255;

/// What a commit writes beside the coins that changed.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The block that the UTXO set stands at.
    pub tip: Tip,
    /// Records of the index that are new or have changed.
    pub records: Vec<Record>,
    /// Filters of blocks that were connected.
    pub filters: Vec<Filter>,
    /// Rows that callers keep; `None` deletes one. A name is of any bytes, up to [`MAX_NAME`].
    pub meta: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Block files to delete, as [`Reader::prunable`](crate::Reader::prunable) named them; the records of their blocks
    /// are among `records`, [pruned](Record::prune).
    pub pruned: Vec<u32>,
}

impl Batch {
    /// A batch of the coins alone.
    #[must_use]
    pub fn new(tip: Tip) -> Self {
        Self { tip, records: Vec::new(), filters: Vec::new(), meta: Vec::new(), pruned: Vec::new() }
    }

    /// The rows of all this.
    pub(crate) fn rows(self) -> Result<Rows, Error> {
        let length = self.meta.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        if length > MAX_NAME {
            return Err(Error::NameTooLong { length });
        }
        let records = self.records.iter();
        let records = records.map(|record| (Table::Index.key(&record.sequence.to_be_bytes()), Some(record.encode())));
        let filters = self.filters.into_iter().flat_map(|filter| {
            let name = filter_name(filter.height, &filter.block);
            let header = filter.header.to_byte_array().to_vec();
            [(Table::Filters.key(&name), Some(filter.bytes)), (Table::FilterHeaders.key(&name), Some(header))]
        });
        let meta = self.meta.into_iter().map(|(name, value)| (Table::Meta.key(&name), value));
        Ok(records.chain(filters).chain(meta).collect())
    }
}

/// The basic filter of a block (BIP-0158) and its place in the chain of filter headers (BIP-0157).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Height of the block.
    pub height: u32,
    /// Hash of the block.
    pub block: BlockHash,
    /// The filter header.
    pub header: FilterHeader,
    /// The filter.
    pub bytes: Vec<u8>,
}

/// The name of a block's rows in the filter tables: filters of neighbouring blocks are neighbours.
pub(crate) fn filter_name(height: u32, block: &BlockHash) -> Vec<u8> {
    [height.to_be_bytes().as_slice(), block.as_byte_array()].concat()
}

/// A commit under way.
#[derive(Debug)]
pub(crate) struct Pending {
    thread: JoinHandle<Result<(), Error>>,
    pub(crate) committed: Committed,
}

/// What a commit writes.
pub(crate) struct Work {
    pub(crate) coins: Arc<coins::Table>,
    pub(crate) unsynced: Unsynced,
    pub(crate) rows: Rows,
    pub(crate) pruned: Vec<u32>,
}

impl Pending {
    /// Starts a commit on a thread of its own.
    pub(crate) fn start(shared: Arc<Shared>, work: Work, committed: Committed) -> Result<Self, Error> {
        let directory = shared.directory.clone();
        let builder = thread::Builder::new().name("commit".to_owned());
        let thread = builder.spawn(move || write(&shared, work)).map_err(Error::io(&directory))?;
        Ok(Self { thread, committed })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Result<(), Error> {
        self.thread.join().unwrap_or(Err(Error::BrokenOff))
    }
}

/// Sorted buckets that wait to be written, at most: some 200 kB of a full cache's.
const AHEAD: usize = 4;

/// Carries out a commit: the order of the steps is what makes it safe.
///
/// Two threads help: one waits for the disk, one sorts. What the tables are given counts with their last step alone, and
/// that waits for both.
fn write(shared: &Shared, work: Work) -> Result<(), Error> {
    let Work { coins, unsynced, rows, pruned } = work;
    let coins = &*coins;
    let thread = |name: &str| thread::Builder::new().name(name.to_owned());
    thread::scope(|scope| {
        let failed = || Error::io(&shared.directory);
        // 1. The bytes that rows will name.
        let synced = thread("sync").spawn_scoped(scope, move || unsynced.sync()).map_err(failed())?;
        let (send, sorted) = mpsc::sync_channel(AHEAD);
        let sorter = thread("sort").spawn_scoped(scope, move || sort::send(coins, &send)).map_err(failed())?;
        // 2. Everything else, at once.
        shared.database.ingest(|put| {
            sorted.iter().try_for_each(|bucket: sort::Bucket| bucket.for_each(put))?;
            put_rows(put, rows)?;
            sorter.join().map_err(|_| Error::BrokenOff)?;
            synced.join().unwrap_or(Err(Error::BrokenOff))
        })
    })?;
    // 3. What no row names any more. What is left now, the next opening deletes.
    if let Err(error) = shared.files().delete(&pruned) {
        tracing::warn!(%error, "could not delete pruned blocks");
    }
    Ok(())
}
