//! Finds blocks at random times, at random nodes.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{BlockHash, ScriptBuf};
use yap_chain::block::Block;
use yap_protocol::Time;

use super::Agent;
use crate::Random;
use crate::network::forge::Draft;
use crate::network::line::exponential;
use crate::network::{Network, NodeId};

/// Mines the best block that a node knows of, and gives it to that node.
pub fn mine(network: &mut Network, node: NodeId, payout: &ScriptBuf, salt: u64) -> Arc<Block> {
    let ledger = network.ledger(node);
    let time = network.wall().header_time();
    let tip = network.world().tree().get(&ledger.tip_hash()).expect("what is connected is known");
    let median = network.world().tree().median_time_past(tip);
    let (transactions, fees) = ledger.pool().template(ledger.height() + 1, median);
    let draft = Draft { transactions: &transactions, payout: std::slice::from_ref(payout), fees, time, salt };
    let block = Arc::new(draft.seal(network.world().tree(), tip));
    network.submit_block(node, &block);
    block
}

/// Finds blocks at exponential times, each at one of its nodes.
#[derive(Debug)]
pub struct Miner {
    nodes: Vec<NodeId>,
    spacing: Duration,
    until: Time,
    payout: ScriptBuf,
    random: Random,
    found: Vec<BlockHash>,
}

impl Miner {
    /// Mines at `nodes` every `spacing` on average, until `until`.
    #[must_use]
    pub const fn new(nodes: Vec<NodeId>, spacing: Duration, until: Time, payout: ScriptBuf, random: Random) -> Self {
        Self { nodes, spacing, until, payout, random, found: Vec::new() }
    }

    /// When the next block after `now` is found.
    #[must_use]
    pub fn next(&mut self, now: Time) -> Time {
        now.after(self.spacing.mul_f64(exponential(&mut self.random)))
    }
}

impl Agent for Miner {
    fn act(&mut self, network: &mut Network) -> Option<Time> {
        if network.now() > self.until {
            return None;
        }
        let running: Vec<NodeId> = self.nodes.iter().copied().filter(|node| network.is_running(*node)).collect();
        if let Some(node) = self.random.pick(&running).copied() {
            let salt = self.random.next();
            self.found.push(mine(network, node, &self.payout, salt).hash());
        }
        let now = network.now();
        Some(self.next(now))
    }
}
