#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, TxIn, TxMerkleNode, TxOut};
use proptest::prelude::*;

use super::*;
use crate::coin::Coin;

fn rate(satoshi: u64) -> FeeRate {
    FeeRate::from_sat_per_kvb(satoshi)
}

fn full(satoshi: u64) -> Price {
    Price::Full(rate(satoshi))
}

/// A block of transactions, each with what it spends (`None`: a coin from before), what it pays, and bytes of its output.
/// Parents are named by their places.
fn block(parts: &[(Option<usize>, u64, usize)]) -> (Block, Undo) {
    let transaction = |input: OutPoint, value: u64, bytes: usize| bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output: input, ..TxIn::default() }],
        output: vec![TxOut { value: Amount::from_sat(value), script_pubkey: ScriptBuf::from_bytes(vec![0x51; bytes]) }],
    };
    let mut all = vec![transaction(OutPoint::null(), 0, 10)];
    let mut undo = Undo::default();
    let mut left = Vec::new();
    for (salt, (parent, fee, bytes)) in (1_u8..).zip(parts) {
        let (outpoint, has) = match parent {
            Some(parent) => (OutPoint::new(all[parent + 1].compute_txid(), 0), left[*parent]),
            None => (OutPoint::new(Txid::from_byte_array([salt; 32]), 0), 1_000_000_000),
        };
        undo.transactions.push(Arc::new([Coin::new(Amount::from_sat(has), &ScriptBuf::new(), 1, false)]));
        left.push(has - fee);
        all.push(transaction(outpoint, has - fee, *bytes));
    }
    let header = Header {
        version: Version::TWO,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    (Block::parse(serialize(&bitcoin::Block { header, txdata: all })).unwrap(), undo)
}

/// Bytes of which ten fill a block.
const PART: usize = 99_000;

#[test]
fn a_block_with_room_had_no_price_and_one_without_payments_tells_nothing() {
    let (with_room, undo) = block(&[(None, 1, 100)]);
    assert_eq!(Price::of(&with_room, &undo), Price::Room);
    assert_eq!(Price::of(&with_room, &Undo::default()), Price::Unknown, "the coins are not its");
    let (empty, undo) = block(&[]);
    assert_eq!(Price::of(&empty, &undo), Price::Unknown);
}

#[test]
fn the_price_of_a_full_block_is_what_all_but_a_tenth_paid() {
    // One in twenty pays nothing: a miner's own.
    let mut parts = vec![(None, 0, PART / 2), (None, 9_000_000, PART / 2)];
    parts.extend([(None, 5_000_000, PART); 4]);
    parts.extend([(None, 1_000_000, PART); 5]);
    let (block, undo) = block(&parts);
    assert!(block.weight() >= FULL, "{}", block.weight());
    let Price::Full(price) = Price::of(&block, &undo) else { panic!("it is full") };
    // 1,000,000 satoshi for some 99,060 virtual bytes.
    assert!((rate(10_000)..rate(10_100)).contains(&price), "{price}");
}

#[test]
fn a_child_pays_for_its_parent() {
    let mut parts = vec![(None, 0, PART), (Some(0), 4_000_000, PART)];
    parts.extend([(None, 9_000_000, PART); 8]);
    let (family, undo) = block(&parts);
    let Price::Full(price) = Price::of(&family, &undo) else { panic!("it is full") };
    assert!((rate(20_000)..rate(20_300)).contains(&price), "half of what the child pays: {price}");
    // Through a younger one that spends from both, two families are one.
    let mut families = Families::default();
    let ids: Vec<Txid> = (0..4).map(|salt| Txid::from_byte_array([salt; 32])).collect();
    let paid = |fee| Paid { fee, weight: 400 };
    families.add(ids[0], paid(100), std::iter::empty());
    families.add(ids[1], paid(200), std::iter::empty());
    families.add(ids[2], paid(300), [ids[1], ids[0], ids[0]].into_iter());
    families.add(ids[3], paid(400), [ids[1]].into_iter());
    let all: Vec<Paid> = families.all.iter().filter_map(|family| family.ok()).collect();
    assert_eq!(all, [Paid { fee: 1_000, weight: 1_600 }]);
}

#[test]
fn the_estimate_is_what_was_enough_four_times_in_five() {
    // Nine cheap blocks and three dear ones, in turn.
    let prices: Vec<Price> = (0..12).map(|at| if at % 4 == 3 { full(50_000) } else { full(2_000) }).collect();
    assert_eq!(estimate(&prices, 1), Some(rate(50_000)), "one in four is more than one in five");
    assert_eq!(estimate(&prices, 2), Some(rate(2_000)), "of two in a row one is cheap");
    let calm: Vec<Price> = (0..12).map(|at| if at == 5 { full(50_000) } else { full(2_000) }).collect();
    assert_eq!(estimate(&calm, 1), Some(rate(2_000)));
    assert_eq!(estimate(&[Price::Room; 12], 1), Some(FeeRate::ZERO));
}

#[test]
fn too_little_tells_nothing() {
    assert_eq!(estimate(&[full(1); LEAST - 1], 1), None);
    assert_eq!(estimate(&[full(1); LEAST], 1), Some(rate(1)));
    assert_eq!(estimate(&[Price::Unknown; MOST], 1008), None);
    // Every other block tells nothing: of one block not enough is known, of two in a row there is.
    let prices: Vec<Price> = (0..48).map(|at| if at % 2 == 0 { Price::Unknown } else { full(3_000) }).collect();
    assert_eq!((estimate(&prices, 1), estimate(&prices, 2)), (Some(rate(3_000)), Some(rate(3_000))));
}

#[test]
fn short_targets_look_at_the_last_blocks_and_long_ones_at_a_day() {
    // A dear day, and two cheap hours.
    let mut prices = vec![full(90_000); MOST];
    prices.extend([full(1_000); LEAST]);
    assert_eq!(estimate(&prices, 1), Some(rate(1_000)));
    assert_eq!(estimate(&prices, 24), Some(rate(1_000)), "a longer target never costs more");
    // A cheap day, and two dear hours.
    let mut prices = vec![full(1_000); MOST];
    prices.extend([full(90_000); LEAST]);
    assert_eq!((estimate(&prices, 1), estimate(&prices, 24)), (Some(rate(90_000)), Some(rate(1_000))));
    // What is older than a day is forgotten.
    let mut prices = vec![full(1_000); MOST];
    prices.extend([full(90_000); MOST]);
    assert_eq!(estimate(&prices, 1008), Some(rate(90_000)));
}

fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![1 => Just(Price::Unknown), 1 => Just(Price::Room), 4 => (0_u64..100_000).prop_map(full)]
}

proptest! {
    #[test]
    fn the_estimate_never_rises_with_the_target(prices in prop::collection::vec(any_price(), 0..200)) {
        let mut before: Option<FeeRate> = None;
        for target in [1, 2, 3, 5, 8, 12, 13, 24, 25, 60, 100, 143, 144, 145, 1008, u32::MAX] {
            let now = estimate(&prices, target);
            prop_assert!(target == 1 || now.is_some() == before.is_some());
            prop_assert!(before.is_none() || now <= before, "{now:?} for {target}, {before:?} before");
            before = now;
        }
    }

    #[test]
    fn the_estimate_is_a_price_that_was_paid(prices in prop::collection::vec(any_price(), 12..200), target in 1_u32..200) {
        if let Some(rate) = estimate(&prices, target) {
            prop_assert!(rate == FeeRate::ZERO || prices.contains(&Price::Full(rate)));
        }
    }
}
