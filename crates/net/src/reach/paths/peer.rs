//! The connections with one peer, and its session.

use std::net::IpAddr;

use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::link::Direction;

use super::super::interfaces::{self, Route};
use super::super::place;
use super::{IDLE_GRACE, RELAYED_GRACE, SURPLUS_GRACE};
use crate::address;
use crate::status::{Path, Via};

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) id: ConnectionId,
    via: Via,
    /// Where the other end is; of what came through a relay, where the relay is.
    pub(super) remote: Multiaddr,
    pub(super) is_relayed: bool,
    is_inbound: bool,
    /// Who relays it, if that is known.
    pub(super) relay: Option<PeerId>,
    punched: bool,
    /// The address of ours over which it runs. Of relayed ones, that is for the connection with the relay to know.
    pub(super) local: Option<IpAddr>,
    since: Time,
    /// Since when no session is on it.
    pub(super) idle: Time,
    /// Whether a session could not be moved to it.
    pub(super) spurned: bool,
    /// Whether it was asked to close.
    pub(super) closing: bool,
}

impl Way {
    pub(super) fn new(now: Time, id: ConnectionId, point: &ConnectedPoint, route: Route) -> Self {
        let is_relayed = point.is_relayed();
        // What came through a relay tells it by the address that it came to.
        let tells = match point {
            ConnectedPoint::Listener { local_addr, .. } if is_relayed => local_addr,
            ConnectedPoint::Listener { send_back_addr, .. } => send_back_addr,
            ConnectedPoint::Dialer { address, .. } => address,
        };
        Self {
            id,
            via: place::via(point),
            remote: place::first(tells),
            is_relayed,
            is_inbound: point.is_listener(),
            relay: place::relay(tells),
            // Only hole punching takes the listener's part in a connection that it dials.
            punched: matches!(point, ConnectedPoint::Dialer { role_override: Endpoint::Listener, .. }),
            local: if is_relayed { None } else { interfaces::local(point, route) },
            since: now,
            idle: now,
            spurned: false,
            closing: false,
        }
    }

    /// How the peer is reached; `None` if it is not known who relays.
    pub(super) fn path(&self) -> Option<Path> {
        if self.is_relayed {
            return self.relay.as_ref().and_then(address::identity).map(Path::Relayed);
        }
        Some(if self.punched { Path::Punched(self.via) } else { Path::Direct(self.via) })
    }
}

/// Where the session is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) on: ConnectionId,
    pub(super) opener: Direction,
}

/// Where it is to move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moving {
    pub(super) to: ConnectionId,
    pub(super) tried: u8,
    pub(super) again: Time,
}

/// One peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// As many as the swarm lets in, oldest first.
    pub(super) ways: Vec<Way>,
    pub(super) session: Option<Session>,
    pub(super) moving: Option<Moving>,
    /// What was told of the session's way.
    pub(super) told: Option<Path>,
}

impl Peer {
    pub(super) fn way(&self, id: ConnectionId) -> Option<&Way> {
        self.ways.iter().find(|way| way.id == id)
    }

    pub(super) fn way_mut(&mut self, id: ConnectionId) -> Option<&mut Way> {
        self.ways.iter_mut().find(|way| way.id == id)
    }

    pub(super) fn add(&mut self, mut way: Way) {
        // What comes straight beside a relayed connection comes through a hole: whoever could do without dials straight.
        let is_through = |other: &Way| other.punched || (way.is_inbound && other.is_relayed && !other.closing);
        way.punched |= !way.is_relayed && self.ways.iter().any(is_through);
        self.ways.push(way);
    }

    /// A hole was punched, and this connection came through it.
    pub(super) fn punched(&mut self, id: ConnectionId) {
        let relayed = self.ways.iter().filter(|way| way.is_relayed).map(|way| way.since).min();
        for way in self.ways.iter_mut().filter(|way| !way.is_relayed) {
            way.punched |= way.id == id || relayed.is_some_and(|since| way.since >= since);
        }
    }

    pub(super) fn is_session_on(&self, id: ConnectionId) -> bool {
        self.session.is_some_and(|session| session.on == id)
    }

    /// The connection for a session: the oldest direct one, else the oldest relayed one; last, those that failed.
    pub(super) fn best(&self) -> Option<&Way> {
        self.ways.iter().filter(|way| !way.closing).min_by_key(|way| (way.spurned, way.is_relayed, way.since, way.id))
    }

    /// Where the session should move, if it goes through a relay and need not.
    pub(super) fn better(&self) -> Option<ConnectionId> {
        let session = self.session.filter(|session| session.opener == Direction::Outbound)?;
        let is_relayed = self.way(session.on)?.is_relayed;
        self.best().filter(|best| is_relayed && !best.is_relayed && !best.spurned).map(|best| best.id)
    }

    /// When a connection is to be closed, if nothing changes. `smaller` says whether our name is smaller than the peer's.
    pub(super) fn expires(&self, way: &Way, smaller: bool) -> Option<Time> {
        let moves_here = self.moving.is_some_and(|moving| moving.to == way.id);
        if way.closing || moves_here || self.is_session_on(way.id) {
            return None;
        }
        let has_direct = self.ways.iter().any(|other| other.id != way.id && !other.closing && !other.is_relayed);
        if way.is_relayed {
            return Some(way.idle.after(if has_direct { RELAYED_GRACE } else { IDLE_GRACE }));
        }
        let decides = match self.session {
            Some(session) => {
                session.opener == Direction::Outbound && self.way(session.on).is_some_and(|on| !on.is_relayed)
            }
            None => smaller && self.best().is_some_and(|best| best.id != way.id),
        };
        (decides && has_direct).then(|| way.idle.after(SURPLUS_GRACE))
    }
}
