//! Reading blocks: hashes and sizes agree with `bitcoin`, and no bytes do harm.

use bitcoin::consensus::{deserialize, serialize};

use crate::block::{Block, HEADER_SIZE, check};
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

#[test]
fn a_block_fills_its_bytes() {
    let bytes = block(&[coinbase(1, &[0])]).bytes().to_vec();
    assert!(Block::parse([&bytes[..], &[0]].concat()).is_err());
    for length in 0..bytes.len() {
        let error = Block::parse(bytes[..length].to_vec()).unwrap_err();
        assert!(error.offset <= length);
    }
}

#[test]
fn huge_counts_end_with_the_bytes() {
    let header = &block(&[coinbase(1, &[0])]).bytes()[..HEADER_SIZE].to_vec();
    for count in [1, 0xfffc, 0xffff_ffff, u64::MAX] {
        let error = Block::parse([&header[..], &serialize(&bitcoin::VarInt(count))].concat()).unwrap_err();
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
        if let Ok(block) = Block::parse(damaged) {
            // A flipped bit in the header or a witness leaves the transactions' ids.
            let expected = at < HEADER_SIZE && !(36..68).contains(&at);
            let _ = check(&block).map_err(|error| assert!(!expected, "{error}"));
        }
    }
}
