//! Standardness: what a node relays and mines of all that is valid.
//!
//! Owns what is judged of one transaction alone ([`check_alone`]), with the coins that it spends ([`check_spent`]), and of
//! how it satisfies their scripts ([`script::check`]). The rules and their constants are Bitcoin Core's defaults
//! (`src/policy/policy.{h,cpp}`, master, v31.99), so that what one relays the other does.
//!
//! Not its job: validity (`transaction`, the script engine), and everything between transactions, as fees, conflicts,
//! and the child that must spend its parent's dust (for which there is [`dust()`]). A block may hold what breaks these
//! rules.
//!
//! [`check_alone`] comes first: the others suppose that it passed.

use bitcoin::Amount;

mod alone;
pub mod dust;
mod error;
mod inputs;
mod opcode;
pub mod output;
pub mod script;
mod witness;

pub use alone::{
    MAX_DUST_OUTPUTS, MAX_SCRIPT_SIG_SIZE, MAX_VERSION, MAX_WEIGHT, MIN_BASE_SIZE, MIN_VERSION, check_alone,
};
pub use dust::dust;
pub use error::NonStandard;
pub use inputs::{MAX_LEGACY_SIGOPS, MAX_P2SH_SIGOPS, MAX_SIGOPS_COST, check_spent};
pub use witness::{
    MAX_P2WSH_ITEM_SIZE, MAX_P2WSH_ITEMS, MAX_P2WSH_SCRIPT_SIZE, MAX_TAPSCRIPT_ITEM_SIZE, check as check_witness,
};

use crate::coin::Coin;
use crate::transaction::Transaction;

/// What a node's operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether transactions must be standard at all (`-acceptnonstdtxn` denies it). Without it, what is left is the
    /// least size and the limit of signature operations.
    pub require_standard: bool,
    /// Bytes that all scripts which begin with `OP_RETURN` may have together (`-datacarriersize`); `None`: no
    /// transaction may have one.
    pub datacarrier: Option<usize>,
    /// Whether outputs may be multi-signature scripts outside of P2SH (`-permitbaremultisig`).
    pub bare_multisig: bool,
    /// What 1,000 virtual bytes cost where an output is asked whether it is worth being spent (`-dustrelayfee`).
    pub dust_rate: Amount,
}

impl Default for Rules {
    /// Bitcoin Core's.
    fn default() -> Self {
        Self { require_standard: true, datacarrier: Some(MAX_WEIGHT / 4), bare_multisig: true, dust_rate: dust::RATE }
    }
}

/// Checks `transaction`, which spends `spent` (one coin per input, in the order of the inputs): first
/// [`check_alone`], then [`check_spent`]. Its scripts are left to [`script::check`].
///
/// # Errors
/// The first rule that is broken, in Bitcoin Core's order.
pub fn check(transaction: &Transaction, spent: &[Coin], rules: &Rules) -> Result<(), NonStandard> {
    check_alone(transaction, rules)?;
    check_spent(transaction, spent, rules)
}

#[cfg(test)]
mod tests;
