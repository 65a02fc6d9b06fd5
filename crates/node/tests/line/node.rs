//! A node in a process of its own. It is ended with this value, whatever happens.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use yap_api::client::{Client, ClientError};
use yap_node::home::unused_port;

use crate::town::PATIENCE;

/// What tells a node what to do, and must not come from whoever runs the tests.
const FOREIGN: [&str; 3] = ["P2P_PORT", "HTTP_PORT", "PEERS"];

/// Time for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// A node.
pub(crate) struct Node {
    directory: PathBuf,
    pub(crate) p2p: u16,
    http: u16,
    peers: String,
    /// When it mines; as the program does by itself, if this is empty.
    pub(crate) mining: &'static str,
    /// Whether it looks for more peers than it is told of, through those that it has.
    pub(crate) curious: bool,
    /// Its chain: a name, or the file of one.
    chain: String,
    process: Option<Child>,
    pub(crate) client: Client,
}

impl Node {
    /// A node that is not started yet.
    pub(crate) fn new(directory: PathBuf, peers: String, mining: &'static str) -> Self {
        let [p2p, http] = [(); 2].map(|()| unused_port().unwrap());
        let cookie = directory.join("local").join(".cookie");
        let client = Client::new(&format!("127.0.0.1:{http}"), Some(&cookie)).unwrap().with_timeout(ANSWER);
        std::fs::create_dir_all(&directory).unwrap();
        Self { directory, p2p, http, peers, mining, curious: false, chain: "local".into(), process: None, client }
    }

    /// The same, on the chain of that name, which a file describes.
    pub(crate) fn on(mut self, name: &str, file: &Path) -> Self {
        self.chain = file.display().to_string();
        let cookie = self.directory.join(name).join(".cookie");
        self.client = Client::new(&format!("127.0.0.1:{}", self.http), Some(&cookie)).unwrap().with_timeout(ANSWER);
        self
    }

    /// The program, told nothing by its surroundings, about this node.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yap"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("YAP_") || FOREIGN.contains(&name)) {
                command.env_remove(name);
            }
        }
        command.env("HOME", &self.directory).env("YAP_DATA_DIR", &self.directory).env("YAP_CHAIN", &self.chain);
        command
    }

    /// Where it keeps everything.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How others name it.
    pub(crate) fn url(&self) -> String {
        format!("ws://localhost:{}", self.p2p)
    }

    /// Names one more peer to it, for its next start.
    pub(crate) fn know(&mut self, url: &str) {
        let separator = if self.peers.is_empty() { "" } else { "," };
        self.peers = format!("{}{separator}{url}", self.peers);
    }

    /// Names one peer to it, for its next start, and no other.
    pub(crate) fn know_only(&mut self, url: &str) {
        self.peers = url.to_owned();
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = self.command();
        if !self.mining.is_empty() {
            command.env("YAP_MINING_MODE", self.mining);
        }
        command
            .env("HTTP_PORT", self.http.to_string())
            .env("P2P_PORT", self.p2p.to_string())
            .env("PEERS", &self.peers)
            // So that a line is a line: each node knows the peers that it is told, and no others, unless it is curious.
            .env("YAP_P2P_DHT", self.curious.to_string())
            .env("YAP_P2P_ONLY_PEERS", (!self.curious).to_string())
            .envs([("YAP_P2P_MDNS", "false"), ("YAP_P2P_REGISTRY", "false")])
            .envs([("YAP_P2P_UPNP", "false"), ("YAP_P2P_LISTEN", "loopback")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    pub(crate) fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// Waits until it answers. Nothing tells of that, so it is asked again and again.
    pub(crate) fn ready(&mut self) {
        let begun = Instant::now();
        while self.client.page("/readyz").is_err() {
            let ended = self.process.as_mut().expect("it was started").try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn call(&self, method: &str, parameters: Value) -> Result<Value, ClientError> {
        self.client.call(method, parameters)
    }

    /// Ends the process as a power cut would, without waiting for its end.
    pub(crate) fn strike(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself.
            let _ = process.kill();
        }
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.strike();
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.call("stop", Value::Null).unwrap();
        let begun = Instant::now();
        let mut process = self.process.take().unwrap();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return;
            }
            if begun.elapsed() > PATIENCE {
                process.kill().unwrap();
                panic!("it does not stop: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it said on standard output and error.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The end of that.
    pub(crate) fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        let id = self.process.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// A file of its ledger's directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join("local").join(name)
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
