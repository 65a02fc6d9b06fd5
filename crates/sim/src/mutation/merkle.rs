//! Transactions that the header doesn't commit to, or commits to ambiguously.

use bitcoin::TxMerkleNode;
use bitcoin::hashes::Hash as _;

use super::{Changed, Expected, Plan};
use crate::builder::solve;

/// A change to which transactions are in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merkle {
    /// The root is of other transactions.
    OtherRoot,
    /// The last of an odd number of transactions is repeated, which leaves the root as it was (CVE-2012-2459).
    LastRepeated,
    /// The last two of a number of transactions that isn't a multiple of four are repeated (CVE-2012-2459).
    LastTwoRepeated,
    /// A transaction is missing.
    Dropped,
    /// Two transactions are swapped.
    Swapped,
    /// No transaction at all, with the root of none.
    NoTransactions,
}

impl Merkle {
    pub(super) const ALL: [Self; 6] = [
        Self::OtherRoot,
        Self::LastRepeated,
        Self::LastTwoRepeated,
        Self::Dropped,
        Self::Swapped,
        Self::NoTransactions,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Option<Changed> {
        // With the coinbase: 3 transactions, or 6.
        let count = if self == Self::LastTwoRepeated { 5 } else { 2 };
        for _ in 0..count {
            plan.pay_something()?;
        }
        let root = TxMerkleNode::from_byte_array(plan.builder.random().bytes());
        let original = plan.seal();
        let mut block = original.clone();
        match self {
            Self::OtherRoot => block.header.merkle_root = root,
            Self::LastRepeated => block.txdata.extend_from_within(2..),
            Self::LastTwoRepeated => block.txdata.extend_from_within(4..),
            Self::Dropped => block.txdata.truncate(2),
            Self::Swapped => block.txdata.swap(1, 2),
            Self::NoTransactions => {
                block.txdata.clear();
                block.header.merkle_root = TxMerkleNode::all_zeros();
            }
        }
        solve(&mut block.header);
        let same_header = block.header == original.header;
        Some(Changed { original: same_header.then_some(original), ..block.into() })
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::OtherRoot | Self::Dropped | Self::Swapped => Expected::mutated("bad-txnmrklroot"),
            Self::LastRepeated | Self::LastTwoRepeated => Expected::mutated("bad-txns-duplicate"),
            Self::NoTransactions => Expected::consensus("bad-blk-length"),
        }
    }
}
