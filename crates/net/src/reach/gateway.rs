//! Asks the router to forward our port, and asks the next one when this machine changes networks.
//!
//! libp2p-upnp 0.7 looks for a router once: a laptop that starts where there is none never finds one, and one that
//! moves goes on talking to the router that it left. So the behaviour is made anew for each [`search`](Behaviour::search)
//! and told where we listen. It may be: it has neither connections nor handlers with a state.
//!
//! It also asks for one port as often as the machine has private addresses, the last of which wins, and takes the mapping
//! back when any of them goes, such as that of a bridge for containers. So it is told of one: that from which the search
//! leaves.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::{ListenerId, PortUse};
use libp2p::swarm::behaviour::{ExpiredListenAddr, FromSwarm, NewListenAddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::upnp::{self, tokio::Behaviour as Upnp};
use libp2p::{Multiaddr, PeerId};

use super::interfaces::Route;
use super::place;

#[cfg(test)]
mod tests;

/// Whither a router is looked for (UPnP device architecture 1.1, section 1.3).
const SEARCH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);

/// Addresses that are told to a router. More are passed over: it is asked once for each port.
const MAX_LISTENERS: usize = 64;

/// An address on which we listen.
#[derive(Clone, Debug)]
struct Listener {
    id: ListenerId,
    address: Multiaddr,
    /// Whether the router is asked to forward to it.
    asked: bool,
}

/// The router.
pub(crate) struct Behaviour {
    upnp: Upnp,
    route: Route,
    listeners: Vec<Listener>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Begins to look for a router. `route` is [`interfaces::route`](super::interfaces::route), but for tests.
    pub(crate) fn new(route: Route) -> Self {
        Self { upnp: Upnp::default(), route, listeners: Vec::new() }
    }

    /// Looks for a router anew. Mappings that the last one made run out by themselves within the hour.
    pub(crate) fn search(&mut self) {
        self.upnp = Upnp::default();
        let from = (self.route)(SEARCH);
        for listener in &mut self.listeners {
            listener.asked = leaves(&listener.address, from);
            if listener.asked {
                let event = NewListenAddr { listener_id: listener.id, addr: &listener.address };
                self.upnp.on_swarm_event(FromSwarm::NewListenAddr(event));
            }
        }
    }

    /// Notes where we listen. Returns whether the router is to be told.
    fn note(&mut self, event: &FromSwarm<'_>) -> bool {
        if let FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }) = event {
            if place::is_circuit(addr) || self.listeners.len() >= MAX_LISTENERS {
                return false;
            }
            let asked = leaves(addr, (self.route)(SEARCH));
            self.listeners.push(Listener { id: *listener_id, address: (*addr).clone(), asked });
            return asked;
        }
        if let FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }) = event {
            let is = |listener: &Listener| listener.id == *listener_id && listener.address == **addr;
            let Some(place) = self.listeners.iter().position(is) else { return false };
            return self.listeners.swap_remove(place).asked;
        }
        true
    }
}

/// Whether an address is the one from which a search leaves; any, if that is not known.
fn leaves(address: &Multiaddr, from: Option<IpAddr>) -> bool {
    from.is_none() || place::ip(address) == from
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = upnp::Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if self.note(&event) {
            self.upnp.on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.upnp.poll(cx)
    }
}
