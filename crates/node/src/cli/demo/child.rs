//! A node of a demonstration: a process of this program, and the link to it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yap_api::client::Client;
use yap_chain::spec::Spec;

use super::Error;
use crate::cli::client;
use crate::cli::client::link::Link;
use crate::home::unused_port;

/// Bytes of a log that are read for its last lines.
const TAIL_BYTES: u64 = 8192;

/// Lines of a log that are told when something goes wrong.
const TAIL_LINES: usize = 12;

/// Time that a node has to stop before it is ended.
const STOPPING: Duration = Duration::from_secs(5);

/// Variables that would tell the nodes something else than the demonstration does.
const FOREIGN: [&str; 3] = ["P2P_PORT", "HTTP_PORT", "PEERS"];

/// A node.
#[derive(Debug)]
pub(super) struct Child {
    number: usize,
    directory: PathBuf,
    ports: Ports,
    peers: String,
    process: Option<std::process::Child>,
    link: Link,
}

/// The ports of a node: for peers, and for HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) p2p: u16,
    pub(super) http: u16,
}

impl Ports {
    /// Two ports that nobody uses now.
    pub(super) fn free() -> Result<Self, Error> {
        let port = || unused_port().ok_or(Error::NoPorts);
        Ok(Self { p2p: port()?, http: port()? })
    }
}

impl Child {
    /// A node that is not started yet, with a directory of its own in `base`.
    pub(super) fn new(number: usize, base: &Path, ports: Ports, peers: String) -> Result<Self, Error> {
        let directory = base.join(format!("node{number}"));
        let spec = Arc::new(Spec::local());
        let cookie = directory.join(&spec.name).join(".cookie");
        let link = Client::new(&format!("127.0.0.1:{}", ports.http), Some(&cookie));
        let refused =
            |error| Error::Refused { number, method: "connect".into(), cause: Box::new(client::Error::Call(error)) };
        let link = Link::new(link.map_err(refused)?, spec);
        Ok(Self { number, directory, ports, peers, process: None, link })
    }

    /// Starts the process.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        let failed = |cause| Error::System { what: format!("node {} can't be started", self.number), cause };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        let log = File::options().create(true).append(true).open(self.log()).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| name.starts_with("YAP_") || FOREIGN.contains(&name));
            if ours {
                command.env_remove(name);
            }
        }
        command
            .arg("up")
            .env("YAP_DATA_DIR", &self.directory)
            .env("YAP_CHAIN", "local")
            .env("P2P_PORT", self.ports.p2p.to_string())
            .env("HTTP_PORT", self.ports.http.to_string())
            .env("PEERS", &self.peers)
            // So that a line is a line: each node knows the peers that it is told, and no others.
            .envs([("YAP_P2P_MDNS", "false"), ("YAP_P2P_REGISTRY", "false"), ("YAP_P2P_DHT", "false")])
            .envs([("YAP_P2P_UPNP", "false"), ("YAP_P2P_ONLY_PEERS", "true"), ("YAP_P2P_LISTEN", "loopback")])
            .envs([("YAP_MINING_MODE", "off")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        self.process = Some(command.spawn().map_err(failed)?);
        Ok(())
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    /// Whether it was started and not ended.
    pub(super) fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// How the process ended, if it did so by itself.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut().and_then(|process| process.try_wait().ok().flatten())
    }

    /// Calls a method of the node.
    pub(super) fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        let refused = |cause| Error::Refused { number: self.number, method: method.to_owned(), cause: Box::new(cause) };
        self.link.call(method, params).map_err(refused)
    }

    /// Whether the node is up and done with starting.
    pub(super) fn is_ready(&self) -> bool {
        self.link.page("/readyz").is_ok()
    }

    /// Ends the process as a power cut would.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            let failed = |cause| Error::System { what: format!("node {} can't be killed", self.number), cause };
            process.kill().map_err(failed)?;
            process.wait().map_err(failed)?;
        }
        Ok(())
    }

    /// Asks the node to stop.
    pub(super) fn ask_to_stop(&self) {
        if self.is_started()
            && let Err(error) = self.call("stop", json!([]))
        {
            tracing::debug!(%error, "not stopped by asking");
        }
    }

    /// Waits until the node has stopped; ends it if it does not.
    pub(super) fn wait(&mut self) {
        let deadline = Instant::now().checked_add(STOPPING);
        while self.is_started() && self.ended().is_none() && deadline.is_some_and(|deadline| Instant::now() < deadline)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.ended().is_some() {
            self.process = None;
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.join("demo.log")
    }

    /// The last lines that the node said.
    pub(super) fn last_words(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(self.log())?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|error| format!("(its log can't be read: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::warn!(%error, "a node may be left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn free_ports_are_two() {
        let ports = Ports::free().unwrap();
        assert_ne!(ports.p2p, ports.http);
        TcpListener::bind((Ipv4Addr::LOCALHOST, ports.p2p)).unwrap();
    }

    #[test]
    fn the_last_words_are_the_end_of_the_log() {
        let base = tempfile::tempdir().unwrap();
        let child = Child::new(2, base.path(), Ports { p2p: 1, http: 2 }, String::new()).unwrap();
        assert!(child.last_words().contains("can't be read"));
        std::fs::create_dir_all(child.directory()).unwrap();
        let lines: Vec<String> = (0..5000).map(|number| format!("line {number}")).collect();
        std::fs::write(child.log(), lines.join("\n")).unwrap();
        let words = child.last_words();
        assert_eq!(words.lines().count(), TAIL_LINES);
        assert!(words.ends_with("line 4999"), "{words}");
    }
}
