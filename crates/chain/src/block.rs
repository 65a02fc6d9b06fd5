//! Blocks: parsed and hashed once.
//!
//! Their rules, one function each: [`check`](fn@check) needs nothing around the block, [`check_in_context`] the headers below
//! it, [`connect`](crate::connect::connect) the coins.

pub mod signet;

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::consensus::{Decodable, encode};
use bitcoin::{BlockHash, VarInt};

use crate::transaction::Transaction;

mod assemble;
mod check;
mod contextual;
mod error;
pub mod merkle;
pub mod witness;

pub use check::check;
pub use contextual::{Context, check_in_context};
pub use error::Error;

/// Most weight units of a block (BIP-0141).
pub const MAX_WEIGHT: usize = 4_000_000;

/// Most that a block's signature operations may cost (BIP-0141).
pub const MAX_SIGOPS_COST: usize = 80_000;

/// Weight units of a byte, and cost of a signature operation, outside of witnesses (BIP-0141).
pub const WITNESS_SCALE: usize = 4;

/// A block with everything that is computed of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    header: Header,
    hash: BlockHash,
    transactions: Vec<Transaction>,
    bytes: Arc<Vec<u8>>,
}

/// Why bytes are not a block.
#[derive(Debug, thiserror::Error)]
#[error("not a block: at byte {offset}: {cause}")]
pub struct ParseError {
    /// Where the part starts that could not be read.
    pub offset: usize,
    /// What was wrong with it.
    pub cause: encode::Error,
}

/// Bytes of a block header.
pub const HEADER_SIZE: usize = 80;

/// Bytes of the smallest transaction that has an input (and no output, and an empty script).
const MIN_TRANSACTION_SIZE: usize = 51;

impl Block {
    /// Reads one block that fills `bytes` exactly, and hashes it and its transactions.
    ///
    /// # Errors
    /// If the bytes are not one block in Bitcoin's serialisation. No rule is checked yet.
    pub fn parse(bytes: impl Into<Arc<Vec<u8>>>) -> Result<Self, ParseError> {
        let bytes = bytes.into();
        let (header, mut offset) = decode::<Header>(&bytes, 0)?;
        let (VarInt(count), after) = decode::<VarInt>(&bytes, offset)?;
        offset = after;
        // Never allocate by what a length field says: at most what the bytes present could hold.
        let most = bytes.len().saturating_sub(offset) / MIN_TRANSACTION_SIZE;
        let mut transactions = Vec::with_capacity(usize::try_from(count).unwrap_or(most).min(most));
        for _ in 0..count {
            let (transaction, after) =
                Transaction::parse_at(&bytes, offset).map_err(|cause| ParseError { offset, cause })?;
            transactions.push(transaction);
            offset = after;
        }
        if offset != bytes.len() {
            return Err(ParseError { offset, cause: encode::Error::ParseFailed("bytes follow the last transaction") });
        }
        Ok(Self { hash: header.block_hash(), header, transactions, bytes })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The transactions, the coinbase first if the block is valid.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// The serialised block.
    #[must_use]
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Bytes without witnesses.
    #[must_use]
    pub fn base_size(&self) -> usize {
        let witness = |transaction: &Transaction| transaction.total_size().saturating_sub(transaction.base_size());
        self.bytes.len().saturating_sub(self.transactions.iter().map(witness).fold(0, usize::saturating_add))
    }

    /// Weight units (BIP-0141): three times the base size plus the total size.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.base_size().saturating_mul(3).saturating_add(self.bytes.len())
    }
}

fn decode<T: Decodable>(bytes: &[u8], offset: usize) -> Result<(T, usize), ParseError> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let (value, used) = encode::deserialize_partial(rest).map_err(|cause| ParseError { offset, cause })?;
    Ok((value, offset.saturating_add(used)))
}

#[cfg(test)]
mod tests;
