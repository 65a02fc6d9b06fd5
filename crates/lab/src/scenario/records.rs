//! Values that outlive those that hold them.

use std::time::{Duration, Instant};

use bitcoin::hashes::{Hash, sha256};
use serde_json::{Value, json};
use yap_sim::Random;

use super::steps::PATIENCE;
use super::{Failure, Measured, PORT, Scenario, Site};
use crate::process::Process;
use crate::topology::{Host, Internet, PUBLIC};

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "records",
            "30 nodes, 200 records: every GET answers with half killed, and after all restarted",
            records,
        )
        .within(10),
    ]
}

const NODES: u8 = 30;
const RECORDS: usize = 200;

/// Number on the internet of the first node.
const FIRST: u8 = 30;

/// How long one request may take: most of it is given up on nodes that were killed.
const REQUEST: Duration = Duration::from_secs(60);

/// The variable that names a seed.
const SEED: &str = "LAB_SEED";

fn records(site: &Site) -> Result<Measured, Failure> {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut random = Random::new(seed);
    let internet = Internet::create(PUBLIC)?;
    let hosts: Vec<Host> = (0..NODES)
        .map(|number| internet.host(&format!("node{number}"), &site.folder, number.saturating_add(FIRST)))
        .collect::<Result<_, _>>()?;
    let order: Vec<&Host> = hosts.iter().collect();
    let known = format!("{}:{PORT}", internet.address(FIRST).host);
    let mut peers = start(site, &order, &known)?;
    let begun = Instant::now();
    for number in 0..RECORDS {
        let peer = random.pick(&peers).ok_or(Failure::Wrong { what: "nodes run", found: String::new() })?;
        peer.ask("put", json!({"key": key(number), "value": value(number)}), REQUEST)?;
    }
    let put = begun.elapsed();
    random.shuffle(&mut peers);
    let survivors = peers.split_off(peers.len().div_euclid(2));
    peers.into_iter().for_each(Process::kill);
    let half = get_all(&survivors, &mut random, seed)?;
    for peer in survivors {
        peer.stop(PATIENCE)?;
    }
    let mut order = order;
    random.shuffle(&mut order);
    let peers = start(site, &order, &known)?;
    let again = get_all(&peers, &mut random, seed)?;
    let memory = peers.iter().map(|peer| Ok(peer.status()?.rss)).collect::<Result<Vec<_>, Failure>>()?;
    let most = memory.iter().max().copied().unwrap_or_default().div_euclid(1_000_000);
    Ok(Measured::time(half.max(again)).note(format!(
        "slowest GET {:.2} s, then {:.2} s; {RECORDS} PUTs in {:.1} s; at most {most} MB each; {SEED}={seed}",
        half.as_secs_f64(),
        again.as_secs_f64(),
        put.as_secs_f64()
    )))
}

/// Starts a peer on each host, in this order, all told of the same address; waits until each knows others.
fn start(site: &Site, hosts: &[&Host], known: &str) -> Result<Vec<Process>, Failure> {
    let launch = |host: &&Host| Process::start(host, &site.launch(host.label()).peer(known));
    let peers: Vec<Process> = hosts.iter().map(launch).collect::<Result<_, _>>()?;
    for peer in &peers {
        peer.until("peers in the routing table", PATIENCE, |status| status.routing >= 2)?;
    }
    Ok(peers)
}

fn key(number: usize) -> String {
    format!("record {number}")
}

fn value(number: usize) -> String {
    format!("value {number} ").repeat(64)
}

/// Gets every record, each from any of these; the time of the slowest.
fn get_all(peers: &[Process], random: &mut Random, seed: u64) -> Result<Duration, Failure> {
    let mut slowest = Duration::ZERO;
    for number in 0..RECORDS {
        let peer = random.pick(peers).ok_or(Failure::Wrong { what: "nodes run", found: String::new() })?;
        let begun = Instant::now();
        let answer = peer.ask("get", json!({"key": key(number)}), REQUEST)?;
        slowest = slowest.max(begun.elapsed());
        let hash = sha256::Hash::hash(value(number).as_bytes()).to_string();
        if answer.get("sha256").and_then(Value::as_str) != Some(&hash) {
            let found = format!("{} gave {answer} for record {number} ({SEED}={seed})", peer.name());
            return Err(Failure::Wrong { what: "what is got is what was put", found });
        }
    }
    Ok(slowest)
}
