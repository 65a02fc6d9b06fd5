//! What an address says of where it leads.

#![expect(clippy::wildcard_enum_match_arm, reason = "an address has forty kinds of parts, of which few matter here")]

use std::net::{IpAddr, SocketAddr};

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::{Endpoint, Group, Scope};

pub(super) use crate::address::is_circuit;
use crate::address::{encode, host};
use crate::status::Via;

#[cfg(test)]
mod tests;

/// The address that it begins with.
pub(super) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

/// The address and the port, of TCP or UDP, that it begins with.
pub(super) fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    match address.iter().nth(1)? {
        Protocol::Tcp(port) | Protocol::Udp(port) => Some(SocketAddr::new(ip(address)?, port)),
        _ => None,
    }
}

/// The relay that it leads through.
pub(super) fn relay(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

/// What comes before the first peer or circuit in an address: where its first hop is.
pub(super) fn first(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_) | Protocol::P2pCircuit)).collect()
}

/// The address without the peer at its end.
pub(super) fn bare(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// How far an address of a host reaches; `None` if it leads nowhere, or not without the name of an interface, as IPv6
/// addresses of one link do (RFC 4291, section 2.5.6).
pub(super) fn scope_of(ip: IpAddr) -> Option<Scope> {
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if is_link_local { None } else { host(ip).scope() }
}

/// How far an address reaches, a circuit as far as its relay; `None` if that is not known, or it leads nowhere.
pub(super) fn scope(address: &Multiaddr) -> Option<Scope> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => scope_of(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => scope_of(IpAddr::V6(ip)),
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Memory(_) => endpoint(address)?.scope(),
        _ => None,
    }
}

/// The node's form of it; `None` if it is too long for a node to pass on.
fn endpoint(address: &Multiaddr) -> Option<Endpoint> {
    encode(address).map(Endpoint::Libp2p)
}

/// Hosts that are likely in one hand.
pub(super) fn group(address: &Multiaddr) -> Group {
    endpoint(address).map_or(Group::of_number(0), |endpoint| endpoint.source_group())
}

/// Whether two addresses are on one link, as far as that can be told without its mask: IPv4 by /24, IPv6 by /64.
pub(super) fn is_near(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.to_bits() >> 8 == other.to_bits() >> 8,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

/// What a connection runs on. For a circuit: what leads to the relay, as far as the address tells.
pub(super) fn via(point: &ConnectedPoint) -> Via {
    let local = match point {
        ConnectedPoint::Dialer { .. } => None,
        ConnectedPoint::Listener { local_addr, .. } => Some(local_addr),
    };
    let parts = || point.get_remote_address().iter().chain(local.into_iter().flat_map(Multiaddr::iter));
    let has = |test: fn(&Protocol<'_>) -> bool| parts().any(|part| test(&part));
    if has(|part| matches!(part, Protocol::Wss(_)))
        || (has(|part| matches!(part, Protocol::Ws(_))) && has(|part| *part == Protocol::Tls))
    {
        Via::SecureWebSocket
    } else if has(|part| matches!(part, Protocol::Ws(_))) {
        Via::WebSocket
    } else if has(|part| matches!(part, Protocol::QuicV1 | Protocol::Quic)) {
        Via::Quic
    } else if has(|part| matches!(part, Protocol::Memory(_))) {
        Via::Memory
    } else {
        Via::Tcp
    }
}
