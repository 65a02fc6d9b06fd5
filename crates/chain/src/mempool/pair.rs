//! A parent that pays too little by itself, and its child that pays for both: Bitcoin Core's packages of one parent and
//! one child, as they are relayed.

use std::sync::Arc;

use bitcoin::{OutPoint, Txid};

use super::check::{Offer, Place, Terms};
use super::entry::{Entry, Removed};
use super::graph::Leaving;
use super::insert::Admitted;
use super::limits::REPLACED_CLUSTERS;
use super::refusal::{self, Refusal, Verdict};
use super::relation::{FIRST, Kin, Relation, SECOND, added};
use super::{Mempool, Paid};
use crate::coin::Coin;
use crate::transaction::Transaction;
use crate::transaction::lock::Ancestors;
use crate::verify::Job;

/// Two transactions that may enter together if their scripts hold.
#[derive(Clone, Debug)]
pub struct CandidatePair {
    parent: Offer,
    child: Offer,
    generation: u64,
    replaces: Box<[Txid]>,
}

impl CandidatePair {
    /// The parent, and the child.
    #[must_use]
    pub fn transactions(&self) -> [&Arc<Transaction>; 2] {
        [&self.parent.transaction, &self.child.transaction]
    }

    /// What must be verified before they are inserted: the parent's scripts, and the child's.
    #[must_use]
    pub fn jobs(&self) -> [Job; 2] {
        [self.parent.job(), self.child.job()]
    }

    /// Transactions whose place they would take, parents before children.
    #[must_use]
    pub fn replaces(&self) -> &[Txid] {
        &self.replaces
    }
}

/// What came of inserting a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsertedPair {
    /// The parent.
    pub parent: Arc<Entry>,
    /// The child.
    pub child: Arc<Entry>,
    /// What they replaced.
    pub replaced: Vec<Removed>,
    /// What the pool gave up to have room.
    pub evicted: Vec<Removed>,
}

impl Mempool {
    /// Checks every rule but scripts for a parent, which is refused by itself for what it pays, and a child of it; see
    /// [`check`](Self::check).
    ///
    /// # Errors
    /// The first rule that is broken. What a parent is refused for by itself, if a child can't make up for it.
    pub fn check_pair(
        &self,
        parent: &Arc<Transaction>,
        child: &Arc<Transaction>,
        coins: &impl Fn(&OutPoint) -> Option<Coin>,
        place: &Place<'_, impl Ancestors>,
        now: u64,
    ) -> Result<CandidatePair, Refusal> {
        related(parent, child)?;
        let parent = self.offer(parent, None, coins, place)?;
        self.fails_alone(&parent, now)?;
        let child = self.offer(child, Some(&parent.transaction), coins, place)?;
        let relation = self.relate_pair(&parent, &child, now)?;
        let replaces = self.txids(&relation.leaving);
        Ok(CandidatePair { parent, child, generation: self.generation, replaces })
    }

    /// Takes a pair whose scripts hold. Checks again what may have changed since.
    ///
    /// # Errors
    /// As [`check_pair`](Self::check_pair); [`Refusal::Stale`] if the chain has changed; [`Refusal::Full`] if the pool
    /// is full of what pays more.
    pub fn insert_pair(&mut self, pair: CandidatePair, now: u64) -> Result<InsertedPair, Refusal> {
        if pair.generation != self.generation {
            return Err(Refusal::Stale);
        }
        let CandidatePair { parent, child, .. } = pair;
        self.absent(&parent.transaction)?;
        self.absent(&child.transaction)?;
        self.parents_stay(&parent, None)?;
        self.parents_stay(&child, Some(parent.txid()))?;
        let relation = self.relate_pair(&parent, &child, now)?;
        let offers = [(FIRST, parent), (SECOND, child)];
        let Admitted { entries: [parent, child], replaced, evicted } =
            self.admit(offers, relation, Terms::Relay, now)?;
        Ok(InsertedPair { parent, child, replaced, evicted })
    }

    /// A fee is only to be used once: a parent that needs no help does not lend its own to a child.
    fn fails_alone(&self, parent: &Offer, now: u64) -> Result<(), Refusal> {
        match self.relate(parent, Terms::Relay, now) {
            Ok(_) => Err(refusal::Pair::ParentSuffices.into()),
            Err(refusal) if refusal.verdict() == Verdict::Reconsiderable => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    fn relate_pair(&self, parent: &Offer, child: &Offer, now: u64) -> Result<Relation, Refusal> {
        self.unpaid_dust(parent)?;
        self.unpaid_dust(child)?;
        let (above, beside) = (self.kin(parent), self.kin(child));
        self.truc_pair((parent, &above), (child, &beside))?;
        let (low, high) = (self.paid(parent), self.paid(child));
        let both = low.plus(high);
        // Each is rounded up by itself, as in Core.
        let vsize = parent.vsize().saturating_add(child.vsize());
        self.pays(both.fee, vsize, now)?;
        let leaving = self.replaced_by_pair((&above, &beside), low, (both, vsize))?;
        let added = [added(FIRST, low, &above, &[]), added(SECOND, high, &beside, &[FIRST])];
        let stage = self.staged(&leaving, &added, &leaving)?;
        if !leaving.is_empty() && !self.improves(&stage) {
            return Err(refusal::Pair::NoImprovement.into());
        }
        let dust = self.unspent_dust(&parent.transaction, &above, None);
        match dust.or_else(|| self.unspent_dust(&child.transaction, &beside, Some(&parent.transaction))) {
            Some(parent) => Err(Refusal::UnspentDust(parent)),
            None => Ok(Relation { leaving, trimmed: Leaving::default(), stage }),
        }
    }

    /// What a pair would replace; `low` is what its parent pays, `vsize` the virtual bytes of both.
    fn replaced_by_pair(
        &self,
        (above, beside): (&Kin, &Kin),
        low: Paid,
        (both, vsize): (Paid, u64),
    ) -> Result<Leaving, refusal::Pair> {
        let conflicts = [above.conflicts.as_slice(), &beside.conflicts].concat();
        if conflicts.is_empty() {
            return Ok(Leaving::default());
        }
        // A cluster of two is simple to judge; Core asks for it too.
        if !above.parents.is_empty() || !beside.parents.is_empty() {
            return Err(refusal::Pair::Ancestors);
        }
        let clusters = self.clusters(&conflicts).len();
        if clusters > REPLACED_CLUSTERS {
            return Err(refusal::Pair::TooManyReplaced(clusters));
        }
        let leaving = self.with_descendants(&conflicts);
        let least = self.replacement_fee(vsize, &leaving);
        if both.fee < least {
            return Err(refusal::Pair::ReplacementFee { fee: both.fee, least });
        }
        if both.by_rate(low).is_le() {
            return Err(refusal::Pair::ParentPaysMore);
        }
        Ok(leaving)
    }
}

/// That the second spends from the first, and nothing that the first spends.
fn related(parent: &Transaction, child: &Transaction) -> Result<(), refusal::Pair> {
    let spent = |transaction: &Transaction| -> Vec<OutPoint> {
        transaction.decoded().input.iter().map(|input| input.previous_output).collect()
    };
    let (mut by_parent, by_child) = (spent(parent), spent(child));
    if !by_child.iter().any(|outpoint| outpoint.txid == parent.txid()) {
        return Err(refusal::Pair::Unrelated);
    }
    by_parent.sort_unstable();
    match by_child.into_iter().find(|outpoint| by_parent.binary_search(outpoint).is_ok()) {
        Some(outpoint) => Err(refusal::Pair::Conflict(outpoint)),
        None => Ok(()),
    }
}
