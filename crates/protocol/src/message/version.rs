//! `version`: what a peer says of itself first.

use crate::time::Timestamp;

use super::peers::NetworkId;

/// The version of Bitcoin's protocol that we speak: with `wtxidrelay`.
pub const PROTOCOL_VERSION: u32 = 70016;

/// What a peer offers, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Services(pub u64);

impl Services {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// All blocks.
    pub const NETWORK: Self = Self(1);
    /// Blocks and transactions with witnesses (BIP-0144).
    pub const WITNESS: Self = Self(1 << 3);
    /// Compact block filters (BIP-0157).
    pub const COMPACT_FILTERS: Self = Self(1 << 6);
    /// The last 288 blocks (BIP-0159).
    pub const NETWORK_LIMITED: Self = Self(1 << 10);
    /// Encrypted transport (BIP-0324).
    pub const P2P_V2: Self = Self(1 << 11);

    /// Both these and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Most bytes of a user agent (BIP-0014).
pub const MAX_USER_AGENT: usize = 256;

/// The message `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The sender's version of the protocol.
    pub version: u32,
    /// What the sender offers.
    pub services: Services,
    /// The sender's clock.
    pub timestamp: Timestamp,
    /// How the sender sees the receiver: its services as far as it knows, and its address.
    pub receiver: (Services, NetworkId, u16),
    /// A number by which the sender knows a connection to itself.
    pub nonce: u64,
    /// The sender's program (BIP-0014), at most [`MAX_USER_AGENT`] bytes.
    pub user_agent: Box<str>,
    /// The height of the sender's tip. Nothing is decided on it.
    pub start_height: i32,
    /// Whether transactions may be announced (BIP-0037).
    pub relay: bool,
}
