//! Blocks: parsed and hashed once.
//!
//! What a peer sends is [`unread`](Block::unread) at first: header and bytes, and no transaction, so that whoever takes
//! blocks from a stream has no more to do than to take them. Parsing and hashing, the larger part, is done where the block
//! is verified, on whichever thread calls [`read`](Block::read) first.
//!
//! ```text
//! unread ──read──▶ transactions ──▶ check ──▶ check_in_context ──▶ connect
//!             └──▶ ParseError: the header is not to blame
//! ```
//!
//! Their rules, one function each: [`check`](fn@check) needs nothing around the block, [`check_in_context`] the headers below
//! it, [`connect`](crate::connect::connect) the coins.

pub mod signet;

use std::sync::{Arc, OnceLock};

use bitcoin::block::Header;
use bitcoin::consensus::{Decodable, encode};
use bitcoin::{BlockHash, VarInt};

use crate::transaction::Transaction;

mod assemble;
mod check;
mod contextual;
mod draft;
mod error;
pub mod merkle;
pub mod witness;

pub use check::check;
pub use contextual::{Context, check_in_context};
pub use draft::{Contents, Draft};
pub use error::Error;

/// Most weight units of a block (BIP-0141).
pub const MAX_WEIGHT: usize = 4_000_000;

/// Most that a block's signature operations may cost (BIP-0141).
pub const MAX_SIGOPS_COST: usize = 80_000;

/// Weight units of a byte, and cost of a signature operation, outside of witnesses (BIP-0141).
pub const WITNESS_SCALE: usize = 4;

/// A block with everything that is computed of it once, its transactions when they are first needed.
#[derive(Clone, Debug)]
pub struct Block {
    header: Header,
    hash: BlockHash,
    bytes: Arc<Vec<u8>>,
    transactions: OnceLock<Result<Vec<Transaction>, Arc<ParseError>>>,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from them, whether it was read or not.
        self.bytes == other.bytes
    }
}

impl Eq for Block {}

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

/// Bytes of the smallest transaction that can be read: one of nothing.
const EMPTY_TRANSACTION_SIZE: usize = 10;

impl Block {
    /// Reads one block that fills `bytes` exactly, and hashes it and its transactions.
    ///
    /// # Errors
    /// If the bytes are not one block in Bitcoin's serialisation. No rule is checked yet.
    pub fn parse(bytes: impl Into<Arc<Vec<u8>>>) -> Result<Self, ParseError> {
        let block = Self::unread(bytes)?;
        let transactions = transactions(&block.bytes)?;
        Ok(Self { transactions: OnceLock::from(Ok(transactions)), ..block })
    }

    /// Takes one block whose transactions are [`read`](Self::read) later: only the header and the count of transactions are
    /// looked at. Nothing is copied, and until it is read it holds no memory but its bytes.
    ///
    /// # Errors
    /// If there is no header or count, or more is counted than the bytes could hold. That there is none does not mean that
    /// they are a block.
    pub fn unread(bytes: impl Into<Arc<Vec<u8>>>) -> Result<Self, ParseError> {
        let bytes = bytes.into();
        let (header, _) = decode::<Header>(&bytes, 0)?;
        let (count, offset) = decode::<VarInt>(&bytes, HEADER_SIZE)?;
        let most = bytes.len().saturating_sub(offset) / EMPTY_TRANSACTION_SIZE;
        if usize::try_from(count.0).ok().is_none_or(|count| count > most) {
            let cause = encode::Error::ParseFailed("more transactions are counted than the bytes can hold");
            return Err(ParseError { offset, cause });
        }
        Ok(Self { hash: header.block_hash(), header, bytes, transactions: OnceLock::new() })
    }

    /// The transactions, as [`transactions`](Self::transactions) gives them; parsed and hashed now if that was not done
    /// before. Call it on a thread that may take the time (one to three microseconds for each transaction); one that calls it meanwhile waits.
    ///
    /// # Errors
    /// If the bytes are not one block in Bitcoin's serialisation, as [`parse`](Self::parse) would have said. Then nothing is
    /// known of the header's hash: another block with this header may be valid.
    pub fn read(&self) -> Result<&[Transaction], &ParseError> {
        let read = self.transactions.get_or_init(|| transactions(&self.bytes).map_err(Arc::new));
        read.as_deref().map_err(AsRef::as_ref)
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

    /// The transactions, the coinbase first if the block is valid. They are [`read`](Self::read) if they were not; none
    /// if the bytes turn out to be no block, which [`check`](fn@check) refuses.
    #[must_use]
    pub fn transactions(&self) -> &[Transaction] {
        self.read().unwrap_or_default()
    }

    /// The serialised block.
    #[must_use]
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// Bytes without witnesses; all of them if they are no block.
    #[must_use]
    pub fn base_size(&self) -> usize {
        let witness = |transaction: &Transaction| transaction.total_size().saturating_sub(transaction.base_size());
        self.bytes.len().saturating_sub(self.transactions().iter().map(witness).fold(0, usize::saturating_add))
    }

    /// Weight units (BIP-0141): three times the base size plus the total size.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.base_size().saturating_mul(3).saturating_add(self.bytes.len())
    }
}

/// Reads what follows the header, to the end.
fn transactions(bytes: &Arc<Vec<u8>>) -> Result<Vec<Transaction>, ParseError> {
    let (VarInt(count), mut offset) = decode::<VarInt>(bytes, HEADER_SIZE)?;
    // Never allocate by what a length field says: at most what the bytes present could hold.
    let most = bytes.len().saturating_sub(offset) / MIN_TRANSACTION_SIZE;
    let mut transactions = Vec::with_capacity(usize::try_from(count).unwrap_or(most).min(most));
    for _ in 0..count {
        let (transaction, after) =
            Transaction::parse_at(bytes, offset).map_err(|cause| ParseError { offset, cause })?;
        transactions.push(transaction);
        offset = after;
    }
    if offset != bytes.len() {
        return Err(ParseError { offset, cause: encode::Error::ParseFailed("bytes follow the last transaction") });
    }
    Ok(transactions)
}

fn decode<T: Decodable>(bytes: &[u8], offset: usize) -> Result<(T, usize), ParseError> {
    let rest = bytes.get(offset..).unwrap_or_default();
    let (value, used) = encode::deserialize_partial(rest).map_err(|cause| ParseError { offset, cause })?;
    Ok((value, offset.saturating_add(used)))
}

#[cfg(test)]
mod tests;
