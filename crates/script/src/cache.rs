//! Which transactions were verified already.
//!
//! Nearly every transaction of a new block was in the mempool, where its scripts were verified. What the cache holds is
//! not verified again. An entry speaks for a whole transaction with its witness under one set of flags: the coins that
//! it spends need no part in the key, because the outpoints in the transaction commit to them.
//!
//! Memory is fixed: [`Cache::new`] reserves it, and the system provides it as entries come. Entries stand in sets of
//! [`WAYS`]; the key says which set, and a new entry takes the place of the oldest one in its set. The nonce is secret, so nobody can aim at a set, or prepare two
//! transactions with one key. An entry stays when a block has used it: a reorganisation asks for it again.
//!
//! The same design as Bitcoin Core's script execution cache, but for the table.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use bitcoin::hashes::{Hash, HashEngine, sha256};
use yap_chain::verify::Job;

/// Entries that a key may be in.
pub const WAYS: usize = 8;

/// Entries that [`Cache::default_size`] holds: 16 MiB of keys, as much as Bitcoin Core takes. Each is one transaction,
/// so it spans a full mempool of 300 MB.
pub const DEFAULT_ENTRIES: usize = 1 << 19;

/// A hash; zeros stand for no entry. Words and not bytes, because of these a table of zeros is not written at first.
type Key = [u64; 4];

const NONE: Key = [0; 4];

/// Which transactions were verified already. Shared by threads.
pub struct Cache {
    /// Has taken in the nonce.
    salted: sha256::HashEngine,
    table: RwLock<Table>,
    entries: AtomicUsize,
}

struct Table {
    sets: Vec<[Key; WAYS]>,
    /// By set: which entry is the oldest.
    oldest: Vec<u8>,
}

impl Cache {
    /// A cache for `entries` transactions, rounded up to whole sets. `nonce` MUST be random and secret.
    #[must_use]
    pub fn new(entries: usize, nonce: [u8; 32]) -> Self {
        let mut salted = sha256::Hash::engine();
        // Twice: a whole block of SHA-256, which need not be hashed again for each key.
        salted.input(&nonce);
        salted.input(&nonce);
        let sets = entries.div_ceil(WAYS).max(1);
        let table = Table { sets: vec![[NONE; WAYS]; sets], oldest: vec![0; sets] };
        Self { salted, table: RwLock::new(table), entries: AtomicUsize::new(0) }
    }

    /// A cache of the usual size. `nonce` MUST be random and secret.
    #[must_use]
    pub fn default_size(nonce: [u8; 32]) -> Self {
        Self::new(DEFAULT_ENTRIES, nonce)
    }

    /// Whether every input of the job's transaction was found to hold under the job's flags.
    #[must_use]
    pub fn contains(&self, job: &Job) -> bool {
        // While a chain is synced nothing is in here: then a look costs no hashing.
        if self.entries.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let key = self.key(job);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.sets.get(set_of(key, table.sets.len())).is_some_and(|set| set.contains(&key))
    }

    /// Remembers that every input of the job's transaction holds under the job's flags.
    pub fn insert(&self, job: &Job) {
        let key = self.key(job);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Table { sets, oldest } = &mut *table;
        let index = set_of(key, sets.len());
        let (Some(set), Some(oldest)) = (sets.get_mut(index), oldest.get_mut(index)) else { return };
        if set.contains(&key) {
            return;
        }
        let Some(entry) = set.get_mut(usize::from(*oldest)) else { return };
        if std::mem::replace(entry, key) == NONE {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        *oldest = if usize::from(*oldest).saturating_add(1) < WAYS { oldest.saturating_add(1) } else { 0 };
    }

    /// Transactions in the cache.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.load(Ordering::Relaxed)
    }

    /// Whether nothing was inserted yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The serialised transaction stands for its wtxid: both name the transaction with its witness, and the bytes need
    /// not be taken on trust.
    fn key(&self, job: &Job) -> Key {
        let mut engine = self.salted.clone();
        engine.input(&job.flags.0.to_le_bytes());
        engine.input(job.transaction.as_slice());
        let hash = sha256::Hash::from_engine(engine).to_byte_array();
        let (words, _) = hash.as_chunks::<8>();
        let mut key = NONE;
        key.iter_mut().zip(words).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        key
    }
}

impl fmt::Debug for Cache {
    /// Leaves out the nonce.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Maps the key's first word evenly to `0..sets`.
fn set_of([first, ..]: Key, sets: usize) -> usize {
    let scaled = u128::from(first).saturating_mul(sets as u128) >> 64;
    usize::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests;
