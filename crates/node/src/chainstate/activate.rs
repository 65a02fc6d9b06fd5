//! Moves the tip: to the best linked block, through forks of any depth, and back from blocks that prove invalid.

use std::sync::Arc;

use yap_chain::block::{self, Block, witness};
use yap_chain::connect;
use yap_chain::header::tree::Id;
use yap_chain::undo::Undo;
use yap_chain::verify::Job;
use yap_script::pool::Full;
use yap_script::{Batch, Verdict};

use super::flight::InFlight;
use super::place::{Line, place};
use super::{Chainstate, Error, Event};
use crate::reject::Reject;

impl Chainstate {
    /// Connects and disconnects until the tip is the best block that is not known to be invalid.
    ///
    /// The way may be long: the first block of a chain can come last. So it commits on the way when that is due.
    pub(super) fn activate(&mut self) -> Result<(), Error> {
        self.go(usize::MAX).map(|_| ())
    }

    /// As [`activate`](Self::activate), but stops once it has connected so many blocks. Gives whether the tip is the
    /// best block. A branch that is left is left as a whole, and the other followed at least to where it has as much work:
    /// nobody is shown, or mines on, a tip that is worse than the one before.
    pub(super) fn go(&mut self, most: usize) -> Result<bool, Error> {
        let mut left = most;
        self.collect()?;
        let least = self.tree.work(self.tip);
        while let Some(best) = self.index.best().filter(|&best| best != self.tip) {
            let path = self.tree.path(self.tip, best);
            self.check_readable(&path.disconnect)?;
            while self.tip != path.fork {
                self.disconnect_tip()?;
                // A verdict must not take blocks back here: the fork may be in flight.
                if self.in_flight.is_empty() {
                    self.commit_on_the_way()?;
                }
            }
            for id in path.connect {
                if left == 0 && self.tree.work(self.tip) >= least {
                    return Ok(false);
                }
                left = left.saturating_sub(1);
                self.advance_to(id)?;
                if self.tip != id {
                    // This block or one before it was refused: there may be a better branch now.
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Connects `id`, a child of the tip, unless it or a block in flight breaks a rule.
    fn advance_to(&mut self, id: Id) -> Result<(), Error> {
        if let Err(why) = self.connect(id)? {
            // A script below may be wrong too; then this block was never to be connected.
            self.await_scripts()?;
            if self.tree.parent(id) == Some(self.tip) {
                self.refuse(id, why);
            }
        }
        self.collect()?;
        while self.in_flight.is_full() {
            self.collect_one()?;
        }
        self.commit_on_the_way()
    }

    /// Commits if that is due. The tip may be on the way to the best block, which the next opening goes on with.
    pub(super) fn commit_on_the_way(&mut self) -> Result<(), Error> {
        if self.commit_due() {
            self.await_scripts()?;
            self.write()?;
        }
        Ok(())
    }

    /// That the verified blocks among these can be taken back, before anything is changed.
    pub(super) fn check_readable(&self, blocks: &[Id]) -> Result<(), Error> {
        let gone = |&&id: &&Id| {
            let entry = self.index.entry(id);
            entry.verified && (entry.block.is_none() || entry.undo.is_none())
        };
        // The lowest is the first that was pruned.
        match blocks.iter().rev().find(gone) {
            Some(&id) => Err(Error::Pruned { hash: self.tree.hash(id) }),
            None => Ok(()),
        }
    }

    /// Waits until the tip is the best block that is stored, and verified.
    ///
    /// # Errors
    /// As [`Chainstate::process`].
    pub fn settle(&mut self) -> Result<(), Error> {
        self.guard(|chainstate| {
            loop {
                chainstate.await_scripts()?;
                chainstate.activate()?;
                if chainstate.in_flight.is_empty() {
                    return Ok(());
                }
            }
        })
    }

    /// Waits for every verdict that is due. Afterwards the tip is verified, but may not be the best.
    pub(super) fn await_scripts(&mut self) -> Result<(), Error> {
        while !self.in_flight.is_empty() {
            self.collect_one()?;
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
        let batch = if effect.jobs.is_empty() { None } else { Some(self.submit(effect.jobs)?) };
        self.in_flight.push(InFlight { id, block, undo, batch });
        self.tip = id;
        if batch.is_none() {
            self.advance();
        }
        Ok(Ok(()))
    }

    /// Hands scripts to the pool. Whoever receives the verdicts must not wait for room: it could wait for itself.
    fn submit(&mut self, jobs: Vec<Job>) -> Result<u64, Error> {
        self.batches = self.batches.wrapping_add(1);
        let mut batch = Batch::new(self.batches, jobs);
        while let Err(Full(back)) = self.pool.try_submit(batch) {
            batch = back;
            let verdict = self.receive()?;
            self.early.push_back(verdict);
        }
        Ok(self.batches)
    }

    /// Waits for a verdict.
    fn receive(&self) -> Result<Verdict, Error> {
        self.verdicts.recv().map_err(|_| Error::Worker("script verification"))
    }

    /// Takes the tip back.
    pub(super) fn disconnect_tip(&mut self) -> Result<(), Error> {
        let id = self.tip;
        let parent = self.tree.parent(id).ok_or(Error::Index("the first block would be disconnected"))?;
        let (block, undo) = match self.in_flight.pop_newest() {
            Some(last) => (last.block, last.undo),
            None => {
                let header = self.tree.header(id);
                self.events.push_back(Event::Disconnected { hash: header.block_hash(), height: self.tree.height(id) });
                // What is committed must follow the tip, also where nothing else has changed.
                self.dirty.insert(id);
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

    /// Takes in the verdicts that are there.
    fn collect(&mut self) -> Result<(), Error> {
        while let Some(verdict) = self.early.pop_front().or_else(|| self.verdicts.try_recv().ok()) {
            self.take_verdict(verdict)?;
        }
        Ok(())
    }

    /// Takes in the next verdict; waits for it.
    fn collect_one(&mut self) -> Result<(), Error> {
        let verdict = match self.early.pop_front() {
            Some(verdict) => verdict,
            None => self.receive()?,
        };
        self.take_verdict(verdict)
    }

    fn take_verdict(&mut self, verdict: Verdict) -> Result<(), Error> {
        // The verdict of a block that was taken back meanwhile finds nobody.
        let Some(at) = self.in_flight.position(verdict.id) else { return Ok(()) };
        match verdict.result {
            Ok(()) => {
                if let Some(block) = self.in_flight.get_mut(at) {
                    block.batch = None;
                }
                self.advance();
                Ok(())
            }
            Err(failure) if !failure.reason.is_invalid() => Err(Error::Engine(failure)),
            Err(failure) => self.take_back(at, failure.into()),
        }
    }

    /// Takes back the block in flight at `at` and all above it, because a script of it is wrong.
    fn take_back(&mut self, at: usize, why: Reject) -> Result<(), Error> {
        let Some(id) = self.in_flight.get_mut(at).map(|block| block.id) else { return Ok(()) };
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
        while let Some(block) = self.in_flight.pop_verified() {
            self.unfiltered.insert(block.id);
            let entry = self.index.entry_mut(block.id);
            entry.verified = true;
            let transactions = entry.transactions;
            self.dirty.insert(block.id);
            let (hash, height) = (block.block.hash(), self.tree.height(block.id));
            self.note_signer(block.id, &block.block);
            self.events.push_back(Event::Connected { hash, height, transactions, block: block.block });
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

    /// Reads a stored block, whose transactions are read where they are needed ([`Block::read`]). Only the header is held
    /// against what was asked for: whoever takes the block checks it.
    ///
    /// # Errors
    /// If it is pruned, another one, or the disk cannot be read.
    pub fn read_unread(&self, id: Id) -> Result<Arc<Block>, Error> {
        let hash = self.tree.hash(id);
        let position = self.index.entry(id).block.ok_or(Error::Pruned { hash })?;
        let bytes = self.store.reader().block(position)?;
        let block = Block::unread(bytes).map_err(|cause| Error::Block { hash, cause })?;
        if block.hash() == hash { Ok(Arc::new(block)) } else { Err(Error::OtherBlock { hash }) }
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
