//! Transactions: parsed and hashed once.
//!
//! A [`Transaction`] is the decoded form, its two ids, and the bytes it was read from (shared with its block), so that
//! no later stage parses, serialises or hashes it again.
//!
//! Its rules, one function each: [`check`](fn@check) needs nothing around it, [`lock`] its place in the chain, [`fee`] the coins
//! that it spends. [`sigops`] counts what blocks limit.

use std::ops::Range;
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::transaction::Version;
use bitcoin::{Txid, Wtxid};

mod check;
mod error;
mod inputs;
pub mod lock;
pub mod sigops;

pub use check::{COINBASE_SCRIPT, check, values};
pub use error::Error;
pub use inputs::{COINBASE_MATURITY, fee};

/// Bytes of one transaction within a buffer that others share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    buffer: Arc<Vec<u8>>,
    span: Range<usize>,
}

impl Raw {
    /// The serialised transaction, with its witness.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.buffer.get(self.span.clone()).unwrap_or_default()
    }
}

/// A transaction with everything that is computed of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    inner: bitcoin::Transaction,
    txid: Txid,
    wtxid: Wtxid,
    raw: Raw,
    base_size: usize,
    legacy_sigops: u32,
}

impl Transaction {
    /// Reads one transaction that fills `bytes` exactly.
    ///
    /// # Errors
    /// If the bytes are not one transaction in Bitcoin's serialisation (BIP-0144).
    pub fn parse(bytes: Vec<u8>) -> Result<Self, encode::Error> {
        let buffer = Arc::new(bytes);
        let (transaction, end) = Self::parse_at(&buffer, 0)?;
        if end != buffer.len() {
            return Err(encode::Error::ParseFailed("bytes follow the transaction"));
        }
        Ok(transaction)
    }

    /// Reads the transaction that starts at `start`; also gives the offset behind it.
    pub(crate) fn parse_at(buffer: &Arc<Vec<u8>>, start: usize) -> Result<(Self, usize), encode::Error> {
        let rest = buffer.get(start..).unwrap_or_default();
        let (inner, used) = decode(rest)?;
        let end = start.saturating_add(used);
        let raw = Raw { buffer: Arc::clone(buffer), span: start..end };
        let bytes = raw.as_slice();
        let wtxid = sha256d::Hash::hash(bytes);
        // BIP-0144: the witness is left out of the txid. Marker and flag follow the version; the witnesses stand
        // before the lock time.
        let witness: usize = inner.input.iter().map(|input| input.witness.size()).fold(0, usize::saturating_add);
        let (txid, base_size) = match bytes {
            [v0, v1, v2, v3, 0, 1, body @ .., l0, l1, l2, l3] => {
                let body = body.get(..body.len().saturating_sub(witness)).unwrap_or_default();
                let mut engine = sha256d::Hash::engine();
                engine.input(&[*v0, *v1, *v2, *v3]);
                engine.input(body);
                engine.input(&[*l0, *l1, *l2, *l3]);
                (sha256d::Hash::from_engine(engine), body.len().saturating_add(8))
            }
            _ => (wtxid, bytes.len()),
        };
        let txid = Txid::from_raw_hash(txid);
        let legacy_sigops = sigops::legacy(&inner);
        Ok((Self { inner, txid, wtxid: Wtxid::from_raw_hash(wtxid), raw, base_size, legacy_sigops }, end))
    }

    /// The decoded form.
    #[must_use]
    pub fn decoded(&self) -> &bitcoin::Transaction {
        &self.inner
    }

    /// Hash without the witness: what an [`OutPoint`](bitcoin::OutPoint) names.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.txid
    }

    /// Hash with the witness (BIP-0141).
    #[must_use]
    pub fn wtxid(&self) -> Wtxid {
        self.wtxid
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn raw(&self) -> &Raw {
        &self.raw
    }

    /// The same with bytes of its own: one that was read from a block keeps all of the block's bytes in memory.
    #[must_use]
    pub fn detached(self: &Arc<Self>) -> Arc<Self> {
        if self.raw.span.len() == self.raw.buffer.len() {
            return Arc::clone(self);
        }
        let bytes = self.raw.as_slice().to_vec();
        let raw = Raw { span: 0..bytes.len(), buffer: Arc::new(bytes) };
        Arc::new(Self { raw, inner: self.inner.clone(), ..**self })
    }

    /// Bytes without the witness.
    #[must_use]
    pub fn base_size(&self) -> usize {
        self.base_size
    }

    /// Bytes with the witness.
    #[must_use]
    pub fn total_size(&self) -> usize {
        self.raw.span.len()
    }

    /// Weight units (BIP-0141): three times the base size plus the total size.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.base_size.saturating_mul(3).saturating_add(self.total_size())
    }

    /// Whether an input has a witness.
    #[must_use]
    pub fn has_witness(&self) -> bool {
        // A marker without any witness is not read as a transaction (BIP-0144).
        self.total_size() != self.base_size
    }

    /// Signature operations in its own scripts, as counted before BIP-0016.
    #[must_use]
    pub fn legacy_sigops(&self) -> u32 {
        self.legacy_sigops
    }

    /// Whether it is a coinbase: one input that spends nothing.
    #[must_use]
    pub fn is_coinbase(&self) -> bool {
        self.inner.is_coinbase()
    }
}

/// Items of a witness above which its memory is worth a copy. Usual ones have fewer.
const MANY_ITEMS: usize = 16;

/// Reads what Bitcoin Core reads; also gives the bytes used.
fn decode(bytes: &[u8]) -> Result<(bitcoin::Transaction, usize), encode::Error> {
    // Where the count of inputs is 0, BIP-0144's marker is read. With 0 for its flag too, that was a transaction of
    // nothing. It breaks a rule, but a block that has one must be read to know that the block is invalid.
    if let [v0, v1, v2, v3, 0, 0, l0, l1, l2, l3, ..] = *bytes {
        let version = Version(i32::from_le_bytes([v0, v1, v2, v3]));
        let lock_time = LockTime::from_consensus(u32::from_le_bytes([l0, l1, l2, l3]));
        return Ok((bitcoin::Transaction { version, lock_time, input: Vec::new(), output: Vec::new() }, 10));
    }
    let (mut transaction, used) = encode::deserialize_partial::<bitcoin::Transaction>(bytes)?;
    // A witness keeps four bytes per item besides, in a buffer that has grown by doubling: for items of no bytes up to
    // eight times what a block holds. A copy has no more than it needs.
    for input in transaction.input.iter_mut().filter(|input| input.witness.len() > MANY_ITEMS) {
        input.witness = input.witness.clone();
    }
    if transaction.input.is_empty() {
        return Err(encode::Error::ParseFailed("witness flag set but no inputs present"));
    }
    Ok((transaction, used))
}

#[cfg(test)]
mod tests;
