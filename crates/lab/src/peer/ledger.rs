//! The ledger of a peer: chain, mempool, blocks on disk, and the keys that its commands pay with.
//!
//! Every peer begins with the same [`FOUNDATION`] blocks, made anew at each start: their coins belong to keys that every
//! peer knows, and have matured, so that whoever is asked can pay, and mine blocks of any size, at once. What comes on
//! top of them is kept in the directory.
//!
//! Invariant: a block is on disk before the node hears that it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Txid, Wtxid};
use yap_chain::block::{Block, MAX_WEIGHT};
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_protocol::Ledger as _;
use yap_protocol::io::{Judged, PoolChange, Processed, TipChange};
use yap_sim::Random;
use yap_sim::network::forge::Draft;
use yap_sim::network::{self, Solo};

use super::funds::{Coin, Funds, Use};
use super::journal::Journal;

/// Blocks with which every peer begins.
pub const FOUNDATION: u32 = 110;

/// Of these, so many pay to many outputs, and have matured.
const FUNDING: u32 = 11;

/// Outputs of each for payments, and for filling blocks.
/// Enough that peers which pay at one time, each from a random coin, hardly ever take the same one.
const OUTPUTS: [usize; 2] = [500, 4];

/// The file of blocks.
const FILE: &str = "blocks.dat";

/// Why a ledger can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The blocks can't be read or written.
    #[error("can't use the blocks in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The first blocks are not valid on that chain.
    #[error("the chain {name} refuses the blocks that test peers begin with: {outcome:?}")]
    Foundation {
        /// Its name.
        name: String,
        /// What became of the first that was refused.
        outcome: Processed,
    },
}

/// Why no block was mined, or nothing paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// No block can be so large.
    #[error("a block of {asked} bytes is too large: this chain's can have {most} now")]
    Size {
        /// What was asked for.
        asked: usize,
        /// The most that there can be.
        most: usize,
    },
    /// Every coin is spent, or pending.
    #[error("no coin is left that could be spent: mine a block first")]
    NoCoin,
}

/// What came of a block.
#[derive(Debug)]
pub struct Step {
    /// What became of it.
    pub outcome: Processed,
    /// How the chain that is connected changed.
    pub tip: Option<TipChange>,
    /// How the mempool changed.
    pub pool: PoolChange,
    /// Whether it could be written.
    pub kept: io::Result<()>,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the mempool.
    Pending,
    /// In the block at that height.
    Confirmed(u32),
}

impl Place {
    /// The height of its block, once it is in one.
    #[must_use]
    pub const fn height(self) -> Option<u32> {
        match self {
            Self::Pending => None,
            Self::Confirmed(height) => Some(height),
        }
    }
}

/// The ledger of a peer.
#[derive(Debug)]
pub struct Ledger {
    solo: Solo,
    funds: Funds,
    journal: Journal,
    confirmed: BTreeMap<Txid, u32>,
    random: Random,
}

impl Ledger {
    /// Opens the ledger in a directory, which exists; `now` is the wall clock as headers carry it. From `seed` follow
    /// the coins that are taken first and what tells mined blocks from those of others.
    ///
    /// # Errors
    /// If the blocks can't be read or written, or the chain is none for tests.
    pub fn open(spec: Arc<Spec>, directory: &Path, seed: u64, now: u32) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let (journal, blocks) = Journal::open(&path, spec.magic).map_err(|source| Error::Io { path, source })?;
        let mut random = Random::new(seed);
        let funds = Funds::new(random.next());
        let solo = Solo::new(spec, seed);
        let mut ledger = Self { solo, funds, journal, confirmed: BTreeMap::new(), random };
        ledger.lay_foundation()?;
        ledger.replay(blocks, now);
        Ok(ledger)
    }

    fn lay_foundation(&mut self) -> Result<(), Error> {
        for height in 1..=FOUNDATION {
            let outputs = if height <= FUNDING { OUTPUTS } else { [1, 1] };
            let spec = self.solo.ledger().tree().spec();
            let time = spec.genesis.header.time.saturating_add(height.saturating_mul(spec.work.spacing));
            let payout = self.payout(outputs);
            let draft = Draft { transactions: &[], payout: &payout, fees: Amount::ZERO, time, salt: height.into() };
            let block = Arc::new(self.solo.seal(&draft));
            let step = self.solo.process(&block, block.header().time);
            if step.tip.is_none() {
                let name = self.solo.ledger().tree().spec().name.clone();
                return Err(Error::Foundation { name, outcome: step.outcome });
            }
            self.follow(&step);
        }
        Ok(())
    }

    /// Takes in what was on disk. Blocks came in any order: those whose parent is not here yet are tried again.
    fn replay(&mut self, mut blocks: Vec<Arc<Block>>, now: u32) {
        while !blocks.is_empty() {
            let count = blocks.len();
            blocks.retain(|block| {
                let step = self.solo.process(block, now);
                self.follow(&step);
                step.outcome == Processed::Failed
            });
            if blocks.len() == count {
                tracing::warn!(count, "blocks on disk have no parent: they are left out");
                return;
            }
        }
    }

    /// The chain and the mempool, as the node sees them.
    pub fn of_node(&mut self) -> &mut dyn yap_protocol::Ledger {
        self.solo.ledger_mut()
    }

    /// Height of the tip.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.solo.ledger().height()
    }

    /// Hash of the tip.
    #[must_use]
    pub fn tip(&self) -> BlockHash {
        self.solo.ledger().tip_hash()
    }

    /// Transactions that wait to be confirmed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.solo.ledger().pool_len()
    }

    /// Where a transaction is, if it is here.
    #[must_use]
    pub fn place(&self, txid: &Txid) -> Option<Place> {
        let pending = self.solo.ledger().pooled_by_txid(txid).map(|_| Place::Pending);
        pending.or_else(|| self.confirmed.get(txid).copied().map(Place::Confirmed))
    }

    /// Takes in a block.
    pub fn process(&mut self, block: &Arc<Block>, now: u32) -> Step {
        let step = self.solo.process(block, now);
        self.follow(&step);
        let kept = if step.outcome == Processed::Stored { self.journal.append(block) } else { Ok(()) };
        let network::Step { outcome, tip, pool } = step;
        // What is not on disk is not stored, as far as the node goes.
        let outcome = if kept.is_ok() { outcome } else { Processed::Failed };
        Step { outcome, tip, pool, kept }
    }

    /// Judges a transaction, together with a parent that pays too little alone if one is given.
    pub fn judge(
        &mut self,
        transaction: &Arc<Transaction>,
        parent: Option<&Arc<Transaction>>,
        now: u32,
    ) -> (Vec<(Wtxid, Judged)>, PoolChange) {
        self.solo.judge(transaction, parent, now)
    }

    /// A stored block.
    #[must_use]
    pub fn read(&self, hash: &BlockHash) -> Option<Arc<Block>> {
        self.solo.read(hash)
    }

    /// Notes what came and went with the tip.
    fn follow(&mut self, step: &network::Step) {
        let Some(change) = &step.tip else { return };
        for block in change.disconnected.iter().filter_map(|hash| self.solo.read(hash)) {
            for transaction in block.transactions() {
                self.confirmed.remove(&transaction.txid());
            }
        }
        let length = u32::try_from(change.connected.len()).unwrap_or(u32::MAX);
        let first = self.solo.ledger().height().saturating_sub(length).saturating_add(1);
        for (height, (hash, _)) in (first..).zip(&change.connected) {
            let Some(block) = self.solo.read(hash) else { continue };
            self.funds.connected(&block, height);
            self.confirmed.extend(block.transactions().iter().map(|transaction| (transaction.txid(), height)));
        }
    }

    fn payout(&self, [pay, fill]: [usize; 2]) -> Vec<ScriptBuf> {
        let scripts = |purpose, count| std::iter::repeat_n(self.funds.script(purpose).clone(), count);
        scripts(Use::Pay, pay).chain(scripts(Use::Fill, fill)).collect()
    }

    /// Makes a payment from a coin that nobody has spent, here.
    ///
    /// # Errors
    /// If no coin is left.
    pub fn pay(&mut self) -> Result<Arc<Transaction>, MakeError> {
        let spent: BTreeSet<OutPoint> = self
            .solo
            .ledger()
            .pool_by_age()
            .flat_map(|pooled| pooled.transaction.decoded().input.clone())
            .map(|input| input.previous_output)
            .collect();
        let coin = self.coin(Use::Pay, &spent)?;
        Ok(Arc::new(self.funds.pay(&coin)))
    }

    fn coin(&mut self, purpose: Use, spent: &BTreeSet<OutPoint>) -> Result<Coin, MakeError> {
        let next = self.height().saturating_add(1);
        let solo = &self.solo;
        let free = |outpoint: &OutPoint| !spent.contains(outpoint) && solo.unspent(outpoint).is_some();
        self.funds.coin(purpose, next, free).ok_or(MakeError::NoCoin)
    }

    /// Makes a block on the tip, with the best pending transactions that fit. With a size, it is filled up to it. The
    /// block is not taken in yet.
    ///
    /// # Errors
    /// If no block can be so large, or no coin is left to fill it with.
    pub fn mine(&mut self, bytes: Option<usize>, now: u32) -> Result<Block, MakeError> {
        let height = self.height().saturating_add(1);
        let (pending, fees) = self.solo.ledger().pool().template(height, self.solo.median());
        let salt = self.random.next();
        let plain = self.seal(&pending, fees, now, salt);
        let Some(asked) = bytes.filter(|bytes| *bytes > plain.bytes().len()) else { return Ok(plain) };
        let coin = self.coin(Use::Fill, &BTreeSet::new())?;
        match self.fill((&pending, fees), &coin, asked, (now, salt)) {
            // Many pending transactions leave less room, since witnesses count for less than the rest.
            Err(MakeError::Size { .. }) if !pending.is_empty() => {
                self.fill((&[], Amount::ZERO), &coin, asked, (now, salt))
            }
            outcome => outcome,
        }
    }

    /// The block of those transactions and one more that fills it up to `asked` bytes; up to 4 less where a length
    /// takes more bytes from there on.
    fn fill(
        &mut self,
        (pending, fees): (&[Arc<Transaction>], Amount),
        coin: &Coin,
        asked: usize,
        (now, salt): (u32, u64),
    ) -> Result<Block, MakeError> {
        let with = |filler: Transaction| pending.iter().cloned().chain([Arc::new(filler)]).collect::<Vec<_>>();
        let transactions = with(self.funds.fill(coin, 0));
        let empty = self.seal(&transactions, fees, now, salt);
        // A byte of witness weighs one, so the weight grows as the size does.
        let room = MAX_WEIGHT.saturating_sub(empty.weight());
        let most = empty.bytes().len().saturating_add(room);
        if asked > most {
            return Err(MakeError::Size { asked, most });
        }
        let lacking = asked.saturating_sub(empty.bytes().len());
        let transactions = with(self.funds.fill(coin, without_length(lacking)));
        Ok(self.seal(&transactions, fees, now, salt))
    }

    fn seal(&self, transactions: &[Arc<Transaction>], fees: Amount, time: u32, salt: u64) -> Block {
        let payout = self.payout([1, 1]);
        self.solo.seal(&Draft { transactions, payout: &payout, fees, time, salt })
    }
}

/// How long a witness may be so that it takes `lacking` bytes more than an empty one: its length may take up to four
/// bytes more than the one that an empty one's takes.
fn without_length(lacking: usize) -> usize {
    match lacking {
        0..0xfd => lacking,
        0xfd..0x1_0002 => lacking.saturating_sub(2).max(0xfc),
        _ => lacking.saturating_sub(4).max(0xffff),
    }
}

#[cfg(test)]
mod tests;
