//! Connected peers, as far as they matter for how we are reached.

use std::collections::BTreeMap;
use std::net::IpAddr;

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::address::{Group, Scope};

use super::super::{Said, place};

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    id: ConnectionId,
    /// Where the other end is. Nowhere that can be told, if it came through a relay.
    pub(super) remote: Multiaddr,
    /// The address of ours that it came to, if it is known.
    pub(super) local: Option<IpAddr>,
    /// Whether the other end opened it.
    pub(super) inbound: bool,
    /// Whether it goes through a relay.
    pub(super) relayed: bool,
}

impl Connection {
    pub(super) fn scope(&self) -> Option<Scope> {
        place::scope(&self.remote)
    }
}

/// One peer.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    since: Time,
    /// As many as the swarm lets in.
    connections: Vec<Connection>,
    /// Whether all connections with it were opened by it, straight: then nothing of ours can have opened the way for it.
    pub(super) came: bool,
    /// Whether it says that it is a relay.
    relays: bool,
    /// Where others reach it, if it proved that it can be reached there.
    base: Option<Multiaddr>,
}

impl Peer {
    pub(super) fn direct(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(|connection| !connection.relayed)
    }

    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    /// Whether it is in another network than we are: it is public, came through a relay, or is on no link of ours.
    fn is_outside(&self, near: &impl Fn(IpAddr) -> bool) -> bool {
        self.connections.iter().any(|connection| match connection.scope() {
            _ if connection.relayed => true,
            Some(Scope::Public) => true,
            Some(Scope::Private) => place::ip(&connection.remote).is_some_and(|ip| !near(ip)),
            Some(Scope::Loopback) | None => false,
        })
    }
}

/// A peer that can relay.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) peer: PeerId,
    /// Where others reach it.
    pub(super) base: Multiaddr,
    pub(super) group: Group,
    /// Since when it is connected.
    pub(super) since: Time,
}

impl Relay {
    /// What leads through it, to whomever.
    pub(super) fn circuit(self) -> Multiaddr {
        self.base.with(Protocol::P2p(self.peer)).with(Protocol::P2pCircuit)
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers(BTreeMap<PeerId, Peer>);

impl Peers {
    pub(super) fn connected(&mut self, now: Time, peer: PeerId, id: ConnectionId, point: &ConnectedPoint) {
        let inbound = point.is_listener();
        let relayed = point.is_relayed();
        let local = match point {
            ConnectedPoint::Listener { local_addr, .. } => place::ip(local_addr).filter(|ip| !ip.is_unspecified()),
            ConnectedPoint::Dialer { .. } => None,
        };
        let connection = Connection { id, remote: place::bare(point.get_remote_address()), local, inbound, relayed };
        let straight = inbound && !relayed;
        let peer = self.0.entry(peer).or_insert_with(|| Peer {
            since: now,
            connections: Vec::new(),
            came: true,
            relays: false,
            base: None,
        });
        peer.came &= straight;
        peer.connections.push(connection);
    }

    pub(super) fn closed(&mut self, peer: &PeerId, id: ConnectionId) {
        let Some(entry) = self.0.get_mut(peer) else { return };
        entry.connections.retain(|connection| connection.id != id);
        if entry.connections.is_empty() {
            self.0.remove(peer);
        }
    }

    pub(super) fn identified(&mut self, peer: &PeerId, said: &Said) {
        let Some(peer) = self.0.get_mut(peer) else { return };
        peer.relays = said.relays;
        let dialled = peer.direct().find(|connection| !connection.inbound).map(|connection| connection.remote.clone());
        // A peer that came to us is reached where it came from, if it says that it listens there.
        let listens = |address: &&Multiaddr| {
            !place::is_circuit(address)
                && peer.direct().any(|connection| place::ip(&connection.remote) == place::ip(address))
        };
        peer.base = dialled.or_else(|| said.listen.iter().find(listens).map(place::bare));
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn peer(&self, peer: &PeerId) -> Option<&Peer> {
        self.0.get(peer)
    }

    /// Whether any of them is in another network than we are.
    pub(super) fn any_outside(&self, near: impl Fn(IpAddr) -> bool) -> bool {
        self.0.values().any(|peer| peer.is_outside(&near))
    }

    /// Whether any of them is public.
    pub(super) fn any_public(&self) -> bool {
        self.0.values().flat_map(Peer::direct).any(|connection| connection.scope() == Some(Scope::Public))
    }

    /// Those that can relay from where the rest of the network is: everywhere if there is a public network, another
    /// link if there is none.
    pub(super) fn relays(&self, public: bool, near: impl Fn(IpAddr) -> bool) -> Vec<Relay> {
        let leads = |base: &Multiaddr| match place::scope(base) {
            Some(Scope::Public) => true,
            Some(Scope::Private) => !public && place::ip(base).is_some_and(|ip| !near(ip)),
            Some(Scope::Loopback) | None => false,
        };
        self.0
            .iter()
            .filter(|(_, peer)| peer.relays && peer.direct().next().is_some())
            .filter_map(|(name, peer)| {
                let base = peer.base.clone().filter(leads)?;
                Some(Relay { peer: *name, group: place::group(&base), base, since: peer.since })
            })
            .collect()
    }
}
