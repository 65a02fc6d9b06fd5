//! Reading blocks: hashes and sizes agree with `bitcoin`, and no bytes do harm.

use std::sync::Arc;

use bitcoin::consensus::{deserialize, serialize};

use crate::block::{Block, Error, HEADER_SIZE, ParseError, check};
use crate::fixture::{Random, block, coinbase, committed, outpoint, regtest_160, spend};

#[test]
fn hashes_and_sizes_are_those_of_the_bitcoin_crate() {
    for bytes in regtest_160() {
        let expected: bitcoin::Block = deserialize(&bytes).unwrap();
        let block = Block::parse(bytes.clone()).unwrap();
        assert_eq!(block.hash(), expected.block_hash());
        assert_eq!(block.header(), &expected.header);
        assert_eq!(block.bytes().as_slice(), bytes);
        assert_eq!(block.weight(), usize::try_from(expected.weight().to_wu()).unwrap());
        assert_eq!(block.base_size() * 3 + bytes.len(), block.weight());
        assert_eq!(block.transactions().len(), expected.txdata.len());
        for (ours, theirs) in block.transactions().iter().zip(&expected.txdata) {
            assert_eq!((ours.txid(), ours.wtxid()), (theirs.compute_txid(), theirs.compute_wtxid()));
            assert_eq!((ours.base_size(), ours.total_size()), (theirs.base_size(), theirs.total_size()));
            assert_eq!(ours.raw().as_slice(), serialize(theirs));
        }
    }
}

#[test]
fn assembled_block_equals_the_one_that_was_read() {
    for bytes in regtest_160() {
        let read = Block::parse(bytes.clone()).unwrap();
        let assembled = Block::assemble(*read.header(), read.transactions().to_vec());
        assert_eq!(assembled.bytes().as_slice(), bytes);
        assert_eq!((assembled.hash(), assembled.weight()), (read.hash(), read.weight()));
        assert_eq!(assembled, read);
    }
}

/// Reads a block at once; taken unread and read later it must be the same, or fail at the same place.
fn parsed(bytes: Vec<u8>) -> Result<Block, ParseError> {
    let bytes = Arc::new(bytes);
    let parsed = Block::parse(Arc::clone(&bytes));
    match (&parsed, Block::unread(Arc::clone(&bytes))) {
        (Ok(block), Ok(unread)) => {
            assert_eq!((unread.hash(), unread.header(), &unread), (block.hash(), block.header(), block));
            assert_eq!(unread.read().unwrap(), block.transactions());
            assert_eq!((unread.transactions(), unread.weight()), (block.transactions(), block.weight()));
            assert_eq!(check(&unread), check(block));
        }
        (Err(error), Ok(unread)) => {
            assert_eq!(unread.read().unwrap_err().to_string(), error.to_string());
            assert!(unread.transactions().is_empty());
            assert_eq!(check(&unread), Err(Error::Malformed { offset: error.offset }));
        }
        (Err(error), Err(same)) => assert_eq!(error.to_string(), same.to_string()),
        (Ok(_), Err(error)) => panic!("a block was refused unread: {error}"),
    }
    parsed
}

#[test]
fn an_unread_block_is_its_header_and_bytes() {
    for bytes in regtest_160() {
        let bytes = Arc::new(bytes);
        let block = Block::unread(Arc::clone(&bytes)).unwrap();
        assert!(Arc::ptr_eq(block.bytes(), &bytes));
        // Each transaction that is read shares the bytes.
        assert_eq!(Arc::strong_count(&bytes), 2);
        let read = block.read().unwrap().len();
        assert_eq!(Arc::strong_count(&bytes), 2 + read);
        // Read once: the second time gives the same.
        assert_eq!(block.read().unwrap().as_ptr(), block.transactions().as_ptr());
        assert_eq!(block, parsed(bytes.to_vec()).unwrap());
    }
}

#[test]
fn a_block_counts_as_many_transactions_as_its_bytes_can_hold_and_not_one_more() {
    let header = block(&[coinbase(1, &[0])]).bytes()[..HEADER_SIZE].to_vec();
    for count in [1_usize, 252, 253, 1000] {
        // Transactions of nothing: version, no inputs, no outputs, lock time.
        let bytes = [&header[..], &serialize(&bitcoin::VarInt::from(count)), &vec![0; count * 10]].concat();
        assert_eq!(parsed(bytes.clone()).unwrap().transactions().len(), count);
        let short = bytes[..bytes.len() - 1].to_vec();
        assert_eq!(Block::unread(short).unwrap_err().offset, bytes.len() - count * 10);
    }
}

#[test]
fn what_is_no_block_is_not_held_against_its_header() {
    let genuine = block(&[coinbase(1, &[0])]);
    let rubbish = [&genuine.bytes()[..=HEADER_SIZE], &[0xff; 100]].concat();
    let rubbish = Block::unread(rubbish).unwrap();
    assert_eq!(rubbish.hash(), genuine.hash());
    let error = check(&rubbish).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Malformed { offset: HEADER_SIZE + 1 }, "bad-blk-malformed"));
    assert!(error.is_mutation());
    // Not even if the header commits to no transactions.
    let empty = crate::fixture::with_root(&[], bitcoin::hashes::Hash::all_zeros());
    let more = Block::unread([&empty.bytes()[..], &[0]].concat()).unwrap();
    assert_eq!(check(&more), Err(Error::Malformed { offset: HEADER_SIZE + 1 }));
    assert_eq!(more.clone().read().unwrap_err().offset, HEADER_SIZE + 1);
}

#[test]
fn a_block_fills_its_bytes() {
    let bytes = block(&[coinbase(1, &[0])]).bytes().to_vec();
    assert!(parsed([&bytes[..], &[0]].concat()).is_err());
    for length in 0..bytes.len() {
        let error = parsed(bytes[..length].to_vec()).unwrap_err();
        assert!(error.offset <= length);
    }
}

#[test]
fn huge_counts_end_with_the_bytes() {
    let header = &block(&[coinbase(1, &[0])]).bytes()[..HEADER_SIZE].to_vec();
    for count in [1, 0xfffc, 0xffff_ffff, u64::MAX] {
        let error = parsed([&header[..], &serialize(&bitcoin::VarInt(count))].concat()).unwrap_err();
        assert!(error.offset > HEADER_SIZE);
    }
}

#[test]
fn damaged_blocks_are_refused_and_never_panic() {
    let mut spending = spend(&[outpoint(1), outpoint(2)], &[1, 2]);
    spending.input[0].witness.push([1; 30]);
    let whole = committed(vec![coinbase(1, &[0]), spending]).bytes().to_vec();
    let mut random = Random(7);
    for _ in 0..5_000 {
        let mut damaged = whole.clone();
        let at = random.below(damaged.len());
        damaged[at] ^= 1 << random.below(8);
        damaged.truncate(damaged.len() - random.below(2) * random.below(damaged.len()));
        if let Ok(block) = parsed(damaged) {
            // A flipped bit in the header or a witness leaves the transactions' ids.
            let expected = at < HEADER_SIZE && !(36..68).contains(&at);
            let _ = check(&block).map_err(|error| assert!(!expected, "{error}"));
        }
    }
}
