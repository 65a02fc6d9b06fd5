//! Blocks that come, and blocks that are taken back.

use std::sync::Arc;

use bitcoin::OutPoint;
use bitcoin::absolute::LockTime;

use super::town::{Town, is_unconfirmed, txids, waiting};
use super::{first, nth};
use crate::coin::Coin;
use crate::fixture;
use crate::mempool::{Reason, Refusal, Removed, Unfit, limits};
use crate::transaction::Transaction;

fn reasons(removed: &[Removed]) -> Vec<Reason> {
    removed.iter().map(|removed| removed.reason).collect()
}

fn spent(town: &Town, outpoints: &[OutPoint]) -> Vec<(OutPoint, Coin)> {
    outpoints.iter().map(|outpoint| (*outpoint, town.coins[outpoint].clone())).collect()
}

#[test]
fn what_a_block_has_leaves_and_its_children_stay() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let parent = town.pay(&[coin], &[50_000, 40_000]);
    let children = [0, 1].map(|vout| town.pay(&[nth(&parent, vout)], &[30_000]));
    for payment in [&parent].into_iter().chain(&children) {
        town.offer(payment).unwrap();
    }
    let removed = town.mine(std::slice::from_ref(&parent));
    assert_eq!((txids(&removed), reasons(&removed)), (vec![parent.txid()], vec![Reason::Confirmed]));
    assert!(children.iter().all(|child| town.pool.relatives(&child.txid()) == Some((1, 1))));
}

#[test]
fn a_payment_with_another_witness_leaves_too() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    town.offer(&town.pay(&[coin], &[50_000])).unwrap();
    let removed = town.mine(&[town.pay_with(&[coin], &[50_000], |tx| tx.input[0].witness.push([1]))]);
    assert_eq!(reasons(&removed), [Reason::Confirmed]);
}

#[test]
fn what_conflicts_with_a_block_leaves_with_descendants() {
    let mut town = Town::new();
    let (coin, other) = (town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[coin], &[99_000]);
    let child = town.pay(&[first(&parent)], &[98_000]);
    let bystander = town.pay(&[other], &[98_000]);
    for payment in [&parent, &child, &bystander] {
        town.offer(payment).unwrap();
    }
    town.pool.prioritise(parent.txid(), 5);
    let rival = town.pay(&[coin], &[50_000]);
    let removed = town.mine(std::slice::from_ref(&rival));
    assert_eq!(txids(&removed), [parent.txid(), child.txid()]);
    assert_eq!(reasons(&removed), [Reason::Conflict { with: rival.txid() }; 2]);
    assert_eq!(town.txids(), [bystander.txid()]);
    assert!(town.pool.priorities().is_empty());
}

#[test]
fn a_block_that_was_taken_back_gives_its_payments_back() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let before = spent(&town, &[coin]);
    let parent = town.pay(&[coin], &[90_000]);
    let child = town.pay(&[first(&parent)], &[80_000]);
    town.mine(std::slice::from_ref(&parent));
    town.offer(&child).unwrap();
    let late = town.pay(&[coin], &[90_000]);
    town.unmine(std::slice::from_ref(&parent), &before);
    let inserted = town.offer_returned(&parent).unwrap();
    assert_eq!((inserted.entry.sequence(), inserted.evicted.len()), (0, 0));
    assert!(town.reorganised(town.height).is_empty());
    assert_eq!(town.txids(), [parent.txid(), child.txid()]);
    assert_eq!(town.pool.relatives(&child.txid()), Some((2, 1)));
    assert_eq!(town.check(&late).unwrap_err(), Refusal::Present);
}

#[test]
fn what_comes_back_need_not_pay() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let before = spent(&town, &[coin]);
    let free = town.pay(&[coin], &[100_000]);
    town.mine(std::slice::from_ref(&free));
    town.unmine(std::slice::from_ref(&free), &before);
    assert!(matches!(town.check(&free), Err(Refusal::RelayFee { .. })));
    town.offer_returned(&free).unwrap();
    assert!(town.reorganised(town.height).is_empty());
    assert!(town.has(&free));
}

#[test]
fn what_depends_on_a_payment_that_does_not_come_back_leaves() {
    let mut town = Town::new();
    let (coin, other) = (town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[coin], &[90_000]);
    town.mine(std::slice::from_ref(&parent));
    let child = town.pay(&[first(&parent)], &[80_000]);
    let grandchild = town.pay(&[first(&child), other], &[70_000]);
    town.offer(&child).unwrap();
    town.offer(&grandchild).unwrap();
    // The other branch has spent the coin otherwise.
    town.unmine(std::slice::from_ref(&parent), &[]);
    assert!(matches!(
        town.pool.check_returned(&parent, &|_| None, &town.place(), town.now),
        Err(Refusal::MissingInputs(_))
    ));
    let removed = town.reorganised(town.height);
    assert_eq!(txids(&removed), [child.txid(), grandchild.txid()]);
    assert_eq!(reasons(&removed), [Unfit::CoinGone, Unfit::Ancestor].map(Reason::Reorganised));
}

#[test]
fn locks_hold_again_when_blocks_are_taken_back() {
    let mut town = Town::new();
    let coins = [(); 3].map(|()| town.coin(100_000));
    let height = town.height;
    town.mine(&[]);
    let until = |tx: &mut bitcoin::Transaction| {
        tx.lock_time = LockTime::from_consensus(height + 1);
        tx.input[0].sequence = bitcoin::Sequence::ZERO;
    };
    let absolute = town.pay_with(&[coins[0]], &[90_000], until);
    let age = u16::try_from(height + 2 - 500).unwrap();
    let relative = town.pay_with(&[coins[1]], &[90_000], waiting(age));
    let free = town.pay(&[coins[2]], &[90_000]);
    for payment in [&absolute, &relative, &free] {
        town.offer(payment).unwrap();
    }
    town.unmine(&[], &[]);
    let removed = town.reorganised(height);
    assert_eq!(txids(&removed), [absolute.txid(), relative.txid()]);
    assert_eq!(reasons(&removed), [Reason::Reorganised(Unfit::NotFinal); 2]);
    assert_eq!(town.txids(), [free.txid()]);
}

#[test]
fn a_coinbase_ripens_again() {
    let mut town = Town::new();
    let coin = town.coin_at(100_000, 902, true);
    town.mine(&[]);
    let payment = town.pay(&[coin], &[90_000]);
    town.offer(&payment).unwrap();
    town.unmine(&[], &[]);
    assert_eq!(reasons(&town.reorganised(1000)), [Reason::Reorganised(Unfit::Immature)]);
}

#[test]
fn a_coin_made_again_at_another_height_is_known_at_that_height() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let before = spent(&town, &[coin]);
    let parent = town.pay(&[coin], &[90_000]);
    town.mine(std::slice::from_ref(&parent));
    let child = town.pay(&[first(&parent)], &[80_000]);
    town.offer(&child).unwrap();
    let height = town.height;
    town.unmine(std::slice::from_ref(&parent), &before);
    town.mine(&[]);
    town.mine(std::slice::from_ref(&parent));
    assert!(town.reorganised(height - 1).is_empty());
    assert_eq!(town.pool.get(&child.wtxid()).unwrap().spent()[0].height, height + 1);
    // Once more, to a height at which the first block was already.
    town.unmine(std::slice::from_ref(&parent), &[]);
    assert_eq!(reasons(&town.reorganised(height)), [Reason::Reorganised(Unfit::CoinGone)]);
}

#[test]
fn a_parent_that_was_confirmed_and_came_back_has_its_child_again() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let before = spent(&town, &[coin]);
    let parent = town.pay(&[coin], &[90_000]);
    let child = town.pay(&[first(&parent)], &[80_000]);
    town.offer(&parent).unwrap();
    town.offer(&child).unwrap();
    town.mine(std::slice::from_ref(&parent));
    assert!(is_unconfirmed(&town.pool.get(&child.wtxid()).unwrap().spent()[0]));
    assert_eq!(town.pool.doubtful(town.height - 1).copied().collect::<Vec<_>>(), [first(&parent)]);
    town.unmine(std::slice::from_ref(&parent), &before);
    town.offer_returned(&parent).unwrap();
    assert!(town.reorganised(town.height).is_empty());
    assert_eq!(town.pool.relatives(&parent.txid()), Some((1, 2)));
}

/// A payment of a block with as many children in the pool, each with a child of its own, which pays more and more.
fn with_families(town: &mut Town, families: u32) -> Arc<Transaction> {
    let coin = town.coin(10_000_000);
    let before = spent(town, &[coin]);
    let root = town.pay(&[coin], &vec![10_000; usize::try_from(families).unwrap()]);
    town.mine(std::slice::from_ref(&root));
    for vout in 0..families {
        let child = town.pay(&[nth(&root, vout)], &[9000 - u64::from(vout)]);
        town.offer(&child).unwrap();
        town.offer(&town.pay(&[first(&child)], &[8000 - u64::from(vout)])).unwrap();
    }
    town.unmine(std::slice::from_ref(&root), &before);
    root
}

#[test]
fn a_payment_that_comes_back_takes_as_many_families_as_a_cluster_holds() {
    let mut town = Town::new();
    let root = with_families(&mut town, 31);
    assert!(town.offer_returned(&root).unwrap().evicted.is_empty());
    assert!(town.reorganised(town.height).is_empty());
    assert_eq!(town.pool.relatives(&root.txid()), Some((1, 63)));
}

#[test]
fn families_that_pay_least_leave_a_cluster_that_grew_too_large() {
    let mut town = Town::new();
    let root = with_families(&mut town, 33);
    let inserted = town.offer_returned(&root).unwrap();
    assert_eq!(reasons(&inserted.evicted), [Reason::ClusterLimit; 4]);
    let least: Vec<_> = inserted.evicted.iter().map(|removed| removed.entry.fee().to_sat()).collect();
    assert_eq!(least, [1000, 1000, 1001, 1000]);
    assert!(town.reorganised(town.height).is_empty());
    assert_eq!(town.pool.len(), limits::CLUSTER_COUNT - 1);
}

#[test]
fn a_pool_that_blocks_made_too_large_is_cut_at_the_end() {
    let mut town = Town::with(super::limits::small(4));
    let coins = [(); 6].map(|()| town.coin(100_000));
    let payments: Vec<_> =
        coins.iter().zip(1..).map(|(coin, rank)| town.pay(&[*coin], &[100_000 - 1000 * rank])).collect();
    let before = spent(&town, &coins);
    town.mine(&payments);
    town.unmine(&payments, &before);
    for payment in &payments {
        town.offer_returned(payment).unwrap();
    }
    assert_eq!(town.pool.len(), 6);
    let removed = town.reorganised(town.height);
    assert_eq!(txids(&removed), [payments[0].txid(), payments[1].txid()]);
    assert_eq!(reasons(&removed), [Reason::Evicted; 2]);
}

#[test]
fn a_block_of_strangers_changes_nothing() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let payment = town.pay(&[coin], &[90_000]);
    town.offer(&payment).unwrap();
    let stranger = town.pay(&[fixture::outpoint(77_777)], &[1]);
    assert!(town.mine(&[stranger]).is_empty());
    assert!(town.has(&payment));
}

#[test]
fn a_relative_lock_begins_anew_when_its_coin_leaves_the_chain() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let of_chain = town.coins[&coin].clone();
    let parent = town.pay(&[coin], &[90_000]);
    town.mine(std::slice::from_ref(&parent));
    town.mine(&[]);
    let child = town.pay_with(&[first(&parent)], &[80_000], waiting(2));
    town.offer(&child).unwrap();
    // Both blocks are taken back for three others without the parent, which waits again.
    town.unmine(&[], &[]);
    town.unmine(std::slice::from_ref(&parent), &[(coin, of_chain)]);
    let fork = town.height;
    for _ in 0..3 {
        town.mine(&[]);
    }
    town.offer_returned(&parent).unwrap();
    let removed = town.reorganised(fork);
    assert_eq!(removed.len(), 1);
    assert_eq!((removed[0].entry.txid(), removed[0].reason), (child.txid(), Reason::Reorganised(Unfit::NotFinal)));
    assert!(town.has(&parent));
}
