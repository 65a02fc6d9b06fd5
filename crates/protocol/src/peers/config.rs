//! How many peers are wanted, of which kind, and who is special.

use std::time::Duration;

use crate::address::{Address, Identity};
use crate::message::Services;

/// Outbound peers for everything. Bitcoin Core's number.
pub const FULL: usize = 8;

/// Outbound peers for blocks alone. Bitcoin Core's number.
pub const BLOCK_ONLY: usize = 2;

/// Peers that may dial us: Bitcoin Core's 125 connections, less those that it dials.
pub const INBOUND: usize = 114;

/// Inbound peers of one public network group (a quarter of the room).
pub const INBOUND_PER_GROUP: usize = 28;

/// Mean wait between tries of addresses that nobody has tested. Bitcoin Core's.
pub const FEELER_INTERVAL: Duration = Duration::from_secs(120);

/// How long a ban lasts. Bitcoin Core's default.
pub const BAN: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a seed may take to answer.
pub(super) const SEED_TIMEOUT: Duration = Duration::from_secs(60);

/// What the machine is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are; `None` without a carrier that proves it. Decides between two connections with one peer.
    pub identity: Option<Identity>,
    /// How many outbound peers for everything to keep.
    pub full: usize,
    /// How many outbound peers for blocks alone to keep.
    pub block_only: usize,
    /// How many inbound peers have room.
    pub inbound: usize,
    /// How many of them one public network group may have.
    pub inbound_per_group: usize,
    /// Mean wait between tries of untested addresses; `None` for none.
    pub feelers: Option<Duration>,
    /// How long a ban lasts.
    pub ban: Duration,
    /// Where to ask for addresses when none are known.
    pub seeds: Vec<Address>,
    /// Whether we are a seed ourselves: every inbound peer that asks gets addresses, then we part.
    pub seed: bool,
    /// Whose addresses are never told to anyone.
    pub private: Vec<Address>,
    /// Who is always let in, never evicted and never banned for its score.
    pub unconditional: Vec<Address>,
    /// What we offer: told with our own addresses.
    pub services: Services,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            identity: None,
            full: FULL,
            block_only: BLOCK_ONLY,
            inbound: INBOUND,
            inbound_per_group: INBOUND_PER_GROUP,
            feelers: Some(FEELER_INTERVAL),
            ban: BAN,
            seeds: Vec::new(),
            seed: false,
            private: Vec::new(),
            unconditional: Vec::new(),
            services: Services::NETWORK.with(Services::WITNESS),
        }
    }
}
