//! What parameters and replies are made of: amounts, hashes, bytes, verbosity.
//!
//! A parameter that Bitcoin Core checks after it knows its type stays text until the method looks at it, so that the
//! error has Core's code and words. Source: Bitcoin Core, `src/rpc/util.cpp` (MIT).

mod btc;
pub mod place;
pub mod services;
mod verbosity;

use std::str::FromStr;

use bitcoin::hex::FromHex;
use bitcoin::{BlockHash, Txid, consensus};
use yap_chain::header::tree::Id;
use yap_chain::transaction::Transaction;

pub use self::btc::{AmountError, Btc};
pub use self::verbosity::Verbosity;
use crate::backend::{ReadError, Unavailable, View};
use crate::error::{Code, Error};

/// Hexadecimal digits of a hash.
const HASH_DIGITS: usize = 64;

/// A hash that a parameter of the given name has, as Core's `ParseHashV`.
///
/// # Errors
/// If it has not 64 digits, or some that are none.
pub fn hash<T: FromStr>(text: &str, name: &str) -> Result<T, Error> {
    if text.len() != HASH_DIGITS {
        let message = format!("{name} must be of length {HASH_DIGITS} (not {}, for '{text}')", text.len());
        return Err(Error::new(Code::InvalidParameter, message));
    }
    let not_hex = || Error::new(Code::InvalidParameter, format!("{name} must be hexadecimal string (not '{text}')"));
    text.parse().map_err(|_| not_hex())
}

/// A block's hash that a parameter of the given name has.
///
/// # Errors
/// As [`hash`].
pub fn block_hash(text: &str, name: &str) -> Result<BlockHash, Error> {
    hash(text, name)
}

/// A transaction's id that a parameter of the given name has.
///
/// # Errors
/// As [`hash`].
pub fn txid(text: &str, name: &str) -> Result<Txid, Error> {
    hash(text, name)
}

/// Bytes that a parameter of the given name has in hexadecimal digits, as Core's `ParseHexV`.
///
/// # Errors
/// If some are no digits, or their number is odd.
pub fn bytes(text: &str, name: &str) -> Result<Vec<u8>, Error> {
    Vec::from_hex(text)
        .map_err(|_| Error::new(Code::InvalidParameter, format!("{name} must be hexadecimal string (not '{text}')")))
}

/// A transaction in hexadecimal digits, as Core's `DecodeHexTx`.
///
/// # Errors
/// [`Code::Deserialization`].
pub fn transaction(text: &str) -> Result<Transaction, Error> {
    let refused = || Error::new(Code::Deserialization, "TX decode failed. Make sure the tx has at least one input.");
    Transaction::parse(Vec::from_hex(text).map_err(|_| refused())?).map_err(|_| refused())
}

/// The block of the best chain at a height.
pub(crate) fn at_height(view: &dyn View, height: u32) -> Option<Id> {
    view.tree().ancestor(view.tip(), height)
}

/// Blocks on the best chain from a block on; -1 if it is not on the best chain.
pub(crate) fn confirmations(view: &dyn View, id: Id) -> i64 {
    let (tree, tip) = (view.tree(), view.tip());
    if !tree.is_ancestor(id, tip) {
        return -1;
    }
    i64::from(tree.height(tip)).saturating_sub(tree.height(id).into()).saturating_add(1)
}

/// The known block with that hash.
pub(crate) fn known(view: &dyn View, hash: &BlockHash) -> Result<Id, Error> {
    view.tree().get(hash).ok_or_else(|| Error::new(Code::NotFound, "Block not found"))
}

/// Runs what takes long where it holds up nobody.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Internal, error.to_string()))?
}

/// What is consensus-encoded in hexadecimal digits.
pub(crate) fn decode<T: consensus::Decodable>(text: &str) -> Option<T> {
    consensus::deserialize(&Vec::from_hex(text).ok()?).ok()
}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        let code = match &unavailable {
            Unavailable::Stopped | Unavailable::Busy | Unavailable::NotKept(_) => Code::Misc,
            Unavailable::NoWallet => Code::WalletNotFound,
        };
        Self::new(code, unavailable.to_string())
    }
}

/// What is said when a block can't be read.
pub(crate) fn unreadable(error: &ReadError) -> Error {
    match error {
        ReadError::Missing => Error::new(Code::Misc, "Block not available (not fully downloaded)"),
        ReadError::Pruned => Error::new(Code::Misc, "Block not available (pruned data)"),
        ReadError::Irreversible => Error::new(Code::Misc, error.to_string()),
        ReadError::Damaged(why) => Error::new(Code::Misc, format!("Block can't be read from disk: {why}")),
    }
}

#[cfg(test)]
mod tests;
