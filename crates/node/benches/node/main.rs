//! What a running node costs: real processes of `yap`, beside what limits them, measured in the same run.
//!
//! | measured | beside |
//! |---|---|
//! | start until `/readyz` says yes | a command that opens the same store, and ends |
//! | SIGINT until the process is gone | a write that is on disk for sure |
//! | memory of an idle node | a bare HTTP server on the same runtime |
//! | calls over one connection | the same server, asked the same |
//! | a chain over the network, from two peers at once | `yap import` of the same chain |
//! | a payment and a block until all of 3, 10, 30, 100 nodes have it | the CPU time of all of them meanwhile |
//!
//! `YAP_TEST_DATA`: a folder with `regtest-240.blk` and `.json`; without it a small chain is synced, and says little.
//! `YAP_BENCH_RUNS`: how often chains are synced (default 5). `YAP_BENCH_ONLY`: names the parts that are measured, of
//! `start`, `calls`, `sync`, `crowd`; all unless told. `YAP_BENCH_NODES`: how many nodes crowds have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a bench may panic")]
#![allow(clippy::arithmetic_side_effects, clippy::cast_precision_loss, reason = "a bench may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "what is not followed is left")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it prints")]

mod bare;
mod calls;
mod crowd;
mod http;
#[path = "../import/measure.rs"]
#[expect(dead_code, reason = "nothing is measured within this process")]
mod measure;
mod process;
mod start;
mod sync;

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some((measure::MEASURE, program)) => {
            if let Err(error) = measure::run_and_print(program) {
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
        Some((bare::SERVE, _)) => bare::serve(),
        _ => all(),
    }
}

fn all() {
    let only = std::env::var("YAP_BENCH_ONLY").ok();
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only.split(',').any(|one| one == part));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("machine: {cores} cores\n");
    if wanted("start") || wanted("calls") {
        let place = start::mined();
        if wanted("start") {
            start::run(place.path());
        }
        if wanted("calls") {
            calls::run(place.path());
        }
    }
    if wanted("sync") {
        sync::run();
    }
    if wanted("crowd") {
        crowd::run();
    }
}

/// The one in the middle.
fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("no figure is no number"));
    values[values.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
