//! How many connections, from whom.
//!
//! [`Behaviour`] is asked before every connection. It MUST be the first field of the swarm's behaviour: what a behaviour
//! has noted of a connection that a later one refuses, it may keep for ever (gossipsub does). A refusal is a [`Denied`],
//! to which the cause of a `ListenError::Denied` or `DialError::Denied` downcasts.
//!
//! | | bounds |
//! |---|---|
//! | [`config::Limits`] | inbound, outbound, with one peer, from one group, handshakes under way, memory |
//! | `table` | through relays, through one relay, handshakes of one host and of one group |
//! | `rates` | new connections per second from one host, from one group, from everywhere |
//! | `bans` | who is refused altogether |
//!
//! And the rules:
//!
//! - What others open takes nothing of the room for our own dials.
//! - What comes too fast, and what would find no place, is refused before its handshake costs anything.
//! - When the places are taken, a newcomer (or a dial) gets that of a connection on which no session runs: of the group
//!   that has most, the one that was not used for longest. If sessions run on all of them it is refused: who of these
//!   makes room is the protocol's to say, which is why there are more places than it has sessions.
//! - While more than half are taken, connections on which no session ran for two minutes are closed.
//! - This machine is a group that may have all places: there is no stranger on it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::{Instant, Sleep};

use crate::config;

mod bans;
mod memory;
mod origin;
mod rates;
mod table;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test picks what it looks for, and may overflow: it fails"
)]
mod tests;

use bans::Bans;
use memory::Gauge;
use origin::{Host, Origin};
use rates::Rates;
use table::{Bounds, Order, Table};

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// There are as many connections as there may be, and all of them are used.
    #[error("this node has as many connections as it may")]
    Full,
    /// There are as many from the same network group, or through the same relay.
    #[error("this node has as many connections with that network as it may")]
    Group,
    /// There are as many with the same peer.
    #[error("this node has as many connections with that peer as it may")]
    PerPeer,
    /// As many handshakes are under way.
    #[error("too many handshakes are under way")]
    Pending,
    /// Connections come too fast, from one group or altogether.
    #[error("connections come too fast")]
    Rate,
    /// The process uses as much memory as it may.
    #[error("this node uses as much memory as it may")]
    Memory,
    /// The peer or its host is banned.
    #[error("that peer is banned")]
    Banned(Ban),
}

/// Whose connections are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ban {
    /// A peer, however it is reached.
    Peer(PeerId),
    /// A host; of IPv6 its /64. Relayed connections don't come from the relay's host, so that they stay.
    Host(IpAddr),
}

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Handshakes under way that others began.
    pub(crate) pending_inbound: usize,
    /// Dials of ours under way.
    pub(crate) pending_outbound: usize,
    /// Those that others opened to us directly.
    pub(crate) inbound: usize,
    /// Those that others opened to us through a relay.
    pub(crate) relayed: usize,
    /// Those that we opened.
    pub(crate) outbound: usize,
    /// Those that were told to close and have not yet; in none of the above.
    pub(crate) closing: usize,
}

/// Decides which connections are let in. See the module.
#[derive(Debug)]
pub(crate) struct Behaviour {
    table: Table,
    rates: Rates,
    bans: Bans,
    memory: Gauge,
    /// To be told to the swarm; no more than there are connections.
    orders: VecDeque<Order>,
    /// Whether the table has changed since the timer was set.
    changed: bool,
    timer: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Lets in what `limits` allow, and nobody yet.
    pub(crate) fn new(limits: &config::Limits) -> Self {
        Self {
            table: Table::new(Bounds::new(limits)),
            rates: Rates::new(Instant::now()),
            bans: Bans::default(),
            memory: Gauge::new(limits.memory, memory::resident),
            orders: VecDeque::new(),
            changed: false,
            timer: None,
            waker: None,
        }
    }

    /// A session runs on a connection (or what else must not be cut off, such as a reservation that we have with a relay
    /// or a peer has with us), or none does any more. One that is not used makes room when a newcomer needs it, and is
    /// closed after a while when there are many. Each is unused at first. A connection that is not known is passed over.
    pub(crate) fn used(&mut self, connection: ConnectionId, used: bool) {
        self.table.used(connection, used, Instant::now());
        self.touch();
    }

    /// Refuses whoever it is until then, in both directions, and closes what is open.
    pub(crate) fn ban(&mut self, who: Ban, until: Instant) {
        self.bans.insert(who, until, Instant::now());
        let orders = match who {
            Ban::Peer(peer) => self.table.expel(|with, _| *with == peer),
            Ban::Host(ip) => self.table.expel(|_, host| host == Some(Host::new(ip))),
        };
        self.orders.extend(orders);
        self.touch();
    }

    /// Lets whoever it is in again.
    pub(crate) fn lift(&mut self, who: Ban) {
        self.bans.lift(who);
    }

    /// How many connections there are.
    pub(crate) fn counts(&self) -> Counts {
        self.table.counts()
    }

    fn touch(&mut self) {
        self.changed = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Cheapest first: a flood ends at the first line that refuses it.
    fn begin(&mut self, id: ConnectionId, origin: Origin, now: Instant) -> Result<(), Denied> {
        self.check_bans(None, origin.host, now)?;
        if !self.rates.take(&origin, now) {
            return Err(Denied::Rate);
        }
        self.table.begin(id, origin)?;
        if self.memory.is_exceeded(now) {
            self.table.gone(id);
            return Err(Denied::Memory);
        }
        Ok(())
    }

    fn check_bans(&self, peer: Option<&PeerId>, host: Option<Host>, now: Instant) -> Result<(), Denied> {
        if let Some(peer) = peer.filter(|peer| self.bans.has_peer(peer, now)) {
            return Err(Denied::Banned(Ban::Peer(*peer)));
        }
        match host.filter(|host| self.bans.has_host(*host, now)) {
            Some(host) => Err(Denied::Banned(Ban::Host(host.ip()))),
            None => Ok(()),
        }
    }

    fn dial(&mut self, id: ConnectionId, peer: Option<PeerId>, addresses: &[Multiaddr]) -> Result<(), Denied> {
        let now = Instant::now();
        self.check_bans(peer.as_ref(), None, now)?;
        let banned = |address| self.check_bans(None, Host::of(address), now).err();
        // One that is not banned may be the one that answers.
        let refusals: Option<Vec<Denied>> = addresses.iter().map(banned).collect();
        if let Some(refused) = refusals.and_then(|refusals| refusals.first().copied()) {
            return Err(refused);
        }
        let leaves = self.table.dial(id, peer)?;
        self.orders.extend(leaves);
        self.touch();
        Ok(())
    }

    fn welcome(&mut self, id: ConnectionId, peer: PeerId, origin: Origin) -> Result<(), Denied> {
        let now = Instant::now();
        let place = self.check_bans(Some(&peer), origin.host, now);
        let place = place.and_then(|()| self.table.welcome(id, peer, origin, now));
        match place {
            Ok(leaves) => {
                self.orders.extend(leaves);
                self.touch();
                Ok(())
            }
            Err(denied) => {
                self.table.gone(id);
                Err(denied)
            }
        }
    }

    fn dialled(&mut self, id: ConnectionId, peer: PeerId, address: &Multiaddr) -> Result<(), Denied> {
        let now = Instant::now();
        let host = Host::of(address);
        let place = self.check_bans(Some(&peer), host, now);
        place.and_then(|()| self.table.dialled(id, peer, host, now)).inspect_err(|_| self.table.gone(id))
    }

    /// Closes what was not used for long, and waits for what will be.
    fn sweep(&mut self, cx: &mut Context<'_>) {
        let due = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if !due && !self.changed {
            return;
        }
        self.orders.extend(self.table.sweep(Instant::now()));
        self.timer = self.table.deadline().map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        // A timer must be polled once to be heard.
        self.changed = self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
        if self.changed {
            cx.waker().wake_by_ref();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.begin(id, Origin::new(local, remote), Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.welcome(id, peer, Origin::new(local, remote)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.dial(id, peer, addresses).map_err(ConnectionDenied::new)?;
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.dialled(id, peer, address).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let id = if let FromSwarm::ConnectionClosed(closed) = event {
            closed.connection_id
        } else if let FromSwarm::DialFailure(failure) = event {
            // This and the next come also for what was accepted here and refused by another behaviour.
            failure.connection_id
        } else if let FromSwarm::ListenFailure(failure) = event {
            failure.connection_id
        } else {
            return;
        };
        self.table.gone(id);
        self.touch();
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.sweep(cx);
        if let Some((peer_id, id)) = self.orders.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
