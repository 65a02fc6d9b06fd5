//! Every connection, the way it takes, and which one a session should be on.
//!
//! A peer may have several connections with us: relayed, then a direct one that was punched (two, of QUIC, where both
//! ends succeed), or one that each end dialled. The opener of a session decides which it is on, so both ends agree without
//! a word: it moves a relayed session to the oldest direct connection there is, and when the connection of its session
//! is lost, opens it anew on the best that is left. What no session uses is closed after a while:
//!
//! - relayed connections, by either end: libp2p's behaviours take whichever they find, and a relay's bytes are dear;
//! - direct ones beside another, by the opener of the session, or without a session by the end with the smaller name.
//!
//! When this machine loses an address, what ran over it is closed at once and not after a timeout, and the peers whose
//! sessions did are dialled as soon as there is another address to dial from, a few times if need be.
//!
//! Not here: opening and moving sessions (`session`), and what relays do for us ([`State`](super::State)).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::link::Direction;

use super::interfaces::Route;
use crate::status::Path;

mod peer;
mod redial;
#[cfg(test)]
mod tests;

use peer::{Moving, Peer, Session, Way};
use redial::Redials;

/// How long a relayed connection may be without a session while there is a direct one. The other end may be opening one.
pub(crate) const RELAYED_GRACE: Duration = Duration::from_secs(5);

/// How long a relayed connection may be without a session though there is no other: holes are punched in that time.
pub(crate) const IDLE_GRACE: Duration = Duration::from_secs(60);

/// How long a direct connection beside another may be without a session.
pub(crate) const SURPLUS_GRACE: Duration = Duration::from_secs(15);

/// How long a session may take to move before it is tried again.
pub(crate) const MOVE: Duration = Duration::from_secs(15);

/// How often it is tried for one connection.
pub(crate) const MOVES: u8 = 3;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open a session on this connection in place of the one that there is, or was.
    Move {
        /// With whom.
        peer: PeerId,
        /// Where.
        to: ConnectionId,
    },
    /// Close a connection.
    Close(ConnectionId),
    /// Dial a peer again, whose session, or what it relays for us, ran over an address that is gone.
    Redial(PeerId),
    /// The way of a session has changed.
    Changed {
        /// Whose.
        peer: PeerId,
        /// What it is now.
        path: Path,
    },
}

/// Every connection, and the session that each peer has.
#[derive(Debug)]
pub(crate) struct State {
    us: PeerId,
    route: Route,
    /// Those with a connection.
    peers: BTreeMap<PeerId, Peer>,
    /// Whose each connection is. As many as the swarm has.
    owners: BTreeMap<ConnectionId, PeerId>,
    redials: Redials,
    actions: VecDeque<Action>,
}

impl State {
    /// No connection. `route` is [`interfaces::route`](super::interfaces::route), but for tests.
    pub(crate) fn new(us: PeerId, route: Route) -> Self {
        Self {
            us,
            route,
            peers: BTreeMap::new(),
            owners: BTreeMap::new(),
            redials: Redials::default(),
            actions: VecDeque::new(),
        }
    }

    /// A connection is open.
    pub(crate) fn connected(&mut self, now: Time, peer: PeerId, connection: ConnectionId, point: &ConnectedPoint) {
        self.owners.insert(connection, peer);
        let mut way = Way::new(now, connection, point, self.route);
        if way.is_relayed && way.relay.is_none() {
            way.relay = self.at(&way.remote);
        }
        self.peers.entry(peer).or_default().add(way);
        self.redials.done(&peer);
        self.settle(now, peer);
    }

    /// Who is connected straight from there. What comes through a relay that came to us does not name it otherwise.
    fn at(&self, remote: &Multiaddr) -> Option<PeerId> {
        let is_there = |peer: &Peer| peer.ways.iter().any(|way| !way.is_relayed && way.remote == *remote);
        self.peers.iter().find(|(_, peer)| is_there(peer)).map(|(name, _)| *name)
    }

    /// It is closed. A session that was on it has ended: [`ended`](Self::ended) need not be called.
    pub(crate) fn closed(&mut self, now: Time, connection: ConnectionId) {
        let Some(name) = self.owners.remove(&connection) else { return };
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.ways.retain(|way| way.id != connection);
        if peer.ways.is_empty() {
            self.peers.remove(&name);
            return;
        }
        if peer.moving.is_some_and(|moving| moving.to == connection) {
            peer.moving = None;
        }
        if let Some(session) = peer.session.take_if(|session| session.on == connection) {
            peer.told = None;
            let best = peer.best().map(|way| way.id);
            if let Some(to) = best.filter(|_| session.opener == Direction::Outbound) {
                self.begin_move(now, name, to);
            }
        }
        self.settle(now, name);
    }

    /// Hole punching made this connection, and with it whatever came straight since there was a relayed one: where both
    /// ends get through there are two, and only that of our own dial is told.
    pub(crate) fn punched(&mut self, now: Time, connection: ConnectionId) {
        let Some(name) = self.owners.get(&connection).copied() else { return };
        if let Some(peer) = self.peers.get_mut(&name) {
            peer.punched(connection);
        }
        self.settle(now, name);
    }

    /// The session of a peer is on this connection now, and on no other.
    pub(crate) fn session(&mut self, now: Time, connection: ConnectionId, opener: Direction) {
        let Some(name) = self.owners.get(&connection).copied() else { return };
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let before = peer.session.replace(Session { on: connection, opener });
        if let Some(left) = before.filter(|left| left.on != connection).and_then(|left| peer.way_mut(left.on)) {
            left.idle = now;
        }
        if peer.moving.is_some_and(|moving| moving.to == connection) {
            peer.moving = None;
        }
        self.settle(now, name);
    }

    /// A peer has no session any more.
    pub(crate) fn ended(&mut self, now: Time, name: &PeerId) {
        let Some(peer) = self.peers.get_mut(name) else { return };
        peer.moving = None;
        peer.told = None;
        if let Some(left) = peer.session.take().and_then(|left| peer.way_mut(left.on)) {
            left.idle = now;
        }
        self.settle(now, *name);
    }

    /// An address of ours is gone. `relays` are those through which we are reached.
    pub(crate) fn lost(&mut self, now: Time, ip: IpAddr, relays: &[PeerId]) {
        let over = |way: &Way| way.local == Some(ip);
        // A relayed connection goes with the last direct one to its relay.
        let is_cut = |way: &Way| {
            let relay = way.relay.and_then(|relay| self.peers.get(&relay));
            relay.is_some_and(|relay| {
                let mut links = relay.ways.iter().filter(|link| !link.is_relayed).peekable();
                links.peek().is_some() && links.all(over)
            })
        };
        let mut cut = Vec::new();
        for (name, peer) in &self.peers {
            let ways = peer.ways.iter().filter(|way| !way.closing && (over(way) || is_cut(way)));
            let matters = |way: &Way| peer.is_session_on(way.id) || (!way.is_relayed && relays.contains(name));
            cut.extend(ways.map(|way| (*name, way.id, matters(way))));
        }
        for (name, connection, matters) in cut {
            if matters {
                self.redials.add(now, name);
            }
            self.close(name, connection);
        }
        self.redial(now);
    }

    /// We have a new address.
    pub(crate) fn gained(&mut self, now: Time) {
        self.redials.hurry(now);
        self.redial(now);
    }

    /// The connection on which to open a session with a peer.
    pub(crate) fn best(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.peers.get(peer)?.best().map(|way| way.id)
    }

    /// The way that a connection takes; `None` if it is not known, or closed.
    pub(crate) fn path(&self, connection: ConnectionId) -> Option<Path> {
        self.peers.get(self.owners.get(&connection)?)?.way(connection)?.path()
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`deadline`](Self::deadline) is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let peers = self.peers.iter().flat_map(|(name, peer)| {
            let surplus = peer.ways.iter().filter_map(|way| peer.expires(way, self.us < *name));
            surplus.chain(peer.moving.map(|moving| moving.again))
        });
        peers.chain(self.redials.next_deadline()).min()
    }

    /// Time has passed.
    pub(crate) fn deadline(&mut self, now: Time) {
        let names: Vec<PeerId> = self.peers.keys().copied().collect();
        for name in names {
            self.expire(now, name);
            self.move_again(now, name);
        }
        self.redial(now);
    }

    fn expire(&mut self, now: Time, name: PeerId) {
        let smaller = self.us < name;
        // One at a time: what is closed first may have been the reason to close another.
        while let Some(due) = self.peers.get(&name).and_then(|peer| {
            let mut due = peer.ways.iter().filter(|way| peer.expires(way, smaller).is_some_and(|time| time <= now));
            due.next().map(|way| way.id)
        }) {
            self.close(name, due);
        }
    }

    fn move_again(&mut self, now: Time, name: PeerId) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let Some(moving) = peer.moving.filter(|moving| moving.again <= now) else { return };
        if moving.tried < MOVES {
            let tried = moving.tried.saturating_add(1);
            peer.moving = Some(Moving { tried, again: now.after(MOVE), ..moving });
            self.actions.push_back(Action::Move { peer: name, to: moving.to });
            return;
        }
        peer.moving = None;
        if let Some(way) = peer.way_mut(moving.to) {
            way.spurned = true;
            way.idle = now;
        }
        self.settle(now, name);
    }

    fn close(&mut self, name: PeerId, connection: ConnectionId) {
        let way = self.peers.get_mut(&name).and_then(|peer| peer.way_mut(connection));
        if let Some(way) = way.filter(|way| !way.closing) {
            way.closing = true;
            self.actions.push_back(Action::Close(connection));
        }
    }

    fn redial(&mut self, now: Time) {
        self.actions.extend(self.redials.due(now).into_iter().map(Action::Redial));
    }

    fn begin_move(&mut self, now: Time, name: PeerId, to: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&name) {
            peer.moving = Some(Moving { to, tried: 1, again: now.after(MOVE) });
            self.actions.push_back(Action::Move { peer: name, to });
        }
    }

    /// Asks for what a change of a peer's connections or session calls for.
    fn settle(&mut self, now: Time, name: PeerId) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let path = peer.session.and_then(|session| peer.way(session.on)).and_then(Way::path);
        if let Some(path) = path.filter(|path| peer.told.as_ref() != Some(path)) {
            peer.told = Some(path.clone());
            self.actions.push_back(Action::Changed { peer: name, path });
        }
        if peer.moving.is_none()
            && let Some(to) = peer.better()
        {
            self.begin_move(now, name, to);
        }
    }
}
