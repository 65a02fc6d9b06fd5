//! How scripts are satisfied by what is relayed: the rules of script that are policy, not consensus.
//!
//! Bitcoin Core verifies the scripts of its mempool with `STANDARD_SCRIPT_VERIFY_FLAGS`: strict encodings of signatures,
//! keys, numbers and pushes, nothing left on the stack, nothing reserved for later soft forks. The engine that decides
//! validity knows the flags of consensus alone, so [`check`] runs the script of an input once more, by itself.
//!
//! It trusts that the engine says yes, and so need not verify most signatures again: where policy holds, a signature that
//! is not empty must be valid (BIP-0146, NULLFAIL), so `OP_CHECKSIG` gives true if, and only if, it is not empty. Where it
//! is the last operation, or one that verifies, a wrong one fails for the engine too, and is presumed valid here. Only
//! where the script might hold all the same (`OP_CHECKSIG OP_DROP OP_1`), or where it depends on the signatures which
//! keys `OP_CHECKMULTISIG` looks at and one of these is badly encoded, they are verified. That a taproot output commits
//! to a leaf is presumed as well, and that a usual input has the key of its hash.
//!
//! So for scripts that the engine finds satisfied, the answer is Bitcoin Core's; for others, a no is one of Bitcoin
//! Core's too. Asking the engine first is the cheaper order where a no is likely.
//!
//! The usual inputs (P2PKH, P2WPKH also behind P2SH, P2TR by its key) are told by their form, without a machine.

use std::cell::RefCell;

use bitcoin::TxIn;
use bitcoin::sighash::SighashCache;

mod encoding;
mod error;
pub(crate) mod flags;
mod machine;
pub(super) mod number;
mod signature;
mod usual;
mod verify;

pub use error::Error;
pub(super) use machine::is_minimal_push;
pub use machine::{
    MAX_ELEMENT_SIZE, MAX_MULTISIG_KEYS, MAX_OPERATIONS, MAX_SCRIPT_SIZE, MAX_STACK_SIZE, WEIGHT_PER_SIGNATURE,
};

use crate::coin::Coin;
use crate::transaction::Transaction;
use signature::{Hashes, Thrifty};

/// What one run of scripts is about.
#[derive(Clone, Copy)]
struct Spend<'a> {
    transaction: &'a bitcoin::Transaction,
    index: usize,
    input: &'a TxIn,
    coin: &'a Coin,
}

impl<'a> Spend<'a> {
    fn of(transaction: &'a bitcoin::Transaction, index: usize, spent: &'a [Coin]) -> Option<Self> {
        Some(Self { transaction, index, input: transaction.input.get(index)?, coin: spent.get(index)? })
    }

    /// The script that is spent.
    fn script(&self) -> &'a [u8] {
        self.coin.script().as_bytes()
    }
}

/// Checks that input `index` of `transaction` satisfies its script as policy asks; `spent` are the coins that the
/// transaction spends, in the order of its inputs. Whether the script is satisfied at all, the engine says.
///
/// # Errors
/// The first rule that is broken: one of policy, or one of consensus that was met on the way.
pub fn check(transaction: &Transaction, index: usize, spent: &[Coin]) -> Result<(), Error> {
    check_one(transaction, index, spent, &RefCell::new(SighashCache::new(transaction.decoded())))
}

/// Checks every input of `transaction`, as [`check`] does, hashing what they have in common once.
///
/// # Errors
/// The first input that fails, and why.
pub fn check_all(transaction: &Transaction, spent: &[Coin]) -> Result<(), (usize, Error)> {
    let hashes = RefCell::new(SighashCache::new(transaction.decoded()));
    let mut inputs = 0..transaction.decoded().input.len();
    inputs.try_for_each(|index| check_one(transaction, index, spent, &hashes).map_err(|error| (index, error)))
}

/// Whether [`check_all`] passes without running a script: every input is one of the usual, told by its form. Takes some
/// 0.1 µs per input and no signature, whatever the transaction is; `false` says nothing.
#[must_use]
pub fn is_usual(transaction: &Transaction, spent: &[Coin]) -> bool {
    let decoded = transaction.decoded();
    (0..decoded.input.len()).all(|index| Spend::of(decoded, index, spent).is_some_and(|spend| usual::holds(&spend)))
}

fn check_one(transaction: &Transaction, index: usize, spent: &[Coin], hashes: &Hashes<'_>) -> Result<(), Error> {
    let spend = Spend::of(transaction.decoded(), index, spent).ok_or(Error::NoSuchInput { index })?;
    if usual::holds(&spend) {
        return Ok(());
    }
    verify::verify(&spend, flags::STANDARD, &Thrifty::new(&spend, hashes))
}

#[cfg(test)]
mod tests;
