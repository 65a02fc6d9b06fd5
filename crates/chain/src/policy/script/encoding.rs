//! Encodings of ECDSA signatures and of keys.

use super::machine::Dialect;
use super::{Error, flags};
use crate::verify::Flags;

/// Half of the curve's order, rounded down: the largest S that is low (BIP-0146).
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, //
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];
/// The curve's order (SEC 2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, //
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// The hash types that are defined: `ALL`, `NONE`, `SINGLE`.
const HASH_TYPES: std::ops::RangeInclusive<u8> = 1..=3;
/// Added where one input alone is signed.
const ANYONE_CAN_PAY: u8 = 0x80;

/// Checks the form of a signature with its hash type behind it. An empty one is the short way to fail on purpose.
pub(super) fn check_signature(signature: &[u8], flags: Flags) -> Result<(), Error> {
    let Some((hash_type, _)) = signature.split_last() else { return Ok(()) };
    let strict = flags.contains(flags::STRICTENC);
    let low = flags.contains(flags::LOW_S);
    if strict || low || flags.contains(Flags::DERSIG) {
        let (r, s) = der(signature).ok_or(Error::SigDer)?;
        if low && is_high(r, s) {
            return Err(Error::SigHighS);
        }
    }
    if strict && !HASH_TYPES.contains(&(hash_type & !ANYONE_CAN_PAY)) {
        return Err(Error::SigHashtype);
    }
    Ok(())
}

/// Checks the form of a key.
pub(super) fn check_key(key: &[u8], flags: Flags, dialect: Dialect) -> Result<(), Error> {
    let compressed = is_compressed(key);
    if flags.contains(flags::STRICTENC) && !compressed && !(key.len() == 65 && key.first() == Some(&4)) {
        return Err(Error::PubkeyType);
    }
    if flags.contains(flags::WITNESS_PUBKEYTYPE) && dialect == Dialect::Witness && !compressed {
        return Err(Error::WitnessPubkeyType);
    }
    Ok(())
}

/// Whether `key` has the form of a compressed one.
pub(super) fn is_compressed(key: &[u8]) -> bool {
    key.len() == 33 && matches!(key, [2 | 3, ..])
}

/// The R and S of a signature in strict DER, with its hash type behind it (BIP-0066).
fn der(signature: &[u8]) -> Option<(&[u8], &[u8])> {
    // 0x30 length, 0x02 length R, 0x02 length S, hash type. All lengths fit one byte.
    if !(9..=73).contains(&signature.len()) {
        return None;
    }
    let (_, body) = signature.split_last()?;
    let [0x30, length, integers @ ..] = body else { return None };
    if usize::from(*length) != integers.len() {
        return None;
    }
    let (r, rest) = der_integer(integers)?;
    let (s, rest) = der_integer(rest)?;
    rest.is_empty().then_some((r, s))
}

/// The first integer, and what is behind it. It is not negative and has no zero in front without need.
fn der_integer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x02, length, rest @ ..] = bytes else { return None };
    let (integer, rest) = rest.split_at_checked(usize::from(*length))?;
    match integer {
        [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
        _ => Some((integer, rest)),
    }
}

/// Whether S is in the upper half. A number that is none below the order makes the signature invalid, neither high
/// nor low, and Bitcoin Core then takes both for zero.
fn is_high(r: &[u8], s: &[u8]) -> bool {
    let (Some(r), Some(s)) = (widened(r), widened(s)) else { return false };
    r < ORDER && s < ORDER && s > HALF_ORDER
}

/// The number in 32 bytes, if it fits.
fn widened(number: &[u8]) -> Option<[u8; 32]> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let mut wide = [0; 32];
    wide.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(wide)
}
