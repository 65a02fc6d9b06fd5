//! Following the node: blocks, reorganisations, the mempool.
//!
//! The wallet's chain is told by whoever drives it, in order: [`connect`](Wallet::connect) the next block,
//! [`rewind`](Wallet::rewind) to the fork before the blocks of a better branch. After a rewind its transactions wait
//! until the mempool or a block has them again.
//!
//! A *rescan* takes in blocks below the tip again, for addresses that were not watched then.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use super::Wallet;
use crate::ledger::{InBlock, State};

/// Notices that are kept until they are taken; the oldest go first.
pub const MAX_NOTICES: usize = 1_000;

/// Something about a payment that the user may want to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its transaction.
    pub txid: Txid,
    /// Satoshis that the wallet has more (or, negative, less) for it.
    pub amount: i64,
    /// Height of its block; `None` while it is pending.
    pub height: Option<u32>,
}

/// Why a block was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// It is not the block after the tip.
    #[error("block {hash} does not follow the wallet's tip {tip} at height {height}")]
    NotNext {
        /// The block.
        hash: BlockHash,
        /// The wallet's tip.
        tip: BlockHash,
        /// Its height.
        height: u32,
    },
    /// No rescan is under way, or not at this block.
    #[error("block {hash} is not the next one of a rescan")]
    NotScanned {
        /// The block.
        hash: BlockHash,
    },
}

impl Wallet {
    /// Height and hash of the newest block that was taken in.
    #[must_use]
    pub fn tip(&self) -> (u32, BlockHash) {
        self.blocks.tip()
    }

    /// Blocks that were taken in, newest first: every one of the last [`RECENT`](crate::RECENT), fewer of those below,
    /// and always the genesis block.
    pub fn checkpoints(&self) -> impl Iterator<Item = (u32, BlockHash)> {
        self.blocks.newest_first()
    }

    /// Takes in the block after the tip.
    ///
    /// # Errors
    /// [`FollowError::NotNext`].
    pub fn connect(&mut self, block: &Block) -> Result<(), FollowError> {
        let (height, tip) = self.blocks.tip();
        let hash = block.hash();
        if block.header().prev_blockhash != tip {
            return Err(FollowError::NotNext { hash, tip, height });
        }
        let height = height.saturating_add(1);
        self.take(block, height);
        self.blocks.push(height, hash);
        self.record.blocks.push((height, hash));
        Ok(())
    }

    /// Goes back to the block at `height`, or the newest known one below: what is above is not on the best chain. Gives
    /// the height that it went to.
    pub fn rewind(&mut self, height: u32) -> u32 {
        let height = self.blocks.rewind(height);
        self.ledger.rewind(height);
        self.record.blocks.retain(|(at, _)| *at <= height);
        self.record.rewind = Some(self.record.rewind.map_or(height, |before| before.min(height)));
        if self.rescan.is_some_and(|(at, _)| at >= height) {
            self.set_rescan(None);
        }
        height
    }

    /// Skips blocks: nothing in them is the wallet's. Only a wallet that has no transaction, and no block but its
    /// birthday's, does.
    pub fn skip_to(&mut self, height: u32, hash: BlockHash) -> bool {
        let fresh = self.ledger.len() == 0 && self.scripts.is_fresh() && self.blocks.tip() == self.birth.block;
        let ahead = fresh && height > self.blocks.tip().0;
        if ahead {
            self.blocks.push(height, hash);
            self.record.blocks.push((height, hash));
        }
        ahead
    }

    /// Begins to take in again all blocks from `height` on: see [`scan`](Self::scan). More addresses are watched from now
    /// on than were given.
    pub fn rescan(&mut self, height: u32) {
        self.look_far();
        let (at, hash) = self.blocks.at_or_below(height.saturating_sub(1));
        self.set_rescan((at < self.blocks.tip().0).then_some((at, hash)));
    }

    /// The block up to which a rescan has come, while one is under way: it goes on with the block after that, and is done
    /// at the tip.
    #[must_use]
    pub fn rescanning(&self) -> Option<(u32, BlockHash)> {
        self.rescan
    }

    /// Gives a rescan up.
    pub fn stop_rescan(&mut self) {
        if self.rescan.is_some() {
            self.set_rescan(None);
        }
    }

    /// Takes in the next block of a rescan.
    ///
    /// # Errors
    /// [`FollowError::NotScanned`].
    pub fn scan(&mut self, block: &Block) -> Result<(), FollowError> {
        let hash = block.hash();
        let (height, before) = self.rescan.ok_or(FollowError::NotScanned { hash })?;
        if block.header().prev_blockhash != before {
            return Err(FollowError::NotScanned { hash });
        }
        let height = height.saturating_add(1);
        self.take(block, height);
        if self.blocks.note(height, hash) {
            self.record.blocks.push((height, hash));
        }
        let done = height >= self.blocks.tip().0;
        self.set_rescan((!done).then_some((height, hash)));
        Ok(())
    }

    /// A transaction is in the mempool, since `first_seen` (Unix time). Says whether it concerns the wallet.
    pub fn pending(&mut self, transaction: &Arc<Transaction>, first_seen: u64) -> bool {
        if !self.ledger.concerns(transaction, &self.scripts) {
            return false;
        }
        let new = self.ledger.insert(transaction, first_seen, &self.scripts);
        if !self.alone {
            self.ledger.all_told();
        }
        self.mark_outputs(transaction);
        if self.ledger.pending(transaction.txid()) && new {
            self.notice(transaction.txid(), None);
        }
        true
    }

    /// A transaction left the mempool, and is in no block that was taken in.
    pub fn dropped(&mut self, txid: Txid) {
        self.ledger.dropped(txid);
    }

    /// Transactions that no block has, and that may be in the mempool or come back to it.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Txid> {
        let waiting = self.ledger.entries().filter(|entry| matches!(entry.state, State::Pending | State::Waiting));
        waiting.map(|entry| entry.transaction.txid()).collect()
    }

    /// The mempool has these transactions of the wallet's, and no others. `is_pending` answers for one.
    pub fn pool_is(&mut self, is_pending: &dyn Fn(&Txid) -> bool) {
        let waiting = self.ledger.entries().filter(|entry| matches!(entry.state, State::Pending | State::Waiting));
        let all: Vec<(Txid, bool)> =
            waiting.map(|entry| entry.transaction.txid()).map(|txid| (txid, is_pending(&txid))).collect();
        for (txid, there) in all {
            if there {
                self.ledger.pending(txid);
            } else {
                self.ledger.dropped(txid);
            }
        }
    }

    /// Own transactions that neither a block nor the mempool has, oldest first, and that nothing stands against: they
    /// are to be offered to the mempool again.
    #[must_use]
    pub fn waiting(&self) -> Vec<Arc<Transaction>> {
        let entries = self.ledger.in_order().into_iter().filter(|entry| entry.state == State::Waiting);
        let own = entries.filter(|entry| !entry.transaction.is_coinbase() && self.is_from_me(&entry.transaction));
        // One that was replaced waits for nothing but the other's confirmation.
        let free = own.filter(|entry| {
            entry.note.replaced_by.is_none()
                && !self
                    .ledger
                    .rivals(&entry.transaction)
                    .iter()
                    .any(|rival| self.ledger.entry(rival).is_some_and(|rival| rival.state == State::Pending))
        });
        free.map(|entry| Arc::clone(&entry.transaction)).collect()
    }

    /// What happened to payments since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices).into()
    }

    /// Whether a coin of the wallet is spent by it.
    pub(super) fn is_from_me(&self, transaction: &Transaction) -> bool {
        transaction.decoded().input.iter().any(|input| self.ledger.own(&input.previous_output).is_some())
    }

    /// Notes that the wallet's scripts in a transaction are in use; watches further ahead. Says whether more is watched.
    pub(super) fn mark_outputs(&mut self, transaction: &Transaction) -> bool {
        let outputs = &transaction.decoded().output;
        let places: BTreeSet<_> =
            outputs.iter().filter_map(|output| self.scripts.place(&output.script_pubkey)).collect();
        let mut changed = false;
        for place in places {
            if self.scripts.mark_used(place) {
                changed = true;
                self.record.keychains.push((place.keychain, self.scripts.standing(place.keychain)));
            }
        }
        let derived = if changed { self.scripts.derive() } else { Vec::new() };
        let more = !derived.is_empty();
        self.record.keychains.extend(derived);
        more
    }

    /// Takes in a block's transactions.
    fn take(&mut self, block: &Block, height: u32) {
        // A payment may be to an address that is watched only since a later payment in the same block was seen. Each
        // turn but the last has found a payment, and derives what was missing.
        while self.take_once(block, height) {}
    }

    fn take_once(&mut self, block: &Block, height: u32) -> bool {
        let mut more = false;
        for (index, transaction) in (0..).zip(block.transactions()) {
            let place = InBlock { height, hash: block.hash(), time: block.header().time, index };
            if !self.ledger.concerns(transaction, &self.scripts) {
                if !transaction.is_coinbase() {
                    self.ledger.rivals_lose(transaction, place);
                }
                continue;
            }
            let known = self.ledger.entry(&transaction.txid()).and_then(|entry| entry.state.block());
            if known == Some(place) {
                continue;
            }
            more |= self.mark_outputs(transaction);
            // What a new wallet finds in old blocks was received when it was mined.
            let received = self.now.min(u64::from(place.time).max(1));
            let received = if height > self.blocks.tip().0 && self.is_recent(place.time) { self.now } else { received };
            self.ledger.insert(&Arc::new(transaction.clone()), received, &self.scripts);
            self.ledger.confirm(transaction, place);
            self.notice(transaction.txid(), Some(height));
        }
        more
    }

    /// Whether a block was mined within the last two hours.
    fn is_recent(&self, time: u32) -> bool {
        self.now.saturating_sub(u64::from(time)) < 7_200
    }

    fn notice(&mut self, txid: Txid, height: Option<u32>) {
        let Some(amount) = self.net(&txid) else { return };
        if self.notices.len() >= MAX_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { txid, amount: amount.to_sat(), height });
    }

    fn set_rescan(&mut self, at: Option<(u32, BlockHash)>) {
        self.rescan = at;
        self.record.rescan = Some(at);
    }
}
