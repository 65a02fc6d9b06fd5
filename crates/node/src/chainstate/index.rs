//! Which blocks are held, which of them can be connected, and which of those comes first.
//!
//! A block is *stored* once its bytes are in a block file, and *linked* once every ancestor is stored too. Linked
//! blocks compete to be the tip: most work wins, and among equals the one that was linked first, as in Bitcoin Core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use yap_chain::bitcoin::Work;
use yap_chain::header::tree::{Id, Tree};
use yap_store::{BlockPosition, UndoPosition};

/// What is known of one block besides its header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// Where its bytes are, once stored.
    pub(super) block: Option<BlockPosition>,
    /// Where the coins are that it spent, once it was connected.
    pub(super) undo: Option<UndoPosition>,
    /// Transactions in it; 0 until stored.
    pub(super) transactions: u32,
    /// Order in which it was linked; 0 until then.
    pub(super) sequence: u64,
    /// Its scripts were verified, or are assumed valid.
    pub(super) verified: bool,
    /// Its bytes were here and were pruned.
    pub(super) pruned: bool,
}

/// Sorts the better tip last: work, then the earlier sequence.
type Candidate = (Work, Reverse<u64>, Id);

/// The blocks of a header tree.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    candidates: BTreeSet<Candidate>,
    /// Stored blocks that wait for their parent, by that parent.
    unlinked: BTreeMap<Id, Vec<Id>>,
    sequence: u64,
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

    /// Restores one block from what was committed.
    pub(super) fn restore(&mut self, id: Id, entry: Entry, tree: &Tree) {
        *self.entry_mut(id) = entry;
        self.sequence = self.sequence.max(entry.sequence);
        if entry.sequence != 0 {
            self.add_candidate(id, tree);
        } else if entry.block.is_some()
            && let Some(parent) = tree.parent(id)
        {
            self.unlinked.entry(parent).or_default().push(id);
        }
    }

    /// Records that a block's bytes are held, and links what can be linked by it. Gives the blocks newly linked.
    pub(super) fn stored(&mut self, id: Id, block: BlockPosition, transactions: u32, tree: &Tree) -> Vec<Id> {
        let entry = self.entry_mut(id);
        entry.block = Some(block);
        entry.transactions = transactions;
        let parent = tree.parent(id);
        if let Some(parent) = parent
            && self.entry(parent).sequence == 0
        {
            self.unlinked.entry(parent).or_default().push(id);
            return Vec::new();
        }
        let mut linked = Vec::new();
        let mut queue = VecDeque::from([id]);
        while let Some(id) = queue.pop_front() {
            self.sequence = self.sequence.saturating_add(1);
            self.entry_mut(id).sequence = self.sequence;
            self.add_candidate(id, tree);
            linked.push(id);
            queue.extend(self.unlinked.remove(&id).unwrap_or_default());
        }
        linked
    }

    /// Whether a block and all its ancestors are held.
    pub(super) fn is_linked(&self, id: Id) -> bool {
        self.entry(id).sequence != 0
    }

    /// The block that should be the tip.
    pub(super) fn best(&self) -> Option<Id> {
        self.candidates.last().map(|&(_, _, id)| id)
    }

    /// Makes a block compete for the tip, unless it is known to be invalid.
    pub(super) fn add_candidate(&mut self, id: Id, tree: &Tree) {
        if !tree.is_invalid(id) {
            self.candidates.insert((tree.work(id), Reverse(self.entry(id).sequence), id));
        }
    }

    /// Takes the invalid blocks out of the competition.
    pub(super) fn drop_invalid(&mut self, tree: &Tree) {
        self.candidates.retain(|&(_, _, id)| !tree.is_invalid(id));
    }

    /// Takes out what can never win against `tip`, a block whose scripts are known to hold.
    pub(super) fn drop_worse_than(&mut self, tip: Id, tree: &Tree) {
        let least = (tree.work(tip), Reverse(self.entry(tip).sequence), tip);
        self.candidates = self.candidates.split_off(&least);
    }
}
