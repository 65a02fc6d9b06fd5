//! Identify, told to each peer as far as it concerns it.
//!
//! libp2p's identify tells everybody every address on which we listen: a stranger learns how our local network is numbered,
//! and dials its own. So there are three of it, for peers on this machine, in our network, and elsewhere; each hears of
//! the addresses that mean something to its peers ([`spreads`]), and each connection belongs to one.

use std::collections::HashMap;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::identify;
use libp2p::swarm::behaviour::FromSwarm;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::Scope;

use crate::address::{is_circuit, scope, spreads};

/// Where a peer is, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Here,
    Near,
    Far,
}

impl Place {
    /// Of the peer at the other end of a connection.
    fn of(remote: &Multiaddr) -> Self {
        match scope(remote) {
            // Where a relay is says nothing of where the peer is.
            _ if is_circuit(remote) => Self::Far,
            Some(Scope::Loopback) => Self::Here,
            Some(Scope::Private) => Self::Near,
            Some(Scope::Public) | None => Self::Far,
        }
    }

    /// Whether an address of ours means something to peers there.
    fn hears(self, address: &Multiaddr) -> bool {
        match self {
            Self::Here => true,
            Self::Near => spreads(address, &Multiaddr::from(std::net::Ipv4Addr::new(192, 168, 0, 1))),
            Self::Far => scope(address) == Some(Scope::Public),
        }
    }
}

/// The three.
pub(crate) struct Behaviour {
    here: identify::Behaviour,
    near: identify::Behaviour,
    far: identify::Behaviour,
    /// Whose a connection is. As many as the swarm has.
    places: HashMap<ConnectionId, Place>,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Introduces us as the configuration says.
    pub(crate) fn new(config: &identify::Config) -> Self {
        let one = || identify::Behaviour::new(config.clone());
        Self { here: one(), near: one(), far: one(), places: HashMap::new() }
    }

    /// Tells peers anew who and where we are.
    pub(crate) fn push(&mut self, peers: impl IntoIterator<Item = PeerId>) {
        let peers: Vec<PeerId> = peers.into_iter().collect();
        for one in [&mut self.here, &mut self.near, &mut self.far] {
            one.push(peers.iter().copied());
        }
    }

    fn at(&mut self, place: Place) -> &mut identify::Behaviour {
        match place {
            Place::Here => &mut self.here,
            Place::Near => &mut self.near,
            Place::Far => &mut self.far,
        }
    }

    /// The one to which a connection belongs.
    fn owner(&mut self, connection: ConnectionId, remote: &Multiaddr) -> &mut identify::Behaviour {
        let place = Place::of(remote);
        self.places.insert(connection, place);
        self.at(place)
    }

    /// What concerns one connection, or one address, goes to those whom it concerns; all else to all.
    fn concerned(&mut self, event: &FromSwarm<'_>) -> Vec<Place> {
        let all = [Place::Here, Place::Near, Place::Far];
        let address = match event {
            FromSwarm::ConnectionEstablished(event) => {
                return self.places.get(&event.connection_id).copied().into_iter().collect();
            }
            FromSwarm::AddressChange(event) => {
                return self.places.get(&event.connection_id).copied().into_iter().collect();
            }
            FromSwarm::ConnectionClosed(event) => {
                return self.places.remove(&event.connection_id).into_iter().collect();
            }
            FromSwarm::ListenFailure(event) => {
                self.places.remove(&event.connection_id);
                None
            }
            FromSwarm::DialFailure(event) => {
                self.places.remove(&event.connection_id);
                None
            }
            FromSwarm::NewListenAddr(event) => Some(event.addr),
            FromSwarm::ExpiredListenAddr(event) => Some(event.addr),
            FromSwarm::ExternalAddrConfirmed(event) => Some(event.addr),
            FromSwarm::ExternalAddrExpired(event) => Some(event.addr),
            FromSwarm::NewListener(_)
            | FromSwarm::ListenerError(_)
            | FromSwarm::ListenerClosed(_)
            | FromSwarm::NewExternalAddrCandidate(_)
            | FromSwarm::NewExternalAddrOfPeer(_) => None,
            #[allow(clippy::wildcard_enum_match_arm, reason = "what a later version adds is not known")]
            _ => None,
        };
        all.into_iter().filter(|place| address.is_none_or(|address| place.hears(address))).collect()
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <identify::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = identify::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // A relayed one names its relay where it arrives, not where it comes from.
        let from = if is_circuit(local) { local } else { remote };
        self.owner(connection, from).handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.owner(connection, address).handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        for place in self.concerned(&event) {
            self.at(place).on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        if let Some(place) = self.places.get(&connection).copied() {
            self.at(place).on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        for one in [&mut self.here, &mut self.near, &mut self.far] {
            if let Poll::Ready(event) = one.poll(cx) {
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> Multiaddr {
        text.parse().expect("a multiaddr")
    }

    #[test]
    fn strangers_hear_of_public_addresses_neighbours_of_private_ones_and_this_machine_of_all() {
        let relay = "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq";
        let public = addr("/ip4/11.1.1.10/tcp/6001");
        let circuit = addr(&format!("/ip4/11.1.1.10/tcp/6001/p2p/{relay}/p2p-circuit"));
        let (private, loopback) = (addr("/ip4/192.168.1.5/udp/6001/quic-v1"), addr("/ip4/127.0.0.1/tcp/6001"));
        let table = [
            ("/ip4/11.9.9.9/tcp/40000", [true, true, false, false]),
            ("/ip6/2600::1/tcp/40000", [true, true, false, false]),
            ("/ip4/192.168.1.9/tcp/40000", [true, true, true, false]),
            ("/ip4/127.0.0.1/tcp/40000", [true, true, true, true]),
            // A relay in our own network may stand for a peer anywhere.
            (&format!("/ip4/192.168.1.2/tcp/6001/p2p/{relay}/p2p-circuit"), [true, true, false, false]),
        ];
        for (remote, heard) in table {
            let place = Place::of(&addr(remote));
            let hears = [&public, &circuit, &private, &loopback].map(|address| place.hears(address));
            assert_eq!(hears, heard, "{remote}");
        }
    }
}
