//! The lock on a directory: the system lets go of it however the node dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::Error;

/// The file that is locked. It is never removed, so that all lock the same one.
pub(super) const FILE: &str = "node.lock";

/// How often a lock is tried: whoever looks whether a node runs holds it for a moment.
const ATTEMPTS: u32 = 10;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock on `directory`; `None` if somebody has it.
    pub(super) fn take(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(FILE);
        let file = open(&path).map_err(|cause| Error::io(&path, cause))?;
        for attempt in 1..=ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) if attempt < ATTEMPTS => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(cause)) => return Err(Error::io(&path, cause)),
            }
        }
        Ok(None)
    }

    /// The file itself, which is ours.
    #[cfg(unix)]
    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

/// Opens a file to lock it, made if it is not there; nobody else may read it.
pub(super) fn open(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Whether a node has the lock on `directory`.
pub(super) fn is_held(directory: &Path) -> bool {
    // Shared, so that two who look at one time do not take each other for a node.
    let Ok(file) = File::open(directory.join(FILE)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
