//! BIP-0030: transactions that repeat earlier ones.

use bitcoin::{Amount, OutPoint};

use crate::block::Error;
use crate::coin::Coin;
use crate::connect::{Failure, connect, disconnect};
use crate::fixture::{
    EveryTenMinutes, Set, before_soft_forks, block, coinbase, context, deployments, outpoint, output, spend,
};
use crate::spec::Deployments;
use crate::transaction::lock::Ancestors;

/// The verdict on a block at `height` whose coinbase is in the set, made at height 7; and how often the set was asked.
fn repeating(height: u32, deployments: &Deployments) -> (Result<(), Error>, usize) {
    let first = coinbase(7, &[1, 2]);
    let second_output = OutPoint { txid: first.compute_txid(), vout: 1 };
    let coin = Coin::new(Amount::from_sat(2), &output(0).script_pubkey, 7, true);
    let mut set = Set::with([(second_output, coin)]);
    let verdict = connect(&block(&[first]), &context(height, deployments), &mut set);
    (verdict.map(|_| ()).map_err(|Failure::Rule(error)| error), set.asked.len())
}

#[test]
fn repeating_what_is_not_wholly_spent_is_refused() {
    let (verdict, asked) = repeating(300, &before_soft_forks());
    let error = verdict.unwrap_err();
    let outpoint = OutPoint { txid: coinbase(7, &[1, 2]).compute_txid(), vout: 1 };
    assert_eq!((error, asked), (Error::Overwrites { index: 0, outpoint }, 2));
    assert_eq!(error.reason(), "bad-txns-BIP30");
}

#[test]
fn repeating_what_is_wholly_spent_is_allowed() {
    let deployments = before_soft_forks();
    let mut set = Set::default();
    assert!(connect(&block(&[coinbase(7, &[1, 2])]), &context(300, &deployments), &mut set).is_ok());
}

#[test]
fn it_is_reported_before_all_else() {
    let first = coinbase(7, &[1]);
    let made = OutPoint { txid: first.compute_txid(), vout: 0 };
    let coin = Coin::new(Amount::ONE_SAT, &output(0).script_pubkey, 7, true);
    let block = block(&[first, spend(&[outpoint(9)], &[0])]);
    let failure = connect(&block, &context(300, &before_soft_forks()), &mut Set::with([(made, coin)])).unwrap_err();
    assert!(matches!(failure, Failure::Rule(Error::Overwrites { .. })));
}

#[test]
fn nobody_is_asked_where_heights_have_always_kept_coinbases_apart() {
    assert_eq!(repeating(300, &Deployments { bip34: 1, ..before_soft_forks() }), (Ok(()), 0));
    assert_eq!(repeating(300, &deployments()), (Ok(()), 0));
    assert!(repeating(300, &Deployments { bip34: 2, ..before_soft_forks() }).0.is_err(), "block 1 may hold any height");
}

#[test]
fn nobody_is_asked_on_the_branch_that_is_known() {
    let on = |bip34_hash| Deployments { bip34: 200, bip34_hash, ..before_soft_forks() };
    let known = on(EveryTenMinutes.hash(200));
    assert!(repeating(199, &known).0.is_err());
    assert!(repeating(200, &known).0.is_err(), "its ancestors don't reach that block");
    assert_eq!(repeating(201, &known), (Ok(()), 0));
    assert!(repeating(201, &on(EveryTenMinutes.hash(7))).0.is_err(), "another branch");
    assert!(repeating(201, &on(None)).0.is_err(), "no branch is known");
    assert_eq!(repeating(1_983_701, &known), (Ok(()), 0));
    assert!(repeating(1_983_702, &known).0.is_err(), "old coinbases hold heights from here on");
}

#[test]
fn the_two_repeats_in_bitcoin_overwrite_and_are_lost_when_taken_back() {
    // Height and hash name the exception, as for blocks 91,842 and 91,880.
    let first = block(&[coinbase(7, &[1])]);
    let repeats = vec![(300, first.hash())];
    let deployments = Deployments { bip30_repeats: repeats, ..before_soft_forks() };
    let mut set = Set::default();
    let before = connect(&first, &context(299, &deployments), &mut set).unwrap();
    set.apply(&before.changes);
    let made = before.changes.created[0].0;

    let wrong = connect(&first, &context(301, &deployments), &mut set).unwrap_err();
    assert!(matches!(wrong, Failure::Rule(Error::Overwrites { .. })), "at another height it is none");
    let repeat = connect(&first, &context(300, &deployments), &mut set).unwrap();
    let [(outpoint, coin)] = repeat.changes.created.as_slice() else { panic!("one output") };
    assert_eq!((*outpoint, coin.height), (made, 300));
    set.coins.insert(*outpoint, coin.clone());

    let back = disconnect(&first, &repeat.undo, 300, 42).unwrap();
    set.apply(&back);
    assert!(set.coins.is_empty(), "the coin of height 299 does not come back");
    let back = disconnect(&first, &before.undo, 299, 42).unwrap();
    assert_eq!(back.removed, [made], "though the set does not have it");
}
