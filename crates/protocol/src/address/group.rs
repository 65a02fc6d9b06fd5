//! How far an address reaches, and which addresses are likely in one hand.
//!
//! Whoever rents one machine often can rent its neighbours, so addresses are counted by [`Group`] rather than one by
//! one: IPv4 by /16 and IPv6 by /32, as Bitcoin Core does (`netgroup.cpp`). Networks whose addresses cost nothing (Tor,
//! I2P, CJDNS, names) have 16 groups each. On a LAN or one machine there is no stranger to count, and everything would
//! be one group; there every host, and on loopback every port, is a group of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use bitcoin::hashes::siphash24;

use super::multiaddr::Component;
use super::{Address, Endpoint, Host, Multiaddr};

/// How far an address reaches, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// This network: RFC 1918, 3927, 4193, 4862, 6598.
    Private,
    /// Everywhere.
    Public,
}

/// Addresses that are likely in one hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(u64);

impl Group {
    /// The group as a number, for hashing.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The group of a number that [`number`](Self::number) gave.
    #[must_use]
    pub const fn of_number(number: u64) -> Self {
        Self(number)
    }

    const fn new(kind: u64, value: u64) -> Self {
        Self(kind << 56 | value & 0x00ff_ffff_ffff_ffff)
    }
}

const IPV4: u64 = 1;
const IPV6: u64 = 2;
const TOR: u64 = 3;
const I2P: u64 = 4;
const CJDNS: u64 = 5;
const LAN: u64 = 6;
const LOOPBACK: u64 = 7;
const NAME: u64 = 8;
const MEMORY: u64 = 9;
const OTHER: u64 = 10;

/// What addresses and groups are taken from: a host of any kind, and its port.
enum Place {
    Host(Host),
    Name(u64),
    Memory(u64),
    Other(u64),
}

fn number(bytes: &[u8]) -> u64 {
    siphash24::Hash::hash_to_u64_with_keys(0, 0, bytes)
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), translated (6052, 6145), 6to4 (3964), Teredo
/// (4380). Otherwise whoever has one IPv4 address would have many groups.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0x2002, _) => Some(joined(b, c)),
        (0x2001, 0) => Some(joined(!g, !h)),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(joined(g, h)),
        (0, 0) if [c, d] == [0; 2] && (e, f) == (0, 0xffff) => Some(joined(g, h)),
        (0, 0) if [c, d] == [0; 2] && (e, f) == (0xffff, 0) => Some(joined(g, h)),
        _ => None,
    }
}

fn scope_v4(ip: Ipv4Addr) -> Option<Scope> {
    let [a, b, ..] = ip.octets();
    if ip.is_loopback() {
        return Some(Scope::Loopback);
    }
    // RFC 2544 is for measuring, RFC 5737 for documents; 240/4 was never given out.
    let nowhere = a == 0 || a >= 224 || ip.is_documentation() || (a == 198 && b & 0xfe == 18);
    if nowhere {
        return None;
    }
    let near = ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64);
    Some(if near { Scope::Private } else { Scope::Public })
}

fn scope_v6(ip: Ipv6Addr) -> Option<Scope> {
    if let Some(ip) = embedded(ip) {
        return scope_v4(ip);
    }
    let [a, b, ..] = ip.segments();
    if ip.is_loopback() {
        return Some(Scope::Loopback);
    }
    // RFC 3849 is for documents; RFC 4843 and 7343 are hashes and no addresses.
    let nowhere = ip.is_unspecified() || ip.is_multicast() || (a == 0x2001 && matches!(b, 0xdb8 | 0x10..=0x2f));
    if nowhere {
        return None;
    }
    Some(if a & 0xffc0 == 0xfe80 || a & 0xfe00 == 0xfc00 { Scope::Private } else { Scope::Public })
}

impl Host {
    /// How far the host's address reaches; `None` if it leads nowhere.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self {
            Self::Ipv4(ip) => scope_v4(*ip),
            Self::Ipv6(ip) => scope_v6(*ip),
            Self::Tor(_) | Self::I2p(_) => Some(Scope::Public),
            Self::Cjdns(ip) => (ip.octets().first() == Some(&0xfc)).then_some(Scope::Public),
        }
    }

    /// Whether the host can be reached from everywhere.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        self.scope() == Some(Scope::Public)
    }

    fn group(&self, port: u16) -> Group {
        let near = |bytes: &[u8]| match self.scope() {
            Some(Scope::Loopback) => Some(Group::new(LOOPBACK, number(bytes).wrapping_add(u64::from(port)))),
            Some(Scope::Private) | None => Some(Group::new(LAN, number(bytes))),
            Some(Scope::Public) => None,
        };
        match self {
            Self::Ipv4(ip) => near(&ip.octets()).unwrap_or_else(|| group_v4(*ip)),
            Self::Ipv6(ip) => near(&ip.octets()).unwrap_or_else(|| group_v6(*ip)),
            Self::Tor(key) => Group::new(TOR, first_bits(key)),
            Self::I2p(hash) => Group::new(I2P, first_bits(hash)),
            // All begin with fc; the four bits after it count.
            Self::Cjdns(ip) => Group::new(CJDNS, first_bits(ip.octets().get(1..).unwrap_or_default())),
        }
    }
}

fn first_bits(bytes: &[u8]) -> u64 {
    bytes.first().map_or(0, |byte| u64::from(byte >> 4))
}

fn group_v4(ip: Ipv4Addr) -> Group {
    Group::new(IPV4, u64::from(ip.to_bits() >> 16))
}

fn group_v6(ip: Ipv6Addr) -> Group {
    if let Some(ip) = embedded(ip) {
        return group_v4(ip);
    }
    let bits = ip.to_bits();
    // Hurricane Electric gives a /48 of 2001:470::/32 to whoever asks, so there /36 counts.
    let prefix = if bits >> 96 == 0x2001_0470 { bits >> 92 } else { bits >> 96 << 4 };
    Group::new(IPV6, u64::try_from(prefix).unwrap_or(0))
}

impl Multiaddr {
    /// The first place that the address names, and the port there. For a circuit that is the relay, since whoever runs
    /// it decides what comes through.
    fn place(&self) -> (Place, u16) {
        let mut place = None;
        let mut port = None;
        for component in self.components() {
            let found = match component {
                Component::Ip4(ip) => Place::Host(Host::Ipv4(ip)),
                Component::Ip6(ip) => Place::Host(Host::Ipv6(ip)),
                Component::Name(_, name) => Place::Name(number(name)),
                Component::Memory(channel) => Place::Memory(channel),
                Component::Onion(key, onion) => {
                    port = port.or(Some(onion));
                    Place::Host(Host::Tor(key))
                }
                Component::Tcp(found) | Component::Udp(found) => {
                    port = port.or(Some(found));
                    continue;
                }
                Component::Peer(_) | Component::Flag(_) | Component::Certificate(_) | Component::Zone(_) => continue,
            };
            place = place.or(Some(found));
        }
        (place.unwrap_or_else(|| Place::Other(number(self.as_bytes()))), port.unwrap_or(0))
    }

    /// The first host that the address names by number.
    #[must_use]
    pub fn host(&self) -> Option<Host> {
        match self.place().0 {
            Place::Host(host) => Some(host),
            Place::Name(_) | Place::Memory(_) | Place::Other(_) => None,
        }
    }
}

impl Endpoint {
    fn place(&self) -> (Place, u16) {
        match self {
            Self::Bitcoin { host, port } => (Place::Host(host.clone()), *port),
            Self::Libp2p(multiaddr) => multiaddr.place(),
        }
    }

    /// The host, if it is named by number.
    #[must_use]
    pub fn host(&self) -> Option<Host> {
        match self {
            Self::Bitcoin { host, .. } => Some(host.clone()),
            Self::Libp2p(multiaddr) => multiaddr.host(),
        }
    }

    /// How far the endpoint reaches; `None` if it leads nowhere. Names are taken to reach everywhere.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self.place().0 {
            Place::Host(host) => host.scope(),
            Place::Name(_) | Place::Other(_) => Some(Scope::Public),
            Place::Memory(_) => Some(Scope::Loopback),
        }
    }

    /// Whether the endpoint can be reached from everywhere.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        self.scope() == Some(Scope::Public)
    }

    /// The group for whatever is dialled: on loopback, ports count.
    #[must_use]
    pub fn group(&self) -> Group {
        let (place, port) = self.place();
        place.group(port)
    }

    /// The group for whatever came in, whose port says nothing.
    #[must_use]
    pub fn source_group(&self) -> Group {
        self.place().0.group(0)
    }
}

impl Place {
    fn group(&self, port: u16) -> Group {
        match self {
            Self::Host(host) => host.group(port),
            Self::Name(name) => Group::new(NAME, name & 15),
            Self::Memory(channel) => Group::new(MEMORY, *channel),
            Self::Other(other) => Group::new(OTHER, other & 15),
        }
    }
}

impl Address {
    /// The group for whatever is dialled (see [`Endpoint::group`]).
    #[must_use]
    pub fn group(&self) -> Group {
        self.endpoint.group()
    }

    /// How far the address reaches; `None` if it leads nowhere.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        self.endpoint.scope()
    }

    /// Whether the address can be reached from everywhere.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        self.endpoint.is_routable()
    }
}
