//! How scripts are satisfied by what is relayed: the rules of script that are policy, not consensus.
//!
//! Bitcoin Core verifies the scripts of its mempool with `STANDARD_SCRIPT_VERIFY_FLAGS`: strict encodings of signatures,
//! keys, numbers and pushes, nothing left on the stack, nothing reserved for later soft forks. The engine that decides
//! validity knows the flags of consensus alone, so [`check`] runs the script of an input once more, by itself.
//!
//! It verifies no signature and no commitment of a taproot output: it presumes that the engine says yes. That is enough,
//! since where policy holds, a signature that is not empty must be valid (BIP-0146, NULLFAIL): `OP_CHECKSIG` gives true
//! if, and only if, the signature is not empty. What follows of that:
//!
//! - What Bitcoin Core takes into its mempool passes here, and a no here is a no of Bitcoin Core's.
//! - Not seen is a signature that is wrong and not empty while the script holds all the same, as with
//!   `OP_CHECKSIG OP_DROP OP_1`. Where the script holds *because* it is wrong (`OP_CHECKSIG OP_NOT`), the answer is no.
//! - Not seen either is the bad encoding of a key that `OP_CHECKMULTISIG` need not have looked at: each signature is
//!   presumed to be of the first key that is left.
//!
//! The usual inputs (P2PKH, P2WPKH also behind P2SH, P2TR by its key) are told by their form, without a machine.

use bitcoin::TxIn;

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
use signature::Presumed;

/// What one run of scripts is about.
#[derive(Clone, Copy)]
struct Spend<'a> {
    input: &'a TxIn,
    script: &'a [u8],
    version: u32,
    lock_time: u32,
}

impl<'a> Spend<'a> {
    fn of(transaction: &'a bitcoin::Transaction, index: usize, spent: &'a [Coin]) -> Option<Self> {
        Some(Self {
            input: transaction.input.get(index)?,
            script: spent.get(index)?.script().as_bytes(),
            version: transaction.version.0.cast_unsigned(),
            lock_time: transaction.lock_time.to_consensus_u32(),
        })
    }
}

/// Checks that input `index` of `transaction` satisfies its script as policy asks; `spent` are the coins that the
/// transaction spends, in the order of its inputs. Whether the script is satisfied at all, the engine says.
///
/// # Errors
/// The first rule that is broken: one of policy, or one of consensus that was met on the way.
pub fn check(transaction: &Transaction, index: usize, spent: &[Coin]) -> Result<(), Error> {
    let spend = Spend::of(transaction.decoded(), index, spent).ok_or(Error::NoSuchInput { index })?;
    if usual::holds(&spend) {
        return Ok(());
    }
    verify::verify(&spend, flags::STANDARD, &Presumed { outputs: transaction.decoded().output.len(), index })
}

/// Checks every input of `transaction`, as [`check`] does.
///
/// # Errors
/// The first input that fails, and why.
pub fn check_all(transaction: &Transaction, spent: &[Coin]) -> Result<(), (usize, Error)> {
    let inputs = 0..transaction.decoded().input.len();
    inputs.into_iter().try_for_each(|index| check(transaction, index, spent).map_err(|error| (index, error)))
}

#[cfg(test)]
mod tests;
