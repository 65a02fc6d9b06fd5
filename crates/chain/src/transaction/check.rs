//! Rules of a transaction that need nothing around it: Bitcoin Core's `CheckTransaction`, in its order.

use bitcoin::{Amount, OutPoint, TxIn, TxOut};

use super::{Error, Transaction};
use crate::block::{MAX_WEIGHT, WITNESS_SCALE};

/// Bytes that the script of a coinbase's input may have.
pub const COINBASE_SCRIPT: std::ops::RangeInclusive<usize> = 2..=100;

/// Up to this many inputs each is compared with each, which beats sorting and allocates nothing.
const FEW_INPUTS: usize = 16;

/// Checks every rule that needs no context.
///
/// # Errors
/// The first rule that is broken, in the order in which Bitcoin Core checks them.
pub fn check(transaction: &Transaction) -> Result<(), Error> {
    let bitcoin::Transaction { input, output, .. } = transaction.decoded();
    if input.is_empty() {
        return Err(Error::NoInputs);
    }
    if output.is_empty() {
        return Err(Error::NoOutputs);
    }
    size(transaction.base_size())?;
    values(output)?;
    distinct(input)?;
    if transaction.is_coinbase() { coinbase_script(input) } else { no_null(input) }
}

/// What the outputs are worth together.
///
/// # Errors
/// If one, or their sum, is outside of 0 to 21 million coins.
pub fn values(outputs: &[TxOut]) -> Result<Amount, Error> {
    let mut total = Amount::ZERO;
    for (output, TxOut { value, .. }) in outputs.iter().enumerate() {
        // The field is signed in Bitcoin: the upper half of our numbers are its negative ones.
        let signed = value.to_sat().cast_signed();
        if signed < 0 {
            return Err(Error::NegativeOutput { output, value: signed });
        }
        if *value > Amount::MAX_MONEY {
            return Err(Error::OutputTooLarge { output, value: *value });
        }
        // CVE-2010-5139: two outputs whose sum overflowed made 184 billion coins. Neither term is above MAX_MONEY
        // here, so the sum can't overflow, and a saturated one would be refused.
        total = total.checked_add(*value).unwrap_or(Amount::MAX);
        if total > Amount::MAX_MONEY {
            return Err(Error::OutputsTooLarge { output, total });
        }
    }
    Ok(total)
}

/// The witness does not count: it is not known yet to be the one that the block commits to.
fn size(base_size: usize) -> Result<(), Error> {
    if base_size.saturating_mul(WITNESS_SCALE) > MAX_WEIGHT {
        return Err(Error::Oversize { base_size });
    }
    Ok(())
}

/// CVE-2018-17144: an output spent twice by one transaction would be counted twice.
fn distinct(inputs: &[TxIn]) -> Result<(), Error> {
    let repeated = if inputs.len() <= FEW_INPUTS { repeated_of_few(inputs) } else { repeated_of_many(inputs) };
    repeated.map_or(Ok(()), |outpoint| Err(Error::RepeatedInput { outpoint }))
}

fn repeated_of_few(inputs: &[TxIn]) -> Option<OutPoint> {
    let mut rest = inputs;
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| other.previous_output == first.previous_output) {
            return Some(first.previous_output);
        }
        rest = others;
    }
    None
}

fn repeated_of_many(inputs: &[TxIn]) -> Option<OutPoint> {
    let mut sorted: Vec<&OutPoint> = inputs.iter().map(|input| &input.previous_output).collect();
    sorted.sort_unstable();
    sorted.windows(2).find_map(|pair| match pair {
        [a, b] if a == b => Some(**a),
        _ => None,
    })
}

fn coinbase_script(inputs: &[TxIn]) -> Result<(), Error> {
    let length = inputs.first().map_or(0, |input| input.script_sig.len());
    if COINBASE_SCRIPT.contains(&length) { Ok(()) } else { Err(Error::CoinbaseLength { length }) }
}

fn no_null(inputs: &[TxIn]) -> Result<(), Error> {
    let null = inputs.iter().position(|input| input.previous_output.is_null());
    null.map_or(Ok(()), |input| Err(Error::NullInput { input }))
}
