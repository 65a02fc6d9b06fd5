//! A folder in which the nodes of this host note where they listen, so that two of them find each other at once, without a
//! network.
//!
//! ```text
//! <directory>/<chain>-<8 hex digits of the genesis hash>/<peer id>
//! ```
//!
//! A node holds a lock on its file for as long as it lives, and the system lets go of it however the node dies: a file that is
//! not locked was left by a dead one. Whoever removes a file holds its lock and has seen that the name still leads to it, so
//! no file of a living node is ever removed.
//!
//! A newcomer writes before it reads, so of two that start at once, at least one sees the other. The folder belongs to one
//! user, who alone may write to it; what is there is bounded and checked all the same.

mod note;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::Identity;

use crate::config::Chain;
use crate::{address, private};

#[cfg(test)]
use note::MAX_ADDRESSES;

/// Most entries of the folder that are looked at.
pub(crate) const MAX_ENTRIES: usize = 1024;

/// Most nodes that are told.
pub(crate) const MAX_NODES: usize = 128;

/// How often our file is tried to be locked: a reader holds it for a moment when it takes it for a dead one's.
const ATTEMPTS: u32 = 50;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

/// How often a note is read that is being written.
const READINGS: u32 = 4;

/// Letters of the chain's name in the folder's.
const MAX_CHAIN: usize = 64;

/// Where the nodes of this user on this host meet: `$XDG_RUNTIME_DIR/yap`, or a folder for this user in the one for temporary
/// files. `None` on systems other than Unix, where a file that is locked can't be read.
#[must_use]
pub fn default_directory() -> Option<PathBuf> {
    if !cfg!(unix) {
        return None;
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    Some(match runtime.filter(|folder| folder.is_absolute() && folder.is_dir()) {
        Some(runtime) => runtime.join("yap"),
        None => temporary(),
    })
}

#[cfg(unix)]
fn temporary() -> PathBuf {
    // Elsewhere than on Linux each user has a folder for temporary files of their own. There they are all in one, or a
    // variable says otherwise, which nodes of one user may see differently.
    let folder = if cfg!(target_os = "linux") { PathBuf::from("/tmp") } else { std::env::temp_dir() };
    folder.join(format!("yap-{}", rustix::process::geteuid().as_raw()))
}

#[cfg(not(unix))]
fn temporary() -> PathBuf {
    std::env::temp_dir().join("yap")
}

/// Our place among the nodes of this host. It is given up when this is dropped, or the process dies.
#[derive(Debug)]
pub(crate) struct Registry {
    folder: PathBuf,
    path: PathBuf,
    /// Ours, locked.
    file: File,
    us: PeerId,
    /// Which network of this host we see: 127.0.0.1 of another is another machine's.
    namespace: u64,
}

impl Registry {
    /// Takes our place, with no address yet. Blocks for a moment (100 ms at most): to be called before the engine runs, or
    /// off its task.
    ///
    /// # Errors
    /// If the folder can't be made, belongs to somebody else, or others may write to it; `ResourceBusy` if a node with our
    /// key is there.
    pub(crate) fn enter(directory: &Path, chain: &Chain, identity: &Identity) -> io::Result<Self> {
        let us = address::peer_id(identity).ok_or(io::ErrorKind::InvalidInput)?;
        let folder = directory.join(folder_name(chain));
        private::folders().create(&folder)?;
        check(directory)?;
        check(&folder)?;
        let path = folder.join(us.to_base58());
        let file = take(&path)?;
        let mut registry = Self { folder, path, file, us, namespace: namespace() };
        registry.note(&[])?;
        Ok(registry)
    }

    /// Notes where we listen: instead of what was noted before, and at once for whoever reads. At most [`note::MAX_ADDRESSES`]
    /// are noted, those first that are tried first; without those that lead nowhere, through a relay, or to memory.
    ///
    /// # Errors
    /// If the file can't be written; then nothing may be noted at all.
    pub(crate) fn note(&mut self, addresses: &[Multiaddr]) -> io::Result<()> {
        let text = note::write(addresses, self.namespace);
        let length = u64::try_from(text.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(length)
    }

    /// The other nodes, and where they listen, in the order in which that is to be tried; not those that listen nowhere.
    /// Removes what dead ones left.
    #[must_use]
    pub(crate) fn others(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        // All names first: files that go while the folder is read may hide others.
        let names: Vec<_> = entries.take(MAX_ENTRIES).filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        let nodes = names.into_iter().filter_map(|name| {
            let peer: PeerId = name.to_str()?.parse().ok()?;
            (peer != self.us && address::identity(&peer).is_some()).then_some(())?;
            let addresses = self.read(&self.folder.join(name)).ok().flatten()?;
            (!addresses.is_empty()).then_some((peer, addresses))
        });
        nodes.take(MAX_NODES).collect()
    }

    /// What a living node noted; `None` for a dead one, or a note that makes no sense.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<Multiaddr>>> {
        let mut file = private::as_it_is(OpenOptions::new().read(true)).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || !private::is_ours(&metadata) {
            return Ok(None);
        }
        match file.try_lock() {
            Ok(()) => return remove(&file, path).map(|()| None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for _ in 0..READINGS {
            let mut text = String::new();
            file.seek(SeekFrom::Start(0))?;
            // One more than any note has: such a one is damaged.
            let most = u64::try_from(note::MAX_NOTE).unwrap_or(u64::MAX).saturating_add(1);
            (&file).take(most).read_to_string(&mut text)?;
            if let Some(addresses) = note::read(&text, self.namespace) {
                return Ok(Some(addresses));
            }
        }
        Ok(None)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.file, &self.path) {
            // Whoever reads next removes it.
            tracing::debug!(path = %self.path.display(), %error, "our note stays");
        }
    }
}

/// Removes a file whose lock we hold, if it is still there under its name.
fn remove(file: &File, path: &Path) -> io::Result<()> {
    if private::is_at(file, path)? { fs::remove_file(path) } else { Ok(()) }
}

/// Our file, locked.
fn take(path: &Path) -> io::Result<File> {
    for _ in 0..ATTEMPTS {
        let mut options = private::file();
        // What a dead node of our key left is written over once the lock is ours.
        options.read(true).create(true).truncate(false);
        let file = private::as_it_is(&mut options).open(path)?;
        match file.try_lock() {
            // Another may have taken it for a dead one's, and removed it, before the lock was ours.
            Ok(()) if private::is_at(&file, path)? => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "a node with the same key runs on this host"))
}

fn check(folder: &Path) -> io::Result<()> {
    let metadata = folder.symlink_metadata()?;
    let refuse = |why: &str| {
        let text = format!("the folder {} {why}: choose another one", folder.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    };
    if !metadata.is_dir() {
        return refuse("is a link or a file");
    }
    if !private::is_ours(&metadata) {
        return refuse("belongs to another user, or others may write to it");
    }
    Ok(())
}

/// The chain's name, of letters that mean nothing in a path, and the start of its genesis hash.
fn folder_name(chain: &Chain) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let name: String = chain.name.chars().take(MAX_CHAIN).map(safe).collect();
    let genesis: String = chain.genesis.to_string().chars().take(8).collect();
    format!("{name}-{genesis}")
}

/// A number for the network that this process sees: containers on one host see different ones.
fn namespace() -> u64 {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata("/proc/self/ns/net").map_or(0, |metadata| metadata.ino())
    }
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(test)]
mod tests;
