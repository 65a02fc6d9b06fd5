//! What is heard about where peers are, from everything that finds some.
//!
//! Each finding goes three ways: into the book, for dialling; into the routing table of the DHT, if the peer serves it;
//! and to the node, which decides whom to dial. Addresses that mean nothing from where we stand go nowhere.

use libp2p::{Multiaddr, PeerId, identify, mdns};
use yap_protocol::Address;
use yap_protocol::io::Command;
use yap_protocol::link::Purpose;

use super::behaviour::Protocols;
use super::Engine;
use crate::address;
use crate::event::{Event, Notice};
use crate::find::names::News;
use crate::given::Given;

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
    pub(super) fn add_given(&mut self, given: &[Given]) {
        for given in given {
            match given.address() {
                Some(address) => self.tell(Event::Command(Command::AddPeer(address, Purpose::Manual))),
                None => tracing::warn!(%given, "not an address that can be dialled"),
            }
        }
    }

    /// A name was resolved, or not.
    pub(super) fn resolved(&mut self, news: News) {
        match news {
            News::Resolved { addresses, .. } => self.learn(addresses),
            News::Failed { name, why } => self.notice(Notice::Resolve { name, why }),
        }
    }

    /// Multicast found peers.
    pub(super) fn multicast(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else { return };
        let mut by_peer: std::collections::BTreeMap<PeerId, Vec<Multiaddr>> = std::collections::BTreeMap::new();
        for (peer, address) in found {
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
        let protocols = Protocols::of(&self.chain);
        if info.protocol_version != protocols.network() {
            return;
        }
        let meaningful = |address: &&Multiaddr| over.is_some_and(|over| address::spreads(address, over));
        let addresses: Vec<Multiaddr> = info.listen_addrs.iter().filter(meaningful).cloned().collect();
        let serves = info.protocols.contains(&protocols.kad());
        self.book.learn(peer, addresses.clone());
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
        if self.sessions.with(&peer).is_none() {
            let found = self.hear(peer, addresses);
            self.learn(found.into_iter().collect());
        }
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
        address::address(Some(peer), best)
    }
}
