//! What must hold of a whole node, whatever happens to it and in whatever order.
//!
//! The bytes are a list of steps: connections opened and closed, messages (decoded from the bytes, drawn at random, true
//! answers to what the node asked, news of a chain that it lacks), verdicts on what the node gave out to be judged,
//! commands, time. After every step the node's machines hold their invariants and bounds, and what it sent is valid:
//!
//! - it can be read by its peer, and goes to a connection that is open;
//! - its work that is not answered yet is bounded, and so is what one input makes it do;
//! - its deadline moves on, so that no driver turns in circles;
//! - in the end every command has one reply, and what it kept gives a node again.

mod cursor;
mod fixture;
mod ledger;
mod talk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use yap_chain::block::Block;
use yap_chain::transaction::Transaction;
use yap_protocol::address::{Endpoint, Host, Identity, Multiaddr};
use yap_protocol::codec::{self, Decoder, Framing};
use yap_protocol::io::{Command, Departure, Event, Judged, PoolChange, Ticket};
use yap_protocol::link::{Carrier, Direction, Purpose};
use yap_protocol::message::PROTOCOL_VERSION;
use yap_protocol::{
    Address, Config, Input, Link, Message, Node, Output, PeerId, Random, Role, Time, Timestamp, arbitrary, peers,
};

use self::cursor::Cursor;
use self::fixture::Fixture;
use self::ledger::Ledger;
use super::Outcome;
use super::samples::MAGIC;

/// Steps of one run.
const MAX_STEPS: usize = 400;

/// Connections of one run that are open at a time.
const MAX_PEERS: usize = 24;

/// What a node may do for one input. The largest is to tell every peer of a block, or to serve what one request asks.
const MAX_OUTPUTS: usize = 2_000;

/// Answers that a node may wait for.
const MAX_JOBS: usize = 2_000;

/// Inputs at one moment after which the node's deadline must lie ahead.
const MAX_TURNS: usize = 64;

/// Deadlines that are told in one step of time.
const MAX_DEADLINES: usize = 200;

/// Messages of the node that a peer remembers, to answer.
const HEARD: usize = 8;

/// Any bytes, as steps.
pub fn node(data: &[u8]) -> Outcome {
    let mut cursor = Cursor(data);
    let mut run = Run::new(cursor.byte());
    for _ in 0..MAX_STEPS {
        if cursor.is_empty() {
            break;
        }
        run.step(&mut cursor);
    }
    run.end();
    if run.ready > 0 { Outcome::Held } else { Outcome::Refused }
}

/// A connection, as its other end sees it.
#[derive(Debug)]
struct Peer {
    carrier: Carrier,
    decoder: Decoder,
    /// Whether the node has closed it, and was not told yet that it is closed.
    closing: bool,
    heard: VecDeque<Message>,
}

/// What the node waits for.
#[derive(Debug)]
enum Job {
    Process(Arc<Block>),
    Judge(Arc<Transaction>, Option<Arc<Transaction>>),
    Read(Ticket, bitcoin::BlockHash),
}

#[derive(Debug)]
struct Run {
    fixture: &'static Fixture,
    node: Box<Node>,
    ledger: Ledger,
    now: Time,
    peers: BTreeMap<PeerId, Peer>,
    opened: u64,
    jobs: Vec<Job>,
    dials: Vec<(Address, Purpose)>,
    tickets: BTreeSet<Ticket>,
    asked: u64,
    kept: peers::ChangeSet,
    /// The node's own key for short ids, as it greeted with.
    key: Option<[u64; 2]>,
    /// Handshakes that ended well.
    ready: usize,
}

impl Run {
    fn new(role: u8) -> Self {
        let fixture = Fixture::shared();
        let role = [Role::Full, Role::Full, Role::Pruned, Role::BlockOnly][usize::from(role) % 4];
        let mut config = Config::of(role);
        config.relay.serve_mempool = true;
        config.peers.identity = Some(Identity([7; 32]));
        let mut run = Self {
            fixture,
            node: Box::new(Node::new(config, [9; 32])),
            ledger: Ledger::new(fixture),
            now: Time::ZERO,
            peers: BTreeMap::new(),
            opened: 0,
            jobs: Vec::new(),
            dials: Vec::new(),
            tickets: BTreeSet::new(),
            asked: 0,
            kept: peers::ChangeSet::default(),
            key: None,
            ready: 0,
        };
        run.tell(Input::Clock(Timestamp(u64::from(fixture.wall))));
        run
    }

    fn step(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.byte() % 24 {
            0 => self.connect(cursor, None),
            1 => {
                let peer = self.peer(cursor);
                self.disconnect(peer);
            }
            2 => self.bytes(cursor),
            3 => {
                let message = arbitrary::message(&mut Random::new([cursor.byte(); 32]));
                let peer = self.peer(cursor);
                self.say(peer, message);
            }
            4 | 5 => {
                let peer = self.peer(cursor);
                self.shake_hands(peer, cursor);
            }
            6..10 => {
                let peer = self.peer(cursor);
                let message = talk::statement(cursor, &self.keys(peer), self.fixture);
                self.say(peer, message);
            }
            10..15 => {
                let peer = self.peer(cursor);
                self.answer(peer, cursor);
            }
            15..19 => {
                let (at, verdict) = (cursor.byte(), cursor.byte());
                self.finish(at, verdict);
            }
            19 | 20 => self.wait(cursor.byte()),
            21 => self.command(cursor),
            22 => self.dialled(cursor),
            _ => self.rare(cursor),
        }
    }

    /// One of the open connections.
    fn peer(&self, cursor: &mut Cursor<'_>) -> Option<PeerId> {
        let at = usize::from(cursor.byte());
        self.peers.keys().nth(at.checked_rem(self.peers.len())?).copied()
    }

    fn keys(&self, peer: Option<PeerId>) -> Vec<[u64; 2]> {
        std::iter::once(talk::key(peer.map_or(0, |peer| peer.0))).chain(self.key).collect()
    }

    fn connect(&mut self, cursor: &mut Cursor<'_>, dialled: Option<(Address, Purpose)>) {
        if self.peers.len() >= MAX_PEERS {
            return;
        }
        let choice = cursor.byte();
        let direction = if dialled.is_some() { Direction::Outbound } else { Direction::Inbound };
        let (address, purpose) = match dialled {
            Some((address, purpose)) => (address, Some(purpose)),
            None => (address(choice), None),
        };
        let carrier = match address.endpoint {
            Endpoint::Bitcoin { .. } => Carrier::Bitcoin,
            Endpoint::Libp2p(_) => Carrier::Libp2p,
        };
        let identity = (carrier == Carrier::Libp2p).then(|| address.identity.unwrap_or(Identity([choice; 32])));
        self.opened += 1;
        let peer = PeerId(self.opened);
        let decoder = Decoder::new(Framing::of(carrier, MAGIC));
        self.peers.insert(peer, Peer { carrier, decoder, closing: false, heard: VecDeque::new() });
        self.tell(Input::Connected { peer, link: Link { direction, carrier, address, identity, purpose } });
    }

    fn disconnect(&mut self, peer: Option<PeerId>) {
        if let Some(peer) = peer.filter(|peer| self.peers.remove(peer).is_some()) {
            self.tell(Input::Disconnected { peer });
        }
    }

    fn say(&mut self, peer: Option<PeerId>, message: Message) {
        let Some((peer, carrier)) = peer.and_then(|peer| Some((peer, self.peers.get(&peer)?.carrier))) else { return };
        let size = codec::encoded_len(&message, Framing::of(carrier, MAGIC));
        self.tell(Input::Message { peer, message, size });
    }

    /// A peer says bytes, whatever they mean.
    fn bytes(&mut self, cursor: &mut Cursor<'_>) {
        let peer = self.peer(cursor);
        let bytes = cursor.bytes();
        let Some((peer, state)) = peer.and_then(|peer| Some((peer, self.peers.get_mut(&peer)?))) else { return };
        let bytes = match state.carrier {
            Carrier::Bitcoin => super::message::with_checksums(bytes),
            Carrier::Libp2p => bytes.to_vec(),
        };
        let (mut rest, mut results) = (&bytes[..], Vec::new());
        while let Some(result) = state.decoder.read(&mut rest) {
            results.push(result);
        }
        for result in results {
            match result {
                Ok((message, size)) => self.tell(Input::Message { peer, message, size }),
                Err(error) => {
                    self.tell(Input::Malformed { peer, error });
                    self.disconnect(Some(peer));
                    return;
                }
            }
        }
    }

    fn shake_hands(&mut self, peer: Option<PeerId>, cursor: &mut Cursor<'_>) {
        let Some(state) = peer.and_then(|peer| self.peers.get(&peer)) else { return };
        let (carrier, number) = (state.carrier, peer.map_or(0, |peer| peer.0));
        let (first, second) = (cursor.byte(), cursor.byte());
        self.say(peer, talk::version(number, first, self.wall()));
        if first & 0x18 != 0x18 {
            self.say(peer, Message::WtxidRelay);
        }
        self.say(peer, Message::SendAddrV2);
        if carrier == Carrier::Libp2p {
            self.say(peer, talk::greeting(number, second, self.fixture));
        }
        self.say(peer, Message::Verack);
    }

    /// A peer answers something that the node asked it.
    fn answer(&mut self, peer: Option<PeerId>, cursor: &mut Cursor<'_>) {
        let keys = self.keys(peer);
        let Some(state) = peer.and_then(|peer| self.peers.get_mut(&peer)) else { return };
        let at = usize::from(cursor.byte());
        // The latest first.
        let Some(at) = at.checked_rem(state.heard.len()).map(|at| state.heard.len() - 1 - at) else { return };
        let Some(asked) = state.heard.remove(at) else { return };
        for message in talk::answer(&asked, &keys, cursor.byte(), self.fixture) {
            self.say(peer, message);
        }
    }

    /// The host has done some of its work.
    fn finish(&mut self, at: u8, verdict: u8) {
        let Some(at) = usize::from(at).checked_rem(self.jobs.len()) else { return };
        match self.jobs.remove(at) {
            Job::Read(ticket, hash) => {
                let block = if verdict == 0 { None } else { self.ledger.read(&hash) };
                self.tell(Input::BlockRead { ticket, block });
            }
            Job::Process(block) => {
                let now = u32::try_from(self.wall().0).unwrap_or(u32::MAX);
                let step = self.ledger.process(&block, verdict, now);
                self.tell(Input::Processed { hash: block.hash(), outcome: step.outcome });
                if let Some(change) = step.tip {
                    self.tell(Input::Tip(change));
                }
                self.pool(step.pool);
            }
            Job::Judge(transaction, parent) => {
                let mut change = PoolChange::default();
                let judged: Vec<(_, Judged)> = parent
                    .iter()
                    .chain([&transaction])
                    .map(|one| (one.wtxid(), self.ledger.judge(one, verdict, &mut change)))
                    .collect();
                for (wtxid, outcome) in judged {
                    self.tell(Input::Judged { wtxid, outcome });
                }
                self.pool(change);
            }
        }
    }

    fn pool(&mut self, change: PoolChange) {
        if !change.added.is_empty() || !change.removed.is_empty() {
            self.tell(Input::Pool(change));
        }
    }

    /// From a millisecond to about a day.
    fn wait(&mut self, choice: u8) {
        let until = self.now.after(Duration::from_millis(1 << (choice % 27)));
        for _ in 0..MAX_DEADLINES {
            let Some(due) = self.node.next_deadline().filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.tell(Input::Deadline);
        }
        self.now = until;
        self.tell(Input::Deadline);
    }

    fn command(&mut self, cursor: &mut Cursor<'_>) {
        let (kind, choice) = (cursor.byte(), cursor.byte());
        let peer = PeerId(u64::from(choice));
        self.ask(match kind % 12 {
            0..4 => Command::Submit(Arc::clone(self.fixture.transaction(choice))),
            4..6 => Command::SubmitBlock(Arc::clone(self.fixture.block(kind >> 4, choice))),
            6 => Command::AddPeer(address(choice), purpose(kind >> 4)),
            7 => Command::RemovePeer(address(choice)),
            8 => Command::Learn((0..8).map(|other| address(choice.wrapping_add(other))).collect()),
            9 => {
                let record = arbitrary::peer_record(&mut Random::new([choice; 32]));
                Command::Advertise(Some(Arc::new(record)), vec![address(choice).endpoint])
            }
            10 => Command::Disconnect(peer),
            _ if choice == 0 => Command::Shutdown,
            _ => Command::Advertise(None, Vec::new()),
        });
    }

    fn ask(&mut self, command: Command) {
        self.asked += 1;
        let ticket = Ticket(1 << 63 | self.asked);
        self.tickets.insert(ticket);
        self.tell(Input::Command { ticket, command });
    }

    /// A dialled address answers, or does not.
    fn dialled(&mut self, cursor: &mut Cursor<'_>) {
        let (at, choice) = (usize::from(cursor.byte()), cursor.byte());
        let Some(at) = at.checked_rem(self.dials.len()) else { return };
        let (address, purpose) = self.dials.remove(at);
        if choice.is_multiple_of(4) || self.peers.len() >= MAX_PEERS {
            self.tell(Input::DialFailed { address });
        } else {
            self.connect(cursor, Some((address, purpose)));
        }
    }

    fn rare(&mut self, cursor: &mut Cursor<'_>) {
        let (kind, choice) = (cursor.byte(), cursor.byte());
        match kind % 4 {
            0 => {
                let wall = self.wall().0 + u64::from(choice) * 60;
                self.tell(Input::Clock(Timestamp(wall.saturating_sub(3600))));
            }
            1 => {
                let why = [Departure::Expired, Departure::Evicted, Departure::Replaced, Departure::Conflicted];
                let change = self.ledger.evict(why[usize::from(choice) % 4]);
                self.pool(change);
            }
            _ => {
                if let Some(peer) = self.peer(cursor) {
                    self.tell(Input::Congested { peer, congested: choice & 1 == 0 });
                }
            }
        }
    }

    /// The wall clock of the peers.
    fn wall(&self) -> Timestamp {
        Timestamp(u64::from(self.fixture.wall) + self.now.as_micros() / 1_000_000)
    }

    /// Gives the node an input, takes what it wants done, and looks whether everything holds.
    fn tell(&mut self, input: Input) {
        self.node.handle(self.now, input, &mut self.ledger);
        self.take();
        for turn in 0.. {
            if self.node.next_deadline().is_none_or(|due| due > self.now) {
                break;
            }
            assert!(turn < MAX_TURNS, "a deadline that is due goes on being due");
            self.node.handle(self.now, Input::Deadline, &mut self.ledger);
            self.take();
        }
        self.node.check(&self.ledger);
        assert!(self.jobs.len() <= MAX_JOBS, "{} answers are missing", self.jobs.len());
    }

    fn take(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.node.poll() {
            outputs += 1;
            assert!(outputs <= MAX_OUTPUTS, "one input makes the node do too much");
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { peer, message } => self.sent(peer, message),
            Output::Dial { address, purpose } => self.dials.push((address, purpose)),
            Output::Disconnect { peer, .. } => {
                let state = self.peers.get_mut(&peer).expect("the connection is there");
                assert!(!state.closing, "{peer} is closed twice");
                state.closing = true;
            }
            Output::ReadBlock { ticket, hash } => self.jobs.push(Job::Read(ticket, hash)),
            Output::Process(block) => self.jobs.push(Job::Process(block)),
            Output::Judge { transaction, parent } => self.jobs.push(Job::Judge(transaction, parent)),
            Output::Persist(change) => self.kept.merge(change),
            Output::Reply { ticket, .. } => assert!(self.tickets.remove(&ticket), "{ticket:?} has its reply already"),
            Output::Event(Event::PeerReady { .. }) => self.ready += 1,
            Output::Event(_) => {}
        }
    }

    /// What the node sends can be read, by a peer that is there.
    fn sent(&mut self, peer: PeerId, message: Message) {
        let state = self.peers.get_mut(&peer).unwrap_or_else(|| panic!("{peer} is not there"));
        assert!(!state.closing, "{peer} is closed");
        let framing = Framing::of(state.carrier, MAGIC);
        let bytes = codec::encode(&message, framing);
        let read = Decoder::new(framing).read(&mut &bytes[..]);
        let Some(Ok((read, size))) = read else { panic!("{message:?} can't be read: {read:?}") };
        // By bytes: a transaction that was cut out of a block is another value, since it shares the block's memory.
        assert!(size == bytes.len() && codec::encode(&read, framing) == bytes, "{message:?} is read as {read:?}");
        if let Message::Version(version) = &message {
            assert_eq!(version.version, PROTOCOL_VERSION);
        }
        if let Message::Greeting(greeting) = &message {
            self.key = Some(greeting.short_id_key);
        }
        state.heard.push_back(message);
        if state.heard.len() > HEARD {
            state.heard.pop_front();
        }
    }

    /// Everything is answered and everybody leaves: nothing is left to wait for.
    fn end(&mut self) {
        for _ in 0..MAX_JOBS {
            self.finish(0, 5);
        }
        assert!(self.jobs.is_empty(), "answers ask for more and more");
        while let Some(peer) = self.peers.keys().next().copied() {
            self.disconnect(Some(peer));
        }
        for _ in 0..MAX_JOBS {
            self.finish(0, 5);
        }
        assert!(self.tickets.is_empty(), "commands without a reply: {:?}", self.tickets);
        self.ask(Command::Shutdown);
        let kept = std::mem::take(&mut self.kept);
        let mut again = Node::restore(Config::default(), [9; 32], kept);
        again.handle(self.now, Input::Clock(self.wall()), &mut self.ledger);
        again.check(&self.ledger);
    }
}

/// Where the peer of that number is: every second one on Bitcoin's transport.
fn address(choice: u8) -> Address {
    let ip = Ipv4Addr::new(11 + choice % 100, choice, 1, 1);
    if choice & 1 == 0 {
        return Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Ipv4(ip), port: 8333 } };
    }
    let [a, b, c, d] = ip.octets();
    // `/ip4/…/tcp/8333` in binary.
    let multiaddr = Multiaddr::new(&[4, a, b, c, d, 6, 0x20, 0x8d]).expect("it is short");
    Address { identity: Some(Identity([choice; 32])), endpoint: Endpoint::Libp2p(multiaddr) }
}

fn purpose(choice: u8) -> Purpose {
    [Purpose::Manual, Purpose::Full, Purpose::BlockOnly, Purpose::Seed][usize::from(choice) % 4]
}

/// Steps at random, after two connections and their handshakes.
pub(super) fn samples() -> Vec<Vec<u8>> {
    (0..SAMPLES).map(sample).collect()
}

/// Samples to start from.
const SAMPLES: u64 = 48;

/// Bytes of steps in a sample.
const SAMPLE: usize = 300;

fn sample(seed: u64) -> Vec<u8> {
    let mut random = crate::Random::new(seed).fork("node");
    let mut bytes = vec![0];
    for peer in 0..2 {
        bytes.extend([0, random.bytes::<1>()[0], 4, peer, 0, 0]);
    }
    bytes.extend((0..SAMPLE).map(|_| random.bytes::<1>()[0]));
    bytes
}
