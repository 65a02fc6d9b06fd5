//! Each rule by the smallest block that breaks it alone, and limits at the bound and one past it.

mod bitcoin_blocks;
mod context;
mod parse;

use std::slice;

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{OutPoint, ScriptBuf, TxMerkleNode};

use super::{Block, Error, check, merkle};
use crate::fixture::{block, coinbase, outpoint, spend, with_root};
use crate::transaction;

fn verdict(transactions: &[bitcoin::Transaction]) -> Result<(), &'static str> {
    check(&block(transactions)).map_err(|error| error.reason())
}

#[test]
fn smallest_block_is_valid() {
    assert_eq!(verdict(&[coinbase(1, &[0])]), Ok(()));
    assert_eq!(verdict(&[coinbase(1, &[0]), spend(&[outpoint(1)], &[0])]), Ok(()));
}

#[test]
fn header_commits_to_the_transactions() {
    let error = check(&with_root(&[coinbase(1, &[0])], TxMerkleNode::all_zeros())).unwrap_err();
    assert_eq!(error.reason(), "bad-txnmrklroot");
    assert!(error.is_mutation());
}

#[test]
fn repeated_transactions_are_a_mutation() {
    // CVE-2012-2459: [1, 2, 3] and [1, 2, 3, 3] have one root, and so one hash.
    let honest = [coinbase(1, &[0]), spend(&[outpoint(1)], &[0]), spend(&[outpoint(2)], &[0])];
    let mutated = [&honest[..], &honest[2..]].concat();
    assert_eq!(block(&honest).hash(), block(&mutated).hash());
    assert_eq!(check(&block(&honest)), Ok(()));
    let error = check(&block(&mutated)).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-txns-duplicate", true));
}

#[test]
fn a_block_has_a_transaction() {
    let error = check(&block(&[])).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-blk-length", false));
    assert!(matches!(error, Error::Length { transactions: 0, .. }));
}

#[test]
fn size_without_witnesses_is_limited_to_a_million_bytes() {
    let with_script = |length: usize| {
        let mut first = coinbase(1, &[0]);
        first.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; length]);
        first.input[0].witness.push([0; 32]);
        block(&[first])
    };
    let rest = 1_000_000 - with_script(100_000).base_size();
    let largest = with_script(100_000 + rest);
    assert_eq!((largest.base_size(), check(&largest)), (1_000_000, Ok(())));
    let error = check(&with_script(100_000 + rest + 1)).unwrap_err();
    assert_eq!(error, Error::Length { transactions: 1, base_size: 1_000_001 });
}

#[test]
fn coinbase_is_first() {
    assert_eq!(verdict(&[spend(&[outpoint(1)], &[0])]), Err("bad-cb-missing"));
    assert_eq!(verdict(&[spend(&[outpoint(1)], &[0]), coinbase(1, &[0])]), Err("bad-cb-missing"));
}

#[test]
fn coinbase_is_alone() {
    let transactions = [coinbase(1, &[0]), spend(&[outpoint(1)], &[0]), coinbase(1, &[1])];
    assert_eq!(check(&block(&transactions)), Err(Error::SecondCoinbase { index: 2 }));
    assert_eq!(verdict(&transactions), Err("bad-cb-multiple"));
}

#[test]
fn nodes_of_the_merkle_tree_passed_for_transactions_are_a_mutation() {
    let mut transaction = spend(&[outpoint(1)], &[0]);
    transaction.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; 4]);
    assert_eq!(transaction.base_size(), 64);
    let error = check(&block(&[transaction.clone()])).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-cb-missing", true));
    transaction.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; 5]);
    let error = check(&block(&[transaction])).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-cb-missing", false));
}

#[test]
fn transaction_that_breaks_a_rule_is_named() {
    let bad = spend(&[outpoint(2), outpoint(2)], &[0]);
    let error = check(&block(&[coinbase(1, &[0]), spend(&[outpoint(1)], &[0]), bad.clone()])).unwrap_err();
    let cause = transaction::Error::RepeatedInput { outpoint: outpoint(2) };
    assert_eq!(error, Error::Transaction { index: 2, txid: bad.compute_txid(), cause });
    assert_eq!((error.reason(), error.is_mutation()), ("bad-txns-inputs-duplicate", false));
    assert!(error.to_string().contains(&bad.compute_txid().to_string()));
    assert_eq!(
        verdict(&[coinbase(1, &[0]), spend(&[OutPoint::null(), outpoint(1)], &[0])]),
        Err("bad-txns-prevout-null")
    );
    assert_eq!(verdict(&[coinbase(1, &[])]), Err("bad-txns-vout-empty"));
}

#[test]
fn transaction_of_nothing_makes_a_block_invalid() {
    // `bitcoin` would write it with a witness marker, so it stands in for a placeholder.
    let placeholder = spend(&[outpoint(1)], &[0]);
    let nothing = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let first = coinbase(1, &[0]);
    let leaves = vec![first.compute_txid().to_raw_hash(), sha256d::Hash::hash(&nothing)];
    let root = TxMerkleNode::from_raw_hash(merkle::root(leaves).hash);
    let mut bytes = with_root(&[first, placeholder.clone()], root).bytes().to_vec();
    bytes.truncate(bytes.len() - placeholder.total_size());
    bytes.extend_from_slice(&nothing);
    let error = check(&Block::parse(bytes).unwrap()).unwrap_err();
    assert_eq!((error.reason(), error.is_mutation()), ("bad-txns-vin-empty", false));
}

#[test]
fn legacy_signature_operations_are_limited_to_20_000() {
    let with_operations = |operations: usize| {
        let mut first = coinbase(1, &[0]);
        let mut second = spend(&[outpoint(1)], &[0]);
        first.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; 5_000]);
        second.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; operations - 5_000]);
        check(&block(&[first, second]))
    };
    assert_eq!(with_operations(20_000), Ok(()));
    let error = with_operations(20_001).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Sigops { index: 1, cost: 80_004 }, "bad-blk-sigops"));
}

#[test]
fn first_broken_rule_is_reported() {
    // As in Bitcoin Core: the Merkle root before all, coinbases before what transactions hold.
    let bad = spend(&[outpoint(1)], &[]);
    let error = check(&with_root(slice::from_ref(&bad), TxMerkleNode::all_zeros())).unwrap_err();
    assert_eq!(error.reason(), "bad-txnmrklroot");
    assert_eq!(verdict(slice::from_ref(&bad)), Err("bad-cb-missing"));
    assert_eq!(verdict(&[coinbase(1, &[0]), bad.clone(), coinbase(1, &[1])]), Err("bad-cb-multiple"));
    let mut heavy = coinbase(1, &[0]);
    heavy.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; 20_001]);
    assert_eq!(verdict(&[heavy, bad]), Err("bad-txns-vout-empty"));
}
