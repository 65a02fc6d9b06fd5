//! Reading what is committed, from any thread.

use std::fs::{File, Metadata};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bitcoin::bip158::FilterHeader;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, OutPoint};
use yap_chain::coin::{Coin, codec};
use yap_chain::undo::Undo;

use crate::blocks::{FilePosition, Files, KEPT_BLOCKS};
use crate::commit::filter_name;
use crate::database::{Database, Scan, Table, name};
use crate::error::{Error, RowDamage};
use crate::framing;
use crate::index::Record;
use crate::state::{Committed, Tip};

/// What a store and its readers have in common. The lock is held as long as one of them lives.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) database: Database,
    files: Mutex<Files>,
    pub(crate) directory: PathBuf,
    _lock: File,
}

/// Reads a store from any thread. Clones are cheap; the store's files are released when the last one is gone.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) shared: Arc<Shared>,
}

impl Shared {
    pub(crate) fn new(database: Database, files: Files, directory: PathBuf, lock: File) -> Self {
        Self { database, files: Mutex::new(files), directory, _lock: lock }
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        // No step between two changes of the files' state can panic.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The coin in the tables.
    pub(crate) fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, Error> {
        let mut key = [Table::Coins.byte(); 1 + codec::KEY_SIZE];
        if let Some(name) = key.last_chunk_mut() {
            *name = codec::key(outpoint);
        }
        let row = self.database.get(&key)?;
        row.map(|row| decode_coin(&row).map_err(damaged(Table::Coins, &key))).transpose()
    }
}

impl Reader {
    /// The block at `position`, which must come from its record: its bytes as they were written.
    ///
    /// # Errors
    /// If its file is pruned or damaged, or cannot be read.
    pub fn block(&self, position: FilePosition) -> Result<Vec<u8>, Error> {
        let place = self.shared.files().block(position)?;
        place.read_block()
    }

    /// The undo data at `position`, of a block that follows `parent`.
    ///
    /// # Errors
    /// If its file is pruned or damaged, or cannot be read; also if it is the undo data of another parent's child.
    pub fn undo(&self, position: FilePosition, parent: BlockHash) -> Result<Undo, Error> {
        let place = self.shared.files().undo(position)?;
        place.read_undo(parent)
    }

    /// Numbers of the block files.
    #[must_use]
    pub fn block_files(&self) -> Vec<u32> {
        self.shared.files().numbers()
    }

    /// Everything in a block file, with what is damaged.
    ///
    /// # Errors
    /// If there is no such file, or it cannot be read.
    pub fn scan_blocks(&self, file: u32) -> Result<framing::Reader<io::Take<File>>, Error> {
        self.shared.files().scan(file)
    }

    /// Bytes of all block and undo files.
    #[must_use]
    pub fn block_files_size(&self) -> u64 {
        self.shared.files().total()
    }

    /// Bytes that the tables take on disk. The engine's journal is a sparse file, whose length says little.
    ///
    /// # Errors
    /// If their directory cannot be read.
    pub fn tables_size(&self) -> Result<u64, Error> {
        let mut total = 0_u64;
        let mut folders = vec![self.shared.directory.join("tables")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder))? {
                let entry = entry.map_err(Error::io(&folder))?;
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                    Ok(metadata) => total = total.saturating_add(allocated(&metadata)),
                    // A merge of tables has replaced it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::io(&entry.path())(error)),
                }
            }
        }
        Ok(total)
    }

    /// The block files to delete so that at most `target` bytes are left, the oldest first: those whose blocks all lie
    /// at least [`KEPT_BLOCKS`] below the block of height `tip`. A [`Batch`](crate::Batch) deletes them.
    #[must_use]
    pub fn prunable(&self, target: u64, tip: u32) -> Vec<u32> {
        match tip.checked_sub(KEPT_BLOCKS) {
            Some(highest) => self.shared.files().prunable(target, highest),
            None => Vec::new(),
        }
    }

    /// The block files whose blocks all lie at `height` or below it, and at least [`KEPT_BLOCKS`] below the block of height
    /// `tip`, the oldest first. A [`Batch`](crate::Batch) deletes them.
    #[must_use]
    pub fn prunable_up_to(&self, height: u32, tip: u32) -> Vec<u32> {
        match tip.checked_sub(KEPT_BLOCKS) {
            Some(highest) => self.shared.files().prunable(0, highest.min(height)),
            None => Vec::new(),
        }
    }

    /// All records of the index, in the order of their sequence numbers.
    ///
    /// # Errors
    /// If the table cannot be read or is damaged.
    pub fn records(&self) -> Result<Vec<Record>, Error> {
        let rows = self.shared.database.snapshot().scan(Table::Index);
        let decode = |row: Result<(fjall::Slice, fjall::Slice), Error>| {
            let (key, row) = row?;
            Record::decode(name(&key), &row).map_err(damaged(Table::Index, &key))
        };
        rows.map(decode).collect()
    }

    /// The filter of a block of this height.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn filter(&self, height: u32, block: &BlockHash) -> Result<Option<Vec<u8>>, Error> {
        let key = Table::Filters.key(&filter_name(height, block));
        Ok(self.shared.database.get(&key)?.map(|row| row.to_vec()))
    }

    /// The filter header of a block of this height.
    ///
    /// # Errors
    /// If the table cannot be read or is damaged.
    pub fn filter_header(&self, height: u32, block: &BlockHash) -> Result<Option<FilterHeader>, Error> {
        let key = Table::FilterHeaders.key(&filter_name(height, block));
        let Some(row) = self.shared.database.get(&key)? else { return Ok(None) };
        decode_filter_header(&row).map(Some).map_err(damaged(Table::FilterHeaders, &key))
    }

    /// The metadata of this name.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn meta(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.shared.database.get(&Table::Meta.key(name))?.map(|row| row.to_vec()))
    }

    /// The block that the last commit moved to; `None` before the first commit.
    ///
    /// # Errors
    /// If the table cannot be read or is damaged.
    pub fn tip(&self) -> Result<Option<Tip>, Error> {
        let committed = Committed::read(&self.shared.database.snapshot())?;
        Ok(committed.map(|committed| committed.tip))
    }

    /// The whole UTXO set as the last commit left it, whatever is committed meanwhile.
    ///
    /// # Errors
    /// If the tables cannot be read or are damaged.
    pub fn utxos(&self) -> Result<Utxos, Error> {
        let snapshot = self.shared.database.snapshot();
        let committed = Committed::read(&snapshot)?;
        let coins = snapshot.scan(Table::Coins);
        Ok(Utxos { tip: committed.map(|at| at.tip), count: committed.map_or(0, |at| at.coins), coins })
    }
}

/// A whole UTXO set: an iterator over its coins, by txid (as hashed) and output index.
pub struct Utxos {
    tip: Option<Tip>,
    count: u64,
    coins: Scan,
}

impl Utxos {
    /// The block it stands at; `None` before the first commit.
    #[must_use]
    pub fn tip(&self) -> Option<Tip> {
        self.tip
    }

    /// Number of coins in the set, those included that have been read already.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.count
    }
}

impl std::fmt::Debug for Utxos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Utxos").field("tip", &self.tip).field("count", &self.count).finish_non_exhaustive()
    }
}

impl Iterator for Utxos {
    type Item = Result<(OutPoint, Coin), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let decode = |(key, row): (fjall::Slice, fjall::Slice)| {
            let decode = || Ok((decode_outpoint(name(&key))?, decode_coin(&row)?));
            decode().map_err(damaged(Table::Coins, &key))
        };
        Some(self.coins.next()?.and_then(decode))
    }
}

/// The outpoint that names a row of the coins.
pub(crate) fn decode_outpoint(name: &[u8]) -> Result<OutPoint, RowDamage> {
    name.try_into().map(codec::outpoint).map_err(|_| RowDamage::Length(name.len()))
}

/// The coin of a row.
pub(crate) fn decode_coin(row: &[u8]) -> Result<Coin, RowDamage> {
    let mut rest = row;
    let coin = codec::decode(&mut rest).map_err(RowDamage::Coin)?;
    if rest.is_empty() { Ok(coin) } else { Err(RowDamage::Length(row.len())) }
}

/// The filter header of a row.
pub(crate) fn decode_filter_header(row: &[u8]) -> Result<FilterHeader, RowDamage> {
    FilterHeader::from_slice(row).map_err(|_| RowDamage::Length(row.len()))
}

/// Bytes that a file takes on disk.
fn allocated(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512);
    #[cfg(not(unix))]
    return metadata.len();
}

/// A row that is not what was written.
pub(crate) fn damaged(table: Table, key: &[u8]) -> impl FnOnce(RowDamage) -> Error {
    move |why| Error::DamagedRow { table: table.name(), key: name(key).to_vec(), why }
}
