//! What a peer is besides its network: a directory, a chain, a name.

use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yap_chain::spec::Spec;
use yap_net::identity::{KeyError, Keys};
use yap_protocol::address::Identity;

use super::ledger;

/// The file of the key.
const KEY: &str = "key";

/// The file that a running peer holds.
const LOCK: &str = "lock";

/// Why a peer did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The directory can't be used.
    #[error("can't use the directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another peer runs there.
    #[error("another peer runs in {}: stop it, or give this one a directory of its own", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// What was asked for.
    #[error(transparent)]
    Arguments(super::ArgumentError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The network.
    #[error(transparent)]
    Network(#[from] yap_net::StartError),
    /// The system gives no random numbers, or no threads.
    #[error("the system lacks what every program needs: {0}")]
    System(#[from] io::Error),
}

/// What a peer is besides its network.
#[derive(Clone, Debug)]
pub struct Home {
    /// Where it keeps everything. Held by one peer at a time.
    pub directory: PathBuf,
    /// The rules of its chain.
    pub spec: Arc<Spec>,
    /// Who it is.
    pub identity: Identity,
    /// What it says of its program.
    pub agent: String,
    /// Held for as long as the peer lives: the system lets go of it whatever way the peer ends.
    _lock: Arc<File>,
}

impl Home {
    /// Opens the directory, which is made if it is not there, and takes the key in it, which is made too.
    ///
    /// # Errors
    /// If the directory or the key can't be used, or another peer runs there.
    pub fn open(directory: &Path, spec: Spec, name: Option<&str>) -> Result<(Self, Keys), StartError> {
        let failed = |source| StartError::Directory { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let lock =
            File::options().write(true).create(true).truncate(false).open(directory.join(LOCK)).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StartError::Taken { path: directory.to_owned() },
            TryLockError::Error(source) => failed(source),
        })?;
        let keys = Keys::load_or_create(&directory.join(KEY))?;
        let version = env!("CARGO_PKG_VERSION");
        let agent =
            name.map_or_else(|| format!("/yap-peer:{version}/"), |name| format!("/yap-peer:{version}({name})/"));
        let home = Self {
            directory: directory.to_owned(),
            spec: Arc::new(spec),
            identity: keys.identity(),
            agent,
            _lock: Arc::new(lock),
        };
        Ok((home, keys))
    }
}

/// Bytes that nobody can know beforehand.
pub(super) fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::chain;

    #[test]
    fn a_directory_is_one_peers_at_a_time_and_keeps_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep").join("home");
        let (home, _) = Home::open(&path, chain::built_in(), Some("alice")).unwrap();
        assert!(home.agent.contains("alice"));
        let error = Home::open(&path, chain::built_in(), None).unwrap_err();
        assert!(matches!(&error, StartError::Taken { .. }) && error.to_string().contains("directory of its own"));
        let identity = home.identity;
        drop(home);
        assert_eq!(Home::open(&path, chain::built_in(), None).unwrap().0.identity, identity);
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Home::open(file.path(), chain::built_in(), None).unwrap_err();
        assert!(matches!(error, StartError::Directory { .. }));
    }
}
