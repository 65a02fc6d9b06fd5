//! `yap-sim`: runs a scenario of the simulator and prints what was found.
//!
//! ```text
//! cargo run --release -p yap-sim -- --scenario propagation --nodes 100,1000
//! ```
//!
//! The table goes to standard output; the seed goes to standard error, and whatever ended a run early.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints tables")]

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use yap_protocol::relay::Push;
use yap_sim::network::scenario::{
    self, Attack, AttackConfig, AttackReport, CrashConfig, EclipseConfig, How, PartitionConfig, PropagationConfig,
    PropagationReport, SyncConfig, Table,
};
use yap_sim::network::topology::Topology;
use yap_sim::network::{self, Checks, Failure, NodeCarrier};

const EXAMPLES: &str = "\
Examples:
  yap-sim --nodes 30,100,300,1000,3000 --markdown   how payments and blocks spread, by size of the network
  yap-sim --scenario curve --nodes 3,10,30,100      what each way of relay costs, and how fast it is
  yap-sim --scenario partition                      200 nodes in halves for an hour
  yap-sim --scenario attack                         every adversary in turn, among 20 nodes
  yap-sim --scenario attack --attack orphans --check 1 --trace 50
  SIM_SEED=7 yap-sim --scenario churn --runs 10     seeds 7 to 16
";

/// A network of many nodes in one process, under virtual time.
///
/// Delays are in mean delays of a line where nothing else is said. One seed gives one run, on any machine; only the
/// column `seconds` is of real time.
#[derive(Clone, Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// What to run.
    #[arg(long, value_enum, default_value = "propagation")]
    scenario: Scenario,
    /// How many nodes; several runs where there are several numbers.
    #[arg(value_parser = count, long, value_delimiter = ',')]
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
    #[arg(long, conflicts_with = "markdown")]
    csv: bool,
    /// Prints a table of Markdown, as in `docs/simulation.md`.
    #[arg(long)]
    markdown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// How fast transactions and blocks reach everybody, and at what cost.
    Propagation,
    /// Delay against copies and bytes: nodes by how they push and by how many send them blocks unasked, and bare models.
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
        eprintln!("SIM_SEED={seed}");
        match run(&arguments, seed) {
            Ok(table) if arguments.csv => println!("{}", table.csv()),
            Ok(table) if arguments.markdown => println!("{}", table.markdown()),
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

/// A number of nodes that can talk to one another.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(nodes) if nodes >= 2 => Ok(nodes),
        Ok(_) => Err("a network has two nodes at least".to_owned()),
        Err(error) => Err(format!("not a number of nodes: {error}")),
    }
}

/// The ways that are compared, each with its name.
fn ways(config: PropagationConfig) -> Vec<(String, PropagationConfig)> {
    let most = match config.push {
        Push::Tree { most, .. } => most,
        Push::Never | Push::Always => usize::MAX,
    };
    let tree = |least| (format!("push by a tree, {least} or more"), Push::Tree { least, most });
    let pushes =
        [("push never".to_owned(), Push::Never), tree(1), tree(2), tree(3), ("push always".to_owned(), Push::Always)];
    let pushes = pushes.into_iter().map(|(name, push)| (name, PropagationConfig { push, ..config }));
    let unasked = [1, 3, 8, 12].map(|high_bandwidth| {
        (format!("blocks unasked from {high_bandwidth}"), PropagationConfig { high_bandwidth, ..config })
    });
    let bare = [("bare push to all", How::Pushing), ("bare announce to all", How::Announcing)]
        .map(|(name, how)| (name.to_owned(), PropagationConfig { how, ..config }));
    pushes.chain(unasked).chain(bare).collect()
}

fn curve(arguments: &Arguments, seed: u64) -> Result<Table, Error> {
    let config = arguments.propagation();
    let numbers = if arguments.nodes.is_empty() { vec![100] } else { arguments.nodes.clone() };
    let mut table: Option<Table> = None;
    for nodes in numbers {
        let ways = ways(PropagationConfig { nodes, ..config });
        let mut reports = Vec::new();
        for (_, config) in &ways {
            reports.push(scenario::propagation(config, seed)?);
        }
        let mut rows = PropagationReport::table(&reports);
        rows.columns.insert(0, "way");
        for (row, (name, _)) in rows.rows.iter_mut().zip(ways) {
            row.insert(0, name);
        }
        match &mut table {
            Some(table) => table.append(rows),
            None => table = Some(rows),
        }
    }
    Ok(table.unwrap_or_default())
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
