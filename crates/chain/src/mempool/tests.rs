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
use crate::mempool::limits::CLUSTER_COUNT;
use crate::transaction::Transaction;

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

#[test]
fn a_family_can_be_asked_for() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[a], &[50_000, 49_900]);
    let poor = town.pay(&[first(&parent)], &[49_950]);
    let rich = town.pay(&[nth(&parent, 1)], &[30_000]);
    let stranger = town.pay(&[b], &[99_000]);
    for payment in [&parent, &poor, &rich, &stranger] {
        town.offer(payment).unwrap();
    }
    let ids = |entries: Vec<&std::sync::Arc<Entry>>| entries.iter().map(|entry| entry.txid()).collect::<Vec<_>>();
    let pool = &town.pool;
    assert_eq!(ids(pool.ancestors(&poor.txid()).collect()), [parent.txid(), poor.txid()]);
    assert_eq!(ids(pool.descendants(&parent.txid()).collect()), [parent.txid(), rich.txid(), poor.txid()]);
    assert_eq!(ids(pool.cluster(&poor.txid()).collect()), [parent.txid(), rich.txid(), poor.txid()]);
    assert_eq!(ids(pool.cluster(&stranger.txid()).collect()), [stranger.txid()]);
    assert_eq!(pool.cluster(&OutPoint::null().txid).count(), 0);
    assert_eq!(pool.chunk(&parent.txid()), pool.chunk(&rich.txid()));
    assert_eq!(pool.chunk(&parent.txid()).unwrap().fee, 100 + 19_900);
    assert_eq!(pool.chunks().map(|paid| paid.fee).collect::<Vec<_>>(), [20_000, 1000, 50]);
}

#[test]
fn a_sweep_of_thousands_is_judged_at_once() {
    let mut town = Town::new();
    let mut parents = Vec::new();
    for _ in 0..3000 {
        let coin = town.coin(10_000);
        let payment = town.pay(&[coin], &[5000, 4000]);
        let candidate = town.check(&payment).unwrap();
        town.pool.insert(candidate, town.now).unwrap();
        parents.push(first(&payment));
    }
    let sweep = town.pay(&parents, &[1000]);
    assert!(matches!(town.check(&sweep), Err(Refusal::TooLargeCluster { count: 3001, .. })));
    let few = &parents[..CLUSTER_COUNT];
    assert!(matches!(town.check(&town.pay(few, &[1000])), Err(Refusal::TooLargeCluster { count: 65, .. })));
    town.offer(&town.pay(&few[1..], &[1000])).unwrap();
    // Another sweep of all, which pays for what it replaces.
    assert!(matches!(town.check(&sweep), Err(Refusal::TooLargeCluster { count: 3001, .. })));
}
