//! The addresses under which peers see us: what hole punching offers, and dial-back tests.
//!
//! Wraps identify, whose own candidates are kept from the swarm. Identify 0.48 rewrites an observed port that is not one
//! of our listening ports, so no NAT that maps ports can be punched; it takes whatever any peer says, as often as it says
//! something new; and AutoNAT never forgets a candidate. Here a candidate is
//!
//! - the address as it was observed, and, if its port is another than that of our listener, the same address with the
//!   listener's port, as a router forwards it that was told to by hand;
//! - of QUIC or plain TCP, observed on a direct connection;
//! - not of loopback, and of a private network only if the observer is there too.
//!
//! There are at most [`seen::MAX`], of one network group at most [`seen::MAX_PER_GROUP`], and how many different ones are told over
//! time is bounded by [`seen::BURST`] and [`seen::REFILL`]. One that nobody sees any more is forgotten after [`seen::LIFETIME`], all of
//! them when this machine loses an address.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::PortUse;
use libp2p::identify;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, FromSwarm};
use libp2p::swarm::{ConnectionId, ListenAddresses, NetworkBehaviour, THandlerInEvent, ToSwarm};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::forward::forward;

mod seen;
#[cfg(test)]
mod tests;

use super::{introduction, place};
pub(crate) use seen::MAX;
use seen::{Observation, Seen};

/// What is known of a connection when its other end tells how it sees us.
#[derive(Clone, Debug)]
struct Way {
    remote: Multiaddr,
    /// Whether the port that the other end sees can be that of our listener, as the network between translates it.
    reuses: bool,
}

/// Identify, with candidates of our own choice.
pub(crate) struct Behaviour {
    identify: introduction::Behaviour,
    /// Direct connections. As many as the swarm has.
    ways: HashMap<ConnectionId, Way>,
    listeners: ListenAddresses,
    seen: Seen,
    /// To be told to the swarm. At most two from one observation, and none is taken before they are told.
    queue: VecDeque<Multiaddr>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Takes what `identify` hears.
    pub(crate) fn new(identify: introduction::Behaviour) -> Self {
        Self {
            identify,
            ways: HashMap::new(),
            listeners: ListenAddresses::default(),
            seen: Seen::new(Instant::now()),
            queue: VecDeque::new(),
        }
    }

    /// This machine has lost an address: what was observed may not hold any more.
    pub(crate) fn forget(&mut self) {
        self.seen = Seen::new(Instant::now());
        self.queue.clear();
    }

    /// Tells peers anew who and where we are.
    pub(crate) fn push(&mut self, peers: impl IntoIterator<Item = PeerId>) {
        self.identify.push(peers);
    }

    fn observed(&mut self, connection: ConnectionId, address: &Multiaddr) {
        let Some(way) = self.ways.get(&connection) else { return };
        let ours: Vec<&Multiaddr> = self.listeners.iter().filter(|address| !place::is_circuit(address)).collect();
        let observation = Observation { address, observer: &way.remote, reuses: way.reuses, listeners: &ours };
        self.queue.extend(self.seen.observe(Instant::now(), &observation));
    }

    fn connected(&mut self, connection: ConnectionId, point: &ConnectedPoint) {
        if point.is_relayed() {
            return;
        }
        // An inbound connection came to the address that the other end tells, so its port is the right one.
        let reuses = match point {
            ConnectedPoint::Dialer { port_use, .. } => *port_use == PortUse::Reuse,
            ConnectedPoint::Listener { .. } => true,
        };
        self.ways.insert(connection, Way { remote: point.get_remote_address().clone(), reuses });
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <identify::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = identify::Event;

    forward!(identify: pending_inbound, established_inbound, pending_outbound, established_outbound, handler_events);

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.listeners.on_swarm_event(&event);
        if let FromSwarm::ConnectionEstablished(ConnectionEstablished { connection_id, endpoint, .. }) = &event {
            self.connected(*connection_id, endpoint);
        }
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = &event {
            self.ways.remove(connection_id);
        }
        self.identify.on_swarm_event(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(address) = self.queue.pop_front() {
                return Poll::Ready(ToSwarm::NewExternalAddrCandidate(address));
            }
            match self.identify.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ToSwarm::NewExternalAddrCandidate(_)) => {}
                Poll::Ready(event) => {
                    if let ToSwarm::GenerateEvent(identify::Event::Received { connection_id, info, .. }) = &event {
                        self.observed(*connection_id, &info.observed_addr);
                    }
                    return Poll::Ready(event);
                }
            }
        }
    }
}

/// The addresses of this machine among those that we listen on.
fn own(listeners: &[&Multiaddr]) -> impl Iterator<Item = IpAddr> {
    listeners.iter().filter_map(|address| place::ip(address))
}
