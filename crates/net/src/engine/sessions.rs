//! Sessions: which peer of the node's is which stream, on which connection.
//!
//! Of two sessions with one peer the node chooses; it is told of both. What it can't see is left to this module: that a
//! peer which opens a session anew, from another connection, has lost the one that we opened to it, as after a change of
//! its network ([`SETTLED`]); and that a session moves from a relayed connection to a direct one.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId as Swarmed;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;
use tokio_util::compat::TokioAsyncReadCompatExt as _;
use yap_protocol::Address;
use yap_protocol::address::Identity;
use yap_protocol::codec::Framing;
use yap_protocol::link::{Carrier, Direction, Link, PeerId};
use yap_protocol::penalty::Reason;

use super::Engine;
use crate::error::DialError;
use crate::limits::Ban;
use crate::owner::{Starter, Told};
use crate::session;

/// Two peers that dial each other do so within this time; whoever opens a session later has lost the first.
pub(super) const SETTLED: Duration = Duration::from_secs(5);

/// How long a peer that the node bans can't even connect. The node remembers until when it is banned; this saves the
/// handshakes meanwhile but one each minute, and a ban that ends is soon over here too.
const BAN: Duration = Duration::from_secs(60);

/// One session.
#[derive(Debug)]
pub(super) struct Open {
    /// Who, and on which connection; `None` on Bitcoin's carrier.
    pub(super) on: Option<(Swarmed, ConnectionId)>,
    pub(super) link: Link,
    pub(super) since: Instant,
    /// Why it ends, once the node has said so.
    pub(super) parting: Option<Reason>,
    /// Whether its connection is closed: what came on it is still told, then that it is over.
    cut: bool,
}

/// Every session.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    next: u64,
    open: BTreeMap<PeerId, Open>,
    /// Sessions that move, by the connection on which a stream is being opened for them.
    moving: BTreeMap<ConnectionId, Moving>,
}

/// A session that moves.
#[derive(Debug)]
struct Moving {
    /// The session. It may have ended with its connection meanwhile.
    from: PeerId,
    /// What the node was told of it.
    link: Link,
}

impl Sessions {
    /// A session with a peer that is not ending.
    pub(super) fn with(&self, peer: &Swarmed) -> Option<(PeerId, &Open)> {
        let lasts = |open: &Open| open.parting.is_none() && !open.cut;
        let theirs = |open: &Open| lasts(open) && open.on.is_some_and(|(other, _)| other == *peer);
        self.open.iter().find(|(_, open)| theirs(open)).map(|(id, open)| (*id, open))
    }

    /// A session with a peer that we opened and that may move: one that goes on, or that was lost with its connection.
    fn movable(&self, peer: &Swarmed) -> Option<(PeerId, &Open)> {
        let lost = |open: &Open| open.cut && open.parting.is_none() && open.on.is_some_and(|(other, _)| other == *peer);
        let lost = || self.open.iter().rfind(|(_, open)| lost(open)).map(|(id, open)| (*id, open));
        self.with(peer).or_else(lost).filter(|(_, open)| open.link.direction == Direction::Outbound)
    }

    /// A session is not to move any more.
    fn stay(&mut self, peer: PeerId) {
        self.moving.retain(|_, moving| moving.from != peer);
    }

    /// The sessions on a connection.
    pub(super) fn on(&self, connection: ConnectionId) -> Vec<PeerId> {
        let here = |open: &Open| open.on.is_some_and(|(_, on)| on == connection);
        self.open.iter().filter(|(_, open)| here(open)).map(|(id, _)| *id).collect()
    }

    /// With whom a session of libp2p's is, and what the node was told of it.
    pub(super) fn link(&self, peer: PeerId) -> Option<(Swarmed, &Link)> {
        let open = self.open.get(&peer)?;
        open.on.map(|(swarmed, _)| (swarmed, &open.link))
    }

    /// A connection is closed: the sessions on it end by themselves.
    pub(super) fn cut(&mut self, connection: ConnectionId) {
        for open in self.open.values_mut().filter(|open| open.on.is_some_and(|(_, on)| on == connection)) {
            open.cut = true;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Open)> {
        self.open.iter().map(|(id, open)| (*id, open))
    }

    /// Whether a session is with this address, as it was dialled or as it came.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        self.open.values().any(|open| open.parting.is_none() && open.link.address.endpoint == address.endpoint)
    }
}

impl Engine {
    /// A stream is open, whoever opened it.
    pub(super) fn opened(&mut self, peer: Swarmed, connection: ConnectionId, by: Direction, stream: libp2p::Stream) {
        let Some(identity) = crate::address::identity(&peer) else { return };
        let (link, asked) = match by {
            Direction::Outbound => {
                let Some(opened) = self.opened_by_us(peer, connection) else { return };
                opened
            }
            Direction::Inbound => {
                if self.is_full() {
                    tracing::debug!(%peer, "the owner does not listen: no session");
                    return;
                }
                let origin = self.connections.get(&connection).and_then(|(_, point)| origin(point, identity));
                let Some(address) = origin else {
                    tracing::debug!(%peer, "no session: nothing tells where it comes from");
                    return;
                };
                self.lost_by_peer(peer, connection);
                (Link { direction: by, carrier: Carrier::Libp2p, address, identity: None, purpose: None }, false)
            }
        };
        let link = Link { identity: Some(identity), ..link };
        self.begin(Some((peer, connection)), (link, asked), stream, Framing::Stream);
    }

    /// What a stream that we opened is for, and whether the node has dialled for it; `None` if nobody waits for it any
    /// more. A session that it takes the place of ends.
    fn opened_by_us(&mut self, peer: Swarmed, connection: ConnectionId) -> Option<(Link, bool)> {
        let moving = self.sessions.moving.remove(&connection);
        let attempt = self.attempts.take_opened(connection);
        if let Some(Moving { from, .. }) = moving {
            self.retire(from);
        }
        if let Some(attempt) = attempt {
            if self.is_full() {
                self.end(attempt, Some(DialError::Limit));
                return None;
            }
            let (address, purpose) = (attempt.address, Some(attempt.purpose));
            let (direction, carrier) = (Direction::Outbound, Carrier::Libp2p);
            return Some((Link { direction, carrier, address, identity: None, purpose }, attempt.asked));
        }
        // If another session began meanwhile, that will do.
        moving.filter(|_| !self.is_full() && self.sessions.with(&peer).is_none()).map(|moving| (moving.link, false))
    }

    /// A connection of Bitcoin's carrier is open.
    pub(super) fn opened_plain(&mut self, link: Link, stream: tokio::net::TcpStream) {
        let framing = Framing::of(Carrier::Bitcoin, self.chain.magic);
        let asked = link.direction == Direction::Outbound;
        self.begin(None, (link, asked), stream.compat(), framing);
    }

    fn begin<S>(&mut self, on: Option<(Swarmed, ConnectionId)>, what: (Link, bool), stream: S, framing: Framing)
    where
        S: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    {
        let (link, dialled) = what;
        if link.direction == Direction::Outbound {
            self.complaints.settle(&link.address);
        }
        self.sessions.next = self.sessions.next.saturating_add(1);
        let peer = PeerId(self.sessions.next);
        let (limits, inbox) = (self.limits.clone(), self.inbox.clone());
        let starter: Starter = Box::new(move || session::start(peer, stream, framing, &limits, &inbox));
        let open = Open { on, link: link.clone(), since: Instant::now(), parting: None, cut: false };
        self.sessions.open.insert(peer, open);
        if let Some((_, connection)) = on {
            self.swarm.behaviour_mut().limits.used(connection, true);
            self.paths.session(self.clock.now(), connection, link.direction);
        }
        // The owner finds the session in the status when it hears of it.
        self.tell_status();
        self.outbox.push_back(Told::Connected { peer, link, dialled, starter });
    }

    /// The peer opens a session: if it is not the answer to one that we have just opened, that one is lost to it.
    fn lost_by_peer(&mut self, peer: Swarmed, connection: ConnectionId) {
        let Some((old, open)) = self.sessions.with(&peer) else { return };
        let elsewhere = open.on.is_some_and(|(_, on)| on != connection);
        let ours = open.link.direction == Direction::Outbound;
        if elsewhere && ours && open.since.elapsed() >= SETTLED {
            self.retire(old);
        }
    }

    /// The session moves to another connection of its peer, if we opened it; the other end follows.
    pub(super) fn move_session(&mut self, peer: Swarmed, to: ConnectionId) {
        let Some((from, open)) = self.sessions.movable(&peer) else { return };
        if open.on.is_none_or(|(_, on)| on != to) {
            let link = open.link.clone();
            self.sessions.moving.insert(to, Moving { from, link });
            self.swarm.behaviour_mut().session.open(peer, to);
        }
    }

    /// A session can't move there.
    pub(super) fn not_moved(&mut self, to: ConnectionId) {
        self.sessions.moving.remove(&to);
    }

    /// Ends a session at once.
    pub(super) fn retire(&mut self, peer: PeerId) {
        if self.sessions.open.contains_key(&peer) {
            self.outbox.push_back(Told::Retired(peer));
            self.ended(peer);
        }
    }

    /// The node parts from a peer; what is queued is still sent.
    pub(super) fn part(&mut self, peer: PeerId, why: Reason) {
        self.sessions.stay(peer);
        let Some(open) = self.sessions.open.get_mut(&peer) else { return };
        open.parting = Some(why);
        // Of two sessions the other one stays.
        if let Some((swarmed, _)) = open.on
            && self.sessions.with(&swarmed).is_some()
        {
            self.tell_paths(&swarmed);
        }
    }

    /// Tells which session a peer has now.
    fn tell_paths(&mut self, peer: &Swarmed) {
        let now = self.clock.now();
        let stays = self.sessions.with(peer).and_then(|(_, open)| Some((open.on?.1, open.link.direction)));
        match stays {
            Some((connection, opener)) => self.paths.session(now, connection, opener),
            None => self.paths.ended(now, peer),
        }
        self.follow_paths();
    }

    /// A session is over.
    pub(super) fn ended(&mut self, peer: PeerId) {
        let Some(open) = self.sessions.open.remove(&peer) else { return };
        self.status_is_old();
        if !open.cut {
            self.sessions.stay(peer);
        }
        let Some((swarmed, connection)) = open.on else { return };
        if self.sessions.on(connection).is_empty() && !self.is_reserved(&swarmed) {
            self.swarm.behaviour_mut().limits.used(connection, false);
        }
        self.tell_paths(&swarmed);
        match open.parting {
            Some(Reason::Banned) => {
                self.ban(Ban::Peer(swarmed), BAN);
                let _ = self.swarm.disconnect_peer_id(swarmed);
            }
            Some(why) if is_for_good(why) && self.sessions.with(&swarmed).is_none() => {
                let _ = self.swarm.disconnect_peer_id(swarmed);
            }
            _ => {}
        }
    }
}

/// Where a peer that connected to us is: behind a relay, that is where it is reached.
fn origin(point: &ConnectedPoint, identity: Identity) -> Option<Address> {
    match point {
        ConnectedPoint::Listener { local_addr, .. } if point.is_relayed() => {
            crate::address::of_peer(local_addr, identity)
        }
        ConnectedPoint::Listener { .. } | ConnectedPoint::Dialer { .. } => {
            crate::address::of_peer(point.get_remote_address(), identity)
        }
    }
}

/// Whether nothing is left to do with a peer from which we part for this reason, not even for the DHT.
const fn is_for_good(why: Reason) -> bool {
    !matches!(why, Reason::Duplicate | Reason::Full | Reason::Evicted | Reason::Done)
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    fn came(from: &str, to: &str) -> ConnectedPoint {
        ConnectedPoint::Listener { local_addr: to.parse().unwrap(), send_back_addr: from.parse().unwrap() }
    }

    #[test]
    fn a_peer_that_comes_through_a_relay_is_where_the_relay_is() {
        let (peer, relay) = (Keypair::generate_ed25519().public().to_peer_id(), Swarmed::random());
        let identity = crate::address::identity(&peer).unwrap();
        let text = |point: &ConnectedPoint| origin(point, identity).and_then(|at| crate::address::to_libp2p(&at));
        let from = format!("/p2p/{peer}");
        for circuit in [
            format!("/ip4/11.1.1.10/udp/6001/quic-v1/p2p/{relay}/p2p-circuit"),
            "/ip4/11.1.1.10/tcp/50000/p2p-circuit".to_owned(),
        ] {
            let at = text(&came(&from, &circuit)).expect("a session may begin");
            assert_eq!(at.to_string(), format!("{circuit}/p2p/{peer}"));
        }
        let at = text(&came("/ip4/11.1.1.10/tcp/50000", "/ip4/192.168.1.5/tcp/6001")).unwrap();
        assert_eq!(at.to_string(), format!("/ip4/11.1.1.10/tcp/50000/p2p/{peer}"));
    }
}
