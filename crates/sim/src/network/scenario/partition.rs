//! Two halves that can't reach each other for an hour, and pay and mine all the same; then they can again.
//!
//! Some coins are spent on both sides, to different payees. Afterwards there is one chain, and every payment that the
//! losing side took is confirmed, pending, or in conflict with one that is.

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::{Amount, OutPoint, Txid};
use yap_chain::transaction::Transaction;
use yap_protocol::{Ledger as _, Time};

use super::Table;
use crate::network::agent::{Miner, Payer, Purse, mine};
use crate::network::topology::{DEGREE, Topology};
use crate::network::{self, Failure, Network, NodeId, Options, Start};

/// Time for connections before, and for the halves to agree afterwards.
const SETTLING: Duration = Duration::from_secs(60);

/// After healing, connections that both halves gave up are dialled again.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many nodes.
    pub nodes: usize,
    /// For how long they are divided.
    pub divided: Duration,
    /// Time between blocks, each side; the smaller-numbered side is twice as fast.
    pub spacing: Duration,
    /// Time between payments, each side.
    pub payments: Duration,
    /// Coins that are spent on both sides.
    pub double_spends: usize,
    /// The network.
    pub network: network::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            nodes: 200,
            divided: Duration::from_secs(3600),
            spacing: Duration::from_secs(300),
            payments: Duration::from_secs(10),
            double_spends: 10,
            network: network::Config::default(),
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Heights of the two sides when they met again.
    pub heights: [u32; 2],
    /// Seconds from healing until all had one tip.
    pub healed: f64,
    /// Payments that users made known.
    pub payments: usize,
    /// Those that are in the chain.
    pub confirmed: usize,
    /// Those that every node has in its mempool.
    pub pending: usize,
    /// Those whose coins another one spends that is in the chain or pending.
    pub conflicted: usize,
}

impl Report {
    /// One row.
    #[must_use]
    pub fn table(&self) -> Table {
        let columns = ["heights", "one tip after s", "payments", "confirmed", "pending", "conflicted"];
        let mut table = Table::new(&columns);
        let heights = format!("{}/{}", self.heights[0], self.heights[1]);
        let counts = [self.payments, self.confirmed, self.pending, self.conflicted].map(|count| count.to_string());
        table.rows.push([heights, format!("{:.2}", self.healed)].into_iter().chain(counts).collect());
        table
    }
}

/// Runs it.
///
/// # Errors
/// The first violation, a payment that was lost, or two tips that stay.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let mut network = Network::new("partition", config.network, seed);
    let mut purse = Purse::new(network.random("purse"));
    let tip = network.prepare(111, 50, &mut purse);
    let ids = network.add_nodes(config.nodes, Start::At(tip), &Options::given());
    network.wire(&ids, Topology::Random(DEGREE));
    network.run_until(Time::ZERO.after(SETTLING))?;

    network.divide(|id| id.0 % 2);
    spend_twice(&mut network, &mut purse, &ids, config.double_spends);
    let until = network.now().after(config.divided);
    for side in 0..2 {
        let half: Vec<NodeId> = ids.iter().copied().filter(|id| id.0 % 2 == side).collect();
        let script = purse.script();
        let mut random = network.random(if side == 0 { "even" } else { "odd" });
        let payer = Payer::new(half.clone(), config.payments, until, purse.split(random.next()), random.fork("payer"));
        network.add_agent(Box::new(payer), network.now());
        let mut miner = Miner::new(half, config.spacing * (side + 1), until, script, random.fork("miner"));
        let first = miner.next(network.now());
        network.add_agent(Box::new(miner), first);
    }
    network.run_until(until.after(SETTLING))?;
    let heights = [0, 1].map(|index| network.ledger(ids[index]).height());
    heal(config, network, &mut purse, &ids, heights)
}

fn heal(
    config: &Config,
    mut network: Network,
    purse: &mut Purse,
    ids: &[NodeId],
    heights: [u32; 2],
) -> Result<Report, Failure> {
    let healed = network.now();
    network.heal();
    if heights[0] == heights[1] {
        // A tie would last until the next block.
        let script = purse.script();
        mine(&mut network, ids[0], &script, 0);
    }
    let one = |network: &Network| {
        let tips: BTreeSet<_> = ids.iter().map(|id| network.ledger(*id).tip_hash()).collect();
        tips.len() > 1
    };
    network.run_while(healed.after(PATIENCE), one)?;
    let after = network.now().since(healed).as_secs_f64();
    network.run_until(network.now().after(SETTLING))?;
    network.settled()?;
    let mut report = account(&network, ids)?;
    report.heights = heights;
    report.healed = after;
    network.expect("payments before the division", report.payments >= config.double_spends * 2, true)?;
    Ok(report)
}

/// Spends each of some coins once on either side.
fn spend_twice(network: &mut Network, purse: &mut Purse, ids: &[NodeId], count: usize) {
    for _ in 0..count {
        let Some(first) = purse.give() else { break };
        let second = purse.again(&first, Amount::from_sat(1000));
        network.submit(ids[0], &first.transaction);
        network.submit(ids[1], &second.transaction);
    }
}

/// What became of every payment.
fn account(network: &Network, ids: &[NodeId]) -> Result<Report, Failure> {
    let tip = network.world().tree().get(&network.ledger(ids[0]).tip_hash()).expect("it is connected");
    let confirmed: BTreeSet<Txid> = network.world().transactions(tip).map(Transaction::txid).collect();
    let mut spent: BTreeSet<OutPoint> = BTreeSet::new();
    let inputs = |transaction: &Transaction| -> Vec<OutPoint> {
        transaction.decoded().input.iter().map(|input| input.previous_output).collect()
    };
    network.world().transactions(tip).for_each(|transaction| spent.extend(inputs(transaction)));
    network.ledger(ids[0]).pool_by_age().for_each(|pooled| spent.extend(inputs(&pooled.transaction)));
    let mut report = Report { payments: network.submitted().len(), ..Report::default() };
    let mut lost: BTreeSet<Txid> = BTreeSet::new();
    for payment in network.submitted() {
        let pending = ids.iter().filter(|id| network.ledger(**id).pooled(&payment.wtxid()).is_some()).count();
        let parents = inputs(payment);
        if confirmed.contains(&payment.txid()) {
            report.confirmed += 1;
        } else if pending == ids.len() {
            report.pending += 1;
        } else if parents.iter().any(|outpoint| spent.contains(outpoint) || lost.contains(&outpoint.txid)) {
            // It, or what it needs, is in conflict.
            report.conflicted += 1;
            lost.insert(payment.txid());
        } else {
            let what = "nodes with a payment that is neither confirmed nor in conflict";
            network.expect(what, pending, ids.len())?;
        }
    }
    Ok(report)
}
