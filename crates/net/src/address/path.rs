//! What a multiaddr says: transport, relay, host, how far it reaches.
//!
//! Of a circuit (`…/p2p/<relay>/p2p-circuit/…`), what leads to the relay is judged: whoever dials it connects there.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Address;
use yap_protocol::address::{Endpoint, Scope};

use crate::status::Via;

/// What a connection to that address runs on, as far as our transports go; of a circuit, the way to the relay. `None` for
/// other transports, and for `/dnsaddr`, which says it only when it is resolved.
pub(crate) fn via(multiaddr: &Multiaddr) -> Option<Via> {
    // A peer's id ends what leads to it.
    if leg(multiaddr).skip_while(|part| !matches!(part, Protocol::P2p(_))).nth(1).is_some() {
        return None;
    }
    let mut parts = leg(multiaddr).filter(|part| !matches!(part, Protocol::P2p(_)));
    match (parts.next()?, parts.next()) {
        (Protocol::Memory(_), None) => Some(Via::Memory),
        (
            Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_),
            Some(port),
        ) => over(&port, parts),
        _ => None,
    }
}

/// What runs on a port of an IP host.
fn over<'a>(port: &Protocol<'a>, rest: impl Iterator<Item = Protocol<'a>>) -> Option<Via> {
    // Three at most have a meaning: tls, sni, ws.
    let rest: Vec<_> = rest.take(4).collect();
    match (port, rest.as_slice()) {
        (Protocol::Tcp(_), []) => Some(Via::Tcp),
        (Protocol::Tcp(_), [Protocol::Ws(_)]) => Some(Via::WebSocket),
        (Protocol::Tcp(_), [Protocol::Wss(_)] | [Protocol::Tls, Protocol::Ws(_)]) => Some(Via::SecureWebSocket),
        (Protocol::Tcp(_), [Protocol::Tls, Protocol::Sni(_), Protocol::Ws(_)]) => Some(Via::SecureWebSocket),
        (Protocol::Udp(_), [Protocol::QuicV1]) => Some(Via::Quic),
        _ => None,
    }
}

/// The components up to the first relay.
pub(super) fn leg(multiaddr: &Multiaddr) -> impl Iterator<Item = Protocol<'_>> {
    multiaddr.iter().take_while(|part| !matches!(part, Protocol::P2pCircuit))
}

/// Whether it leads through a relay.
pub(crate) fn is_circuit(multiaddr: &Multiaddr) -> bool {
    multiaddr.iter().any(|part| matches!(part, Protocol::P2pCircuit))
}

/// The relay that an address leads through: whose id stands before the last `/p2p-circuit`.
pub(crate) fn relay_of(multiaddr: &Multiaddr) -> Option<PeerId> {
    let mut before = None;
    let mut relay = None;
    for part in multiaddr.iter() {
        if matches!(part, Protocol::P2pCircuit) {
            relay = before;
        }
        before = if let Protocol::P2p(peer) = part { Some(peer) } else { None };
    }
    relay
}

/// The IP address of the host that is connected to (of the relay, for a circuit), IPv4 where IPv6 embeds it.
pub(crate) fn ip_of(multiaddr: &Multiaddr) -> Option<IpAddr> {
    leg(multiaddr).find_map(|part| {
        if let Protocol::Ip4(ip) = part {
            return Some(IpAddr::V4(ip));
        }
        if let Protocol::Ip6(ip) = part { Some(IpAddr::V6(ip).to_canonical()) } else { None }
    })
}

/// How far the host that is connected to reaches (that of the relay, for a circuit). `None` if it leads nowhere:
/// unspecified, multicast, networks for tests and documents, or no host at all. The memory of this process and
/// `localhost` are loopback.
pub(crate) fn scope(multiaddr: &Multiaddr) -> Option<Scope> {
    let host = leg(multiaddr).next()?;
    let name = host_name(&host);
    if name.is_some_and(is_localhost) {
        return Some(Scope::Loopback);
    }
    let known = name.is_some() || matches!(host, Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Memory(_));
    if known { Endpoint::Libp2p(super::encode(multiaddr)?).scope() } else { None }
}

/// The name, if it is one for a resolver.
pub(crate) fn host_name<'a>(part: &'a Protocol<'_>) -> Option<&'a str> {
    let (Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) | Protocol::Dnsaddr(name)) = part else {
        return None;
    };
    Some(name)
}

/// RFC 6761, section 6.3.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

/// The same host and port by QUIC, for an address by TCP alone: which of both a node serves is known only by trying.
pub(crate) fn over_quic(address: &Address) -> Option<Address> {
    let multiaddr = super::to_libp2p(&Address { identity: None, endpoint: address.endpoint.clone() })?;
    if is_circuit(&multiaddr) || via(&multiaddr) != Some(Via::Tcp) {
        return None;
    }
    let mut parts = multiaddr.iter();
    let (host, Protocol::Tcp(port)) = (parts.next()?, parts.next()?) else { return None };
    let twin = Multiaddr::from(host).with(Protocol::Udp(port)).with(Protocol::QuicV1);
    Some(Address { identity: address.identity, endpoint: Endpoint::Libp2p(super::encode(&twin)?) })
}
