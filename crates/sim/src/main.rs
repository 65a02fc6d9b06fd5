//! `yap-sim`: runs a scenario of the simulator and prints what was found.
//!
//! ```text
//! cargo run --release -p yap-sim -- --scenario propagation --nodes 100,1000
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use yap_sim::network::scenario::{
    self, Attack, AttackConfig, AttackReport, CrashConfig, EclipseConfig, How, PartitionConfig, PropagationConfig,
    PropagationReport, SyncConfig, Table,
};
use yap_sim::network::topology::Topology;
use yap_sim::network::{self, Checks, Failure, NodeCarrier};

/// A network of many nodes in one process, under virtual time.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What to run.
    #[arg(long, value_enum, default_value = "propagation")]
    scenario: Scenario,
    /// How many nodes; several runs where there are several numbers.
    #[arg(long, value_delimiter = ',')]
    nodes: Vec<usize>,
    /// Everything random follows from it.
    #[arg(long, env = "SIM_SEED", default_value_t = 1)]
    seed: u64,
    /// Runs with this many seeds, from the first on.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Payments to measure.
    #[arg(long)]
    transactions: Option<usize>,
    /// Blocks to measure, or to fetch.
    #[arg(long)]
    blocks: Option<u32>,
    /// Seconds that attacks, crashes or a division last.
    #[arg(long)]
    lasting: Option<u64>,
    /// Connections that each node opens.
    #[arg(long)]
    degree: Option<usize>,
    /// What carries messages between nodes.
    #[arg(long, value_enum, default_value = "libp2p")]
    carrier: Carrier,
    /// Encodes and decodes every message on its way.
    #[arg(long)]
    codec: bool,
    /// Mean delay of a line, in milliseconds.
    #[arg(long, default_value_t = 50)]
    delay: u64,
    /// Lost packets, in a million.
    #[arg(long, default_value_t = 0)]
    loss: u32,
    /// Which adversary (scenario `attack`); all of them unless told.
    #[arg(long)]
    attack: Option<String>,
    /// Nodes' invariants are checked after one of so many inputs.
    #[arg(long, default_value_t = 1000)]
    check: u32,
    /// Prints so many of the last inputs and outputs if something goes wrong.
    #[arg(long, default_value_t = 0)]
    trace: usize,
    /// Prints figures separated by commas.
    #[arg(long)]
    csv: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// How fast transactions and blocks reach everybody, and at what cost.
    Propagation,
    /// Delay against copies: nodes, and bare models on the same lines.
    Curve,
    /// Two halves that can't reach each other for an hour.
    Partition,
    /// Three nodes in a line, started in every order.
    Line,
    /// A new node fetches a long chain, with and without bad peers.
    Sync,
    /// Nodes come and go that find each other by themselves.
    Churn,
    /// Nodes crash and start again, on a graph of each with each.
    Crash,
    /// One kind of adversary among honest nodes.
    Attack,
    /// An attacker with nine of ten addresses.
    Eclipse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Carrier {
    Libp2p,
    Bitcoin,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for seed in arguments.seed..arguments.seed.saturating_add(arguments.runs) {
        match run(&arguments, seed) {
            Ok(table) if arguments.csv => println!("{}", table.csv()),
            Ok(table) => println!("{table}"),
            Err(Error::Failure(failure)) => {
                failure.trace.iter().for_each(|line| eprintln!("{line}"));
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
            Err(Error::Attack(name)) => {
                let names: Vec<_> = Attack::ALL.iter().map(|attack| attack.name()).collect();
                eprintln!("there is no attack {name}; there are: {}", names.join(", "));
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

enum Error {
    Failure(Failure),
    Attack(String),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Arguments {
    fn network(&self, mut network: network::Config) -> network::Config {
        network.line.mean_delay = Duration::from_millis(self.delay);
        network.line.loss = self.loss;
        network.codec = self.codec;
        network.trace = self.trace;
        network.checks = Checks::Sometimes(self.check.max(1));
        if self.carrier == Carrier::Bitcoin {
            network.carrier = NodeCarrier::Bitcoin;
        }
        network
    }

    fn lasting(&self, default: Duration) -> Duration {
        self.lasting.map_or(default, Duration::from_secs)
    }

    fn count(&self, default: usize) -> usize {
        self.nodes.first().copied().unwrap_or(default)
    }

    fn propagation(&self) -> PropagationConfig {
        let default = PropagationConfig::default();
        PropagationConfig {
            degree: self.degree.unwrap_or(default.degree),
            transactions: self.transactions.unwrap_or(default.transactions),
            blocks: self.blocks.map_or(default.blocks, |blocks| blocks as usize),
            network: self.network(default.network),
            nodes: self.count(default.nodes),
            ..default
        }
    }
}

fn run(arguments: &Arguments, seed: u64) -> Result<Table, Error> {
    match arguments.scenario {
        Scenario::Propagation => propagation(arguments, seed),
        Scenario::Curve => curve(arguments, seed),
        Scenario::Partition => {
            let default = PartitionConfig::default();
            let (nodes, network) = (arguments.count(default.nodes), arguments.network(default.network));
            let divided = arguments.lasting(default.divided);
            Ok(scenario::partition(&PartitionConfig { nodes, divided, network, ..default }, seed)?.table())
        }
        Scenario::Line => Ok(scenario::line(&arguments.network(network::Config::default()), seed)?.table()),
        Scenario::Sync => {
            let default = SyncConfig::default();
            let blocks = arguments.blocks.unwrap_or(default.blocks);
            let network = arguments.network(default.network);
            Ok(scenario::sync(&SyncConfig { blocks, network, ..default }, seed)?.table())
        }
        Scenario::Churn | Scenario::Crash => {
            let default = CrashConfig::default();
            let found = arguments.scenario == Scenario::Churn;
            let topology = if found { default.topology } else { Topology::Full };
            let nodes = arguments.count(if found { default.nodes } else { 8 });
            let network = arguments.network(default.network);
            let lasting = arguments.lasting(default.lasting);
            Ok(scenario::crash(&CrashConfig { nodes, topology, network, lasting, ..default }, seed)?.table())
        }
        Scenario::Attack => attack(arguments, seed),
        Scenario::Eclipse => {
            let default = EclipseConfig::default();
            let network = network::Config { carrier: default.network.carrier, ..arguments.network(default.network) };
            Ok(scenario::eclipse(&EclipseConfig { nodes: arguments.count(default.nodes), network, ..default }, seed)?
                .table())
        }
    }
}

fn propagation(arguments: &Arguments, seed: u64) -> Result<Table, Error> {
    let config = arguments.propagation();
    let numbers = if arguments.nodes.is_empty() { vec![config.nodes] } else { arguments.nodes.clone() };
    let mut reports = Vec::new();
    for nodes in numbers {
        reports.push(scenario::propagation(&PropagationConfig { nodes, ..config }, seed)?);
    }
    Ok(PropagationReport::table(&reports))
}

fn curve(arguments: &Arguments, seed: u64) -> Result<Table, Error> {
    let config = arguments.propagation();
    let ways = [("nodes", How::Nodes), ("push to all", How::Pushing), ("announce to all", How::Announcing)];
    let mut reports = Vec::new();
    for (_, how) in ways {
        reports.push(scenario::propagation(&PropagationConfig { how, ..config }, seed)?);
    }
    let mut table = PropagationReport::table(&reports);
    table.columns.insert(0, "way");
    for (row, (name, _)) in table.rows.iter_mut().zip(ways) {
        row.insert(0, name.to_owned());
    }
    Ok(table)
}

fn attack(arguments: &Arguments, seed: u64) -> Result<Table, Error> {
    let attacks: Vec<Attack> = match &arguments.attack {
        None => Attack::ALL.to_vec(),
        Some(name) => {
            let found = Attack::ALL.into_iter().find(|attack| attack.name() == name);
            vec![found.ok_or_else(|| Error::Attack(name.clone()))?]
        }
    };
    let mut reports = Vec::new();
    for attack in attacks {
        let config = AttackConfig::new(attack);
        let (nodes, network) = (arguments.count(config.nodes), arguments.network(config.network));
        let lasting = arguments.lasting(config.lasting);
        reports.push(scenario::attack(&AttackConfig { nodes, lasting, network, ..config }, seed)?);
    }
    Ok(AttackReport::table(&reports))
}
