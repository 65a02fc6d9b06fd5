//! A node in a process of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yap_node::home::unused_port;

use crate::http::Connection;

/// Time after which what must happen is taken to be lost.
const PATIENCE: Duration = Duration::from_secs(120);

/// Variables that tell a node what to do, beside those that begin with `YAP_`.
const FOREIGN: [&str; 3] = ["P2P_PORT", "HTTP_PORT", "PEERS"];

/// The program, told nothing by its surroundings.
pub(crate) fn yap() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yap"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("YAP_") || FOREIGN.contains(&name)) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A running node.
pub(crate) struct Node {
    child: Child,
    chain: &'static str,
    data: PathBuf,
    pub(crate) p2p: u16,
    pub(crate) http: SocketAddr,
    begun: Instant,
}

impl Node {
    /// Starts one, with everything as by default but that it looks for nobody: it is alone, or with those peers.
    pub(crate) fn start(data: &Path, chain: &'static str, peers: &[&Self]) -> Self {
        let [p2p, http] = [(); 2].map(|()| unused_port().unwrap());
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, http));
        let log = File::options().create(true).append(true).open(data.join("bench.log")).unwrap();
        let mut command = yap();
        command.arg("--data-dir").arg(data).args(["--chain", chain, "up", "--listen", "loopback", "--mine", "off"]);
        command.args(["--no-mdns", "--no-registry", "--no-upnp"]);
        command.args(["--p2p-port", &p2p.to_string(), "--http-port", &http.port().to_string()]);
        if !peers.is_empty() {
            let peers: Vec<String> = peers.iter().map(|peer| format!("127.0.0.1:{}", peer.p2p)).collect();
            command.args(["--peers", &peers.join(",")]);
        }
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let begun = Instant::now();
        let child = command.spawn().unwrap();
        Self { child, chain, data: data.to_owned(), p2p, http, begun }
    }

    /// Time since the process was started.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until it is ready, and gives how old the process then is.
    pub(crate) fn ready(&mut self) -> Duration {
        self.answers(|status| status == 200)
    }

    /// Waits until it answers at all, even if it says that it catches up.
    pub(crate) fn ready_to_be_asked(&mut self) -> Duration {
        self.answers(|_| true)
    }

    fn answers(&mut self, wanted: fn(u16) -> bool) -> Duration {
        loop {
            self.runs();
            let asked = Connection::open(self.http).and_then(|mut connection| connection.get("/readyz"));
            if asked.is_ok_and(|(status, _)| wanted(status)) {
                return self.age();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits until that is its tip, and gives how old the process then is.
    pub(crate) fn reaches(&mut self, tip: &Value) -> Duration {
        let mut connection = self.connect();
        loop {
            self.runs();
            let (_, reply) = connection.post(r#"{"jsonrpc":"2.0","id":1,"method":"getbestblockhash"}"#).unwrap();
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            if reply["result"] == *tip {
                return self.age();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn runs(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none() && self.age() < PATIENCE, "{ended:?}; see {}", self.data.display());
    }

    /// A connection, and what proves that we may do all.
    pub(crate) fn connect(&self) -> Connection {
        let cookie = std::fs::read_to_string(self.data.join(self.chain).join(".cookie")).unwrap();
        Connection::open(self.http).unwrap().with_credentials(cookie.trim())
    }

    /// Calls a method.
    pub(crate) fn call(&self, method: &str, params: &Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (status, reply) = self.connect().post(&body).unwrap();
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        assert!(status == 200 && reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// Asks it to stop as Ctrl-C does, and gives how long that takes.
    pub(crate) fn stop(mut self) -> Duration {
        let begun = Instant::now();
        interrupt(&self.child);
        let status = self.child.wait().unwrap();
        let took = begun.elapsed();
        assert!(status.success(), "{status}; see {}", self.data.display());
        took
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(&self.child)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn interrupt(child: &Child) {
    let id = i32::try_from(child.id()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::INT).unwrap();
}

/// What a process has and had, as Linux tells; nothing elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Bytes of memory that are resident now, and most ever.
    pub(crate) resident: u64,
    pub(crate) peak: u64,
    /// Resident bytes that are no part of a file: the program itself is one.
    pub(crate) own: u64,
    /// CPU time of all threads that run now.
    pub(crate) cpu: Duration,
}

impl Usage {
    pub(crate) fn of(child: &Child) -> Self {
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        // The first number of each is what the thread ran, in nanoseconds.
        let threads = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
        let ran = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
        let ran = ran.filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok()).sum();
        Self { resident: bytes("VmRSS"), peak: bytes("VmHWM"), own: bytes("RssAnon"), cpu: Duration::from_nanos(ran) }
    }
}
