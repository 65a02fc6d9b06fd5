//! Where a running node lives on its machine: a directory, which is locked, and ports; and how others find it there.
//!
//! ```text
//! <data directory>/<chain>        the first node        p2p 6001   http 3001
//! <data directory>/<chain>.2      a second one               6002        3002    … up to 64
//!     node.lock     locked for as long as the node lives, however it dies
//!     node.json     process, HTTP address, P2P port: for commands that ask the node; removed when it stops
//!     format        version of the directory's layout
//! ```
//!
//! A directory or port that was set by the user is never replaced: if it is taken, that is an [`Error`]. The dot keeps the
//! names apart from those of chains, which have none.
//!
//! Whether a port is free is seen by binding it without `SO_REUSEPORT`, with which a second node would silently share it.
//! Between that look and the binding that lasts, two nodes that start at once could choose the same port, so a lock on a
//! file that is named after the port goes with it.

mod error;
mod lock;
mod note;
mod ports;

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use yap_net::config::Hosts;

use crate::config::{Config, HTTP_PORT};

pub use self::error::{Error, NotRunning, Use};
pub use self::note::Running;
pub use self::ports::unused as unused_port;

use self::lock::Lock;
use self::ports::{Reserved, Search};

/// Most nodes of one data directory.
pub const MOST_NODES: u32 = 64;

/// Version of the layout of a chain's directory. The store has a version of its own.
pub const FORMAT: u32 = 1;

/// A node's place, for as long as this value lives.
#[derive(Debug)]
pub struct Home {
    directory: PathBuf,
    number: u32,
    is_new: bool,
    p2p: Reserved,
    http: Option<Reserved>,
    /// Let go of last: whoever holds the lock sees neither note nor ports of ours.
    _lock: Lock,
}

impl Home {
    /// Takes a directory for `chain`, and ports.
    ///
    /// # Errors
    /// If what the user asked for is taken, nothing is left, or the disk refuses.
    pub fn take(config: &Config, chain: &str) -> Result<Self, Error> {
        let (number, directory, lock, is_new) = take_directory(config, chain)?;
        check_format(&directory)?;
        note::remove(&directory);
        let (p2p, http) = take_ports(config, number, &lock)?;
        Ok(Self { directory, number, is_new, p2p, http, _lock: lock })
    }

    /// The directory of the chain's state.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// 1 for the first node of a data directory, 2 for one that was started beside it, and so on.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether the directory was made just now.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The port for peers; 0: any that is free.
    #[must_use]
    pub fn p2p_port(&self) -> u16 {
        self.p2p.port()
    }

    /// The port for HTTP, if it is served; 0: any that is free.
    #[must_use]
    pub fn http_port(&self) -> Option<u16> {
        self.http.as_ref().map(Reserved::port)
    }

    /// Tells others of the running node, until this value is dropped.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn announce(&self, running: &Running) -> Result<(), Error> {
        note::write(&self.directory, running)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        note::remove(&self.directory);
    }
}

fn take_directory(config: &Config, chain: &str) -> Result<(u32, PathBuf, Lock, bool), Error> {
    let given = config.is_given("data_dir");
    for number in 1..=MOST_NODES {
        let directory = numbered(&config.data_dir, chain, number);
        let is_new = !directory.join(lock::FILE).exists();
        make(&directory)?;
        if let Some(lock) = Lock::take(&directory)? {
            return Ok((number, directory, lock, is_new));
        }
        if given {
            let process = note::read(&directory).map(|running| running.pid);
            return Err(Error::Busy { directory, process });
        }
    }
    Err(Error::Crowded { base: config.data_dir.clone() })
}

fn take_ports(config: &Config, number: u32, lock: &Lock) -> Result<(Reserved, Option<Reserved>), Error> {
    let p2p = |taken: &[u16]| {
        Search {
            used: Use::P2p,
            port: config.p2p.port,
            given: config.is_given("p2p.port"),
            default: yap_net::config::PORT,
            number,
            hosts: &config.p2p.listen,
        }
        .reserve(taken, lock)
    };
    let hosts = Hosts::Only(vec![config.http.listen]);
    let http = |taken: &[u16]| {
        let search = Search {
            used: Use::Http,
            port: config.http.port,
            given: config.is_given("http.port"),
            default: HTTP_PORT,
            number,
            hosts: &hosts,
        };
        config.http.enabled.then(|| search.reserve(taken, lock)).transpose()
    };
    // What was set goes first, so that a default makes room for it.
    if config.is_given("http.port") && !config.is_given("p2p.port") {
        let http = http(&[])?;
        let taken: Vec<u16> = http.iter().map(Reserved::port).collect();
        return Ok((p2p(&taken)?, http));
    }
    let p2p = p2p(&[])?;
    let taken = [p2p.port()];
    Ok((p2p, http(&taken)?))
}

/// The directory of the node of that number.
fn numbered(base: &Path, chain: &str, number: u32) -> PathBuf {
    if number == 1 { base.join(chain) } else { base.join(format!("{chain}.{number}")) }
}

/// Makes a directory that is the user's alone.
fn make(directory: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory).map_err(|cause| Error::io(directory, cause))
}

/// Sees to it that this program knows the directory's layout, and notes it in a new one.
///
/// # Errors
/// If another version of the program made it.
fn check_format(directory: &Path) -> Result<(), Error> {
    let path = directory.join("format");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fs::write(&path, format!("{FORMAT}\n")).map_err(|cause| Error::io(&path, cause));
        }
        Err(cause) => return Err(Error::io(&path, cause)),
    };
    match text.trim().parse::<u32>() {
        Ok(FORMAT) => Ok(()),
        Ok(found) if found > FORMAT => Err(Error::Newer { directory: directory.into(), found }),
        Ok(found) => Err(Error::Older { directory: directory.into(), found }),
        Err(_) => Err(Error::NoFormat { path }),
    }
}

/// Sees to it that no node runs in `directory`.
///
/// # Errors
/// [`Error::Runs`] if one does.
pub fn check_idle(directory: &Path) -> Result<(), Error> {
    if lock::is_held(directory) {
        let process = note::read(directory).map(|running| running.pid);
        return Err(Error::Runs { directory: directory.into(), process });
    }
    if directory.join("format").exists() { check_format(directory) } else { Ok(()) }
}

/// The nodes of a chain that run in a data directory, in order of their numbers.
#[must_use]
pub fn all_running(base: &Path, chain: &str) -> Vec<Running> {
    let directories = (1..=MOST_NODES).map(|number| numbered(base, chain, number));
    let held = directories.filter(|directory| lock::is_held(directory));
    held.filter_map(|directory| note::read(&directory)).collect()
}

/// The node that commands ask: the first that runs, or the one whose HTTP port was set.
///
/// # Errors
/// [`NotRunning`].
pub fn running(config: &Config, chain: &str) -> Result<Running, NotRunning> {
    let all = all_running(&config.data_dir, chain);
    let directory = config.directory(chain);
    if all.is_empty() {
        let starts = (1..=MOST_NODES).any(|number| lock::is_held(&numbered(&config.data_dir, chain, number)));
        return Err(if starts { NotRunning::Starting { directory } } else { NotRunning::None { directory } });
    }
    let port = config.http.port;
    if config.is_given("http.port") && port != 0 {
        let found = all.into_iter().find(|running| running.http.is_some_and(|http| http.port() == port));
        return found.ok_or(NotRunning::OtherPort { directory, port });
    }
    all.into_iter().find(|running| running.http.is_some()).ok_or(NotRunning::NoHttp { directory })
}

#[cfg(test)]
mod tests;
