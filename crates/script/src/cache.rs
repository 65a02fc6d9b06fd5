//! Which transactions were verified already.
//!
//! Nearly every transaction of a new block was in the mempool, where its scripts were verified. What the cache holds is
//! not verified again. An entry speaks for a whole transaction with its witness under one set of flags: the coins that
//! it spends need no part in the key, because the outpoints in the transaction commit to them.
//!
//! Memory is fixed: [`Cache::new`] takes it all. Entries stand in sets of [`WAYS`]; the key says which set, and a new
//! entry takes the place of the oldest one in its set. The nonce is secret, so nobody can aim at a set, or prepare two
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

type Key = [u8; 32];

/// Which transactions were verified already. Shared by threads.
pub struct Cache {
    /// Has taken in the nonce.
    salted: sha256::HashEngine,
    sets: RwLock<Vec<Set>>,
    entries: AtomicUsize,
}

/// The keys of a set; the next one goes to `next`.
#[derive(Clone, Copy, Default)]
struct Set {
    keys: [Option<Key>; WAYS],
    next: u8,
}

impl Cache {
    /// A cache for `entries` transactions, rounded up to whole sets. `nonce` MUST be random and secret.
    #[must_use]
    pub fn new(entries: usize, nonce: [u8; 32]) -> Self {
        let mut salted = sha256::Hash::engine();
        // Twice: a whole block of SHA-256, which need not be hashed again for each key.
        salted.input(&nonce);
        salted.input(&nonce);
        let sets = vec![Set::default(); entries.div_ceil(WAYS).max(1)];
        Self { salted, sets: RwLock::new(sets), entries: AtomicUsize::new(0) }
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
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.get(set_of(&key, sets.len())).is_some_and(|set| set.keys.contains(&Some(key)))
    }

    /// Remembers that every input of the job's transaction holds under the job's flags.
    pub fn insert(&self, job: &Job) {
        let key = self.key(job);
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let index = set_of(&key, sets.len());
        let Some(set) = sets.get_mut(index) else { return };
        if set.keys.contains(&Some(key)) {
            return;
        }
        if let Some(oldest) = set.keys.get_mut(usize::from(set.next))
            && oldest.replace(key).is_none()
        {
            self.entries.fetch_add(1, Ordering::Relaxed);
        }
        set.next = if usize::from(set.next).saturating_add(1) < WAYS { set.next.saturating_add(1) } else { 0 };
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
        sha256::Hash::from_engine(engine).to_byte_array()
    }
}

impl fmt::Debug for Cache {
    /// Leaves out the nonce.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Maps the key's first bytes evenly to `0..sets`.
fn set_of(key: &Key, sets: usize) -> usize {
    let [a, b, c, d, ..] = *key;
    let scaled = u64::from(u32::from_le_bytes([a, b, c, d])).saturating_mul(sets as u64) >> 32;
    usize::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests;
