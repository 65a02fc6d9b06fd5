//! What is asked of inputs once their coins are known, apart from running scripts: Bitcoin Core's
//! `ValidateInputsStandardness`, and the limit of signature operations.

use super::opcode::{OP_1, OP_1NEGATE, OP_16, OP_RESERVED};
use super::output::Kind;
use super::script::{MAX_ELEMENT_SIZE, MAX_STACK_SIZE};
use super::{NonStandard, Rules, witness};
use crate::coin::Coin;
use crate::transaction::Transaction;
use crate::transaction::sigops::{self, Step, step};
use crate::verify::Flags;

/// Cost of signature operations (BIP-0141) in one transaction: a fifth of what a block may have.
pub const MAX_SIGOPS_COST: usize = 80_000 / 5;
/// Signature operations that a transaction may run outside of the witness (BIP-0054).
pub const MAX_LEGACY_SIGOPS: u32 = 2500;
/// Signature operations in one script behind P2SH.
pub const MAX_P2SH_SIGOPS: u32 = 15;

/// Checks how `transaction` spends `spent`, one coin per input and in the order of the inputs, without running
/// scripts. Supposes that [`check_alone`](super::check_alone) has passed.
///
/// # Errors
/// The first rule that is broken, in Bitcoin Core's order.
pub fn check_spent(transaction: &Transaction, spent: &[Coin], rules: &Rules) -> Result<(), NonStandard> {
    let inputs = transaction.decoded().input.len();
    if inputs != spent.len() {
        return Err(NonStandard::Coins { inputs, spent: spent.len() });
    }
    if rules.require_standard {
        check_legacy_sigops(transaction, spent)?;
        for (index, (input, coin)) in transaction.decoded().input.iter().zip(spent).enumerate() {
            check_input(index, input.script_sig.as_bytes(), coin)?;
        }
        if transaction.has_witness() {
            witness::check(transaction, spent)?;
        }
    }
    let cost = sigops::cost(transaction, spent, Flags::ALL);
    if cost > MAX_SIGOPS_COST { Err(NonStandard::SigopsCost { cost }) } else { Ok(()) }
}

/// Counts what may be run, in the scripts of inputs and in those that they spend (BIP-0054); a block's limit counts
/// outputs where they are made.
fn check_legacy_sigops(transaction: &Transaction, spent: &[Coin]) -> Result<(), NonStandard> {
    let mut sigops: u32 = 0;
    for (input, coin) in transaction.decoded().input.iter().zip(spent) {
        let script_sig = input.script_sig.as_bytes();
        let run = if coin.script().is_p2sh() {
            sigops::last_push(script_sig).map_or(0, |redeem| sigops::count(redeem, true))
        } else {
            sigops::count(coin.script().as_bytes(), true)
        };
        sigops = sigops.saturating_add(sigops::count(script_sig, true)).saturating_add(run);
        if sigops > MAX_LEGACY_SIGOPS {
            return Err(NonStandard::LegacySigops { sigops });
        }
    }
    Ok(())
}

fn check_input(input: usize, script_sig: &[u8], coin: &Coin) -> Result<(), NonStandard> {
    match Kind::of(coin.script()) {
        Kind::NonStandard => Err(NonStandard::SpentScript { input }),
        Kind::WitnessUnknown { version } => Err(NonStandard::SpentWitness { input, version }),
        Kind::P2sh => {
            let redeem = redeem_script(script_sig).ok_or(NonStandard::ScriptSigMalformed { input })?;
            let redeem = redeem.ok_or(NonStandard::RedeemScriptMissing { input })?;
            let sigops = sigops::count(redeem, true);
            if sigops > MAX_P2SH_SIGOPS { Err(NonStandard::P2shSigops { input, sigops }) } else { Ok(()) }
        }
        Kind::P2pk
        | Kind::P2pkh
        | Kind::Multisig { .. }
        | Kind::NullData
        | Kind::P2wpkh
        | Kind::P2wsh
        | Kind::P2tr
        | Kind::Anchor => Ok(()),
    }
}

/// The numbers that one opcode pushes.
const NUMBERS: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// What a script that only pushes leaves on top: `None` if running it fails, `Some(None)` if it pushes nothing.
///
/// Unlike [`sigops::last_push`], numbers that an opcode pushes count as their bytes.
#[expect(clippy::option_option, reason = "a script that fails is not one that pushes nothing")]
pub(super) fn redeem_script(script_sig: &[u8]) -> Option<Option<&[u8]>> {
    let (mut rest, mut top, mut items) = (script_sig, None, 0_usize);
    while !rest.is_empty() {
        let Step { opcode, data, rest: after } = step(rest)?;
        top = Some(match opcode {
            ..OP_1NEGATE => data,
            OP_1NEGATE => &[0x81],
            OP_1..=OP_16 => NUMBERS.get(usize::from(opcode.abs_diff(OP_1))..)?.get(..1)?,
            OP_RESERVED.. => return None,
        });
        items = items.saturating_add(1);
        if data.len() > MAX_ELEMENT_SIZE || items > MAX_STACK_SIZE {
            return None;
        }
        rest = after;
    }
    Some(top)
}
