//! Compact block filters (BIP-0158).
//!
//! A [`Filter`] tells a light client whether a block may touch one of its scripts: it never misses one, and errs once in
//! [`gcs::M`] per script. [`basic`] makes the filter of a block from the scripts that the block pays to and those that
//! it spends; filter headers chain the filters' hashes so that a client can tell a false filter from a true one. Not its
//! job: the messages that carry filters (BIP-0157), and which peers to believe.

pub mod gcs;

use bitcoin::BlockHash;
use bitcoin::bip158::{FilterHash, FilterHeader};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::opcodes::all::OP_RETURN;

use crate::block::Block;
use crate::undo::Undo;

/// A block's filter as peers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    bytes: Vec<u8>,
}

impl Filter {
    /// Takes a filter's bytes, from a peer or from disk.
    ///
    /// # Errors
    /// If they are not one filter: as many elements as the count says, and nothing behind them.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, gcs::Error> {
        gcs::check(&bytes)?;
        Ok(Self { bytes })
    }

    /// The bytes that peers send: the count of elements, then their coded set.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The filter's hash, from which the filter header is made.
    #[must_use]
    pub fn hash(&self) -> FilterHash {
        FilterHash::from_raw_hash(sha256d::Hash::hash(&self.bytes))
    }

    /// Whether the block of this filter may touch one of the scripts. `false` is certain.
    #[must_use]
    pub fn match_any<'a>(&self, block: &BlockHash, scripts: impl IntoIterator<Item = &'a [u8]>) -> bool {
        // Bytes were checked when the filter was made, so it holds a set; and if it did not, a match is the safe answer.
        gcs::match_any(gcs::Key::from(block), &self.bytes, scripts).unwrap_or(true)
    }
}

/// The basic filter of a block: every script it pays to, but those that begin with `OP_RETURN`, and every script it
/// spends; empty scripts are left out.
#[must_use]
pub fn basic(block: &Block, undo: &Undo) -> Filter {
    let paid = block.transactions().iter().flat_map(|transaction| &transaction.decoded().output);
    let paid = paid.map(|output| output.script_pubkey.as_bytes()).filter(|script| script.first() != Some(&RETURN));
    let spent = undo.transactions.iter().flat_map(|coins| coins.iter()).map(|coin| coin.script().as_bytes());
    let scripts = paid.chain(spent).filter(|script| !script.is_empty());
    Filter { bytes: gcs::build(gcs::Key::from(&block.hash()), scripts) }
}

const RETURN: u8 = OP_RETURN.to_u8();

/// The filter header of a block, from its filter's hash and its parent's filter header; the genesis block's parent has
/// [`FilterHeader::all_zeros`].
#[must_use]
pub fn header(filter: FilterHash, previous: FilterHeader) -> FilterHeader {
    filter.filter_header(&previous)
}

#[cfg(test)]
mod tests;
