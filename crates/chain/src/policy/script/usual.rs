//! The usual inputs, told by their form: most of what is relayed, without a machine.
//!
//! Says yes or does not know; a no, and its reason, is for the machine to say.

use super::encoding::{check_key, check_signature, is_compressed};
use super::machine::Dialect;
use super::{Spend, flags};
use crate::policy::output::Kind;

/// Bytes of a witness program of a key behind P2SH.
const NESTED: usize = 22;

/// Whether `spend` has a usual form, in which nothing but the encodings of its signature and key could break a rule of
/// policy, and these are right.
pub(super) fn holds(spend: &Spend<'_>) -> bool {
    let script_sig = spend.input.script_sig.as_bytes();
    let witness = &spend.input.witness;
    match Kind::of(spend.coin.script()) {
        Kind::P2wpkh => script_sig.is_empty() && in_witness(spend),
        // One item is a signature for the output key; the engine knows whether a valid one.
        Kind::P2tr => {
            script_sig.is_empty() && witness.len() == 1 && witness.last().is_some_and(|item| item.len() == 64)
        }
        Kind::P2pkh if witness.is_empty() => {
            let Some((signature, rest)) = short_push(script_sig) else { return false };
            let Some((key, [])) = short_push(rest) else { return false };
            // One of 20 bytes might stand in the script as the hash.
            signature.len() > 20
                && check_signature(signature, flags::STANDARD).is_ok()
                && check_key(key, flags::STANDARD, Dialect::Base).is_ok()
        }
        Kind::P2sh => {
            let program = short_push(script_sig).filter(|(program, rest)| program.len() == NESTED && rest.is_empty());
            program.is_some_and(|(program, _)| matches!(program, [0, 20, ..])) && in_witness(spend)
        }
        Kind::P2pk
        | Kind::P2pkh
        | Kind::Multisig { .. }
        | Kind::NullData
        | Kind::P2wsh
        | Kind::Anchor
        | Kind::WitnessUnknown { .. }
        | Kind::NonStandard => false,
    }
}

/// Whether the witness is a signature and a compressed key.
fn in_witness(spend: &Spend<'_>) -> bool {
    let mut items = spend.input.witness.iter();
    let (Some(signature), Some(key), None) = (items.next(), items.next(), items.next()) else { return false };
    !signature.is_empty() && check_signature(signature, flags::STANDARD).is_ok() && is_compressed(key)
}

/// What the first operation pushes, if it is a push of 2 to 75 bytes by the shortest opcode, and what is behind it.
fn short_push(script: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length @ 2..=75, rest) = script.split_first()? else { return None };
    rest.split_at_checked(usize::from(*length))
}
