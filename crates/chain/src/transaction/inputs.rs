//! Rules about what a transaction spends: Bitcoin Core's `CheckTxInputs`, once the coins are found.

use bitcoin::Amount;

use super::check::values;
use super::{Error, Transaction};
use crate::coin::Coin;

/// Blocks from a coinbase to the first block that may spend it.
pub const COINBASE_MATURITY: u32 = 100;

/// Checks age and worth of the coins that `transaction` spends, `spent` in the order of its inputs, for a block at
/// `height`. Gives the fee.
///
/// # Errors
/// The first rule that is broken, in the order in which Bitcoin Core checks them. Its `bad-txns-fee-outofrange`
/// can't happen: both sums are in range by then, so their difference is.
pub fn fee(transaction: &Transaction, spent: &[Coin], height: u32) -> Result<Amount, Error> {
    let bitcoin::Transaction { input, output, .. } = transaction.decoded();
    let mut sum = Amount::ZERO;
    for (index, (input, coin)) in input.iter().zip(spent).enumerate() {
        let depth = height.saturating_sub(coin.height);
        if coin.coinbase && depth < COINBASE_MATURITY {
            return Err(Error::Immature { outpoint: input.previous_output, depth });
        }
        sum = sum
            .checked_add(coin.value)
            .filter(|sum| *sum <= Amount::MAX_MONEY)
            .ok_or(Error::InputsTooLarge { input: index })?;
    }
    let paid = values(output)?;
    sum.checked_sub(paid).ok_or(Error::Overspent { spent: sum, paid })
}
