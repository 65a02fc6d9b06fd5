//! How fast, and at what cost, transactions reach everybody.

use std::time::Duration;

use super::net::{Net, Node};
use crate::fixture;
use crate::relay::{Config, Push};

const LEAST: Duration = Duration::from_millis(5);
const MEAN: Duration = Duration::from_millis(50);
const SIZE: usize = 250;

/// Means over some transactions.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Milliseconds until 99 of 100 nodes have it.
    delay: f64,
    /// The worst of these.
    worst: f64,
    /// Bodies received for each node.
    copies: f64,
    /// All bytes for each node, in bodies.
    bytes: f64,
}

/// A network on which transactions of random nodes spread.
struct Trial {
    net: Net,
    gap: Duration,
    next: u64,
}

impl Trial {
    fn new(nodes: usize, config: Config, mean: Duration, seed: u8) -> Self {
        let mut net = Net::new(nodes, config, seed);
        net.jitter = Duration::from_millis(5);
        net.connect_randomly(8, LEAST, mean);
        net.run(Duration::from_secs(2));
        Self { net, gap: Duration::from_secs(2), next: 0 }
    }

    /// Lets `count` transactions spread.
    fn spread(&mut self, count: u64) -> Cost {
        let (before, net) = (self.net.sent, &mut self.net);
        let honest: Vec<usize> = (0..net.nodes.len()).filter(|at| takes_part(&net.nodes[*at])).collect();
        let mut sent = Vec::new();
        for _ in 0..count {
            self.next += 1;
            let transaction = fixture::transaction(self.next, SIZE);
            let origin = honest[net.random.index(honest.len())];
            net.submit(origin, &transaction);
            sent.push((net.now, transaction.wtxid()));
            net.run(self.gap);
        }
        net.run(Duration::from_secs(10));
        let mut delays = Vec::new();
        for (at, wtxid) in sent {
            let since = |node: &usize| net.nodes[*node].since.get(&wtxid).expect("everybody gets it").since(at);
            let mut times: Vec<Duration> = honest.iter().map(since).collect();
            times.sort_unstable();
            delays.push(times[honest.len() * 99 / 100 - 1].as_secs_f64() * 1000.0);
        }
        honest.iter().for_each(|at| net.nodes[*at].relay.check());
        let per = |value: u64| value as f64 / (honest.len() as f64 * count as f64);
        Cost {
            delay: delays.iter().sum::<f64>() / count as f64,
            worst: delays.into_iter().fold(0.0, f64::max),
            copies: per(net.sent.bodies - before.bodies),
            bytes: per(net.sent.bytes - before.bytes) / SIZE as f64,
        }
    }
}

fn takes_part(node: &Node) -> bool {
    !node.silent && !node.links.is_empty()
}

fn tree(least: usize) -> Config {
    Config { push: Push::Tree { least, most: 24, scouts: 1 }, ..Config::default() }
}

/// The aim of E1 to E3 for transactions: seven mean latencies, 1.1 copies, 2.5 bodies.
#[test]
fn a_thousand_nodes_have_a_transaction_within_seven_latencies_and_once() {
    let mut trial = Trial::new(1000, Config::default(), MEAN, 1);
    let first = trial.spread(1);
    println!("first     {first:.2?}");
    assert!(first.delay <= 350.0 && first.bytes <= 2.5, "{first:?}");
    let soon = trial.spread(9);
    println!("soon      {soon:.2?}");
    assert!(soon.delay <= 5.5 * 50.0 && soon.copies <= 1.1 && soon.bytes <= 2.0, "{soon:?}");
    let cost = trial.spread(10);
    println!("then      {cost:.2?}");
    assert!(cost.delay <= 5.0 * 50.0 && cost.worst <= 350.0, "{cost:?}");
    assert!(cost.copies <= 1.1 && cost.bytes <= 2.0, "{cost:?}");
}

#[test]
fn speed_is_bought_with_copies() {
    let never = Config { push: Push::Never, ..Config::default() };
    let always = Config { push: Push::Always, ..Config::default() };
    let rules =
        [("announce", never), ("1 branch", tree(1)), ("2 branches", tree(2)), ("3 branches", tree(3)), ("all", always)];
    let costs = rules.map(|(name, config)| {
        let mut trial = Trial::new(300, config, MEAN, 2);
        let cold = trial.spread(1);
        trial.spread(5);
        let cost = trial.spread(5);
        println!("{name:10} first {:.0} {:.2} {:.2}; then {cost:.2?}", cold.delay, cold.copies, cold.bytes);
        cost
    });
    assert!(costs.windows(2).all(|pair| pair[0].delay > 0.95 * pair[1].delay), "{costs:?}");
    assert!(costs.windows(2).all(|pair| pair[0].copies < pair[1].copies + 0.05), "{costs:?}");
    assert!(costs[0].copies <= 1.0 && costs[1].copies <= 1.1);
}

#[test]
fn slow_branches_are_not_taken_for_broken_ones() {
    let mut trial = Trial::new(300, Config::default(), Duration::from_millis(300), 3);
    trial.gap = Duration::from_secs(8);
    trial.spread(15);
    let cost = trial.spread(15);
    println!("slow      {cost:.2?}");
    assert!(cost.copies <= 1.1 && cost.delay <= 5.0 * 300.0, "{cost:?}");
}

#[test]
fn the_tree_mends_when_nodes_leave() {
    let mut trial = Trial::new(400, Config::default(), MEAN, 4);
    trial.spread(10);
    for at in 0..80 {
        trial.net.cut(at);
    }
    let torn = trial.spread(1);
    let mending = trial.spread(10);
    let mended = trial.spread(10);
    println!("torn      {torn:.2?}\nmending   {mending:.2?}\nmended    {mended:.2?}");
    assert!(torn.delay <= 12.0 * 50.0 && torn.copies <= 1.5, "{torn:?}");
    assert!(mending.delay <= 350.0 && mending.copies <= 1.2, "{mending:?}");
    assert!(mended.delay <= 350.0 && mended.copies <= 1.1, "{mended:?}");
}

#[test]
fn peers_that_keep_transactions_to_themselves_stop_nobody() {
    let mut trial = Trial::new(400, Config::default(), MEAN, 5);
    trial.spread(10);
    for at in 0..80 {
        trial.net.nodes[at].silent = true;
    }
    let first = trial.spread(1);
    let later = trial.spread(10);
    println!("silent    {first:.2?}\nlater     {later:.2?}");
    assert!(first.delay <= 12.0 * 50.0 && later.delay <= 350.0, "{first:?} {later:?}");
}

#[test]
fn many_transactions_at_once_share_messages() {
    let mut trial = Trial::new(200, Config::default(), MEAN, 6);
    trial.spread(5);
    trial.gap = Duration::from_millis(20);
    let cost = trial.spread(100);
    println!("burst     {cost:.2?}");
    assert!(cost.copies <= 1.1 && cost.bytes <= 2.0 && cost.delay <= 350.0, "{cost:?}");
}

#[test]
fn one_seed_gives_one_course_of_events() {
    let course = || {
        let mut trial = Trial::new(60, Config::default(), MEAN, 7);
        trial.spread(5);
        trial.net.sent
    };
    assert_eq!(course(), course());
}

/// Each transaction comes from elsewhere, and what it changes of the tree may suit no other.
#[test]
fn the_tree_does_not_grow_slower_with_time() {
    let mut trial = Trial::new(500, Config::default(), MEAN, 8);
    trial.spread(10);
    let early = trial.spread(20);
    trial.spread(60);
    let late = trial.spread(20);
    println!("early     {early:.2?}\nlate      {late:.2?}");
    assert!(late.delay <= 1.1 * early.delay && late.copies <= 1.1, "{early:?} {late:?}");
}
