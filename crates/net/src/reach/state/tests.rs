//! Stories of nodes in their networks, fact by fact, and what follows from each.

#![expect(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

mod bounds;
mod prop;
mod stories;

use std::time::Duration;

use libp2p::core::transport::{ListenerId, PortUse};
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;

use super::{Options, State};
use crate::reach::{Action, Advertised, Fact, Said};
use crate::status::Reach;

fn peer(number: u8) -> PeerId {
    Keypair::ed25519_from_bytes([number; 32]).unwrap().public().to_peer_id()
}

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A node, and what it asked for since the last look.
struct Node {
    state: State,
    now: Time,
    connections: usize,
    listeners: Vec<(PeerId, ListenerId)>,
}

impl Node {
    fn new(upnp: bool, external: &[&str]) -> Self {
        let options = Options { external: external.iter().map(|text| addr(text)).collect(), upnp, relay: true };
        let now = Time::from_secs(1000);
        Self { state: State::new(options, now), now, connections: 0, listeners: Vec::new() }
    }

    /// A node that listens on these addresses, and has asked for what a start calls for.
    fn on(upnp: bool, ips: &[&str]) -> Self {
        let mut node = Self::new(upnp, &[]);
        for ip in ips {
            node.listens(ip);
        }
        node.actions();
        node
    }

    /// What is asked for, relays being asked as the swarm would.
    fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.state.poll() {
            if let Action::Reserve { relay, .. } = &action {
                let listener = ListenerId::next();
                self.listeners.push((*relay, listener));
                self.state.reserving(self.now, *relay, Some(listener));
            }
            actions.push(action);
        }
        actions
    }

    fn tell(&mut self, fact: Fact) -> Vec<Action> {
        self.state.handle(self.now, fact);
        self.actions()
    }

    /// Time passes, with every deadline on the way.
    fn wait(&mut self, wait: Duration) -> Vec<Action> {
        let until = self.now.after(wait);
        let mut actions = Vec::new();
        while let Some(deadline) = self.state.next_deadline().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.state.deadline(self.now);
            actions.extend(self.actions());
        }
        self.now = until;
        actions
    }

    fn listens(&mut self, ip: &str) {
        for rest in ["tcp/6001", "udp/6001/quic-v1"] {
            self.state.handle(self.now, Fact::Listening(addr(&format!("{ip}/{rest}"))));
        }
    }

    fn loses(&mut self, ip: &str) -> Vec<Action> {
        for rest in ["tcp/6001", "udp/6001/quic-v1"] {
            self.state.handle(self.now, Fact::NotListening(addr(&format!("{ip}/{rest}"))));
        }
        self.actions()
    }

    fn connection(&mut self, peer: PeerId, point: ConnectedPoint) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId::new_unchecked(self.connections);
        self.state.handle(self.now, Fact::Connected { peer, connection, point });
        connection
    }

    fn dials(&mut self, peer: PeerId, to: &str) -> ConnectionId {
        let point =
            ConnectedPoint::Dialer { address: addr(to), role_override: Endpoint::Dialer, port_use: PortUse::Reuse };
        self.connection(peer, point)
    }

    fn is_dialled(&mut self, peer: PeerId, from: &str, to: &str) -> ConnectionId {
        let point = ConnectedPoint::Listener { local_addr: addr(to), send_back_addr: addr(from) };
        self.connection(peer, point)
    }

    fn hears(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        observed: &str,
        relays: bool,
        listen: &[&str],
    ) -> Vec<Action> {
        let said = Said { observed: addr(observed), listen: listen.iter().map(|text| addr(text)).collect(), relays };
        self.tell(Fact::Identified { peer, connection, said })
    }

    /// A public relay at `ip` that sees us at `observed`.
    fn meets_relay(&mut self, number: u8, ip: &str, observed: &str) -> Vec<Action> {
        let to = format!("{ip}/tcp/6001");
        let connection = self.dials(peer(number), &to);
        self.hears(peer(number), connection, observed, true, &[&to])
    }

    fn listener(&self, relay: PeerId) -> ListenerId {
        self.listeners.iter().rev().find(|(of, _)| *of == relay).unwrap().1
    }

    /// The relay accepts, and tells its address, as the relay client has it told.
    fn is_accepted(&mut self, number: u8, ip: &str) -> Vec<Action> {
        let circuit = circuit(number, ip);
        let mut actions = self.tell(Fact::Confirmed(circuit.clone().with(Protocol::P2p(peer(1)))));
        actions.extend(self.tell(Fact::Reserved { relay: peer(number) }));
        actions.extend(self.tell(Fact::Listening(circuit.with(Protocol::P2p(peer(1))))));
        actions
    }

    fn tested(&mut self, address: &str, server: u8, reachable: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        if reachable {
            actions.extend(self.tell(Fact::Confirmed(addr(address))));
        }
        actions.extend(self.tell(Fact::Tested { address: addr(address), server: peer(server), reachable }));
        actions
    }
}

fn circuit(number: u8, ip: &str) -> Multiaddr {
    addr(&format!("{ip}/tcp/6001")).with(Protocol::P2p(peer(number))).with(Protocol::P2pCircuit)
}

fn reserve(number: u8, ip: &str) -> Action {
    Action::Reserve { relay: peer(number), address: circuit(number, ip) }
}

fn identity(number: u8) -> yap_protocol::address::Identity {
    crate::address::identity(&peer(number)).unwrap()
}

/// Those that are not about what is told to peers.
fn untold(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| !matches!(action, Action::Advertise(_))).collect()
}

fn told(actions: &[Action]) -> Option<&Advertised> {
    actions.iter().rev().find_map(|action| match action {
        Action::Advertise(advertised) => Some(advertised),
        _ => None,
    })
}

fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn public(addresses: &[&str], mapped: bool) -> Action {
    Action::Changed(Reach::Public { addresses: addresses.iter().map(ToString::to_string).collect(), mapped })
}
