//! The steps of a transaction's way: checked, its scripts verified, inserted, told.

use std::cell::RefCell;
use std::sync::Arc;

use yap_chain::bitcoin::{OutPoint, Txid};
use yap_chain::coin::Coin;
use yap_chain::connect::Coins;
use yap_chain::mempool::{Mempool, Pair, Place, Refusal, Verdict};
use yap_chain::policy;
use yap_chain::transaction::Transaction;
use yap_chain::verify::Job;
use yap_script::pool::Full;
use yap_script::{Batch, Failure};
use yap_store::Store;

use super::flight::{Checked, Origin, Verifying, Work};
use super::{Admission, Event, Why, relay};
use crate::chainstate::{Chainstate, Next};

/// Outputs of a transaction that are looked up to tell whether a block has it. Of one with more, some may be spent or
/// left out, but each look may take a read of the disk (Core looks up what it has in memory only).
const OWN_OUTPUTS: u32 = 2;

/// What comes of checking a work.
enum Step {
    Verify(Checked),
    Refuse(Why),
    /// A pair: why the child is refused, and the parent.
    RefuseBoth(Why, Why),
    /// The parent is refused, and the child judged by itself.
    Apart(Why),
    /// First the parent alone, then the child.
    Split,
}

/// Reads coins for one check. The first error is kept, and makes what the check says void.
pub(super) struct Reading<'a> {
    store: RefCell<&'a mut Store>,
    error: RefCell<Option<yap_store::Error>>,
    /// Whose outputs only matter to tell whether it is confirmed.
    own: Txid,
}

impl<'a> Reading<'a> {
    pub(super) fn new(store: &'a mut Store, own: Txid) -> Self {
        Self { store: RefCell::new(store), error: RefCell::new(None), own }
    }

    pub(super) fn coin(&self, outpoint: &OutPoint) -> Option<Coin> {
        if (outpoint.txid == self.own && outpoint.vout >= OWN_OUTPUTS) || self.error.borrow().is_some() {
            return None;
        }
        self.store.borrow_mut().coin(outpoint).unwrap_or_else(|error| {
            self.error.replace(Some(error));
            None
        })
    }

    /// The error, if there was one.
    pub(super) fn finish(self) -> Result<&'a mut Store, yap_store::Error> {
        match self.error.into_inner() {
            Some(error) => Err(error),
            None => Ok(self.store.into_inner()),
        }
    }

    fn outcome<T>(self, outcome: Result<T, Refusal>) -> Result<T, Why> {
        self.finish()?;
        Ok(outcome?)
    }
}

impl Admission {
    /// Looks at every work that is due.
    pub(super) fn examine_due(&mut self, chain: &mut Chainstate) {
        while let Some(id) = self.due.pop_front() {
            self.examine(chain, id);
        }
        self.pump();
    }

    /// Checks a work, unless it has to wait.
    fn examine(&mut self, chain: &mut Chainstate, id: u64) {
        let Some(work) = self.flight.work(id).cloned() else { return };
        let next = chain.next();
        let waits = self.reorganisation.is_some() && work.origin != Origin::Returned;
        if waits || next.tip != self.tip {
            return self.flight.park(id);
        }
        if self.flight.wait(id) {
            return;
        }
        let step = match &work.parent {
            None => check(&self.pool, &work, next),
            Some(parent) => check_pair(&self.pool, &work, parent, next),
        };
        match step {
            Step::Verify(checked) => self.verify(id, checked),
            Step::Refuse(why) => self.finish(id, Err(why)),
            Step::RefuseBoth(why, alone) => self.refuse(id, why, Some(alone)),
            Step::Apart(why) => {
                let child = self.flight.split(id);
                self.finish(id, Err(why));
                self.due.extend(child);
            }
            Step::Split => {
                let child = self.flight.split(id);
                self.due.push_back(id);
                self.due.extend(child);
            }
        }
    }

    /// Hands a work's scripts to the threads, unless they are known to hold.
    fn verify(&mut self, id: u64, checked: Checked) {
        let jobs: Vec<Job> = match &checked {
            Checked::One(candidate) => vec![with_policy(candidate.transaction(), candidate.job())],
            Checked::Pair { pair, .. } => {
                pair.transactions().into_iter().zip(pair.jobs()).map(|(one, job)| with_policy(one, job)).collect()
            }
        };
        if self.flight.is_verified(id, &jobs) {
            return self.insert(id, Verifying { checked, jobs });
        }
        // What a block gives back is most often in the cache since it came the first time.
        let returned = self.flight.work(id).is_some_and(|work| work.origin == Origin::Returned);
        let remember = !returned && !jobs.iter().any(|job| relay::asks_policy(job.flags));
        self.ready.push_back(Batch { id, jobs: jobs.clone(), remember });
        self.flight.begin(id, Verifying { checked, jobs });
    }

    /// Hands over what waits for room.
    pub(super) fn pump(&mut self) {
        while let Some(batch) = self.ready.pop_front() {
            if let Err(Full(batch)) = self.scripts.try_submit(batch) {
                self.ready.push_front(batch);
                break;
            }
        }
    }

    /// Takes in a verdict.
    pub fn answer(&mut self, chain: &mut Chainstate, verdict: yap_script::Verdict) {
        let Some(verifying) = self.flight.end(verdict.id) else { return };
        match verdict.result {
            Ok(()) => {
                for job in verifying.jobs.iter().filter(|job| relay::asks_policy(job.flags)) {
                    // The threads remember only what was verified as blocks are.
                    self.cache.insert(&relay::plain(job));
                }
                self.insert(verdict.id, verifying);
            }
            Err(failure) => self.fail(verdict.id, verifying.checked, failure),
        }
        self.examine_due(chain);
    }

    /// Puts what holds into the pool. What the chain has overtaken is checked once more.
    fn insert(&mut self, id: u64, verifying: Verifying) {
        let Some(time) = self.flight.work(id).map(|work| work.time) else { return };
        let Verifying { checked, jobs } = verifying;
        let (outcome, alone) = match checked {
            Checked::One(candidate) => {
                let outcome = self.pool.insert(*candidate, time);
                (outcome.map(|inserted| (vec![inserted.entry], inserted.replaced, inserted.evicted)), None)
            }
            Checked::Pair { pair, alone } => {
                let outcome = self.pool.insert_pair(*pair, time);
                let parts = outcome.map(|both| (vec![both.parent, both.child], both.replaced, both.evicted));
                (parts, Some(*alone))
            }
        };
        match (outcome, alone) {
            (Ok((added, mut replaced, evicted)), _) => {
                replaced.extend(evicted);
                self.changed(added, replaced);
                self.finish(id, Ok(()));
            }
            (Err(Refusal::Stale), _) => {
                self.flight.remember(id, jobs);
                self.due.push_back(id);
            }
            (Err(refusal), alone) => {
                if let Refusal::Full { removed } = &refusal {
                    self.changed(Vec::new(), removed.to_vec());
                }
                self.refuse(id, refusal.into(), alone.map(Why::from));
            }
        }
    }

    /// A script does not hold.
    fn fail(&mut self, id: u64, checked: Checked, failure: Failure) {
        let Some(Work { transaction, parent, .. }) = self.flight.work(id).cloned() else { return };
        match (parent, checked) {
            (Some(parent), _) if parent.txid() == failure.transaction => {
                // Without its parent there is nothing for the child to spend.
                let lost = transaction.decoded().input.iter().map(|input| input.previous_output);
                let lost = lost.filter(|outpoint| outpoint.txid == parent.txid()).collect();
                self.refuse(id, Refusal::MissingInputs(lost).into(), Some(Why::script(failure, &parent)));
            }
            (_, Checked::Pair { alone, .. }) => {
                self.refuse(id, Why::script(failure, &transaction), Some((*alone).into()));
            }
            (_, Checked::One(_)) => self.refuse(id, Why::script(failure, &transaction), None),
        }
    }

    /// Tells why a work is not taken: `why` of its transaction, `alone` of its parent.
    fn refuse(&mut self, id: u64, why: Why, alone: Option<Why>) {
        if let (Some(alone), Some(work)) = (alone, self.flight.work(id))
            && let (Some(parent), Origin::Offered) = (&work.parent, work.origin)
        {
            self.events.push_back(Event::Judged { transaction: Arc::clone(parent), outcome: Err(alone) });
        }
        self.finish(id, Err(why));
    }

    /// Tells what came of a work, and lets those go on that waited for it.
    fn finish(&mut self, id: u64, outcome: Result<(), Why>) {
        let Some((work, waiters)) = self.flight.remove(id) else { return };
        self.due.extend(waiters);
        match (work.origin, self.restoring.as_mut()) {
            (Origin::Offered, _) => {
                if let (Some(transaction), Ok(())) = (work.parent, &outcome) {
                    self.events.push_back(Event::Judged { transaction, outcome: Ok(()) });
                }
                self.events.push_back(Event::Judged { transaction: work.transaction, outcome });
            }
            (Origin::Saved, Some(restoring)) => restoring.count(&outcome),
            (Origin::Saved | Origin::Returned, _) => {}
        }
    }
}

pub(super) fn place<'a, A>(next: &Next<'_>, ancestors: &'a A) -> Place<'a, A> {
    Place { height: next.height, median_time_past: next.median_time_past, ancestors, flags: next.flags }
}

fn check(pool: &Mempool, work: &Work, next: Next<'_>) -> Step {
    let place = place(&next, &next.ancestors);
    let reading = Reading::new(next.coins, work.transaction.txid());
    let coins = |outpoint: &OutPoint| reading.coin(outpoint);
    let outcome = match work.origin {
        Origin::Offered | Origin::Saved => pool.check(&work.transaction, &coins, &place, work.time),
        Origin::Returned => pool.check_returned(&work.transaction, &coins, &place, work.time),
    };
    match reading.outcome(outcome) {
        Ok(candidate) => Step::Verify(Checked::One(Box::new(candidate))),
        Err(why) => Step::Refuse(why),
    }
}

/// As Bitcoin Core does: the parent by itself if it can go by itself, and with its child only if what it pays is all
/// that is wrong with it.
fn check_pair(pool: &Mempool, work: &Work, parent: &Arc<Transaction>, next: Next<'_>) -> Step {
    let place = place(&next, &next.ancestors);
    let reading = Reading::new(next.coins, parent.txid());
    let coins = |outpoint: &OutPoint| reading.coin(outpoint);
    let outcome = pool.check(parent, &coins, &place, work.time);
    let store = match reading.finish() {
        Ok(store) => store,
        Err(error) => return Step::Apart(error.into()),
    };
    let alone = match outcome {
        Ok(_) => return Step::Split,
        Err(refusal) if refusal.verdict() == Verdict::Reconsiderable => refusal,
        Err(refusal) => return Step::Apart(refusal.into()),
    };
    let reading = Reading::new(store, work.transaction.txid());
    let coins = |outpoint: &OutPoint| reading.coin(outpoint);
    let outcome = pool.check_pair(parent, &work.transaction, &coins, &place, work.time);
    match reading.outcome(outcome) {
        Ok(pair) => Step::Verify(Checked::Pair { pair: Box::new(pair), alone: Box::new(alone) }),
        Err(Why::Refused(Refusal::Pair(Pair::Unrelated | Pair::ParentSuffices))) => Step::Split,
        Err(why) => Step::RefuseBoth(why, alone.into()),
    }
}

/// The job, with policy to be asked too, unless the form of the inputs is answer enough.
pub(super) fn with_policy(transaction: &Transaction, job: Job) -> Job {
    if policy::script::is_usual(transaction, &job.spent) { job } else { relay::marked(job) }
}
