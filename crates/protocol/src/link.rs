//! One connection, as the driver describes it.

use std::fmt;

use crate::address::{Address, Identity};

/// Names one connection. The driver numbers them and never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// They did.
    Inbound,
    /// We did.
    Outbound,
}

/// What carries the messages (design D2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carrier {
    /// A libp2p stream: identified, encrypted, and with room for messages that Bitcoin lacks.
    Libp2p,
    /// Bitcoin's own transport.
    Bitcoin,
}

/// Why we dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A peer for everything.
    Full,
    /// A peer for blocks alone: tells neither addresses nor transactions, so it is hard to map from outside.
    BlockOnly,
    /// To see whether an address is any good; parts after the handshake.
    Feeler,
    /// To ask for addresses; parts when they came.
    Seed,
    /// The user named this peer.
    Manual,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Who opened it.
    pub direction: Direction,
    /// What carries it.
    pub carrier: Carrier,
    /// Where the other end is: what was dialled, or what the connection came from (its port then says nothing).
    pub address: Address,
    /// The other end's key, as the transport proved it. Bitcoin's transport proves none.
    pub identity: Option<Identity>,
    /// Why we dialled; for inbound connections, `None`.
    pub purpose: Option<Purpose>,
}
