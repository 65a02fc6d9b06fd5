//! Which blocks are held, which of them can be connected, and which of those comes first.
//!
//! A block is *stored* once its bytes are in a block file, and *linked* once every ancestor is stored too. Linked
//! blocks compete to be the tip: most work wins, and among equals the one that was linked first, as in Bitcoin Core.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yap_chain::block::Block;
use yap_chain::header::tree::{Candidate, Id, Status, Tree};
use yap_store::{FilePosition, Record};

/// What is known of one block besides its header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// Where its bytes are, once stored.
    pub(super) block: Option<FilePosition>,
    /// Where the coins are that it spent, once it was connected.
    pub(super) undo: Option<FilePosition>,
    /// Transactions in it; 0 until stored.
    pub(super) transactions: u32,
    /// Bytes of it; 0 until stored.
    pub(super) size: u32,
    /// Transactions in it and in all before it; 0 until it was linked.
    pub(super) total: u64,
    /// Order in which it was linked; 0 until then.
    pub(super) sequence: u64,
    /// Its scripts were verified, or are assumed valid.
    pub(super) verified: bool,
    /// Its bytes were here and were pruned.
    pub(super) pruned: bool,
}

impl From<&Record> for Entry {
    fn from(record: &Record) -> Self {
        Self {
            block: record.block,
            undo: record.undo,
            transactions: record.transactions,
            size: record.size,
            total: 0,
            sequence: 0,
            verified: record.status.contains(yap_store::Status::SCRIPTS_VALID),
            pruned: record.status.contains(yap_store::Status::PRUNED),
        }
    }
}

/// What the first block that is linked follows in their order; below it is the order of those that the user prefers.
const FIRST: u64 = 1 << 32;

/// The blocks of a header tree.
#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    candidates: BTreeSet<Candidate>,
    /// Stored blocks that wait for their parent, by that parent. No more than there are headers, whose work was checked.
    unlinked: BTreeMap<Id, Vec<Id>>,
    /// Order of the block that was linked last.
    sequence: u64,
    /// Order of the block that was preferred last; each later one comes before it.
    preferred: u64,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            candidates: BTreeSet::new(),
            unlinked: BTreeMap::new(),
            sequence: FIRST,
            preferred: FIRST,
        }
    }
}

impl Index {
    /// What is known of a block.
    pub(super) fn entry(&self, id: Id) -> Entry {
        self.entries.get(id.index()).copied().unwrap_or_default()
    }

    /// Access for changing it.
    pub(super) fn entry_mut(&mut self, id: Id) -> &mut Entry {
        let index = id.index();
        if self.entries.len() <= index {
            self.entries.resize(index.saturating_add(1), Entry::default());
        }
        // The line above made room for it.
        self.entries.get_mut(index).expect("the vector is longer than the index")
    }

    /// Links restored blocks: first those of the best chain, then the others in the order in which they came.
    pub(super) fn link_restored(&mut self, active: &[Id], tree: &Tree) {
        let others: Vec<Id> = tree.iter().collect();
        for &id in active.iter().chain(&others) {
            let entry = self.entry(id);
            let held = entry.block.is_some() || (entry.pruned && active.get(height_index(tree, id)) == Some(&id));
            if !held || entry.sequence != 0 {
                continue;
            }
            match tree.parent(id).filter(|&parent| !self.is_linked(parent)) {
                Some(parent) => self.unlinked.entry(parent).or_default().push(id),
                None => self.link(id, tree),
            }
        }
    }

    /// Records that a block's bytes are held, and links what can be linked by it.
    pub(super) fn stored(&mut self, id: Id, position: FilePosition, block: &Block, tree: &Tree) {
        let entry = self.entry_mut(id);
        entry.block = Some(position);
        entry.pruned = false;
        entry.transactions = u32::try_from(block.transactions().len()).unwrap_or(u32::MAX);
        entry.size = u32::try_from(block.bytes().len()).unwrap_or(u32::MAX);
        if let Some(parent) = tree.parent(id).filter(|&parent| !self.is_linked(parent)) {
            self.unlinked.entry(parent).or_default().push(id);
        } else {
            self.link(id, tree);
        }
    }

    /// Links a block whose ancestors are linked, and the blocks that waited for it.
    fn link(&mut self, id: Id, tree: &Tree) {
        let mut queue = VecDeque::from([id]);
        while let Some(id) = queue.pop_front() {
            self.sequence = self.sequence.saturating_add(1);
            let before = tree.parent(id).map_or(0, |parent| self.entry(parent).total);
            let sequence = self.sequence;
            let entry = self.entry_mut(id);
            entry.sequence = sequence;
            entry.total = before.saturating_add(entry.transactions.into());
            self.add_candidate(id, tree);
            queue.extend(self.unlinked.remove(&id).unwrap_or_default());
        }
    }

    /// Forgets where the blocks of `files` were. One beside the best chain, which ends with `tip`, can then not be
    /// connected any more, nor can those after it: they wait for it to come again. Gives the blocks that are gone.
    pub(super) fn prune(&mut self, files: &[u32], tip: Id, tree: &Tree) -> Vec<Id> {
        let mut pruned = Vec::new();
        // A parent comes before its children, so one pass reaches all that follow.
        for id in tree.iter() {
            let gone = self.entry(id).block.is_some_and(|position| files.contains(&position.file));
            if gone {
                let entry = self.entry_mut(id);
                (entry.block, entry.undo, entry.pruned) = (None, None, true);
                pruned.push(id);
            }
            // The best chain needs no blocks to stand on; others do, and so does what follows them.
            let cut = gone && !tree.is_ancestor(id, tip);
            if cut || tree.parent(id).is_some_and(|parent| !self.is_linked(parent)) {
                self.unlink(id, tree);
            }
        }
        self.forget_pruned();
        pruned
    }

    /// Takes a linked block out of the competition because one before it, or its own bytes, are here no more.
    fn unlink(&mut self, id: Id, tree: &Tree) {
        let sequence = self.entry(id).sequence;
        if sequence == 0 {
            return;
        }
        self.entry_mut(id).sequence = 0;
        self.candidates.remove(&tree.candidate(id, sequence));
        if let Some(parent) = tree.parent(id) {
            self.unlinked.entry(parent).or_default().push(id);
        }
    }

    /// Pruned blocks do not wait for their parents.
    fn forget_pruned(&mut self) {
        let Self { unlinked, entries, .. } = self;
        unlinked.retain(|_, waiting| {
            waiting.retain(|id| entries.get(id.index()).is_some_and(|entry| entry.block.is_some()));
            !waiting.is_empty()
        });
    }

    /// A block as it is committed.
    pub(super) fn record(&self, id: Id, tree: &Tree) -> Record {
        let entry = self.entry(id);
        let mut status = yap_store::Status::HEADER_VALID;
        if entry.block.is_some() || entry.pruned {
            status = status.with(yap_store::Status::BODY_VALID);
        }
        for (holds, bit) in [
            (entry.verified, yap_store::Status::SCRIPTS_VALID),
            (entry.pruned, yap_store::Status::PRUNED),
            (tree.status(id) == Status::Invalid, yap_store::Status::FAILED),
            (tree.status(id) == Status::Descends, yap_store::Status::FAILED_CHILD),
        ] {
            status = if holds { status.with(bit) } else { status };
        }
        Record {
            // The tree holds fewer headers than a u32 counts.
            sequence: u32::try_from(id.index()).unwrap_or(u32::MAX),
            hash: tree.hash(id),
            header: tree.header(id),
            height: tree.height(id),
            status,
            transactions: entry.transactions,
            size: entry.size,
            block: entry.block,
            undo: entry.undo,
        }
    }

    /// Whether a block's bytes are here, or were pruned because the best chain stands on it already.
    pub(super) fn is_held(&self, id: Id) -> bool {
        let entry = self.entry(id);
        entry.block.is_some() || (entry.pruned && entry.sequence != 0)
    }

    /// Whether a block and all its ancestors are held.
    pub(super) fn is_linked(&self, id: Id) -> bool {
        self.entry(id).sequence != 0
    }

    /// The block that should be the tip.
    pub(super) fn best(&self) -> Option<Id> {
        self.candidates.last().map(|best| best.id)
    }

    /// Makes a block compete for the tip, unless it is known to be invalid.
    pub(super) fn add_candidate(&mut self, id: Id, tree: &Tree) {
        if tree.status(id) == Status::Valid {
            self.candidates.insert(tree.candidate(id, self.entry(id).sequence));
        }
    }

    /// Has a linked block win against those of as much work, as if it had been linked first.
    pub(super) fn prefer(&mut self, id: Id, tree: &Tree) {
        let sequence = self.entry(id).sequence;
        if sequence == 0 {
            return;
        }
        self.candidates.remove(&tree.candidate(id, sequence));
        // 0 is what is not linked.
        self.preferred = self.preferred.saturating_sub(1).max(1);
        self.entry_mut(id).sequence = self.preferred;
        self.add_candidate(id, tree);
    }

    /// Takes the invalid blocks out of the competition.
    pub(super) fn drop_invalid(&mut self, tree: &Tree) {
        self.candidates.retain(|candidate| tree.status(candidate.id) == Status::Valid);
    }

    /// Takes out what can never win against `tip`, a block whose scripts are known to hold.
    pub(super) fn drop_worse_than(&mut self, tip: Id, tree: &Tree) {
        let least = tree.candidate(tip, self.entry(tip).sequence);
        self.candidates = self.candidates.split_off(&least);
    }
}

/// A block's place in a list of the blocks of one chain.
fn height_index(tree: &Tree, id: Id) -> usize {
    usize::try_from(tree.height(id)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
