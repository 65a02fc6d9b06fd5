//! Builds valid chains: real signatures of every kind of output, lock times, forks.
//!
//! A [`Builder`] is one branch: the blocks on it and the coins that its wallet can spend. [`Builder::fork_at`] gives
//! another branch. A block begins as a [`Draft`], which takes transactions; [`Builder::seal`] commits to them and
//! solves the header; [`Builder::adopt`] puts the block on the branch. [`Builder::mine`] and its siblings do all three.
//!
//! The bookkeeping is this module's own and simple: it exists to be compared with the rules of the ledger.

mod draft;
mod parameters;
mod payment;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Block, BlockHash, OutPoint, Script, Transaction, TxOut, WScriptHash};

pub use draft::{Draft, solve, unsolve};
pub use parameters::Parameters;
pub use payment::Payment;

use crate::lock::{Kind, Lock, Position, Wallet};
use crate::random::Random;

/// Blocks until a coinbase can be spent.
pub const MATURITY: u32 = 100;

/// An output that the wallet can spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub output: TxOut,
    /// What it takes to spend it.
    pub lock: Lock,
    /// Height of the block that created it.
    pub height: u32,
    /// Median time past of the block before that one.
    pub median: u32,
    /// Whether a coinbase created it.
    pub coinbase: bool,
}

impl Coin {
    const fn position(&self) -> Position {
        Position { height: self.height, median: self.median }
    }
}

/// A block on the branch, and the coins that it spent.
#[derive(Debug)]
struct Record {
    block: Block,
    hash: BlockHash,
    /// Median of the times of this block and the ten before.
    median: u32,
    spent: Vec<(OutPoint, Coin)>,
}

/// One branch of a chain.
#[derive(Clone, Debug)]
pub struct Builder {
    parameters: Arc<Parameters>,
    wallet: Arc<Wallet>,
    random: Random,
    records: Vec<Arc<Record>>,
    coins: BTreeMap<OutPoint, Coin>,
    /// By hash of their scripts, which is cheaper to copy for a fork.
    locks: BTreeMap<WScriptHash, Lock>,
    unspendable: BTreeSet<OutPoint>,
    next_time: Option<u32>,
}

impl Builder {
    /// A branch of nothing but the genesis block of Bitcoin's regtest.
    #[must_use]
    pub fn regtest(seed: u64) -> Self {
        Self::new(Parameters::regtest(), seed)
    }

    /// A branch of nothing but the genesis block. Keys and everything random come from the seed.
    #[must_use]
    pub fn new(parameters: Parameters, seed: u64) -> Self {
        let genesis = parameters.genesis.clone();
        let (hash, median) = (genesis.block_hash(), genesis.header.time);
        let record = Record { hash, median, block: genesis, spent: Vec::new() };
        Self {
            parameters: Arc::new(parameters),
            wallet: Arc::new(Wallet::new(seed)),
            random: Random::new(seed).fork("builder"),
            records: vec![Arc::new(record)],
            coins: BTreeMap::new(),
            locks: BTreeMap::new(),
            unspendable: BTreeSet::new(),
            next_time: None,
        }
    }

    /// What chain this is.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The keys.
    #[must_use]
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// Height of the last block.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.records.len() as u32 - 1
    }

    /// The last block's hash.
    #[must_use]
    pub fn tip(&self) -> BlockHash {
        self.last().hash
    }

    /// The block at a height of the branch.
    #[must_use]
    pub fn block(&self, height: u32) -> Option<&Block> {
        self.records.get(height as usize).map(|record| &record.block)
    }

    /// The branch's blocks in order, without the genesis block.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.records.iter().skip(1).map(|record| &record.block)
    }

    /// What the wallet can spend.
    #[must_use]
    pub const fn coins(&self) -> &BTreeMap<OutPoint, Coin> {
        &self.coins
    }

    /// Outputs that nobody can spend, though they look like coins.
    #[must_use]
    pub const fn unspendable(&self) -> &BTreeSet<OutPoint> {
        &self.unspendable
    }

    /// The builder's randomness.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Sets the time of the next block, seconds since 1970.
    pub const fn set_time(&mut self, time: u32) {
        self.next_time = Some(time);
    }

    /// Median of the last eleven blocks' times (BIP-0113).
    #[must_use]
    pub fn median_time(&self) -> u32 {
        self.last().median
    }

    /// What the median becomes with one more block.
    fn next_median(&self, time: u32) -> u32 {
        let before = self.records.iter().rev().take(10).map(|record| record.block.header.time);
        let mut times: Vec<u32> = before.chain([time]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    /// Another branch that shares the blocks up to `height` and has its own randomness.
    #[must_use]
    pub fn fork_at(&mut self, height: u32) -> Self {
        assert!(height <= self.height(), "a fork begins at a block of the branch");
        let mut fork = Self { random: self.random.fork("fork"), next_time: None, ..self.clone() };
        while fork.height() > height {
            fork.retreat();
        }
        fork
    }

    /// Takes the last block off the branch.
    fn retreat(&mut self) {
        let record = self.records.pop().expect("above the genesis block");
        for transaction in &record.block.txdata {
            let txid = transaction.compute_txid();
            for vout in 0..transaction.output.len() as u32 {
                self.coins.remove(&OutPoint { txid, vout });
                self.unspendable.remove(&OutPoint { txid, vout });
            }
        }
        // A coin created and spent within the block is in `spent` too, and must not come back.
        let kept = record.spent.iter().filter(|(_, coin)| coin.height as usize != self.records.len());
        self.coins.extend(kept.cloned());
    }

    /// Puts a sealed block on the branch.
    pub fn adopt(&mut self, block: Block) {
        assert_eq!(block.header.prev_blockhash, self.tip(), "the block's parent is the tip");
        let median = self.median_time();
        let height = self.height() + 1;
        let mut spent = Vec::new();
        for (index, transaction) in block.txdata.iter().enumerate() {
            let coinbase = index == 0;
            if !coinbase {
                for input in &transaction.input {
                    let coin = self.coins.remove(&input.previous_output).expect("spends a coin of the wallet");
                    spent.push((input.previous_output, coin));
                }
            }
            self.create(transaction, Position { height, median }, coinbase);
        }
        let (hash, median) = (block.block_hash(), self.next_median(block.header.time));
        self.records.push(Arc::new(Record { block, hash, median, spent }));
        self.next_time = None;
    }

    fn create(&mut self, transaction: &Transaction, at: Position, coinbase: bool) {
        let txid = transaction.compute_txid();
        for (vout, output) in (0..).zip(&transaction.output) {
            let Some(lock) = self.known_lock(&output.script_pubkey) else { continue };
            let outpoint = OutPoint { txid, vout };
            if lock.kind.is_spendable() {
                let output = output.clone();
                let coin = Coin { output, lock, height: at.height, median: at.median, coinbase };
                self.coins.insert(outpoint, coin);
            } else if !lock.kind.is_coin() {
                self.unspendable.insert(outpoint);
            }
        }
    }

    /// A random lock of that kind, which the wallet knows from now on.
    pub fn lock(&mut self, kind: Kind) -> Lock {
        let lock = Wallet::lock(kind, self.height(), self.median_time(), &mut self.random);
        let script = self.wallet.script_pubkey(&lock);
        *self.locks.entry(script.wscript_hash()).or_insert(lock)
    }

    /// A new output of that kind.
    pub fn output(&mut self, kind: Kind, value: bitcoin::Amount) -> TxOut {
        let lock = self.lock(kind);
        TxOut { value, script_pubkey: self.wallet.script_pubkey(&lock) }
    }

    /// Whether the next block may spend a coin.
    #[must_use]
    pub fn can_spend(&self, coin: &Coin) -> bool {
        let height = self.height() + 1;
        let mature = !coin.coinbase || coin.height + MATURITY <= height;
        mature && coin.lock.opens(coin.position(), Position { height, median: self.median_time() })
    }

    /// A random coin of that kind that the next block may spend and that meets a condition.
    pub fn coin_where(&mut self, kind: Kind, wanted: impl Fn(&OutPoint, &Coin) -> bool) -> Option<(OutPoint, Coin)> {
        let fits =
            |outpoint: &OutPoint, coin: &Coin| coin.lock.kind == kind && self.can_spend(coin) && wanted(outpoint, coin);
        let fitting: Vec<_> = self.coins.iter().filter(|(outpoint, coin)| fits(outpoint, coin)).collect();
        let (outpoint, coin) = *self.random.pick(&fitting)?;
        Some((*outpoint, coin.clone()))
    }

    /// The wallet's coin of the coinbase at a height, spendable or not.
    #[must_use]
    pub fn coinbase_at(&self, height: u32) -> Option<(OutPoint, Coin)> {
        let outpoint = OutPoint { txid: self.block(height)?.txdata.first()?.compute_txid(), vout: 0 };
        self.coins.get(&outpoint).map(|coin| (outpoint, coin.clone()))
    }

    /// A random coin that a block of the branch spent.
    pub fn spent_coin(&mut self) -> Option<(OutPoint, Coin)> {
        let spending: Vec<_> = self.records.iter().filter(|record| !record.spent.is_empty()).cloned().collect();
        let record = self.random.pick(&spending)?;
        self.random.pick(&record.spent).cloned()
    }

    /// The lock that the wallet made a script for.
    #[must_use]
    pub fn known_lock(&self, script_pubkey: &Script) -> Option<Lock> {
        self.locks.get(&script_pubkey.wscript_hash()).copied()
    }

    /// Mines a block of those transactions, which must be valid in that order.
    pub fn mine(&mut self, transactions: &[Transaction]) -> Block {
        self.mine_with(|_, draft| {
            for transaction in transactions {
                draft.push(transaction.clone());
            }
        })
    }

    /// Mines the block that `plan` fills.
    pub fn mine_with(&mut self, plan: impl FnOnce(&mut Self, &mut Draft)) -> Block {
        let mut draft = self.draft();
        plan(self, &mut draft);
        let block = self.seal(draft);
        self.adopt(block.clone());
        block
    }

    /// Mines empty blocks.
    pub fn mine_empty(&mut self, count: u32) {
        for _ in 0..count {
            self.mine(&[]);
        }
    }

    /// Mines a block of random transactions of every kind.
    pub fn random_block(&mut self) -> Block {
        let count = self.random.below(12);
        self.mine_with(|builder, draft| {
            for _ in 0..count {
                builder.random_transaction(draft);
            }
        })
    }

    /// Mines until the next block may spend `count` coins of every spendable kind at least.
    pub fn prepare(&mut self, count: usize) {
        while self.height() <= MATURITY {
            self.mine(&[]);
        }
        let times = |kind: Kind| if kind.is_spendable() { count } else { 1 };
        let kinds: Vec<Kind> = Kind::ALL.into_iter().flat_map(|kind| std::iter::repeat_n(kind, times(kind))).collect();
        let (outpoint, coin) = self.mature_coinbase();
        let mut payment = Payment::of(vec![(outpoint, coin)]);
        let share = payment.value() / kinds.len() as u64;
        payment.outputs = kinds.into_iter().map(|kind| self.output(kind, share)).collect();
        let transaction = self.sign(&payment);
        self.mine(&[transaction]);
        self.mine_empty(15); // The longest relative lock time, and the median of eleven blocks behind it.
    }

    /// A coinbase that the next block may spend.
    fn mature_coinbase(&self) -> (OutPoint, Coin) {
        let found = self.coins.iter().find(|(_, coin)| coin.coinbase && self.can_spend(coin));
        found.map(|(outpoint, coin)| (*outpoint, coin.clone())).expect("a hundred blocks down, one has matured")
    }

    fn last(&self) -> &Record {
        self.records.last().expect("the genesis block is always there")
    }
}
