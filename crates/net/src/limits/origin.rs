//! Where a connection comes from, as far as it is counted.

use std::net::{IpAddr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::address::{self, Endpoint, Group, MAX_MULTIADDR, Scope};

/// Connections that are likely in one hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Source {
    /// They come straight from one network group.
    Group(Group),
    /// They come through one relay, which decides what comes through.
    Relay(Option<PeerId>),
}

/// A host that can be banned: an IPv4 address, or the /64 of an IPv6 address, all of which a subscriber has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Host(IpAddr);

impl Host {
    pub(super) fn new(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => IpAddr::V4(ip),
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        })
    }

    /// Its address; of IPv6, that of its network.
    pub(super) const fn ip(self) -> IpAddr {
        self.0
    }

    /// The host to which an address leads straight.
    pub(super) fn of(address: &Multiaddr) -> Option<Self> {
        let relayed = address.iter().any(|part| part == Protocol::P2pCircuit);
        if relayed { None } else { address.iter().find_map(ip).map(Self::new) }
    }
}

fn ip(part: Protocol<'_>) -> Option<IpAddr> {
    if let Protocol::Ip4(ip) = part {
        Some(ip.into())
    } else if let Protocol::Ip6(ip) = part {
        Some(ip.into())
    } else {
        None
    }
}

/// Where an inbound connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) source: Source,
    /// `None` through a relay, and from what has no IP address.
    pub(super) host: Option<Host>,
    pub(super) scope: Option<Scope>,
}

impl Origin {
    /// From our address and theirs. Through a relay, ours is the relay's, and theirs a peer id alone.
    pub(super) fn new(local: &Multiaddr, remote: &Multiaddr) -> Self {
        let mut relay = None;
        for part in local {
            if let Protocol::P2p(peer) = part {
                relay = Some(peer);
            } else if part == Protocol::P2pCircuit {
                return Self { source: Source::Relay(relay), host: None, scope: None };
            }
        }
        // What leads to a host comes first, so that nothing is lost of an address that is too long to keep.
        let bytes: &[u8] = remote.as_ref();
        let short = bytes.get(..MAX_MULTIADDR).unwrap_or(bytes);
        // No transport gives an address without a byte; if one did, those would be one group.
        let endpoint = address::Multiaddr::new(short).map(Endpoint::Libp2p);
        let group = endpoint.as_ref().map_or(Group::of_number(0), Endpoint::source_group);
        let scope = endpoint.as_ref().and_then(Endpoint::scope);
        Self { source: Source::Group(group), host: Host::of(remote), scope }
    }

    /// Whether it is a program of this machine, where there is no stranger to count.
    pub(super) fn is_loopback(&self) -> bool {
        self.scope == Some(Scope::Loopback)
    }

    pub(super) fn is_relayed(&self) -> bool {
        matches!(self.source, Source::Relay(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(local: &str, remote: &str) -> Origin {
        Origin::new(&local.parse().unwrap(), &remote.parse().unwrap())
    }

    fn from(remote: &str) -> Origin {
        origin("/ip4/198.51.100.1/tcp/6001", remote)
    }

    #[test]
    fn neighbours_are_one_source_and_strangers_are_not() {
        let one = from("/ip4/11.1.2.3/tcp/4000");
        assert_eq!(one.source, from("/ip4/11.1.9.9/udp/1/quic-v1").source);
        assert_ne!(one.source, from("/ip4/11.2.2.3/tcp/4000").source);
        assert_ne!(one.host, from("/ip4/11.1.9.9/udp/1/quic-v1").host);
    }

    #[test]
    fn hosts_of_a_lan_are_sources_of_their_own() {
        assert_ne!(from("/ip4/192.168.1.2/tcp/1").source, from("/ip4/192.168.1.3/tcp/1").source);
        assert_eq!(from("/ip4/192.168.1.2/tcp/1").source, from("/ip4/192.168.1.2/tcp/2").source);
    }

    #[test]
    fn a_host_is_known_by_each_of_its_addresses() {
        let host = |text: &str| Host::of(&text.parse().unwrap());
        assert_eq!(host("/ip4/11.1.2.3/tcp/1"), host("/ip6/::ffff:11.1.2.3/tcp/2"));
        assert_eq!(host("/ip6/2a01:db8::1/tcp/1"), host("/ip6/2a01:db8::ffff:1/udp/2/quic-v1"));
        assert_ne!(host("/ip6/2a01:db8::1/tcp/1"), host("/ip6/2a01:db8:0:1::1/tcp/1"));
        assert_eq!(host("/memory/7"), None);
    }

    #[test]
    fn a_relayed_connection_comes_from_its_relay_and_from_no_host() {
        let relay = PeerId::random();
        let peer = PeerId::random();
        let local = format!("/ip4/11.1.2.3/tcp/1/p2p/{relay}/p2p-circuit");
        let origin = origin(&local, &format!("/p2p/{peer}"));
        assert_eq!(origin, Origin { source: Source::Relay(Some(relay)), host: None, scope: None });
        assert_eq!(Host::of(&local.parse().unwrap()), None);
    }

    #[test]
    fn an_endless_address_is_counted_by_its_beginning() {
        let long = format!("/ip4/11.1.2.3/tcp/4000/ws{}", "/p2p-circuit".repeat(200));
        assert_eq!(from(&long).source, from("/ip4/11.1.7.7/tcp/1").source);
    }
}
