//! Blocks of Bitcoin from before its soft forks.

use bitcoin::hex::FromHex;

use crate::block::{Block, Context, check, check_in_context};
use crate::header::pow;
use crate::spec::{Deployments, Spec};

/// A line per block: its hash as Bitcoin Core prints it, and its bytes.
const BLOCKS: &str = include_str!("../../../../../vectors/core/blocks.txt");

/// A height before any soft fork of Bitcoin.
const EARLY: u32 = 100_000;

fn blocks() -> impl Iterator<Item = (&'static str, Block)> {
    BLOCKS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (hash, bytes) = line.split_once(' ').unwrap();
        (hash, Block::parse(Vec::from_hex(bytes).unwrap()).unwrap())
    })
}

fn in_context(block: &Block, deployments: &Deployments) -> Result<(), &'static str> {
    let context = Context { height: EARLY, median_time_past: block.header().time, deployments };
    check_in_context(block, &context).map_err(|error| error.reason())
}

#[test]
fn blocks_of_bitcoin_keep_the_rules_of_their_time() {
    let spec = Spec::bitcoin();
    for (hash, block) in blocks() {
        assert_eq!(block.hash().to_string(), hash);
        assert_eq!(pow::check(block.header(), &block.hash(), &spec.work.limit), Ok(()), "{hash}");
        assert_eq!(check(&block), Ok(()), "{hash}");
        assert_eq!(in_context(&block, &spec.deployments), Ok(()), "{hash}");
        assert_eq!(in_context(&block, &Spec::testnet4().deployments), Err("bad-cb-height"), "{hash}");
    }
    assert_eq!(blocks().map(|(_, block)| block.transactions().len()).collect::<Vec<_>>(), [4, 9, 1, 7]);
}

#[test]
fn any_changed_byte_of_a_block_of_bitcoin_is_noticed() {
    let limit = Spec::bitcoin().work.limit;
    let (_, block) = blocks().next().unwrap();
    for at in 0..block.bytes().len() {
        let mut bytes = block.bytes().to_vec();
        bytes[at] ^= 0x10;
        let Ok(changed) = Block::parse(bytes) else { continue };
        let refused = pow::check(changed.header(), &changed.hash(), &limit).is_err() || check(&changed).is_err();
        assert!(refused, "byte {at}");
    }
}
