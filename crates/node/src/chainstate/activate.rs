//! Moves the tip: to the best linked block, through forks of any depth, and back from blocks that prove invalid.

use std::sync::Arc;

use yap_chain::block::{self, Block, witness};
use yap_chain::connect;
use yap_chain::header::tree::Id;
use yap_chain::undo::Undo;
use yap_script::Batch;

/// Blocks in flight at most. The pool's bound on inputs comes first but for nearly empty blocks.
const MOST_IN_FLIGHT: usize = 1_000;

use super::place::{Line, place};
use super::{Chainstate, Error, Event, InFlight, Reject};

impl Chainstate {
    /// Connects and disconnects until the tip is the best block that is not known to be invalid.
    pub(super) fn activate(&mut self) -> Result<(), Error> {
        self.collect(false)?;
        while let Some(best) = self.index.best().filter(|&best| best != self.tip) {
            let path = self.tree.path(self.tip, best);
            while self.tip != path.fork {
                self.disconnect_tip()?;
            }
            for id in path.connect {
                if let Err(why) = self.connect(id)? {
                    // A script below may be wrong too; then this block was never to be connected.
                    self.await_scripts()?;
                    if self.tree.parent(id) == Some(self.tip) {
                        self.refuse(id, why);
                    }
                }
                self.collect(self.in_flight.len() >= MOST_IN_FLIGHT)?;
                if self.tip != id {
                    // This block or one before it was refused: there may be a better branch now.
                    break;
                }
            }
        }
        Ok(())
    }

    /// Waits until every script in flight is verified; the tip is then verified too.
    ///
    /// # Errors
    /// As [`Chainstate::process`].
    pub fn settle(&mut self) -> Result<(), Error> {
        while !self.in_flight.is_empty() {
            self.await_scripts()?;
            self.activate()?;
        }
        Ok(())
    }

    /// Waits for every verdict that is due. Afterwards the tip is verified, but may not be the best.
    fn await_scripts(&mut self) -> Result<(), Error> {
        while !self.in_flight.is_empty() {
            self.collect(true)?;
        }
        Ok(())
    }

    /// Connects `id`, a child of the tip. The outer error is fatal; the inner one says what rule the block breaks.
    fn connect(&mut self, id: Id) -> Result<Result<(), Reject>, Error> {
        let block = match self.recent.take(id) {
            Some(block) => block,
            None => self.read_block(id)?,
        };
        let context = connect::Context {
            place: place(&self.spec, &self.tree, id),
            ancestors: &Line::below(&self.tree, id),
            subsidy: self.spec.subsidy_at(self.tree.height(id)),
            flags: self.spec.script_flags(self.tree.height(id), &block.hash()),
            scripts: !self.index.entry(id).verified && !self.is_trusted(id),
            seed: self.seed,
        };
        let effect = match connect::connect(&block, &context, &mut self.store) {
            Ok(effect) => effect,
            Err(connect::Failure::Rule(why)) => return Ok(Err(why.into())),
            Err(connect::Failure::Coins(error)) => return Err(error.into()),
        };
        self.store.apply(effect.changes)?;
        if self.index.entry(id).undo.is_none() {
            let position = self.index.entry(id).block.ok_or(Error::Index("a block is connected but not stored"))?;
            let undo = self.store.write_undo(position, block.header().prev_blockhash, &effect.undo)?;
            self.index.entry_mut(id).undo = Some(undo);
            self.dirty.insert(id);
        }
        let undo = Arc::new(effect.undo);
        self.filters.request(id, &block, &undo);
        let batch = (!effect.jobs.is_empty()).then(|| {
            self.batches = self.batches.wrapping_add(1);
            self.pool.submit(Batch::new(self.batches, effect.jobs));
            self.batches
        });
        self.in_flight.push_back(InFlight { id, block, undo, batch });
        self.tip = id;
        if batch.is_none() {
            self.advance();
        }
        Ok(Ok(()))
    }

    /// Takes the tip back.
    pub(super) fn disconnect_tip(&mut self) -> Result<(), Error> {
        let id = self.tip;
        let parent = self.tree.parent(id).ok_or(Error::Index("the first block would be disconnected"))?;
        let (block, undo) = match self.in_flight.pop_back() {
            Some(last) => (last.block, last.undo),
            None => {
                let header = self.tree.header(id);
                self.events.push_back(Event::Disconnected { hash: header.block_hash(), height: self.tree.height(id) });
                (self.read_block(id)?, Arc::new(self.read_undo(id)?))
            }
        };
        let changes = connect::disconnect(&block, &undo, self.tree.height(id), self.seed)
            .map_err(|cause| Error::Undo { hash: block.hash(), cause })?;
        self.store.apply(changes)?;
        self.recent.insert(id, block);
        self.tip = parent;
        // It may win again.
        self.index.add_candidate(id, &self.tree);
        Ok(())
    }

    /// Takes in the verdicts that are there, or waits for one.
    fn collect(&mut self, wait: bool) -> Result<(), Error> {
        let mut wait = wait;
        loop {
            let verdict = if wait {
                Some(self.verdicts.recv().map_err(|_| Error::Worker("script verification"))?)
            } else {
                self.verdicts.try_recv().ok()
            };
            wait = false;
            let Some(verdict) = verdict else { return Ok(()) };
            // The verdict of a block that was taken back meanwhile finds nobody.
            let Some(at) = self.in_flight.iter().position(|block| block.batch == Some(verdict.id)) else { continue };
            match verdict.result {
                Ok(()) => {
                    if let Some(block) = self.in_flight.get_mut(at) {
                        block.batch = None;
                    }
                    self.advance();
                }
                Err(failure) if !failure.reason.is_invalid() => return Err(Error::Engine(failure)),
                Err(failure) => self.take_back(at, failure.into())?,
            }
        }
    }

    /// Takes back the block in flight at `at` and all above it, because a script of it is wrong.
    fn take_back(&mut self, at: usize, why: Reject) -> Result<(), Error> {
        let Some(id) = self.in_flight.get(at).map(|block| block.id) else { return Ok(()) };
        while self.in_flight.len() > at {
            self.disconnect_tip()?;
        }
        self.refuse(id, why);
        Ok(())
    }

    fn refuse(&mut self, id: Id, why: Reject) {
        self.mark_invalid(id);
        let hash = self.tree.hash(id);
        self.events.push_back(Event::Invalid { hash, height: self.tree.height(id), why });
    }

    /// Moves the verified tip over the blocks whose scripts hold.
    fn advance(&mut self) {
        while let Some(block) = self.in_flight.pop_front_if(|block| block.batch.is_none()) {
            self.unfiltered.insert(block.id);
            let entry = self.index.entry_mut(block.id);
            entry.verified = true;
            let transactions = entry.transactions;
            self.dirty.insert(block.id);
            let (hash, height) = (block.block.hash(), self.tree.height(block.id));
            self.events.push_back(Event::Connected { hash, height, transactions });
            self.index.drop_worse_than(block.id, &self.tree);
        }
    }

    /// Reads a stored block.
    ///
    /// # Errors
    /// If it is pruned, damaged, or the disk cannot be read.
    pub fn read_block(&self, id: Id) -> Result<Arc<Block>, Error> {
        let hash = self.tree.hash(id);
        let position = self.index.entry(id).block.ok_or(Error::Pruned { hash })?;
        let bytes = self.store.reader().block(position)?;
        let block = Block::parse(bytes).map_err(|cause| Error::Block { hash, cause })?;
        // It was checked when it was stored. What differs now is the disk's fault: the block must not be called invalid,
        // nor shown to anybody. The header's hash covers no witness, so that is held against its commitment (BIP-0141).
        let segwit = self.tree.height(id) >= self.spec.deployments.segwit;
        if block.hash() != hash || block::check(&block).is_err() || witness::check(&block, segwit).is_err() {
            return Err(Error::OtherBlock { hash });
        }
        Ok(Arc::new(block))
    }

    /// Reads the coins that a block spent.
    ///
    /// # Errors
    /// If they are pruned, damaged, or the disk cannot be read.
    pub fn read_undo(&self, id: Id) -> Result<Undo, Error> {
        let hash = self.tree.hash(id);
        let position = self.index.entry(id).undo.ok_or(Error::Pruned { hash })?;
        Ok(self.store.reader().undo(position, self.tree.header(id).prev_blockhash)?)
    }
}
