//! Scripts without what their template says (Bitcoin Core's `CompressScript`).
//!
//! | form | script |
//! |---|---|
//! | `00` hash | P2PKH |
//! | `01` hash | P2SH |
//! | `02` or `03` x | P2PK with the compressed key `02 x` or `03 x` |
//! | `04` or `05` x | P2PK with an uncompressed key whose y is even or odd |
//! | varint of length + 6, script | any other |

use bitcoin::opcodes::all::{OP_CHECKSIG, OP_DUP, OP_EQUAL, OP_EQUALVERIFY, OP_HASH160, OP_PUSHBYTES_20};
use bitcoin::opcodes::all::{OP_PUSHBYTES_33, OP_PUSHBYTES_65};
use bitcoin::secp256k1::PublicKey;

use super::Error;
use crate::coin::Coin;
use crate::integer;

/// Bytes of the longest script that can be spent (Bitcoin Core's `MAX_SCRIPT_SIZE`).
pub const MAX_SCRIPT_SIZE: usize = 10_000;

/// Forms that are templates; the lengths of other scripts start behind them.
const TEMPLATES: u64 = 6;

const DUP: u8 = OP_DUP.to_u8();
const HASH160: u8 = OP_HASH160.to_u8();
const PUSH20: u8 = OP_PUSHBYTES_20.to_u8();
const PUSH33: u8 = OP_PUSHBYTES_33.to_u8();
const PUSH65: u8 = OP_PUSHBYTES_65.to_u8();
const EQUAL: u8 = OP_EQUAL.to_u8();
const EQUALVERIFY: u8 = OP_EQUALVERIFY.to_u8();
const CHECKSIG: u8 = OP_CHECKSIG.to_u8();

/// Appends a script.
pub(super) fn compress(script: &[u8], out: &mut Vec<u8>) {
    let (form, rest) = match (script.len(), script) {
        (25, [DUP, HASH160, PUSH20, hash @ .., EQUALVERIFY, CHECKSIG]) => (0, hash),
        (23, [HASH160, PUSH20, hash @ .., EQUAL]) => (1, hash),
        (35, [PUSH33, parity @ (2 | 3), x @ .., CHECKSIG]) => (u64::from(*parity), x),
        (67, [PUSH65, key @ .., CHECKSIG]) => match (key, uncompressed(key)) {
            ([_, x @ .., _], Some(form)) => (form, x.get(..32).unwrap_or_default()),
            _ => (length_form(script), script),
        },
        _ => (length_form(script), script),
    };
    integer::write_varint(form, out);
    out.extend_from_slice(rest);
}

/// Takes a script and hands it to `make`.
pub(super) fn decompress(bytes: &mut &[u8], make: impl FnOnce(&[u8]) -> Coin) -> Result<Coin, Error> {
    // Core's type for this field is a 32-bit integer.
    let form = integer::read_varint_u32(bytes)?;
    match form {
        0 => {
            let mut script = [
                DUP,
                HASH160,
                PUSH20,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                EQUALVERIFY,
                CHECKSIG,
            ];
            script[3..23].copy_from_slice(integer::take_array::<20>(bytes)?);
            Ok(make(&script))
        }
        1 => {
            let mut script = [HASH160, PUSH20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, EQUAL];
            script[2..22].copy_from_slice(integer::take_array::<20>(bytes)?);
            Ok(make(&script))
        }
        2 | 3 => {
            let mut script = [CHECKSIG; 35];
            script[0] = PUSH33;
            script[1] = form.to_le_bytes()[0];
            script[2..34].copy_from_slice(integer::take_array::<32>(bytes)?);
            Ok(make(&script))
        }
        4 | 5 => {
            let mut key = [form.to_le_bytes()[0] & 1 | 2; 33];
            key[1..].copy_from_slice(integer::take_array::<32>(bytes)?);
            let key = PublicKey::from_slice(&key).map_err(|_| Error::Key)?;
            let mut script = [CHECKSIG; 67];
            script[0] = PUSH65;
            script[1..66].copy_from_slice(&key.serialize_uncompressed());
            Ok(make(&script))
        }
        _ => {
            let size = u64::from(form).saturating_sub(TEMPLATES);
            match usize::try_from(size) {
                Ok(size @ ..=MAX_SCRIPT_SIZE) => Ok(make(integer::take(bytes, size)?)),
                _ => Err(Error::ScriptSize(size)),
            }
        }
    }
}

/// The form of an uncompressed key, unless its point does not exist: such a key has no compressed form.
fn uncompressed(key: &[u8]) -> Option<u64> {
    let ([4, ..], [.., last]) = (key, key) else { return None };
    PublicKey::from_slice(key).ok().map(|_| 4 | u64::from(last & 1))
}

/// The form of a script without template.
fn length_form(script: &[u8]) -> u64 {
    u64::try_from(script.len()).unwrap_or(u64::MAX).saturating_add(TEMPLATES)
}
