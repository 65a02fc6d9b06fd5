//! One participant: a node with its ledger and the work that it waits for, or an actor.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bitcoin::Wtxid;
use bitcoin::hashes::{Hash, sha256};
use ed25519_dalek::SigningKey;
use yap_chain::block::Block;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::transaction::Transaction;
use yap_protocol::address::{Endpoint, Host as HostAddress, Identity, Multiaddr};
use yap_protocol::io::{Command, Judged, PoolChange, Ticket};
use yap_protocol::link::Purpose;
use yap_protocol::message::{PeerRecord, Services};
use yap_protocol::{Address, Input, Ledger as _, Node, Role, Time, node, peers};

use super::actor::Actor;
use super::drive::{Event, Job};
use super::ledger::Ledger;
use super::line::Place;
use super::{Network, NodeCarrier, NodeId};

/// Port of every participant.
const PORT: u16 = 8333;

/// A running node.
#[derive(Debug)]
pub(super) struct Host {
    /// `None` while it is down.
    pub(super) node: Option<Box<Node>>,
    pub(super) ledger: Ledger,
    /// How often it has started. What was meant for an earlier life is dropped.
    pub(super) epoch: u32,
    /// When it has done its work.
    pub(super) idle: Time,
    /// When it will be told of its deadline.
    pub(super) armed: Option<Time>,
    /// What it wanted kept across restarts, merged.
    pub(super) kept: peers::ChangeSet,
    /// Answers that it waits for.
    pub(super) waiting: i64,
    pub(super) steps: u32,
    pub(super) tickets: u64,
    pub(super) options: Options,
}

#[derive(Debug)]
pub(super) enum Kind {
    Node(Box<Host>),
    /// `None` while it acts.
    Actor(Option<Box<dyn Actor>>),
}

/// Somebody on the network.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) kind: Kind,
    pub(super) address: Address,
    pub(super) place: Place,
    pub(super) side: u32,
    pub(super) upload_free: Time,
    pub(super) download_free: Time,
    pub(super) connections: BTreeSet<u64>,
}

/// What a node has when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The genesis block alone.
    Genesis,
    /// Every block of the world's chain up to this one.
    At(Id),
}

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What its machines are told.
    pub node: node::Config,
    /// Seconds by which its clock is ahead.
    pub clock_ahead: i32,
    /// Whether it tells peers where it is reached.
    pub advertise: bool,
}

impl Options {
    /// Looks for peers by itself.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Self { node: node::Config::of(role), clock_ahead: 0, advertise: true }
    }

    /// Has the peers that it is given, and looks for no others.
    #[must_use]
    pub fn given() -> Self {
        let mut options = Self::of(Role::Full);
        let peers = &mut options.node.peers;
        (peers.full, peers.block_only, peers.feelers) = (0, 0, None);
        options.advertise = false;
        options
    }
}

impl Network {
    /// Adds a node, which starts at once.
    pub fn add_node(&mut self, start: Start, options: Options) -> NodeId {
        let tree = self.tree_of(start);
        self.add_with_tree(tree, &options)
    }

    /// Adds many nodes of the same start.
    pub fn add_nodes(&mut self, count: usize, start: Start, options: &Options) -> Vec<NodeId> {
        let tree = self.tree_of(start);
        (0..count).map(|_| self.add_with_tree(tree.clone(), options)).collect()
    }

    fn tree_of(&self, start: Start) -> Tree {
        let world = self.world();
        match start {
            Start::Genesis => Ledger::new(world, world.tree().genesis()).tree().clone(),
            Start::At(tip) => Ledger::new(world, tip).tree().clone(),
        }
    }

    fn add_with_tree(&mut self, tree: Tree, options: &Options) -> NodeId {
        let host = Host {
            node: None,
            ledger: Ledger::with_tree(tree),
            epoch: 0,
            idle: self.now,
            armed: None,
            kept: peers::ChangeSet::default(),
            waiting: 0,
            steps: 0,
            tickets: 0,
            options: options.clone(),
        };
        let address = self.next_address(None);
        let id = self.add(Kind::Node(Box::new(host)), address);
        self.boot(id);
        id
    }

    /// Adds an actor at an address of its own, or at one of a chosen network group.
    pub fn add_actor(&mut self, actor: Box<dyn Actor>, group: Option<u16>) -> NodeId {
        let address = self.next_address(group);
        let id = self.add(Kind::Actor(Some(actor)), address);
        self.act(id, |actor, port| actor.start(port));
        id
    }

    fn add(&mut self, kind: Kind, address: Address) -> NodeId {
        let id = NodeId(self.participants.len() as u32);
        self.endpoints.insert(address.endpoint.clone(), id);
        let place = Place::random(&mut self.random.places);
        self.participants.push(Participant {
            kind,
            address,
            place,
            side: 0,
            upload_free: Time::ZERO,
            download_free: Time::ZERO,
            connections: BTreeSet::new(),
        });
        id
    }

    /// An address that nobody has: each in a network group (the first 16 bits) of its own, until there are no more.
    fn next_address(&self, group: Option<u16>) -> Address {
        self.address_at(self.participants.len(), group)
    }

    /// The address that the participant of that number will have.
    pub(super) fn address_at(&self, index: usize, group: Option<u16>) -> Address {
        let index = index as u32;
        let ip = match group {
            // From 128.0.0.0 on, where no node is.
            Some(group) => 0x8000_0000 | u32::from(group) << 16 | index & 0xffff,
            // From 11.0.0.0 to 122.255.0.0 no group is reserved but that of 100.64.0.0/10.
            None => {
                let group = 0x0b00 + index % 0x5900;
                (group << 16) | (1 + index / 0x5900)
            }
        };
        let ip = Ipv4Addr::from(ip);
        match self.config.carrier {
            NodeCarrier::Bitcoin => {
                Address { identity: None, endpoint: Endpoint::Bitcoin { host: HostAddress::Ipv4(ip), port: PORT } }
            }
            NodeCarrier::Libp2p => {
                let identity = Identity(key(index).verifying_key().to_bytes());
                Address { identity: Some(identity), endpoint: Endpoint::Libp2p(multiaddr(ip)) }
            }
        }
    }

    pub(super) fn host(&self, id: NodeId) -> Option<&Host> {
        match &self.participants[id.0 as usize].kind {
            Kind::Node(host) => Some(host),
            Kind::Actor(_) => None,
        }
    }

    pub(super) fn host_mut(&mut self, id: NodeId) -> Option<&mut Host> {
        match &mut self.participants[id.0 as usize].kind {
            Kind::Node(host) => Some(host),
            Kind::Actor(_) => None,
        }
    }

    /// Whether a participant is a node and runs.
    #[must_use]
    pub fn is_running(&self, id: NodeId) -> bool {
        match &self.participants[id.0 as usize].kind {
            Kind::Node(host) => host.node.is_some(),
            Kind::Actor(_) => false,
        }
    }

    /// Whether a participant can be reached: actors always can.
    pub(super) fn listens(&self, id: NodeId) -> bool {
        self.host(id).is_none_or(|host| host.node.is_some())
    }

    /// Whether a participant is a node.
    #[must_use]
    pub fn is_honest(&self, id: NodeId) -> bool {
        self.host(id).is_some()
    }

    /// A node's chain and mempool.
    ///
    /// # Panics
    /// For an actor.
    #[must_use]
    pub fn ledger(&self, id: NodeId) -> &Ledger {
        &self.host(id).expect("a node").ledger
    }

    pub(super) fn epoch(&self, id: NodeId) -> u32 {
        self.host(id).map_or(0, |host| host.epoch)
    }

    /// Answers that a node waits for.
    pub(super) fn waiting(&self, id: NodeId) -> i64 {
        self.host(id).map_or(0, |host| host.waiting)
    }

    /// Starts a node.
    fn boot(&mut self, id: NodeId) {
        let seed = self.random.nodes.bytes::<32>();
        let identity = self.address(id).identity;
        let host = self.host_mut(id).expect("a node");
        host.epoch += 1;
        host.waiting = 0;
        host.armed = None;
        let mut config = host.options.node.clone();
        config.peers.identity = identity;
        host.node = Some(Box::new(Node::restore(config, seed, host.kept.clone())));
        let (ahead, advertise) = (i64::from(host.options.clock_ahead), host.options.advertise);
        let wall = yap_protocol::Timestamp(self.wall().0.saturating_add_signed(ahead));
        self.tell(id, Input::Clock(wall));
        if advertise {
            let (record, endpoint) = self.record(id);
            self.command(id, Command::Advertise(record, vec![endpoint]));
        }
    }

    /// What a participant says of itself, signed if it has a key, and where it is reached.
    pub(super) fn record(&self, id: NodeId) -> (Option<Arc<PeerRecord>>, Endpoint) {
        let endpoint = self.address(id).endpoint.clone();
        let record = match &endpoint {
            Endpoint::Libp2p(multiaddr) => {
                let services = Services::NETWORK.with(Services::WITNESS);
                let record = PeerRecord::sign(&key(id.0), self.wall().0, services, vec![multiaddr.clone()]);
                Some(Arc::new(record.expect("one endpoint is not too many")))
            }
            Endpoint::Bitcoin { .. } => None,
        };
        (record, endpoint)
    }

    /// Stops a node as a power cut does: what it had in memory is gone, its chain and its change-sets are not.
    pub fn crash(&mut self, id: NodeId) {
        self.drop_connections(id);
        let host = self.host_mut(id).expect("a node");
        host.node = None;
        host.epoch += 1;
        host.ledger.restart();
    }

    /// Starts a node again.
    pub fn restart(&mut self, id: NodeId) {
        if !self.is_running(id) {
            self.boot(id);
        }
    }

    fn command(&mut self, id: NodeId, command: Command) {
        let Some(host) = self.host_mut(id).filter(|host| host.node.is_some()) else { return };
        host.tickets += 1;
        let ticket = Ticket(1 << 63 | host.tickets);
        self.tell(id, Input::Command { ticket, command });
    }

    /// Has a participant take in a transaction of its user.
    pub fn submit(&mut self, id: NodeId, transaction: &Arc<Transaction>) {
        self.submitted.push(Arc::clone(transaction));
        self.act(id, |actor, port| actor.submitted(port, transaction));
        self.command(id, Command::Submit(Arc::clone(transaction)));
    }

    /// Every transaction that a user wanted to make known.
    #[must_use]
    pub fn submitted(&self) -> &[Arc<Transaction>] {
        &self.submitted
    }

    /// Has a node take in a block that its user mined.
    pub fn submit_block(&mut self, id: NodeId, block: &Arc<Block>) {
        self.command(id, Command::SubmitBlock(Arc::clone(block)));
    }

    /// Has a node connect to a participant, and again whenever the connection is lost.
    pub fn add_peer(&mut self, id: NodeId, peer: NodeId, purpose: Purpose) {
        let address = self.address(peer).clone();
        self.command(id, Command::AddPeer(address, purpose));
    }

    /// Opens a connection from one participant to another, without asking either.
    pub fn connect(&mut self, from: NodeId, to: NodeId) {
        let address = self.address(to).clone();
        self.dial(from, &address, Purpose::Full);
    }

    /// Gives a node work, which it does after what it has to do already.
    pub(super) fn work(&mut self, id: NodeId, job: Job) {
        let work = self.config.work;
        let took = match &job {
            Job::Judge { parent, .. } => work.transaction * if parent.is_some() { 2 } else { 1 },
            Job::Process(block) => work.block + work.block_transaction * block.transactions().len() as u32,
            Job::Read { .. } => work.read,
        };
        let now = self.now;
        let host = self.host_mut(id).expect("a node");
        host.idle = host.idle.max(now).after(took);
        host.waiting += 1;
        let (done, epoch) = (host.idle, host.epoch);
        self.queue.push(done, Event::Done { node: id, epoch, job });
    }

    /// A node's work is done: it hears what came of it.
    pub(super) fn done(&mut self, id: NodeId, job: Job) {
        let now = self.wall().header_time();
        let Self { participants, world, .. } = self;
        let Kind::Node(host) = &mut participants[id.0 as usize].kind else { return };
        host.waiting -= 1;
        match job {
            Job::Judge { transaction, parent } => {
                let (judged, change) = host.ledger.judge(&transaction, parent.as_ref(), world, now);
                self.judged(id, judged, change);
            }
            Job::Process(block) => {
                let step = host.ledger.process(&block, world, now);
                self.tell(id, Input::Processed { hash: block.hash(), outcome: step.outcome });
                if let Some(change) = step.tip {
                    for (hash, _) in &change.connected {
                        self.arrived(hash.to_byte_array());
                    }
                    self.tell(id, Input::Tip(change));
                }
                self.pool_changed(id, step.pool);
            }
            Job::Read { ticket, hash } => {
                let block = host.ledger.read(&hash, world);
                self.tell(id, Input::BlockRead { ticket, block });
            }
        }
    }

    fn judged(&mut self, id: NodeId, judged: Vec<(Wtxid, Judged)>, change: PoolChange) {
        for transaction in &change.added {
            self.arrived(transaction.wtxid().to_byte_array());
        }
        for (wtxid, outcome) in judged {
            self.tell(id, Input::Judged { wtxid, outcome });
        }
        self.pool_changed(id, change);
    }

    fn pool_changed(&mut self, id: NodeId, change: PoolChange) {
        if !change.added.is_empty() || !change.removed.is_empty() {
            self.tell(id, Input::Pool(change));
        }
    }

    pub(super) fn arrived(&mut self, hash: [u8; 32]) {
        self.arrivals.entry(hash).or_default().push(self.now);
    }

    /// How often nodes have started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        // A crash counts as much as a start does.
        self.nodes().filter_map(|id| self.host(id)).map(|host| host.epoch.div_ceil(2)).sum()
    }

    /// What a node wanted kept across restarts, merged.
    #[must_use]
    pub fn kept(&self, id: NodeId) -> Option<&peers::ChangeSet> {
        self.host(id).map(|host| &host.kept)
    }
}

/// The key of the participant of that number.
fn key(index: u32) -> SigningKey {
    SigningKey::from_bytes(&sha256::Hash::hash(&index.to_le_bytes()).to_byte_array())
}

/// `/ip4/…/tcp/…` in binary.
fn multiaddr(ip: Ipv4Addr) -> Multiaddr {
    let mut bytes = vec![4];
    bytes.extend_from_slice(&ip.octets());
    bytes.push(6);
    bytes.extend_from_slice(&PORT.to_be_bytes());
    Multiaddr::new(&bytes).expect("eight bytes are not too many")
}
