//! One kind of adversary among honest nodes, which go on as if nothing were.
//!
//! While adversaries do their harm, honest nodes pay and mine; every payment and block must reach all of them, and none
//! may blame another.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Txid;
use yap_chain::transaction::Transaction;
use yap_protocol::{Ledger as _, Time};

use super::Table;
use crate::network::actor::Actor;
use crate::network::adversary::{
    Adversary, BadBlocks, DoubleSpender, Fault, Flood, Garble, Headers, Lie, Mute, Server, SlowReader, Vice, What,
    Withhold,
};
use crate::network::agent::{Miner, Payer, Purse};
use crate::network::topology::{DEGREE, Topology};
use crate::network::{self, Failure, Network, NodeId, Options, Start};
use crate::{Builder, Mutation, Random};

/// Time for connections before, and for everything to arrive afterwards.
const SETTLING: Duration = Duration::from_secs(60);

/// How often adversaries act.
const EVERY: Duration = Duration::from_secs(2);

/// Which harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attack {
    /// Blocks and transactions are announced and not given.
    Withhold,
    /// Headers without work.
    NoWork,
    /// Endless headers of little work.
    LowWork,
    /// Headers that follow nothing.
    Unconnected,
    /// Orphan transactions.
    Orphans,
    /// Announcements of what does not exist.
    Inventory,
    /// The same by short id.
    Announcements,
    /// Addresses that don't exist.
    Addresses,
    /// Pings.
    Pings,
    /// Requests for blocks.
    BlockRequests,
    /// Requests for headers.
    HeaderRequests,
    /// More items than a message may have.
    TooMany,
    /// Blocks that break each rule.
    BadBlocks,
    /// Two transactions that spend the same coin.
    DoubleSpends,
    /// Peers that serve no blocks.
    Stall,
    /// Peers that serve changed blocks.
    Lies,
    /// Peers that serve other blocks.
    Mistakes,
    /// Peers that read at a crawl.
    SlowReaders,
    /// Connections on which nothing is said.
    Mute,
    /// Bytes that are no messages.
    Garble,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Withhold,
        Self::NoWork,
        Self::LowWork,
        Self::Unconnected,
        Self::Orphans,
        Self::Inventory,
        Self::Announcements,
        Self::Addresses,
        Self::Pings,
        Self::BlockRequests,
        Self::HeaderRequests,
        Self::TooMany,
        Self::BadBlocks,
        Self::DoubleSpends,
        Self::Stall,
        Self::Lies,
        Self::Mistakes,
        Self::SlowReaders,
        Self::Mute,
        Self::Garble,
    ];

    /// Its name, as the command line takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withhold => "withhold",
            Self::NoWork => "no-work",
            Self::LowWork => "low-work",
            Self::Unconnected => "unconnected",
            Self::Orphans => "orphans",
            Self::Inventory => "inventory",
            Self::Announcements => "announcements",
            Self::Addresses => "addresses",
            Self::Pings => "pings",
            Self::BlockRequests => "block-requests",
            Self::HeaderRequests => "header-requests",
            Self::TooMany => "too-many",
            Self::BadBlocks => "bad-blocks",
            Self::DoubleSpends => "double-spends",
            Self::Stall => "stall",
            Self::Lies => "lies",
            Self::Mistakes => "mistakes",
            Self::SlowReaders => "slow-readers",
            Self::Mute => "mute",
            Self::Garble => "garble",
        }
    }
}

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Which harm.
    pub attack: Attack,
    /// Honest nodes.
    pub nodes: usize,
    /// Adversaries, each connected with every honest node.
    pub adversaries: usize,
    /// For how long.
    pub lasting: Duration,
    /// The network.
    pub network: network::Config,
}

impl Config {
    /// Twenty nodes, three adversaries, ten minutes.
    #[must_use]
    pub fn new(attack: Attack) -> Self {
        Self {
            attack,
            nodes: 20,
            adversaries: 3,
            lasting: Duration::from_secs(600),
            network: network::Config::default(),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which harm.
    pub attack: Attack,
    /// Blocks that honest nodes mined.
    pub blocks: u32,
    /// Payments, and those that reached every honest node.
    pub payments: usize,
    /// Those that reached every honest node.
    pub reached: usize,
    /// How often honest nodes left an adversary.
    pub left: u64,
    /// Bytes that a node sent and received, on average.
    pub bytes: [u64; 2],
}

impl Report {
    /// The reports, one row each.
    #[must_use]
    pub fn table(reports: &[Self]) -> Table {
        let mut table = Table::new(&["attack", "blocks", "payments", "reached", "left", "sent/node", "received/node"]);
        for report in reports {
            let mut row = vec![report.attack.name().to_owned()];
            row.extend([report.blocks as usize, report.payments, report.reached].map(|count| count.to_string()));
            row.extend([report.left, report.bytes[0], report.bytes[1]].map(|count| count.to_string()));
            table.rows.push(row);
        }
        table
    }
}

/// Runs it.
///
/// # Errors
/// The first violation, or a payment that did not reach everybody.
pub fn run(config: &Config, seed: u64) -> Result<Report, Failure> {
    let mut lines = config.network;
    // Too many items can only be said in bytes.
    lines.codec |= config.attack == Attack::TooMany;
    let mut network = Network::new(config.attack.name(), lines, seed);
    let mut purse = Purse::new(network.random("purse"));
    let (tip, builder) = if config.attack == Attack::BadBlocks {
        let builder = chain(&mut network, seed);
        (network.world().tree().best(), Some(builder))
    } else {
        (network.prepare(121, 20, &mut purse), None)
    };
    let ids = network.add_nodes(config.nodes, Start::At(tip), &Options::given());
    network.wire(&ids, Topology::Random(DEGREE));
    network.run_until(Time::ZERO.after(SETTLING))?;
    let mut random = network.random("attack");
    if let Some(builder) = &builder {
        // Whoever gives one bad block is banned: each comes from somebody else.
        for mutation in Mutation::all() {
            let vice = BadBlocks::new(builder.clone(), vec![mutation]);
            let victims = ids.iter().map(|id| network.address(*id).clone()).collect();
            network.add_actor(Box::new(Adversary::new(Box::new(vice), victims, EVERY)), None);
        }
    } else {
        for _ in 0..config.adversaries {
            let actor = actor(config.attack, &network, &ids, &mut purse, &mut random);
            network.add_actor(actor, None);
        }
    }
    let until = network.now().after(config.lasting);
    let script = purse.script();
    let payer = Payer::new(ids.clone(), Duration::from_secs(5), until, purse, random.fork("payer"));
    network.add_agent(Box::new(payer), network.now());
    // The mutations follow the tip that they were given.
    if builder.is_none() {
        let mut miner = Miner::new(ids.clone(), Duration::from_secs(60), until, script, random.fork("miner"));
        let first = miner.next(network.now());
        network.add_agent(Box::new(miner), first);
    }
    network.run_until(until.after(SETTLING))?;
    network.settled()?;
    report(config, &network, &ids, tip)
}

fn report(
    config: &Config,
    network: &Network,
    ids: &[NodeId],
    tip: yap_chain::header::tree::Id,
) -> Result<Report, Failure> {
    // All have the same tip by now.
    let own = network.world().tree().get(&network.ledger(ids[0]).tip_hash()).expect("it is connected");
    let confirmed: BTreeSet<Txid> = network.world().transactions(own).map(Transaction::txid).collect();
    let reached = |payment: &&Arc<Transaction>| {
        let pending = |id: &NodeId| network.ledger(*id).pooled(&payment.wtxid()).is_some();
        confirmed.contains(&payment.txid()) || ids.iter().all(pending)
    };
    let (payments, reached) = (network.submitted().len(), network.submitted().iter().filter(reached).count());
    network.expect("payments that reached everybody", reached, payments)?;
    let total = |count: &dyn Fn(NodeId) -> u64| ids.iter().map(|id| count(*id)).sum::<u64>() / ids.len() as u64;
    Ok(Report {
        attack: config.attack,
        blocks: network.ledger(ids[0]).height() - network.world().tree().height(tip),
        payments,
        reached,
        left: network.partings().others(),
        bytes: [total(&|id| network.traffic().sent_by(id).bytes), total(&|id| network.traffic().received_by(id).bytes)],
    })
}

/// The builder's chain as that of the network, so that it can go on with blocks that break each rule.
fn chain(network: &mut Network, seed: u64) -> Builder {
    let mut builder = Builder::regtest(seed);
    let start = network::START.header_time();
    builder.set_time(start - 400_000);
    builder.prepare(8);
    builder.set_time(start - 600);
    builder.mine_empty(1);
    for block in builder.blocks() {
        let bytes = bitcoin::consensus::serialize(block);
        let block = yap_chain::block::Block::parse(bytes).expect("the builder's blocks are blocks");
        network.adopt(&Arc::new(block));
    }
    builder
}

fn actor(attack: Attack, network: &Network, ids: &[NodeId], purse: &mut Purse, random: &mut Random) -> Box<dyn Actor> {
    let victims: Vec<_> = ids.iter().map(|id| network.address(*id).clone()).collect();
    let mut flood = |what| -> Box<dyn Vice> { Box::new(Flood::new(what, random.fork("flood"))) };
    let vice: Box<dyn Vice> = match attack {
        Attack::Mute => return Box::new(Mute::new(victims, 20)),
        Attack::Withhold => Box::new(Withhold::new(purse.split(1), true)),
        Attack::NoWork => Box::new(Headers::new(Lie::NoWork)),
        Attack::LowWork => Box::new(Headers::new(Lie::LowWork)),
        Attack::Unconnected => Box::new(Headers::new(Lie::Unconnected)),
        Attack::Garble => Box::new(Garble::new(random.fork("garble"))),
        Attack::Orphans => flood(What::Orphans),
        Attack::Inventory => flood(What::Inventory),
        Attack::Announcements => flood(What::Announcements),
        Attack::Addresses => flood(What::Addresses),
        Attack::Pings => flood(What::Pings),
        Attack::BlockRequests => flood(What::BlockRequests),
        Attack::HeaderRequests => flood(What::HeaderRequests),
        Attack::TooMany => flood(What::TooMany),
        // They need a chain of their own; an attack without vice is none.
        Attack::BadBlocks => return Box::new(Mute::new(Vec::new(), 0)),
        Attack::DoubleSpends => Box::new(DoubleSpender::new(purse.split(2))),
        Attack::Stall => Box::new(Server::new(Fault::Stalls)),
        Attack::Lies => Box::new(Server::new(Fault::Lies)),
        Attack::Mistakes => Box::new(Server::new(Fault::Mistakes)),
        Attack::SlowReaders => Box::new(SlowReader::new(1000)),
    };
    Box::new(Adversary::new(vice, victims, EVERY))
}
