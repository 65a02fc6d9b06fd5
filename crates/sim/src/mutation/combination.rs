//! Two changes in one block: which rule is named shows the order in which rules are looked at.

use bitcoin::{Block, TxMerkleNode, hashes::Hash as _};

use super::{Case, Mutation};
use crate::builder::{Builder, solve};

impl Case {
    /// A block with this case's change and the other's: the header of the one whose header was changed, the coinbase
    /// of the one whose coinbase was, and the transactions of both, which may well spend the same coins.
    ///
    /// The builder must not have moved on since. `None` if one of them is no block, or the bytes are the change.
    #[must_use]
    pub fn with(&self, other: &Self, builder: &mut Builder) -> Option<Block> {
        let (one, two) = (self.block.as_ref()?, other.block.as_ref()?);
        let (header, content) = match (self.mutation, other.mutation) {
            (Mutation::Raw(_), _) | (_, Mutation::Raw(_)) => return None,
            (Mutation::Header(_), _) => (one.header, two),
            (_, Mutation::Header(_)) => (two.header, one),
            // The Merkle root and the commitment would cover what these leave out.
            (Mutation::Merkle(_) | Mutation::Witness(_), _) | (_, Mutation::Merkle(_) | Mutation::Witness(_)) => {
                return None;
            }
            _ => return Some(merged(one, two, other.mutation, builder)),
        };
        let mut block = Block { header, txdata: content.txdata.clone() };
        block.header.merkle_root = content.header.merkle_root;
        if self.is_solvable() && other.is_solvable() {
            solve(&mut block.header);
        }
        Some(block)
    }

    /// Whether the header keeps a target that can be met.
    fn is_solvable(&self) -> bool {
        use super::Header::{BitsAboveLimit, BitsNegative, BitsOverflow, BitsZero, HighHash};
        let hopeless = [BitsAboveLimit, BitsNegative, BitsOverflow, BitsZero, HighHash];
        !hopeless.iter().any(|header| self.mutation == Mutation::Header(*header))
    }
}

/// The transactions of both, under one coinbase, with a commitment to all.
fn merged(one: &Block, two: &Block, second: Mutation, builder: &mut Builder) -> Block {
    let mut draft = builder.draft();
    for transaction in one.txdata.iter().chain(&two.txdata).filter(|transaction| !transaction.is_coinbase()) {
        draft.push(transaction.clone());
    }
    let source = if matches!(second, Mutation::Coinbase(_)) { two } else { one };
    if let Some(coinbase) = source.coinbase().filter(|transaction| transaction.is_coinbase()) {
        draft.coinbase = coinbase.clone();
        draft.coinbase.input[0].witness.clear();
    }
    draft.header.merkle_root = TxMerkleNode::all_zeros();
    builder.seal(draft)
}
