mod assumed;
mod fixed;
mod model;
mod rules;

use std::sync::Arc;

use bitcoin::block::{Header, Version};
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, TxMerkleNode};

use super::*;
use crate::spec::Spec;

const REGTEST: &[u8] = include_bytes!("../../../../../vectors/regtest-160.blk");
const SIGNET: &str = include_str!("../../../../../vectors/signet-10.txt");

/// A time after all headers of the tests.
const LATE: u32 = 2_000_000_000;

fn tree(spec: Spec) -> Tree {
    Tree::new(Arc::new(spec), 7)
}

/// A header after `parent`, one minute later, that is right but for its work; `salt` tells siblings apart.
fn child(tree: &Tree, parent: Id, salt: u64) -> Header {
    let time = tree.time(parent) + 60;
    let mut root = [0; 32];
    root[..8].copy_from_slice(&salt.to_le_bytes());
    Header {
        version: Version::from_consensus(4),
        prev_blockhash: tree.hash(parent),
        merkle_root: TxMerkleNode::from_byte_array(root),
        time,
        bits: tree.next_bits(parent, time),
        nonce: 0,
    }
}

/// The header with a nonce that meets its target.
fn mined(header: Header) -> Header {
    let meets = |header: &Header| header.target().is_met_by(header.block_hash());
    (0..100_000).map(|nonce| Header { nonce, ..header }).find(meets).expect("an easy target")
}

/// Adds `count` mined headers after `parent`.
fn grow(tree: &mut Tree, parent: Id, count: u32, salt: u64) -> Id {
    (0..count).fold(parent, |parent, _| {
        let header = mined(child(tree, parent, salt));
        tree.accept(&header, LATE).unwrap().id()
    })
}

/// Headers of Core's block file of 160 blocks.
fn regtest_headers() -> Vec<Header> {
    let mut rest = REGTEST;
    let mut headers = Vec::new();
    while let Some((frame, after)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes(frame[4..].try_into().unwrap()) as usize;
        headers.push(deserialize(&after[..80]).unwrap());
        rest = &after[length..];
    }
    headers
}

fn signet_headers() -> Vec<Header> {
    let blocks = SIGNET.lines().filter(|line| !line.starts_with('#'));
    blocks.map(|block| bitcoin::consensus::encode::deserialize_hex(&block[..160]).unwrap()).collect()
}

#[test]
fn the_chain_that_core_validated_is_accepted() {
    let headers = regtest_headers();
    let mut tree = tree(Spec::regtest());
    for header in &headers {
        let id = tree.accept(header, LATE).unwrap().id();
        assert_eq!(tree.best(), id);
        assert_eq!(tree.header(id), *header);
    }
    let tip = tree.best();
    assert_eq!((tree.len(), tree.height(tip)), (161, 160));
    assert_eq!(tree.hash(tip).to_string(), "2f8aedc07d7f739751d771e017bd62e9f7cb523c89fa9a6f28af06f492156fca");
    assert_eq!(tree.work(tip), Work::from_unprefixed_hex("142").unwrap());
    let first = tree.ancestor(tip, 1).unwrap();
    assert_eq!(tree.hash(first).to_string(), "566ab14b7cc41823002db9dfa5b4a49f90d975180e245c4f26798034a756d1bf");
}

#[test]
fn the_first_headers_of_the_public_signet_are_accepted() {
    let mut tree = tree(Spec::signet());
    for header in signet_headers() {
        assert!(matches!(tree.accept(&header, LATE), Ok(Accepted::New(_))));
    }
    assert_eq!(tree.height(tree.best()), 10);
    assert_eq!(tree.hash(tree.best()), signet_headers()[9].block_hash());
}

#[test]
fn headers_from_the_disk_make_the_same_tree() {
    let mut accepted = tree(Spec::regtest());
    let mut trusted = tree(Spec::regtest());
    for header in regtest_headers() {
        let id = accepted.accept(&header, LATE).unwrap().id();
        assert_eq!(trusted.insert_trusted(&header), Ok(id));
        assert_eq!(trusted.insert_trusted(&header), Ok(id), "once is enough");
    }
    assert_eq!(trusted.len(), accepted.len());
    for id in accepted.iter() {
        assert_eq!(trusted.header(id), accepted.header(id));
        assert_eq!(trusted.work(id), accepted.work(id));
        assert_eq!(trusted.median_time_past(id), accepted.median_time_past(id));
    }
}

#[test]
fn headers_are_found_by_hash_whatever_the_seed() {
    for seed in [0, 1, u64::MAX] {
        let mut tree = Tree::new(Arc::new(Spec::regtest()), seed);
        let headers = regtest_headers();
        assert!(!tree.contains(&headers[0].block_hash()));
        for header in &headers {
            tree.insert_trusted(header).unwrap();
        }
        for (header, height) in headers.iter().zip(1..) {
            let id = tree.get(&header.block_hash()).unwrap();
            assert_eq!((tree.hash(id), tree.height(id)), (header.block_hash(), height));
        }
        assert_eq!(tree.get(&BlockHash::all_zeros()), None);
    }
}

#[test]
fn a_known_header_is_known() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    assert_eq!(tree.accept(&tree.header(genesis), 0), Ok(Accepted::Known(genesis)));
    let id = grow(&mut tree, genesis, 1, 0);
    assert_eq!(tree.accept(&tree.header(id), 0), Ok(Accepted::Known(id)), "its time was checked before");
    assert_eq!(tree.len(), 2);
}

#[test]
fn a_full_tree_takes_no_more() {
    let mut tree = Tree::with_capacity(Arc::new(Spec::regtest()), 7, 3);
    let genesis = tree.genesis();
    let tip = grow(&mut tree, genesis, 2, 0);
    let header = mined(child(&tree, tip, 0));
    assert_eq!(tree.accept(&header, LATE), Err(Error::Full { limit: 3 }));
    assert_eq!(tree.insert_trusted(&header), Err(Error::Full { limit: 3 }));
    assert_eq!((tree.len(), tree.best()), (3, tip));
    assert_eq!(tree.accept(&tree.header(tip), LATE), Ok(Accepted::Known(tip)));
}

#[test]
fn a_header_takes_little_memory() {
    assert!(size_of::<Entry>() <= 136, "{}", size_of::<Entry>());
    let mut tree = tree(Spec::regtest());
    for salt in 0..10_000 {
        let header = child(&tree, tree.best(), salt);
        tree.insert_trusted(&header).unwrap();
    }
    assert!(tree.entries.capacity() < tree.len() + tree.len() / 8 + 1024);
    assert!(tree.index.capacity() <= tree.len() * 2);
}

#[test]
fn the_median_is_that_of_eleven_times() {
    let mut tree = tree(Spec::regtest());
    let mut times = vec![tree.time(tree.genesis())];
    for salt in 0..40_u64 {
        let mut header = child(&tree, tree.best(), salt);
        // Up and down, as trusted headers may.
        header.time = 1_300_000_000 + u32::try_from(salt * 7_919 % 1_000).unwrap();
        let id = tree.insert_trusted(&header).unwrap();
        times.push(header.time);
        let mut last: Vec<u32> = times.iter().rev().take(11).copied().collect();
        last.sort_unstable();
        assert_eq!(tree.median_time_past(id), last[last.len() / 2]);
    }
}

#[test]
fn a_work_that_overflows_stays_the_most() {
    let mut tree = tree(Spec::regtest());
    for salt in 0..4 {
        let mut header = child(&tree, tree.best(), salt);
        header.bits = CompactTarget::from_consensus(0x0101_0000);
        tree.insert_trusted(&header).unwrap();
    }
    assert_eq!(tree.work(tree.best()), Work::from_be_bytes([0xff; 32]));
}

#[test]
fn work_less_some_blocks_is_never_below_none() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let tip = grow(&mut tree, genesis, 9, 0);
    assert_eq!(tree.work(tip).to_string(), "20");
    assert_eq!(tree.work_less(tip, 4).to_string(), "12");
    assert_eq!(tree.work_less(tip, 10), Work::from_be_bytes([0; 32]));
    assert_eq!(tree.work_less(tip, 11), Work::from_be_bytes([0; 32]));
}
