//! The wallet's transactions, and its coins as they follow from them.
//!
//! A transaction is *active* while it may be spent from or spends: it is in a block, in the mempool, or waits to be
//! offered to it again. Blocks and mempool of the node say which; nothing is guessed here from the order of arrival.
//!
//! ```text
//!                connect                  connect (a rival)
//! Waiting ◀─────▶ Pending ──▶ Confirmed     ──▶ Conflicted
//!    │   dropped, pending ◀──────────┘ rewind          │ rewind
//!    ▼ abandon                                         ▼
//! Abandoned                                         Waiting
//! ```
//!
//! Invariant: `unspent` has exactly the wallet's outputs of active transactions that no active transaction spends. Each
//! change of a state touches the coins of that transaction alone, so that the cost of a block does not grow with history.

mod coin;
mod entry;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid};
use yap_chain::transaction::Transaction;

pub use self::coin::{Balance, Unspent};
pub(crate) use self::coin::{balance, is_immature};
pub(crate) use self::entry::{Entry, KeptEntry, Note};
pub use self::state::InBlock;
pub(crate) use self::state::State;
use crate::keychain::{Place, Scripts};

/// Most coins that may be locked by the user.
pub const MAX_LOCKED: usize = 10_000;

/// An output that is the wallet's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) amount: Amount,
    pub(crate) place: Place,
}

/// All transactions that concern the wallet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Txid, Entry>,
    /// Every output that is the wallet's own, spent or not.
    own: BTreeMap<OutPoint, Own>,
    /// Who spends an outpoint, of the wallet's transactions.
    spenders: BTreeMap<OutPoint, BTreeSet<Txid>>,
    unspent: BTreeSet<OutPoint>,
    locked: BTreeSet<OutPoint>,
    /// Entries that are not in a block, and since whose arrival no peer was connected.
    untold: BTreeSet<Txid>,
    /// Entries to be written to the wallet's file.
    dirty: BTreeSet<Txid>,
    /// Place of the next entry in the order of arrival.
    next: u64,
    /// Counts changes.
    revision: u64,
}

impl Ledger {
    /// Whether a transaction pays the wallet, spends its coins, or is known.
    pub(crate) fn concerns(&self, transaction: &Transaction, scripts: &Scripts) -> bool {
        self.entries.contains_key(&transaction.txid())
            || transaction.decoded().output.iter().any(|output| scripts.place(&output.script_pubkey).is_some())
            || transaction.decoded().input.iter().any(|input| self.own.contains_key(&input.previous_output))
    }

    /// Makes a transaction known; it waits until more is said of it. Gives whether it is new.
    pub(crate) fn insert(&mut self, transaction: &Arc<Transaction>, received: u64, scripts: &Scripts) -> bool {
        let txid = transaction.txid();
        if self.entries.contains_key(&txid) {
            return false;
        }
        let entry = Entry::new(transaction.detached(), received, self.next);
        self.next = self.next.saturating_add(1);
        self.restore(entry, scripts);
        self.dirty.insert(txid);
        true
    }

    /// Takes an entry as a wallet's file had it.
    pub(crate) fn restore(&mut self, entry: Entry, scripts: &Scripts) {
        let transaction = Arc::clone(&entry.transaction);
        let txid = transaction.txid();
        self.next = self.next.max(entry.order.saturating_add(1));
        if entry.state == State::Waiting {
            self.untold.insert(txid);
        }
        self.entries.insert(txid, entry);
        for (vout, output) in (0..).zip(&transaction.decoded().output) {
            if let Some(place) = scripts.place(&output.script_pubkey) {
                self.own.insert(OutPoint { txid, vout }, Own { amount: output.value, place });
            }
        }
        if !transaction.is_coinbase() {
            for input in &transaction.decoded().input {
                self.spenders.entry(input.previous_output).or_default().insert(txid);
            }
        }
        self.refresh(&transaction);
    }

    /// It is in a block of the best chain: every rival is not.
    pub(crate) fn confirm(&mut self, transaction: &Transaction, block: InBlock) {
        self.set(transaction.txid(), State::Confirmed(block));
        self.rivals_lose(transaction, block);
    }

    /// A block has this transaction, which may be a stranger's: what spends the same can't be in a block any more.
    pub(crate) fn rivals_lose(&mut self, transaction: &Transaction, block: InBlock) {
        let txid = transaction.txid();
        for rival in self.rivals(transaction) {
            debug_assert_ne!(rival, txid, "nobody is their own rival");
            for loser in self.with_descendants(rival) {
                self.set(loser, State::Conflicted { height: block.height, by: txid });
            }
        }
    }

    /// It is in the mempool.
    pub(crate) fn pending(&mut self, txid: Txid) -> bool {
        let confirmed = self.entries.get(&txid).is_none_or(|entry| entry.state.block().is_some());
        !confirmed && self.set(txid, State::Pending)
    }

    /// It left the mempool, and no block has it.
    pub(crate) fn dropped(&mut self, txid: Txid) -> bool {
        let pending = self.entries.get(&txid).is_some_and(|entry| entry.state == State::Pending);
        pending && self.set(txid, State::Waiting)
    }

    /// It is given up, with all that spends its outputs: the coins that they spend are free again.
    pub(crate) fn abandon(&mut self, txid: Txid) {
        for given_up in self.with_descendants(txid) {
            if self.entries.get(&given_up).is_some_and(|entry| entry.state == State::Waiting) {
                self.set(given_up, State::Abandoned);
            }
        }
    }

    /// Frees the coins of a transaction for a moment, in which a replacement is drafted; see [`resume`](Self::resume).
    pub(crate) fn suspend(&mut self, txid: Txid) -> Option<State> {
        let entry = self.entries.get_mut(&txid)?;
        let before = std::mem::replace(&mut entry.state, State::Abandoned);
        let transaction = Arc::clone(&entry.transaction);
        self.refresh(&transaction);
        Some(before)
    }

    /// Takes back [`suspend`](Self::suspend).
    pub(crate) fn resume(&mut self, txid: Txid, before: Option<State>) {
        if let Some((entry, before)) = self.entries.get_mut(&txid).zip(before) {
            entry.state = before;
            let transaction = Arc::clone(&entry.transaction);
            self.refresh(&transaction);
        }
    }

    /// Blocks above `height` are not part of the best chain any more.
    pub(crate) fn rewind(&mut self, height: u32) {
        let above = self.entries.values().filter(|entry| entry.state.height().is_some_and(|at| at > height));
        let back: Vec<(Txid, bool)> =
            above.map(|entry| (entry.transaction.txid(), entry.transaction.is_coinbase())).collect();
        for (txid, coinbase) in back {
            if coinbase {
                // It can be in no other block, nor can what spends it.
                for lost in self.with_descendants(txid) {
                    self.set(lost, State::Abandoned);
                }
            } else if self.entries.get(&txid).is_some_and(|entry| entry.state.height().is_some()) {
                self.set(txid, State::Waiting);
            }
        }
    }

    /// Every entry, in the order in which the wallet learned of them.
    pub(crate) fn in_order(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| entry.order);
        entries
    }

    pub(crate) fn entry(&self, txid: &Txid) -> Option<&Entry> {
        self.entries.get(txid)
    }

    /// Changes what is noted of an entry.
    pub(crate) fn note(&mut self, txid: Txid, change: impl FnOnce(&mut Note)) {
        if let Some(entry) = self.entries.get_mut(&txid) {
            change(&mut entry.note);
            self.dirty.insert(txid);
            self.revision = self.revision.wrapping_add(1);
        }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A peer is connected: it hears of all that waits.
    pub(crate) fn all_told(&mut self) {
        self.untold.clear();
    }

    /// Whether no peer was connected since it is there.
    pub(crate) fn is_untold(&self, txid: &Txid) -> bool {
        self.untold.contains(txid)
    }

    /// Counts changes: what was computed of the ledger holds while this stays.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The wallet's own output there, spent or not.
    pub(crate) fn own(&self, outpoint: &OutPoint) -> Option<Own> {
        self.own.get(outpoint).copied()
    }

    /// Active transactions that spend an outpoint.
    pub(crate) fn active_spenders(&self, outpoint: &OutPoint) -> impl Iterator<Item = &Entry> {
        let spenders = self.spenders.get(outpoint).into_iter().flatten();
        spenders.filter_map(|txid| self.entries.get(txid)).filter(|entry| entry.state.is_active())
    }

    /// Other transactions of the wallet that spend a coin which this one spends, and are not in a block.
    pub(crate) fn rivals(&self, transaction: &Transaction) -> BTreeSet<Txid> {
        let txid = transaction.txid();
        let spenders = transaction.decoded().input.iter().filter_map(|input| self.spenders.get(&input.previous_output));
        spenders.flatten().filter(|rival| **rival != txid).copied().collect()
    }

    /// A transaction, and all of the wallet's that spend its outputs, directly or not.
    pub(crate) fn with_descendants(&self, txid: Txid) -> Vec<Txid> {
        let mut found = vec![txid];
        let mut seen = BTreeSet::from([txid]);
        let mut next = 0usize;
        // Each entry is visited once.
        while let Some(parent) = found.get(next).copied() {
            next = next.saturating_add(1);
            let outputs = OutPoint { txid: parent, vout: 0 }..=OutPoint { txid: parent, vout: u32::MAX };
            for child in self.spenders.range(outputs).flat_map(|(_, spenders)| spenders) {
                if seen.insert(*child) {
                    found.push(*child);
                }
            }
        }
        found
    }

    /// Entries that changed since the last call.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<Txid> {
        std::mem::take(&mut self.dirty)
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub(crate) fn stored(&mut self, txid: &Txid) {
        if let Some(entry) = self.entries.get_mut(txid) {
            entry.stored = true;
        }
    }

    /// Changes the state of an entry. Gives whether it is another one now.
    fn set(&mut self, txid: Txid, state: State) -> bool {
        let Some(entry) = self.entries.get_mut(&txid).filter(|entry| entry.state != state) else { return false };
        // Whether it is in the mempool is asked anew at each start.
        if state.kept() != entry.state.kept() {
            self.dirty.insert(txid);
        }
        entry.state = state;
        if !matches!(state, State::Pending | State::Waiting) {
            self.untold.remove(&txid);
        }
        let transaction = Arc::clone(&entry.transaction);
        self.refresh(&transaction);
        true
    }

    /// Brings `unspent` in line with the states of a transaction's coins.
    fn refresh(&mut self, transaction: &Transaction) {
        self.revision = self.revision.wrapping_add(1);
        let txid = transaction.txid();
        let outputs = OutPoint { txid, vout: 0 }..=OutPoint { txid, vout: u32::MAX };
        let made = self.own.range(outputs).map(|(outpoint, _)| *outpoint);
        let spent = transaction.decoded().input.iter().map(|input| input.previous_output);
        let touched: Vec<OutPoint> = made.chain(spent.filter(|outpoint| self.own.contains_key(outpoint))).collect();
        for outpoint in touched {
            let there = self.entries.get(&outpoint.txid).is_some_and(|entry| entry.state.is_active());
            if there && self.active_spenders(&outpoint).next().is_none() {
                self.unspent.insert(outpoint);
            } else {
                self.unspent.remove(&outpoint);
            }
        }
    }
}
