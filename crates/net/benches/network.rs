//! What the network costs, as ratios within one run.
//!
//! - Blocks over one session on loopback, against the same bytes over a bare libp2p stream on the same transport.
//! - What a node costs that has peers and nothing to do: memory and CPU time, in a process of its own.
//!
//! Machines are noisy, so both kinds of transfer alternate, and medians are compared.
//!
//! `YAP_BENCH_MIB`: size of one transfer (default 512). `YAP_BENCH_RUNS`: how many of each (default 5).
//! `YAP_BENCH_PEERS`, `YAP_BENCH_SECONDS`: peers of the idle node, and how long it idles (20, 20).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a bench may panic")]
#![allow(clippy::arithmetic_side_effects, clippy::cast_precision_loss, reason = "a bench may panic")]
#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, missing_docs, reason = "its output is what it prints")]

#[path = "network/bare.rs"]
mod bare;
#[path = "network/idle.rs"]
mod idle;
#[path = "network/transfer.rs"]
mod transfer;

use std::time::Duration;

fn main() {
    if let Ok(mode) = std::env::var("YAP_BENCH_PART") {
        return idle::part(&mode);
    }
    let number =
        |name: &str, usual: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (bytes, runs) = (number("YAP_BENCH_MIB", 512) << 20, number("YAP_BENCH_RUNS", 5).max(1));
    println!("{} MiB in blocks of 4 MB over loopback, each figure the median of {runs} runs\n", bytes >> 20);
    println!("| transport | bare stream, MiB/s | session, MiB/s | ratio | CPU, ratio | ping over a session, µs |");
    println!("|---|---|---|---|---|---|");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for carrier in [Carrier::Tcp, Carrier::Quic, Carrier::WebSocket] {
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            floor.push(runtime.block_on(bare::run(carrier, bytes)));
            ours.push(runtime.block_on(transfer::run(carrier, bytes)));
        }
        let (floor, ours) = (median(floor), median(ours));
        let ping = runtime.block_on(transfer::latency(carrier, 2000));
        let speed = |cost: &Cost| bytes as f64 / f64::from(1 << 20) / cost.wall.as_secs_f64();
        println!(
            "| {carrier:?} | {:.0} | {:.0} | {:.2} | {:.2} | {} |",
            speed(&floor),
            speed(&ours),
            speed(&ours) / speed(&floor),
            ours.cpu.as_secs_f64() / floor.cpu.as_secs_f64(),
            ping.as_micros()
        );
    }
    drop(runtime);
    println!();
    idle::run(number("YAP_BENCH_PEERS", 20), Duration::from_secs(number("YAP_BENCH_SECONDS", 20) as u64));
}

/// What a connection runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Tcp,
    Quic,
    WebSocket,
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl Cost {
    /// Measures from `start` to now.
    fn since(start: (std::time::Instant, Duration)) -> Self {
        Self { wall: start.0.elapsed(), cpu: cpu() - start.1 }
    }
}

fn now() -> (std::time::Instant, Duration) {
    (std::time::Instant::now(), cpu())
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The run of median speed.
fn median(mut runs: Vec<Cost>) -> Cost {
    runs.sort_by_key(|cost| cost.wall);
    runs[runs.len() / 2]
}
