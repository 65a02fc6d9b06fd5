//! A node that has peers and nothing to do.
//!
//! The node runs in a process of its own, its peers in another, so that what is measured is the node alone. The parent
//! reads both from the system's books.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use yap_net::{Event, Network};
use yap_protocol::link::Purpose;
use yap_protocol::{Input, Output};

use crate::transfer::{address, config, connected};
use crate::{Carrier, cpu};

/// One child: `node` listens and idles, `peers:<count>:<address>` connect to it.
pub(crate) fn part(mode: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match mode.strip_prefix("peers:").and_then(|rest| rest.split_once(':')) {
        Some((count, given)) => runtime.block_on(peers(count.parse().unwrap(), given)),
        None => runtime.block_on(node()),
    }
}

async fn node() {
    let (network, mut events) = Network::start(config()).await.unwrap();
    let mut open = 0_usize;
    let (mut told, mut deadline) = (false, std::pin::pin!(tokio::time::sleep(Duration::from_secs(600))));
    loop {
        if !told && let Some(given) = address(&network, Carrier::Tcp) {
            println!("at {given}");
            told = true;
        }
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Input(Input::Connected { .. })) => {
                    open += 1;
                    println!("open {open} {} {}", memory(), cpu().as_micros());
                }
                Some(_) => {}
                None => return,
            },
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                println!("open {open} {} {}", memory(), cpu().as_micros());
            }
            () = &mut deadline => return,
        }
    }
}

async fn peers(count: usize, given: &str) {
    let given: yap_net::Given = given.parse().unwrap();
    let mut all = Vec::new();
    for _ in 0..count {
        let (network, mut events) = Network::start(config()).await.unwrap();
        let address = given.addresses(&[]).pop().unwrap();
        let _ = network.apply(Output::Dial { address, purpose: Purpose::Full });
        connected(&mut events).await;
        all.push((network, tokio::spawn(async move { while events.next().await.is_some() {} })));
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
}

/// Resident memory of this process in kB.
fn memory() -> u64 {
    let mut text = String::new();
    std::fs::File::open("/proc/self/status").unwrap().read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A child that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(mode: &str) -> Running {
    let mut command = Command::new(std::env::current_exe().unwrap());
    Running(command.env("YAP_BENCH_PART", mode).stdout(Stdio::piped()).spawn().unwrap())
}

/// Measures, and prints a row.
pub(crate) fn run(count: usize, time: Duration) {
    let mut node = start("node");
    let mut lines = BufReader::new(node.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let at = lines.find_map(|line| line.strip_prefix("at ").map(str::to_owned)).expect("the node tells where it is");
    let sample = |line: &str| -> Option<[u64; 3]> {
        let parts: Vec<u64> = line.strip_prefix("open ")?.split(' ').map(|part| part.parse().unwrap()).collect();
        parts.try_into().ok()
    };
    let alone = lines.find_map(|line| sample(&line)).unwrap();
    let _peers = start(&format!("peers:{count}:{at}"));
    let full = lines.find_map(|line| sample(&line).filter(|[open, ..]| *open >= count as u64)).unwrap();
    // What connecting needs settles first.
    let settled = lines.by_ref().filter_map(|line| sample(&line)).nth(10).unwrap_or(full);
    let seconds = usize::try_from(time.as_secs()).unwrap();
    let last = lines.filter_map(|line| sample(&line)).nth(seconds).unwrap();
    let busy = (last[2] - settled[2]) as f64 / (seconds as f64 * 1e6);
    println!("| idle node | memory, MB | CPU, % of a core |\n|---|---|---|");
    println!("| alone | {:.1} | |", alone[1] as f64 / 1024.0);
    println!("| {count} peers | {:.1} | {:.2} |", last[1] as f64 / 1024.0, busy * 100.0);
}
