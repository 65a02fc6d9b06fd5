//! One node's pending transactions: the ledger's mempool with the rules of relay, and scripts verified by the [`World`].

use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::header::tree::Id;
use yap_chain::mempool::{Entry, Limits, Mempool, Place, Reason, Refusal, Removed, Room, Verdict};
use yap_chain::policy;
use yap_chain::transaction::Transaction;
use yap_chain::verify::Job;
use yap_protocol::io::{self, Departure, Judged, PoolChange};
use yap_protocol::ledger::Pooled;

use super::world::{View, World};

/// Where and when transactions are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The block whose coins they spend.
    pub(super) tip: Id,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// Pending transactions.
#[derive(Debug)]
pub struct Pool {
    mempool: Mempool,
}

impl Default for Pool {
    fn default() -> Self {
        Self { mempool: Mempool::new(Limits::default(), 0).with_rules(policy::Rules::default()) }
    }
}

/// Reads coins.
type Coins<'a> = &'a dyn Fn(&OutPoint) -> Option<Coin>;

/// Checks something on one tip.
fn on<T>(world: &World, tip: Id, check: impl FnOnce(&Coins<'_>, &Place<'_, View<'_>>) -> T) -> T {
    let view = world.view(tip);
    let place = Place {
        height: view.height() + 1,
        median_time_past: view.median(),
        ancestors: &view,
        flags: world.flags_after(tip),
    };
    let coins: Coins<'_> = &|outpoint| view.unspent(outpoint).cloned();
    check(&coins, &place)
}

impl Pool {
    /// The ledger's mempool itself.
    #[must_use]
    pub const fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    pub(super) fn get(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.mempool.get(wtxid).map(pooled)
    }

    pub(super) fn get_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.mempool.get_by_txid(txid).map(pooled)
    }

    pub(super) fn len(&self) -> usize {
        self.mempool.len()
    }

    pub(super) fn by_age(&self) -> impl Iterator<Item = Pooled> + '_ {
        self.mempool.by_age().map(pooled)
    }

    pub(super) fn by_feerate(&self) -> impl Iterator<Item = Pooled> + '_ {
        self.mempool.by_feerate().map(pooled)
    }

    /// What a transaction must pay, in satoshis per thousand virtual bytes, whatever the pool has given up.
    pub(super) fn min_feerate(&self) -> u64 {
        self.mempool.limits().relay.to_sat_per_kvb()
    }

    /// Judges a transaction, together with a parent that pays too little alone if one is given, and adds what is good.
    pub(super) fn judge(
        &mut self,
        transaction: &Arc<Transaction>,
        parent: Option<&Arc<Transaction>>,
        world: &mut World,
        at: At,
    ) -> (Vec<(Wtxid, Judged)>, PoolChange) {
        let mut change = PoolChange::default();
        let judged = match parent {
            None => vec![(transaction.wtxid(), self.judge_one(transaction, world, at, &mut change))],
            Some(parent) => {
                let judged = self.judge_pair(parent, transaction, world, at, &mut change);
                [parent.wtxid(), transaction.wtxid()].into_iter().zip(judged).collect()
            }
        };
        (judged, change)
    }

    fn judge_one(
        &mut self,
        transaction: &Arc<Transaction>,
        world: &mut World,
        at: At,
        change: &mut PoolChange,
    ) -> Judged {
        let checked = on(world, at.tip, |coins, place| self.mempool.check(transaction, coins, place, at.now));
        let candidate = match checked {
            Ok(candidate) => candidate,
            Err(refusal) => return judged(&refusal),
        };
        if let Some(invalid) = unsatisfied(transaction, &candidate.job(), world) {
            return invalid;
        }
        match self.mempool.insert(candidate, at.now) {
            Ok(inserted) => {
                change.added.push(Arc::clone(transaction));
                tell(change, inserted.replaced.into_iter().chain(inserted.evicted));
                Judged::Accepted
            }
            Err(refusal) => {
                let outcome = judged(&refusal);
                if let Refusal::Full { removed } = refusal {
                    tell(change, removed.into_vec());
                }
                outcome
            }
        }
    }

    fn judge_pair(
        &mut self,
        parent: &Arc<Transaction>,
        child: &Arc<Transaction>,
        world: &mut World,
        at: At,
        change: &mut PoolChange,
    ) -> [Judged; 2] {
        let checked = on(world, at.tip, |coins, place| self.mempool.check_pair(parent, child, coins, place, at.now));
        // What cannot be taken together is judged by itself.
        let Ok(pair) = checked else { return [parent, child].map(|one| self.judge_one(one, world, at, change)) };
        for (transaction, job) in [parent, child].into_iter().zip(pair.jobs()) {
            if unsatisfied(transaction, &job, world).is_some() {
                return [parent, child].map(|one| self.judge_one(one, world, at, change));
            }
        }
        match self.mempool.insert_pair(pair, at.now) {
            Ok(inserted) => {
                change.added.extend([parent, child].map(Arc::clone));
                tell(change, inserted.replaced.into_iter().chain(inserted.evicted));
                [Judged::Accepted, Judged::Accepted]
            }
            Err(refusal) => {
                let outcome = judged(&refusal);
                [outcome.clone(), outcome]
            }
        }
    }

    /// Removes what a block has, and what it makes impossible; also what has waited for too long.
    pub(super) fn connect(&mut self, block: &Block, now: u64, change: &mut PoolChange) {
        tell(change, self.mempool.connect(block, now));
        tell(change, self.mempool.expire(now));
    }

    /// After a reorganisation from a fork at height `fork`, and after the new branch was connected: takes in what
    /// the blocks that were taken back had, oldest first, and takes out what no longer fits.
    pub(super) fn reorganise(
        &mut self,
        fork: u32,
        returned: &[Arc<Transaction>],
        world: &mut World,
        at: At,
        change: &mut PoolChange,
    ) {
        self.mempool.disconnect();
        let mut back = Vec::new();
        for transaction in returned {
            let checked =
                on(world, at.tip, |coins, place| self.mempool.check_returned(transaction, coins, place, at.now));
            let Ok(candidate) = checked else { continue };
            // Its scripts held in the block, under the same rules.
            if let Ok(inserted) = self.mempool.insert(candidate, at.now) {
                tell(change, inserted.replaced.into_iter().chain(inserted.evicted));
                back.push(Arc::clone(transaction));
            }
        }
        let mut gone = on(world, at.tip, |coins, place| self.mempool.reorganised(fork, coins, place, at.now));
        // What came back and left at once was never seen to be here.
        gone.retain(|removed| !back.iter().any(|one| one.wtxid() == removed.entry.wtxid()));
        tell(change, gone);
        change.added.extend(back.into_iter().filter(|one| self.mempool.contains(&one.wtxid())));
    }

    /// The best transactions for the block at `height`, parents first, and what they pay.
    #[must_use]
    pub fn template(&self, height: u32, median_time_past: u32) -> (Vec<Arc<Transaction>>, Amount) {
        let template = self.mempool.template(&Room::of_block(height, median_time_past));
        let transactions = template.entries.iter().map(|entry| Arc::clone(entry.transaction())).collect();
        (transactions, template.fees)
    }
}

fn pooled(entry: &Arc<Entry>) -> Pooled {
    Pooled {
        transaction: Arc::clone(entry.transaction()),
        fee: entry.fee(),
        vsize: entry.vsize(),
        sequence: entry.sequence(),
    }
}

/// What is told of a transaction whose scripts don't hold, or not as policy asks; `None` if they do.
fn unsatisfied(transaction: &Transaction, job: &Job, world: &mut World) -> Option<Judged> {
    let (reason, witness) = ("mempool-script-verify-flag-failed", transaction.has_witness());
    if !world.holds(&transaction.wtxid(), job) {
        return Some(Judged::Invalid { reason, witness });
    }
    (!world.is_relayed(transaction, job)).then_some(Judged::Policy { reason, witness })
}

/// What the protocol is told of a refusal.
fn judged(refusal: &Refusal) -> Judged {
    let reason = refusal.reason();
    match (refusal.verdict(), refusal) {
        (_, Refusal::MissingInputs(missing)) => Judged::MissingInputs(missing.to_vec()),
        (Verdict::Invalid, _) => Judged::Invalid { reason, witness: false },
        (Verdict::Policy, _) => Judged::Policy { reason, witness: false },
        (Verdict::Reconsiderable, _) => Judged::LowFee { reason },
        (Verdict::Known, _) => Judged::Known,
        (Verdict::Again | Verdict::MissingParents, _) => Judged::Failed,
    }
}

fn tell(change: &mut PoolChange, removed: impl IntoIterator<Item = Removed>) {
    change.removed.extend(removed.into_iter().map(|removed| io::Removed {
        transaction: Arc::clone(removed.entry.transaction()),
        why: match removed.reason {
            Reason::Confirmed => Departure::Confirmed,
            Reason::Conflict { .. } => Departure::Conflicted,
            Reason::Replaced { .. } => Departure::Replaced,
            Reason::Evicted => Departure::Evicted,
            Reason::Expired => Departure::Expired,
            Reason::Reorganised(_) | Reason::ClusterLimit => Departure::Reorganised,
            // The mempool may come to have more.
            _ => Departure::Evicted,
        },
    }));
}
