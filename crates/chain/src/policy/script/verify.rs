//! An input as a whole: its script, the script that it spends, and what these lead to. Bitcoin Core's `VerifyScript`.

use std::borrow::Cow;

use bitcoin::Witness;
use bitcoin::hashes::{Hash, sha256};

use super::machine::{Context, Dialect, Item, MAX_ELEMENT_SIZE, MAX_STACK_SIZE, Machine, WEIGHT_PER_SIGNATURE};
use super::signature::Signatures;
use super::{Error, Spend, flags, number};
use crate::policy::opcode::{OP_CHECKSIG, OP_DUP, OP_EQUALVERIFY, OP_HASH160};
use crate::policy::output::{Kind, Program, pushes_only};
use crate::policy::witness::{ANNEX, LEAF_MASK, TAPSCRIPT};
use crate::transaction::sigops::step;
use crate::verify::Flags;

/// Bytes of a control block without its path (BIP-0341).
const CONTROL_BASE: usize = 33;
/// Bytes of a step of its path.
const CONTROL_NODE: usize = 32;
/// Steps of its path.
const MAX_CONTROL_NODES: usize = 128;

/// Runs what `spend` is about, with the rules in `flags`.
pub(super) fn verify(spend: &Spend<'_>, flags: Flags, signatures: &impl Signatures) -> Result<(), Error> {
    let script_sig = spend.input.script_sig.as_bytes();
    let context = Context { spend, flags, signatures };
    if flags.contains(flags::SIGPUSHONLY) && !pushes_only(script_sig) {
        return Err(Error::SigPushOnly);
    }
    // One after the other, on one stack: running both as one script would let the first skip the second
    // (CVE-2010-5141).
    let pushed = Machine::new(&context, Dialect::Base, Vec::new(), 0).before_another().run(script_sig)?;
    let nested = flags.contains(Flags::P2SH) && bitcoin::Script::from_bytes(spend.script()).is_p2sh();
    let before = if nested { pushed.clone() } else { Vec::new() };
    let stack = Machine::new(&context, Dialect::Base, pushed, 0).run(spend.script())?;
    ends_true(&stack)?;
    let mut left = stack.len();

    let by_witness = flags.contains(Flags::WITNESS);
    let mut had_witness = false;
    if let Some(program) = Program::of(spend.script()).filter(|_| by_witness) {
        had_witness = true;
        // BIP-0141: otherwise anyone on the way could add to it.
        if !script_sig.is_empty() {
            return Err(Error::WitnessMalleated);
        }
        verify_program(&context, program, false)?;
        left = 1;
    }
    if nested {
        (left, had_witness) = verify_nested(&context, before)?;
    }
    // Looked at only here: what P2SH leaves of its first run, or a witness of its own script, is not clean.
    if flags.contains(flags::CLEANSTACK) && left != 1 {
        return Err(Error::CleanStack);
    }
    if by_witness && !had_witness && !spend.input.witness.is_empty() {
        return Err(Error::WitnessUnexpected);
    }
    Ok(())
}

fn ends_true(stack: &[Item<'_>]) -> Result<(), Error> {
    if stack.last().is_some_and(|top| number::is_true(top)) { Ok(()) } else { Err(Error::EvalFalse) }
}

/// Runs the script that the input pushed last (BIP-0016). Gives how many items are left, and whether a witness took
/// part.
fn verify_nested(context: &Context<'_, impl Signatures>, mut stack: Vec<Item<'_>>) -> Result<(usize, bool), Error> {
    let spend = context.spend;
    let script_sig = spend.input.script_sig.as_bytes();
    if !pushes_only(script_sig) {
        return Err(Error::SigPushOnly);
    }
    let redeem = stack.pop().ok_or(Error::EvalFalse)?;
    let left = Machine::new(context, Dialect::Base, stack, 0).run(&redeem)?;
    ends_true(&left)?;
    if let Some(program) = Program::of(&redeem).filter(|_| context.flags.contains(Flags::WITNESS)) {
        // BIP-0141: exactly the push of the program, which is shorter than 76 bytes.
        let pushed = script_sig.split_first().filter(|(length, _)| usize::from(**length) == redeem.len());
        if pushed.is_none_or(|(_, pushed)| pushed != &*redeem) {
            return Err(Error::WitnessMalleatedP2sh);
        }
        verify_program(context, program, true)?;
        return Ok((1, true));
    }
    Ok((left.len(), false))
}

/// Bitcoin Core's `VerifyWitnessProgram`.
fn verify_program(context: &Context<'_, impl Signatures>, program: Program<'_>, nested: bool) -> Result<(), Error> {
    let witness = &context.spend.input.witness;
    match program.kind() {
        Kind::P2wsh => {
            let (items, script) = without_last(witness)?;
            if sha256::Hash::hash(script).as_byte_array() != program.program {
                return Err(Error::WitnessProgramMismatch);
            }
            run_witness(context, Dialect::Witness, script, items)
        }
        Kind::P2wpkh if witness.len() != 2 => Err(Error::WitnessProgramMismatch),
        Kind::P2wpkh => {
            let script = [&[OP_DUP, OP_HASH160, 20], program.program, &[OP_EQUALVERIFY, OP_CHECKSIG]].concat();
            run_witness(context, Dialect::Witness, &script, 2)
        }
        Kind::NonStandard => Err(Error::WitnessProgramWrongLength),
        Kind::P2tr if !nested => verify_taproot(context),
        Kind::Anchor if !nested => Ok(()),
        Kind::P2tr
        | Kind::Anchor
        | Kind::WitnessUnknown { .. }
        | Kind::P2pk
        | Kind::P2pkh
        | Kind::P2sh
        | Kind::Multisig { .. }
        | Kind::NullData => {
            // Of unknown version, or only defined outside of P2SH.
            if context.flags.contains(flags::DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM) {
                Err(Error::DiscourageUpgradableWitnessProgram)
            } else {
                Ok(())
            }
        }
    }
}

/// The number of items before the last, and the last.
fn without_last(witness: &Witness) -> Result<(usize, &[u8]), Error> {
    let last = witness.last().ok_or(Error::WitnessProgramWitnessEmpty)?;
    Ok((witness.len().saturating_sub(1), last))
}

/// BIP-0341. That the output key commits to the leaf is presumed.
fn verify_taproot(context: &Context<'_, impl Signatures>) -> Result<(), Error> {
    if !context.flags.contains(Flags::TAPROOT) {
        return Ok(());
    }
    let witness = &context.spend.input.witness;
    let (mut items, last) = without_last(witness)?;
    let mut control = last;
    if items > 0 && last.first() == Some(&ANNEX) {
        items = items.saturating_sub(1);
        control = witness.nth(items).unwrap_or_default();
    }
    if items == 0 {
        // What stands where a control block would is the signature.
        return context.signatures.schnorr(control);
    }
    let script_at = items.saturating_sub(1);
    let script = witness.nth(script_at).unwrap_or_default();
    let path = control.len().checked_sub(CONTROL_BASE).ok_or(Error::TaprootWrongControlSize)?;
    if !path.is_multiple_of(CONTROL_NODE) || path > CONTROL_NODE.saturating_mul(MAX_CONTROL_NODES) {
        return Err(Error::TaprootWrongControlSize);
    }
    if control.first().is_some_and(|version| version & LEAF_MASK == TAPSCRIPT) {
        return run_tapscript(context, script, script_at);
    }
    if context.flags.contains(flags::DISCOURAGE_UPGRADABLE_TAPROOT_VERSION) {
        return Err(Error::DiscourageUpgradableTaprootVersion);
    }
    Ok(())
}

fn run_tapscript(context: &Context<'_, impl Signatures>, script: &[u8], items: usize) -> Result<(), Error> {
    let mut rest = script;
    while !rest.is_empty() {
        let next = step(rest).ok_or(Error::BadOpcode)?;
        if is_success(next.opcode) {
            // BIP-0342: nothing else counts, not even what is behind it.
            let discouraged = context.flags.contains(flags::DISCOURAGE_OP_SUCCESS);
            return if discouraged { Err(Error::DiscourageOpSuccess) } else { Ok(()) };
        }
        rest = next.rest;
    }
    run_witness(context, Dialect::Tapscript, script, items)
}

/// Whether a tapscript that has `opcode` succeeds at once: `OP_SUCCESSx` (BIP-0342).
fn is_success(opcode: u8) -> bool {
    matches!(opcode, 80 | 98 | 126..=129 | 131..=134 | 137..=138 | 141..=142 | 149..=153 | 187..=254)
}

/// Runs `script` on the first `items` of the witness.
fn run_witness(
    context: &Context<'_, impl Signatures>,
    dialect: Dialect,
    script: &[u8],
    items: usize,
) -> Result<(), Error> {
    let witness = &context.spend.input.witness;
    // Fails in any case; before memory is taken for them.
    if items > MAX_STACK_SIZE {
        return Err(Error::StackSize);
    }
    let stack: Vec<Item<'_>> = witness.iter().take(items).map(Cow::Borrowed).collect();
    if stack.iter().any(|item| item.len() > MAX_ELEMENT_SIZE) {
        return Err(Error::PushSize);
    }
    let weight = witness.size().saturating_add(WEIGHT_PER_SIGNATURE);
    let left = Machine::new(context, dialect, stack, weight).run(script)?;
    if left.len() != 1 {
        return Err(Error::CleanStack);
    }
    ends_true(&left)
}
