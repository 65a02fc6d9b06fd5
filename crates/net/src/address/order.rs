//! Which of a peer's addresses is tried first.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use yap_protocol::address::Scope;

use super::path::{is_circuit, leg, scope, via};
use crate::status::Via;

/// Puts the addresses of one peer in the order in which they are to be tried, and drops those that are there twice.
///
/// Straight before relayed; near before far, since what is near is fast and passes no router; QUIC, which takes one round
/// trip less, before TCP before WebSocket; IPv6, which needs no NAT, before IPv4, but not on a LAN, where it is the one
/// that fails more often. What can't be dialled comes last.
pub(crate) fn order(addresses: &mut Vec<Multiaddr>) {
    addresses.sort_by_cached_key(|address| (Rank::of(address), address.to_vec()));
    addresses.dedup();
}

/// Smaller is tried sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    relayed: bool,
    distance: u8,
    transport: u8,
    family: u8,
}

impl Rank {
    fn of(address: &Multiaddr) -> Self {
        let scope = scope(address);
        let distance = match scope {
            Some(Scope::Loopback) => 0,
            Some(Scope::Private) => 1,
            Some(Scope::Public) => 2,
            None => 3,
        };
        let transport = match via(address) {
            Some(Via::Memory) => 0,
            Some(Via::Quic) => 1,
            Some(Via::Tcp) => 2,
            Some(Via::WebSocket) => 3,
            Some(Via::SecureWebSocket) => 4,
            Some(Via::Bitcoin) | None => 5,
        };
        let six = leg(address).any(|part| matches!(part, Protocol::Ip6(_)));
        let family = u8::from(six != (scope == Some(Scope::Public)));
        Self { relayed: is_circuit(address), distance, transport, family }
    }
}
