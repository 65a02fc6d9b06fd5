//! What need not be asked for: what is pending, judged now, confirmed, or refused lately.

use std::collections::VecDeque;
use std::sync::Arc;

use bitcoin::{Txid, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use yap_chain::transaction::Transaction;

use crate::link::PeerId;
use crate::random::Random;

use super::id::{Id, Rolling};

/// Ids of confirmed transactions after which the older half is forgotten: some blocks of full size.
pub const CONFIRMED_GENERATION: usize = 28_672;

/// Ids of refused transactions after which the older half is forgotten.
pub const REJECTED_GENERATION: usize = 28_672;

/// Most parents that pay too little alone and wait for a child that pays for both.
pub const MAX_LOW: usize = 32;

/// Most weight of these.
pub const MAX_LOW_WEIGHT: usize = 4_000_000;

/// Transactions that became pending last, which a verdict that was under way may not have seen.
pub const MAX_RECENT: usize = 64;

/// A transaction that is judged now.
#[derive(Debug)]
pub(super) struct Judging {
    pub(super) transaction: Arc<Transaction>,
    /// Who gave it; `None` for our own.
    pub(super) giver: Option<PeerId>,
    /// Who announced it, the giver among them.
    pub(super) announcers: Vec<PeerId>,
    /// Whether it was judged before, and a parent came in the meantime.
    pub(super) again: bool,
    /// Whether the giver becomes a branch if it is accepted.
    pub(super) graft: bool,
}

impl Judging {
    /// One of our own.
    pub(super) fn ours(transaction: &Arc<Transaction>) -> Self {
        let transaction = Arc::clone(transaction);
        Self { transaction, giver: None, announcers: Vec::new(), again: false, graft: false }
    }
}

/// What is known, and what of it is still at hand.
#[derive(Debug)]
pub(super) struct Known {
    /// Pending.
    pub(super) pool: HashMap<Id, Wtxid, FixedState>,
    judging: HashMap<Id, Judging, FixedState>,
    /// By the id of the `txid`.
    judging_txids: HashSet<Id, FixedState>,
    /// In blocks.
    pub(super) confirmed: Rolling,
    /// Refused, until the chain changes.
    pub(super) rejected: Rolling,
    /// Refused alone, but may be taken with a child.
    pub(super) low_fee: Rolling,
    /// Parent and child, judged together before.
    pairs: Rolling,
    /// By the id of the `txid`.
    recent: VecDeque<Id>,
    low: VecDeque<Arc<Transaction>>,
    low_weight: usize,
}

impl Known {
    pub(super) fn new(random: &mut Random) -> Self {
        let seed = random.next_u64();
        let state = FixedState::with_seed(seed);
        Self {
            pool: HashMap::with_hasher(state.clone()),
            judging: HashMap::with_hasher(state.clone()),
            judging_txids: HashSet::with_hasher(state),
            confirmed: Rolling::new(CONFIRMED_GENERATION, seed),
            rejected: Rolling::new(REJECTED_GENERATION, seed),
            low_fee: Rolling::new(REJECTED_GENERATION, seed),
            pairs: Rolling::new(REJECTED_GENERATION, seed),
            recent: VecDeque::new(),
            low: VecDeque::new(),
            low_weight: 0,
        }
    }

    /// Whether `id` is had, or was looked at lately. Orphans apart.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.at_hand(id) || self.confirmed.contains(id) || self.rejected.contains(id) || self.low_fee.contains(id)
    }

    /// Whether `id` is pending or may soon be.
    pub(super) fn at_hand(&self, id: Id) -> bool {
        self.pool.contains_key(&id) || self.judging.contains_key(&id) || self.judging_txids.contains(&id)
    }

    /// Whether a body of `id` is of no use. What pays too little alone is looked at again if it was asked for.
    pub(super) fn refused_or_confirmed(&self, id: Id, requested: bool) -> bool {
        self.confirmed.contains(id) || self.rejected.contains(id) || (!requested && self.low_fee.contains(id))
    }

    /// Starts to judge; says whether it was not judged already. `ids` are those of `wtxid` and `txid`.
    pub(super) fn judge(&mut self, ids: (Id, Id), judging: Judging) -> bool {
        if self.judging.contains_key(&ids.0) {
            return false;
        }
        self.judging.insert(ids.0, judging);
        self.judging_txids.insert(ids.1);
        true
    }

    /// Ends judging.
    pub(super) fn judged(&mut self, ids: (Id, Id)) -> Option<Judging> {
        self.judging_txids.remove(&ids.1);
        self.judging.remove(&ids.0)
    }

    /// What is judged as `id`.
    pub(super) fn judging(&self, id: Id) -> Option<&Judging> {
        self.judging.get(&id)
    }

    /// A transaction, by the id of its `txid`, is pending now.
    pub(super) fn came(&mut self, txid: Id) {
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(txid);
    }

    /// Whether it came just now.
    pub(super) fn just_came(&self, txid: Id) -> bool {
        self.recent.contains(&txid)
    }

    /// Keeps a parent that pays too little alone.
    pub(super) fn keep_low(&mut self, parent: &Arc<Transaction>) {
        if self.low.iter().any(|low| low.wtxid() == parent.wtxid()) {
            return;
        }
        self.low_weight = self.low_weight.saturating_add(parent.weight());
        self.low.push_back(Arc::clone(parent));
        while self.low.len() > MAX_LOW || self.low_weight > MAX_LOW_WEIGHT {
            let Some(oldest) = self.low.pop_front() else { break };
            self.low_weight = self.low_weight.saturating_sub(oldest.weight());
        }
    }

    /// Parents of this `txid` that pay too little alone; more than one if witnesses differ.
    pub(super) fn low(&self, txid: Txid) -> impl Iterator<Item = Arc<Transaction>> {
        self.low.iter().filter(move |low| low.txid() == txid).map(Arc::clone)
    }

    /// Notes that a parent and a child are judged together; says whether for the first time since the chain changed.
    pub(super) fn pair(&mut self, parent: Id, child: Id) -> bool {
        self.pairs.insert(Id(parent.0.rotate_left(1) ^ child.0))
    }

    /// The chain has changed: what was refused may be good now.
    pub(super) fn forget_refusals(&mut self) {
        self.rejected.clear();
        self.low_fee.clear();
        self.pairs.clear();
        self.low.clear();
        self.low_weight = 0;
    }

    /// Panics if a bound is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.low.len() <= MAX_LOW && self.low_weight <= MAX_LOW_WEIGHT, "too many parents wait");
        assert!(self.recent.len() <= MAX_RECENT, "too much is recent");
        assert!(self.judging_txids.len() <= self.judging.len(), "only what is judged is noted as such");
        assert!(self.confirmed.len() <= 2 * CONFIRMED_GENERATION);
        for refused in [&self.rejected, &self.low_fee, &self.pairs] {
            assert!(refused.len() <= 2 * REJECTED_GENERATION);
        }
    }

    /// How many transactions of a peer are judged.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn judging_of(&self, peer: PeerId) -> usize {
        self.judging.values().filter(|judging| judging.giver == Some(peer)).count()
    }
}
