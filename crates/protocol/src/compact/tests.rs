#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]

use bitcoin::bip152;
use proptest::prelude::*;

use super::*;
use crate::fixture::{Chain, transaction};

/// A chain of one block with `count` transactions besides the coinbase, and those.
fn block_of(count: u64) -> (Chain, Arc<Block>, Vec<Arc<yap_chain::transaction::Transaction>>) {
    let chain = Chain::new();
    let transactions: Vec<_> = (0..count).map(|salt| transaction(salt, 200)).collect();
    let block = chain.mine(chain.tip, 0, &transactions);
    (chain, block, transactions)
}

fn pend(chain: &mut Chain, count: u64) {
    for salt in 0..count {
        chain.pend(salt, 200, 1000);
    }
}

fn none() -> BTreeSet<u16> {
    BTreeSet::new()
}

proptest! {
    #[test]
    fn compact_form_equals_that_of_the_bitcoin_crate(nonce: u64, count in 0_u64..20, likely in 0_u16..21) {
        let (_, block, _) = block_of(count);
        let decoded: bitcoin::Block = consensus::deserialize(block.bytes()).unwrap();
        let prefill = (1..=u16::try_from(count).unwrap()).filter(|index| *index == likely);
        let likely: BTreeSet<u16> = prefill.clone().collect();
        let places: Vec<_> = prefill.map(usize::from).collect();
        let theirs = bip152::HeaderAndShortIds::from_block(&decoded, nonce, 2, &places).unwrap();
        let ours = make(&block, nonce, &likely);
        prop_assert_eq!(ours.header, theirs.header);
        let ids: Vec<[u8; 6]> = theirs.short_ids.iter().map(|id| *id.as_ref()).collect();
        prop_assert_eq!(ours.short_ids.iter().map(|id| id.0).collect::<Vec<_>>(), ids);
        // Theirs are the differences that the wire has.
        let mut next = 0;
        for (ours, theirs) in ours.prefilled.iter().zip(&theirs.prefilled_txs) {
            prop_assert_eq!(ours.index, next + theirs.idx);
            prop_assert_eq!(ours.transaction.decoded(), &theirs.tx);
            next = ours.index + 1;
        }
        prop_assert_eq!(ours.prefilled.len(), theirs.prefilled_txs.len());
    }

    #[test]
    fn whatever_is_missing_is_named_and_completes_the_block(known: Vec<bool>, prefilled: Vec<bool>, nonce: u64) {
        let count = known.len().min(50);
        let (mut chain, block, transactions) = block_of(count as u64);
        let mut missing = Vec::new();
        let mut unpooled = BTreeSet::new();
        let mut likely = BTreeSet::new();
        for (index, (transaction, known)) in (1..).zip(transactions.iter().zip(&known)) {
            let sent_along = prefilled.get(usize::from(index)).copied().unwrap_or(false);
            if sent_along {
                likely.insert(index);
            }
            if *known {
                let pooled = crate::ledger::Pooled {
                    transaction: Arc::clone(transaction),
                    fee: bitcoin::Amount::ZERO,
                    vsize: 200,
                    sequence: 0,
                };
                chain.pool.push(pooled);
            } else if !sent_along {
                missing.push(index);
            }
            if !*known || sent_along {
                unpooled.insert(index);
            }
        }
        let message = make(&block, nonce, &likely);
        let partial = Partial::new(&message, &chain, &Extras::default(), 1).unwrap();
        prop_assert_eq!(partial.missing(), missing.clone());
        let sent: Vec<_> = missing.iter().map(|index| Arc::clone(&transactions[usize::from(*index) - 1])).collect();
        let whole = partial.complete(&sent, true).unwrap();
        prop_assert_eq!((whole.block.hash(), whole.block.bytes()), (block.hash(), block.bytes()));
        prop_assert_eq!(whole.unpooled, unpooled);
    }
}

#[test]
fn two_transactions_with_one_short_id_are_both_asked_for() {
    // Found by trying 28 million. Both have the short id under the key of regtest's genesis header and nonce 0.
    let (one, other) = (transaction(417_869, 100), transaction(13_252_775, 100));
    let mut chain = Chain::new();
    let header = chain.tree.header(chain.tree.genesis());
    let key = Key::new(&header, 0);
    assert_ne!(one.wtxid(), other.wtxid());
    assert_eq!(key.short_id(&one.wtxid()), key.short_id(&other.wtxid()));
    // A third one keeps the search from ending before it comes to the second.
    let third = key.short_id(&transaction(7, 100).wtxid());
    let message =
        CompactBlock { header, nonce: 0, short_ids: vec![key.short_id(&one.wtxid()), third], prefilled: Vec::new() };
    chain.pend(417_869, 100, 1000);
    let partial = Partial::new(&message, &chain, &Extras::default(), 1).unwrap();
    assert_eq!(partial.missing(), [1]);
    let mut extras = Extras::default();
    extras.push(Arc::clone(&one));
    let partial = Partial::new(&message, &chain, &extras, 1).unwrap();
    assert_eq!(partial.missing(), [1], "the same transaction again is no collision");
    extras.push(other);
    let partial = Partial::new(&message, &chain, &extras, 1).unwrap();
    assert_eq!(partial.missing(), [0, 1]);
}

#[test]
fn short_id_twice_is_a_collision_and_no_fault() {
    let (chain, block, _) = block_of(2);
    let mut message = make(&block, 0, &none());
    message.short_ids[1] = message.short_ids[0];
    assert_eq!(Partial::new(&message, &chain, &Extras::default(), 1).unwrap_err(), Error::Collision);
}

#[test]
fn another_transaction_with_the_right_short_id_does_not_pass() {
    let (mut chain, block, _) = block_of(2);
    let stranger = chain.pend(99, 200, 1000);
    chain.pend(0, 200, 1000);
    let mut message = make(&block, 0, &none());
    message.short_ids[1] = Key::new(block.header(), 0).short_id(&stranger.wtxid());
    let partial = Partial::new(&message, &chain, &Extras::default(), 1).unwrap();
    assert!(partial.missing().is_empty());
    assert_eq!(partial.complete(&[], true).unwrap_err(), Error::Mismatch);
}

#[test]
fn places_grow_and_fit() {
    let (chain, block, transactions) = block_of(3);
    let malformed =
        |message: &CompactBlock| matches!(Partial::new(message, &chain, &Extras::default(), 1), Err(Error::Malformed));
    let good = make(&block, 0, &none());
    assert!(!malformed(&good));
    let place = |index| Prefilled { index, transaction: Arc::clone(&transactions[0]) };
    let with = |places: &[u16]| CompactBlock { prefilled: places.iter().map(|i| place(*i)).collect(), ..good.clone() };
    assert!(!malformed(&with(&[0, 4])), "three short ids and two more are five");
    assert!(malformed(&with(&[0, 5])));
    assert!(malformed(&with(&[1, 1])));
    assert!(malformed(&with(&[2, 1])));
    assert!(malformed(&CompactBlock { short_ids: Vec::new(), prefilled: Vec::new(), ..good }));
}

#[test]
fn transactions_are_as_many_as_a_block_can_have() {
    let (chain, block, _) = block_of(0);
    let id = |number: usize| {
        let [a, b, c, ..] = number.to_le_bytes();
        ShortId([a, b, c, 1, 1, 1])
    };
    let mut message = make(&block, 0, &none());
    message.short_ids = (0..MAX_TRANSACTIONS - 1).map(id).collect();
    assert!(Partial::new(&message, &chain, &Extras::default(), 1).is_ok());
    message.short_ids.push(id(MAX_TRANSACTIONS));
    assert_eq!(Partial::new(&message, &chain, &Extras::default(), 1).unwrap_err(), Error::Malformed);
}

#[test]
fn another_number_of_transactions_than_asked_for_is_noticed() {
    let (chain, block, transactions) = block_of(2);
    let partial = Partial::new(&make(&block, 0, &none()), &chain, &Extras::default(), 1).unwrap();
    assert_eq!(partial.missing(), [1, 2]);
    let error = partial.complete(&transactions[..1], true).unwrap_err();
    assert_eq!(error, Error::Count { asked: 2, sent: 1 });
    let three: Vec<_> = transactions.iter().chain(&transactions[..1]).cloned().collect();
    assert_eq!(partial.complete(&three, true).unwrap_err(), Error::Count { asked: 2, sent: 3 });
    let swapped: Vec<_> = transactions.iter().rev().cloned().collect();
    assert_eq!(partial.complete(&swapped, true).unwrap_err(), Error::Mismatch);
}

#[test]
fn repeated_end_is_not_genuine() {
    // CVE-2012-2459: [a, b, c] and [a, b, c, c] have one root.
    let (_, block, _) = block_of(2);
    assert!(is_genuine(&block, true));
    let mut transactions = block.transactions().to_vec();
    transactions.push(transactions[2].clone());
    let repeated = Block::assemble(*block.header(), transactions);
    assert_eq!(repeated.hash(), block.hash());
    assert!(!is_genuine(&repeated, true));
}

#[test]
fn unexpected_witness_is_not_genuine() {
    let (_, block, _) = block_of(1);
    let mut spoiled = block.transactions()[1].decoded().clone();
    spoiled.input[0].witness.push([1]);
    let spoiled = yap_chain::transaction::Transaction::parse(consensus::serialize(&spoiled)).unwrap();
    let block = Block::assemble(*block.header(), vec![block.transactions()[0].clone(), spoiled]);
    assert!(!is_genuine(&block, true));
}

#[test]
fn likely_missing_transactions_are_sent_along_up_to_the_bound() {
    let chain = Chain::new();
    let sizes = |sizes: &[usize]| {
        let transactions: Vec<_> = (0..).zip(sizes).map(|(salt, size)| transaction(salt, *size)).collect();
        let total: Vec<_> = transactions.iter().map(|transaction| transaction.total_size()).collect();
        (chain.mine(chain.tip, 0, &transactions), total)
    };
    let (_, total) = sizes(&[4000, 6000]);
    let over = total[0] + total[1] - MAX_PREFILL;
    let all = BTreeSet::from([1, 2]);
    let (fits, total) = sizes(&[4000 - over, 6000]);
    assert_eq!(total[0] + total[1], MAX_PREFILL);
    assert_eq!(make(&fits, 0, &all).prefilled.len(), 3, "and the coinbase, which is always there");
    let (too_large, _) = sizes(&[4001 - over, 6000]);
    assert_eq!(make(&too_large, 0, &all).prefilled.len(), 2);
}

#[test]
fn extra_transactions_complete_a_block_too() {
    let (mut chain, block, transactions) = block_of(3);
    pend(&mut chain, 2);
    let mut extras = Extras::default();
    extras.push(Arc::clone(&transactions[2]));
    let partial = Partial::new(&make(&block, 5, &none()), &chain, &extras, 1).unwrap();
    assert!(partial.missing().is_empty());
    assert_eq!(partial.complete(&[], true).unwrap().unpooled, BTreeSet::from([3]));
}

#[test]
fn extra_transactions_are_bounded() {
    let mut extras = Extras::default();
    for salt in 0..MAX_EXTRAS as u64 {
        extras.push(transaction(salt, 100));
    }
    assert_eq!(extras.len(), MAX_EXTRAS);
    extras.push(transaction(0, 100));
    assert_eq!(extras.len(), MAX_EXTRAS, "it is there already");
    extras.push(transaction(1000, 100));
    assert_eq!(extras.len(), MAX_EXTRAS);
    assert!(extras.iter().all(|extra| extra.wtxid() != transaction(0, 100).wtxid()), "the oldest left");
    extras.push(transaction(2000, MAX_EXTRA_BYTES + 100));
    assert_eq!(extras.len(), MAX_EXTRAS, "one that is too large alone is passed over");
    extras.push(transaction(2001, MAX_EXTRA_BYTES - 100));
    assert!(extras.bytes() <= MAX_EXTRA_BYTES && extras.len() < MAX_EXTRAS);
}
