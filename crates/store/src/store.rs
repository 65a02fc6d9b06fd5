//! The store: opening, writing, committing.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::connect::{Changes, Coins};
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;

use crate::blocks::{self, FilePosition, Files, Info};
use crate::coins::{Cache, Known};
use crate::commit::{Batch, Pending, Work};
use crate::database::{Database, Table, name};
use crate::error::Error;
use crate::reader::{Reader, Shared, damaged};
use crate::state::{self, Chain, Committed, Tip};

/// Bytes for the UTXO set in memory: enough for about 200,000 changed coins between two commits. With it, a process that
/// takes in 12 million coins without pause peaks at 130 MB of memory.
pub const DEFAULT_CACHE: usize = 64 << 20;

/// How much of the cache's size the engine may take besides, for blocks of its tables.
const ENGINE_SHARE: usize = 8;

/// How to open a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Name of the chain, for messages.
    pub chain: String,
    /// The chain's magic: it starts each record of the block files.
    pub magic: [u8; 4],
    /// The chain's first block.
    pub genesis: BlockHash,
    /// Bytes for the UTXO set in memory; see [`Store::needs_commit`].
    pub cache: usize,
    /// Bytes from which a block file takes no more blocks.
    pub block_file_size: u32,
}

impl Options {
    /// The usual options for a chain.
    #[must_use]
    pub fn new(spec: &Spec) -> Self {
        Self {
            chain: spec.name.clone(),
            magic: spec.magic,
            genesis: spec.genesis.block_hash(),
            cache: DEFAULT_CACHE,
            block_file_size: blocks::BLOCK_FILE_SIZE,
        }
    }
}

/// Memory that a store may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// For coins: [`Options::cache`].
    pub coins: u64,
    /// For blocks of the tables, besides.
    pub tables: u64,
}

/// A chain's state on disk, and the one that may change it.
#[derive(Debug)]
pub struct Store {
    cache: Cache,
    budgets: Budgets,
    /// The last commit that ended.
    committed: Option<Committed>,
    pending: Option<Pending>,
    /// Coins in the set, changes in memory included.
    count: u64,
    /// Whether the tables have no coins, so that they need not be asked.
    empty: bool,
    /// Whether a write failed, so that memory and disk do not agree any more.
    stopped: bool,
    reader: Reader,
}

impl Store {
    /// Opens the store in `directory`, or makes one.
    ///
    /// # Errors
    /// If another process has it, it belongs to another chain or a newer version, or its files cannot be read.
    pub fn open(directory: &Path, options: &Options) -> Result<Self, Error> {
        make_directory(directory)?;
        let lock = lock(directory)?;
        let blocks = directory.join("blocks");
        make_directory(&blocks)?;
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let budgets = Budgets { coins: bytes(options.cache), tables: bytes(options.cache / ENGINE_SHARE) };
        let tables = directory.join("tables");
        let making = Making::begin(directory, &tables, blocks::any(&blocks)?)?;
        let database = Database::open(&tables, budgets.tables)?;
        if state::is_new(&database)? {
            // Files that no row knows would be deleted as what a crash left: not somebody's whole chain.
            if blocks::any(&blocks)? {
                return Err(Error::NoTables { directory: directory.to_path_buf() });
            }
            blocks::sync_directory(directory)?;
        }
        let chain = Chain { name: &options.chain, magic: options.magic, genesis: options.genesis };
        state::prepare(&database, directory, &chain, state::MIGRATIONS)?;
        making.end()?;
        let snapshot = database.snapshot();
        let committed = Committed::read(&snapshot)?;
        let mut infos = BTreeMap::new();
        for row in snapshot.scan(Table::Files) {
            let (key, row) = row?;
            let decode = || Ok((Info::decode_number(name(&key))?, Info::decode(&row)?));
            infos.extend([decode().map_err(damaged(Table::Files, &key))?]);
        }
        drop(snapshot);
        let files = Files::open(blocks, options.magic, options.block_file_size, infos)?;
        let count = committed.map_or(0, |committed| committed.coins);
        let shared = Shared::new(database, files, directory.to_path_buf(), lock);
        Ok(Self {
            cache: Cache::new(options.cache),
            budgets,
            committed,
            pending: None,
            count,
            empty: count == 0,
            stopped: false,
            reader: Reader { shared: Arc::new(shared) },
        })
    }

    /// What reads the store, also from other threads.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The block of the last commit that is known to have ended; `None` before the first.
    #[must_use]
    pub fn tip(&self) -> Option<Tip> {
        self.committed.map(|committed| committed.tip)
    }

    /// Coins in the set, with all changes that were applied.
    #[must_use]
    pub fn coin_count(&self) -> u64 {
        self.count
    }

    /// Bytes that the UTXO set occupies in memory.
    #[must_use]
    pub fn cache_size(&self) -> usize {
        self.cache.memory()
    }

    /// Bytes that it may take.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        self.budgets
    }

    /// Appends a block of this height to the block files. A commit with its record makes it permanent.
    ///
    /// # Errors
    /// If it cannot be written; the store is then stopped.
    pub fn write_block(&mut self, block: &Block, height: u32) -> Result<FilePosition, Error> {
        self.guard(|store| store.reader.shared.files().write_block(block.bytes(), height))
    }

    /// Appends the undo data of the block at `block`, which follows `parent`. A commit with the block's record makes it
    /// permanent.
    ///
    /// # Errors
    /// If it cannot be written; the store is then stopped.
    pub fn write_undo(&mut self, block: FilePosition, parent: BlockHash, undo: &Undo) -> Result<FilePosition, Error> {
        self.guard(|store| store.reader.shared.files().write_undo(block.file, parent, undo))
    }

    /// Does to the UTXO set what a block does, or taking one back.
    ///
    /// # Errors
    /// If the tables cannot be read; the store is then stopped.
    pub fn apply(&mut self, changes: Changes) -> Result<(), Error> {
        self.guard(|store| {
            for outpoint in &changes.removed {
                store.cache.remove(outpoint);
                store.count = store.count.saturating_sub(1);
            }
            for (outpoint, coin) in changes.created {
                // BIP-0030: two coinbases of Bitcoin's chain repeat earlier ones, whose coins they replace. Nothing
                // else can be there already.
                let overwrites = coin.coinbase && store.coin(&outpoint)?.is_some();
                store.cache.insert(&outpoint, coin, overwrites);
                store.count = store.count.saturating_add(u64::from(!overwrites));
            }
            Ok(())
        })
    }

    /// Whether a commit is due: the changed coins have filled their half of [`Options::cache`], or many block files have
    /// been written to.
    #[must_use]
    pub fn needs_commit(&self) -> bool {
        self.cache.is_full() || self.reader.shared.files().is_full()
    }

    /// Changed coins that are not on disk yet: what a commit that is waited for writes, block data apart.
    #[must_use]
    pub fn changed_coins(&self) -> usize {
        let under_way = if self.is_committing() { self.cache.frozen() } else { 0 };
        self.cache.changed().saturating_add(under_way)
    }

    /// Whether a commit is under way.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.pending.as_ref().is_some_and(Pending::is_running)
    }

    /// Starts to commit everything that was written and applied, together with `batch`. Waits first for a commit that
    /// is under way.
    ///
    /// # Errors
    /// If the commit before failed, or this one cannot start; the store is then stopped.
    pub fn begin_commit(&mut self, batch: Batch) -> Result<(), Error> {
        self.flush()?;
        self.guard(|store| {
            let committed = Committed { tip: batch.tip, coins: store.count };
            let shared = Arc::clone(&store.reader.shared);
            let pruned = batch.pruned.clone();
            let batch = batch.rows()?;
            let (unsynced, mut rows) = {
                let mut files = shared.files();
                files.forget(&pruned);
                files.take_changes()?
            };
            rows.extend(batch);
            rows.push(committed.row());
            let work = Work { coins: store.cache.freeze(), unsynced, rows, pruned };
            store.pending = Some(Pending::start(shared, work, committed)?);
            Ok(())
        })
    }

    /// Waits for the commit that is under way, if there is one.
    ///
    /// # Errors
    /// If it failed; the store is then stopped, and what is on disk is the commit before (or, if only the last
    /// confirmation failed, this one).
    pub fn flush(&mut self) -> Result<(), Error> {
        self.guard(|store| {
            if let Some(pending) = store.pending.take() {
                let committed = pending.committed;
                pending.wait()?;
                store.committed = Some(committed);
                store.empty = store.empty && committed.coins == 0;
                store.cache.thaw();
            }
            Ok(())
        })
    }

    /// Leaves the store because the process ends: waits for a commit that is under way, but not for merges of the
    /// tables, which can take seconds and are safe to break off. Until the process has ended the store stays locked.
    pub fn leave(self) {
        std::mem::forget(Arc::clone(&self.reader.shared));
    }

    /// Runs a step after whose failure nothing may be written any more.
    fn guard<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        step(self).inspect_err(|_| self.stopped = true)
    }
}

impl Coins for Store {
    type Error = Error;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Error> {
        match self.cache.find(outpoint) {
            Known::Coin(coin) => Ok(Some(coin)),
            Known::Absent => Ok(None),
            Known::Unknown if self.empty => Ok(None),
            Known::Unknown => {
                let coin = self.reader.shared.coin(outpoint)?;
                if let Some(coin) = &coin {
                    self.cache.keep(outpoint, coin.clone());
                }
                Ok(coin)
            }
        }
    }
}

impl Drop for Store {
    /// Waits for a commit that is under way, and gives back reserved space.
    fn drop(&mut self) {
        let ended = self.pending.take().map_or(Ok(()), Pending::wait);
        // After an error the next opening tidies up.
        let tidy = || if self.stopped { Ok(()) } else { self.reader.shared.files().close() };
        if let Err(error) = ended.and_then(|()| tidy()) {
            tracing::error!(%error, "closing the store");
        }
    }
}

fn make_directory(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(Error::io(path))
}

/// The file that is there while the tables are made. The engine makes several files one after another, and opens no tables
/// of which some are missing: what a kill left of them is removed, and nothing else is.
struct Making {
    mark: PathBuf,
}

impl Making {
    /// Before the tables are opened. What was being made held nothing yet; with blocks beside it, it is left alone.
    fn begin(directory: &Path, tables: &Path, blocks: bool) -> Result<Self, Error> {
        let mark = directory.join("tables.unfinished");
        let (marked, made) = (exists(&mark)?, exists(tables)?);
        if marked && made && !blocks {
            tracing::warn!(tables = %tables.display(), "they were being made when the program was killed: made anew");
            fs::remove_dir_all(tables).map_err(Error::io(tables))?;
        } else if !marked && !made {
            File::create(&mark).map_err(Error::io(&mark))?;
            blocks::sync_directory(directory)?;
        }
        Ok(Self { mark })
    }

    /// The tables are complete.
    fn end(self) -> Result<(), Error> {
        match fs::remove_file(&self.mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&self.mark)(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io(path))
}

/// Takes the directory for this process.
fn lock(directory: &Path) -> Result<File, Error> {
    let path: PathBuf = directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { directory: directory.to_path_buf() }),
        // A file system without locks (some network mounts) cannot tell; the engine's own lock may.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(Error::io(&path)(error)),
    }
}

#[cfg(test)]
mod tests;
