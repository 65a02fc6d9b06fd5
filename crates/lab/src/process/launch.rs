//! How a peer is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::topology::Host;

/// How a peer is started.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    name: String,
    port: u16,
    peers: Vec<String>,
    flags: Vec<String>,
    files: Option<u32>,
}

impl Launch {
    /// With this program, name and port, and everything else as by default.
    #[must_use]
    pub fn new(program: &Path, name: &str, port: u16) -> Self {
        let (program, name) = (program.to_owned(), name.to_owned());
        Self { program, name, port, peers: Vec::new(), flags: Vec::new(), files: None }
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

    /// Lets it have so many files and connections open at most, as a system would that is set up otherwise.
    #[must_use]
    pub fn files(mut self, most: u32) -> Self {
        self.files = Some(most);
        self
    }

    /// The command that starts it on a host.
    pub(super) fn command(&self, host: &Host) -> Command {
        let Some(files) = self.files else { return host.command(&self.program) };
        let mut command = host.command("sh");
        // The shell becomes the peer, so that whoever ends the one ends the other.
        command.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &files.to_string()]).arg(&self.program);
        command
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
