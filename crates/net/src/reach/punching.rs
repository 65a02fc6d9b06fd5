//! Hole punching, within bounds (wraps libp2p's DCUtR).
//!
//! libp2p-dcutr 0.15 dials whatever addresses the other end of a relayed connection names, as often as it asks, so
//! that a stranger could have us knock at others' doors; and it keeps a note of every such dial, and of every connection
//! that was refused after it had seen it, for ever. Here a relayed connection can give [`MAX_ORDERS`] orders, a dial has at
//! most [`MAX_ADDRESSES`] addresses that all lead somewhere, and after [`MAX_STALE`] notes the behaviour is made anew with the
//! connections that there are. A punch under way then may go untold, not undone.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::dcutr;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, FromSwarm, NewExternalAddrCandidate};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::Scope;

use super::{candidates, place};

#[cfg(test)]
mod tests;

/// What one relayed connection can have done: three attempts of either end, and what may fail of them.
pub(crate) const MAX_ORDERS: u8 = 8;

/// Addresses of one dial. Our own nodes name as many candidates as there are, and libp2p's at most 20.
pub(crate) const MAX_ADDRESSES: usize = 20;

/// Notes of dials and refused connections after which the behaviour is made anew: about 300 kB.
pub(crate) const MAX_STALE: usize = 4096;

/// Why a dial of hole punching was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// It names too many addresses.
    #[error("a peer named {0} addresses to punch a hole to, {MAX_ADDRESSES} are allowed")]
    Addresses(usize),
    /// It names an address that leads nowhere, or to this machine.
    #[error("a peer named an address to punch a hole to that leads nowhere, or to this machine")]
    Scope,
}

/// Hole punching.
pub(crate) struct Behaviour {
    us: PeerId,
    dcutr: dcutr::Behaviour,
    /// Direct connections. As many as the swarm has.
    direct: BTreeMap<ConnectionId, (PeerId, Multiaddr)>,
    /// Orders that each relayed connection gave. As many as the swarm has.
    orders: HashMap<ConnectionId, u8>,
    /// Dials that were asked for and are not settled. As many as the swarm has under way.
    dials: HashSet<ConnectionId>,
    /// What was told last of where we may be reached.
    candidates: VecDeque<Multiaddr>,
    stale: usize,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("orders", &self.orders).field("stale", &self.stale).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Punches for `us`.
    pub(crate) fn new(us: PeerId) -> Self {
        Self {
            us,
            dcutr: dcutr::Behaviour::new(us),
            direct: BTreeMap::new(),
            orders: HashMap::new(),
            dials: HashSet::new(),
            candidates: VecDeque::new(),
            stale: 0,
        }
    }

    /// Whether a connection may order once more.
    fn admits(&mut self, connection: ConnectionId) -> bool {
        let Some(orders) = self.orders.get_mut(&connection).filter(|orders| **orders < MAX_ORDERS) else {
            return false;
        };
        *orders = orders.saturating_add(1);
        true
    }

    fn connected(&mut self, peer: PeerId, connection: ConnectionId, point: &ConnectedPoint) {
        self.dials.remove(&connection);
        if point.is_relayed() {
            self.orders.insert(connection, 0);
        } else {
            self.direct.insert(connection, (peer, point.get_remote_address().clone()));
        }
    }

    fn candidate(&mut self, address: &Multiaddr) {
        self.candidates.retain(|known| known != address);
        if self.candidates.len() >= candidates::MAX {
            self.candidates.pop_front();
        }
        self.candidates.push_back(address.clone());
    }

    /// Makes the behaviour anew, once it has kept too much.
    fn renew(&mut self) -> Result<(), ConnectionDenied> {
        self.stale = self.stale.saturating_add(1);
        if self.stale < MAX_STALE {
            return Ok(());
        }
        self.stale = 0;
        self.dcutr = dcutr::Behaviour::new(self.us);
        for (connection, (peer, remote)) in &self.direct {
            // It must know each, and keeps nothing else of them. The handler that they have does nothing.
            self.dcutr.handle_established_inbound_connection(*connection, *peer, remote, remote)?;
        }
        for address in &self.candidates {
            let event = NewExternalAddrCandidate { addr: address };
            self.dcutr.on_swarm_event(FromSwarm::NewExternalAddrCandidate(event));
        }
        Ok(())
    }
}

/// Whether a dial that a stranger asked for does no harm.
fn check(addresses: &[Multiaddr]) -> Result<(), Refused> {
    if addresses.len() > MAX_ADDRESSES {
        return Err(Refused::Addresses(addresses.len()));
    }
    let leads = |address: &Multiaddr| matches!(place::scope(address), Some(Scope::Public | Scope::Private));
    if addresses.iter().all(leads) { Ok(()) } else { Err(Refused::Scope) }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <dcutr::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = dcutr::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.renew()?;
        self.dcutr.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if self.dials.contains(&connection) {
            check(addresses).map_err(ConnectionDenied::new)?;
        }
        self.dcutr.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.renew()?;
        self.dcutr.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) = &event
        {
            self.connected(*peer_id, *connection_id, endpoint);
        }
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = &event {
            self.direct.remove(connection_id);
            self.orders.remove(connection_id);
        }
        if let FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }) = &event {
            self.candidate(addr);
        }
        if let FromSwarm::DialFailure(failure) = &event {
            self.dials.remove(&failure.connection_id);
        }
        self.dcutr.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        if self.admits(connection) {
            self.dcutr.on_connection_handler_event(peer, connection, event);
        } else {
            tracing::debug!(%peer, %connection, "a relayed connection asks for too many holes to be punched");
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let event = self.dcutr.poll(cx);
        if let Poll::Ready(ToSwarm::Dial { opts }) = &event {
            self.dials.insert(opts.connection_id());
        }
        event
    }
}
