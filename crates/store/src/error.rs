//! What can go wrong with state on disk, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use yap_chain::{coin, undo};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two processes must not write the same files.
    #[error("{} is in use by another process: stop that one, or choose another directory", directory.display())]
    InUse {
        /// The store's directory.
        directory: PathBuf,
    },
    /// The directory holds another chain.
    #[error(
        "{} holds the chain \"{found}\" with genesis block {genesis}, not \"{wanted}\": choose another directory",
        directory.display()
    )]
    OtherChain {
        /// The store's directory.
        directory: PathBuf,
        /// The chain it was made for.
        found: String,
        /// That chain's first block.
        genesis: BlockHash,
        /// The chain it was opened for.
        wanted: String,
    },
    /// The tables are gone or empty, but block files are there.
    #[error("{} holds block files, but the tables that go with them are missing", directory.display())]
    NoTables {
        /// The store's directory.
        directory: PathBuf,
    },
    /// A later version of the program wrote the directory.
    #[error("{} was written by a newer version (schema {found}, known up to {known}): update", directory.display())]
    Newer {
        /// The store's directory.
        directory: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this version reads.
        known: u32,
    },
    /// There is no space left.
    #[error("the disk is full at {}: make room, then start again; nothing that was committed is lost", path.display())]
    DiskFull {
        /// What was written.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The engine below the tables failed.
    #[error("the tables in {} cannot be used: {source}", path.display())]
    Engine {
        /// The tables' directory.
        path: PathBuf,
        /// What it said.
        source: fjall::Error,
    },
    /// The engine could not merge tables in the background.
    #[error(
        "merging the tables in {} failed, most likely because the disk is full: make room, then start again; nothing that \
         was committed is lost",
        path.display()
    )]
    Merge {
        /// The tables' directory.
        path: PathBuf,
    },
    /// A block file does not hold what was written to it.
    #[error("damaged: {} at byte {offset}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record starts, behind its frame.
        offset: u64,
        /// What is wrong with it.
        why: Damage,
    },
    /// A row of a table does not hold what was written to it.
    #[error("damaged: {table} row {key:02x?}: {why}")]
    DamagedRow {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: Vec<u8>,
        /// What is wrong with it.
        why: RowDamage,
    },
    /// The block was deleted to save space.
    #[error("the blocks of file {file} are pruned")]
    Pruned {
        /// Number of the file.
        file: u32,
    },
    /// The block number of files is used up.
    #[error("no more block files can be numbered")]
    TooManyFiles,
    /// A block or undo record that no file can take.
    #[error("a record of {size} bytes fits no block file")]
    TooLarge {
        /// Its length.
        size: usize,
    },
    /// A name in a batch is longer than [`MAX_NAME`](crate::MAX_NAME).
    #[error("a name of {length} bytes is too long")]
    NameTooLong {
        /// Its length.
        length: usize,
    },
    /// An earlier write failed, so memory and disk no longer agree.
    #[error("an earlier write failed: start again from the last commit")]
    Stopped,
    /// The thread that commits ended early, because the engine found its own state impossible.
    #[error("the commit broke off")]
    BrokenOff,
}

/// What is wrong with a record of a block file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file ends before it.
    #[error("the file ends too early")]
    Missing,
    /// Its frame does not start with the network's magic.
    #[error("no record starts there")]
    Magic,
    /// Its length is impossible.
    #[error("a length of {0} bytes cannot be")]
    Length(u32),
    /// Its checksum does not fit its bytes.
    #[error("the checksum is wrong")]
    Checksum,
    /// The checksum is right, but the bytes are not undo data.
    #[error("no undo data: {0}")]
    Undo(undo::codec::Error),
}

/// What is wrong with a row of a table.
#[derive(Debug, thiserror::Error)]
pub enum RowDamage {
    /// It is shorter or longer than its kind.
    #[error("{0} bytes are too few or too many")]
    Length(usize),
    /// It is not a coin.
    #[error("no coin: {0}")]
    Coin(coin::codec::Error),
    /// It has a field with a value that cannot be.
    #[error("a field has an impossible value")]
    Field,
    /// It must be there, and is not.
    #[error("it is missing")]
    Missing,
}

impl Error {
    /// An I/O error at `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| {
            let path = path.to_path_buf();
            let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            if full { Self::DiskFull { path } } else { Self::Io { path, source } }
        }
    }

    /// An error of the engine that keeps its tables in `path`.
    pub(crate) fn engine(path: &Path) -> impl FnOnce(fjall::Error) -> Self {
        |source| {
            if let fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) = source {
                Self::io(path)(source)
            } else if matches!(source, fjall::Error::Poisoned) {
                // Nothing is written through the journal, so only merging can have set this.
                Self::Merge { path: path.to_path_buf() }
            } else {
                Self::Engine { path: path.to_path_buf(), source }
            }
        }
    }
}
