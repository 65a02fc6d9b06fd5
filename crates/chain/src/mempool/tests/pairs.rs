//! A parent that pays too little, and a child that pays for both.

use super::town::{Town, padded, txids, version_3};
use super::{first, nth};
use crate::mempool::{FeeRate, Limits, Pair, Refusal, Truc, limits};

#[test]
fn a_child_pays_for_a_parent_that_pays_nothing() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[100_000]);
    let child = town.pay(&[first(&parent)], &[99_987]);
    assert!(matches!(town.check(&parent), Err(Refusal::RelayFee { fee: 0, least: 7 })));
    assert!(matches!(town.check(&child), Err(Refusal::MissingInputs(_))));
    let inserted = town.offer_pair(&parent, &child).unwrap();
    assert_eq!((inserted.parent.txid(), inserted.child.txid()), (parent.txid(), child.txid()));
    assert_eq!(town.txids(), [parent.txid(), child.txid()]);
    assert_eq!(town.pool.relatives(&child.txid()), Some((2, 1)));
}

#[test]
fn both_together_must_pay() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[100_000]);
    // 122 virtual bytes: 12.2 satoshi.
    let refusal = town.offer_pair(&parent, &town.pay(&[first(&parent)], &[99_988])).unwrap_err();
    assert_eq!(refusal, Refusal::RelayFee { fee: 12, least: 13 });
}

#[test]
fn virtual_bytes_of_each_are_rounded_up_by_themselves() {
    let mut town = Town::with(Limits { relay: FeeRate::from_sat_per_kvb(1000), ..Limits::default() });
    let coin = town.coin(100_000);
    // A witness of one byte makes 244 weight units 249: 62.25 virtual bytes, so 63.
    let witness = |tx: &mut bitcoin::Transaction| tx.input[0].witness.push([1]);
    let parent = town.pay_with(&[coin], &[100_000], witness);
    assert_eq!(parent.weight(), 249);
    let child = |town: &Town, fee: u64| town.pay_with(&[first(&parent)], &[100_000 - fee], witness);
    // 498 weight units together would be 125.
    let refusal = town.offer_pair(&parent, &child(&town, 125)).unwrap_err();
    assert_eq!(refusal, Refusal::RelayFee { fee: 125, least: 126 });
    town.offer_pair(&parent, &child(&town, 126)).unwrap();
}

#[test]
fn a_pair_is_a_parent_that_needs_help_and_its_child() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let (poor, rich) = (town.pay(&[a], &[100_000]), town.pay(&[b], &[99_000]));
    let refusal = town.offer_pair(&poor, &rich).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("package-not-child-with-parents", Pair::Unrelated.into()));
    let refusal = town.offer_pair(&rich, &town.pay(&[first(&rich)], &[99_000])).unwrap_err();
    assert_eq!(refusal, Pair::ParentSuffices.into());
    let refusal = town.offer_pair(&poor, &town.pay(&[first(&poor), a], &[150_000])).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("conflict-in-package", Pair::Conflict(a).into()));
    let invalid = town.pay(&[a], &[100_001]);
    assert!(matches!(town.offer_pair(&invalid, &town.pay(&[first(&invalid)], &[1000])), Err(Refusal::Invalid(_))));
}

#[test]
fn a_pair_replaces_what_it_pays_for() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let before = town.pay(&[coin], &[99_000]);
    town.offer(&before).unwrap();
    let parent = town.pay(&[coin], &[99_990]);
    let poor = town.pay(&[first(&parent)], &[98_990]);
    let refusal = town.offer_pair(&parent, &poor).unwrap_err();
    assert_eq!(refusal, Pair::ReplacementFee { fee: 1010, least: 1013 }.into());
    assert_eq!(refusal.reason(), "package RBF failed: insufficient anti-DoS fees");
    // Enough more, but for twice the room.
    let refusal = town.offer_pair(&parent, &town.pay(&[first(&parent)], &[98_500])).unwrap_err();
    assert_eq!(refusal, Pair::NoImprovement.into());
    let rich = town.pay(&[first(&parent)], &[90_000]);
    let inserted = town.offer_pair(&parent, &rich).unwrap();
    assert_eq!(txids(&inserted.replaced), [before.txid()]);
    assert_eq!(town.txids(), [parent.txid(), rich.txid()]);
}

#[test]
fn a_pair_that_replaces_stands_alone() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let before = town.pay(&[a], &[99_000]);
    let other = town.pay(&[b], &[99_000]);
    town.offer(&before).unwrap();
    town.offer(&other).unwrap();
    let parent = town.pay(&[a], &[100_000]);
    let child = town.pay(&[first(&parent), first(&other)], &[150_000]);
    assert_eq!(town.offer_pair(&parent, &child).unwrap_err(), Pair::Ancestors.into());
}

#[test]
fn a_child_that_pays_less_than_its_parent_helps_nobody() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    town.offer(&town.pay(&[coin], &[99_000])).unwrap();
    // The parent alone pays too little to replace; the child adds fees, but at a lower rate.
    let parent = town.pay(&[coin], &[98_995]);
    let child = town.pay_with(&[first(&parent)], &[98_000], padded(400));
    assert_eq!(town.offer_pair(&parent, &child).unwrap_err(), Pair::ParentPaysMore.into());
}

#[test]
fn a_pair_of_version_3_has_no_other_relatives() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let other = town.pay_with(&[b], &[99_000], version_3);
    town.offer(&other).unwrap();
    let parent = town.pay_with(&[a], &[100_000], version_3);
    let plain = town.pay(&[first(&parent)], &[99_000]);
    assert_eq!(town.offer_pair(&parent, &plain).unwrap_err(), Truc::Inheritance { parent: parent.txid() }.into());
    let two_parents = town.pay_with(&[first(&parent), first(&other)], &[150_000], version_3);
    assert_eq!(town.offer_pair(&parent, &two_parents).unwrap_err(), Truc::Ancestors.into());
    let low = town.pay_with(&[first(&other)], &[99_000], version_3);
    let third = town.pay_with(&[first(&low)], &[90_000], version_3);
    assert_eq!(town.offer_pair(&low, &third).unwrap_err(), Truc::Ancestors.into());
    let large = town.pay_with(&[first(&parent)], &[90_000], |tx| {
        version_3(tx);
        padded(1000)(tx);
    });
    assert!(matches!(town.offer_pair(&parent, &large).unwrap_err(), Refusal::Truc(Truc::Size { most: 1000, .. })));
    town.offer_pair(&parent, &town.pay_with(&[first(&parent)], &[90_000], version_3)).unwrap();
}

#[test]
fn dust_of_a_parent_goes_with_its_child() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[99_900, 100]);
    let refusal = town.offer_pair(&parent, &town.pay(&[first(&parent)], &[90_000])).unwrap_err();
    assert_eq!(refusal, Refusal::UnspentDust(parent.txid()));
    town.offer_pair(&parent, &town.pay(&[first(&parent), nth(&parent, 1)], &[90_000])).unwrap();
}

#[test]
fn a_pair_joins_clusters_within_their_limits() {
    for (relatives, allowed) in [(limits::CLUSTER_COUNT - 2, true), (limits::CLUSTER_COUNT - 1, false)] {
        let mut town = Town::new();
        let (a, b) = (town.coin(1_000_000), town.coin(100_000));
        let root = town.pay(&[a], &vec![9000; relatives]);
        town.offer(&root).unwrap();
        for vout in 1..u32::try_from(relatives).unwrap() {
            town.offer(&town.pay(&[nth(&root, vout)], &[8900])).unwrap();
        }
        let parent = town.pay(&[b], &[100_000]);
        let child = town.pay(&[first(&parent), first(&root)], &[100_000]);
        let offered = town.offer_pair(&parent, &child);
        assert_eq!(offered.is_ok(), allowed, "{offered:?}");
    }
}
