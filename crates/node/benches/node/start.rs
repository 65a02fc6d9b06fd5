//! Starting, idling, stopping.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bare::Server;
use crate::process::{Node, yap};
use crate::{median, millis};

/// Blocks of the chain.
const BLOCKS: u32 = 110;

/// How often a node is started and stopped.
const STARTS: usize = 10;

/// How long a node idles before its memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// A directory of a node on the chain `local`, with a wallet that has been paid.
pub(crate) fn mined() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let mut node = Node::start(place.path(), "local", &[]);
    node.ready();
    let address = node.call("getnewaddress", &json!([]));
    node.call("generatetoaddress", &json!([BLOCKS, address]));
    node.stop();
    place
}

pub(crate) fn run(place: &Path) {
    let (mut opened, mut ready, mut synced, mut stopped) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        opened.push(open(place));
        let mut node = Node::start(place, "local", &[]);
        ready.push(node.ready());
        // A node that is used, not one that still starts: it has something to leave.
        std::thread::sleep(Duration::from_millis(300));
        synced.push(write(place));
        stopped.push(node.stop());
    }
    println!("{STARTS} starts on the chain local, {BLOCKS} blocks, wallet on");
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "least", "most");
    let rows = [
        ("a command that opens the store, and ends", opened),
        ("start until /readyz says yes", ready),
        ("4 KiB written to disk for sure", synced),
        ("SIGINT until the process is gone", stopped),
    ];
    for (name, times) in rows {
        let (least, most) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
        println!("{name:<44} {:>6.1} ms {:>6.1} ms {:>6.1} ms", millis(median(times)), millis(least), millis(most));
    }
    idle(place);
}

/// A command that opens the same store.
fn open(place: &Path) -> Duration {
    let begun = Instant::now();
    let mut command = yap();
    command.arg("--data-dir").arg(place).args(["--chain", "local", "--json", "utxo"]);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    begun.elapsed()
}

/// What the disk takes for the least that can be called safe.
fn write(place: &Path) -> Duration {
    let mut file = std::fs::File::create(place.join("written")).unwrap();
    let begun = Instant::now();
    file.write_all(&[7; 4096]).unwrap();
    file.sync_all().unwrap();
    begun.elapsed()
}

fn idle(place: &Path) {
    let mut node = Node::start(place, "local", &[]);
    let server = Server::start();
    node.ready();
    let before = node.usage().cpu;
    std::thread::sleep(IDLE);
    let (usage, floor) = (node.usage(), server.usage());
    node.stop();
    println!(
        "\nidle for {} s, no peers{:>29} {:>12} {:>16}",
        IDLE.as_secs(),
        "resident",
        "of no file",
        "CPU meanwhile"
    );
    let mega = |bytes: u64| bytes as f64 / 1e6;
    println!("{:<44} {:>6.1} MB {:>9.1} MB", "a bare HTTP server", mega(floor.resident), mega(floor.own));
    let (resident, own, cpu) = (mega(usage.resident), mega(usage.own), usage.cpu.saturating_sub(before));
    println!("{:<44} {resident:>6.1} MB {own:>9.1} MB {:>13} ms\n", "the node", cpu.as_millis());
}
