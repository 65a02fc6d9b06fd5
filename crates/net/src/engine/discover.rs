//! What is heard about where peers are, from everything that finds some.
//!
//! Each finding goes three ways: into the book, for dialling; into the routing table of the DHT, if the peer serves it;
//! and to the node, which decides whom to dial. Addresses that mean nothing from where we stand go nowhere.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, identify, mdns};
use yap_protocol::Address;
use yap_protocol::address::{Endpoint, Scope};
use yap_protocol::io::Command;
use yap_protocol::link::Purpose;

use super::Engine;
use crate::address;
use crate::error::DialError;
use crate::event::{Event, Notice};
use crate::find::names;
use crate::given::{Given, Scheme};

impl Engine {
    /// Notes where we listen for other nodes on this host.
    pub(super) fn note_in_registry(&mut self) {
        let addresses: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        if let Some(registry) = &mut self.registry
            && let Err(error) = registry.note(&addresses)
        {
            tracing::warn!(%error, "nodes on this host are not told where this one is");
        }
    }

    /// Looks who is on this host. A newcomer looks once: whoever comes later looks for us.
    pub(super) fn look_around(&mut self) {
        let others = self.registry.as_ref().map(crate::find::registry::Registry::others).unwrap_or_default();
        let mut found = Vec::new();
        for (peer, addresses) in others {
            found.extend(self.hear(peer, addresses));
        }
        self.learn(found);
    }

    /// Gives the node the peers that the user named. Names of hosts go to it as they are, so that one peer of each is
    /// kept connected wherever the name leads; what they lead to is learned besides.
    pub(super) fn add_given(&mut self, given: Given) {
        if self.given.values().any(|(known, _)| *known == given) {
            return;
        }
        // Never used again: an answer for a name that was taken back may still be on its way.
        let number = self.next_given;
        self.next_given = number.saturating_add(1);
        if given.name().is_some() && !self.names.follow(number, &given) {
            tracing::warn!(%given, "too many names to follow: it is asked for when it is dialled");
        }
        match named(&given) {
            Some(address) => self.tell_surely(Event::Command(Command::AddPeer(address, Purpose::Manual))),
            None => tracing::debug!(%given, "known by the addresses of its name alone"),
        }
        self.given.insert(number, (given, Vec::new()));
    }

    /// Takes back what [`add_given`](Self::add_given) did.
    pub(super) fn remove_given(&mut self, given: &Given) {
        let found = self.given.iter().find(|(_, (known, _))| known == given).map(|(number, _)| *number);
        let Some(number) = found else { return };
        self.given.remove(&number);
        self.names.forget(number);
        if let Some(address) = named(given) {
            self.complaints.settle(&address);
            self.tell_surely(Event::Command(Command::RemovePeer(address)));
        }
    }

    /// Names all of whose hosts are connected are asked for less often.
    pub(super) fn settle_names(&mut self) {
        for (number, (_, addresses)) in &self.given {
            let settled = !addresses.is_empty() && addresses.iter().all(|address| self.sessions.is_at(address));
            self.names.settle(*number, settled);
        }
    }

    /// A name was resolved, or not.
    pub(super) fn resolved(&mut self, found: names::Found) {
        match found {
            names::Found::Resolved { given, addresses } => {
                if let Some((_, known)) = self.given.get_mut(&given) {
                    known.clone_from(&addresses);
                    self.learn(addresses);
                }
            }
            names::Found::Failed { name, why, .. } => self.notice(Notice::Resolve { name, why }),
        }
    }

    /// Multicast found peers.
    pub(super) fn multicast(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else { return };
        let mut by_peer: std::collections::BTreeMap<PeerId, Vec<Multiaddr>> = std::collections::BTreeMap::new();
        // Whoever is on our network may claim what they like.
        let elsewhere = |address: &Multiaddr| matches!(address::scope(address), Some(Scope::Private | Scope::Public));
        for (peer, address) in found.into_iter().filter(|(_, address)| elsewhere(address)) {
            by_peer.entry(peer).or_default().push(address);
        }
        let mut heard = Vec::new();
        for (peer, addresses) in by_peer {
            heard.extend(self.hear(peer, addresses));
        }
        self.learn(heard);
    }

    /// A peer has introduced itself.
    pub(super) fn introduced(&mut self, peer: PeerId, info: &identify::Info, over: Option<&Multiaddr>) {
        if info.protocol_version != self.chain.network().as_ref() {
            // Multicast finds every program that uses libp2p. This one has nothing to say to us.
            tracing::debug!(%peer, network = info.protocol_version, "another network");
            self.attempts_failed(peer, &DialError::WrongChain { chain: self.chain.name.clone() });
            let _ = self.swarm.disconnect_peer_id(peer);
            return;
        }
        let meaningful = |address: &&Multiaddr| over.is_some_and(|over| address::spreads(address, over));
        let addresses: Vec<Multiaddr> = info.listen_addrs.iter().filter(meaningful).cloned().collect();
        let serves = info.protocols.contains(&self.chain.dht_protocol());
        let behaviour = self.swarm.behaviour_mut();
        if let Some(kad) = behaviour.kad.as_mut() {
            if serves {
                // Circuits come and go; whoever is reached by one serves nobody.
                for address in addresses.iter().filter(|address| address::relay_of(address).is_none()) {
                    kad.add_address(&peer, address.clone());
                }
                self.service.peer_came(&peer, std::time::Instant::now());
            } else {
                kad.remove_peer(&peer);
            }
        }
        // Also of one that is connected: the node's address book is for the next start, too.
        let found = self.hear(peer, addresses);
        self.learn(found.into_iter().collect());
    }

    /// Peers of the DHT's routing table are peers like any other.
    pub(super) fn routed(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if self.sessions.with(&peer).is_none() {
            let found = self.hear(peer, addresses);
            self.learn(found.into_iter().collect());
        }
    }

    /// Hears where a peer is. Gives the most useful address, for the node.
    fn hear(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> Option<Address> {
        if peer == *self.swarm.local_peer_id() {
            return None;
        }
        self.book.learn(peer, addresses);
        let best = self.book.addresses(&peer).first()?;
        address::of_peer(best, address::identity(&peer)?)
    }
}

/// The one address that stands for what the user named, as the node keeps it.
fn named(given: &Given) -> Option<Address> {
    match given {
        Given::Address(address) => Some(address.clone()),
        Given::Peer(identity) => {
            let bare = Multiaddr::from(Protocol::P2p(address::peer_id(identity)?));
            Some(Address { identity: Some(*identity), endpoint: Endpoint::Libp2p(address::encode(&bare)?) })
        }
        Given::Host { host, port, scheme } => {
            if host.parse::<IpAddr>().is_ok() {
                return given.addresses(&[]).pop();
            }
            let tcp = Multiaddr::from(Protocol::Dns(host.as_str().into())).with(Protocol::Tcp(*port));
            let whole = match scheme {
                Scheme::Plain => tcp,
                Scheme::WebSocket => tcp.with(Protocol::Ws("/".into())),
                Scheme::SecureWebSocket => tcp.with(Protocol::Tls).with(Protocol::Ws("/".into())),
                // Bitcoin's transport has addresses alone: those that the name leads to are learned.
                Scheme::Bitcoin => return None,
            };
            address::from_libp2p(&whole)
        }
    }
}
