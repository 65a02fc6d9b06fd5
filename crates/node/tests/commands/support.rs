//! A node in a process of its own, and commands that are run beside it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Time after which what must happen is taken to be lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What tells a node what to do, and must not come from whoever runs the tests.
const FOREIGN: [&str; 3] = ["P2P_PORT", "HTTP_PORT", "PEERS"];

/// The program, told nothing by its surroundings.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yap"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("YAP_") || FOREIGN.contains(&name)) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Requires an exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Requires a text on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A place for a node, which may run there.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    chain: &'static str,
    node: Option<Child>,
}

impl Place {
    /// A place where no node runs.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), chain: "local", node: None }
    }

    /// A place with a node that answers, which nobody finds.
    pub(crate) fn with_node() -> Self {
        let mut place = Self::empty();
        place.start();
        place
    }

    /// The same, of that chain.
    pub(crate) fn with_node_of(chain: &'static str) -> Self {
        let mut place = Self::empty();
        place.chain = chain;
        place.start();
        place
    }

    /// Starts a node, and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// The same, with more flags.
    pub(crate) fn start_with(&mut self, flags: &[&str]) {
        let log = std::fs::File::create(self.log()).unwrap();
        let mut command = self.command();
        command.args(["up", "--p2p-port", "0", "--http-port", "0", "--listen", "loopback", "--mine", "off"]);
        command.args(["--no-mdns", "--no-registry", "--no-upnp"]).args(flags);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.node = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while self.run(["ping"]).code != 0 {
            let ended = self.node.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{ended:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process of the node, which runs.
    pub(crate) fn pid(&self) -> u32 {
        self.node.as_ref().unwrap().id()
    }

    /// Waits until the node has ended.
    pub(crate) fn ended(&mut self) -> i32 {
        let (begun, mut node) = (Instant::now(), self.node.take().unwrap());
        loop {
            match node.try_wait().unwrap() {
                Some(status) => return status.code().unwrap_or(-1),
                None if begun.elapsed() > PATIENCE => {
                    node.kill().unwrap();
                    panic!("the node does not end: {}", self.said());
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// The directory of the node.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("data").join(self.chain)
    }

    /// Where the node answers, which runs.
    pub(crate) fn http(&self) -> SocketAddr {
        let note: Value = serde_json::from_slice(&std::fs::read(self.home().join("node.json")).unwrap()).unwrap();
        note["http"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A command of this place.
    pub(crate) fn command(&self) -> Command {
        let mut command = bare();
        command.arg("--chain").arg(self.chain).arg("--data-dir").arg(self.path().join("data"));
        command
    }

    /// Runs a command of this place.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.command().args(arguments).output().unwrap().into()
    }

    /// An address at which the node listens, as soon as it does.
    pub(crate) fn listens(&self) -> String {
        let begun = Instant::now();
        loop {
            let status = self.run(["--json", "status"]).ends(0).json();
            let addresses = status["listening"].as_array().unwrap().iter().filter_map(Value::as_str);
            if let Some(tcp) = addresses.into_iter().find(|text| text.starts_with("/ip4/127.0.0.1/tcp/")) {
                return tcp.to_owned();
            }
            assert!(begun.elapsed() < PATIENCE, "{status}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the node said.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            // It may have ended by itself.
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}
