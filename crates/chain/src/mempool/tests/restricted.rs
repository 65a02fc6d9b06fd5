//! Transactions of version 3 (BIP-0431).

use super::town::{Town, padded, txids, version_3};
use super::{first, nth};
use crate::mempool::truc::{MAX_CHILD_VSIZE, MAX_VSIZE};
use crate::mempool::{Refusal, Truc};

fn padded_to(vsize: u64) -> impl FnOnce(&mut bitcoin::Transaction) {
    // 60 bytes besides the script, 2 more for its length.
    let script = usize::try_from(vsize).unwrap() - 60 - 2;
    move |tx| {
        version_3(tx);
        padded(script)(tx);
    }
}

#[test]
fn versions_do_not_mix() {
    let mut town = Town::new();
    let (old, new) = (town.coin(100_000), town.coin(100_000));
    let (old, new) = (town.pay(&[old], &[99_000]), town.pay_with(&[new], &[99_000], version_3));
    town.offer(&old).unwrap();
    town.offer(&new).unwrap();
    let refusal = town.check(&town.pay(&[first(&new)], &[98_000])).unwrap_err();
    assert_eq!((refusal.reason(), refusal), ("TRUC-violation", Truc::Inheritance { parent: new.txid() }.into()));
    let refusal = town.check(&town.pay_with(&[first(&old)], &[98_000], version_3)).unwrap_err();
    assert_eq!(refusal, Truc::Inheritance { parent: old.txid() }.into());
    town.mine(std::slice::from_ref(&old));
    town.check(&town.pay_with(&[first(&old)], &[98_000], version_3)).unwrap();
}

#[test]
fn sizes_are_limited() {
    let mut town = Town::new();
    let coin = town.coin(1_000_000);
    let largest = town.pay_with(&[coin], &[900_000], padded_to(MAX_VSIZE));
    assert_eq!(town.check(&largest).unwrap().vsize(), MAX_VSIZE);
    let refusal = town.check(&town.pay_with(&[coin], &[900_000], padded_to(MAX_VSIZE + 1))).unwrap_err();
    assert_eq!(refusal, Truc::Size { vsize: MAX_VSIZE + 1, most: MAX_VSIZE }.into());
    let parent = town.pay_with(&[coin], &[990_000], version_3);
    town.offer(&parent).unwrap();
    let child = town.pay_with(&[first(&parent)], &[900_000], padded_to(MAX_CHILD_VSIZE));
    assert_eq!(town.check(&child).unwrap().vsize(), MAX_CHILD_VSIZE);
    let refusal = town.check(&town.pay_with(&[first(&parent)], &[900_000], padded_to(MAX_CHILD_VSIZE + 1)));
    assert_eq!(refusal.unwrap_err(), Truc::Size { vsize: MAX_CHILD_VSIZE + 1, most: MAX_CHILD_VSIZE }.into());
}

#[test]
fn a_grandchild_is_one_too_many() {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let (a, b) = (town.pay_with(&[a], &[99_000], version_3), town.pay_with(&[b], &[99_000], version_3));
    town.offer(&a).unwrap();
    town.offer(&b).unwrap();
    let of_both = town.check(&town.pay_with(&[first(&a), first(&b)], &[98_000], version_3)).unwrap_err();
    assert_eq!(of_both, Truc::Ancestors.into());
    let child = town.pay_with(&[first(&a)], &[98_000], version_3);
    town.offer(&child).unwrap();
    let grandchild = town.check(&town.pay_with(&[first(&child)], &[97_000], version_3)).unwrap_err();
    assert_eq!(grandchild, Truc::Ancestors.into());
}

#[test]
fn a_second_child_takes_the_place_of_the_first_if_it_pays() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay_with(&[coin], &[50_000, 40_000], version_3);
    let elder = town.pay_with(&[first(&parent)], &[49_000], version_3);
    town.offer(&parent).unwrap();
    town.offer(&elder).unwrap();
    let refusal = town.check(&town.pay_with(&[nth(&parent, 1)], &[38_999], version_3)).unwrap_err();
    assert_eq!(refusal, Refusal::ReplacementFee { fee: 1001, least: 1007, sibling: true });
    assert_eq!(refusal.reason(), "insufficient fee (including sibling eviction)");
    let younger = town.pay_with(&[nth(&parent, 1)], &[38_000], version_3);
    let inserted = town.offer(&younger).unwrap();
    assert_eq!(txids(&inserted.replaced), [elder.txid()]);
    // A replacement by a conflict is one too, and leaves one child.
    let richer = town.pay_with(&[nth(&parent, 1)], &[30_000], version_3);
    assert_eq!(txids(&town.offer(&richer).unwrap().replaced), [younger.txid()]);
}

#[test]
fn returned_blocks_may_bring_more_children_than_there_may_be() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay_with(&[coin], &[30_000, 30_000, 30_000], version_3);
    let children = [0, 1].map(|vout| town.pay_with(&[nth(&parent, vout)], &[29_000], version_3));
    for payment in [&parent].into_iter().chain(&children) {
        town.offer_returned(payment).unwrap();
    }
    assert!(town.reorganised(1000).is_empty());
    let refusal = town.check(&town.pay_with(&[nth(&parent, 2)], &[1000], version_3)).unwrap_err();
    assert_eq!(refusal, Truc::Descendants { parent: parent.txid() }.into());
}
