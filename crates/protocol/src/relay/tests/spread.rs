//! How fast, and at what cost, transactions reach everybody.

use std::time::Duration;

use super::net::{Net, Sent};
use crate::fixture;
use crate::relay::{Config, Push};

const LEAST: Duration = Duration::from_millis(5);
const MEAN: Duration = Duration::from_millis(50);
const SIZE: usize = 250;

/// Means over some transactions.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Until 99 of 100 nodes have it.
    delay: f64,
    /// The worst of these.
    worst: f64,
    /// Bodies received for each node.
    copies: f64,
    /// All bytes for each node, in bodies.
    bytes: f64,
}

/// Lets `warm` transactions of random nodes spread, then measures `measured` more, each `gap` after the last.
fn measure(nodes: usize, config: Config, warm: u64, measured: u64, gap: Duration, seed: u8) -> (Cost, Sent) {
    let mut net = Net::new(nodes, config, seed);
    net.jitter = Duration::from_millis(5);
    net.connect_randomly(8, LEAST, MEAN);
    net.run(Duration::from_secs(2));
    let mut sent = Vec::new();
    let mut before = Sent::default();
    for number in 0..warm + measured {
        if number == warm {
            net.run(Duration::from_secs(5));
            before = net.sent;
        }
        let transaction = fixture::transaction(number + 1, SIZE);
        let origin = net.random.index(nodes);
        net.submit(origin, &transaction);
        sent.push((net.now, transaction.wtxid()));
        net.run(gap);
    }
    net.run(Duration::from_secs(5));
    let delays: Vec<f64> = sent
        .iter()
        .skip(usize::try_from(warm).unwrap())
        .map(|(at, wtxid)| {
            let mut times: Vec<f64> = net
                .nodes
                .iter()
                .map(|node| node.since.get(wtxid).map_or(f64::INFINITY, |since| since.since(*at).as_secs_f64()))
                .collect();
            times.sort_by(f64::total_cmp);
            times[nodes * 99 / 100 - 1]
        })
        .collect();
    net.nodes.iter().for_each(|node| node.relay.check());
    assert!(net.nodes.iter().all(|node| node.since.len() as u64 == warm + measured), "everybody has everything");
    let after = net.sent;
    let per = |value: u64| value as f64 / (nodes as f64 * measured as f64);
    let cost = Cost {
        delay: delays.iter().sum::<f64>() / measured as f64,
        worst: delays.iter().copied().fold(0.0, f64::max),
        copies: per(after.bodies - before.bodies),
        bytes: per(after.bytes - before.bytes) / SIZE as f64,
    };
    let during = Sent {
        bodies: after.bodies - before.bodies,
        announced: after.announced - before.announced,
        requested: after.requested - before.requested,
        pushes_switched: after.pushes_switched - before.pushes_switched,
        bytes: after.bytes - before.bytes,
    };
    (cost, during)
}

#[test]
fn the_curve() {
    let seconds = Duration::from_secs(2);
    let base = Config::default();
    let tree =
        |least, wait| Config { push: Push::Tree { least, most: 24 }, push_wait: Duration::from_millis(wait), ..base };
    let rules = [
        ("announce", Config { push: Push::Never, ..base }),
        ("tree 1, 60 ms", tree(1, 60)),
        ("tree 1, 100 ms", tree(1, 100)),
        ("tree 1, 150 ms", tree(1, 150)),
        ("tree 1, 250 ms", tree(1, 250)),
        ("tree 2, 150 ms", tree(2, 150)),
        ("tree 3, 150 ms", tree(3, 150)),
        ("everybody", Config { push: Push::Always, ..base }),
    ];
    for (name, config) in rules {
        let (cold, _) = measure(1000, config, 0, 1, seconds, 1);
        let (cost, sent) = measure(1000, config, 10, 20, seconds, 1);
        println!("{name:16} cold {:.3}s {:.2}c {:.2}b  {cost:.3?} {sent:?}", cold.delay, cold.copies, cold.bytes);
    }
}
