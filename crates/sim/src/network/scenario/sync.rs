//! A new node fetches a long chain: from honest peers alone, and from as many with others that stall and one that lies.

use std::time::Duration;

use bitcoin::ScriptBuf;
use yap_chain::header::tree::Id;
use yap_protocol::Time;

use super::Table;
use crate::network::adversary::{Adversary, Fault, Server};
use crate::network::agent::Purse;
use crate::network::forge::Draft;
use crate::network::{self, Failure, Network, NodeId, Options, START, Start};

/// Bytes of the script in each block, which make up most of it.
const PADDING: usize = 2000;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Blocks of the chain.
    pub blocks: u32,
    /// Honest peers.
    pub honest: usize,
    /// Peers that answer no request for a block.
    pub stalling: usize,
    /// Peers that answer with other blocks.
    pub lying: usize,
    /// Until when it must be done.
    pub patience: Duration,
    /// The network.
    pub network: network::Config,
}

impl Default for Config {
    /// 20,000 blocks of 2 kB, over lines of 10 Mbit/s up.
    fn default() -> Self {
        let mut network = network::Config::default();
        network.line.upload = 1_250_000;
        Self { blocks: 20_000, honest: 4, stalling: 3, lying: 1, patience: Duration::from_secs(3600), network }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Blocks of the chain.
    pub blocks: u32,
    /// Seconds with honest peers alone.
    pub honest: f64,
    /// Seconds with the others too.
    pub mixed: f64,
    /// Bytes that the new node received, with honest peers alone and with the others too.
    pub bytes: [u64; 2],
}

impl Report {
    /// How many times as long it took with the others.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.mixed / self.honest
    }

    /// One row.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["blocks", "honest s", "mixed s", "ratio", "honest bytes", "mixed bytes"]);
        table.rows.push(vec![
            self.blocks.to_string(),
            format!("{:.2}", self.honest),
            format!("{:.2}", self.mixed),
            format!("{:.3}", self.ratio()),
            self.bytes[0].to_string(),
            self.bytes[1].to_string(),
        ]);
        table
    }
}

/// Runs both.
///
/// # Errors
/// The first violation, or that the new node did not reach the tip in time.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let (honest, alone) = one(&Config { stalling: 0, lying: 0, ..*config }, seed)?;
    let (mixed, beset) = one(config, seed)?;
    Ok(Report { blocks: config.blocks, honest, mixed, bytes: [alone, beset] })
}

/// Gives the seconds and the bytes that it took.
fn one(config: &Config, seed: u64) -> Result<(f64, u64), Failure> {
    let mut network = Network::new("sync", config.network, seed);
    let tip = chain(&mut network, config.blocks);
    let mut peers: Vec<NodeId> = network.add_nodes(config.honest, Start::At(tip), &Options::given());
    let faults =
        std::iter::repeat_n(Fault::Stalls, config.stalling).chain(std::iter::repeat_n(Fault::Lies, config.lying));
    for fault in faults {
        let server = Adversary::new(Box::new(Server::new(fault)), Vec::new(), Duration::from_secs(60));
        peers.push(network.add_actor(Box::new(server), None));
    }
    let new = network.add_node(Start::Genesis, Options::given());
    // Those that harm come first: they are asked first.
    peers.iter().rev().for_each(|peer| network.join(new, *peer));
    let goal = network.world().tree().hash(tip);
    let going = |network: &Network| network.ledger(new).tip_hash() != goal;
    network.run_while(Time::ZERO.after(config.patience), going)?;
    network.expect("the new node's tip", network.ledger(new).tip_hash(), goal)?;
    Ok((network.now().since(Time::ZERO).as_secs_f64(), network.traffic().received_by(new).bytes))
}

/// A chain of blocks that have some size.
fn chain(network: &mut Network, blocks: u32) -> Id {
    // It is `OP_RETURN` no more than the others: a coin that anyone can spend, whose script does nothing.
    let padding = ScriptBuf::from(vec![0x61; PADDING]);
    let mut purse = Purse::new(network.random("purse"));
    let mut tip = network.world().tree().genesis();
    for height in 1..=blocks {
        let time = START.header_time() - (blocks - height) * 600;
        let payout = [purse.script(), padding.clone()];
        let draft =
            Draft { transactions: &[], payout: &payout, fees: bitcoin::Amount::ZERO, time, salt: u64::from(height) };
        let block = std::sync::Arc::new(draft.seal(network.world().tree(), tip));
        tip = network.adopt(&block);
    }
    tip
}
