//! Counting signature operations, which are limited per block, without running scripts.
//!
//! Written out here, not taken from `bitcoin`, whose counters differ from Bitcoin Core's in corners that a miner could
//! reach: it remembers `OP_2` across the `OP_CHECKSIG` of `OP_2 OP_CHECKSIG OP_CHECKMULTISIG`, and takes the last
//! *data* push of a P2SH input for the redeem script even where a small number or any other opcode follows.

use bitcoin::{Script, TxIn, Witness};

use super::Transaction;
use crate::block::WITNESS_SCALE;
use crate::coin::Coin;
use crate::verify::Flags;

/// What `OP_CHECKMULTISIG` counts where the number of keys is not looked at.
const MAX_MULTISIG_KEYS: u32 = 20;

const OP_0: u8 = 0x00;
const OP_PUSHDATA1: u8 = 0x4c;
const OP_PUSHDATA2: u8 = 0x4d;
const OP_PUSHDATA4: u8 = 0x4e;
const OP_1: u8 = 0x51;
const OP_16: u8 = 0x60;
const OP_DUP: u8 = 0x76;
const OP_EQUAL: u8 = 0x87;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_HASH160: u8 = 0xa9;
const OP_CHECKSIG: u8 = 0xac;
const OP_CHECKSIGVERIFY: u8 = 0xad;
const OP_CHECKMULTISIG: u8 = 0xae;
const OP_CHECKMULTISIGVERIFY: u8 = 0xaf;

/// The cost of `transaction`, which spends `spent`: Bitcoin Core's `GetTransactionSigOpCost`. An operation outside of
/// the witness costs four, as its bytes do.
#[must_use]
pub fn cost(transaction: &Transaction, spent: &[Coin], flags: Flags) -> usize {
    let legacy = scaled(transaction.legacy_sigops());
    if !flags.contains(Flags::P2SH) || transaction.is_coinbase() {
        return legacy;
    }
    let inputs = transaction.decoded().input.iter().zip(spent);
    inputs.map(|(input, coin)| input_cost(input, coin.script(), flags)).fold(legacy, usize::saturating_add)
}

/// What the input adds to the operations that stand in the transaction itself.
fn input_cost(input: &TxIn, spent: &Script, flags: Flags) -> usize {
    let witness = flags.contains(Flags::WITNESS);
    if let Some(program) = Program::of(spent.as_bytes()) {
        return if witness { program.sigops(&input.witness) } else { 0 };
    }
    if !is_p2sh(spent.as_bytes()) {
        return 0;
    }
    let Some(redeem) = last_push(input.script_sig.as_bytes()) else { return 0 };
    let nested = match Program::of(redeem) {
        Some(program) if witness => program.sigops(&input.witness),
        _ => 0,
    };
    scaled(count(redeem, true)).saturating_add(nested)
}

/// Operations in scripts of the transaction itself, counted as before BIP-0016.
pub(super) fn legacy(transaction: &bitcoin::Transaction) -> u32 {
    let inputs = transaction.input.iter().map(|input| count(input.script_sig.as_bytes(), false));
    let outputs = transaction.output.iter().map(|output| count(output.script_pubkey.as_bytes(), false));
    inputs.chain(outputs).fold(0, u32::saturating_add)
}

fn scaled(operations: u32) -> usize {
    usize::try_from(operations).unwrap_or(usize::MAX).saturating_mul(WITNESS_SCALE)
}

/// Operations of one script, up to where it can't be read any further. `accurate`: a small number before
/// `OP_CHECKMULTISIG` says how many keys there are.
pub(crate) fn count(script: &[u8], accurate: bool) -> u32 {
    match script {
        // The templates that most outputs have: P2WPKH, P2SH, P2PKH, and P2WSH or P2TR.
        [] => 0,
        [OP_0, 20, ..] if script.len() == 22 => 0,
        [OP_HASH160, 20, .., OP_EQUAL] if script.len() == 23 => 0,
        [OP_DUP, OP_HASH160, 20, .., OP_EQUALVERIFY, OP_CHECKSIG] if script.len() == 25 => 1,
        [OP_0 | OP_1, 32, ..] if script.len() == 34 => 0,
        _ => count_any(script, accurate),
    }
}

fn count_any(script: &[u8], accurate: bool) -> u32 {
    let mut operations: u32 = 0;
    let mut last = u8::MAX;
    let mut rest = script;
    while let Some(Step { opcode, rest: after, .. }) = step(rest) {
        let more = match (opcode, last) {
            (OP_CHECKSIG | OP_CHECKSIGVERIFY, _) => 1,
            (OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY, OP_1..=OP_16) if accurate => {
                u32::from(last.abs_diff(OP_1)).saturating_add(1)
            }
            (OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY, _) => MAX_MULTISIG_KEYS,
            _ => 0,
        };
        operations = operations.saturating_add(more);
        last = opcode;
        rest = after;
    }
    operations
}

/// One operation of a script.
pub(crate) struct Step<'a> {
    pub(crate) opcode: u8,
    /// What it pushes, if its bytes stand in the script.
    pub(crate) data: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// The first operation, or `None` at the end or where a push reaches past it.
pub(crate) fn step(script: &[u8]) -> Option<Step<'_>> {
    let (&opcode, rest) = script.split_first()?;
    let (length, rest) = match opcode {
        ..OP_PUSHDATA1 => (usize::from(opcode), rest),
        OP_PUSHDATA1 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        OP_PUSHDATA2 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        OP_PUSHDATA4 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
        }
        _ => (0, rest),
    };
    let (data, rest) = rest.split_at_checked(length)?;
    Some(Step { opcode, data, rest })
}

/// What the last operation of `script` pushes as bytes (nothing, if it is a small number), or `None` if the script
/// does not only push. BIP-0016 takes it for the redeem script.
pub(crate) fn last_push(script: &[u8]) -> Option<&[u8]> {
    let mut last: &[u8] = &[];
    let mut rest = script;
    while !rest.is_empty() {
        let Step { opcode, data, rest: after } = step(rest)?;
        if opcode > OP_16 {
            return None;
        }
        last = data;
        rest = after;
    }
    Some(last)
}

fn is_p2sh(script: &[u8]) -> bool {
    script.len() == 23 && matches!(script, [OP_HASH160, 20, .., OP_EQUAL])
}

/// A witness program (BIP-0141).
enum Program {
    /// Version 0, 20 bytes.
    KeyHash,
    /// Version 0, 32 bytes.
    ScriptHash,
    /// Any other; its operations are limited otherwise (BIP-0342) or not yet defined.
    Other,
}

impl Program {
    fn of(script: &[u8]) -> Option<Self> {
        match script {
            [version @ (OP_0 | OP_1..=OP_16), length @ 2..=40, program @ ..]
                if program.len() == usize::from(*length) =>
            {
                Some(match (*version, *length) {
                    (OP_0, 20) => Self::KeyHash,
                    (OP_0, 32) => Self::ScriptHash,
                    _ => Self::Other,
                })
            }
            _ => None,
        }
    }

    fn sigops(&self, witness: &Witness) -> usize {
        match self {
            Self::KeyHash => 1,
            Self::ScriptHash => {
                let operations = witness.last().map_or(0, |script| count(script, true));
                usize::try_from(operations).unwrap_or(usize::MAX)
            }
            Self::Other => 0,
        }
    }
}

#[cfg(test)]
mod tests;
