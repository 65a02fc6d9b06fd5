//! What is kept of each peer.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::message::{Announced, Inventory};
use crate::time::Time;

use super::Facts;
use super::id::{Id, Key, Rolling};
use super::sync::Sync;

/// Ids after which the older half of what a peer has is forgotten: a peer costs at most 2 × 16,384 places of 9 bytes,
/// and nothing before it has anything.
pub const HAS_GENERATION: usize = 14_336;

/// Offers after which the older half is forgotten, and answered as gone: at most 2 × 4,096 places of 17 bytes. Together
/// they are as many as a peer remembers of us.
pub const OFFER_GENERATION: usize = 3_584;

/// Most announcements gathered for one message; then it is sent at once.
pub const MAX_BATCH: usize = 1_000;

/// Most requests of a peer that are kept while it reads slowly. More are answered as gone.
pub const MAX_OWED: usize = 5_000;

/// Most transactions of a peer that are judged at a time: all that was asked of it, and as many pushed. Of more, those
/// that were asked for are asked of the next peer, and others are passed over.
pub const MAX_JUDGING: usize = 2 * super::requests::MAX_IN_FLIGHT;

/// Something that a peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// By short id under the peer's key.
    Short(Announced),
    /// By hash.
    Hash(Inventory),
}

/// What is kept of a peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) facts: Facts,
    /// Whether small transactions go over this link at once.
    pub(super) branch: bool,
    /// Whether it became a branch for announcing quickly, and gave nothing since.
    pub(super) trial: bool,
    /// Copies that it pushed since it last pushed something new.
    pub(super) copies: u8,
    pub(super) congested: bool,
    /// What it has, or was told of.
    pub(super) has: Rolling,
    pub(super) offers: Offers,
    /// Satoshis per thousand virtual bytes below which it wants nothing.
    pub(super) filter: u64,
    /// To be announced together.
    pub(super) batch: Vec<Id>,
    pub(super) owed: VecDeque<Owed>,
    pub(super) sync: Sync,
    /// The `feefilter` that it was sent.
    pub(super) filter_sent: Option<u64>,
    /// When gathered announcements were last sent.
    pub(super) flushed: Time,
    /// When it last asked for something.
    pub(super) asked: Time,
}

impl Peer {
    pub(super) fn new(facts: Facts, seed: u64) -> Self {
        Self {
            facts,
            branch: false,
            trial: false,
            copies: 0,
            congested: false,
            has: Rolling::new(HAS_GENERATION, seed),
            offers: Offers::new(seed),
            filter: 0,
            batch: Vec::new(),
            owed: VecDeque::new(),
            sync: Sync::default(),
            filter_sent: None,
            flushed: Time::ZERO,
            asked: Time::ZERO,
        }
    }

    /// Whether transactions are named to it by `txid`, as before BIP-0339.
    pub(super) fn by_txid(&self) -> bool {
        !self.facts.wtxid && self.facts.short_id_key.is_none()
    }

    /// Whether small transactions may be pushed to it, and by it.
    pub(super) fn pushable(&self) -> bool {
        self.facts.short_id_key.is_some() && self.facts.push && self.facts.announce && self.facts.accept
    }

    /// Panics if a bound is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.has.len() <= 2 * HAS_GENERATION, "too much is remembered of what it has");
        assert!(self.offers.len() <= 2 * OFFER_GENERATION, "too much is remembered of what it was offered");
        assert!(self.batch.len() <= MAX_BATCH, "too many announcements wait");
        assert!(self.owed.len() <= MAX_OWED, "too much is owed");
        self.sync.check();
    }

    /// The key of its short ids.
    pub(super) fn key(&self) -> Option<Key> {
        self.facts.short_id_key.map(Key)
    }
}

/// What was offered to a peer by short id: which of ours its ids mean. Two generations, as in [`Rolling`].
#[derive(Debug)]
pub(super) struct Offers {
    new: HashMap<Announced, Id, FixedState>,
    old: HashMap<Announced, Id, FixedState>,
}

impl Offers {
    fn new(seed: u64) -> Self {
        let state = FixedState::with_seed(seed);
        Self { new: HashMap::with_hasher(state.clone()), old: HashMap::with_hasher(state) }
    }

    /// Remembers an offer.
    pub(super) fn insert(&mut self, theirs: Announced, ours: Id) {
        if self.new.len() >= OFFER_GENERATION {
            std::mem::swap(&mut self.new, &mut self.old);
            self.new.clear();
        }
        self.new.insert(theirs, ours);
    }

    /// What was offered by this id.
    pub(super) fn get(&self, theirs: Announced) -> Option<Id> {
        self.new.get(&theirs).or_else(|| self.old.get(&theirs)).copied()
    }

    /// How many offers are remembered.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn len(&self) -> usize {
        self.new.len().saturating_add(self.old.len())
    }
}
