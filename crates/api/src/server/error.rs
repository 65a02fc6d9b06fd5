//! Why the server does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address can't be listened on.
    #[error("can't listen on {address} ({why}): if another program has this port, choose one with --http-port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: io::Error,
    },
    /// The cookie file can't be made.
    #[error("the cookie file {} can't be written: {why}", path.display())]
    Cookie {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// What was given is no host.
    #[error("`{0}` is no host name: give a name or an address, without port and path")]
    Host(String),
    /// What was given is no origin.
    #[error("`{0}` is no origin of a web site: it looks like https://example.org or http://localhost:8080")]
    Origin(String),
}
