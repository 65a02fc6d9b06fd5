//! Writes what is verified to disk, in one step.

use std::time::{Duration, Instant};

use yap_chain::bitcoin::bip158::FilterHeader;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::filter;
use yap_chain::header::tree::Id;
use yap_store::{Batch, Tip};

use super::{Chainstate, Error};

/// Time after which a commit is due, so that a crash does not cost more than this.
const INTERVAL: Duration = Duration::from_secs(300);

/// Index records that wait for a commit at most: with the commit's copy some 20 MB. Headers alone can make them, when a
/// whole chain's are learned before its first block.
pub(super) const MOST_DIRTY: usize = 50_000;

/// Coins and index records of a commit that is short: tens of milliseconds. A few full blocks have as many.
const SHORT: usize = 20_000;

impl Chainstate {
    /// Whether [`persist`](Self::persist) would take a moment only: little has changed, and no scripts are under way that it
    /// would wait for.
    #[must_use]
    pub fn commit_is_short(&self) -> bool {
        self.tip == self.verified_tip() && self.store.changed_coins() <= SHORT && self.dirty.len() <= SHORT
    }

    /// Whether memory or time ask for a commit.
    #[must_use]
    pub fn commit_due(&self) -> bool {
        self.store.needs_commit()
            || self.filters.is_full()
            || self.dirty.len() >= MOST_DIRTY
            || (!self.unfiltered.is_empty() && self.committed_at.elapsed() >= INTERVAL)
    }

    /// Waits until the tip is verified and starts to commit it. The commit goes on beside the caller. If a script proves
    /// wrong, the tip is afterwards not the best block, until [`step`](Self::step) or [`settle`](Self::settle) goes on.
    ///
    /// # Errors
    /// If the disk is full or fails; the last commit then stays as it is.
    pub fn commit(&mut self) -> Result<(), Error> {
        self.guard(|chainstate| {
            chainstate.await_scripts()?;
            chainstate.write()
        })
    }

    /// Starts to commit the tip, which is verified.
    pub(super) fn write(&mut self) -> Result<(), Error> {
        self.committed_at = Instant::now();
        if self.dirty.is_empty() && self.unfiltered.is_empty() {
            return Ok(());
        }
        let pruned = self.prune_bytes.map(|target| self.store.reader().prunable(target, self.tree.height(self.tip)));
        self.write_without(pruned.unwrap_or_default())
    }

    /// Deletes the files whose blocks all lie at a height or below it, and far enough below the tip. Gives whether this
    /// ledger deletes blocks at all; if it does not, nothing is done.
    ///
    /// # Errors
    /// As [`Chainstate::commit`].
    pub fn prune(&mut self, height: u32) -> Result<bool, Error> {
        if self.prune_bytes.is_none() {
            return Ok(false);
        }
        self.guard(|chainstate| {
            chainstate.await_scripts()?;
            let pruned = chainstate.store.reader().prunable_up_to(height, chainstate.tree.height(chainstate.tip));
            if !pruned.is_empty() {
                chainstate.write_without(pruned)?;
            }
            Ok(true)
        })
    }

    /// Starts to commit the tip, which is verified, and to delete block files.
    fn write_without(&mut self, files: Vec<u32>) -> Result<(), Error> {
        let height = self.tree.height(self.tip);
        let mut batch = Batch::new(Tip { hash: self.tree.hash(self.tip), height });
        self.filters_into(&mut batch)?;
        self.prune_into(files, &mut batch);
        let dirty = std::mem::take(&mut self.dirty);
        batch.records = dirty.into_iter().map(|id| self.index.record(id, &self.tree)).collect();
        Ok(self.store.begin_commit(batch)?)
    }

    /// Settles, commits, and waits until it is on disk.
    ///
    /// # Errors
    /// As [`Chainstate::commit`].
    pub fn flush(&mut self) -> Result<(), Error> {
        self.settle()?;
        self.persist()
    }

    /// Commits what is connected, whether or not there are better blocks, and waits until it is on disk: for a caller that
    /// must not be kept for long.
    ///
    /// # Errors
    /// As [`Chainstate::commit`].
    pub fn persist(&mut self) -> Result<(), Error> {
        self.commit()?;
        self.guard(|chainstate| Ok(chainstate.store.flush()?))
    }

    /// Adds the filters of the blocks verified since the last commit.
    fn filters_into(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let mut headers = std::collections::BTreeMap::new();
        for id in std::mem::take(&mut self.unfiltered) {
            let built = self.filters.take(id).ok_or(Error::Worker("block filters"))?;
            let previous = match self.tree.parent(id) {
                None => FilterHeader::all_zeros(),
                Some(parent) => match headers.get(&parent) {
                    Some(header) => *header,
                    None => self.filter_header(parent)?,
                },
            };
            let header = filter::header(built.hash(), previous);
            headers.insert(id, header);
            let (height, block) = (self.tree.height(id), self.tree.hash(id));
            batch.filters.push(yap_store::Filter { height, block, header, bytes: built.into_bytes() });
        }
        self.filters.forget();
        // The commit before this one may still be under way, and its rows not be readable yet.
        if !headers.is_empty() {
            self.filter_headers = headers;
        }
        Ok(())
    }

    fn filter_header(&self, id: Id) -> Result<FilterHeader, Error> {
        if let Some(header) = self.filter_headers.get(&id) {
            return Ok(*header);
        }
        let stored = self.store.reader().filter_header(self.tree.height(id), &self.tree.hash(id))?;
        stored.ok_or(Error::Index("a block's filter header is missing"))
    }

    /// Adds the block files that are to be deleted.
    fn prune_into(&mut self, files: Vec<u32>, batch: &mut Batch) {
        // On the way to another tip, the blocks of its branch look like those of any other.
        if !files.is_empty() && self.index.best() == Some(self.tip) {
            self.dirty.extend(self.index.prune(&files, self.tip, &self.tree));
            batch.pruned = files;
        }
    }
}
