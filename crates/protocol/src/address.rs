//! Where a peer is, and who it is.
//!
//! A peer of ours is known by its key and reached at any of its [`Endpoint`]s; a Bitcoin node has an endpoint alone.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

mod display;
mod group;
mod multiaddr;
#[cfg(test)]
mod tests;

pub use group::{Group, Scope};

/// A peer's ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(pub [u8; 32]);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(")?;
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

/// A host of a network that BIP-0155 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Host {
    /// IPv4.
    Ipv4(Ipv4Addr),
    /// IPv6, but not those that embed IPv4.
    Ipv6(Ipv6Addr),
    /// Tor v3: the service's public key.
    Tor([u8; 32]),
    /// I2P: the hash of the destination.
    I2p([u8; 32]),
    /// CJDNS.
    Cjdns(Ipv6Addr),
}

/// Most bytes of a multiaddr that is kept or passed on. Circuit addresses with two peer ids take about 120.
pub const MAX_MULTIADDR: usize = 256;

/// A libp2p multiaddr in binary, at most [`MAX_MULTIADDR`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiaddr(Box<[u8]>);

impl Multiaddr {
    /// `bytes`, or `None` if they are too many or none. Whether they mean anything is for the driver to know.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=MAX_MULTIADDR).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One way to reach a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Bitcoin's transport.
    Bitcoin {
        /// The host.
        host: Host,
        /// The TCP port.
        port: u16,
    },
    /// libp2p.
    Libp2p(Multiaddr),
}

/// What can be dialled, and what a peer is filed under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The key that must answer there, if it is known.
    pub identity: Option<Identity>,
    /// Where. A peer with several has one address for each.
    pub endpoint: Endpoint,
}
