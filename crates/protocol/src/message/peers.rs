//! `addr`, `addrv2`: where other peers are.

use crate::address::Host;
use crate::time::Timestamp;

use super::version::Services;

/// Most addresses in one message (BIP-0155).
pub const MAX_ADDRESSES: usize = 1000;

/// A host, of a network that we know or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkId {
    /// One that can be kept and passed on.
    Known(Host),
    /// One of a network that we don't know, or that is gone, such as Tor v2. Passed over.
    Other(u8),
    /// No address, as in `version` from peers that don't tell.
    None,
}

/// An address in `addr` or `addrv2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAddress {
    /// When the sender last heard of it.
    pub seen: Timestamp,
    /// What it is said to offer.
    pub services: Services,
    /// Its host.
    pub host: NetworkId,
    /// Its TCP port.
    pub port: u16,
}
