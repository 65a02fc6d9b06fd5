//! Limits of witnesses: Bitcoin Core's `IsWitnessStandard`. Anyone on a transaction's way could change a witness that
//! is wrong and keep the txid, so that none of these says anything of the txid.

use bitcoin::{TxIn, Witness};

use super::NonStandard;
use super::inputs::redeem_script;
use super::output::{Kind, Program};
use crate::coin::Coin;
use crate::transaction::Transaction;

/// Items of a P2WSH witness besides the script.
pub const MAX_P2WSH_ITEMS: usize = 100;
/// Bytes of each of them.
pub const MAX_P2WSH_ITEM_SIZE: usize = 80;
/// Bytes of a script in a P2WSH witness.
pub const MAX_P2WSH_SCRIPT_SIZE: usize = 3600;
/// Bytes of each item that a tapscript (BIP-0342) starts with.
pub const MAX_TAPSCRIPT_ITEM_SIZE: usize = 80;

/// First byte of the annex (BIP-0341), which means nothing yet.
pub(super) const ANNEX: u8 = 0x50;
/// First byte of a control block, without the parity, where a tapscript is spent (BIP-0342).
pub(super) const TAPSCRIPT: u8 = 0xc0;
/// The bits of that byte that name the leaf's version.
pub(super) const LEAF_MASK: u8 = 0xfe;

/// Checks the witnesses of `transaction`, which spends `spent`, one coin per input and in the order of the inputs.
///
/// # Errors
/// The first rule that is broken.
pub fn check(transaction: &Transaction, spent: &[Coin]) -> Result<(), NonStandard> {
    for (index, (input, coin)) in transaction.decoded().input.iter().zip(spent).enumerate() {
        // One that lacks its witness is not bloated; that its script fails shows later.
        if !input.witness.is_empty() {
            check_input(index, input, coin)?;
        }
    }
    Ok(())
}

fn check_input(index: usize, input: &TxIn, coin: &Coin) -> Result<(), NonStandard> {
    let nested = coin.script().is_p2sh();
    let script = if nested {
        let redeem = redeem_script(input.script_sig.as_bytes()).flatten();
        redeem.ok_or(NonStandard::WitnessRedeemScript { input: index })?
    } else {
        coin.script().as_bytes()
    };
    let program = Program::of(script).ok_or(NonStandard::WitnessUnexpected { input: index })?;
    match program.kind() {
        // Nothing of it is looked at: it would be there to weigh.
        Kind::Anchor if !nested => Err(NonStandard::WitnessUnexpected { input: index }),
        Kind::P2wsh => check_p2wsh(index, &input.witness),
        Kind::P2tr if !nested => check_taproot(index, &input.witness),
        // Without limits of their own. No other kind has a program.
        Kind::P2wpkh
        | Kind::P2tr
        | Kind::Anchor
        | Kind::WitnessUnknown { .. }
        | Kind::NonStandard
        | Kind::P2pk
        | Kind::P2pkh
        | Kind::P2sh
        | Kind::Multisig { .. }
        | Kind::NullData => Ok(()),
    }
}

fn check_p2wsh(input: usize, witness: &Witness) -> Result<(), NonStandard> {
    let size = witness.last().map_or(0, <[u8]>::len);
    if size > MAX_P2WSH_SCRIPT_SIZE {
        return Err(NonStandard::WitnessScriptSize { input, size });
    }
    let items = witness.len().saturating_sub(1);
    if items > MAX_P2WSH_ITEMS {
        return Err(NonStandard::WitnessItems { input, items });
    }
    check_items(input, witness, items, MAX_P2WSH_ITEM_SIZE)
}

fn check_taproot(input: usize, witness: &Witness) -> Result<(), NonStandard> {
    if witness.len() < 2 {
        return Ok(());
    }
    let control = witness.last().unwrap_or_default();
    match control.first() {
        Some(&ANNEX) => Err(NonStandard::Annex { input }),
        None => Err(NonStandard::ControlBlockMissing { input }),
        Some(version) if version & LEAF_MASK == TAPSCRIPT => {
            check_items(input, witness, witness.len().saturating_sub(2), MAX_TAPSCRIPT_ITEM_SIZE)
        }
        Some(_) => Ok(()),
    }
}

/// Checks the first `items` of a witness against a limit of bytes.
fn check_items(input: usize, witness: &Witness, items: usize, limit: usize) -> Result<(), NonStandard> {
    let sizes = witness.iter().take(items).map(<[u8]>::len);
    match sizes.enumerate().find(|(_, size)| *size > limit) {
        Some((item, size)) => Err(NonStandard::WitnessItemSize { input, item, size }),
        None => Ok(()),
    }
}
