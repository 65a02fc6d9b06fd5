//! Which transactions wait for a block: from a transaction that somebody offers to one that is pending.
//!
//! Owns the [`Mempool`] and the threads that verify scripts for it. Whatever needs no signature is judged at once, on the
//! caller's thread; scripts are verified by the pool of threads while the caller goes on, many transactions at a time.
//! What came of each is told by an [`Event`]. Not its job: the rules (`yap_chain::mempool`, `yap_chain::policy`), who
//! offered a transaction, and who is told of it (`yap_protocol`).
//!
//! ```text
//! submit ─▶ checked ──▶ scripts verified ──▶ inserted ─▶ Event::Changed, Event::Judged
//!             │  ▲                              │
//!             │  └── a parent was judged, or ───┤ Stale
//!             ▼      the chain has settled      ▼
//!           waits                            refused ─▶ Event::Judged
//! ```
//!
//! A transaction that spends from one on its way waits for it. Two that spend the same coin are both verified; what the
//! second is (a replacement, or too late) shows when it is inserted. A transaction is *on its way* from
//! [`Admission::submit`] until it is judged; [`Bounds`] say how many may be at a time, and then the caller hears [`Full`].
//!
//! The coins are those of the chain's tip, which runs ahead of what is verified. So long as the tip is not the one that
//! [`Admission::moved`] was told of last, nothing is judged: transactions wait.

mod event;
mod flight;
mod judge;
mod relay;
mod saved;
mod tip;
mod trial;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use yap_chain::bitcoin::{BlockHash, Txid};
use yap_chain::mempool::{self, Entry, Mempool, Room, Template};
use yap_chain::policy;
use yap_chain::transaction::Transaction;
use yap_protocol::ledger::Pooled;
use yap_script::pool::Bell;
use yap_script::{Batch, Cache, Pool, Verdict, pool};

use crate::chainstate::{Chainstate, Error};

pub use self::event::{Event, Why};
pub use self::flight::{Bounds, Full};
pub use self::saved::{LoadError, MOST_SAVED_BYTES, Restored, SaveError, Snapshot};
pub use self::tip::RETURNED_BYTES;
pub use self::trial::{MOST_TRIED, Trial, Verified};

use self::flight::{Flight, Origin, Work};
use self::relay::Relay;
use self::saved::Restoring;
use self::tip::Reorganisation;

/// How transactions are admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What the mempool takes.
    pub limits: mempool::Limits,
    /// Which transactions are standard.
    pub rules: policy::Rules,
    /// Threads that verify scripts; 0: one per core.
    pub threads: usize,
    /// What may be on its way at a time.
    pub bounds: Bounds,
}

/// Admits transactions. See the [module](self).
#[derive(Debug)]
pub struct Admission {
    pool: Mempool,
    scripts: Pool<Relay>,
    verdicts: Receiver<Verdict>,
    /// Shared with the chain's own script threads.
    cache: Arc<Cache>,
    flight: Flight,
    /// Scripts for which the threads had no room; no more than there are works on their way.
    ready: VecDeque<Batch>,
    /// Works to look at (again), by number.
    due: VecDeque<u64>,
    events: VecDeque<Event>,
    /// The tip that the pool was told of last.
    tip: BlockHash,
    reorganisation: Option<Reorganisation>,
    restoring: Option<Restoring>,
}

impl Admission {
    /// Starts with no transaction, on the verified tip of `chain`.
    ///
    /// # Panics
    /// If the system gives no thread at all.
    #[must_use]
    pub fn new(chain: &Chainstate, options: Options) -> Self {
        let cache = Arc::clone(chain.script_cache());
        let scripts =
            pool::Options { threads: options.threads, cache: Some(Arc::clone(&cache)), ..pool::Options::default() };
        let (scripts, verdicts) = Pool::new(Relay::default(), scripts);
        let seed = RandomState::new().hash_one(0_u8);
        Self {
            pool: Mempool::new(options.limits, seed).with_rules(options.rules),
            scripts,
            verdicts,
            cache,
            flight: Flight::new(options.bounds),
            ready: VecDeque::new(),
            due: VecDeque::new(),
            events: VecDeque::new(),
            tip: chain.tree().hash(chain.verified_tip()),
            reorganisation: None,
            restoring: None,
        }
    }

    /// Offers a transaction; with a parent that pays too little by itself, both together. `now` is the time in Unix
    /// seconds. What comes of it is told by an [`Event::Judged`] for each, at once or later. One that is on its way
    /// already is judged once.
    ///
    /// # Errors
    /// [`Full`] if too much is on its way: take in verdicts, and offer it again.
    pub fn submit(
        &mut self,
        chain: &mut Chainstate,
        transaction: Arc<Transaction>,
        parent: Option<Arc<Transaction>>,
        now: u64,
    ) -> Result<(), Full> {
        let work = Work::new(transaction, parent, Origin::Offered, now);
        if self.flight.has(&work) {
            return Ok(());
        }
        let id = self.flight.add(work)?;
        self.due.push_back(id);
        self.examine_due(chain);
        Ok(())
    }

    /// Takes in every verdict that is there, and a part of a saved pool. Never waits. Gives whether there is more to do
    /// at once: then call it again after other work.
    pub fn step(&mut self, chain: &mut Chainstate) -> bool {
        while let Ok(verdict) = self.verdicts.try_recv() {
            self.answer(chain, verdict);
        }
        self.go_on_restoring(chain)
    }

    /// Waits until all that is on its way is judged, but for what waits for the chain.
    ///
    /// # Errors
    /// If the threads that verify are gone.
    pub fn settle(&mut self, chain: &mut Chainstate) -> Result<(), Error> {
        while self.step(chain) || self.flight.verifying() > 0 {
            self.wait(chain)?;
        }
        Ok(())
    }

    /// Waits for one verdict, if one is due, and takes it in.
    ///
    /// # Errors
    /// If the threads that verify are gone.
    pub fn wait(&mut self, chain: &mut Chainstate) -> Result<(), Error> {
        if self.flight.verifying() > 0 {
            let verdict = self.receive()?;
            self.answer(chain, verdict);
        }
        Ok(())
    }

    /// Where verdicts come: for a caller that waits for several things. Whoever receives one hands it to
    /// [`answer`](Self::answer).
    #[must_use]
    pub fn verdicts(&self) -> &Receiver<Verdict> {
        &self.verdicts
    }

    /// Rings the bell whenever [`step`](Self::step) has a verdict to take in, on another thread. The first bell stays.
    pub fn ring(&self, bell: Bell) {
        self.scripts.ring(bell);
    }

    fn receive(&self) -> Result<Verdict, Error> {
        self.verdicts.recv().map_err(|_| Error::Worker("script verification"))
    }

    /// Hands out what happened since the last call. Events wait until they are asked for: ask after each call.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The transactions that are pending.
    #[must_use]
    pub fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// How many transactions are on their way.
    #[must_use]
    pub fn on_the_way(&self) -> usize {
        self.flight.len()
    }

    /// The transactions of the next block; `None` while blocks that were taken back wait to be dealt with, since the
    /// pool may then have transactions without their parents.
    #[must_use]
    pub fn template(&self, room: &Room) -> Option<Template> {
        self.reorganisation.is_none().then(|| self.pool.template(room))
    }

    /// Takes out what has waited too long.
    pub fn expire(&mut self, now: u64) {
        let removed = self.pool.expire(now);
        self.changed(Vec::new(), removed);
    }

    /// Changes what a transaction counts for; see [`Mempool::prioritise`].
    pub fn prioritise(&mut self, txid: Txid, delta: i64) -> Option<i64> {
        self.pool.prioritise(txid, delta)
    }

    /// Notes that no peer has a transaction yet; see [`Mempool::mark_unbroadcast`].
    pub fn mark_unbroadcast(&mut self, txid: Txid) {
        self.pool.mark_unbroadcast(txid);
    }

    /// Notes that a peer asked for a transaction.
    pub fn mark_broadcast(&mut self, txid: &Txid) {
        self.pool.mark_broadcast(txid);
    }

    /// Notes that no peer has these transactions yet, and that of all others one has; see [`Mempool::set_unbroadcast`].
    pub fn set_unbroadcast(&mut self, txids: impl IntoIterator<Item = Txid>) {
        self.pool.set_unbroadcast(txids);
    }

    /// Tells of a change of the pool, if there is one.
    fn changed(&mut self, added: Vec<Arc<Entry>>, removed: Vec<mempool::Removed>) {
        if !added.is_empty() || !removed.is_empty() {
            self.events.push_back(Event::Changed { added, removed });
        }
    }
}

/// A transaction of the mempool as the protocol sees it.
#[must_use]
pub fn pooled(entry: &Entry) -> Pooled {
    Pooled {
        transaction: Arc::clone(entry.transaction()),
        fee: entry.fee(),
        vsize: entry.vsize(),
        sequence: entry.sequence(),
    }
}
