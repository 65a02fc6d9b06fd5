//! Dials that the node wants: from an address to an open session, or to the reason why there is none.
//!
//! ```text
//!  Dial ──▶ Connecting ──▶ Opening ──▶ session
//!              │   ▲          │
//!              ▼   │          ▼
//!           Searching ────▶ failed        (the DHT is asked where a peer is that the user named, then our relays)
//! ```
//!
//! A peer whose key is known is dialled at every address that was heard of, the one asked for among them. Where it is
//! connected already, no new connection is made. Every dial of the node ends in `Connected` or `DialFailed`, once; of
//! those that are made without it (after a change of networks) it hears only if they lead to a session. Bound:
//! [`ATTEMPTS`].

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Address;
use yap_protocol::io::Command;
use yap_protocol::link::Purpose;

use super::{Engine, Found};
use crate::address;
use crate::error::DialError;
use crate::event::{Event, Notice};
use crate::{service, transport};

/// Most dials under way. The node wants far fewer; one more fails at once.
pub(super) const ATTEMPTS: usize = 256;

/// Most addresses of one dial, those that the DHT found among them.
const FOUND: usize = 32;

/// One dial.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) address: Address,
    pub(super) purpose: Purpose,
    /// Whether the node has asked for it.
    pub(super) asked: bool,
    peer: Option<PeerId>,
    stage: Stage,
    searched: bool,
    /// Why it failed by TCP, while QUIC is tried.
    by_tcp: Option<DialError>,
    /// Why it failed before relays were asked, on the chance that one is the peer's.
    before_relays: Option<DialError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting(ConnectionId),
    Opening(ConnectionId),
    Searching,
    /// Bitcoin's transport: a task of its own connects.
    Plain,
}

/// Every dial under way, by number.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    next: u64,
    under_way: BTreeMap<u64, Attempt>,
}

impl Attempt {
    fn new(address: Address, purpose: Purpose, asked: bool) -> Self {
        Self {
            address,
            purpose,
            asked,
            peer: None,
            stage: Stage::Searching,
            searched: false,
            by_tcp: None,
            before_relays: None,
        }
    }
}

impl Attempts {
    fn insert(&mut self, attempt: Attempt) -> u64 {
        self.next = self.next.saturating_add(1);
        self.under_way.insert(self.next, attempt);
        self.next
    }

    fn at(&self, stage: Stage) -> Option<u64> {
        self.under_way.iter().find(|(_, attempt)| attempt.stage == stage).map(|(number, _)| *number)
    }

    /// The dial whose session was opened on a connection.
    pub(super) fn take_opened(&mut self, connection: ConnectionId) -> Option<Attempt> {
        let number = self.at(Stage::Opening(connection))?;
        self.under_way.remove(&number)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Attempt> {
        self.under_way.remove(&number)
    }

    /// A dial of this peer that is not connected yet, and would do with any connection; first one that the node waits for.
    fn waiting(&self, peer: PeerId) -> Option<u64> {
        let waits = |(_, attempt): &(&u64, &Attempt)| {
            attempt.peer == Some(peer) && matches!(attempt.stage, Stage::Searching | Stage::Connecting(_))
        };
        let waiting = self.under_way.iter().filter(waits);
        waiting.min_by_key(|(number, attempt)| (!attempt.asked, **number)).map(|(number, _)| *number)
    }

    fn is_asked(&self, number: u64) -> bool {
        self.under_way.get(&number).is_some_and(|attempt| attempt.asked)
    }
}

impl Engine {
    /// The node wants a connection.
    pub(super) fn dial(&mut self, address: Address, purpose: Purpose) {
        if self.is_full() {
            tracing::debug!(?address, "the owner does not listen: not dialled");
            return;
        }
        self.attempt(Attempt::new(address, purpose, true));
    }

    /// Dials what the node has not asked for: a session that was lost with our address is opened anew.
    pub(super) fn dial_anew(&mut self, address: Address, purpose: Purpose) {
        self.attempt(Attempt::new(address, purpose, false));
    }

    fn attempt(&mut self, mut attempt: Attempt) {
        if self.attempts.under_way.len() >= ATTEMPTS {
            return self.end(attempt, Some(DialError::Limit));
        }
        let Some(multiaddr) = address::to_libp2p(&attempt.address) else {
            return self.dial_plain(attempt);
        };
        let (place, named) = address::split(&multiaddr);
        let peer = attempt.address.identity.as_ref().and_then(address::peer_id).or(named);
        if peer == Some(*self.swarm.local_peer_id()) {
            return self.end(attempt, Some(DialError::Ourselves));
        }
        attempt.peer = peer;
        let number = self.attempts.insert(attempt);
        let Some(peer) = peer else {
            return self.connect(number, None, vec![multiaddr]);
        };
        if self.sessions.with(&peer).is_some() {
            return self.fail(number, None);
        }
        if let Some(connection) = self.paths.best(&peer) {
            return self.open(number, peer, connection);
        }
        let mut addresses: Vec<Multiaddr> = self.book.addresses(&peer).to_vec();
        if !place.is_empty() && !addresses.contains(&place) {
            addresses.push(place);
        }
        self.connect(number, Some(peer), addresses);
    }

    fn connect(&mut self, number: u64, peer: Option<PeerId>, addresses: Vec<Multiaddr>) {
        let options = match (peer, addresses.into_iter()) {
            (Some(peer), addresses) => DialOpts::peer_id(peer)
                .addresses(addresses.collect())
                // A dial from a network that we have left may hang, and must not hold up this one.
                .condition(PeerCondition::Always)
                .extend_addresses_through_behaviour()
                .build(),
            (None, mut addresses) => match addresses.next() {
                Some(address) => DialOpts::unknown_peer_id().address(address).build(),
                None => return self.fail(number, Some(DialError::Unsupported)),
            },
        };
        let connection = options.connection_id();
        if let Some(attempt) = self.attempts.under_way.get_mut(&number) {
            attempt.stage = Stage::Connecting(connection);
        }
        if let Err(error) = self.swarm.dial(options) {
            self.connecting_failed(connection, &error);
        }
    }

    fn open(&mut self, number: u64, peer: PeerId, connection: ConnectionId) {
        // One negotiation on a connection at a time: a second dial that led to the same peer is one too many.
        if self.attempts.at(Stage::Opening(connection)).is_some() {
            return self.fail(number, None);
        }
        if let Some(attempt) = self.attempts.under_way.get_mut(&number) {
            attempt.peer = Some(peer);
            attempt.stage = Stage::Opening(connection);
            self.swarm.behaviour_mut().session.open(peer, connection);
        }
    }

    /// A connection is there: what was dialled for it goes on.
    pub(super) fn connected(&mut self, peer: PeerId, connection: ConnectionId) {
        let mut dialled = self.attempts.at(Stage::Connecting(connection));
        // Another dial is on its way to this peer, perhaps to an address that does not answer: this will do.
        let waiting = self.attempts.waiting(peer);
        if let (Some(ours), Some(asked)) = (dialled, waiting)
            && !self.attempts.is_asked(ours)
            && self.attempts.is_asked(asked)
        {
            self.fail(ours, None);
            dialled = Some(asked);
        }
        if self.sessions.with(&peer).is_none() {
            if let Some(number) = dialled.or(waiting) {
                self.open(number, peer, connection);
            }
        } else if let Some(number) = dialled {
            self.fail(number, None);
        }
    }

    /// A connection could not be made.
    pub(super) fn connecting_failed(&mut self, connection: ConnectionId, error: &libp2p::swarm::DialError) {
        let Some(number) = self.attempts.at(Stage::Connecting(connection)) else { return };
        tracing::debug!(%error, "can't connect");
        if super::failure::is_of_another_connection(error) {
            // There are enough connections with that peer, which the user need not hear of.
            return self.fail(number, None);
        }
        let why = super::failure::of(error, self.attempts.under_way.get(&number).and_then(|attempt| attempt.peer));
        // It leads to somebody else.
        if let libp2p::swarm::DialError::WrongPeerId { address, .. } | libp2p::swarm::DialError::LocalPeerId { address } =
            error
            && let Some(peer) = self.attempts.under_way.get(&number).and_then(|attempt| attempt.peer)
        {
            self.book.forget(&peer, address);
        }
        self.search(number, why);
    }

    /// Asks the DHT where the peer is, if the user named it and nobody was asked yet.
    fn search(&mut self, number: u64, why: DialError) {
        let Some(attempt) = self.attempts.under_way.get_mut(&number) else { return };
        if let Some(before) = attempt.before_relays.take() {
            // That no relay is the peer's says nothing of where it is.
            return self.fail(number, Some(before));
        }
        if std::mem::replace(&mut attempt.searched, true) || attempt.purpose != Purpose::Manual {
            // Of two carriers, the one that came further says more.
            let said = attempt.by_tcp.take().filter(|said| transport::how_far(said) > transport::how_far(&why));
            return self.fail(number, Some(said.unwrap_or(why)));
        }
        let Some(peer) = attempt.peer else {
            return self.try_quic(number, why);
        };
        let Some(kad) = self.swarm.behaviour_mut().kad.as_mut() else {
            return self.fail(number, Some(why));
        };
        attempt.stage = Stage::Searching;
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.service.request(kad, service::Request::FindPeer { identity: peer, reply }, std::time::Instant::now());
        self.searches.push(Box::pin(async move { Found { number, addresses: answer.await.unwrap_or_default(), why } }));
    }

    /// A host and port may mean QUIC as well as TCP.
    fn try_quic(&mut self, number: u64, why: DialError) {
        let twin = self.attempts.under_way.get(&number).and_then(|attempt| address::over_quic(&attempt.address));
        match twin.as_ref().and_then(address::to_libp2p) {
            Some(twin) if !matches!(why, DialError::Ourselves | DialError::Limit | DialError::WrongChain { .. }) => {
                tracing::debug!(%why, %twin, "trying QUIC");
                if let Some(attempt) = self.attempts.under_way.get_mut(&number) {
                    attempt.by_tcp = Some(why);
                }
                self.connect(number, None, vec![twin]);
            }
            _ => self.fail(number, Some(why)),
        }
    }

    /// The DHT has answered.
    pub(super) fn found(&mut self, found: Found) {
        let Some(attempt) = self.attempts.under_way.get_mut(&found.number) else { return };
        let (Stage::Searching, Some(peer)) = (attempt.stage, attempt.peer) else { return };
        if found.addresses.is_empty() {
            let why = if found.why == DialError::Unsupported { DialError::Unknown } else { found.why };
            // Nobody knows a peer behind NAT by the DHT, where it answers nobody. A relay knows whom it relays for.
            let circuits = self.reach.circuits();
            if circuits.is_empty() {
                return self.fail(found.number, Some(why));
            }
            attempt.before_relays = Some(why);
            return self.connect(found.number, Some(peer), circuits);
        }
        // What others say of it serves this dial alone: it must not displace what the peer itself has said.
        let mut addresses = self.book.addresses(&peer).to_vec();
        let kad = self.swarm.behaviour().kad.as_ref();
        let means_something = |address: &Multiaddr| kad.is_some_and(|kad| kad.means_something(address));
        for address in found.addresses.into_iter().map(|address| address::split(&address).0).filter(means_something) {
            if addresses.len() < FOUND && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        self.connect(found.number, Some(peer), addresses);
    }

    /// No session could be opened on a connection.
    pub(super) fn opening_failed(&mut self, connection: ConnectionId, why: DialError) {
        if let Some(number) = self.attempts.at(Stage::Opening(connection)) {
            self.fail(number, Some(why));
        }
    }

    /// Ends every dial of a peer.
    pub(super) fn attempts_failed(&mut self, peer: PeerId, why: &DialError) {
        let theirs = |(_, attempt): &(&u64, &Attempt)| attempt.peer == Some(peer);
        let numbers: Vec<u64> = self.attempts.under_way.iter().filter(theirs).map(|(number, _)| *number).collect();
        for number in numbers {
            self.fail(number, Some(why.clone()));
        }
    }

    /// Ends a dial; without a reason if it is not needed any more.
    pub(super) fn fail(&mut self, number: u64, why: Option<DialError>) {
        if let Some(attempt) = self.attempts.remove(number) {
            self.end(attempt, why);
        }
    }

    pub(super) fn end(&mut self, attempt: Attempt, why: Option<DialError>) {
        if !attempt.asked {
            tracing::debug!(address = %attempt.address, ?why, "not dialled anew");
            return;
        }
        if let Some(why) = why
            && matches!(attempt.purpose, Purpose::Manual | Purpose::Seed)
            && self.complaints.is_new(&attempt.address, &why)
        {
            self.notice(Notice::Dial { address: attempt.address.to_string(), why });
        }
        self.tell_surely(Event::Input(yap_protocol::Input::DialFailed { address: attempt.address }));
    }

    /// Ends every dial: we stop.
    pub(super) fn abandon_attempts(&mut self) {
        for attempt in std::mem::take(&mut self.attempts.under_way).into_values() {
            self.end(attempt, None);
        }
    }

    fn dial_plain(&mut self, mut attempt: Attempt) {
        let Some(socket) = address::socket(&attempt.address.endpoint) else {
            return self.end(attempt, Some(DialError::Unsupported));
        };
        attempt.stage = Stage::Plain;
        let number = self.attempts.insert(attempt);
        self.plain_dials.push(Box::pin(super::plain::connect(number, socket)));
    }

    /// Hands addresses to the node.
    pub(super) fn learn(&mut self, addresses: Vec<Address>) {
        if !addresses.is_empty() {
            self.tell(Event::Command(Command::Learn(addresses)));
        }
    }
}
