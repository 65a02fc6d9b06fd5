//! Random chains: connecting is exact, disconnecting its inverse; undo data that doesn't fit is refused.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{OutPoint, ScriptBuf};

use crate::block::{Block, check};
use crate::coin::Coin;
use crate::connect::{Mismatch, connect, disconnect, is_unspendable};
use crate::fixture::{Random, Set, block, coinbase, context, deployments, outpoint, spend};
use crate::undo::Undo;

/// A valid block at `height` that spends random coins of `set` and of itself.
fn random_block(random: &mut Random, height: u32, set: &BTreeMap<OutPoint, Coin>) -> Block {
    let mature = set.iter().filter(|(_, coin)| !coin.coinbase || coin.height + 100 <= height);
    let mut spendable: Vec<(OutPoint, u64)> = mature.map(|(outpoint, coin)| (*outpoint, coin.value.to_sat())).collect();
    let subsidy = 5_000_000_000;
    let mut transactions = vec![coinbase(height, &[subsidy / 2, subsidy / 2])];
    for _ in 0..random.below(8) {
        let mut inputs = Vec::new();
        for _ in 0..=random.below(4) {
            if !spendable.is_empty() {
                inputs.push(spendable.swap_remove(random.below(spendable.len())));
            }
        }
        let Some(worth) = inputs.iter().map(|(_, value)| *value).reduce(|a, b| a + b) else { break };
        let count = 1 + random.below(4);
        let outpoints: Vec<_> = inputs.iter().map(|(outpoint, _)| *outpoint).collect();
        let mut transaction = spend(&outpoints, &vec![worth / u64::try_from(count).unwrap(); count]);
        if random.below(4) == 0 {
            transaction.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x6a, 1, 1]);
        }
        let txid = transaction.compute_txid();
        for (vout, output) in (0..).zip(&transaction.output) {
            if !is_unspendable(&output.script_pubkey) {
                spendable.push((OutPoint { txid, vout }, output.value.to_sat()));
            }
        }
        transactions.push(transaction);
    }
    block(&transactions)
}

/// The set after `block`, by applying one transaction after another.
fn naively(block: &Block, height: u32, mut coins: BTreeMap<OutPoint, Coin>) -> BTreeMap<OutPoint, Coin> {
    for transaction in block.transactions() {
        for input in transaction.decoded().input.iter().filter(|_| !transaction.is_coinbase()) {
            assert!(coins.remove(&input.previous_output).is_some());
        }
        for (vout, output) in (0..).zip(&transaction.decoded().output) {
            if !is_unspendable(&output.script_pubkey) {
                let coin = Coin::new(output.value, &output.script_pubkey, height, transaction.is_coinbase());
                coins.insert(OutPoint { txid: transaction.txid(), vout }, coin);
            }
        }
    }
    coins
}

#[test]
fn disconnecting_is_the_inverse_of_connecting() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let deployments = deployments();
        let mut set = Set::default();
        let mut blocks = Vec::new();
        for height in 1..=130 {
            let before = set.coins.clone();
            let block = random_block(&mut random, height, &before);
            check(&block).unwrap();
            let effect = connect(&block, &context(height, &deployments), &mut set).unwrap();
            set.apply(&effect.changes);
            assert_eq!(set.coins, naively(&block, height, before.clone()), "seed {seed}, height {height}");
            blocks.push((height, block, effect.undo, before));
        }
        assert!(blocks.iter().any(|(_, block, ..)| block.transactions().len() > 4), "seed {seed}: nothing is spent");
        for (height, block, undo, before) in blocks.into_iter().rev() {
            set.apply(&disconnect(&block, &undo, height, seed).unwrap());
            assert_eq!(set.coins, before, "seed {seed}, height {height}");
        }
    }
}

/// A block at height 5 whose third transaction spends the second, with its undo data.
fn parent_and_child() -> (Block, Undo) {
    let coin = Coin::new(bitcoin::Amount::from_sat(10), &crate::fixture::output(0).script_pubkey, 1, false);
    let parent = spend(&[outpoint(0)], &[9]);
    let child = spend(&[OutPoint { txid: parent.compute_txid(), vout: 0 }], &[8]);
    let block = block(&[coinbase(5, &[0]), parent, child]);
    let deployments = deployments();
    let mut set = Set::with([(outpoint(0), coin)]);
    let effect = connect(&block, &context(5, &deployments), &mut set).unwrap();
    (block, effect.undo)
}

#[test]
fn undo_data_of_another_block_is_refused() {
    let (block, undo) = parent_and_child();
    assert!(disconnect(&block, &undo, 5, 0).is_ok());
    let of = |transactions: &[Arc<[Coin]>]| disconnect(&block, &Undo { transactions: transactions.to_vec() }, 5, 0);
    let [first, second] = undo.transactions.as_slice() else { panic!("two transactions spend") };

    assert_eq!(of(&[]), Err(Mismatch::Transactions { block: 2, undo: 0 }));
    assert_eq!(of(std::slice::from_ref(first)), Err(Mismatch::Transactions { block: 2, undo: 1 }));
    assert_eq!(of(&[first.clone(), [].into()]), Err(Mismatch::Inputs { index: 2, inputs: 1, coins: 0 }));
    let two: Arc<[Coin]> = [first[0].clone(), first[0].clone()].into();
    assert_eq!(of(&[two, second.clone()]), Err(Mismatch::Inputs { index: 1, inputs: 1, coins: 2 }));
}

#[test]
fn undo_data_with_coins_that_can_not_be_is_refused() {
    let (block, undo) = parent_and_child();
    let with = |index: usize, change: &dyn Fn(&mut Coin)| {
        let mut coins = undo.transactions.clone();
        let mut coin = coins[index][0].clone();
        change(&mut coin);
        coins[index] = [coin].into();
        disconnect(&block, &Undo { transactions: coins }, 5, 0)
    };
    assert_eq!(with(0, &|coin| coin.height = 5), Err(Mismatch::Coin { outpoint: outpoint(0) }), "not older");
    assert!(with(0, &|coin| coin.height = 4).is_ok());
    let made_here = OutPoint { txid: block.transactions()[1].txid(), vout: 0 };
    let changes: [&dyn Fn(&mut Coin); 4] =
        [&|coin| coin.height = 4, &|coin| coin.coinbase = true, &|coin| coin.value = bitcoin::Amount::ZERO, &|coin| {
            *coin = Coin::new(coin.value, &ScriptBuf::new(), coin.height, coin.coinbase);
        }];
    for change in changes {
        assert_eq!(with(1, change), Err(Mismatch::Coin { outpoint: made_here }));
    }
    assert!(disconnect(&block, &undo, 6, 0).is_err(), "at another height the block made other coins");
}

#[test]
fn disconnecting_a_block_that_was_never_valid_does_no_harm() {
    let (_, undo) = parent_and_child();
    let parent = spend(&[outpoint(0)], &[9]);
    let twice = OutPoint { txid: parent.compute_txid(), vout: 0 };
    let child = spend(&[twice, twice], &[8]);
    let spent = undo.transactions[1][0].clone();
    let undo = Undo { transactions: vec![undo.transactions[0].clone(), [spent.clone(), spent].into()] };
    let block = block(&[coinbase(5, &[0]), parent, child]);
    assert_eq!(disconnect(&block, &undo, 5, 0), Err(Mismatch::Coin { outpoint: twice }));
    let empty = crate::fixture::block(&[]);
    assert_eq!(disconnect(&empty, &Undo::default(), 5, 0), Ok(crate::connect::Changes::default()));
}
