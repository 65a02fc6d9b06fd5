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
mod index;
mod open;
mod recent;
mod reject;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use yap_chain::bitcoin::BlockHash;
use yap_chain::block::{self, Context};
use yap_chain::header::tree::{Id, Tree};
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;
use yap_chain::{Block, header};
use yap_script::Pool;
use yap_store::Store;

pub use self::event::{Accepted, Event};
pub use self::open::Options;
pub use self::reject::Reject;
use self::filters::Filters;
use self::index::Index;
use self::recent::Recent;
use crate::prepare::Prepared;

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
        cause: yap_chain::connect::UndoMismatch,
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
    /// A block that is needed has been pruned.
    #[error("block {hash} was pruned and cannot be read; start again with an empty data directory, without pruning")]
    Pruned {
        /// The block.
        hash: BlockHash,
    },
    /// A worker thread could not be started, or is gone.
    #[error("a worker thread is not running ({0}); start the program again")]
    Worker(&'static str),
    /// What is committed contradicts itself.
    #[error("the index is damaged ({0}); `yap verify` says what else is, and how to mend it")]
    Index(&'static str),
}

/// A connected block whose scripts are being verified.
#[derive(Debug)]
struct InFlight {
    id: Id,
    block: Arc<Block>,
    undo: Arc<Undo>,
    /// The batch at the verification engine; `None` once it was verified.
    batch: Option<u64>,
}

/// One chain's ledger.
#[derive(Debug)]
pub struct Chainstate {
    spec: Arc<Spec>,
    tree: Tree,
    store: Store,
    index: Index,
    /// The coins are as of this block.
    tip: Id,
    /// Connected blocks above the verified tip, oldest first. Bounded by the pool's queue, which holds their scripts.
    in_flight: VecDeque<InFlight>,
    pool: Pool,
    batches: u64,
    filters: Filters,
    /// Verified blocks whose filters the next commit writes, oldest first.
    unfiltered: Vec<Id>,
    /// Blocks whose index record changed since the last commit.
    dirty: BTreeSet<Id>,
    recent: Recent,
    events: VecDeque<Event>,
    seed: u64,
}

impl Chainstate {
    /// Takes in one block. `now` is the time in seconds since 1970, by which headers from the future are told.
    ///
    /// # Errors
    /// If the ledger cannot go on; the state on disk is then that of the last commit.
    pub fn process(&mut self, prepared: Prepared, now: u32) -> Result<Accepted, Error> {
        let Prepared { block, verdict } = prepared;
        if let Err(why) = verdict {
            return Ok(Accepted::Rejected(why));
        }
        let id = match self.accept_header(*block.header(), now) {
            Ok(id) => id,
            Err(why) => return Ok(Accepted::Rejected(why)),
        };
        if self.index.entry(id).block.is_some() {
            return Ok(Accepted::Known);
        }
        if let Err(why) = block::check_in_context(&block, &self.context(id)) {
            if !why.is_mutation() {
                self.mark_invalid(id);
            }
            return Ok(Accepted::Rejected(why.into()));
        }
        let position = self.store.write_block(&block)?;
        let transactions = u32::try_from(block.transactions().len()).unwrap_or(u32::MAX);
        let linked = self.index.stored(id, position, transactions, &self.tree);
        self.dirty.insert(id);
        self.dirty.extend(linked);
        self.recent.insert(id, block);
        self.activate()?;
        Ok(Accepted::Stored)
    }

    /// Takes in a header alone, so that blocks may come in any order and `assume_valid` can be told.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn accept_header(&mut self, header: yap_chain::bitcoin::block::Header, now: u32) -> Result<Id, Reject> {
        let accepted = self.tree.accept(header, now)?;
        if accepted.is_new() {
            self.dirty.insert(accepted.id());
        }
        Ok(accepted.id())
    }

    /// Hands out what happened since the last call.
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
        self.in_flight.front().and_then(|first| self.tree.parent(first.id)).unwrap_or(self.tip)
    }

    /// What the rules may look at around a block.
    fn context(&self, id: Id) -> Context {
        Context::new(&self.spec, &self.tree, id)
    }

    fn mark_invalid(&mut self, id: Id) {
        self.tree.invalidate(id);
        self.index.drop_invalid(&self.tree);
        self.dirty.insert(id);
    }
}
