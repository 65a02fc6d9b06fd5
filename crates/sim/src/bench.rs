//! Chains of a chosen size and mix, to measure with.
//!
//! First a hundred empty blocks, then blocks that split coinbases into coins of the mix, then the measured blocks:
//! every transaction spends the same number of coins into the same number of new ones, the oldest first, so that coins
//! are spent long after they were created.

use std::collections::VecDeque;

use bitcoin::{Amount, OutPoint, Transaction};

use crate::builder::{Builder, Coin, MATURITY, Payment};
use crate::lock::Kind;
use crate::random::Random;

/// Outputs of one transaction that splits coins.
const SPLIT: usize = 2000;

/// The smallest value worth splitting further.
const SPLITTABLE: Amount = Amount::from_sat(1_000_000);

/// The size of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Measured transactions.
    pub transactions: usize,
    /// Inputs of each.
    pub inputs: usize,
    /// Outputs of each.
    pub outputs: usize,
    /// Measured transactions of a block.
    pub per_block: usize,
}

/// Coins in the order in which they are spent.
struct Queue {
    coins: VecDeque<(OutPoint, Coin)>,
    kinds: Vec<Kind>,
    random: Random,
}

/// Builds a chain whose outputs are of the kinds of `mix`, by weight. The kinds must open at once (no lock times).
#[must_use]
pub fn chain(seed: u64, size: Size, mix: &[(Kind, usize)]) -> Builder {
    let mut builder = Builder::regtest(seed);
    let mut random = Random::new(seed).fork("bench");
    let kinds = mix.iter().flat_map(|&(kind, weight)| std::iter::repeat_n(kind, weight)).collect();
    let mut queue = Queue { coins: VecDeque::new(), kinds, random: random.fork("mix") };
    builder.mine_empty(MATURITY);
    while queue.coins.len() < size.transactions.min(size.per_block * 2) * size.inputs {
        split(&mut builder, &mut queue);
    }
    let mut left = size.transactions;
    while left > 0 {
        let count = left.min(size.per_block);
        while queue.coins.len() < count * size.inputs {
            split(&mut builder, &mut queue);
        }
        let block: Vec<_> = (0..count).map(|_| pay(&mut builder, &mut queue, size)).collect();
        let mined = builder.mine(&block);
        for transaction in &mined.txdata[1..] {
            queue.push_outputs(&builder, transaction);
        }
        left -= count;
    }
    builder
}

/// Mines a block that splits its oldest mature coinbase.
fn split(builder: &mut Builder, queue: &mut Queue) {
    let height = builder.height() + 1 - MATURITY;
    let coinbase = builder.coinbase_at(height).filter(|(_, coin)| coin.output.value > SPLITTABLE);
    let coin = coinbase.expect("coinbases are worth splitting while the chain has fewer than 1,800 blocks");
    if !builder.can_spend(&coin.1) {
        builder.mine(&[]); // A lock time: leave this one.
        return;
    }
    let mut payment = Payment::of(vec![coin]);
    let share = payment.value() / SPLIT as u64;
    payment.outputs = (0..SPLIT).map(|_| builder.output(queue.kind(), share)).collect();
    let transaction = builder.sign(&payment);
    let block = builder.mine(&[transaction]);
    queue.push_outputs(builder, &block.txdata[1]);
}

fn pay(builder: &mut Builder, queue: &mut Queue, size: Size) -> Transaction {
    let mut payment = Payment::of(queue.coins.drain(..size.inputs).collect());
    let share = payment.value() / size.outputs as u64;
    payment.outputs = (0..size.outputs).map(|_| builder.output(queue.kind(), share)).collect();
    builder.sign(&payment)
}

impl Queue {
    fn kind(&mut self) -> Kind {
        *self.random.pick(&self.kinds).expect("the mix has kinds")
    }

    fn push_outputs(&mut self, builder: &Builder, transaction: &Transaction) {
        let txid = transaction.compute_txid();
        for vout in 0..transaction.output.len() as u32 {
            let outpoint = OutPoint { txid, vout };
            if let Some(coin) = builder.coins().get(&outpoint) {
                self.coins.push_back((outpoint, coin.clone()));
            }
        }
    }
}
