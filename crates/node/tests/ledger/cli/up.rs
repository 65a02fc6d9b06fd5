//! `yap up` as a process: what it says, how commands find it, how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{run, yap, yap_with};

/// How long a node may take for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node that runs. It is ended with the test, whatever that found.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node that talks to nobody, at ports that the system chooses.
fn up(data: &Path, more: &[&str]) -> Command {
    let mut command = yap(data);
    command.args(["up", "--p2p-port", "0", "--http-port", "0", "--listen", "loopback", "--no-mdns", "--no-registry"]);
    command.args(more);
    command
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (told, lines) = channel();
        let out: BufReader<ChildStdout> = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line with that text.
    fn says(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if line.contains(text) {
                return line;
            }
            heard.push(line);
        }
        let mut errors = String::new();
        let _ = self.child.kill();
        let _ = self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut errors));
        panic!("{text:?} was not said: {heard:?} {errors}");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn ends(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the node does not end");
    }
}

#[test]
fn a_node_tells_where_it_is_keeps_its_files_and_ends_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Running::start(up(directory.path(), &[]));
    node.says("first start on the chain regtest");
    node.says("started: chain regtest");
    let note = directory.path().join("regtest/node.json");
    let text: Value = serde_json::from_slice(&std::fs::read(&note).unwrap()).unwrap();
    assert_eq!(text["pid"], node.child.id());
    let http = text["http"].as_str().unwrap();
    assert!(http.starts_with("127.0.0.1:") && !http.ends_with(":0"), "{http}");
    let refused = yap_with(directory.path(), ["utxo"]).ends(1);
    let refused = refused.says(&format!("process {}", node.child.id())).says("yap stop");
    assert_eq!(refused.out, "");
    run(&mut up(directory.path(), &[])).ends(1).says("another node").says("--data-dir");
    node.signal("-INT");
    node.says("stopping");
    assert_eq!(node.ends(), Some(0), "a clean stop");
    assert!(!note.exists());
    yap_with(directory.path(), ["utxo"]).ends(0);
}

#[test]
fn a_node_that_was_killed_leaves_nothing_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Running::start(up(directory.path(), &[]));
    node.says("started: chain regtest");
    node.signal("-KILL");
    assert_eq!(node.ends(), None);
    assert!(directory.path().join("regtest/node.json").exists(), "nobody took it away");
    yap_with(directory.path(), ["utxo"]).ends(0);
    let mut node = Running::start(up(directory.path(), &["--log-format", "json"]));
    let line = node.says("started: chain regtest");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "info", "{line}");
    node.signal("-TERM");
    assert_eq!(node.ends(), Some(0));
}

#[test]
fn what_is_set_is_shown_with_where_it_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("yap.toml");
    std::fs::write(&file, "[p2p]\nport = 7001\nmdns = false\n").unwrap();
    let mut command = yap(directory.path());
    let shown = run(command.args(["config", "--json", "--no-dht"]).env("HTTP_PORT", "3007")).ends(0).json();
    assert_eq!(shown["p2p.port"]["value"].to_string(), "7001");
    assert_eq!(shown["p2p.port"]["origin"], format!("{}:2", file.display()));
    assert_eq!(shown["p2p.dht"]["origin"], "--no-dht");
    assert_eq!(shown["http.port"]["origin"], "HTTP_PORT");
    assert_eq!(shown["wallet.enabled"]["origin"], "default");
    std::fs::write(&file, "[p2p]\nprot = 7001\n").unwrap();
    run(&mut up(directory.path(), &[])).ends(2).says("unknown key `prot` in [p2p]; did you mean `port`?");
}
