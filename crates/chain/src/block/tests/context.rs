//! Rules that need the headers below a block.

use bitcoin::absolute::LockTime;
use bitcoin::script::Builder;
use bitcoin::{ScriptBuf, Sequence, Witness};

use crate::block::{Block, Context, Error, MAX_WEIGHT, check_in_context, witness};
use crate::fixture::{before_soft_forks, block, coinbase, committed, deployments, outpoint, place, spend};
use crate::spec::Deployments;

fn verdict(block: &Block, height: u32) -> Result<(), &'static str> {
    check_in_context(block, &place(height, &deployments())).map_err(|error| error.reason())
}

fn with_witness(item: &[u8]) -> bitcoin::Transaction {
    let mut transaction = spend(&[outpoint(1)], &[0]);
    transaction.input[0].witness = Witness::from_slice(&[item]);
    transaction
}

#[test]
fn smallest_blocks_are_valid() {
    assert_eq!(verdict(&block(&[coinbase(1, &[0])]), 1), Ok(()));
    assert_eq!(verdict(&committed(vec![coinbase(1, &[0])]), 1), Ok(()));
    assert_eq!(verdict(&committed(vec![coinbase(1, &[0]), with_witness(&[1])]), 1), Ok(()));
}

#[test]
fn coinbase_begins_with_the_height() {
    for height in [1, 2, 16, 17, 127, 128, 255, 256, 32_767, 32_768, 65_536, 8_388_608, 0x7fff_ffff] {
        let deployments = deployments();
        let at = Context { height, median_time_past: 0, deployments: &deployments };
        assert_eq!(check_in_context(&block(&[coinbase(height, &[0])]), &at), Ok(()), "{height}");
        for other in [height - 1, height + 1] {
            let error = check_in_context(&block(&[coinbase(other, &[0])]), &at).unwrap_err();
            assert_eq!((error, error.reason()), (Error::CoinbaseHeight { height }, "bad-cb-height"));
        }
    }
}

#[test]
fn height_is_pushed_in_the_shortest_way() {
    let starting_with = |bytes: &[u8]| {
        let mut first = coinbase(1, &[0]);
        first.input[0].script_sig = ScriptBuf::from_bytes([bytes, &[0, 0]].concat());
        block(&[first])
    };
    assert_eq!(verdict(&starting_with(&[0x60]), 16), Ok(()));
    assert_eq!(verdict(&starting_with(&[1, 16]), 16), Err("bad-cb-height"));
    assert_eq!(verdict(&starting_with(&[1, 17]), 17), Ok(()));
    assert_eq!(verdict(&starting_with(&[2, 17, 0]), 17), Err("bad-cb-height"));
    assert_eq!(verdict(&starting_with(&[2, 128, 0]), 128), Ok(()));
    assert_eq!(verdict(&starting_with(&[1, 128]), 128), Err("bad-cb-height"));
    let mut short = coinbase(1, &[0]);
    short.input[0].script_sig = Builder::new().push_int(300).into_script();
    short.input[0].script_sig = ScriptBuf::from_bytes(short.input[0].script_sig.as_bytes()[..2].to_vec());
    assert_eq!(verdict(&block(&[short]), 300), Err("bad-cb-height"));
}

#[test]
fn height_in_the_coinbase_is_asked_since_bip34() {
    let deployments = Deployments { bip34: 100, ..before_soft_forks() };
    let without = block(&[coinbase(7, &[0])]);
    assert_eq!(check_in_context(&without, &place(99, &deployments)), Ok(()));
    assert!(check_in_context(&without, &place(100, &deployments)).is_err());
}

/// A block with a transaction locked until `lock_time`.
fn locked_until(lock_time: u32, height: u32) -> Block {
    let mut transaction = spend(&[outpoint(1)], &[0]);
    transaction.lock_time = LockTime::from_consensus(lock_time);
    transaction.input[0].sequence = Sequence::ZERO;
    block(&[coinbase(height, &[0]), transaction])
}

#[test]
fn locked_transaction_must_wait() {
    assert_eq!(verdict(&locked_until(49, 50), 50), Ok(()));
    assert_eq!(verdict(&locked_until(50, 50), 50), Err("bad-txns-nonfinal"));
    let error = check_in_context(&locked_until(50, 50), &place(50, &deployments())).unwrap_err();
    assert!(matches!(error, Error::Transaction { index: 1, .. }));
    assert!(!error.is_mutation());
}

#[test]
fn present_is_the_median_time_past_since_bip113() {
    // The block's own time is 1,000,000,000.
    let at = |csv, median_time_past, lock_time| {
        let deployments = Deployments { csv, ..deployments() };
        let context = Context { height: 50, median_time_past, deployments: &deployments };
        check_in_context(&locked_until(lock_time, 50), &context).is_ok()
    };
    assert!(at(50, 1_000_000_001, 1_000_000_000));
    assert!(!at(50, 1_000_000_000, 1_000_000_000));
    assert!(at(51, 0, 999_999_999), "before, it is the block's own time");
    assert!(!at(51, u32::MAX, 1_000_000_000));
}

#[test]
fn coinbase_is_final_too() {
    let mut first = coinbase(50, &[0]);
    first.lock_time = LockTime::from_consensus(50);
    assert_eq!(verdict(&block(&[first.clone()]), 50), Ok(()), "its sequence number ignores the lock");
    first.input[0].sequence = Sequence::ZERO;
    assert_eq!(verdict(&block(&[first]), 50), Err("bad-txns-nonfinal"));
}

/// A committed block after `change`; its header follows.
fn changed(change: impl FnOnce(&mut Vec<bitcoin::Transaction>)) -> Block {
    let valid = committed(vec![coinbase(1, &[0]), with_witness(&[1])]);
    let mut transactions: Vec<_> = valid.transactions().iter().map(|t| t.decoded().clone()).collect();
    change(&mut transactions);
    block(&transactions)
}

#[test]
fn witnesses_are_those_committed_to() {
    let valid = changed(|_| {});
    assert_eq!(verdict(&valid, 1), Ok(()));
    let other = changed(|transactions| transactions[1] = with_witness(&[2]));
    assert_eq!(valid.hash(), other.hash(), "the header does not tell them apart");
    let error = check_in_context(&other, &place(1, &deployments())).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-witness-merkle-match", true));
    let reserved = changed(|transactions| transactions[0].input[0].witness = Witness::from_slice(&[[8_u8; 32]]));
    assert_eq!(verdict(&reserved, 1), Err("bad-witness-merkle-match"));
}

#[test]
fn reserved_value_is_one_item_of_32_bytes() {
    let items: [&[&[u8]]; 5] = [&[], &[&[7; 31]], &[&[7; 33]], &[&[7; 32], &[]], &[&[7; 32], &[7; 32]]];
    for items in items {
        let block = changed(|transactions| transactions[0].input[0].witness = Witness::from_slice(items));
        let error = check_in_context(&block, &place(1, &deployments())).unwrap_err();
        assert_eq!((error.reason(), error.is_mutation()), ("bad-witness-nonce-size", true), "{items:?}");
    }
}

#[test]
fn witness_without_commitment_is_refused() {
    let error = check_in_context(&block(&[coinbase(1, &[0]), with_witness(&[1])]), &place(1, &deployments()));
    let error = error.unwrap_err();
    assert_eq!((error, error.reason()), (Error::UnexpectedWitness { index: 1 }, "unexpected-witness"));
    assert!(error.is_mutation());
    let mut first = coinbase(1, &[0]);
    first.input[0].witness.push([7; 32]);
    assert_eq!(verdict(&block(&[first]), 1), Err("unexpected-witness"), "nor in the coinbase");
}

#[test]
fn commitment_means_nothing_before_bip141() {
    let late = Deployments { segwit: 2, ..deployments() };
    let committed = committed(vec![coinbase(1, &[0]), with_witness(&[1])]);
    assert_eq!(check_in_context(&committed, &place(1, &late)), Err(Error::UnexpectedWitness { index: 0 }));
    let bare = changed(|transactions| {
        transactions[0].input[0].witness.clear();
        transactions[1].input[0].witness.clear();
    });
    assert_eq!(check_in_context(&bare, &place(1, &late)), Ok(()));
}

#[test]
fn last_commitment_counts() {
    let decoy = |length: usize| {
        let mut script = witness::COMMITMENT_HEADER.to_vec();
        script.resize(length, 0);
        bitcoin::TxOut { script_pubkey: script.into(), ..crate::fixture::output(0) }
    };
    let before = changed(|transactions| transactions[0].output.insert(0, decoy(38)));
    assert_eq!(verdict(&before, 1), Ok(()));
    let after = changed(|transactions| transactions[0].output.push(decoy(38)));
    assert_eq!(verdict(&after, 1), Err("bad-witness-merkle-match"));
    let short = changed(|transactions| transactions[0].output.push(decoy(37)));
    assert_eq!(verdict(&short, 1), Ok(()), "one byte short: no commitment");
    let longer = changed(|transactions| {
        let output = &mut transactions[0].output[1];
        output.script_pubkey = [output.script_pubkey.as_bytes(), &[1, 2, 3]].concat().into();
    });
    assert_eq!(verdict(&longer, 1), Ok(()), "more may follow");
}

#[test]
fn weight_is_limited_to_four_million() {
    let weighing = |witness: usize| committed(vec![coinbase(1, &[0]), with_witness(&vec![0; witness])]);
    let rest = MAX_WEIGHT - weighing(3_000_000).weight();
    let heaviest = weighing(3_000_000 + rest);
    assert_eq!((heaviest.weight(), verdict(&heaviest, 1)), (MAX_WEIGHT, Ok(())));
    let error = check_in_context(&weighing(3_000_000 + rest + 1), &place(1, &deployments())).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Weight { weight: MAX_WEIGHT + 1 }, "bad-blk-weight"));
    assert!(!error.is_mutation(), "the commitment covers the witnesses by then");
}

#[test]
fn weight_that_someone_added_is_a_mutation() {
    let heavy = changed(|transactions| transactions[0].input[0].witness.push(vec![0; 3_999_000]));
    assert!(heavy.weight() > MAX_WEIGHT);
    assert_eq!(verdict(&heavy, 1), Err("bad-witness-nonce-size"));
}

#[test]
fn first_broken_rule_is_reported() {
    // As in Bitcoin Core: locks, height, witnesses, weight.
    let mut transaction = with_witness(&vec![0; 3_999_000]);
    let with = |transaction: &bitcoin::Transaction, height| block(&[coinbase(height, &[0]), transaction.clone()]);
    assert_eq!(verdict(&with(&transaction, 50), 50), Err("unexpected-witness"));
    assert_eq!(verdict(&with(&transaction, 51), 50), Err("bad-cb-height"));
    transaction.lock_time = LockTime::from_consensus(50);
    transaction.input[0].sequence = Sequence::ZERO;
    assert_eq!(verdict(&with(&transaction, 51), 50), Err("bad-txns-nonfinal"));
}
