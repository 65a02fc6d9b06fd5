//! Every connection, the way it takes, and which one a session should be on.

use std::collections::VecDeque;
use std::net::IpAddr;

use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use yap_protocol::Time;
use yap_protocol::link::Direction;

use super::interfaces::Route;
use crate::status::Path;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open a session on this connection in place of the one that there is.
    Move {
        /// With whom.
        peer: PeerId,
        /// Where.
        to: ConnectionId,
    },
    /// Close a connection.
    Close(ConnectionId),
    /// Dial a peer again, whose session ran over an address that is gone.
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
    actions: VecDeque<Action>,
}

impl State {
    /// No connection. `route` is [`interfaces::route`](super::interfaces::route), but for tests.
    pub(crate) fn new(us: PeerId, route: Route) -> Self {
        Self { us, route, actions: VecDeque::new() }
    }

    /// A connection is open.
    pub(crate) fn connected(&mut self, now: Time, peer: PeerId, connection: ConnectionId, point: &ConnectedPoint) {
        let _ = (now, peer, connection, point, self.us, self.route);
    }

    /// It is closed. A session that was on it has ended: [`ended`](Self::ended) needs not be called.
    pub(crate) fn closed(&mut self, now: Time, connection: ConnectionId) {
        let _ = (now, connection);
    }

    /// Hole punching made this connection.
    pub(crate) fn punched(&mut self, now: Time, connection: ConnectionId) {
        let _ = (now, connection);
    }

    /// The session of a peer is on this connection now, and on no other.
    pub(crate) fn session(&mut self, now: Time, connection: ConnectionId, opener: Direction) {
        let _ = (now, connection, opener);
    }

    /// A peer has no session any more.
    pub(crate) fn ended(&mut self, now: Time, peer: &PeerId) {
        let _ = (now, peer);
    }

    /// An address of ours is gone.
    pub(crate) fn lost(&mut self, now: Time, ip: IpAddr) {
        let _ = (now, ip);
    }

    /// We have a new address.
    pub(crate) fn gained(&mut self, now: Time, ip: IpAddr) {
        let _ = (now, ip);
    }

    /// The connection on which to open a session with a peer.
    pub(crate) fn best(&self, peer: &PeerId) -> Option<ConnectionId> {
        let _ = peer;
        None
    }

    /// The way that a connection takes.
    pub(crate) fn path(&self, connection: ConnectionId) -> Option<Path> {
        let _ = connection;
        None
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`deadline`](Self::deadline) is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Time has passed.
    pub(crate) fn deadline(&mut self, now: Time) {
        let _ = now;
    }
}
