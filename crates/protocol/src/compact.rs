//! Compact blocks (BIP-0152, version 2): made of a block, and rebuilt to it.
//!
//! Functions of their arguments: [`make`], and [`Partial`], which is a compact block on its way to being whole. Who is
//! asked for what is missing, and when it is given up, is the job of [`blocks`](crate::blocks).
//!
//! ```text
//! cmpctblock ──Partial::new──▶ missing() ──getblocktxn──▶ blocktxn ──complete──▶ Whole
//!                 └─Malformed: a fault     └─nothing: no round trip       └─Mismatch: two transactions had one short
//!                 └─Collision: fetch it                                      id; fetch the whole block, no fault
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::Wtxid;
use bitcoin::block::Header;
use bitcoin::consensus;
use bitcoin::hashes::{Hash, sha256, siphash24};
use yap_chain::block::{self, Block};

use crate::message::{CompactBlock, Prefilled, ShortId};

mod extras;
mod partial;

#[cfg(test)]
mod tests;

pub use extras::{Extras, MAX_EXTRA_BYTES, MAX_EXTRAS};
pub use partial::{Partial, Whole};

/// The version whose short ids are of `wtxid`s; the only one in use.
pub const VERSION: u64 = 2;

/// Weight of the smallest transaction that can be serialised, of which 16,666 would fill a block, as in Bitcoin Core.
const MIN_TRANSACTION_WEIGHT: usize = 4 * 60;

/// Most transactions of a compact block.
pub const MAX_TRANSACTIONS: usize = block::MAX_WEIGHT / MIN_TRANSACTION_WEIGHT;

/// Most bytes of transactions besides the coinbase that are sent along because the peer may lack them: what BIP-0152 advises.
pub const MAX_PREFILL: usize = 10_000;

/// Why a compact block does not become a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Its places don't grow, don't fit, or are none or too many. No honest peer sends that.
    #[error("places don't grow or don't fit")]
    Malformed,
    /// Two of its transactions have one short id. It happens once in 281,474,976,710,656 pairs.
    #[error("two transactions have one short id")]
    Collision,
    /// Another number of transactions came than were asked for. No honest peer does that.
    #[error("{sent} transactions where {asked} were asked for")]
    Count {
        /// How many were asked for.
        asked: usize,
        /// How many came.
        sent: usize,
    },
    /// The transactions are not those of the block: one of ours has the short id of another.
    #[error("the header commits to other transactions")]
    Mismatch,
}

/// The key of one compact block's short ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64, u64);

impl Key {
    /// The first two numbers of the hash of the header and the nonce.
    #[must_use]
    pub fn new(header: &Header, nonce: u64) -> Self {
        let mut bytes = consensus::serialize(header);
        bytes.extend_from_slice(&nonce.to_le_bytes());
        let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, ..] =
            sha256::Hash::hash(&bytes).to_byte_array();
        Self(u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]), u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]))
    }

    /// The short id of a transaction: the lower six bytes of SipHash-2-4.
    #[must_use]
    pub fn short_id(&self, wtxid: &Wtxid) -> ShortId {
        let hash = siphash24::Hash::hash_to_u64_with_keys(self.0, self.1, wtxid.as_byte_array());
        let [a, b, c, d, e, f, ..] = hash.to_le_bytes();
        ShortId([a, b, c, d, e, f])
    }
}

/// The compact form of a block, with the coinbase and the transactions at `likely_missing`, as far as they fit.
#[must_use]
pub fn make(block: &Block, nonce: u64, likely_missing: &BTreeSet<u16>) -> CompactBlock {
    let key = Key::new(block.header(), nonce);
    let mut room = MAX_PREFILL;
    let mut short_ids = Vec::with_capacity(block.transactions().len());
    let mut prefilled = Vec::with_capacity(1);
    for (index, transaction) in (0..=u16::MAX).zip(block.transactions()) {
        let left = room.checked_sub(transaction.total_size()).filter(|_| likely_missing.contains(&index));
        if index == 0 || left.is_some() {
            if index > 0 {
                room = left.unwrap_or(0);
            }
            prefilled.push(Prefilled { index, transaction: Arc::new(transaction.clone()) });
        } else {
            short_ids.push(key.short_id(&transaction.wtxid()));
        }
    }
    CompactBlock { header: *block.header(), nonce, short_ids, prefilled }
}

/// Whether the transactions are those that the block's header commits to, and the witnesses those of its coinbase.
/// `witnesses`: whether BIP-0141 is in force.
#[must_use]
pub fn is_genuine(block: &Block, witnesses: bool) -> bool {
    // No block has none, but the root of none is zero, which a header may well say.
    if block.transactions().is_empty() {
        return false;
    }
    let root = block::merkle::root(block.transactions().iter().map(|t| t.txid().to_raw_hash()).collect());
    // CVE-2012-2459: a list whose end is repeated has the same root.
    let same = root.hash == block.header().merkle_root.to_raw_hash() && !root.repeated;
    same && block::witness::check(block, witnesses).is_ok()
}
