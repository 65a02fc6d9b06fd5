//! A producer's key on disk: what signs blocks on chains that say whose blocks count (BIP-0325).
//!
//! ```text
//! <data directory>/producer.sealed    the key, sealed            each for its owner alone (0600);
//! <data directory>/producer.key       what opens it              either alone is worth nothing
//! ```
//!
//! It is beside the chains' directories and not in one, as it is made before there is a chain: its public half goes into the
//! chain's file. One key may sign on several chains. What is there is never overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use yap_chain::producer::Key;
use yap_wallet::{Entropy, producer as sealed};
use zeroize::Zeroizing;

/// Why there is no key that could be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is one already, or a part of one.
    #[error(
        "{} is there already: `yap producer show` tells its public key; a new key would be a stranger to every chain that \
         knows the old one, so move the old files away yourself if that is what you want",
        path.display()
    )]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// One of the two files is missing.
    #[error("{} is missing, without which this node's producer key can't be opened: bring it back from a copy", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// Others may read or change a file.
    #[error(
        "others may use {path} (its mode is {mode:03o}), so the key is not safe: if nobody else has seen it, run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The files hold no key.
    #[error("{}: {cause}; bring both files of the key back from a copy", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: sealed::OpenError,
    },
    /// A file can't be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers, without which no key can be made")]
    Entropy,
}

/// The two files of a key.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
    sealed: PathBuf,
    opener: PathBuf,
}

impl Files {
    /// Those in `directory`, whether or not they are there.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            sealed: directory.join("producer.sealed"),
            opener: directory.join("producer.key"),
        }
    }

    /// The file of the sealed key.
    #[must_use]
    pub fn sealed(&self) -> &Path {
        &self.sealed
    }

    /// The file that opens it.
    #[must_use]
    pub fn opener(&self) -> &Path {
        &self.opener
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`Error::Exists`] if one of the files is there; else [`Error::Io`] or [`Error::Entropy`].
    pub fn create(&self) -> Result<Key, Error> {
        if let Some(path) = [&self.sealed, &self.opener].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(Error::Exists { path: path.clone() });
        }
        let mut opener = Zeroizing::new([0; 32]);
        getrandom::fill(opener.as_mut_slice()).map_err(|_| Error::Entropy)?;
        let (key, bytes) = sealed::create(&opener, &mut entropy());
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| Error::Io { path, cause }
        };
        folder(&self.directory).map_err(failed(&self.directory))?;
        // The opener first: without a key to open it is worth nothing.
        put(&self.opener, opener.as_slice()).map_err(failed(&self.opener))?;
        if let Err(cause) = put(&self.sealed, &bytes).and_then(|()| sync(&self.directory)) {
            // So that it can be tried again.
            let _ = fs::remove_file(&self.opener);
            return Err(failed(&self.sealed)(cause));
        }
        Ok(key)
    }

    /// Reads the key; none if there is none.
    ///
    /// # Errors
    /// [`Error`], also if one of the two files is there alone.
    pub fn open(&self) -> Result<Option<Key>, Error> {
        let (bytes, opener) = (get(&self.sealed)?, get(&self.opener)?);
        let (bytes, opener) = match (bytes, opener) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(Error::Missing { path: self.sealed.clone() }),
            (Some(_), None) => return Err(Error::Missing { path: self.opener.clone() }),
            (Some(bytes), Some(opener)) => (bytes, opener),
        };
        let closed = |cause| Error::Closed { path: self.sealed.clone(), cause };
        let opener: [u8; 32] = opener.as_slice().try_into().map_err(|_| closed(sealed::OpenError::Closed))?;
        sealed::open(&bytes, &Zeroizing::new(opener)).map(Some).map_err(closed)
    }
}

/// The operating system's randomness, which was there when it was looked at.
fn entropy() -> Entropy {
    Box::new(|buffer| {
        getrandom::fill(buffer).expect("the operating system's randomness was there a moment ago");
    })
}

/// Writes a new file for its owner alone. It is there whole or not at all, unless the machine stops just then.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Reads a file that others must not have seen; none if it is not there. More than a key is not read.
fn get(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let failed = |cause| Error::Io { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(failed(cause)),
    };
    check(path, &file.metadata().map_err(failed)?)?;
    let most = u64::try_from(sealed::SIZE).unwrap_or(u64::MAX).saturating_add(1);
    // Room for all of it at once: a vector that grows leaves copies of secrets behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(sealed::SIZE.saturating_add(32)));
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

#[cfg(unix)]
fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Error::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check(_: &Path, _: &fs::Metadata) -> Result<(), Error> {
    Ok(())
}

fn folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// New files are on disk once their directory is.
#[cfg(unix)]
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let base = tempfile::tempdir().unwrap();
        let files = Files::new(&base.path().join("new"));
        assert!(files.open().unwrap().is_none());
        let key = files.create().unwrap();
        assert_eq!(files.open().unwrap().unwrap().public(), key.public());
        assert!(matches!(files.create(), Err(Error::Exists { .. })));
        let secret = fs::read(files.opener()).unwrap();
        assert_eq!((secret.len(), fs::read(files.sealed()).unwrap().len()), (32, sealed::SIZE));
    }

    #[cfg(unix)]
    #[test]
    fn the_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().unwrap();
        let files = Files::new(base.path());
        files.create().unwrap();
        for path in [files.sealed(), files.opener()] {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
        fs::set_permissions(files.opener(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = files.open().unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn one_file_alone_is_worth_nothing_and_is_kept() {
        for at in [0, 1] {
            let base = tempfile::tempdir().unwrap();
            let files = Files::new(base.path());
            files.create().unwrap();
            let lost = [files.sealed(), files.opener()][at];
            fs::remove_file(lost).unwrap();
            assert!(matches!(files.open(), Err(Error::Missing { path }) if path == lost));
            assert!(matches!(files.create(), Err(Error::Exists { path }) if path != lost));
        }
    }

    #[test]
    fn the_opener_of_another_key_does_not_do() {
        let base = tempfile::tempdir().unwrap();
        let (files, others) = (Files::new(&base.path().join("a")), Files::new(&base.path().join("b")));
        files.create().unwrap();
        others.create().unwrap();
        fs::copy(others.opener(), files.opener()).unwrap();
        assert!(matches!(files.open(), Err(Error::Closed { cause: sealed::OpenError::Closed, .. })));
    }
}
