//! Pending transactions across restarts: `mempool.dat`, in Bitcoin Core's format (`yap_chain::mempool::dump`).
//!
//! Saving replaces the file in one step. Restoring goes through the same judgement as any other transaction, a part at
//! each [`Admission::step`], so that nothing waits for it. A file that can't be read to its end is kept beside, under
//! another name.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use yap_chain::mempool::{Refusal, dump};

use super::flight::{Origin, Work};
use super::{Admission, Event, Why};
use crate::chainstate::Chainstate;

/// Bytes of the largest file that is read. A full pool of Bitcoin Core's default size takes 100 to 200 MB.
pub const MOST_SAVED_BYTES: u64 = 1 << 30;

/// Transactions of a saved pool that one step looks at: some 10 ms.
const PER_STEP: usize = 1000;

/// Why a pool could not be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The pool that was saved before is still being taken in, so the file has more than the pool.
    #[error("the saved transactions are still being taken in: {path} stays as it is")]
    Restoring {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a saved pool could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file can't be read.
    #[error("{path} cannot be read: {source}; no pending transaction was taken over")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than [`MOST_SAVED_BYTES`].
    #[error("{path} has more than {MOST_SAVED_BYTES} bytes; no pending transaction was taken over")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// What the file has is no saved pool, or not to its end.
    #[error("{path} is damaged ({cause}); it is kept as {aside}, and the transactions before the damage are pending")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it was moved.
        aside: PathBuf,
        /// What is wrong with it.
        cause: dump::Error,
    },
}

/// What came of a saved pool.
#[derive(Debug, Default)]
pub struct Restored {
    /// Transactions that are pending again.
    pub accepted: u64,
    /// Those that were pending already.
    pub known: u64,
    /// Those that were not taken, as when a block has them or spends their coins.
    pub refused: u64,
    /// Those that had waited too long.
    pub expired: u64,
    /// Why there may have been more.
    pub damage: Option<LoadError>,
}

/// A saved pool that is being taken in.
#[derive(Debug)]
pub(super) struct Restoring {
    path: PathBuf,
    reader: Option<dump::Reader>,
    rest: dump::Rest,
    /// What came before has waited too long; Unix seconds.
    oldest: u64,
    /// Transactions on their way.
    out: usize,
    restored: Restored,
}

impl Restoring {
    /// Notes what came of a transaction.
    pub(super) fn count(&mut self, outcome: &Result<(), Why>) {
        self.out = self.out.saturating_sub(1);
        let sum = match outcome {
            Ok(()) => &mut self.restored.accepted,
            Err(Why::Refused(Refusal::Present | Refusal::PresentOtherWitness)) => &mut self.restored.known,
            Err(_) => &mut self.restored.refused,
        };
        *sum = sum.saturating_add(1);
    }

    /// The next transaction; `None` at the end.
    fn next(&mut self) -> Option<dump::Saved> {
        loop {
            match self.reader.as_mut()?.next() {
                Some(Ok(saved)) if saved.time < self.oldest => {
                    self.restored.expired = self.restored.expired.saturating_add(1);
                }
                Some(Ok(saved)) => return Some(saved),
                Some(Err(cause)) => {
                    self.reader = None;
                    self.damaged(cause);
                }
                None => match self.reader.take()?.rest() {
                    Ok(rest) => self.rest = rest,
                    Err(cause) => self.damaged(cause),
                },
            }
        }
    }

    fn damaged(&mut self, cause: dump::Error) {
        self.restored.damage = Some(set_aside(&self.path, cause));
    }
}

/// The pending transactions of one moment. It shares the transactions themselves.
#[derive(Debug)]
pub struct Snapshot(dump::Snapshot);

impl Snapshot {
    /// Writes them to `path`, in the place of what was there. Gives how many. Only one may write there at a time.
    ///
    /// # Errors
    /// If that is not possible; the file is then as it was.
    pub fn save(&self, path: &Path) -> Result<usize, SaveError> {
        let key = RandomState::new().hash_one(0_u8).to_le_bytes();
        let new = beside(path, "new");
        let write = || {
            let mut out = BufWriter::new(File::create(&new)?);
            self.0.write(key, &mut out)?;
            out.flush()?;
            out.get_ref().sync_all()?;
            fs::rename(&new, path)?;
            sync_directory(path)
        };
        write().map_err(|source| SaveError::Write { path: path.to_path_buf(), source })?;
        Ok(self.0.len())
    }
}

impl Admission {
    /// Writes the pending transactions to `path`, in the place of what was there. Gives how many.
    ///
    /// # Errors
    /// If that is not possible; the file is then as it was.
    pub fn save(&self, path: &Path) -> Result<usize, SaveError> {
        if self.restoring.is_some() {
            return Err(SaveError::Restoring { path: path.to_path_buf() });
        }
        self.snapshot().save(path)
    }

    /// The pending transactions as they are now, to be written elsewhere.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(dump::Snapshot::of(&self.pool))
    }

    /// Begins to take in the transactions that were saved to `path`. `now` is the time in Unix seconds. Gives how many
    /// there are; none if there is no such file. [`Event::Restored`] tells when all were judged.
    ///
    /// # Errors
    /// If the file cannot be read as a saved pool. The pool is as it was, and a damaged file kept under another name.
    pub fn restore(&mut self, path: &Path, now: u64) -> Result<u64, LoadError> {
        let unread = |source| LoadError::Read { path: path.to_path_buf(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(unread(error)),
        };
        if file.metadata().map_err(unread)?.len() > MOST_SAVED_BYTES {
            return Err(LoadError::TooLarge { path: path.to_path_buf() });
        }
        let mut bytes = Vec::new();
        // It may grow while it is read.
        file.take(MOST_SAVED_BYTES).read_to_end(&mut bytes).map_err(unread)?;
        let reader = dump::read(bytes).map_err(|cause| set_aside(path, cause))?;
        let count = reader.left();
        self.restoring = Some(Restoring {
            path: path.to_path_buf(),
            reader: Some(reader),
            rest: dump::Rest::default(),
            oldest: now.saturating_sub(self.pool.limits().expiry),
            out: 0,
            restored: Restored::default(),
        });
        Ok(count)
    }

    /// Whether a saved pool is still being taken in.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    /// Offers more of a saved pool. Gives whether there may be more to do at once.
    pub(super) fn go_on_restoring(&mut self, chain: &mut Chainstate) -> bool {
        for _ in 0..PER_STEP {
            if !self.flight.is_half_empty() {
                return false;
            }
            let Some(restoring) = &mut self.restoring else { return false };
            let Some(saved) = restoring.next() else {
                if restoring.out == 0 {
                    self.end_restoring();
                }
                return false;
            };
            restoring.out = restoring.out.saturating_add(1);
            if saved.priority != 0 {
                self.pool.prioritise(saved.transaction.txid(), saved.priority);
            }
            let work = Work::new(saved.transaction, None, Origin::Saved, saved.time);
            let id = self.flight.force(work);
            self.due.push_back(id);
            self.examine_due(chain);
        }
        true
    }

    fn end_restoring(&mut self) {
        let Some(Restoring { rest, restored, .. }) = self.restoring.take() else { return };
        for (txid, delta) in rest.priorities {
            self.pool.prioritise(txid, delta);
        }
        rest.unbroadcast.into_iter().for_each(|txid| self.pool.mark_unbroadcast(txid));
        self.events.push_back(Event::Restored(restored));
    }
}

/// The path with one more extension.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Moves a damaged file out of the way, so that the next saving does not replace it.
fn set_aside(path: &Path, cause: dump::Error) -> LoadError {
    let aside = beside(path, "damaged");
    match fs::rename(path, &aside) {
        Ok(()) => LoadError::Damaged { path: path.to_path_buf(), aside, cause },
        // It stays where it is, under its own name.
        Err(_) => LoadError::Damaged { path: path.to_path_buf(), aside: path.to_path_buf(), cause },
    }
}

/// Makes a renaming permanent, where directories are files.
fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        #[cfg(unix)]
        Some(parent) => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
