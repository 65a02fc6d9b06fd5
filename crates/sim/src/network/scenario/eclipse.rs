//! An attacker with nine of ten addresses tries to become all of one node's peers.
//!
//! Its addresses are many and its network groups few, as addresses of one group are cheap. It connects to the victim from
//! many of them and tells it of all others; then the victim restarts and dials anew.

use std::collections::BTreeSet;
use std::time::Duration;

use yap_protocol::Time;
use yap_protocol::address::{Endpoint, Host};
use yap_protocol::message::{KnownAddress, MAX_ADDRESSES, NetworkId, Services};
use yap_protocol::{Message, PeerId, Role};

use super::Table;
use crate::network::actor::Port;
use crate::network::adversary::{Adversary, Vice};
use crate::network::agent::Purse;
use crate::network::topology::Topology;
use crate::network::{self, Failure, Network, NodeCarrier, NodeId, Options, Start};

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Honest nodes.
    pub nodes: usize,
    /// The attacker's addresses.
    pub sybils: usize,
    /// Network groups that they are of.
    pub groups: u16,
    /// For how long the attacker tells of its addresses.
    pub lasting: Duration,
    /// How often the victim restarts.
    pub restarts: u32,
    /// The network.
    pub network: network::Config,
}

impl Default for Config {
    fn default() -> Self {
        // Addresses of Bitcoin's kind can be told without proof of who is there.
        let network = network::Config { carrier: NodeCarrier::Bitcoin, ..network::Config::default() };
        Self { nodes: 100, sybils: 900, groups: 8, lasting: Duration::from_secs(3600), restarts: 5, network }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Before, and after each restart: honest peers among those that the victim dialled, and how many those were.
    pub outbound: Vec<(usize, usize)>,
}

impl Report {
    /// One row per restart.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["restart", "honest", "outbound"]);
        for (restart, (honest, all)) in self.outbound.iter().enumerate() {
            table.rows.push(vec![restart.to_string(), honest.to_string(), all.to_string()]);
        }
        table
    }
}

/// Tells of the attacker's addresses.
#[derive(Debug)]
struct Sybil {
    addresses: Vec<KnownAddress>,
}

impl Vice for Sybil {
    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        if matches!(message, Message::GetAddr) {
            port.send(peer, Message::AddrV2(self.addresses.clone()));
        }
    }

    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        for peer in peers {
            port.send(*peer, Message::AddrV2(self.addresses.iter().take(10).cloned().collect()));
        }
        self.addresses.rotate_left(10);
    }
}

/// Runs it.
///
/// # Errors
/// The first violation, or that the victim has no honest peer left.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let mut network = Network::new("eclipse", config.network, seed);
    let mut purse = Purse::new(network.random("purse"));
    let tip = network.prepare(10, 1, &mut purse);
    let ids = network.add_nodes(config.nodes, Start::At(tip), &Options::of(Role::Full));
    network.wire(&ids, Topology::Found(4));
    network.run_until(Time::ZERO.after(Duration::from_secs(600)))?;
    let victim = ids[ids.len() - 1];
    let first = network.participants().count();
    let known: Vec<KnownAddress> = sybil_addresses(config, &network, first);
    for index in 0..config.sybils {
        // One in ten dials the victim, the others wait to be dialled.
        let victims = if index % 10 == 0 { vec![network.address(victim).clone()] } else { Vec::new() };
        let mut addresses = known.clone();
        addresses.rotate_left(index);
        addresses.truncate(MAX_ADDRESSES);
        let sybil = Adversary::new(Box::new(Sybil { addresses }), victims, Duration::from_secs(60));
        network.add_actor(Box::new(sybil), Some(index as u16 % config.groups));
    }
    network.run_until(network.now().after(config.lasting))?;
    let honest: BTreeSet<NodeId> = ids.iter().copied().collect();
    let mut report = Report { outbound: vec![outbound(&network, victim, &honest)] };
    for _ in 0..config.restarts {
        network.crash(victim);
        network.run_until(network.now().after(Duration::from_secs(10)))?;
        network.restart(victim);
        network.run_until(network.now().after(Duration::from_secs(300)))?;
        report.outbound.push(outbound(&network, victim, &honest));
    }
    let eclipsed = report.outbound.iter().filter(|(honest, _)| *honest == 0).count();
    network.expect("times the victim had no honest peer that it dialled", eclipsed, 0)?;
    Ok(report)
}

/// Honest peers among those that the victim dialled, and how many those are.
fn outbound(network: &Network, victim: NodeId, honest: &BTreeSet<NodeId>) -> (usize, usize) {
    let dialled: Vec<NodeId> = network.dialled(victim).collect();
    (dialled.iter().filter(|peer| honest.contains(peer)).count(), dialled.len())
}

/// What the attacker's addresses will be.
fn sybil_addresses(config: &Config, network: &Network, first: usize) -> Vec<KnownAddress> {
    let addresses =
        (0..config.sybils).map(|index| network.address_at(first + index, Some(index as u16 % config.groups)));
    let known = addresses.filter_map(|address| match address.endpoint {
        Endpoint::Bitcoin { host: Host::Ipv4(ip), port } => Some((ip, port)),
        Endpoint::Bitcoin { .. } | Endpoint::Libp2p(_) => None,
    });
    known
        .map(|(ip, port)| KnownAddress {
            seen: network.wall(),
            services: Services::NETWORK.with(Services::WITNESS),
            host: NetworkId::Known(Host::Ipv4(ip)),
            port,
        })
        .collect()
}
