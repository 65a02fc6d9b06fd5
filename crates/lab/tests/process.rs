//! `yap-peer` as a process: arguments, lines in, lines out, the way it ends.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);

struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    asked: u64,
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yap-peer"));
    command.arg("--data").arg(data).args(["--loopback", "--no-mdns", "--no-registry", "--no-upnp"]).args(arguments);
    command.env_remove("PEERS").env_remove("P2P_PORT").env_remove("LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(data: &Path, arguments: &[&str]) -> Process {
    let mut child = command(data, arguments).spawn().unwrap();
    let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let value = serde_json::from_str(&line.unwrap()).expect("every line is JSON");
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    Process { child, input, lines, asked: 0 }
}

impl Process {
    fn find(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let value = self.lines.recv_timeout(left).expect("it comes in time");
            if wanted(&value) {
                return value;
            }
        }
    }

    fn event(&self, kind: &str) -> Value {
        self.find(|value| value["event"] == kind)
    }

    fn ask(&mut self, mut command: Value) -> Value {
        self.asked += 1;
        command["id"] = json!(self.asked);
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        let id = self.asked;
        self.find(|value| value["id"] == id)
    }

    fn end(mut self) -> Output {
        drop(self.input.take());
        let deadline = Instant::now() + SOON;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it ends by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut error = String::new();
        std::io::Read::read_to_string(self.child.stderr.as_mut().unwrap(), &mut error).unwrap();
        Output { status: self.child.wait().unwrap(), stdout: Vec::new(), stderr: error.into_bytes() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tcp(process: &Process) -> String {
    let plain = |value: &Value| {
        value["event"] == "listening"
            && value["address"].as_str().is_some_and(|text| text.contains("/tcp/") && !text.contains("/ws"))
    };
    process.find(plain)["address"].as_str().unwrap().to_owned()
}

#[test]
fn two_processes_share_a_ledger_by_lines() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut alice = start(directories[0].path(), &["--port", "0", "--name", "alice"]);
    let address = tcp(&alice);
    let mut bob = start(directories[1].path(), &["--port", "0", "--peers", &address]);
    let connected = bob.event("connected");
    let status = alice.ask(json!({"do": "status"}))["ok"].clone();
    assert_eq!(connected["identity"], status["identity"]);
    assert_eq!((&connected["path"], &connected["via"]), (&json!("direct"), &json!("tcp")));
    assert!(status["rss"].as_u64().unwrap() > 1 << 20 && status["cpu"].as_f64().unwrap() > 0.0);
    let mined = alice.ask(json!({"do": "mine", "blocks": 2, "bytes": 100_000}))["ok"].clone();
    let tip = bob.find(|value| value["event"] == "tip" && value["height"] == mined["height"]);
    assert_eq!(tip["hash"], mined["tip"]);
    let paid = bob.ask(json!({"do": "pay"}))["ok"]["txid"].clone();
    alice.find(|value| value["event"] == "transaction" && value["txid"] == paid);
    assert_eq!(alice.ask(json!({"do": "has", "txid": paid}))["ok"]["has"], true);
    let wrong = bob.ask(json!({"do": "part", "identity": "nobody"}));
    assert!(wrong["error"].as_str().unwrap().contains("12D3KooW"), "{wrong}");
    assert_eq!(bob.ask(json!({"do": "stop"}))["ok"], json!({}));
    assert!(bob.end().status.success());
    assert_eq!(alice.event("gone")["why"], "the node stops");
    // The end of its input is enough.
    assert!(alice.end().status.success());
}

#[test]
fn a_killed_process_comes_back_with_its_chain_and_is_found_again() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let port = yap_lab::ports::unused().unwrap().to_string();
    let mut alice = start(directories[0].path(), &["--port", &port]);
    let address = tcp(&alice);
    let mut bob = start(directories[1].path(), &["--port", "0", "--peers", &address]);
    bob.event("connected");
    let mined = alice.ask(json!({"do": "mine", "blocks": 3, "bytes": 1_000_000}))["ok"].clone();
    let put = alice.ask(json!({"do": "put", "key": "stone", "bytes": 20_000}))["ok"].clone();
    bob.find(|value| value["event"] == "tip" && value["height"] == mined["height"]);
    // SIGKILL: no goodbye, nothing is written any more.
    alice.child.kill().unwrap();
    alice.child.wait().unwrap();
    bob.event("gone");
    let got = bob.ask(json!({"do": "get", "key": "stone"}))["ok"].clone();
    assert_eq!((&got["sha256"], &got["length"]), (&put["sha256"], &json!(20_000)));
    let mut alice = start(directories[0].path(), &["--port", &port]);
    bob.event("connected");
    let status = alice.ask(json!({"do": "status"}))["ok"].clone();
    assert_eq!((&status["height"], &status["tip"]), (&mined["height"], &mined["tip"]));
    let mined = bob.ask(json!({"do": "mine"}))["ok"].clone();
    alice.find(|value| value["event"] == "tip" && value["hash"] == mined["tip"]);
}

fn failure(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = command(data, arguments).envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error.lines().count(), 1, "one line: {error}");
    assert!(output.stdout.is_empty());
    error
}

#[test]
fn what_keeps_it_from_starting_is_one_line_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    assert!(failure(directory.path(), &["--port", &port], &[]).contains("in use"));
    assert!(failure(directory.path(), &[], &[("P2P_PORT", &port)]).contains("in use"));
    assert!(failure(directory.path(), &["--peers", "http://a:1"], &[]).contains("ws://"));
    assert!(failure(directory.path(), &[], &[("PEERS", "/ip4/1.2.3/tcp/1")]).contains("1.2.3"));
    assert!(failure(directory.path(), &["--chain", "/nowhere/chain.toml"], &[]).contains("/nowhere/chain.toml"));
    assert!(failure(Path::new("/dev/null"), &[], &[]).contains("/dev/null"));
}
