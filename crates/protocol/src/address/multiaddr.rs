//! The components of a binary multiaddr, as far as they tell where it leads.
//!
//! Codes and sizes are those of the multiformats table (<https://github.com/multiformats/multicodec>, `multiaddr`).
//! Reading stops at the first component that is not known, since its length is not known either.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bitcoin::base58;

use super::Multiaddr;

/// A component that says where an address leads, or how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Component<'a> {
    /// `/ip4`.
    Ip4(Ipv4Addr),
    /// `/ip6`.
    Ip6(Ipv6Addr),
    /// `/ip6zone`.
    Zone(&'a [u8]),
    /// `/dns`, `/dns4`, `/dns6`, `/dnsaddr`: which, and the name.
    Name(&'static str, &'a [u8]),
    /// `/onion3`: the service's public key (its checksum is passed over) and the port.
    Onion([u8; 32], u16),
    /// `/tcp`.
    Tcp(u16),
    /// `/udp`.
    Udp(u16),
    /// `/memory`: a channel within one process.
    Memory(u64),
    /// `/p2p`: a peer's id, as a multihash.
    Peer(&'a [u8]),
    /// `/certhash`.
    Certificate(&'a [u8]),
    /// A component that has a name alone.
    Flag(&'static str),
}

/// The components in order, up to the first that can't be read.
#[derive(Clone, Debug)]
pub(super) struct Components<'a> {
    rest: &'a [u8],
}

impl Multiaddr {
    /// The components.
    pub(super) fn components(&self) -> Components<'_> {
        Components { rest: self.as_bytes() }
    }
}

impl<'a> Components<'a> {
    /// An unsigned LEB128 number of at most five bytes.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.bytes(length)
    }

    fn onion(&mut self) -> Option<Component<'a>> {
        let key = self.array()?;
        // Two bytes of checksum and one of version.
        self.bytes(3)?;
        Some(Component::Onion(key, u16::from_be_bytes(self.array()?)))
    }

    fn component(&mut self) -> Option<Component<'a>> {
        Some(match self.varint()? {
            4 => Component::Ip4(Ipv4Addr::from(self.array::<4>()?)),
            41 => Component::Ip6(Ipv6Addr::from(self.array::<16>()?)),
            42 => Component::Zone(self.sized()?),
            53 => Component::Name("dns", self.sized()?),
            54 => Component::Name("dns4", self.sized()?),
            55 => Component::Name("dns6", self.sized()?),
            56 => Component::Name("dnsaddr", self.sized()?),
            6 => Component::Tcp(u16::from_be_bytes(self.array()?)),
            273 => Component::Udp(u16::from_be_bytes(self.array()?)),
            445 => self.onion()?,
            777 => Component::Memory(u64::from_be_bytes(self.array()?)),
            421 => Component::Peer(self.sized()?),
            466 => Component::Certificate(self.sized()?),
            280 => Component::Flag("webrtc-direct"),
            290 => Component::Flag("p2p-circuit"),
            448 => Component::Flag("tls"),
            454 => Component::Flag("noise"),
            460 => Component::Flag("quic"),
            461 => Component::Flag("quic-v1"),
            465 => Component::Flag("webtransport"),
            477 => Component::Flag("ws"),
            478 => Component::Flag("wss"),
            _ => return None,
        })
    }
}

impl<'a> Iterator for Components<'a> {
    type Item = Component<'a>;

    fn next(&mut self) -> Option<Component<'a>> {
        let mut ahead = self.clone();
        let component = ahead.component()?;
        *self = ahead;
        Some(component)
    }
}

impl fmt::Display for Component<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip4(ip) => write!(f, "/ip4/{ip}"),
            Self::Ip6(ip) => write!(f, "/ip6/{ip}"),
            Self::Zone(zone) => write!(f, "/ip6zone/{}", zone.escape_ascii()),
            Self::Name(kind, name) => write!(f, "/{kind}/{}", name.escape_ascii()),
            Self::Onion(key, port) => {
                f.write_str("/onion3/")?;
                super::display::base32(key, f)?;
                write!(f, ":{port}")
            }
            Self::Tcp(port) => write!(f, "/tcp/{port}"),
            Self::Udp(port) => write!(f, "/udp/{port}"),
            Self::Memory(channel) => write!(f, "/memory/{channel}"),
            Self::Peer(id) => write!(f, "/p2p/{}", base58::encode(id)),
            Self::Certificate(hash) => write!(f, "/certhash/{}", base58::encode(hash)),
            Self::Flag(name) => write!(f, "/{name}"),
        }
    }
}

/// As multiaddrs are written. What comes after a component that is not known shows as `/…`, and a Tor service by its
/// key without the checksum.
impl fmt::Display for Multiaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut components = self.components();
        components.by_ref().try_for_each(|component| component.fmt(f))?;
        if components.rest.is_empty() { Ok(()) } else { f.write_str("/…") }
    }
}
