//! Why there is no wallet.

use std::io;
use std::path::{Path, PathBuf};

use yap_wallet::{BackupError, OpenError};

/// Why a wallet is not made, opened or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PurseError {
    /// There is one, which is never overwritten.
    #[error(
        "there is a wallet in {path} already, and it is never overwritten. Back it up (`yap wallet backup`), then move \
         its directory away"
    )]
    Exists {
        /// Its file.
        path: PathBuf,
    },
    /// The key file is gone.
    #[error(
        "the wallet's key file {path} is missing or not 32 bytes long: put it back, or restore the wallet from a backup \
         or its words"
    )]
    NoKeyFile {
        /// The key file.
        path: PathBuf,
    },
    /// Records at the end of the file are gone.
    #[error(
        "{log} has lost its end: {there} bytes of it are there, where it had {was}. Put the whole file back, or move the \
         wallet's directory away and restore the wallet from a backup or its words. To go on with what is left, remove \
         {mark}: payments and blocks are found again, newer labels are not"
    )]
    Shortened {
        /// The file.
        log: PathBuf,
        /// Bytes of its whole records.
        there: u64,
        /// Bytes that it had.
        was: u64,
        /// The file that says so.
        mark: PathBuf,
    },
    /// The disk.
    #[error("{path}: {cause}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The backup does not open.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The operating system has no randomness.
    #[error("the operating system gives no randomness, without which there are no safe keys")]
    Entropy,
    /// The operating system has no thread.
    #[error("the wallet's thread can't be started: {cause}")]
    Thread {
        /// What the operating system said.
        cause: io::Error,
    },
}

impl PurseError {
    pub(super) fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause }
    }
}
