//! A network in one process: many real nodes, the lines between them, miners, wallets and adversaries, under virtual time.
//!
//! A [`Network`] holds participants, which are nodes ([`yap_protocol::Node`] with a ledger of their own) or [`Actor`]s that
//! speak raw messages, and connections between them. Everything that happens is an event in one queue, in the order of
//! time. Everything random follows from one seed, by streams forked by name. So a run can be repeated to the bit:
//! [`Network::transcript`] hashes every event, and two runs of one seed agree on it.
//!
//! ```text
//!  agents (miners, wallets) ── commands ──▶ Node ──outputs──▶ work of the host (judge, process, read) ── answers ──▶ Node
//!                                            │  ▲
//!                                         Send  Message          delay, rate, order, loss, partitions
//!                                            ▼  │
//!  actors (adversaries) ◀──── messages ──── lines ──── messages ────▶ other nodes
//! ```
//!
//! | module | owns |
//! |---|---|
//! | `queue`, [`Transcript`] | what happens next, and the hash of what has happened |
//! | [`mod@line`] | how long messages take |
//! | [`wire`], [`Traffic`] | kinds of messages, and how many there were |
//! | [`World`] | what all nodes share: blocks and verdicts |
//! | [`Ledger`], [`Pool`] | one node's chain and pending transactions |
//! | `host` | one node, its ledger and the work it waits for |
//! | `drive` | the loop: events to inputs, outputs to events |
//! | `connection` | opening, sending, congestion, closing |
//! | [`Actor`], [`adversary`] | participants that are no nodes |
//! | [`agent`] | miners and wallets, which use nodes |
//! | [`forge`] | blocks that solve their header |
//! | [`topology`] | who is connected to whom |
//! | [`Violation`] | what must never happen, looked for after every step |
//! | [`scenario`] | whole runs with a report |
//! | [`Solo`] | one ledger alone, for a peer of the real network |

mod actor;
pub mod adversary;
pub mod agent;
mod connection;
mod drive;
pub mod forge;
mod host;
mod ledger;
pub mod line;
mod oracle;
mod pool;
mod queue;
pub mod scenario;
mod solo;
pub mod topology;
mod traffic;
mod transcript;
pub mod wire;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_protocol::address::Endpoint;
use yap_protocol::codec::Framing;
use yap_protocol::link::Carrier;
use yap_protocol::{Address, Time, Timestamp};

pub use actor::{Actor, Port};
pub use host::{Options, Start};
pub use ledger::Ledger;
pub use oracle::{Checks, Failure, Partings, Violation};
pub use pool::Pool;
pub use solo::{Solo, Step};
pub use traffic::{Count, Traffic};
pub use transcript::Transcript;
pub use world::{Broken, View, World};

use crate::Random;
use connection::Connection;
use drive::Event;
use host::Participant;
use queue::Queue;

/// The wall clock when a run begins: 2026-01-01.
pub const START: Timestamp = Timestamp(1_767_225_600);

/// Characters of a line that tells of an input or output.
const TRACE_WIDTH: usize = 300;

/// Names a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// How long a node's work takes. One thing is done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// To judge a transaction.
    pub transaction: Duration,
    /// To process a block, and in addition for each transaction in it.
    pub block: Duration,
    /// For each transaction of a block.
    pub block_transaction: Duration,
    /// To read a block.
    pub read: Duration,
}

impl Default for Work {
    /// What a small machine needs: 200 µs for a transaction, whose scripts a block then finds verified.
    fn default() -> Self {
        Self {
            transaction: Duration::from_micros(200),
            block: Duration::from_micros(500),
            block_transaction: Duration::from_micros(5),
            read: Duration::from_micros(500),
        }
    }
}

/// What a network is like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Config {
    /// The lines.
    pub line: line::Config,
    /// The nodes' speed.
    pub work: Work,
    /// How often the nodes' own invariants are checked.
    pub checks: Checks,
    /// What carries messages between two nodes.
    pub carrier: NodeCarrier,
    /// Whether messages are encoded and decoded on their way, as between processes. Bytes are counted either way.
    pub codec: bool,
    /// How many of the last inputs and outputs are told with a failure.
    pub trace: usize,
}

/// What carries messages between two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeCarrier {
    /// libp2p streams, with our extensions.
    #[default]
    Libp2p,
    /// Bitcoin's transport.
    Bitcoin,
}

impl From<NodeCarrier> for Carrier {
    fn from(carrier: NodeCarrier) -> Self {
        match carrier {
            NodeCarrier::Libp2p => Self::Libp2p,
            NodeCarrier::Bitcoin => Self::Bitcoin,
        }
    }
}

/// Many nodes under virtual time.
#[derive(Debug)]
pub struct Network {
    config: Config,
    name: String,
    seed: u64,
    random: Streams,
    now: Time,
    queue: Queue<Event>,
    transcript: Transcript,
    world: World,
    participants: Vec<Participant>,
    endpoints: BTreeMap<Endpoint, NodeId>,
    /// By number; a number is never used twice. `None` once both ends are closed.
    connections: Vec<Option<Box<Connection>>>,
    agents: Vec<Option<Box<dyn agent::Agent>>>,
    /// Whether participants of different sides can't reach each other.
    divided: bool,
    traffic: Traffic,
    arrivals: HashMap<[u8; 32], Vec<Time>, FixedState>,
    submitted: Vec<Arc<Transaction>>,
    partings: Partings,
    failure: Option<Failure>,
    trace: VecDeque<String>,
}

/// The streams of random numbers, forked by name so that one use does not change what another draws.
#[derive(Debug)]
struct Streams {
    places: Random,
    nodes: Random,
    delays: Random,
    pairs: u64,
    topology: Random,
}

impl Network {
    /// A network of nobody. The name is that of the scenario, told with a failure.
    #[must_use]
    pub fn new(name: &str, config: Config, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let random = Streams {
            places: random.fork("places"),
            nodes: random.fork("nodes"),
            delays: random.fork("delays"),
            pairs: random.fork("pairs").next(),
            topology: random.fork("topology"),
        };
        Self {
            config,
            name: name.to_owned(),
            seed,
            random,
            now: Time::ZERO,
            queue: Queue::new(),
            transcript: Transcript::default(),
            world: World::new(Arc::new(Spec::regtest()), seed),
            participants: Vec::new(),
            endpoints: BTreeMap::new(),
            connections: Vec::new(),
            agents: Vec::new(),
            divided: false,
            traffic: Traffic::default(),
            arrivals: HashMap::default(),
            submitted: Vec::new(),
            partings: Partings::default(),
            failure: None,
            trace: VecDeque::new(),
        }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The wall clock.
    #[must_use]
    pub const fn wall(&self) -> Timestamp {
        Timestamp(START.0 + self.now.as_micros() / 1_000_000)
    }

    /// What a network is like.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How messages are told apart on the lines.
    pub(crate) fn framing(&self) -> Framing {
        match self.config.carrier {
            NodeCarrier::Bitcoin => Framing::Bitcoin(self.world.spec().magic),
            NodeCarrier::Libp2p => Framing::Stream,
        }
    }

    /// A stream of random numbers for whoever is called `name`.
    #[must_use]
    pub fn random(&self, name: &str) -> Random {
        Random::new(self.seed).fork(name)
    }

    /// What all nodes share.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// What all nodes share, to take in blocks that nobody was given yet.
    pub const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// What was sent so far.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The hash of everything that happened.
    #[must_use]
    pub const fn transcript(&self) -> Transcript {
        self.transcript
    }

    /// Which connections nodes closed, and why.
    #[must_use]
    pub const fn partings(&self) -> &Partings {
        &self.partings
    }

    /// Every participant, nodes and actors.
    pub fn participants(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.participants.len() as u32).map(NodeId)
    }

    /// Every node that runs.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.participants().filter(|id| self.is_running(*id))
    }

    /// Notes what happens at a participant, if that is wanted.
    fn note(&mut self, id: NodeId, what: &dyn std::fmt::Debug) {
        if self.config.trace > 0 {
            let mut line = format!("{:>12} µs  {:>4}  {what:?}", self.now.as_micros(), id.0);
            line.truncate(line.floor_char_boundary(TRACE_WIDTH));
            self.trace.push_back(line);
            while self.trace.len() > self.config.trace {
                self.trace.pop_front();
            }
        }
    }

    /// The address of a participant.
    #[must_use]
    pub fn address(&self, id: NodeId) -> &Address {
        &self.participants[id.0 as usize].address
    }

    /// When nodes took a transaction into their mempool, in order.
    #[must_use]
    pub fn transaction_arrivals(&self, wtxid: &Wtxid) -> &[Time] {
        self.arrivals.get(wtxid.as_byte_array()).map_or(&[], Vec::as_slice)
    }

    /// When a block became nodes' tip, or part of the chain to it, in order.
    #[must_use]
    pub fn block_arrivals(&self, hash: &BlockHash) -> &[Time] {
        self.arrivals.get(hash.as_byte_array()).map_or(&[], Vec::as_slice)
    }
}
