//! A chain over the network, from two peers at once, beside the import of the same chain from its file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::{self, Cost};
use crate::process::{Node, Usage, yap};
use crate::{median, millis};

/// What a sync took.
#[derive(Clone, Copy)]
struct Synced {
    /// Since the process was started.
    wall: Duration,
    /// Of that, until the node was ready to be asked.
    start: Duration,
    usage: Usage,
    /// What both peers spent meanwhile.
    served: Duration,
}

/// A file of blocks, and what Bitcoin Core says of it.
fn chain() -> (PathBuf, Value) {
    let base = match std::env::var_os("YAP_TEST_DATA") {
        Some(folder) => Path::new(&folder).join("regtest-240"),
        None => {
            println!("YAP_TEST_DATA is not set: this is a small chain");
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/regtest-160")
        }
    };
    let said = std::fs::read(base.with_extension("json")).unwrap();
    (base.with_extension("blk"), serde_json::from_slice(&said).unwrap())
}

pub(crate) fn run() {
    let (file, said) = chain();
    let runs = std::env::var("YAP_BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(5).max(1);
    let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for place in &places {
        import(&file, place.path());
    }
    let peers = places.each_ref().map(|place| Node::start(place.path(), "regtest", &[]));
    let peers = peers.map(|mut peer| {
        peer.ready();
        peer
    });
    let (mut imports, mut syncs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        imports.push(import(&file, tempfile::tempdir().unwrap().path()));
        syncs.push(sync(&peers, &said));
    }
    for peer in peers {
        peer.stop();
    }
    let import = Cost::median(&imports);
    let of = |figure: fn(&Synced) -> Duration| median(syncs.iter().map(figure).collect());
    let (wall, cpu, served) = (of(|one| one.wall), of(|one| one.usage.cpu), of(|one| one.served));
    println!("{}, from its file and from two peers; every script verified; the median of {runs} runs", file.display());
    println!("{:<28} {:>10} {:>7} {:>10} {:>7} {:>10}", "", "wall", "ratio", "CPU", "ratio", "peak");
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
    let mega = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "{:<28} {:>7.0} ms {:>7} {:>7.0} ms {:>7} {:>7.1} MB",
        "yap import",
        millis(import.wall),
        "",
        millis(import.cpu),
        "",
        mega(import.peak)
    );
    let peak = median(syncs.iter().map(|one| one.usage.peak).collect());
    println!(
        "{:<28} {:>7.0} ms {:>7.2} {:>7.0} ms {:>7.2} {:>7.1} MB",
        "a fresh node",
        millis(wall),
        ratio(wall, import.wall),
        millis(cpu),
        ratio(cpu, import.cpu),
        mega(peak)
    );
    println!(
        "of that, until it was ready {:>7.0} ms; CPU of both peers meanwhile {:.0} ms",
        millis(of(|one| one.start)),
        millis(served)
    );
}

/// Imports the chain into an empty directory.
fn import(file: &Path, place: &Path) -> Cost {
    let mut command = vec![PathBuf::from(yap().get_program())];
    command.extend(["--chain", "regtest", "--data-dir"].map(PathBuf::from));
    command.extend([place.to_owned(), "import".into(), file.to_owned()]);
    measure::child(command).unwrap()
}

/// Starts a fresh node, and waits until it has the chain.
fn sync(peers: &[Node; 2], said: &Value) -> Synced {
    let place = tempfile::tempdir().unwrap();
    let before = peers.each_ref().map(|peer| peer.usage().cpu);
    let mut node = Node::start(place.path(), "regtest", &peers.each_ref());
    let start = node.ready_to_be_asked();
    let wall = node.reaches(&said["tip"]["bestblock"]);
    let usage = node.usage();
    let served = peers.iter().zip(before).map(|(peer, before)| peer.usage().cpu.saturating_sub(before)).sum();
    let totals = node.call("gettxoutsetinfo", &json!(["muhash"]));
    assert_eq!(totals["muhash"], said["tip"]["muhash"], "the coins are other ones than Bitcoin Core's");
    node.stop();
    Synced { wall, start, usage, served }
}
