//! A chain with a pool, as short as a test can say it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Sequence, Txid};

use super::audit;
use crate::coin::Coin;
use crate::fixture::{self, EveryTenMinutes};
use crate::mempool::{Candidate, Inserted, InsertedPair, Limits, Mempool, Place, Refusal, Removed, Room, UNCONFIRMED};
use crate::transaction::Transaction;
use crate::transaction::lock::Ancestors;
use crate::verify::Flags;

/// Who runs the chain, keeps the time and has a pool.
pub(super) struct Town {
    pub(super) pool: Mempool,
    pub(super) coins: BTreeMap<OutPoint, Coin>,
    /// Of the tip.
    pub(super) height: u32,
    pub(super) now: u64,
    made: u32,
}

impl Town {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        Self::with_seed(limits, 7)
    }

    pub(super) fn with_seed(limits: Limits, seed: u64) -> Self {
        let pool = Mempool::new(limits, seed);
        Self { pool, coins: BTreeMap::new(), height: 1000, now: 1_700_000_000, made: 0 }
    }

    /// A coin in the chain, long since.
    pub(super) fn coin(&mut self, value: u64) -> OutPoint {
        self.coin_at(value, 500, false)
    }

    pub(super) fn coin_at(&mut self, value: u64, height: u32, coinbase: bool) -> OutPoint {
        self.made += 1;
        let outpoint = fixture::outpoint(self.made);
        let script = Script::from_bytes(&[0x51]);
        self.coins.insert(outpoint, Coin::new(Amount::from_sat(value), script, height, coinbase));
        outpoint
    }

    /// A transaction of 61 virtual bytes with one input and one output.
    pub(super) fn pay(&self, inputs: &[OutPoint], values: &[u64]) -> Arc<Transaction> {
        self.pay_with(inputs, values, |_| {})
    }

    pub(super) fn pay_with(
        &self,
        inputs: &[OutPoint],
        values: &[u64],
        change: impl FnOnce(&mut bitcoin::Transaction),
    ) -> Arc<Transaction> {
        let mut transaction = fixture::spend(inputs, values);
        change(&mut transaction);
        Arc::new(fixture::parsed(&transaction))
    }

    pub(super) fn place(&self) -> Place<'static, EveryTenMinutes> {
        place(self.height)
    }

    pub(super) fn room(&self) -> Room {
        Room::of_block(self.height + 1, EveryTenMinutes.median_time_past(self.height))
    }

    pub(super) fn check(&self, transaction: &Arc<Transaction>) -> Result<Candidate, Refusal> {
        self.pool.check(transaction, &|outpoint| self.coins.get(outpoint).cloned(), &self.place(), self.now)
    }

    pub(super) fn offer(&mut self, transaction: &Arc<Transaction>) -> Result<Inserted, Refusal> {
        let candidate = self.check(transaction)?;
        let inserted = self.pool.insert(candidate, self.now);
        audit::sound(&self.pool);
        inserted
    }

    pub(super) fn offer_pair(
        &mut self,
        parent: &Arc<Transaction>,
        child: &Arc<Transaction>,
    ) -> Result<InsertedPair, Refusal> {
        let coins = |outpoint: &OutPoint| self.coins.get(outpoint).cloned();
        let pair = self.pool.check_pair(parent, child, &coins, &self.place(), self.now)?;
        assert_eq!(pair.jobs().map(|job| job.spent.len()), [parent, child].map(|tx| tx.decoded().input.len()));
        let inserted = self.pool.insert_pair(pair, self.now);
        audit::sound(&self.pool);
        inserted
    }

    pub(super) fn offer_returned(&mut self, transaction: &Arc<Transaction>) -> Result<Inserted, Refusal> {
        let coins = |outpoint: &OutPoint| self.coins.get(outpoint).cloned();
        let candidate = self.pool.check_returned(transaction, &coins, &self.place(), self.now)?;
        let inserted = self.pool.insert(candidate, self.now);
        audit::in_order(&self.pool);
        inserted
    }

    /// A block with these comes, ten minutes later.
    pub(super) fn mine(&mut self, transactions: &[Arc<Transaction>]) -> Vec<Removed> {
        self.height += 1;
        self.now += 600;
        let mut all = vec![fixture::coinbase(self.height, &[5_000_000_000])];
        all.extend(transactions.iter().map(|transaction| transaction.decoded().clone()));
        let block = fixture::block(&all);
        for transaction in block.transactions() {
            for input in &transaction.decoded().input {
                self.coins.remove(&input.previous_output);
            }
            for (vout, output) in (0..).zip(&transaction.decoded().output) {
                let coin = Coin::new(output.value, &output.script_pubkey, self.height, transaction.is_coinbase());
                self.coins.insert(OutPoint { txid: transaction.txid(), vout }, coin);
            }
        }
        let removed = self.pool.connect(&block, self.now);
        audit::sound(&self.pool);
        removed
    }

    /// Takes the last block back, of which these were all that spend, with `spent` as their coins.
    pub(super) fn unmine(&mut self, transactions: &[Arc<Transaction>], spent: &[(OutPoint, Coin)]) {
        for transaction in transactions {
            for vout in 0..u32::try_from(transaction.decoded().output.len()).unwrap() {
                self.coins.remove(&OutPoint { txid: transaction.txid(), vout });
            }
        }
        self.coins.extend(spent.iter().cloned());
        let height = self.height;
        self.coins.retain(|_, coin| coin.height < height);
        self.height -= 1;
        self.pool.disconnect();
    }

    pub(super) fn reorganised(&mut self, fork: u32) -> Vec<Removed> {
        let asked: Vec<OutPoint> = self.pool.doubtful(fork).copied().collect();
        let coins = |outpoint: &OutPoint| {
            let of_chain = self.coins.get(outpoint).cloned();
            assert!(of_chain.as_ref().is_none_or(|coin| coin.height <= fork) || asked.contains(outpoint));
            of_chain
        };
        let removed = self.pool.reorganised(fork, &coins, &place(self.height), self.now);
        audit::sound(&self.pool);
        removed
    }

    pub(super) fn txids(&self) -> Vec<Txid> {
        self.pool.by_age().map(|entry| entry.txid()).collect()
    }

    pub(super) fn has(&self, transaction: &Transaction) -> bool {
        assert_eq!(self.pool.contains(&transaction.wtxid()), self.pool.contains_txid(&transaction.txid()));
        self.pool.contains(&transaction.wtxid())
    }
}

fn place(height: u32) -> Place<'static, EveryTenMinutes> {
    Place {
        height: height + 1,
        median_time_past: EveryTenMinutes.median_time_past(height),
        ancestors: &EveryTenMinutes,
        flags: Flags::ALL,
    }
}

/// Makes a transaction as many bytes larger, by what its first output's script says, and unspendable.
pub(super) fn padded(bytes: usize) -> impl FnOnce(&mut bitcoin::Transaction) {
    move |transaction| {
        let script = [vec![0x6a], vec![0; bytes - 1]].concat();
        transaction.output[0].script_pubkey = ScriptBuf::from_bytes(script);
    }
}

/// Version 3 (BIP-0431).
pub(super) fn version_3(transaction: &mut bitcoin::Transaction) {
    transaction.version = bitcoin::transaction::Version(3);
}

/// Makes the first input wait for so many blocks (BIP-0068).
pub(super) fn waiting(blocks: u16) -> impl FnOnce(&mut bitcoin::Transaction) {
    move |transaction| transaction.input[0].sequence = Sequence::from_height(blocks)
}

pub(super) fn txids(removed: &[Removed]) -> Vec<Txid> {
    removed.iter().map(|removed| removed.entry.txid()).collect()
}

/// That a coin of the pool is known as such.
pub(super) fn is_unconfirmed(coin: &Coin) -> bool {
    coin.height == UNCONFIRMED
}
