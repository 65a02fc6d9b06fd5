//! The bytes of a coin and of its key on disk.
//!
//! A coin is written as Bitcoin Core's `coins.h` and `compressor.h` do it: a varint of twice the height plus the
//! coinbase flag, the amount without its trailing zeros, and the script without what its template says. A key is the
//! txid as hashed and the output index, most significant byte first, so that keys in byte order are coins in the order
//! that `hash_serialized_3` wants.
//!
//! Height and amount are taken to be what the rules allow: heights below 2^31 and amounts up to
//! [`Amount::MAX_MONEY`]. Scripts longer than [`MAX_SCRIPT_SIZE`] cannot be spent, so no coin has one; Core reads such
//! an entry as `OP_RETURN`, this codec as damage.

mod amount;
mod script;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, Script, Txid};

use crate::coin::Coin;
use crate::integer;

pub use script::MAX_SCRIPT_SIZE;

/// Bytes of a coin's key: txid and output index.
pub const KEY_SIZE: usize = 36;

/// Bytes of the smallest coin: one each for height, amount, and the length of an empty script.
pub(crate) const MIN_SIZE: usize = 3;

/// Why bytes are not a coin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end too early, or an integer is out of its type's range.
    #[error(transparent)]
    Integer(#[from] integer::Error),
    /// More than there can be money.
    #[error("compressed amount {0} is more than all money")]
    Amount(u64),
    /// A script that no coin has, because it cannot be spent.
    #[error("a script of {0} bytes")]
    ScriptSize(u64),
    /// A compressed public key whose point is not on the curve.
    #[error("an uncompressed public key that does not exist")]
    Key,
}

/// Appends a coin.
pub fn encode(coin: &Coin, out: &mut Vec<u8>) {
    write_code(coin, out);
    write_output(coin, out);
}

/// Takes a coin and leaves what follows it.
///
/// # Errors
/// If the bytes do not begin with a coin.
pub fn decode(bytes: &mut &[u8]) -> Result<Coin, Error> {
    let code = integer::read_varint_u32(bytes)?;
    read_output(code, bytes)
}

/// The key of the coin at `outpoint`.
#[must_use]
pub fn key(outpoint: &OutPoint) -> [u8; KEY_SIZE] {
    let mut key = [0; KEY_SIZE];
    let (txid, vout) = key.split_at_mut(32);
    txid.copy_from_slice(outpoint.txid.as_byte_array());
    vout.copy_from_slice(&outpoint.vout.to_be_bytes());
    key
}

/// The outpoint whose key this is.
#[must_use]
pub fn outpoint(key: &[u8; KEY_SIZE]) -> OutPoint {
    let (txid, vout) = key.split_first_chunk().expect("a key is longer than a txid");
    let vout = vout.first_chunk().expect("four bytes follow the txid in a key");
    OutPoint { txid: Txid::from_byte_array(*txid), vout: u32::from_be_bytes(*vout) }
}

/// Appends height and coinbase flag.
pub(crate) fn write_code(coin: &Coin, out: &mut Vec<u8>) {
    integer::write_varint(u64::from(coin.height << 1 | u32::from(coin.coinbase)), out);
}

/// Appends amount and script.
pub(crate) fn write_output(coin: &Coin, out: &mut Vec<u8>) {
    integer::write_varint(amount::compress(coin.value.to_sat()), out);
    script::compress(coin.script().as_bytes(), out);
}

/// Takes amount and script, and makes the coin whose height and coinbase flag are in `code`.
pub(crate) fn read_output(code: u32, bytes: &mut &[u8]) -> Result<Coin, Error> {
    let compressed = integer::read_varint(bytes)?;
    let value = amount::decompress(compressed)
        .map(Amount::from_sat)
        .filter(|value| *value <= Amount::MAX_MONEY)
        .ok_or(Error::Amount(compressed))?;
    let make = |script: &[u8]| Coin::new(value, Script::from_bytes(script), code >> 1, code & 1 == 1);
    script::decompress(bytes, make)
}

#[cfg(test)]
mod tests;
