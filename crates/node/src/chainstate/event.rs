//! What a chainstate tells whoever drives it.

use std::sync::Arc;

use yap_chain::bitcoin::BlockHash;
use yap_chain::block::Block;

use crate::reject::Reject;

/// Something happened to the ledger. Events come in the order of the changes they tell of.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A block was connected and its scripts hold (or are assumed to).
    Connected {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Transactions in it.
        transactions: u32,
        /// Its data.
        block: Arc<Block>,
    },
    /// A block that was connected is no longer part of the best chain.
    Disconnected {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A block that had been accepted turned out to break a rule when it was connected.
    Invalid {
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// The rule it breaks.
        why: Reject,
    },
}

/// What became of a block that was handed in.
#[derive(Debug)]
#[must_use]
pub enum Accepted {
    /// It was stored; whether it is connected follows as [`Event`]s.
    Stored,
    /// It was stored before.
    Known,
    /// It was refused.
    Rejected(Reject),
}
