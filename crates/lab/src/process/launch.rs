//! How a peer is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How a peer is started.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    name: String,
    port: u16,
    peers: Vec<String>,
    flags: Vec<String>,
}

impl Launch {
    /// With this program, name and port, and everything else as by default.
    #[must_use]
    pub fn new(program: &Path, name: &str, port: u16) -> Self {
        Self { program: program.to_owned(), name: name.to_owned(), port, peers: Vec::new(), flags: Vec::new() }
    }

    /// Names a peer that it is to connect to, in any form that a user may write.
    #[must_use]
    pub fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peers.push(peer.into());
        self
    }

    /// Adds a flag, and its value if it has one, as one argument or two.
    #[must_use]
    pub fn flag(mut self, words: &str) -> Self {
        self.flags.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    /// Another port, with everything else as it is.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where its data is, on a host whose files are here: the same in each start of this name.
    pub(super) fn data(&self, folder: &Path) -> PathBuf {
        folder.join(&self.name)
    }

    pub(super) fn arguments(&self, data: &Path) -> Vec<OsString> {
        let mut out: Vec<OsString> = vec!["--data".into(), data.into()];
        out.extend(["--port".into(), self.port.to_string().into(), "--name".into(), self.name.as_str().into()]);
        if !self.peers.is_empty() {
            out.extend(["--peers".into(), self.peers.join(",").into()]);
        }
        out.extend(self.flags.iter().map(OsString::from));
        out
    }
}
