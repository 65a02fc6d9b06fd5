//! How fast transactions and blocks reach everybody, and at what cost.
//!
//! Nodes on a random graph; payments one by one, each given time to reach all; then blocks of payments that everybody
//! knows. Delays are from the first node's mempool (or tip) to the others', work included, in mean delays of a line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yap_protocol::relay::Push;
use yap_protocol::{Time, blocks, relay};

use super::Table;
use crate::Random;
use crate::network::adversary::{Gossip, Reference};
use crate::network::agent::{Purse, mine};
use crate::network::topology::{DEGREE, Topology};
use crate::network::traffic::Traffic;
use crate::network::wire::Kind;
use crate::network::{self, Failure, Network, NodeId, Options, Start};

/// Time for connections to open and handshakes to end.
const SETTLING: Duration = Duration::from_secs(30);

/// Payments before the measured ones, by which nodes learn whose news come first. They are measured apart: the first
/// alone, those up to the tenth, those up to the thirtieth.
const WARM_UP: [usize; 3] = [1, 9, 20];

/// Time between payments: each has reached everybody by then, or it failed to.
const PAUSE: Duration = Duration::from_secs(3);

/// Time for a block.
const BLOCK_PAUSE: Duration = Duration::from_secs(30);

/// What passes transactions on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nodes.
    Nodes,
    /// The bare model that sends everything to everybody.
    Pushing,
    /// The bare model that announces and sends to who asks.
    Announcing,
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many nodes.
    pub nodes: usize,
    /// Connections that each opens.
    pub degree: usize,
    /// Measured payments.
    pub transactions: usize,
    /// Measured blocks.
    pub blocks: usize,
    /// Payments in each block.
    pub block_transactions: usize,
    /// What passes them on.
    pub how: How,
    /// How nodes pass on small transactions.
    pub push: Push,
    /// How many peers each node asks to send new blocks unasked.
    pub high_bandwidth: usize,
    /// The network.
    pub network: network::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: 1000,
            degree: DEGREE,
            transactions: 100,
            blocks: 3,
            block_transactions: 100,
            how: How::Nodes,
            push: relay::Config::default().push,
            high_bandwidth: blocks::HIGH_BANDWIDTH_LIBP2P,
            network: network::Config::default(),
        }
    }
}

impl Config {
    fn options(&self) -> Options {
        let mut options = Options::given();
        options.node.relay.push = self.push;
        options.node.blocks.high_bandwidth_libp2p = self.high_bandwidth;
        options
    }
}

/// Delays until so many of a hundred nodes have something, in mean delays of a line, as the mean over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Until half of the nodes have it.
    pub half: f64,
    /// Until 90 % have it.
    pub most: f64,
    /// Until 99 % have it.
    pub nearly: f64,
    /// Until all have it.
    pub all: f64,
    /// How many things reached all.
    pub complete: usize,
    /// How many things there were.
    pub count: usize,
}

impl Spread {
    fn of(arrivals: &[&[Time]], nodes: usize, unit: Duration) -> Self {
        let complete: Vec<_> = arrivals.iter().filter(|times| times.len() >= nodes).collect();
        let mean = |per_cent: usize| {
            let until = |times: &[Time]| {
                let index = (nodes * per_cent).div_ceil(100) - 1;
                times[index].since(times[0]).as_secs_f64() / unit.as_secs_f64()
            };
            complete.iter().map(|times| until(times)).fold(0.0, |sum, delay| sum + delay) / complete.len().max(1) as f64
        };
        Self {
            half: mean(50),
            most: mean(90),
            nearly: mean(99),
            all: mean(100),
            complete: complete.len(),
            count: arrivals.len(),
        }
    }
}

/// Means over payments on a network that has just met.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Early {
    /// Until 99 % of the nodes have one, in mean delays of a line.
    pub delay: f64,
    /// How often a node received one.
    pub copies: f64,
    /// Bytes of all messages about them, per node and byte of a payment.
    pub overhead: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many nodes.
    pub nodes: usize,
    /// Connections of each, dialled and taken, on average.
    pub connections: f64,
    /// The first transaction, those up to the tenth, and those up to the thirtieth.
    pub early: [Early; WARM_UP.len()],
    /// Connections of the node that has most.
    pub most_connections: usize,
    /// Transactions after these.
    pub transactions: Spread,
    /// How often a node received a transaction, on average.
    pub copies: f64,
    /// Bytes of all messages about transactions, per node and byte of a transaction.
    pub overhead: f64,
    /// Blocks.
    pub blocks: Spread,
    /// How often a node received a block in whole, on average.
    pub block_copies: f64,
    /// Bytes of all messages about blocks, per node and byte of a block.
    pub block_overhead: f64,
    /// Bytes of a block.
    pub block_size: usize,
    /// Bytes of all messages about one block, per node.
    pub block_bytes: f64,
    /// Bytes that a node sent in the whole run, whatever they were about.
    pub sent: f64,
    /// Events that happened.
    pub events: u64,
    /// The hash of all of them.
    pub transcript: u64,
    /// Real time that it took.
    pub took: Duration,
}

impl Report {
    /// The reports, one row each.
    #[must_use]
    pub fn table(reports: &[Self]) -> Table {
        let mut table = Table::new(&[
            "nodes",
            "links",
            "1st 99%",
            "copies",
            "2-10 99%",
            "copies",
            "11-30 99%",
            "copies",
            "most",
            "tx 50%",
            "90%",
            "99%",
            "100%",
            "reached",
            "copies",
            "bytes/body",
            "block 50%",
            "90%",
            "99%",
            "100%",
            "reached",
            "whole copies",
            "bytes/block",
            "size",
            "sent/node",
            "events",
            "seconds",
        ]);
        for report in reports {
            let spread = |spread: &Spread| {
                let delays = [spread.half, spread.most, spread.nearly, spread.all].map(|delay| match spread.complete {
                    0 => "-".to_owned(),
                    _ => format!("{delay:.2}"),
                });
                delays.into_iter().chain([format!("{}/{}", spread.complete, spread.count)])
            };
            let mut row = vec![report.nodes.to_string(), format!("{:.1}", report.connections)];
            row.extend(
                report.early.iter().flat_map(|early| [early.delay, early.copies]).map(|one| format!("{one:.2}")),
            );
            row.push(report.most_connections.to_string());
            row.extend(spread(&report.transactions));
            row.extend([report.copies, report.overhead].map(|figure| format!("{figure:.2}")));
            row.extend(spread(&report.blocks));
            row.extend([format!("{:.2}", report.block_copies), format!("{:.0}", report.block_bytes)]);
            row.extend([report.block_size.to_string(), format!("{:.0}", report.sent), report.events.to_string()]);
            row.push(format!("{:.1}", report.took.as_secs_f64()));
            table.rows.push(row);
        }
        table
    }
}

/// A run on its way.
struct Run {
    config: Config,
    network: Network,
    ids: Vec<NodeId>,
    purse: Purse,
    random: Random,
}

/// Runs it.
///
/// # Errors
/// The first violation.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let began = Instant::now();
    let mut run = Run::new(config, seed)?;
    let mut early = [Early::default(); WARM_UP.len()];
    for (stage, count) in early.iter_mut().zip(WARM_UP) {
        let before = run.network.traffic().clone();
        let paid = run.pay(count)?;
        let report = run.report(&paid, &run.network.traffic().since(&before));
        *stage = Early { delay: report.transactions.nearly, copies: report.copies, overhead: report.overhead };
    }
    let before = run.network.traffic().clone();
    let paid = run.pay(config.transactions)?;
    let traffic = run.network.traffic().since(&before);
    let mut report = run.report(&paid, &traffic);
    report.early = early;
    run.blocks(&mut report)?;
    run.connections(&mut report);
    if config.how == How::Nodes {
        run.network.settled()?;
    }
    report.events = run.network.transcript().events();
    report.transcript = run.network.transcript().hash();
    report.took = began.elapsed();
    Ok(report)
}

impl Run {
    fn new(config: &Config, seed: u64) -> Result<Self, Failure> {
        let mut network = Network::new("propagation", config.network, seed);
        let mut purse = Purse::new(network.random("purse"));
        let tip = network.prepare(111, 50, &mut purse);
        let ids: Vec<NodeId> = match config.how {
            How::Nodes => network.add_nodes(config.nodes, Start::At(tip), &config.options()),
            How::Pushing | How::Announcing => {
                let gossip = if config.how == How::Pushing { Gossip::Push } else { Gossip::Announce };
                (0..config.nodes).map(|_| network.add_actor(Box::new(Reference::new(gossip)), None)).collect()
            }
        };
        network.wire(&ids, Topology::Random(config.degree));
        network.run_until(Time::ZERO.after(SETTLING))?;
        let random = network.random("propagation");
        Ok(Self { config: *config, network, ids, purse, random })
    }

    fn node(&mut self) -> NodeId {
        self.ids[self.random.index(self.ids.len())]
    }

    fn wait(&mut self, pause: Duration) -> Result<(), Failure> {
        self.network.run_until(self.network.now().after(pause))
    }

    /// Makes payments, one after the other.
    fn pay(&mut self, count: usize) -> Result<Vec<Arc<yap_chain::transaction::Transaction>>, Failure> {
        let mut paid = Vec::new();
        for _ in 0..count {
            let payment = self.purse.pay().expect("every payment makes two coins");
            let node = self.node();
            self.network.submit(node, &payment.transaction);
            paid.push(payment.transaction);
            self.wait(PAUSE)?;
        }
        Ok(paid)
    }

    fn report(&self, paid: &[Arc<yap_chain::transaction::Transaction>], traffic: &Traffic) -> Report {
        let nodes = self.config.nodes;
        let arrivals: Vec<_> = paid.iter().map(|one| self.network.transaction_arrivals(&one.wtxid())).collect();
        let bodies: usize = paid.iter().map(|transaction| transaction.total_size()).sum();
        let sent = traffic.of(Kind::Transaction).messages;
        Report {
            nodes,
            connections: 0.0,
            early: [Early::default(); WARM_UP.len()],
            most_connections: 0,
            transactions: Spread::of(&arrivals, nodes, self.config.network.line.mean_delay),
            copies: sent as f64 / (nodes * paid.len().max(1)) as f64,
            overhead: traffic.bytes(&Kind::TRANSACTIONS) as f64 / (nodes * bodies.max(1)) as f64,
            blocks: Spread::default(),
            block_copies: 0.0,
            block_overhead: 0.0,
            block_size: 0,
            block_bytes: 0.0,
            sent: 0.0,
            events: 0,
            transcript: 0,
            took: Duration::ZERO,
        }
    }

    /// What nodes have and have sent in the end.
    fn connections(&self, report: &mut Report) {
        let counts: Vec<usize> = self.ids.iter().map(|id| self.network.connection_count(*id).0).collect();
        let mean = |total: u64| total as f64 / self.config.nodes as f64;
        report.connections = mean(counts.iter().map(|count| *count as u64).sum());
        report.most_connections = counts.into_iter().max().unwrap_or(0);
        report.sent = mean(self.ids.iter().map(|id| self.network.traffic().sent_by(*id).bytes).sum());
    }

    /// Mines blocks of payments that everybody knows. Bare models know none.
    fn blocks(&mut self, report: &mut Report) -> Result<(), Failure> {
        if self.config.how != How::Nodes {
            return Ok(());
        }
        let (mut mined, mut traffic) = (Vec::new(), Vec::new());
        for salt in 0..self.config.blocks {
            for _ in 0..self.config.block_transactions {
                let Some(payment) = self.purse.pay() else { break };
                let node = self.node();
                self.network.submit(node, &payment.transaction);
                self.wait(Duration::from_millis(100))?;
            }
            self.wait(BLOCK_PAUSE)?;
            let before = self.network.traffic().clone();
            let node = self.node();
            let payout = self.purse.script();
            mined.push(mine(&mut self.network, node, &payout, salt as u64));
            self.wait(BLOCK_PAUSE)?;
            traffic.push(self.network.traffic().since(&before));
        }
        let arrivals: Vec<_> = mined.iter().map(|block| self.network.block_arrivals(&block.hash())).collect();
        let nodes = self.config.nodes;
        report.blocks = Spread::of(&arrivals, nodes, self.config.network.line.mean_delay);
        let per = |count: u64, of: usize| count as f64 / (nodes * of.max(1)) as f64;
        let whole: u64 = traffic.iter().map(|traffic| traffic.of(Kind::Block).messages).sum();
        let bytes: u64 = traffic.iter().map(|traffic| traffic.bytes(&Kind::BLOCKS)).sum();
        let bodies: usize = mined.iter().map(|block| block.bytes().len()).sum();
        report.block_copies = per(whole, mined.len());
        report.block_overhead = per(bytes, bodies);
        report.block_bytes = per(bytes, mined.len());
        report.block_size = bodies / mined.len().max(1);
        Ok(())
    }
}
