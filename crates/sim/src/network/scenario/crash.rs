//! Nodes that come and go, cleanly or by power cuts, while others pay and mine; in the end all have one chain.

use std::time::Duration;

use yap_protocol::{Role, Time};

use super::Table;
use crate::Random;
use crate::network::agent::{Agent, Miner, Payer, Purse};
use crate::network::line::exponential;
use crate::network::topology::Topology;
use crate::network::{self, Failure, Network, NodeId, Options, Start};

/// Time for nodes to find each other, and to agree in the end.
const SETTLING: Duration = Duration::from_secs(300);

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many nodes.
    pub nodes: usize,
    /// For how long nodes come and go.
    pub lasting: Duration,
    /// Time between crashes, of any node.
    pub crashes: Duration,
    /// How long a node is down, on average.
    pub down: Duration,
    /// Time between blocks.
    pub spacing: Duration,
    /// Time between payments.
    pub payments: Duration,
    /// How nodes find each other.
    pub topology: Topology,
    /// The network.
    pub network: network::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: 50,
            lasting: Duration::from_secs(3600),
            crashes: Duration::from_secs(20),
            down: Duration::from_secs(60),
            spacing: Duration::from_secs(120),
            payments: Duration::from_secs(10),
            topology: Topology::Found(4),
            network: network::Config::default(),
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Crashes.
    pub crashes: u32,
    /// Blocks that were mined.
    pub height: u32,
    /// Connections of each node in the end, on average.
    pub connections: f64,
    /// The fewest connections of a node in the end.
    pub fewest: usize,
}

impl Report {
    /// One row.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["crashes", "height", "connections", "fewest"]);
        table.rows.push(vec![
            self.crashes.to_string(),
            self.height.to_string(),
            format!("{:.1}", self.connections),
            self.fewest.to_string(),
        ]);
        table
    }
}

/// Takes nodes down at random, and brings them back.
#[derive(Debug)]
struct Breaker {
    nodes: Vec<NodeId>,
    config: Config,
    until: Time,
    down: Vec<(Time, NodeId)>,
    random: Random,
}

impl Agent for Breaker {
    fn act(&mut self, network: &mut Network) -> Option<Time> {
        let now = network.now();
        let over = now > self.until;
        for (_, node) in self.down.extract_if(.., |(at, _)| over || *at <= now) {
            network.restart(node);
        }
        if over {
            return None;
        }
        let node = self.nodes[self.random.index(self.nodes.len())];
        if network.is_running(node) {
            network.crash(node);
            self.down.push((now.after(self.config.down.mul_f64(exponential(&mut self.random))), node));
        }
        Some(now.after(self.config.crashes.mul_f64(exponential(&mut self.random))))
    }
}

/// Runs it.
///
/// # Errors
/// The first violation, or tips that differ in the end.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let mut network = Network::new("crash", config.network, seed);
    let mut purse = Purse::new(network.random("purse"));
    let tip = network.prepare(111, 50, &mut purse);
    // Those of a full graph dial each other again too: they were told to know each other.
    let ids = network.add_nodes(config.nodes, Start::At(tip), &Options::of(Role::Full));
    network.wire(&ids, config.topology);
    network.run_until(Time::ZERO.after(SETTLING))?;
    let until = network.now().after(config.lasting);
    let script = purse.script();
    let mut random = network.random("crash");
    let payer = Payer::new(ids.clone(), config.payments, until, purse, random.fork("payer"));
    let miner = Miner::new(ids.clone(), config.spacing, until, script, random.fork("miner"));
    let breaker =
        Breaker { nodes: ids.clone(), config: *config, until, down: Vec::new(), random: random.fork("breaker") };
    network.add_agent(Box::new(payer), network.now());
    network.add_agent(Box::new(miner), network.now());
    network.add_agent(Box::new(breaker), network.now());
    network.run_until(until.after(SETTLING))?;
    network.settled()?;
    let counts: Vec<usize> = ids.iter().map(|id| network.connection_count(*id).0).collect();
    Ok(Report {
        crashes: network.starts() - ids.len() as u32,
        height: network.ledger(ids[0]).height(),
        connections: counts.iter().sum::<usize>() as f64 / ids.len() as f64,
        fewest: counts.into_iter().min().unwrap_or(0),
    })
}
