//! Connects peers of one process without any network: for tests of everything above it.
//!
//! Messages arrive in order, at once, and as they would after being encoded and decoded. A connection is cut where its
//! reader has more than [`BACKLOG`] messages to read, or where a message can't be read again, which is a fault worth
//! finding. A peer whose [`Line`] is dropped is gone without a word.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use yap_net::status::{self, Status, Via};
use yap_net::{Event, Notice};
use yap_protocol::address::{Endpoint, Identity, Multiaddr};
use yap_protocol::codec::{self, Decoder, Framing};
use yap_protocol::io::Command;
use yap_protocol::link::{Carrier as Kind, Direction, Link, Purpose};
use yap_protocol::{Address, Input, Message, Output, PeerId};

use super::carrier::Carrier;

/// Messages that may wait to be read, on all connections of a peer together.
pub const BACKLOG: usize = 4096;

/// One exchange, to which any number of peers are connected.
#[derive(Clone, Debug, Default)]
pub struct Switchboard(Arc<Mutex<Board>>);

#[derive(Debug, Default)]
struct Board {
    members: BTreeMap<Endpoint, Member>,
    /// By each end's name for it: who is at that end, and the other end's name.
    connections: BTreeMap<PeerId, End>,
    names: u64,
    hosts: u16,
}

#[derive(Debug)]
struct Member {
    identity: Identity,
    waiting: VecDeque<Event>,
    bell: Arc<Notify>,
}

#[derive(Debug)]
struct End {
    owner: Endpoint,
    other: PeerId,
    link: Link,
    bytes: [u64; 2],
}

/// One peer's way to the others.
#[derive(Debug)]
pub struct Line {
    board: Arc<Mutex<Board>>,
    address: Address,
    bell: Arc<Notify>,
}

impl Switchboard {
    /// A line for a peer of that name, at an address of its own.
    ///
    /// # Panics
    /// With the 65,536th line.
    #[must_use]
    pub fn join(&self, identity: Identity) -> Line {
        let mut board = lock(&self.0);
        board.hosts = board.hosts.checked_add(1).expect("no test has so many peers");
        // /ip4/…/tcp/6001, each in a network group of its own.
        let [high, low] = board.hosts.to_be_bytes();
        let bytes = [4, high.wrapping_add(11), low, 0, 1, 6, 0x17, 0x71];
        let endpoint = Endpoint::Libp2p(Multiaddr::new(&bytes).expect("eight bytes are not too many"));
        let bell = Arc::new(Notify::new());
        let address = Address { identity: Some(identity), endpoint: endpoint.clone() };
        let waiting = VecDeque::from([
            Event::Notice(Notice::Listening(address.to_string())),
            Event::Command(Command::Advertise(None, vec![endpoint.clone()])),
        ]);
        board.members.insert(endpoint, Member { identity, waiting, bell: Arc::clone(&bell) });
        Line { board: Arc::clone(&self.0), address, bell }
    }
}

impl Line {
    /// Where the peer is reached.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl Carrier for Line {
    fn apply(&mut self, output: Output) -> Option<Output> {
        let mut board = lock(&self.board);
        match output {
            Output::Send { peer, message } => board.send(peer, &message),
            Output::Dial { address, purpose } => board.dial(&self.address, address, purpose),
            Output::Disconnect { peer, .. } => board.cut(peer),
            other @ (Output::ReadBlock { .. }
            | Output::Process(_)
            | Output::Judge { .. }
            | Output::Persist(_)
            | Output::Reply { .. }
            | Output::Event(_)) => return Some(other),
        }
        None
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            let next = lock(&self.board).members.get_mut(&self.address.endpoint)?.waiting.pop_front();
            match next {
                Some(event) => return Some(event),
                None => self.bell.notified().await,
            }
        }
    }

    fn status(&self) -> Status {
        let board = lock(&self.board);
        let ours = board.connections.iter().filter(|(_, end)| end.owner == self.address.endpoint);
        let peers = ours.map(|(peer, end)| {
            let [sent, received] = end.bytes;
            status::Peer {
                peer: *peer,
                identity: end.link.identity,
                direction: end.link.direction,
                address: end.link.address.to_string(),
                path: status::Path::Direct(Via::Memory),
                received,
                sent,
            }
        });
        let peers: Vec<_> = peers.collect();
        Status { listening: vec![self.address.to_string()], connections: peers.len(), peers, ..Status::default() }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        board.members.remove(&self.address.endpoint);
        let ours = board.connections.iter().filter(|(_, end)| end.owner == self.address.endpoint);
        let ours: Vec<_> = ours.map(|(peer, _)| *peer).collect();
        for peer in ours {
            board.cut(peer);
        }
    }
}

impl Board {
    fn tell(&mut self, endpoint: &Endpoint, event: Event) {
        if let Some(member) = self.members.get_mut(endpoint) {
            member.waiting.push_back(event);
            member.bell.notify_one();
        }
    }

    fn name(&mut self) -> PeerId {
        self.names = self.names.wrapping_add(1);
        PeerId(self.names)
    }

    fn dial(&mut self, from: &Address, to: Address, purpose: Purpose) {
        let found = self.members.get(&to.endpoint).map(|member| member.identity);
        let Some(identity) = found.filter(|found| to.identity.is_none_or(|wanted| wanted == *found)) else {
            return self.tell(&from.endpoint, Event::Input(Input::DialFailed { address: to }));
        };
        let (here, there) = (self.name(), self.name());
        let (carrier, purpose) = (Kind::Libp2p, Some(purpose));
        let out =
            Link { direction: Direction::Outbound, carrier, address: to.clone(), identity: Some(identity), purpose };
        let into = Link {
            direction: Direction::Inbound,
            carrier,
            address: from.clone(),
            identity: from.identity,
            purpose: None,
        };
        for (owner, peer, other, link) in [(&from.endpoint, here, there, out), (&to.endpoint, there, here, into)] {
            let end = End { owner: owner.clone(), other, link: link.clone(), bytes: [0; 2] };
            self.connections.insert(peer, end);
            self.tell(owner, Event::Input(Input::Connected { peer, link }));
        }
    }

    /// Ends a connection, if it has not ended; both ends hear of it.
    fn cut(&mut self, peer: PeerId) {
        let Some(end) = self.connections.remove(&peer) else { return };
        self.tell(&end.owner, Event::Input(Input::Disconnected { peer }));
        self.cut(end.other);
    }

    fn send(&mut self, peer: PeerId, message: &Message) {
        let Some(end) = self.connections.get_mut(&peer) else { return };
        let (bytes, message) = again(message);
        let [sent, _] = &mut end.bytes;
        *sent = sent.saturating_add(bytes as u64);
        let other = end.other;
        let Some(end) = self.connections.get_mut(&other) else { return };
        let [_, received] = &mut end.bytes;
        *received = received.saturating_add(bytes as u64);
        let owner = end.owner.clone();
        let waiting = self.members.get(&owner).map_or(0, |member| member.waiting.len());
        match message {
            Ok(message) if waiting < BACKLOG => {
                self.tell(&owner, Event::Input(Input::Message { peer: other, message, size: bytes }));
            }
            Err(error) => self.tell(&owner, Event::Input(Input::Malformed { peer: other, error })),
            Ok(_) => self.cut(peer),
        }
    }
}

/// The message as it comes out at the other end, and its size on the way.
fn again(message: &Message) -> (usize, Result<Message, codec::Error>) {
    let bytes = codec::encode(message, Framing::Stream);
    let read = Decoder::new(Framing::Stream).read(&mut bytes.as_slice());
    let (message, _) = read
        .expect("what was encoded is one message")
        .map_or_else(|error| (Err(error), 0), |(message, size)| (Ok(message), size));
    (bytes.len(), message)
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
