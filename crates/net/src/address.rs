//! Our addresses and libp2p's: what each means, who may be told of it, and which to try first.
//!
//! | module | owns |
//! |---|---|
//! | this one | names of peers, and the translation of addresses both ways |
//! | `path` | what a multiaddr says: transport, relay, host, how far it reaches |
//! | `spread` | which addresses may be told to whom |
//! | `order` | which of a peer's addresses is tried first |
//!
//! An [`Address`] of ours holds the peer's key apart from its endpoint; libp2p writes it behind, as `/p2p/<id>`. Only ed25519
//! keys name peers of ours. Nothing here is trusted: addresses come from peers.

mod order;
mod path;
mod spread;

use std::net::{IpAddr, SocketAddr};

use libp2p::PeerId;
use libp2p::identity::PublicKey;
use libp2p::multiaddr::Protocol;
use yap_protocol::Address;
use yap_protocol::address::{Endpoint, Host, Identity, Multiaddr};

pub(crate) use order::order;
pub(crate) use path::{host_name, ip_of, is_circuit, is_localhost, over_quic, relay_of, scope, via};
pub(crate) use spread::{Near, is_whole, spreads};

/// libp2p's name of an identity; `None` if the bytes are no key.
pub(crate) fn peer_id(identity: &Identity) -> Option<PeerId> {
    crate::identity::public(identity).map(|key| key.to_peer_id())
}

/// The identity that libp2p's name holds; `None` if it is not an ed25519 key.
pub(crate) fn identity(peer: &PeerId) -> Option<Identity> {
    let multihash = peer.as_ref();
    // The identity multihash: the name holds the key itself.
    let key = (multihash.code() == 0).then(|| PublicKey::try_decode_protobuf(multihash.digest()).ok()).flatten()?;
    key.try_into_ed25519().ok().map(|key| Identity(key.to_bytes()))
}

/// What libp2p dials for an address, with `/p2p/<id>` behind it if the key is known. `None` for Bitcoin's transport (see
/// [`socket`]), and if the bytes are no multiaddr, the key is none, or the endpoint names another peer than the key.
pub(crate) fn to_libp2p(address: &Address) -> Option<libp2p::Multiaddr> {
    let multiaddr = match &address.endpoint {
        Endpoint::Libp2p(multiaddr) => decode(multiaddr)?,
        Endpoint::Bitcoin { .. } => return None,
    };
    match &address.identity {
        Some(identity) => multiaddr.with_p2p(peer_id(identity)?).ok(),
        None => Some(multiaddr),
    }
}

/// The address that libp2p's is, its last `/p2p/<id>` taken off as the key. `None` if it is too long or empty without the
/// id, or the peer has a key of another kind, or two peers are named at its end.
pub(crate) fn from_libp2p(multiaddr: &libp2p::Multiaddr) -> Option<Address> {
    let (place, peer) = split(multiaddr);
    let identity = match peer {
        Some(peer) => Some(identity(&peer)?),
        None => None,
    };
    if matches!(place.iter().last(), Some(Protocol::P2p(_))) {
        return None;
    }
    Some(Address { identity, endpoint: Endpoint::Libp2p(encode(&place)?) })
}

/// The same address with this peer behind it, whatever peer was. `None` as for [`from_libp2p`].
pub(crate) fn of_peer(multiaddr: &libp2p::Multiaddr, identity: Identity) -> Option<Address> {
    Some(Address { identity: Some(identity), ..from_libp2p(multiaddr)? })
}

/// A multiaddr without the `/p2p/<id>` at its end, and the id. The ids of relays stay.
pub(crate) fn split(multiaddr: &libp2p::Multiaddr) -> (libp2p::Multiaddr, Option<PeerId>) {
    let mut place = multiaddr.clone();
    match place.iter().last() {
        Some(Protocol::P2p(peer)) => {
            place.pop();
            (place, Some(peer))
        }
        _ => (place, None),
    }
}

/// Our binary multiaddr; `None` if it is empty or longer than
/// [`MAX_MULTIADDR`](yap_protocol::address::MAX_MULTIADDR).
pub(crate) fn encode(multiaddr: &libp2p::Multiaddr) -> Option<Multiaddr> {
    Multiaddr::new(multiaddr.as_ref())
}

/// libp2p's multiaddr; `None` if the bytes are none, or hold a component that libp2p does not know.
pub(crate) fn decode(multiaddr: &Multiaddr) -> Option<libp2p::Multiaddr> {
    libp2p::Multiaddr::try_from(multiaddr.as_bytes().to_vec()).ok()
}

/// Where a TCP connection of Bitcoin's transport goes; `None` for other endpoints, and for hosts that need a proxy.
pub(crate) fn socket(endpoint: &Endpoint) -> Option<SocketAddr> {
    match *endpoint {
        Endpoint::Bitcoin { host: Host::Ipv4(ip), port } => Some(SocketAddr::new(ip.into(), port)),
        Endpoint::Bitcoin { host: Host::Ipv6(ip) | Host::Cjdns(ip), port } => Some(SocketAddr::new(ip.into(), port)),
        Endpoint::Bitcoin { .. } | Endpoint::Libp2p(_) => None,
    }
}

/// The host of an IP address; IPv6 that embeds IPv4 is IPv4.
pub(crate) fn host(ip: IpAddr) -> Host {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Host::Ipv4(ip),
        IpAddr::V6(ip) => Host::Ipv6(ip),
    }
}

#[cfg(test)]
mod tests;
