//! One chain's ledger: header tree, blocks, coins and the scripts still being verified, kept in step.
//!
//! Blocks go in by [`Chainstate::process`]; what follows comes out as [`Event`]s. Connecting runs ahead of script
//! verification: the coins are those of [`Chainstate::tip`], while every script is known to hold only up to
//! [`Chainstate::verified_tip`]. A script that turns out wrong takes the blocks above it back, newest first. Only the
//! verified part is ever committed, so what is on disk has no unverified block in it.
//!
//! ```text
//! process ─▶ header accepted ─▶ stored ─▶ linked ─▶ connected ─▶ in flight ─▶ verified ─▶ committed
//!                 │ Rejected                           │ Invalid      │ Invalid
//! ```

mod activate;
mod commit;
mod event;
mod filters;
#[cfg(test)]
mod fixture;
mod flight;
mod index;
mod next;
mod open;
mod place;
mod recent;
mod signed;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::bip158::FilterHeader;
use yap_chain::bitcoin::block::Header;
use yap_chain::block;
use yap_chain::header::{
    self,
    tree::{Id, Status, Tree},
};
use yap_chain::spec::Spec;
use yap_chain::utxo::{Hashes, Stats, Totals};
use yap_script::pool::Bell;
use yap_script::{Cache, Kernel, Pool, Verdict};
use yap_store::Store;

pub use self::event::{Accepted, Event};
use self::filters::Filters;
use self::flight::Flight;
use self::index::Index;
pub(crate) use self::next::Next;
pub use self::open::{Options, Trust};
use self::recent::Recent;
use self::signed::Signed;
use crate::prepare::Prepared;
use crate::reject::Reject;

/// Why the ledger cannot go on. Blocks that break rules are not errors: see [`Accepted`] and [`Event`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or what is on it.
    #[error(transparent)]
    Store(#[from] yap_store::Error),
    /// The undo data of a block that must be taken back does not fit it.
    #[error("the undo data of block {hash} is damaged ({cause}); `yap verify` says what else is, and how to mend it")]
    Undo {
        /// The block.
        hash: BlockHash,
        /// What does not fit.
        #[source]
        cause: yap_chain::connect::Mismatch,
    },
    /// A stored block can no longer be read as one.
    #[error("block {hash} is damaged in its file ({cause}); `yap verify` says what else is, and how to mend it")]
    Block {
        /// The block.
        hash: BlockHash,
        /// What is wrong with it.
        #[source]
        cause: block::ParseError,
    },
    /// A stored block is another one than was written, or one whose transactions or witnesses do not belong to
    /// its header.
    #[error(
        "block {hash} is damaged: its file holds something else; `yap verify` says what else is, and how to mend it"
    )]
    OtherBlock {
        /// The block.
        hash: BlockHash,
    },
    /// A block that is needed has been pruned.
    #[error("block {hash} was pruned and cannot be read; start again with an empty data directory, without pruning")]
    Pruned {
        /// The block.
        hash: BlockHash,
    },
    /// The verification engine failed, which says nothing about the block.
    #[error("scripts could not be verified: {0}")]
    Engine(#[source] yap_script::Failure),
    /// A worker thread could not be started, or is gone.
    #[error("a worker thread is not running ({0}); start the program again")]
    Worker(&'static str),
    /// The stored set of unspent outputs is not a set.
    #[error("the unspent outputs are damaged ({0}); `yap verify` says what else is, and how to mend it")]
    Coins(#[from] yap_chain::utxo::Error),
    /// An earlier call failed.
    #[error("the ledger has stopped after an earlier error; start the program again")]
    Stopped,
    /// What is committed contradicts itself.
    #[error("the index is damaged ({0}); `yap verify` says what else is, and how to mend it")]
    Index(&'static str),
}

/// Blocks that are connected at once where nobody takes in what is told of them, which holds their data in memory.
const AT_ONCE: usize = 32;

/// One chain's ledger.
#[derive(Debug)]
pub struct Chainstate {
    spec: Arc<Spec>,
    tree: Tree,
    store: Store,
    index: Index,
    /// The coins are as of this block.
    tip: Id,
    /// Connected blocks above the verified tip.
    in_flight: Flight,
    pool: Pool<Kernel>,
    verdicts: Receiver<Verdict>,
    /// Transactions whose scripts hold, so that their block need not verify them again.
    cache: Arc<Cache>,
    /// Verdicts that were received to make room in the pool and not yet looked at; no more than it has batches.
    early: VecDeque<Verdict>,
    batches: u64,
    filters: Filters,
    /// Verified blocks whose filters the next commit writes; parents before children.
    unfiltered: BTreeSet<Id>,
    /// Filter headers of the last commit, whose rows may not be readable yet.
    filter_headers: BTreeMap<Id, FilterHeader>,
    committed_at: Instant,
    /// Blocks whose index record changed since the last commit.
    dirty: BTreeSet<Id>,
    recent: Recent,
    /// Who signed what, where blocks are signed by known producers.
    signed: Option<Signed>,
    events: VecDeque<Event>,
    /// Whether a step failed half-way, so that nothing may be done any more.
    stopped: bool,
    /// Unpredictable for peers, for maps whose keys they choose.
    seed: u64,
    /// The user's own word on which block's scripts need no verification, instead of the chain's.
    trusted: Trust,
    prune_bytes: Option<u64>,
}

impl Chainstate {
    /// Takes in one block. `now` is the time in seconds since 1970, by which headers from the future are told.
    ///
    /// # Errors
    /// If the ledger cannot go on; the state on disk is then that of the last commit, and every later call fails too.
    pub fn process(&mut self, prepared: Prepared, now: u32) -> Result<Accepted, Error> {
        self.guard(|chainstate| {
            let accepted = chainstate.take_in(prepared, now)?;
            if matches!(accepted, Accepted::Stored) {
                chainstate.activate()?;
            }
            Ok(accepted)
        })
    }

    /// As [`process`](Self::process), but leaves connecting to [`step`](Self::step): for a caller that must not be kept
    /// for long.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    pub fn store_block(&mut self, prepared: Prepared, now: u32) -> Result<Accepted, Error> {
        self.guard(|chainstate| chainstate.take_in(prepared, now))
    }

    /// Takes in the verdicts that are there, and connects `most` blocks at most. Gives whether the tip is the best block
    /// that is stored: else call it again.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    pub fn step(&mut self, most: usize) -> Result<bool, Error> {
        self.guard(|chainstate| chainstate.go(most))
    }

    /// Rings the bell whenever [`step`](Self::step) has a verdict to take in, on another thread. The first bell stays.
    pub fn ring(&self, bell: Bell) {
        self.pool.ring(bell);
    }

    fn take_in(&mut self, prepared: Prepared, now: u32) -> Result<Accepted, Error> {
        let Prepared { block, verdict } = prepared;
        if let Err(why) = verdict {
            return Ok(Accepted::Rejected(why));
        }
        let id = match self.accept_header(block.header(), now) {
            Ok(id) => id,
            Err(why) => return Ok(Accepted::Rejected(why)),
        };
        if let Some(why) = self.refuse_fork(id) {
            return Ok(Accepted::Rejected(why));
        }
        if self.index.is_held(id) {
            return Ok(Accepted::Known);
        }
        if let Err(why) = block::check_in_context(&block, &place::place(&self.spec, &self.tree, id)) {
            if !why.is_mutation() {
                self.mark_invalid(id);
            }
            return Ok(Accepted::Rejected(why.into()));
        }
        let position = self.store.write_block(&block, self.tree.height(id))?;
        self.index.stored(id, position, &block, &self.tree);
        self.dirty.insert(id);
        self.recent.insert(id, block);
        Ok(Accepted::Stored)
    }

    /// Takes in a header alone, so that blocks may come in any order and `assume_valid` can be told.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn accept_header(&mut self, header: &Header, now: u32) -> Result<Id, Reject> {
        Ok(self.add_header(header, now)?.id())
    }

    /// As [`accept_header`](Self::accept_header), and tells whether it is new.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn add_header(&mut self, header: &Header, now: u32) -> Result<header::tree::Accepted, header::Error> {
        let accepted = self.tree.accept(header, now)?;
        if let header::tree::Accepted::New(id) = accepted {
            self.dirty.insert(id);
        }
        Ok(accepted)
    }

    /// Hands out what happened since the last call. Events wait until they are asked for: ask after each call of
    /// [`process`](Self::process), which mostly makes one, and in a reorganisation two for each block.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The chain's rules.
    #[must_use]
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// Every known header.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The best chain's tip, whose scripts may still be being verified.
    #[must_use]
    pub fn tip(&self) -> Id {
        self.tip
    }

    /// The newest block of the best chain up to which every script holds.
    #[must_use]
    pub fn verified_tip(&self) -> Id {
        self.in_flight.first().and_then(|first| self.tree.parent(first)).unwrap_or(self.tip)
    }

    /// Transactions whose scripts hold. What verifies them before their block comes puts them there.
    #[must_use]
    pub fn script_cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The number that maps keyed by others' choice are seeded with.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The block at `height` in the best chain.
    #[must_use]
    pub fn at_height(&self, height: u32) -> Option<Id> {
        self.tree.ancestor(self.tip, height)
    }

    /// Whether the block's data is at hand.
    #[must_use]
    pub fn has_block(&self, id: Id) -> bool {
        self.index.entry(id).block.is_some()
    }

    /// Whether the block is connected and its scripts are still being verified.
    #[must_use]
    pub fn is_in_flight(&self, id: Id) -> bool {
        self.tree.is_ancestor(id, self.tip) && !self.tree.is_ancestor(id, self.verified_tip())
    }

    /// Transactions in a block, if its data ever was at hand.
    #[must_use]
    pub fn transactions(&self, id: Id) -> Option<u32> {
        let entry = self.index.entry(id);
        (entry.transactions > 0).then_some(entry.transactions)
    }

    /// Transactions in a block and all before it, if the data of all ever was at hand.
    #[must_use]
    pub fn transactions_up_to(&self, id: Id) -> Option<u64> {
        let total = self.index.entry(id).total;
        (total > 0).then_some(total)
    }

    /// Whether something waits to be committed.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.unfiltered.is_empty()
    }

    /// Whether a block was stored and deleted to save space.
    #[must_use]
    pub fn is_pruned(&self, id: Id) -> bool {
        self.index.entry(id).pruned
    }

    /// Hashes of the blocks that are held, or were until they were pruned from the best chain: those that need not come
    /// again.
    #[must_use]
    pub fn stored_hashes(&self) -> BTreeSet<BlockHash> {
        let held = |&id: &Id| self.index.is_held(id);
        self.tree.iter().filter(held).map(|id| self.tree.hash(id)).collect()
    }

    /// Totals and hashes of the set of unspent outputs, as committed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn totals(&self, hashes: Hashes) -> Result<Totals, Error> {
        let mut stats = Stats::new(hashes);
        for coin in self.store.reader().utxos()? {
            let (outpoint, coin) = coin?;
            stats.add(&outpoint, &coin)?;
        }
        Ok(stats.finish())
    }

    /// Runs a step after whose failure, or panic, memory may be in the middle of something.
    fn guard<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        // Stays so if the step panics and somebody above catches that.
        self.stopped = true;
        let done = step(self)?;
        self.stopped = false;
        Ok(done)
    }

    /// Commits, and closes without waiting for the store to tidy its tables, which the next opening goes on with: for a
    /// process that ends now. Until then the directory stays locked.
    ///
    /// # Errors
    /// As [`Chainstate::flush`]. What was committed before stays.
    pub fn close(mut self) -> Result<(), Error> {
        // Better blocks that are stored and not connected are the next opening's to connect.
        let flushed = self.persist();
        let Self { store, .. } = self;
        store.leave();
        flushed
    }

    /// Holds a block, and all on top of it, to be invalid, and leaves it. Where that leaves a better branch, or a far way
    /// to go, [`step`](Self::step) goes on.
    ///
    /// # Errors
    /// If the ledger cannot go on, or, without a change, if a block on the way back was pruned.
    pub fn invalidate(&mut self, id: Id) -> Result<(), Error> {
        if let Some(parent) = self.tree.parent(id).filter(|_| self.tree.is_ancestor(id, self.tip)) {
            self.check_readable(&self.tree.path(self.tip, parent).disconnect)?;
        }
        self.guard(|chainstate| {
            chainstate.await_scripts()?;
            while chainstate.tree.is_ancestor(id, chainstate.tip) && id != chainstate.tree.genesis() {
                chainstate.disconnect_tip()?;
                // The way back may be long. A crash on it leaves a tip from which the next opening goes forth again.
                chainstate.commit_on_the_way()?;
            }
            chainstate.mark_invalid(id);
            chainstate.readmit();
            chainstate.go(AT_ONCE).map(drop)
        })
    }

    /// Takes back [`invalidate`](Self::invalidate), and whatever else was held against the block, those before it and all
    /// on top of it. Where the way is far, [`step`](Self::step) goes on.
    ///
    /// # Errors
    /// If the ledger cannot go on.
    pub fn reconsider(&mut self, id: Id) -> Result<(), Error> {
        self.guard(|chainstate| {
            let tree = &mut chainstate.tree;
            let invalid: Vec<Id> = tree.iter().filter(|&id| tree.status(id) != Status::Valid).collect();
            let hash = tree.hash(id);
            tree.reconsider(&hash);
            // Also those below the block, and beside it: on disk nothing may be left that speaks against them.
            chainstate.dirty.extend(invalid);
            chainstate.readmit();
            chainstate.go(AT_ONCE).map(drop)
        })
    }

    /// Has a block win against others of as much work, as if its data had come first, until another is preferred. Does nothing
    /// where the tip has more work, or the block's data is not here. Where the way is far, [`step`](Self::step) goes on. Not
    /// kept across restarts, as in Bitcoin Core.
    ///
    /// # Errors
    /// If the ledger cannot go on, or, without a change of the tip, if a block on the way back was pruned.
    pub fn prefer(&mut self, id: Id) -> Result<(), Error> {
        if self.tree.work(id) < self.tree.work(self.tip) {
            return Ok(());
        }
        self.check_readable(&self.tree.path(self.tip, id).disconnect)?;
        self.guard(|chainstate| {
            chainstate.index.prefer(id, &chainstate.tree);
            chainstate.go(AT_ONCE).map(drop)
        })
    }

    /// Lets every linked block that is not worse than the tip compete again.
    fn readmit(&mut self) {
        let work = self.tree.work(self.tip);
        let fit = |&id: &Id| self.index.is_linked(id) && self.tree.work(id) >= work;
        for id in self.tree.iter().filter(fit).collect::<Vec<_>>() {
            self.index.add_candidate(id, &self.tree);
        }
    }

    fn mark_invalid(&mut self, id: Id) {
        let hash = self.tree.hash(id);
        self.tree.invalidate(&hash);
        self.index.drop_invalid(&self.tree);
        self.dirty.insert(id);
    }
}

#[cfg(test)]
mod tests;
