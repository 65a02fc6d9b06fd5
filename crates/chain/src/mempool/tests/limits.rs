//! Each limit, at it and one past it.

use std::sync::Arc;

use super::town::{Town, padded, txids};
use super::{first, nth};
use crate::mempool::{FeeRate, Limits, Reason, Refusal, Verdict, limits};
use crate::transaction::Transaction;

/// Limits with memory for so many of the smallest payments.
pub(super) fn small(payments: usize) -> Limits {
    let mut town = Town::new();
    let coin = town.coin(10_000);
    town.offer(&town.pay(&[coin], &[9000])).unwrap();
    Limits { usage: town.pool.usage() * payments, ..Limits::default() }
}

/// A chain of payments, each with some bytes of data. Gives the last.
fn chain(town: &mut Town, length: u64, bytes: usize) -> Arc<Transaction> {
    let mut input = town.coin(10_000_000);
    let mut last = None;
    for rank in 1..=length {
        let payment = town.pay_with(&[input], &[10_000_000 - 50_000 * rank, 0], |tx| {
            tx.output.swap(0, 1);
            padded(bytes)(tx);
            tx.output.swap(0, 1);
        });
        town.offer(&payment).unwrap();
        input = first(&payment);
        last = Some(payment);
    }
    last.unwrap()
}

#[test]
fn a_cluster_holds_64_payments_and_no_more() {
    let mut town = Town::new();
    let last = chain(&mut town, 63, 10);
    let child = town.pay(&[first(&last)], &[1_000_000]);
    town.offer(&child).unwrap();
    assert_eq!(town.pool.relatives(&child.txid()), Some((limits::CLUSTER_COUNT, 1)));
    let refusal = town.check(&town.pay(&[first(&child)], &[900_000])).unwrap_err();
    assert_eq!((refusal.reason(), refusal.verdict()), ("too-large-cluster", Verdict::Policy));
    assert!(matches!(refusal, Refusal::TooLargeCluster { count: 65, .. }));
    // What takes the place of the last is the 64th again.
    town.offer(&town.pay(&[first(&last)], &[900_000])).unwrap();
}

#[test]
fn a_cluster_holds_101_000_virtual_bytes_and_no_more() {
    let mut town = Town::new();
    let last = chain(&mut town, 10, 9_970);
    let used = town.pool.vsize();
    let room = usize::try_from(limits::CLUSTER_VSIZE - used).unwrap();
    assert!((400..10_000).contains(&room), "{room}");
    // 59 bytes besides the script and the 3 that say its length.
    let script = room - 62;
    let refusal = town.check(&town.pay_with(&[first(&last)], &[1_000_000], padded(script + 1))).unwrap_err();
    assert_eq!(refusal, Refusal::TooLargeCluster { count: 11, vsize: limits::CLUSTER_VSIZE + 1 });
    let fits = town.pay_with(&[first(&last)], &[1_000_000], padded(script));
    town.offer(&fits).unwrap();
    assert_eq!(town.pool.vsize(), limits::CLUSTER_VSIZE);
}

#[test]
fn a_payment_that_joins_clusters_counts_all_of_them() {
    let mut town = Town::new();
    let (a, b) = (chain(&mut town, 32, 10), chain(&mut town, 32, 10));
    let both = town.pay(&[first(&a), first(&b)], &[1000]);
    assert!(matches!(town.check(&both), Err(Refusal::TooLargeCluster { count: 65, .. })));
    town.mine(&[]);
    let coin = town.coin(100_000);
    town.offer(&town.pay(&[first(&a), coin], &[1000])).unwrap();
}

#[test]
fn a_full_pool_gives_up_what_pays_least() {
    let mut town = Town::with(small(4));
    let payments: Vec<_> = (1..=4)
        .map(|rank| {
            let coin = town.coin(100_000);
            let payment = town.pay(&[coin], &[100_000 - 1000 * rank]);
            assert!(town.offer(&payment).unwrap().evicted.is_empty());
            payment
        })
        .collect();
    assert_eq!(town.pool.min_feerate(town.now), FeeRate::from_sat_per_kvb(100));
    let coin = town.coin(100_000);
    let inserted = town.offer(&town.pay(&[coin], &[90_000])).unwrap();
    assert_eq!(txids(&inserted.evicted), [payments[0].txid()]);
    assert_eq!(inserted.evicted[0].reason, Reason::Evicted);
    // 1,000 satoshi for 61 virtual bytes, and the increment.
    assert_eq!(town.pool.min_feerate(town.now), FeeRate::from_sat_per_kvb(16_393 + 100));
}

#[test]
fn a_child_keeps_its_parent_in_a_full_pool() {
    let mut town = Town::with(small(4));
    let (a, b, c, d) = (town.coin(100_000), town.coin(100_000), town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[a], &[99_990]);
    let child = town.pay(&[first(&parent)], &[90_000]);
    let plain = town.pay(&[b], &[98_000]);
    for payment in [&parent, &child, &plain, &town.pay(&[c], &[97_000])] {
        town.offer(payment).unwrap();
    }
    let inserted = town.offer(&town.pay(&[d], &[96_000])).unwrap();
    assert_eq!(txids(&inserted.evicted), [plain.txid()]);
}

#[test]
fn a_payment_may_be_the_one_that_there_is_no_room_for() {
    let mut town = Town::with(small(3));
    for rank in 1..=3 {
        let coin = town.coin(100_000);
        town.offer(&town.pay(&[coin], &[100_000 - 1000 * rank])).unwrap();
    }
    let coin = town.coin(100_000);
    let refusal = town.offer(&town.pay(&[coin], &[99_500])).unwrap_err();
    assert_eq!((refusal.reason(), refusal.verdict()), ("mempool full", Verdict::Reconsiderable));
    assert_eq!(refusal, Refusal::Full { removed: [].into() });
    // Nobody need ask again with as little: 500 satoshi for 61 bytes, and the increment.
    let refusal = town.check(&town.pay(&[coin], &[99_494])).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("mempool min fee not met", Refusal::PoolFee { fee: 506, least: 507 }));
}

#[test]
fn the_price_of_a_full_pool_falls_after_a_block() {
    let mut town = Town::with(small(2));
    for rank in [1, 2, 3] {
        let coin = town.coin(100_000);
        town.offer(&town.pay(&[coin], &[100_000 - 1000 * rank])).unwrap();
    }
    let price = |town: &Town, hours: u64| town.pool.min_feerate(town.now + hours * 3600).to_sat_per_kvb();
    assert_eq!(price(&town, 0), 16_493);
    assert_eq!(price(&town, 100), 16_493);
    town.mine(&[]);
    assert_eq!(price(&town, 12), 8247, "half of 16,493, rounded to the nearest");
    assert_eq!(price(&town, 24), 4123);
    assert_eq!(price(&town, 24 * 5), 100);
}

#[test]
fn a_payment_leaves_after_two_weeks_with_its_children() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let old = town.pay(&[a], &[99_000]);
    town.offer(&old).unwrap();
    let expiry = town.pool.limits().expiry;
    assert_eq!(expiry, 14 * 24 * 60 * 60);
    town.now += 1;
    let child = town.pay(&[first(&old)], &[98_000]);
    let young = town.pay(&[b], &[99_000]);
    town.offer(&child).unwrap();
    town.offer(&young).unwrap();
    assert!(town.pool.expire(town.now - 1 + expiry).is_empty());
    let removed = town.pool.expire(town.now + expiry);
    super::audit::sound(&town.pool);
    assert_eq!(txids(&removed), [old.txid(), child.txid()]);
    assert!(removed.iter().all(|removed| removed.reason == Reason::Expired));
    assert_eq!(town.txids(), [young.txid()]);
}

#[test]
fn an_operator_favours_so_many_payments_and_no_more() {
    let mut town = Town::new();
    let name = |rank: usize| crate::fixture::outpoint(u32::try_from(rank).unwrap()).txid;
    for rank in 0..limits::PRIORITIES {
        assert_eq!(town.pool.prioritise(name(rank), 1), Some(1));
    }
    assert_eq!(town.pool.prioritise(name(limits::PRIORITIES), 1), None);
    assert_eq!(town.pool.prioritise(name(0), 1), Some(2));
    assert_eq!(town.pool.prioritise(name(0), -2), Some(0));
    assert_eq!(town.pool.prioritise(name(limits::PRIORITIES), 1), Some(1));
}

#[test]
fn clusters_are_never_larger_than_their_bits() {
    let mut town = Town::with(Limits { cluster_count: 1000, ..Limits::default() });
    assert_eq!(town.pool.limits().cluster_count, limits::CLUSTER_COUNT);
    let coin = town.coin(10_000_000);
    let root = town.pay(&[coin], &[9000; 70]);
    town.offer(&root).unwrap();
    let children = (0..70).map(|vout| town.pay(&[nth(&root, vout)], &[8000])).collect::<Vec<_>>();
    let taken = children.iter().filter(|child| town.offer(child).is_ok()).count();
    assert_eq!(taken, limits::CLUSTER_COUNT - 1);
}
