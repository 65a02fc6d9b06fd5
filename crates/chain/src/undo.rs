//! The coins that a block spent: what is needed to take it back, to build its filter, and to show its fees.

pub mod codec;

use std::sync::Arc;

use crate::coin::Coin;

/// Coins spent by each transaction of a block but the coinbase, in the order of the inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undo {
    /// One entry per transaction but the coinbase; shared with the script jobs.
    pub transactions: Vec<Arc<[Coin]>>,
}
