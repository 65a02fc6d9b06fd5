//! What commands say, and how they end.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{PATIENCE, Place, Ran, bare};

/// An address of the chain `local`, and one of Bitcoin's.
const BOB: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const STRANGER: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";

#[test]
fn a_node_answers_until_it_is_stopped() {
    let mut place = Place::with_node();
    let status = place.run(["--json", "status"]).ends(0).json();
    assert_eq!((&status["chain"], &status["height"], &status["isolated"]), (&json!("local"), &json!(0), &json!(true)));
    let told = place.run(["status"]).ends(0).out;
    assert!(told.starts_with("chain") && told.contains("height 0") && told.contains("peers"), "{told}");
    assert!(place.run(["peers"]).ends(0).out.contains("yap addpeer"));
    assert!(place.run(["ping"]).ends(0).out.contains("I'm alive"));
    assert!(place.said().contains("I'm alive"), "{}", place.said());

    assert_eq!(place.run(["stop"]).ends(0).out, "stopped\n");
    assert_eq!(place.ended(), 0);
    for command in [&["status"][..], &["pay", BOB, "1", "--yes"], &["rpc", "getblockcount"], &["events"]] {
        place.run(command).ends(3).says("no node runs in").says("start one with `yap`");
    }
}

#[test]
fn a_block_is_shown_alike_by_the_node_and_by_its_files() {
    let mut place = Place::with_node();
    let mined = place.run(["--json", "mine", "2", "--to", BOB]).ends(0).json();
    assert_eq!(mined.as_array().unwrap().len(), 2);
    let blocks = |place: &Place| {
        let whole = |block: &[&str]| {
            let mut shown = place.run([&["--json", "block"], block].concat()).ends(0).json();
            // A float may be written in more than one way.
            shown["difficulty"].take();
            shown
        };
        (
            whole(&["1"]),
            whole(&[mined[0].as_str().unwrap()]),
            whole(&[]),
            place.run(["block", "--raw", "1"]).ends(0).out,
        )
    };
    let asked = blocks(&place);
    assert_eq!(asked.0, asked.1);
    assert_eq!(asked.2["height"], 2);
    assert!(place.run(["block", "1"]).ends(0).out.lines().any(|line| line.split_whitespace().eq(["height", "1"])));
    for unknown in ["3", "zz", "-1"] {
        assert_ne!(place.run(["block", unknown]).code, 0, "{unknown}");
    }
    place.run(["stop"]).ends(0);
    place.ended();
    let read = blocks(&place);
    assert_eq!(asked.3, read.3);
    for (by_node, by_file) in [(&asked.0, &read.0), (&asked.2, &read.2)] {
        // The files' reader shows the header's bytes as well.
        for (field, value) in by_file.as_object().unwrap().iter().filter(|(field, _)| *field != "header") {
            assert_eq!(&by_node[field], value, "{field}");
        }
    }
}

#[test]
fn what_is_kept_under_a_key_is_found_again() {
    let place = Place::with_node();
    place.run(["put", "colour", "-blue-"]).ends(0);
    assert_eq!(place.run(["get", "colour"]).ends(0).out, "-blue-\n");
    assert_eq!(place.run(["--json", "get", "colour"]).ends(0).json()["value"], "-blue-");
    place.run(["get", "nothing"]).ends(1);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let place = Place::with_node();
    place.run(["rpc", "getblockcont"]).ends(1).says("`yap rpc help`");
    place.run(["rpc", "getblockhash", "many"]).ends(2).says("height");
    place.run(["rpc", "getblockhash", "7"]).ends(1).says("Block height out of range");
    place.run(["pay", STRANGER, "1", "--yes"]).ends(2).says("bitcoin");
    place.run(["pay", BOB, "1,000", "--yes"]).ends(2).says("comma");
    place.run(["pay", BOB, "--yes"]).ends(2).says("--all");
    place.run(["droppeer", "localhost:1"]).ends(1).says("`yap peers`");
    place.run(["mine", "--off", "--continuous"]).ends(2);
    place.run(["stauts"]).ends(2).says("status");
    let error = place.run(["--json", "rpc", "getblockhash", "7"]).ends(1).json();
    assert!(error["error"].as_str().unwrap().contains("out of range"), "{error}");
}

#[test]
fn rpc_prints_what_a_shell_can_use() {
    let place = Place::with_node();
    assert_eq!(place.run(["rpc", "getblockcount"]).ends(0).out, "0\n");
    let hash = place.run(["rpc", "getblockhash", "0"]).ends(0).out;
    assert_eq!(hash.trim_end().len(), 64, "{hash}");
    let named = place.run(["rpc", "--named", "getblock", &format!("blockhash={}", hash.trim_end()), "verbosity=0"]);
    assert!(named.ends(0).out.len() > 160);
    let mut command = place.command();
    let asking = command.args(["rpc", "--stdin", "getblockheader"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut asking = asking.stderr(Stdio::piped()).spawn().unwrap();
    write!(asking.stdin.take().unwrap(), "{}\ntrue\n", hash.trim_end()).unwrap();
    let ran: Ran = asking.wait_with_output().unwrap().into();
    assert_eq!(ran.ends(0).json()["height"], 0);
}

/// A command that goes on, and the lines that it prints.
pub(crate) fn streaming(place: &Place, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut command = place.command();
    let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

pub(crate) fn interrupt(child: &Child) {
    let process = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
}

/// The first line of a stream, for which `cause` is done again and again: whoever reads may not listen yet. Nothing may
/// panic meanwhile, since the reader waits for a line or the end.
pub(crate) fn first_line(child: &Child, out: &mut BufReader<ChildStdout>, mut cause: impl FnMut(u32)) -> String {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            line
        });
        for number in 0.. {
            if reader.is_finished() {
                break;
            }
            if begun.elapsed() > PATIENCE {
                interrupt(child);
                break;
            }
            cause(number);
        }
        reader.join().unwrap()
    })
}

#[test]
fn events_come_as_they_happen_until_ctrl_c() {
    let place = Place::with_node();
    let (child, mut out) = streaming(&place, &["--json", "events", "--types", "ping"]);
    let line = first_line(&child, &mut out, |_| drop(place.run(["ping"])));
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["event"]["type"], "ping", "{event}");
    interrupt(&child);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!(ran.ends(130).err, "");
}

#[test]
fn a_subscriber_hears_what_another_node_publishes() {
    let (alice, bob) = (Place::with_node(), Place::with_node());
    alice.run(["addpeer", &bob.listens()]).ends(0);
    let (child, mut out) = streaming(&bob, &["subscribe", "news"]);
    // The same message twice at one time is refused.
    let heard = first_line(&child, &mut out, |number| {
        drop(alice.run(["publish", "news", &format!("the coin has been moved, {number}")]));
    });
    assert!(heard.contains("the coin has been moved, "), "{heard}");
    interrupt(&child);
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, 130);
}

#[test]
fn a_stream_ends_with_its_node() {
    let mut place = Place::with_node();
    let (child, mut out) = streaming(&place, &["--json", "events"]);
    let line = first_line(&child, &mut out, |_| drop(place.run(["ping"])));
    assert!(line.contains("\"ping\""), "{line}");
    place.run(["stop"]).ends(0);
    assert_eq!(place.ended(), 0);
    // Whatever is left to be read fits into the pipe.
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.ends(1).says("the node stopped");
}

#[test]
fn the_shell_takes_the_completions() {
    let script = Ran::from(bare().args(["completions", "bash"]).output().unwrap()).ends(0).out;
    let mut bash = std::process::Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    Ran::from(bare().args(["completions", "cmd"]).output().unwrap()).ends(2);
}

#[test]
fn help_tells_what_each_flag_does() {
    for command in [
        &["pay"][..],
        &["address"],
        &["history"],
        &["mine"],
        &["block"],
        &["tx"],
        &["mempool"],
        &["put"],
        &["get"],
        &["publish"],
        &["subscribe"],
        &["events"],
        &["rpc"],
        &["stop"],
        &["addpeer"],
        &["completions"],
        &["demo"],
        &["wallet", "unlock"],
        &["wallet", "restore"],
        &["wallet", "bump"],
        &["wallet", "psbt", "create"],
    ] {
        let help = Ran::from(bare().args(command).arg("-h").output().unwrap()).ends(0).out;
        for line in help.lines().filter(|line| line.trim_start().starts_with(['-', '<'])) {
            let (_, text) = line.trim().split_once("  ").unwrap_or_default();
            assert!(text.trim().len() > 3 || line.trim().len() > 60, "{command:?}: {line}");
        }
    }
}
