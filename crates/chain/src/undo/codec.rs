//! The bytes of a block's undo data, as in Bitcoin Core's `rev` files (`undo.h`).
//!
//! ```text
//! undo        = count, transaction…      one per transaction but the coinbase
//! transaction = count, coin…             one per input
//! coin        = code, [version], output  version: a varint 0, unless the height is 0
//! ```
//!
//! Counts are compact sizes; code and output are those of [`coin::codec`](crate::coin::codec). Old versions of Core
//! wrote the version of the transaction that made the coin, so any number is read there, and none kept.

use std::sync::Arc;

use super::Undo;
use crate::coin::{Coin, codec};
use crate::integer;

/// Why bytes are not a block's undo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A count that is not in its shortest form, or missing.
    #[error(transparent)]
    Count(#[from] integer::Error),
    /// More transactions or coins than the bytes that follow could hold.
    #[error("a count of {count} with {bytes} bytes left")]
    TooMany {
        /// What the count says.
        count: u64,
        /// Bytes that follow it.
        bytes: usize,
    },
    /// A coin is damaged.
    #[error("coin of input {input} of transaction {transaction} (the coinbase not counted): {cause}")]
    Coin {
        /// Position of the transaction.
        transaction: usize,
        /// Position of the input.
        input: usize,
        /// What is wrong with the coin.
        cause: codec::Error,
    },
    /// Bytes follow the last coin.
    #[error("{0} bytes follow the last coin")]
    Trailing(usize),
}

/// Appends undo data.
pub fn encode(undo: &Undo, out: &mut Vec<u8>) {
    integer::write_compact(undo.transactions.len(), out);
    for coins in &undo.transactions {
        integer::write_compact(coins.len(), out);
        for coin in coins.iter() {
            codec::write_code(coin, out);
            if coin.height > 0 {
                out.push(0);
            }
            codec::write_output(coin, out);
        }
    }
}

/// Reads undo data that fills `bytes` exactly. Never takes more memory than some 32 times the bytes given.
///
/// # Errors
/// If the bytes are not undo data.
pub fn decode(mut bytes: &[u8]) -> Result<Undo, Error> {
    let rest = &mut bytes;
    let count = read_count(rest, 1)?;
    let mut transactions = Vec::with_capacity(count);
    let mut coins = Vec::new();
    for transaction in 0..count {
        for input in 0..read_count(rest, codec::MIN_SIZE)? {
            coins.push(read_coin(rest).map_err(|cause| Error::Coin { transaction, input, cause })?);
        }
        transactions.push(coins.drain(..).collect::<Arc<[Coin]>>());
    }
    match rest.len() {
        0 => Ok(Undo { transactions }),
        trailing => Err(Error::Trailing(trailing)),
    }
}

/// Takes a count of things that take at least `size` bytes each: never believe more than the bytes could hold.
fn read_count(bytes: &mut &[u8], size: usize) -> Result<usize, Error> {
    let count = integer::read_compact(bytes)?;
    let most = bytes.len().checked_div(size).unwrap_or(0);
    usize::try_from(count).ok().filter(|count| *count <= most).ok_or(Error::TooMany { count, bytes: bytes.len() })
}

fn read_coin(bytes: &mut &[u8]) -> Result<Coin, codec::Error> {
    let code = integer::read_varint_u32(bytes)?;
    if code >> 1 > 0 {
        integer::read_varint_u32(bytes)?;
    }
    codec::read_output(code, bytes)
}

#[cfg(test)]
mod tests;
