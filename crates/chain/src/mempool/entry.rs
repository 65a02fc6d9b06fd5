//! A transaction in the pool, and how it leaves.

use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};

use super::limits::WEIGHT_PER_SIGOP;
use super::rate::{self, Paid};
use crate::coin::Coin;
use crate::transaction::Transaction;

/// The height of a coin that a transaction in the pool makes (Core's `MEMPOOL_HEIGHT`).
pub const UNCONFIRMED: u32 = 0x7fff_ffff;

/// Lock times below are heights, others are seconds since 1970.
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// A transaction in the pool, with what is known of it. Shared; never changed while shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(super) transaction: Arc<Transaction>,
    pub(super) spent: Arc<[Coin]>,
    pub(super) fee: Amount,
    pub(super) priority: i64,
    pub(super) weight: u32,
    pub(super) sigops: u32,
    pub(super) time: u64,
    pub(super) sequence: u64,
    pub(super) height: u32,
}

impl Entry {
    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> &Arc<Transaction> {
        &self.transaction
    }

    /// Its hash without the witness.
    #[must_use]
    pub fn txid(&self) -> Txid {
        self.transaction.txid()
    }

    /// Its hash with the witness.
    #[must_use]
    pub fn wtxid(&self) -> Wtxid {
        self.transaction.wtxid()
    }

    /// What it spends, in the order of its inputs; height [`UNCONFIRMED`] if a transaction of the pool made it.
    #[must_use]
    pub fn spent(&self) -> &Arc<[Coin]> {
        &self.spent
    }

    /// What it pays to whoever mines it.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// Satoshi that the operator counts besides the fee, or against it.
    #[must_use]
    pub fn priority(&self) -> i64 {
        self.priority
    }

    /// Weight units (BIP-0141).
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// What its signature operations cost (BIP-0141).
    #[must_use]
    pub fn sigops(&self) -> u32 {
        self.sigops
    }

    /// Virtual bytes, adjusted for signature operations.
    #[must_use]
    pub fn vsize(&self) -> u64 {
        self.paid().vsize()
    }

    /// What it pays for its adjusted weight, the operator's priority included.
    #[must_use]
    pub fn paid(&self) -> Paid {
        paid(self.fee, self.priority, self.weight, self.sigops)
    }

    /// When it came, in Unix seconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }

    /// A number that grows with each arrival; zero for what came back out of a block.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The height of the chain when it came.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Its inputs' outpoints.
    pub(super) fn inputs(&self) -> impl ExactSizeIterator<Item = &OutPoint> + Clone {
        self.transaction.decoded().input.iter().map(|input| &input.previous_output)
    }

    /// Up to which height and up to which median time past it may not be in a block; zero for no lock.
    pub(super) fn locks(&self) -> (u32, u32) {
        let decoded = self.transaction.decoded();
        let lock = decoded.lock_time.to_consensus_u32();
        let heeded = lock != 0 && decoded.input.iter().any(|input| input.sequence != bitcoin::Sequence::MAX);
        match lock {
            _ if !heeded => (0, 0),
            ..LOCK_TIME_THRESHOLD => (lock, 0),
            _ => (0, lock),
        }
    }

    /// Bytes of memory that it takes, with its share of the indexes: an estimate, the same on every machine.
    pub(super) fn usage(&self) -> usize {
        usage(&self.transaction, &self.spent)
    }
}

/// What is paid for the weight, which signature operations raise so that no block runs out of them unpaid.
pub(super) fn paid(fee: Amount, priority: i64, weight: u32, sigops: u32) -> Paid {
    let fee = i64::try_from(fee.to_sat()).unwrap_or(i64::MAX).saturating_add(priority);
    Paid { fee, weight: weight.max(sigops.saturating_mul(WEIGHT_PER_SIGOP)).into() }
}

/// Bytes per transaction for the entry, its node, its place in the order of chunks and in two hash tables.
const FIXED: usize = 704;
/// Bytes per input for its decoded form and its place in the table of what is spent.
const PER_INPUT: usize = 128;
/// Bytes per output for its decoded form.
const PER_OUTPUT: usize = 48;

fn usage(transaction: &Transaction, spent: &[Coin]) -> usize {
    let decoded = transaction.decoded();
    let coins = spent.iter().map(|coin| size_of::<Coin>().saturating_add(coin.heap_size()));
    let witnesses = decoded.input.iter().map(|input| input.witness.len().saturating_mul(4));
    // The bytes as they came, and once more in the decoded form.
    let bytes = transaction.total_size().saturating_mul(2);
    let inputs = decoded.input.len().saturating_mul(PER_INPUT);
    let outputs = decoded.output.len().saturating_mul(PER_OUTPUT);
    coins.chain(witnesses).chain([FIXED, bytes, inputs, outputs]).fold(0, usize::saturating_add)
}

/// Virtual bytes of a transaction, adjusted for signature operations.
pub(super) fn vsize(weight: u32, sigops: u32) -> u64 {
    rate::vsize(weight.max(sigops.saturating_mul(WEIGHT_PER_SIGOP)).into())
}

/// A transaction that left the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What it was.
    pub entry: Arc<Entry>,
    /// Why it left.
    pub reason: Reason,
}

/// Why a transaction left the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A block has it.
    Confirmed,
    /// A block has another that spends the same, or that an ancestor spends.
    Conflict {
        /// The one in the block.
        with: Txid,
    },
    /// Another took its place that pays more.
    Replaced {
        /// The other; the child, if it came with its parent.
        by: Txid,
    },
    /// The pool was full and it paid the least.
    Evicted,
    /// It waited too long.
    Expired,
    /// After blocks were taken back, it, or an ancestor, may no longer be in the next block.
    Reorganised(Unfit),
    /// After blocks were taken back, a transaction of theirs and its descendants together were too many.
    ClusterLimit,
}

/// Why a transaction no longer fits the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A lock time lies ahead again.
    NotFinal,
    /// A coinbase is not deep enough again.
    Immature,
    /// Something that it spends does not exist, or was spent.
    CoinGone,
    /// An ancestor left.
    Ancestor,
}

#[cfg(test)]
mod tests {
    use super::super::cluster::Cluster;
    use super::super::graph::{Key, Summary};
    use super::super::nodes::Slot;
    use super::*;

    #[test]
    fn the_estimate_covers_what_types_take() {
        // A B-tree is two thirds full at least in the long run, a hash table a third, right after it has grown.
        let in_order = (size_of::<Key>() + size_of::<Summary>()) * 3 / 2;
        let by_age = size_of::<(u64, u64, Slot)>() * 3 / 2;
        let by_hash = 2 * 3 * (size_of::<Slot>() + 1);
        let shared = size_of::<Transaction>() + size_of::<Entry>() + 4 * 2 * size_of::<usize>();
        let slots = size_of::<Option<(Arc<Entry>, u64)>>() + size_of::<Option<Cluster>>();
        let sum = in_order + by_age + by_hash + shared + slots;
        assert!((sum..sum * 2).contains(&FIXED), "{sum}");
        assert!(PER_INPUT >= size_of::<bitcoin::TxIn>() && PER_OUTPUT >= size_of::<bitcoin::TxOut>());
    }
}
