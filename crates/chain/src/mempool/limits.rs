//! How much a pool takes, with Bitcoin Core's defaults.

use super::rate::FeeRate;

/// Transactions in one cluster (Core's `DEFAULT_CLUSTER_LIMIT`). The most that a cluster's bit sets hold.
pub const CLUSTER_COUNT: usize = super::cluster::MOST;

/// Virtual bytes of one cluster (Core's `DEFAULT_CLUSTER_SIZE_LIMIT_KVB`).
pub const CLUSTER_VSIZE: u64 = 101_000;

/// Clusters whose transactions one replacement may directly conflict with (Core's `MAX_REPLACEMENT_CANDIDATES`).
pub const REPLACED_CLUSTERS: usize = 100;

/// What a transaction's signature operations may cost: a fifth of a block's (Core's `MAX_STANDARD_TX_SIGOPS_COST`).
pub const SIGOPS_COST: usize = crate::block::MAX_SIGOPS_COST / 5;

/// Weight units that a signature operation counts for at least (Core's `DEFAULT_BYTES_PER_SIGOP`).
pub const WEIGHT_PER_SIGOP: u32 = 20;

/// Transactions whose priority an operator may have changed at one time, whether they are in the pool or not.
pub const PRIORITIES: usize = 100_000;

/// What an operator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, as [`Mempool::usage`](super::Mempool::usage) counts them.
    pub usage: usize,
    /// Seconds after which a transaction leaves.
    pub expiry: u64,
    /// What a transaction must pay at least.
    pub relay: FeeRate,
    /// What must be paid more to replace or displace others.
    pub increment: FeeRate,
    /// The price of room below which an output is dust.
    pub dust: FeeRate,
    /// Transactions in one cluster; [`CLUSTER_COUNT`] at most.
    pub cluster_count: usize,
    /// Virtual bytes of one cluster.
    pub cluster_vsize: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            usage: 300_000_000,
            expiry: 336 * 60 * 60,
            relay: FeeRate::from_sat_per_kvb(100),
            increment: FeeRate::from_sat_per_kvb(100),
            dust: FeeRate::from_sat_per_kvb(3000),
            cluster_count: CLUSTER_COUNT,
            cluster_vsize: CLUSTER_VSIZE,
        }
    }
}
