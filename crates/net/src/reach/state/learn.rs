//! What each fact changes in the tables.

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::Scope;

use super::evidence::Source;
use super::peers::{Connection, Peer};
use super::relays::Accepted;
use super::{Action, FIRST_SEARCH, Fact, Gateway, MAX_LISTENING, State, place, search_wait};
use crate::reach::Said;

impl State {
    pub(super) fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Listening(address) => self.listening(&address),
            Fact::NotListening(address) => self.not_listening(&address),
            Fact::Connected { peer, connection, point } => self.peers.connected(self.now, peer, connection, &point),
            Fact::Closed { peer, connection } => self.peers.closed(&peer, connection),
            Fact::Identified { peer, connection, said } => self.identified(&peer, connection, &said),
            Fact::Tested { address, server, reachable } => self.tested(&place::bare(&address), server, reachable),
            Fact::Confirmed(address) => self.confirmed(&address),
            Fact::Expired(address) => {
                self.external.retain(|known| *known != address);
                self.evidence.withdraw(&address);
            }
            Fact::Mapped(address) => {
                self.gateway = Gateway::Found;
                self.confirm(&address, Source::Mapped, true);
            }
            Fact::Unmapped(address) => self.give_up(&address),
            Fact::NoGateway => self.no_gateway(),
            Fact::Reserved { relay, .. } => self.reserved(relay),
            Fact::ListenerClosed(listener) => self.relays.ended(self.now, listener),
        }
    }

    fn listening(&mut self, address: &Multiaddr) {
        if place::is_circuit(address) {
            let address = place::bare(address);
            let leads = matches!(place::scope(&address), Some(Scope::Private | Scope::Public));
            if let Some(relay) = place::relay(&address).filter(|_| leads) {
                self.relays.add_address(&relay, address);
            }
            return;
        }
        let address = place::bare(address);
        let is_full = self.listening.len() >= MAX_LISTENING;
        if let Some(listeners) = self.listening.get_mut(&address) {
            *listeners = listeners.saturating_add(1);
        } else if is_full {
            return;
        } else {
            self.listening.insert(address.clone(), 1);
        }
        let change = self.own.add(&address);
        self.moved(change);
    }

    fn not_listening(&mut self, address: &Multiaddr) {
        let address = place::bare(address);
        if let Some(relay) = place::relay(&address) {
            self.relays.remove_address(&relay, &address);
            return;
        }
        let Some(listeners) = self.listening.get_mut(&address) else { return };
        *listeners = listeners.saturating_sub(1);
        if *listeners == 0 {
            self.listening.remove(&address);
        }
        let change = self.own.remove(&address);
        self.moved(change);
    }

    fn identified(&mut self, name: &PeerId, id: ConnectionId, said: &Said) {
        self.peers.identified(name, said);
        let Some(peer) = self.peers.peer(name) else { return };
        let Some(connection) = peer.connection(id).filter(|connection| !connection.relayed).cloned() else { return };
        let visit = peer.came.then(|| self.visit(peer, &connection, said)).flatten();
        self.seen(&connection, &said.observed);
        match visit {
            Some(Visit::Here { address, far }) => self.confirm(&address, Source::Visited, far),
            Some(Visit::Forwarded(address)) => self.claimed(&address, &connection),
            None => {}
        }
    }

    fn claimed(&mut self, address: &Multiaddr, connection: &Connection) {
        if self.evidence.claim(address, place::group(&connection.remote)) {
            self.confirm(address, Source::Visited, true);
        }
    }

    /// How a peer sees us. What it says of a network that it is not in says nothing.
    fn seen(&mut self, connection: &Connection, observed: &Multiaddr) {
        let Some(ip) = place::ip(observed) else { return };
        let is_worth = matches!(
            (place::scope_of(ip), connection.scope()),
            (Some(Scope::Public), Some(Scope::Public)) | (Some(Scope::Private), Some(Scope::Private))
        );
        if !is_worth {
            return;
        }
        let own = &self.own;
        let (gone, back) = self.evidence.see(self.now, ip, place::group(&connection.remote), |ip| own.has(ip));
        for address in gone {
            self.remove_external(&address);
        }
        for address in back {
            self.confirm(&address, Source::Tested, true);
        }
    }

    /// What it proves that a peer came to us, though nothing of ours had opened the way.
    fn visit(&self, peer: &Peer, connection: &Connection, said: &Said) -> Option<Visit> {
        let address = place::bare(&said.observed);
        let ip = place::ip(&address)?;
        let scope = place::scope_of(ip).filter(|scope| *scope != Scope::Loopback)?;
        let remote = place::ip(&connection.remote)?;
        let is_same = connection.scope() == Some(scope) && ip.is_ipv4() == remote.is_ipv4();
        // Where it came to is known for TCP, whatever it says.
        let is_true = connection.local.is_none_or(|local| local == ip || !self.own.has(ip));
        if !is_same || !is_true || !peer.came || self.evidence.has_failed(&address) {
            return None;
        }
        if self.listening.contains_key(&address) {
            // A peer that does not listen where it comes from is behind NAT: in another network than we are.
            let is_hidden = !said.listen.iter().any(|address| place::ip(address) == Some(remote));
            let far = scope == Scope::Public || is_hidden || !place::is_near(ip, remote);
            return Some(Visit::Here { address, far });
        }
        (scope == Scope::Public && !self.own.has(ip)).then_some(Visit::Forwarded(address))
    }

    fn tested(&mut self, address: &Multiaddr, server: PeerId, reachable: bool) {
        let own = &self.own;
        let near = |ip| own.iter().any(|own| place::is_near(own, ip));
        let direct: Vec<Connection> =
            self.peers.peer(&server).map(|peer| peer.direct().cloned().collect()).unwrap_or_default();
        let is_public = direct.iter().any(|connection| connection.scope() == Some(Scope::Public));
        let is_far =
            is_public || direct.iter().any(|connection| place::ip(&connection.remote).is_some_and(|ip| !near(ip)));
        // A peer of our own network can't tell whether a public address leads here from elsewhere.
        let counts = match place::scope(address) {
            Some(Scope::Public) => is_public,
            Some(Scope::Private) => true,
            Some(Scope::Loopback) | None => false,
        };
        if !counts || place::is_circuit(address) {
            return;
        }
        if reachable {
            self.confirm(address, Source::Tested, is_far);
        } else if place::scope(address) == Some(Scope::Public) && self.evidence.fail(address, server) {
            self.remove_external(address);
        }
    }

    /// The swarm holds an address for external. Who said so comes as a fact of its own.
    fn confirmed(&mut self, address: &Multiaddr) {
        if !self.note_external(address) {
            self.actions.push_back(Action::RemoveExternal(address.clone()));
        } else if let Some(relay) = place::relay(address)
            && !self.relays.has(&relay)
        {
            self.remove_external(address);
        }
    }

    fn give_up(&mut self, address: &Multiaddr) {
        if self.evidence.withdraw(address) {
            self.remove_external(address);
        }
    }

    fn no_gateway(&mut self) {
        self.gateway = match self.gateway {
            Gateway::Off => Gateway::Off,
            Gateway::Missing { again, times } if again > self.now => Gateway::Missing { again, times },
            Gateway::Missing { times, .. } => {
                Gateway::Missing { again: self.now.after(search_wait(times)), times: times.saturating_add(1) }
            }
            Gateway::Asked(_) | Gateway::Found => Gateway::Missing { again: self.now.after(FIRST_SEARCH), times: 1 },
        };
    }

    fn reserved(&mut self, relay: PeerId) {
        match self.relays.accepted(self.now, &relay) {
            Accepted::Ours => {}
            Accepted::Unwanted => self.release(relay, None),
            Accepted::Hasty => {
                self.release(relay, None);
                self.actions.push_back(Action::Disconnect(relay));
            }
        }
    }
}

/// What a peer's coming proves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Visit {
    /// We are reached at an address of this machine; whether from another network.
    Here { address: Multiaddr, far: bool },
    /// We are reached at an address of some router, if this is not a lie.
    Forwarded(Multiaddr),
}
