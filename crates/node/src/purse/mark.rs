//! How long the wallet's log was when it was last written to: `wallet.mark`, one line beside it.
//!
//! Records are sealed with their place, so one that was changed or taken out of the middle is noticed. That whole ones are
//! missing at the end can't be told from the log itself: it looks like an older log. So after each writing, once that is on
//! disk, the log's length is written here.
//!
//! ```text
//! mark = log      everything is there
//! mark < log      the machine stopped between both: everything is there
//! mark > log      records are missing
//! ```
//!
//! The mark is not flushed to the disk: a power cut may leave an older one, which claims less. One that is for another log,
//! such as from before all of it was written anew, or that can't be read, claims nothing. It is no secret, and no
//! protection from whoever may write to the directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use bitcoin::hashes::{Hash as _, sha256};

/// Bytes of a log's beginning by which it is known: those before its first record differ each time it is written anew.
const HEAD: u64 = 512;

/// Longest mark that is read, in bytes; one has 86.
const MOST: u64 = 128;

/// Which log, and how long it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    log: sha256::Hash,
    pub(super) length: u64,
}

impl Mark {
    /// Of a log that is so long.
    pub(super) fn of(log: &Path, length: u64) -> io::Result<Self> {
        let mut head = Vec::new();
        File::open(log)?.take(HEAD).read_to_end(&mut head)?;
        Ok(Self { log: sha256::Hash::hash(&head), length })
    }

    /// The one that is there, if it says anything.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut text = String::new();
        File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
        let (log, length) = text.trim_end().split_once(' ')?;
        Some(Self { log: log.parse().ok()?, length: length.parse().ok()? })
    }

    /// Writes it in the place of the one before. All are of one length, so nothing of that is left.
    pub(super) fn write(self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        super::files::restrict(&mut options);
        options.open(path)?.write_all(format!("{} {:020}\n", self.log, self.length).as_bytes())
    }

    /// Bytes that are missing of a log whose whole records are those of `log`.
    pub(super) fn missing(self, log: Self) -> Option<u64> {
        self.length.checked_sub(log.length).filter(|missing| *missing > 0 && self.log == log.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_log_and_claims_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let (log, path) = (directory.path().join("log"), directory.path().join("mark"));
        std::fs::write(&log, vec![1; 1000]).unwrap();
        assert_eq!(Mark::read(&path), None, "there is none");
        for length in [1_000_000, 1000] {
            Mark::of(&log, length).unwrap().write(&path).unwrap();
            assert_eq!(Mark::read(&path).map(|mark| mark.length), Some(length));
        }
        let mark = Mark::read(&path).unwrap();
        assert_eq!(mark.missing(Mark::of(&log, 1000).unwrap()), None);
        assert_eq!(mark.missing(Mark::of(&log, 1001).unwrap()), None, "one that is behind");
        assert_eq!(mark.missing(Mark::of(&log, 999).unwrap()), Some(1));
        std::fs::write(&log, vec![2; 1000]).unwrap();
        assert_eq!(mark.missing(Mark::of(&log, 10).unwrap()), None, "another log");
        for damaged in ["", "zz 1\n", "0 0\n"] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(Mark::read(&path), None, "{damaged:?}");
        }
    }
}
