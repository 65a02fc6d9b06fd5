//! What the node wants kept across restarts (the address book), as one file in its directory.
//!
//! The file is replaced as a whole: written beside, then renamed, so that a kill leaves the old one or the new one.
//! A file that can't be read is put aside and told of: a peer without its address book still works.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use yap_protocol::peers::ChangeSet;

use crate::private;

/// The file's name.
const FILE: &str = "peers.dat";

/// What was kept, and what changed since it was written.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    kept: ChangeSet,
    changed: bool,
}

impl Book {
    /// Reads what an earlier run kept in the directory.
    ///
    /// # Errors
    /// If the file is there and can't be read, or can't be put aside.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        let kept = match std::fs::read(&path) {
            Ok(bytes) => ChangeSet::decode(&bytes).or_else(|error| {
                let aside = path.with_extension("damaged");
                tracing::warn!(%error, file = %aside.display(), "the address book can't be read: it is put aside");
                std::fs::rename(&path, aside).map(|()| ChangeSet::default())
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => ChangeSet::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, kept, changed: false })
    }

    /// What was kept.
    #[must_use]
    pub const fn kept(&self) -> &ChangeSet {
        &self.kept
    }

    /// Adds a change; it is not on disk before [`save`](Self::save).
    pub fn add(&mut self, change: ChangeSet) {
        self.kept.merge(change);
        self.changed = true;
    }

    /// Writes everything, if anything changed.
    ///
    /// # Errors
    /// If it can't be written; what was there stays.
    pub fn save(&mut self) -> io::Result<()> {
        if self.changed {
            // Here, not with each change: it looks at everything.
            self.kept.compact();
            let new = self.path.with_extension("new");
            private::file().create(true).truncate(true).open(&new)?.write_all(&self.kept.encode())?;
            std::fs::rename(&new, &self.path)?;
            self.changed = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: u64) -> ChangeSet {
        ChangeSet { key: Some([key; 2]), ..ChangeSet::default() }
    }

    #[test]
    fn what_was_saved_is_there_again_and_what_was_not_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut book = Book::open(directory.path()).unwrap();
        assert!(book.kept().is_empty());
        book.add(change(1));
        book.save().unwrap();
        book.add(change(2));
        assert_eq!(Book::open(directory.path()).unwrap().kept(), &change(1));
        book.save().unwrap();
        assert_eq!(Book::open(directory.path()).unwrap().kept(), &change(2));
        assert!(!directory.path().join("peers.new").exists());
    }

    #[test]
    fn a_damaged_book_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), b"\xffnot a book").unwrap();
        assert!(Book::open(directory.path()).unwrap().kept().is_empty());
        assert_eq!(std::fs::read(directory.path().join("peers.damaged")).unwrap(), b"\xffnot a book");
        assert!(!directory.path().join(FILE).exists());
    }
}
