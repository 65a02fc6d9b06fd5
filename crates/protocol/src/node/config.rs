//! What a node is told when it starts.

use crate::message::Services;
use crate::{blocks, handshake, headers, keepalive, peers, relay};

/// What a node serves and asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Every block, and transactions.
    Full,
    /// The newest blocks, and transactions.
    Pruned,
    /// Blocks alone: asks for no transactions, and makes none known but its own.
    BlockOnly,
}

/// What each machine is told.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What we say of ourselves.
    pub handshake: handshake::Config,
    /// How patient we are.
    pub keepalive: keepalive::Config,
    /// Which peers are wanted.
    pub peers: peers::Config,
    /// How headers are asked for.
    pub headers: headers::Config,
    /// How blocks are asked for and made known.
    pub blocks: blocks::Config,
    /// How transactions are.
    pub relay: relay::Config,
}

impl Config {
    /// What suits a role; everything else as by default.
    #[must_use]
    pub fn of(role: Role) -> Self {
        let mut config = Self::default();
        let recent = Services::NETWORK_LIMITED.with(Services::WITNESS);
        let services = match role {
            Role::Full | Role::BlockOnly => recent.with(Services::NETWORK),
            Role::Pruned => recent,
        };
        config.handshake.services = services;
        config.peers.services = services;
        config.relay.relay = role != Role::BlockOnly;
        config.handshake.relay = config.relay.relay;
        config
    }
}
