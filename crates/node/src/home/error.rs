//! Why a node has no place, and why none was found. Every text says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Peers.
    P2p,
    /// The HTTP interface.
    Http,
}

impl Use {
    /// The flag and the variable that set it.
    fn set_by(self) -> &'static str {
        match self {
            Self::P2p => "--p2p-port or P2P_PORT",
            Self::Http => "--http-port or HTTP_PORT",
        }
    }
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::P2p => "peers",
            Self::Http => "HTTP",
        })
    }
}

/// Why a node has no place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another node is in the directory that was asked for.
    #[error(
        "another node{} runs in {}: choose another directory with --data-dir, or stop that node (`yap stop`)",
        number(*process), directory.display()
    )]
    Busy {
        /// The chain's directory.
        directory: PathBuf,
        /// The node's process, if it is known.
        process: Option<u32>,
    },
    /// A node is in the directory whose files a command wants.
    #[error(
        "a node{} runs in {}, and its files are its own: stop it first (`yap stop`), or ask it (`yap rpc help`)",
        number(*process), directory.display()
    )]
    Runs {
        /// The chain's directory.
        directory: PathBuf,
        /// The node's process, if it is known.
        process: Option<u32>,
    },
    /// As many nodes as may be are there.
    #[error("{} nodes run in {}: choose another directory with --data-dir", super::MOST_NODES, base.display())]
    Crowded {
        /// The data directory.
        base: PathBuf,
    },
    /// The port that was asked for is taken.
    #[error(
        "port {port} (for {used}) is in use by another {}: choose another with {}, or stop that one",
        if *node { "node of yours" } else { "program" }, used.set_by()
    )]
    PortBusy {
        /// The port.
        port: u16,
        /// What for.
        used: Use,
        /// Whether it is a node of the same user that has it.
        node: bool,
    },
    /// A port that only the system's programs may have.
    #[error("port {port} (for {used}) may not be used without special rights: choose one above 1023 with {}", used.set_by())]
    PortForbidden {
        /// The port.
        port: u16,
        /// What for.
        used: Use,
    },
    /// None of the ports that come next is free.
    #[error("no port from {first} to {last} is free for {used}: choose one with {}", used.set_by())]
    NoPort {
        /// The first that was tried.
        first: u16,
        /// The last.
        last: u16,
        /// What for.
        used: Use,
    },
    /// The directory was made by a newer version of the program.
    #[error(
        "{} has format {found}, and this version of yap knows formats up to {}: update yap, or choose another \
         directory with --data-dir",
        directory.display(), super::FORMAT
    )]
    Newer {
        /// The chain's directory.
        directory: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The directory was made by a version that is too old.
    #[error(
        "{} has format {found}, which this version of yap does not know any more: export the blocks with the version \
         that made it, and import them into a new directory",
        directory.display()
    )]
    Older {
        /// The chain's directory.
        directory: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file that tells the version is damaged.
    #[error("{} does not tell the format of its directory: if that was made by this version, write {} into it", path.display(), super::FORMAT)]
    NoFormat {
        /// The file.
        path: PathBuf,
    },
    /// The disk refuses.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    pub(super) fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), cause }
    }
}

fn number(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

/// Why no node was found that could be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRunning {
    /// None runs.
    #[error("no node runs in {}: start one with `yap`, or name its directory with --data-dir and its chain with --chain", directory.display())]
    None {
        /// The chain's directory.
        directory: PathBuf,
    },
    /// One is about to.
    #[error("the node in {} is still starting: try again in a moment", directory.display())]
    Starting {
        /// The chain's directory.
        directory: PathBuf,
    },
    /// It serves no HTTP.
    #[error("the node in {} serves no HTTP, by which it could be asked: start it without --no-http", directory.display())]
    NoHttp {
        /// The chain's directory.
        directory: PathBuf,
    },
    /// Those that run have other ports.
    #[error("no node in {} serves HTTP on port {port}: leave --http-port (HTTP_PORT) away to ask the first", directory.display())]
    OtherPort {
        /// The chain's directory.
        directory: PathBuf,
        /// The port that was asked for.
        port: u16,
    },
}
