//! One payment in the place of others.

use std::sync::Arc;

use super::town::{Town, padded, txids};
use super::{first, nth};
use crate::mempool::{Reason, Refusal, Verdict, limits};
use crate::transaction::Transaction;

#[test]
fn a_payment_is_replaced_and_replaced_again() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let mut last: Option<Arc<Transaction>> = None;
    for fee in [1000, 1007, 1014, 50_000] {
        let payment = town.pay(&[coin], &[100_000 - fee]);
        let replaces = town.check(&payment).unwrap().replaces().to_vec();
        assert_eq!(replaces, last.iter().map(|last| last.txid()).collect::<Vec<_>>());
        let inserted = town.offer(&payment).unwrap();
        assert_eq!(txids(&inserted.replaced), replaces);
        assert!(inserted.replaced.iter().all(|removed| removed.reason == Reason::Replaced { by: payment.txid() }));
        assert_eq!(town.txids(), [payment.txid()]);
        last = Some(payment);
    }
}

#[test]
fn a_replacement_pays_for_its_own_way() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    town.offer(&town.pay(&[coin], &[99_000])).unwrap();
    // 7 satoshi more are asked for 61 virtual bytes.
    let refusal = town.check(&town.pay(&[coin], &[98_994])).unwrap_err();
    assert_eq!(refusal, Refusal::ReplacementFee { fee: 1006, least: 1007, sibling: false });
    assert_eq!((refusal.reason(), refusal.verdict()), ("insufficient fee", Verdict::Reconsiderable));
    town.offer(&town.pay(&[coin], &[98_993])).unwrap();
}

#[test]
fn a_replacement_pays_for_descendants_too() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[99_000]);
    let child = town.pay(&[first(&parent)], &[97_000]);
    let grandchild = town.pay(&[first(&child)], &[94_000]);
    for payment in [&parent, &child, &grandchild] {
        town.offer(payment).unwrap();
    }
    let refusal = town.check(&town.pay(&[coin], &[93_999])).unwrap_err();
    assert_eq!(refusal, Refusal::ReplacementFee { fee: 6001, least: 6007, sibling: false });
    let inserted = town.offer(&town.pay(&[coin], &[93_993])).unwrap();
    assert_eq!(txids(&inserted.replaced), [&parent, &child, &grandchild].map(|payment| payment.txid()));
    assert_eq!(town.pool.len(), 1);
}

#[test]
fn more_fees_for_much_more_room_are_no_improvement() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    town.offer(&town.pay(&[coin], &[99_000])).unwrap();
    // Three times the fee for twenty times the bytes: miners would lose the best part of the next block.
    let large = town.pay_with(&[coin], &[97_000], padded(1200));
    let refusal = town.check(&large).unwrap_err();
    assert_eq!((refusal.reason(), refusal.verdict()), ("replacement-failed", Verdict::Reconsiderable));
    assert_eq!(refusal, Refusal::NoImprovement);
}

#[test]
fn nothing_spends_what_it_replaces() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[99_000]);
    town.offer(&parent).unwrap();
    let child = town.pay(&[first(&parent)], &[98_000]);
    town.offer(&child).unwrap();
    for through in [&parent, &child] {
        let payment = town.pay(&[coin, first(through)], &[10_000]);
        let refusal = town.check(&payment).unwrap_err();
        assert_eq!(refusal, Refusal::SpendsConflicting(parent.txid()));
        assert_eq!((refusal.reason(), refusal.verdict()), ("bad-txns-spends-conflicting-tx", Verdict::Invalid));
    }
}

#[test]
fn payments_of_a_hundred_clusters_may_be_replaced_and_no_more() {
    for (clusters, allowed) in [(limits::REPLACED_CLUSTERS, true), (limits::REPLACED_CLUSTERS + 1, false)] {
        let mut town = Town::new();
        let coins: Vec<_> = (0..clusters).map(|_| town.coin(10_000)).collect();
        for coin in &coins {
            let payment = town.pay(&[*coin], &[9900]);
            let candidate = town.check(&payment).unwrap();
            town.pool.insert(candidate, town.now).unwrap();
        }
        let sweep = town.pay(&coins, &[10_000]);
        match town.offer(&sweep) {
            Ok(inserted) => assert!(allowed && inserted.replaced.len() == clusters),
            Err(refusal) => {
                assert!(!allowed);
                assert_eq!(refusal, Refusal::TooManyReplaced { clusters, sibling: false });
                assert_eq!(refusal.reason(), "too many potential replacements");
            }
        }
    }
}

#[test]
fn many_payments_of_one_cluster_count_as_one() {
    let mut town = Town::new();
    let coin = town.coin(1_000_000);
    let root = town.pay(&[coin], &[9000; 60]);
    town.offer(&root).unwrap();
    for vout in 0..60 {
        town.offer(&town.pay(&[nth(&root, vout)], &[8900])).unwrap();
    }
    let inserted = town.offer(&town.pay(&[coin], &[1000])).unwrap();
    assert_eq!((inserted.replaced.len(), town.pool.len()), (61, 1));
}

#[test]
fn what_is_left_of_a_cluster_stays() {
    let mut town = Town::new();
    let (a, b, c) = (town.coin(100_000), town.coin(100_000), town.coin(100_000));
    let (a, b) = (town.pay(&[a], &[99_000]), town.pay(&[b], &[99_000]));
    let both = town.pay(&[first(&a), first(&b), c], &[290_000]);
    for payment in [&a, &b, &both] {
        town.offer(payment).unwrap();
    }
    assert_eq!(town.pool.relatives(&both.txid()), Some((3, 1)));
    town.offer(&town.pay(&[c], &[50_000])).unwrap();
    assert!(town.has(&a) && town.has(&b) && !town.has(&both));
    assert_eq!(town.pool.relatives(&a.txid()), Some((1, 1)));
}
