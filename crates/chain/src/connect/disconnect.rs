//! Taking a block back.

use bitcoin::OutPoint;

use super::Changes;
use super::made::{Found, Made};
use crate::block::Block;
use crate::coin::Coin;
use crate::transaction::Transaction;
use crate::undo::Undo;

/// How undo data and a block don't belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It is for another number of transactions.
    #[error("undo data for {undo} transactions of a block with {block}, not counting the coinbase")]
    Transactions {
        /// How many the block has, not counting the coinbase.
        block: usize,
        /// How many the undo data has.
        undo: usize,
    },
    /// It holds another number of coins than the transaction has inputs.
    #[error("undo data with {coins} coins for the {inputs} inputs of transaction {index}")]
    Inputs {
        /// The transaction's index in the block.
        index: usize,
        /// Its inputs.
        inputs: usize,
        /// The coins in the undo data.
        coins: usize,
    },
    /// The coin is not the one that the block made, or is younger than the block.
    #[error("undo data has a coin for {outpoint} that the block can't have spent")]
    Coin {
        /// What the input spends.
        outpoint: OutPoint,
    },
}

/// The inverse of [`connect`](super::connect) for a block at `height`: what takes it out of the set again. `seed` is as
/// in [`Context`](super::Context).
///
/// Two pairs of Bitcoin's coinbases are equal (BIP-0030), and connecting the second overwrote the first. As in Bitcoin
/// Core, disconnecting the second does not bring the first back; then the changes for the block of the first remove
/// coins that the set does not have.
///
/// # Errors
/// If `undo` is not what connecting `block` gave.
pub fn disconnect(block: &Block, undo: &Undo, height: u32, seed: u64) -> Result<Changes, Mismatch> {
    // The genesis block is never connected.
    let transactions = if height == 0 { &[] } else { block.transactions() };
    let spending = transactions.get(1..).unwrap_or_default();
    if spending.len() != undo.transactions.len() {
        return Err(Mismatch::Transactions { block: spending.len(), undo: undo.transactions.len() });
    }
    let inputs = spending.iter().map(|transaction| transaction.decoded().input.len());
    let mut created = Vec::with_capacity(inputs.fold(0, usize::saturating_add));
    let mut made = Made::new(transactions, height, seed);
    made.add_next();
    for (index, (transaction, spent)) in (1..).zip(spending.iter().zip(&undo.transactions)) {
        fits(index, transaction, spent)?;
        for (input, coin) in transaction.decoded().input.iter().zip(spent.iter()) {
            let outpoint = input.previous_output;
            match made.take(&outpoint) {
                Found::Here(own) if own == *coin => {}
                Found::Elsewhere if coin.height < height => created.push((outpoint, coin.clone())),
                Found::Here(_) | Found::Elsewhere | Found::Nowhere => return Err(Mismatch::Coin { outpoint }),
            }
        }
        made.add_next();
    }
    Ok(Changes { removed: made.left().map(|(outpoint, ..)| outpoint).collect(), created })
}

fn fits(index: usize, transaction: &Transaction, spent: &[Coin]) -> Result<(), Mismatch> {
    let (inputs, coins) = (transaction.decoded().input.len(), spent.len());
    if inputs == coins { Ok(()) } else { Err(Mismatch::Inputs { index, inputs, coins }) }
}
