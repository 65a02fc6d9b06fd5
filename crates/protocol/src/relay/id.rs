//! Short ids, and sets of them that forget the oldest.

use bitcoin::hashes::{Hash, siphash24};
use bitcoin::{Txid, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::message::Announced;

/// A transaction by the short id under our key: what everything here is filed by. An id is made of a `wtxid`, or of a
/// `txid` where a peer knows no other; both are the same for a transaction without a witness.
///
/// Peers know the key and may choose ids, so that maps of them are hashed with a seed that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u64);

impl Id {
    /// As it stands in messages.
    pub(super) const fn announced(self) -> Announced {
        Announced(self.0)
    }
}

/// A key of short ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(pub(super) [u64; 2]);

impl Key {
    fn hash(self, bytes: &[u8; 32]) -> Id {
        let [k0, k1] = self.0;
        Id(siphash24::Hash::hash_to_u64_with_keys(k0, k1, bytes))
    }

    /// The short id of a transaction.
    pub(super) fn wtxid(self, wtxid: &Wtxid) -> Id {
        self.hash(wtxid.as_byte_array())
    }

    /// The id of a transaction of which only the `txid` is known.
    pub(super) fn txid(self, txid: &Txid) -> Id {
        self.hash(txid.as_byte_array())
    }
}

/// A set of ids in two generations: when the newer is full, the older is dropped. So it holds at least the newest
/// `generation` ids, at most twice as many, in 9 bytes for each place of its tables and none while it is empty.
#[derive(Clone, Debug)]
pub(super) struct Rolling {
    new: HashSet<Id, FixedState>,
    old: HashSet<Id, FixedState>,
    generation: usize,
}

impl Rolling {
    /// An empty set.
    pub(super) fn new(generation: usize, seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self { new: HashSet::with_hasher(state.clone()), old: HashSet::with_hasher(state), generation }
    }

    /// Adds `id`; says whether it was not there.
    pub(super) fn insert(&mut self, id: Id) -> bool {
        if self.new.contains(&id) {
            return false;
        }
        if self.new.len() >= self.generation {
            std::mem::swap(&mut self.new, &mut self.old);
            self.new.clear();
        }
        self.new.insert(id);
        !self.old.contains(&id)
    }

    /// Whether `id` is remembered.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.new.contains(&id) || self.old.contains(&id)
    }

    /// Forgets `id`.
    pub(super) fn remove(&mut self, id: Id) {
        self.new.remove(&id);
        self.old.remove(&id);
    }

    /// Forgets everything, and gives the memory back.
    pub(super) fn clear(&mut self) {
        let state = self.new.hasher().clone();
        self.new = HashSet::with_hasher(state.clone());
        self.old = HashSet::with_hasher(state);
    }

    /// How many ids it remembers.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn len(&self) -> usize {
        self.new.len().saturating_add(self.old.len())
    }
}
