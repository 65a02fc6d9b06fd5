//! What is told of how we are reached: to peers, and to the user.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use yap_protocol::address::{Identity, Scope};

use super::evidence::Source;
use super::{Advertised, State, place};
use crate::address;
use crate::status::Reach;

/// Addresses of each kind that are told to peers.
pub(crate) const MAX_ADVERTISED: usize = 16;

impl State {
    /// Where we are reached, as far as is known.
    pub(super) fn advertised(&self) -> Advertised {
        let mut told = Advertised::default();
        for known in self.evidence.confirmed(Scope::Public) {
            self.add_with_websocket(&mut told.everywhere, &known.address);
        }
        for listening in self.listening.keys() {
            match place::scope(listening) {
                // One that nobody has tested may do.
                Some(Scope::Public) if !self.is_private() && !self.evidence.has_failed(listening) => {
                    add(&mut told.everywhere, listening);
                }
                Some(Scope::Private) => add(&mut told.nearby, listening),
                Some(Scope::Public | Scope::Loopback) | None => {}
            }
        }
        for known in self.evidence.confirmed(Scope::Private) {
            self.add_with_websocket(&mut told.nearby, &known.address);
        }
        for circuit in self.relays.held().flat_map(|reservation| &reservation.addresses) {
            let list =
                if place::scope(circuit) == Some(Scope::Public) { &mut told.everywhere } else { &mut told.nearby };
            add(list, circuit);
        }
        told
    }

    /// Adds an address, and, if it is of TCP, those of WebSocket on the same port that we listen on.
    fn add_with_websocket(&self, list: &mut Vec<Multiaddr>, address: &Multiaddr) {
        add(list, address);
        if !matches!(address.iter().last(), Some(Protocol::Tcp(_))) {
            return;
        }
        for suffix in [[None, Some(Protocol::Ws("/".into()))], [Some(Protocol::Tls), Some(Protocol::Ws("/".into()))]] {
            let suffix: Vec<Protocol<'_>> = suffix.into_iter().flatten().collect();
            let listens = self.listening.keys().any(|listening| listening.iter().skip(2).eq(suffix.iter().cloned()));
            if listens {
                add(list, &suffix.into_iter().fold(address.clone(), Multiaddr::with));
            }
        }
    }

    /// How we are reached, for the user.
    pub(super) fn standing(&self) -> Reach {
        let texts = |scope| {
            let mut texts: Vec<String> =
                self.evidence.confirmed(scope).map(|known| known.address.to_string()).collect();
            texts.sort_unstable();
            texts
        };
        if self.is_public() {
            let mapped = self.evidence.confirmed(Scope::Public).any(|known| known.source == Source::Mapped);
            return Reach::Public { addresses: texts(Scope::Public), mapped };
        }
        let mut through: Vec<Identity> =
            self.relays.held().filter_map(|reservation| address::identity(&reservation.relay)).collect();
        if !through.is_empty() {
            through.sort_unstable();
            return Reach::Relayed { through };
        }
        if self.is_private() {
            return Reach::Hidden;
        }
        let local = texts(Scope::Private);
        if local.is_empty() { Reach::Unknown } else { Reach::Local { addresses: local } }
    }
}

fn add(list: &mut Vec<Multiaddr>, address: &Multiaddr) {
    if list.len() < MAX_ADVERTISED && !list.contains(address) {
        list.push(address.clone());
    }
}
