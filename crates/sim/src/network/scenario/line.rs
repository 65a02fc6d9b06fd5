//! Three nodes in a line, started in every order: what one end says reaches the other.

use std::time::Duration;

use yap_protocol::Time;
use yap_protocol::link::Purpose;

use super::Table;
use crate::network::agent::{Purse, mine};
use crate::network::{self, Failure, Network, NodeId, Options, Start};

/// Time between the starts of two nodes.
const BETWEEN: Duration = Duration::from_secs(7);

/// Time for anything to reach the other end, connections lost and dialled again included.
const PATIENCE: Duration = Duration::from_secs(120);

/// The orders in which three nodes can start.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// By order of start: seconds from the last start until all had the block of each end, and the payment of each.
    pub orders: Vec<([usize; 3], f64)>,
}

impl Report {
    /// One row per order.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new(&["order", "seconds"]);
        for (order, seconds) in &self.orders {
            table.rows.push(vec![format!("{order:?}").replace(", ", "-"), format!("{seconds:.3}")]);
        }
        table
    }
}

/// Runs every order.
///
/// # Errors
/// The first violation, or what did not reach the other end.
pub fn run(config: &network::Config, seed: u64) -> Result<Report, Failure> {
    let mut report = Report::default();
    for order in ORDERS {
        report.orders.push((order, one(config, seed, order)?));
    }
    Ok(report)
}

fn one(config: &network::Config, seed: u64, order: [usize; 3]) -> Result<f64, Failure> {
    let mut network = Network::new("line", *config, seed);
    let mut purse = Purse::new(network.random("purse"));
    let tip = network.prepare(101, 4, &mut purse);
    let ids = network.add_nodes(3, Start::At(tip), &Options::given());
    ids.iter().for_each(|id| network.crash(*id));
    for index in order {
        network.restart(ids[index]);
        // Each knows the one before it; the first knows nobody.
        if index > 0 {
            network.add_peer(ids[index], ids[index - 1], Purpose::Manual);
        }
        network.run_until(network.now().after(BETWEEN))?;
    }
    let began = network.now();
    let mut last = began;
    for from in [0, 2] {
        let script = purse.script();
        let block = mine(&mut network, ids[from], &script, from as u64);
        last = reached(&mut network, "nodes with the block", &ids, |network| network.block_arrivals(&block.hash()))?;
        let payment = purse.pay().expect("the purse was filled").transaction;
        network.submit(ids[from], &payment);
        let wtxid = payment.wtxid();
        last = last.max(reached(&mut network, "nodes with the payment", &ids, |network| {
            network.transaction_arrivals(&wtxid)
        })?);
    }
    network.settled()?;
    Ok(last.since(began).as_secs_f64())
}

/// Runs until all have something, and gives when that was.
fn reached<'a>(
    network: &mut Network,
    what: &'static str,
    ids: &[NodeId],
    arrivals: impl for<'b> Fn(&'b Network) -> &'b [Time] + 'a,
) -> Result<Time, Failure> {
    let until = network.now().after(PATIENCE);
    network.run_while(until, |network| arrivals(network).len() < ids.len())?;
    network.expect(what, arrivals(network).len(), ids.len())?;
    Ok(network.now())
}
