#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

mod audit;
mod blocks;
mod dumps;
mod entering;
mod limits;
mod pairs;
mod property;
mod replacing;
mod restricted;
mod templates;
mod town;

use bitcoin::OutPoint;
use town::Town;

use super::*;

/// The first output of a transaction.
fn first(transaction: &Transaction) -> OutPoint {
    OutPoint { txid: transaction.txid(), vout: 0 }
}

/// The output of a transaction at `vout`.
fn nth(transaction: &Transaction, vout: u32) -> OutPoint {
    OutPoint { txid: transaction.txid(), vout }
}

#[test]
fn an_empty_pool_takes_no_memory() {
    let pool = Mempool::new(Limits::default(), 1);
    assert_eq!((pool.len(), pool.usage(), pool.vsize(), pool.fees()), (0, 0, 0, Amount::ZERO));
    assert!(pool.is_empty());
    assert!(size_of::<Mempool>() <= 512, "{}", size_of::<Mempool>());
}

#[test]
fn what_the_seed_is_can_not_be_seen() {
    let run = |seed| {
        let mut town = Town::with_seed(Limits::default(), seed);
        for round in 0..20 {
            let coin = town.coin(100_000);
            let parent = town.pay(&[coin], &[90_000 - round, 5000]);
            town.offer(&parent).unwrap();
            let child = town.pay(&[first(&parent)], &[80_000 + round * round]);
            town.offer(&child).unwrap();
        }
        let order: Vec<Txid> = town.pool.by_feerate().map(|entry| entry.txid()).collect();
        let age: Vec<Txid> = town.pool.by_age().map(|entry| entry.txid()).collect();
        (order, age)
    };
    assert_eq!(run(1), run(2));
}
