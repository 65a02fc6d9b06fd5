//! The wallet's directory: `wallet.log`, which grows at its end, `wallet.key`, which opens it, and `wallet.mark`, which says
//! how long the log was.
//!
//! All are for their owner alone (0600, in a directory of 0700). A file that takes another's place is written beside it,
//! flushed, and renamed, so that there is always one whole file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use yap_wallet::{Changes, Key};
use zeroize::Zeroizing;

use super::PurseError;
use super::mark::Mark;

/// Longest file that is read: 4 GiB, far more than a wallet of a million transactions has.
const MAX_FILE: u64 = 4 << 30;

/// Where a wallet is on disk.
#[derive(Clone, Debug)]
pub(super) struct Files {
    directory: PathBuf,
    log: PathBuf,
    key: PathBuf,
    mark: PathBuf,
}

impl Files {
    pub(super) fn new(directory: &Path) -> Self {
        let at = |name| directory.join(name);
        Self { directory: directory.to_owned(), log: at("wallet.log"), key: at("wallet.key"), mark: at("wallet.mark") }
    }

    pub(super) fn exist(&self) -> bool {
        self.log.exists()
    }

    pub(super) fn log_path(&self) -> &Path {
        &self.log
    }

    /// A key without its wallet is left from a wallet that was moved away by half: it too is kept.
    pub(super) fn refuse_existing(&self) -> Result<(), PurseError> {
        let there = [&self.log, &self.key].into_iter().find(|path| path.exists());
        there.map_or(Ok(()), |path| Err(PurseError::Exists { path: path.clone() }))
    }

    /// Writes a new wallet: the key first, since a key without a wallet is worth nothing.
    pub(super) fn create(&self, key: &Key, log: &[u8]) -> Result<(), PurseError> {
        private_directory(&self.directory).map_err(|cause| PurseError::io(&self.directory, cause))?;
        self.refuse_existing()?;
        self.put(&self.key, key.as_slice())?;
        if let Err(error) = self.put(&self.log, log) {
            // So that it can be tried again.
            let _ = fs::remove_file(&self.key);
            return Err(error);
        }
        self.mark(log.len());
        Ok(())
    }

    /// Requires that no record is missing at the end of the log, of which so many bytes are whole records.
    pub(super) fn check_end(&self, whole: usize) -> Result<(), PurseError> {
        let Some(mark) = Mark::read(&self.mark) else {
            self.mark(whole);
            return Ok(());
        };
        let there = u64::try_from(whole).unwrap_or(u64::MAX);
        let log = Mark::of(&self.log, there).map_err(|cause| PurseError::io(&self.log, cause))?;
        if mark.missing(log).is_some() {
            let (log, mark_file) = (self.log.clone(), self.mark.clone());
            return Err(PurseError::Shortened { log, there, was: mark.length, mark: mark_file });
        }
        self.mark(whole);
        Ok(())
    }

    /// Notes how long the log is, which is on disk. Without the note everything goes on; only a loss would go unnoticed.
    fn mark(&self, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        if let Err(error) = Mark::of(&self.log, length).and_then(|mark| mark.write(&self.mark)) {
            tracing::warn!(file = %self.mark.display(), %error, "can't note how long the wallet's log is");
        }
    }

    pub(super) fn key(&self) -> Result<Key, PurseError> {
        let bytes = read(&self.key).map_err(|_| PurseError::NoKeyFile { path: self.key.clone() })?;
        let key: [u8; 32] =
            bytes.as_slice().try_into().map_err(|_| PurseError::NoKeyFile { path: self.key.clone() })?;
        Ok(Key::new(key))
    }

    pub(super) fn log(&self) -> Result<Zeroizing<Vec<u8>>, PurseError> {
        read(&self.log)
    }

    /// Cuts the log to so many bytes.
    pub(super) fn cut(&self, length: usize) -> Result<(), PurseError> {
        let cut = || {
            let file = OpenOptions::new().write(true).open(&self.log)?;
            file.set_len(u64::try_from(length).unwrap_or(u64::MAX))?;
            file.sync_all()
        };
        cut().map_err(|cause| PurseError::io(&self.log, cause))
    }

    /// Writes what changed; it is on disk when this returns.
    pub(super) fn keep(&self, changes: &Changes) -> Result<(), PurseError> {
        match changes {
            Changes::Append(bytes) => {
                let length = self.append(bytes).map_err(|cause| PurseError::io(&self.log, cause))?;
                self.mark(length);
            }
            Changes::Replace(bytes) => {
                self.put(&self.log, bytes)?;
                self.mark(bytes.len());
            }
        }
        Ok(())
    }

    /// Gives how long the log is then.
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = OpenOptions::new().append(true).open(&self.log)?;
        let before = file.metadata()?.len();
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a record would be dropped at the next start; better now, while more may follow.
            let _ = file.set_len(before);
        }
        written?;
        Ok(usize::try_from(before).unwrap_or(usize::MAX).saturating_add(bytes.len()))
    }

    /// Puts a file in place, at once.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), PurseError> {
        let beside = path.with_extension("new");
        let put = || {
            let mut file = private_file(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            sync_directory(&self.directory)
        };
        put().map_err(|cause| PurseError::io(path, cause))
    }
}

/// Writes a file for its owner alone, such as a backup; one that is there is not overwritten.
///
/// # Errors
/// [`PurseError::Exists`], [`PurseError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), PurseError> {
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        restrict(&mut options);
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|cause| {
        let exists = cause.kind() == io::ErrorKind::AlreadyExists;
        if exists { PurseError::Exists { path: path.to_owned() } } else { PurseError::io(path, cause) }
    })
}

/// Reads a file that may hold secrets.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PurseError> {
    let read = || {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large for a wallet"));
        }
        // Room for all of it at once: a vector that grows leaves copies of secrets behind.
        let room = usize::try_from(length).unwrap_or(0).saturating_add(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|cause| PurseError::io(path, cause))
}

fn private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    restrict(&mut options);
    options.open(path)
}

#[cfg(unix)]
pub(super) fn restrict(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(super) fn restrict(_: &mut OpenOptions) {}

/// A rename is on disk once its directory is.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
