//! One node's pending transactions.
//!
//! First come, first served; what pays more may take the place of what it conflicts with. Order by feerate never puts a
//! child before its parent: a child counts for no more than its parents do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::transaction::{self, Transaction, lock};
use yap_chain::verify::Job;
use yap_protocol::io::{Departure, Judged, PoolChange, Removed};
use yap_protocol::ledger::Pooled;

use super::world::World;
use yap_chain::header::tree::Id;

/// Satoshis per thousand virtual bytes that a transaction pays at least, and more than what it replaces.
pub(super) const MIN_FEERATE: u64 = 100;

/// Transactions that wait at most. Then only one that replaces another gets in.
const CAPACITY: usize = 100_000;

/// Transactions that one may replace at most.
const MAX_REPLACED: usize = 100;

#[derive(Clone, Debug)]
struct Entry {
    pooled: Pooled,
    /// The least feerate of it and what it needs.
    rank: u64,
}

/// Pending transactions.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    entries: HashMap<Wtxid, Entry, FixedState>,
    by_txid: HashMap<Txid, Wtxid, FixedState>,
    spenders: HashMap<OutPoint, Wtxid, FixedState>,
    by_age: BTreeMap<u64, Wtxid>,
    by_rank: BTreeSet<(u64, std::cmp::Reverse<u64>, Wtxid)>,
    sequence: u64,
}

/// A transaction that may join.
struct Candidate {
    transaction: Arc<Transaction>,
    spent: Arc<[Coin]>,
    fee: Amount,
    vsize: u64,
}

impl Candidate {
    fn feerate(&self) -> u64 {
        self.fee.to_sat() * 1000 / self.vsize
    }
}

impl Pool {
    pub(super) fn get(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.entries.get(wtxid).map(|entry| entry.pooled.clone())
    }

    pub(super) fn get_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.get(self.by_txid.get(txid)?)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn by_age(&self) -> impl Iterator<Item = Pooled> + '_ {
        self.by_age.values().filter_map(|wtxid| self.get(wtxid))
    }

    pub(super) fn by_feerate(&self) -> impl Iterator<Item = Pooled> + '_ {
        self.by_rank.iter().rev().filter_map(|(_, _, wtxid)| self.get(wtxid))
    }

    /// Judges a transaction, together with a parent that pays too little alone if one is given, and adds what is good.
    pub(super) fn judge(
        &mut self,
        transaction: &Arc<Transaction>,
        parent: Option<&Arc<Transaction>>,
        world: &mut World,
        tip: Id,
    ) -> (Vec<(Wtxid, Judged)>, PoolChange) {
        let mut change = PoolChange::default();
        let Some(parent) = parent else {
            let judged = self.judge_one(transaction, MIN_FEERATE, world, tip, &mut change);
            return (vec![(transaction.wtxid(), judged)], change);
        };
        let mut trial = self.clone();
        let first = trial.judge_one(parent, 0, world, tip, &mut change);
        let second = trial.judge_one(transaction, MIN_FEERATE, world, tip, &mut change);
        let package = [parent, transaction].map(|one| trial.get(&one.wtxid()));
        let pays = match &package {
            [Some(low), Some(high)] => (low.fee + high.fee).to_sat() * 1000 >= MIN_FEERATE * (low.vsize + high.vsize),
            _ => false,
        };
        if pays {
            *self = trial;
            return (vec![(parent.wtxid(), first), (transaction.wtxid(), second)], change);
        }
        let mut change = PoolChange::default();
        let mut alone =
            |one: &Arc<Transaction>| (one.wtxid(), self.judge_one(one, MIN_FEERATE, world, tip, &mut change));
        (vec![alone(parent), alone(transaction)], change)
    }

    fn judge_one(
        &mut self,
        transaction: &Arc<Transaction>,
        least: u64,
        world: &mut World,
        tip: Id,
        change: &mut PoolChange,
    ) -> Judged {
        if self.entries.contains_key(&transaction.wtxid()) || self.by_txid.contains_key(&transaction.txid()) {
            return Judged::Known;
        }
        let candidate = match self.candidate(transaction, least, world, tip) {
            Ok(candidate) => candidate,
            Err(judged) => return judged,
        };
        let conflicts = self.conflicts(transaction);
        if conflicts.is_empty() && self.len() >= CAPACITY {
            return Judged::Policy { reason: "mempool full", witness: false };
        }
        if !self.may_replace(&candidate, &conflicts) {
            return Judged::Policy { reason: "insufficient fee", witness: false };
        }
        let job = Job {
            transaction: transaction.raw().clone(),
            spent: Arc::clone(&candidate.spent),
            flags: world.flags_after(tip),
        };
        if !world.holds(&transaction.wtxid(), &job) {
            let witness = transaction.has_witness();
            return Judged::Invalid { reason: "mempool-script-verify-flag-failed", witness };
        }
        for wtxid in conflicts {
            self.remove(&wtxid, Departure::Replaced, change);
        }
        self.add(candidate);
        change.added.push(Arc::clone(transaction));
        Judged::Accepted
    }

    /// Every rule but conflicts and scripts.
    fn candidate(
        &self,
        transaction: &Arc<Transaction>,
        least: u64,
        world: &World,
        tip: Id,
    ) -> Result<Candidate, Judged> {
        let invalid = |reason| Judged::Invalid { reason, witness: false };
        let policy = |reason| Judged::Policy { reason, witness: false };
        if transaction.is_coinbase() {
            return Err(invalid("coinbase"));
        }
        transaction::check(transaction).map_err(|error| invalid(error.reason()))?;
        let view = world.view(tip);
        let height = view.height() + 1;
        lock::absolute(transaction, height, view.median()).map_err(|_| policy("non-final"))?;
        let inputs = &transaction.decoded().input;
        let coins: Vec<_> = inputs.iter().map(|input| self.coin(&input.previous_output, world, tip)).collect();
        let missing = |(input, coin): (&bitcoin::TxIn, &Option<Coin>)| coin.is_none().then_some(input.previous_output);
        let missing: Vec<OutPoint> = inputs.iter().zip(&coins).filter_map(missing).collect();
        if !missing.is_empty() {
            return Err(Judged::MissingInputs(missing));
        }
        let spent: Arc<[Coin]> = coins.into_iter().flatten().collect();
        let fee = transaction::fee(transaction, &spent, height).map_err(|error| {
            let early = matches!(error, transaction::Error::Immature { .. });
            if early { policy(error.reason()) } else { invalid(error.reason()) }
        })?;
        lock::relative(transaction, &spent, height, view.median(), &view).map_err(|_| policy("non-BIP68-final"))?;
        let vsize = transaction.weight().div_ceil(4) as u64;
        let candidate = Candidate { transaction: Arc::clone(transaction), spent, fee, vsize };
        if candidate.feerate() < least {
            return Err(Judged::LowFee { reason: "min relay fee not met" });
        }
        Ok(candidate)
    }

    fn coin(&self, outpoint: &OutPoint, world: &World, tip: Id) -> Option<Coin> {
        if let Some(parent) = self.get_by_txid(&outpoint.txid) {
            let output = parent.transaction.decoded().output.get(outpoint.vout as usize)?;
            let height = world.view(tip).height() + 1;
            return Some(Coin::new(output.value, &output.script_pubkey, height, false));
        }
        world.view(tip).unspent(outpoint).cloned()
    }

    /// What spends the same coins, and everything that needs those, children last.
    fn conflicts(&self, transaction: &Transaction) -> Vec<Wtxid> {
        let spenders = transaction.decoded().input.iter();
        let direct: BTreeSet<Wtxid> =
            spenders.filter_map(|input| self.spenders.get(&input.previous_output).copied()).collect();
        self.with_descendants(direct)
    }

    fn with_descendants(&self, from: BTreeSet<Wtxid>) -> Vec<Wtxid> {
        let mut found: Vec<Wtxid> = from.iter().copied().collect();
        let mut seen = from;
        let mut next = 0;
        while let Some(wtxid) = found.get(next).copied() {
            next += 1;
            let Some(entry) = self.entries.get(&wtxid) else { continue };
            let txid = entry.pooled.transaction.txid();
            for vout in 0..entry.pooled.transaction.decoded().output.len() as u32 {
                if let Some(child) = self.spenders.get(&OutPoint { txid, vout })
                    && seen.insert(*child)
                {
                    found.push(*child);
                }
            }
        }
        found
    }

    /// It must pay more than all that it replaces together, and at a better rate than each.
    fn may_replace(&self, candidate: &Candidate, conflicts: &[Wtxid]) -> bool {
        let replaced: Vec<&Entry> = conflicts.iter().filter_map(|wtxid| self.entries.get(wtxid)).collect();
        let fees: Amount = replaced.iter().map(|entry| entry.pooled.fee).sum();
        let increment = Amount::from_sat((MIN_FEERATE * candidate.vsize).div_ceil(1000));
        replaced.is_empty()
            || (replaced.len() <= MAX_REPLACED
                && candidate.fee >= fees + increment
                && replaced.iter().all(|entry| candidate.feerate() > entry.pooled.feerate()))
    }

    fn add(&mut self, candidate: Candidate) {
        let wtxid = candidate.transaction.wtxid();
        self.sequence += 1;
        let inputs = candidate.transaction.decoded().input.iter();
        let parents = inputs.filter_map(|input| self.entries.get(self.by_txid.get(&input.previous_output.txid)?));
        let rank = parents.map(|parent| parent.rank).fold(candidate.feerate(), u64::min);
        for input in &candidate.transaction.decoded().input {
            self.spenders.insert(input.previous_output, wtxid);
        }
        self.by_txid.insert(candidate.transaction.txid(), wtxid);
        self.by_age.insert(self.sequence, wtxid);
        self.by_rank.insert((rank, std::cmp::Reverse(self.sequence), wtxid));
        let Candidate { transaction, fee, vsize, .. } = candidate;
        self.entries.insert(wtxid, Entry { pooled: Pooled { transaction, fee, vsize, sequence: self.sequence }, rank });
    }

    fn remove(&mut self, wtxid: &Wtxid, why: Departure, change: &mut PoolChange) {
        let Some(entry) = self.entries.remove(wtxid) else { return };
        let Pooled { transaction, sequence, .. } = entry.pooled;
        for input in &transaction.decoded().input {
            self.spenders.remove(&input.previous_output);
        }
        self.by_txid.remove(&transaction.txid());
        self.by_age.remove(&sequence);
        self.by_rank.remove(&(entry.rank, std::cmp::Reverse(sequence), *wtxid));
        change.removed.push(Removed { transaction, why });
    }

    /// Removes what a block has, and what it makes impossible.
    pub(super) fn connect(&mut self, block: &Block, change: &mut PoolChange) {
        for transaction in block.transactions().iter().skip(1) {
            if let Some(wtxid) = self.by_txid.get(&transaction.txid()).copied() {
                self.remove(&wtxid, Departure::Confirmed, change);
            }
            for wtxid in self.conflicts(transaction) {
                self.remove(&wtxid, Departure::Conflicted, change);
            }
        }
    }

    /// After a reorganisation to `tip`: judges everything again, first what the blocks that were taken back had.
    pub(super) fn reorganise(
        &mut self,
        returned: &[Arc<Transaction>],
        world: &mut World,
        tip: Id,
        change: &mut PoolChange,
    ) {
        let before: Vec<Arc<Transaction>> = self.by_age().map(|pooled| pooled.transaction).collect();
        let sequence = self.sequence;
        *self = Self { sequence, ..Self::default() };
        let mut ignored = PoolChange::default();
        for transaction in returned {
            // As in Bitcoin Core, what was in a block is not asked for a feerate.
            if self.judge_one(transaction, 0, world, tip, &mut ignored) == Judged::Accepted {
                change.added.push(Arc::clone(transaction));
            }
        }
        for transaction in before {
            self.judge_one(&transaction, MIN_FEERATE, world, tip, &mut ignored);
            let wtxid = transaction.wtxid();
            if change.added.iter().any(|added| added.wtxid() == wtxid) {
                continue;
            }
            if !self.entries.contains_key(&wtxid) {
                change.removed.push(Removed { transaction, why: Departure::Reorganised });
            }
        }
        // What was here before and came back from a block is nothing new.
        change.added.retain(|added| self.entries.contains_key(&added.wtxid()));
    }

    /// The best transactions that fit into a block of `weight`, parents first, and what they pay.
    #[must_use]
    pub fn template(&self, weight: usize) -> (Vec<Arc<Transaction>>, Amount) {
        let (mut taken, mut fees, mut left) = (Vec::new(), Amount::ZERO, weight);
        let mut skipped: BTreeSet<Txid> = BTreeSet::new();
        for pooled in self.by_feerate() {
            let transaction = &pooled.transaction;
            let orphaned = transaction.decoded().input.iter().any(|one| skipped.contains(&one.previous_output.txid));
            if orphaned || transaction.weight() > left {
                skipped.insert(transaction.txid());
                continue;
            }
            left -= transaction.weight();
            fees += pooled.fee;
            taken.push(pooled.transaction);
        }
        (taken, fees)
    }
}
