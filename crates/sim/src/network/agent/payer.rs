//! Pays at random times, from random nodes.

use std::time::Duration;

use yap_protocol::Time;

use super::{Agent, Purse};
use crate::Random;
use crate::network::line::exponential;
use crate::network::{Network, NodeId};

/// Pays at exponential times, each time from one of its nodes.
#[derive(Debug)]
pub struct Payer {
    nodes: Vec<NodeId>,
    spacing: Duration,
    until: Time,
    purse: Purse,
    random: Random,
}

impl Payer {
    /// Pays from `purse` at `nodes` every `spacing` on average, until `until` or until nothing is left.
    #[must_use]
    pub const fn new(nodes: Vec<NodeId>, spacing: Duration, until: Time, purse: Purse, random: Random) -> Self {
        Self { nodes, spacing, until, purse, random }
    }
}

impl Agent for Payer {
    fn act(&mut self, network: &mut Network) -> Option<Time> {
        if network.now() > self.until {
            return None;
        }
        let running: Vec<NodeId> = self.nodes.iter().copied().filter(|node| network.is_running(*node)).collect();
        if let Some(node) = self.random.pick(&running).copied() {
            let payment = self.purse.pay()?;
            network.submit(node, &payment.transaction);
        }
        Some(network.now().after(self.spacing.mul_f64(exponential(&mut self.random))))
    }
}
