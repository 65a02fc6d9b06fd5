//! Dust: outputs that are worth less than it costs to spend them, which nobody would ever take out of the UTXO set.
//!
//! A transaction that pays no fee may have one, for a child that spends it at once: nobody mines such a parent alone.
//! Whoever keeps transactions together (the mempool) sees to that, and asks [`dust()`](fn@dust) which outputs it is about.

use bitcoin::{Amount, TxOut};

use super::opcode;
use super::script::MAX_SCRIPT_SIZE;
use crate::transaction::Transaction;

/// What 1,000 virtual bytes cost, supposed for spending an output: 3 satoshi per virtual byte. It does not follow the
/// least fee of relay, since whoever made outputs above it must find them relayed later too.
pub const RATE: Amount = Amount::from_sat(3000);

/// Bytes of an input without its script: outpoint, length of the script, sequence number.
const INPUT: u64 = 32 + 4 + 1 + 4;
/// A signature and a compressed key.
const SOLUTION: u64 = 107;
/// The same in a witness, which costs a quarter. A taproot output takes less, but is not given a lower limit.
const WITNESS_SOLUTION: u64 = SOLUTION / 4;

/// The least value that is no dust, where 1,000 virtual bytes cost `rate`: what it costs to make the output and to
/// spend it. Zero for an output that can't be spent. Bitcoin Core's `GetDustThreshold`.
#[must_use]
pub fn threshold(output: &TxOut, rate: Amount) -> Amount {
    let script = output.script_pubkey.as_bytes();
    if script.first() == Some(&opcode::OP_RETURN) || script.len() > MAX_SCRIPT_SIZE {
        return Amount::ZERO;
    }
    let solution = if output.script_pubkey.is_witness_program() { WITNESS_SOLUTION } else { SOLUTION };
    let size = u64::try_from(output.size()).unwrap_or(u64::MAX).saturating_add(INPUT).saturating_add(solution);
    Amount::from_sat(rate.to_sat().saturating_mul(size).div_ceil(1000))
}

/// Indices of the outputs of `transaction` that are dust where 1,000 virtual bytes cost `rate`.
pub fn dust(transaction: &Transaction, rate: Amount) -> impl Iterator<Item = u32> {
    let outputs = (0..).zip(&transaction.decoded().output);
    outputs.filter(move |(_, output)| output.value < threshold(output, rate)).map(|(index, _)| index)
}
