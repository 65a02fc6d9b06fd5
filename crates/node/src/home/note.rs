//! The note by which others find a running node.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;

/// Name of the file in the chain's directory.
const FILE: &str = "node.json";

/// Most bytes of it that are read: it has some 200.
const MOST_BYTES: u64 = 4096;

/// A node that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its process.
    pub pid: u32,
    /// The name of its chain.
    pub chain: String,
    /// Where it serves HTTP, if it does.
    pub http: Option<SocketAddr>,
    /// Port on which peers reach it.
    pub p2p_port: u16,
    /// Unix time at which it started.
    pub started: u64,
    /// Version of its program.
    pub version: String,
    /// The directory of the chain's state.
    #[serde(skip)]
    pub directory: PathBuf,
}

/// Writes the note. It is put in its place whole, so that nobody reads half of it.
pub(super) fn write(directory: &Path, running: &Running) -> Result<(), Error> {
    let (path, new) = (directory.join(FILE), directory.join("node.json.new"));
    let write = || {
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&new)?;
        serde_json::to_writer_pretty(&mut file, running)?;
        file.write_all(b"\n")?;
        fs::rename(&new, &path)
    };
    write().map_err(|cause: std::io::Error| Error::io(&path, cause))
}

/// Reads the note; `None` if there is none, or none that can be read.
pub(super) fn read(directory: &Path) -> Option<Running> {
    let file = File::open(directory.join(FILE)).ok()?;
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
    let running: Running = serde_json::from_str(&text).ok()?;
    Some(Running { directory: directory.to_path_buf(), ..running })
}

/// Removes the note, if there is one.
pub(super) fn remove(directory: &Path) {
    // A note that stays is seen to be a dead node's, whose lock is free.
    let _ = fs::remove_file(directory.join(FILE));
}
