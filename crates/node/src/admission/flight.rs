//! The transactions on their way, and who waits for whom.
//!
//! Each [`Work`] has a number. It waits only for works of lower numbers, so that however transactions and pairs spend from
//! one another, no circle of them waits for itself.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use yap_chain::bitcoin::{OutPoint, Txid, Wtxid};
use yap_chain::mempool::{Candidate, CandidatePair, Refusal};
use yap_chain::transaction::Transaction;
use yap_chain::verify::Job;

/// How much may be on its way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Transactions; a pair is two.
    pub transactions: usize,
    /// Bytes of them as serialised. Decoded, and with the coins that they spend, they take about four times that. A
    /// transaction that is larger is taken when there is no other.
    pub bytes: usize,
}

impl Default for Bounds {
    /// Enough to keep the threads busy for a tenth of a second, and 64 MB of memory at most.
    fn default() -> Self {
        Self { transactions: 4096, bytes: 16 << 20 }
    }
}

/// Too much is on its way: take in verdicts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions are on their way")]
pub struct Full;

/// Where a transaction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A peer or a user, who is told what comes of it.
    Offered,
    /// A saved pool.
    Saved,
    /// A block that was taken back.
    Returned,
}

/// A transaction, or a parent and its child, to be judged.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) transaction: Arc<Transaction>,
    pub(super) parent: Option<Arc<Transaction>>,
    pub(super) origin: Origin,
    /// When it came, in Unix seconds.
    pub(super) time: u64,
}

impl Work {
    pub(super) fn new(
        transaction: Arc<Transaction>,
        parent: Option<Arc<Transaction>>,
        origin: Origin,
        time: u64,
    ) -> Self {
        Self { transaction, parent, origin, time }
    }

    fn name(&self) -> (Wtxid, Option<Wtxid>) {
        (self.transaction.wtxid(), self.parent.as_ref().map(|parent| parent.wtxid()))
    }

    fn transactions(&self) -> impl Iterator<Item = &Arc<Transaction>> {
        self.parent.iter().chain([&self.transaction])
    }

    /// What it spends.
    fn inputs(&self) -> impl Iterator<Item = &OutPoint> {
        self.transactions().flat_map(|one| one.decoded().input.iter().map(|input| &input.previous_output))
    }

    fn count(&self) -> usize {
        self.transactions().count()
    }

    fn bytes(&self) -> usize {
        self.transactions().map(|one| one.total_size()).fold(0, usize::saturating_add)
    }
}

/// A work that keeps every rule but scripts.
#[derive(Debug)]
pub(super) enum Checked {
    One(Box<Candidate>),
    Pair {
        pair: Box<CandidatePair>,
        /// What the parent is refused for by itself.
        alone: Box<Refusal>,
    },
}

/// What is being verified.
#[derive(Debug)]
pub(super) struct Verifying {
    pub(super) checked: Checked,
    pub(super) jobs: Vec<Job>,
}

#[derive(Debug)]
struct Flying {
    work: Work,
    verifying: Option<Verifying>,
    /// The scripts that are known to hold.
    verified: Vec<Job>,
    /// Works that wait for this one.
    waiters: Vec<u64>,
}

/// The works on their way.
#[derive(Debug, Default)]
pub(super) struct Flight {
    bounds: Bounds,
    works: HashMap<u64, Flying>,
    /// Those offered, by what they are.
    names: HashSet<(Wtxid, Option<Wtxid>)>,
    /// Who would make a transaction's outputs.
    makers: BTreeSet<(Txid, u64)>,
    /// Those that wait for the chain.
    parked: Vec<u64>,
    last: u64,
    transactions: usize,
    bytes: usize,
    verifying: usize,
    returned: usize,
}

impl Flight {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// How many transactions there are.
    pub(super) fn len(&self) -> usize {
        self.transactions
    }

    /// How many works have their scripts verified now.
    pub(super) fn verifying(&self) -> usize {
        self.verifying
    }

    /// How many works blocks gave back.
    pub(super) fn returned(&self) -> usize {
        self.returned
    }

    /// Whether there is room for half of what there may be, so that what can wait leaves room for what can't.
    pub(super) fn is_half_empty(&self) -> bool {
        self.works.is_empty()
            || (self.transactions < self.bounds.transactions / 2 && self.bytes < self.bounds.bytes / 2)
    }

    /// Whether the same was offered already.
    pub(super) fn has(&self, work: &Work) -> bool {
        self.names.contains(&work.name())
    }

    /// Takes a work in.
    pub(super) fn add(&mut self, work: Work) -> Result<u64, Full> {
        let transactions = self.transactions.saturating_add(work.count());
        let bytes = self.bytes.saturating_add(work.bytes());
        let fits = transactions <= self.bounds.transactions && bytes <= self.bounds.bytes;
        if fits || self.works.is_empty() { Ok(self.force(work)) } else { Err(Full) }
    }

    /// Takes a work in, whatever the bounds.
    pub(super) fn force(&mut self, work: Work) -> u64 {
        self.last = self.last.saturating_add(1);
        self.transactions = self.transactions.saturating_add(work.count());
        self.bytes = self.bytes.saturating_add(work.bytes());
        match work.origin {
            Origin::Offered => drop(self.names.insert(work.name())),
            Origin::Returned => self.returned = self.returned.saturating_add(1),
            Origin::Saved => {}
        }
        self.makers.extend(work.transactions().map(|one| (one.txid(), self.last)));
        let flying = Flying { work, verifying: None, verified: Vec::new(), waiters: Vec::new() };
        self.works.insert(self.last, flying);
        self.last
    }

    pub(super) fn work(&self, id: u64) -> Option<&Work> {
        self.works.get(&id).map(|flying| &flying.work)
    }

    /// Lets a pair go on as two: the parent under the pair's number, the child after it. Gives the child's.
    pub(super) fn split(&mut self, id: u64) -> Option<u64> {
        let (work, waiters) = self.remove(id)?;
        let Work { transaction, parent, origin, time } = work;
        let last = std::mem::replace(&mut self.last, id.saturating_sub(1));
        let parent = parent.map(|parent| self.force(Work::new(parent, None, origin, time)));
        self.last = last;
        if let Some(flying) = parent.and_then(|parent| self.works.get_mut(&parent)) {
            flying.waiters = waiters;
        }
        Some(self.force(Work::new(transaction, None, origin, time)))
    }

    /// Makes a work wait for one of a lower number that makes what it spends, if there is one. What a block gave back
    /// waits for nothing else.
    pub(super) fn wait(&mut self, id: u64) -> bool {
        let Some(flying) = self.works.get(&id) else { return false };
        let returned = flying.work.origin == Origin::Returned;
        let eligible = |maker: &u64| {
            !returned || self.works.get(maker).is_some_and(|flying| flying.work.origin == Origin::Returned)
        };
        let before =
            |txid: Txid| self.makers.range((txid, 0)..(txid, id)).rev().map(|(_, maker)| *maker).find(eligible);
        // A pair whose parent is on its way alone waits for what comes of that.
        let parent = flying.work.parent.as_ref().map(|parent| parent.txid());
        let maker = parent.into_iter().chain(flying.work.inputs().map(|outpoint| outpoint.txid)).find_map(before);
        match maker.and_then(|maker| self.works.get_mut(&maker)) {
            Some(maker) => {
                maker.waiters.push(id);
                true
            }
            None => false,
        }
    }

    /// Makes a work wait for the chain.
    pub(super) fn park(&mut self, id: u64) {
        self.parked.push(id);
    }

    /// Those that waited for the chain.
    pub(super) fn unpark(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.parked)
    }

    /// Whether these scripts of a work are known to hold.
    pub(super) fn is_verified(&self, id: u64, jobs: &[Job]) -> bool {
        let same = |(a, b): (&Job, &Job)| a.transaction == b.transaction && a.flags == b.flags;
        self.works
            .get(&id)
            .is_some_and(|flying| flying.verified.len() == jobs.len() && flying.verified.iter().zip(jobs).all(same))
    }

    /// Notes that a work's scripts are being verified.
    pub(super) fn begin(&mut self, id: u64, verifying: Verifying) {
        if let Some(flying) = self.works.get_mut(&id) {
            self.verifying = self.verifying.saturating_add(usize::from(flying.verifying.is_none()));
            flying.verifying = Some(verifying);
        }
    }

    /// Notes that a verdict came.
    pub(super) fn end(&mut self, id: u64) -> Option<Verifying> {
        let verifying = self.works.get_mut(&id)?.verifying.take()?;
        self.verifying = self.verifying.saturating_sub(1);
        Some(verifying)
    }

    /// Keeps in mind that a work's scripts hold, while it is checked again.
    pub(super) fn remember(&mut self, id: u64, verified: Vec<Job>) {
        if let Some(flying) = self.works.get_mut(&id) {
            flying.verified = verified;
        }
    }

    /// Takes a work out. Gives it, and those that waited for it.
    pub(super) fn remove(&mut self, id: u64) -> Option<(Work, Vec<u64>)> {
        let Flying { work, verifying, waiters, .. } = self.works.remove(&id)?;
        self.verifying = self.verifying.saturating_sub(usize::from(verifying.is_some()));
        self.transactions = self.transactions.saturating_sub(work.count());
        self.bytes = self.bytes.saturating_sub(work.bytes());
        match work.origin {
            Origin::Offered => drop(self.names.remove(&work.name())),
            Origin::Returned => self.returned = self.returned.saturating_sub(1),
            Origin::Saved => {}
        }
        for one in work.transactions() {
            self.makers.remove(&(one.txid(), id));
        }
        Some((work, waiters))
    }
}

#[cfg(test)]
mod tests;
