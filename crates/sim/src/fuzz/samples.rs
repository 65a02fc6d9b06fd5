//! Valid inputs of each target, from a chain that Bitcoin Core made.

use std::sync::Arc;

use bitcoin::OutPoint;
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::undo::{self, Undo};
use yap_chain::{filter, integer};

/// Blocks to take samples from: enough to have every kind of script, few enough to be quick.
const SAMPLED: usize = 24;

/// Transactions, coins and the like to take of each block.
const PER_BLOCK: usize = 12;

/// The last blocks of the chain, which are those with transactions.
fn parsed() -> Vec<Block> {
    let file = include_bytes!("../../../../vectors/regtest-160.blk");
    let blocks = crate::blk::blocks(file, [0xfa, 0xbf, 0xb5, 0xda]);
    let last = &blocks[blocks.len() - SAMPLED..];
    last.iter().map(|block| Block::parse(block.to_vec()).expect("Core made it")).collect()
}

/// The coins that a block makes, one list per transaction; the genesis block's height is one of them.
fn made(block: &Block) -> Vec<Arc<[Coin]>> {
    let transactions = block.transactions().iter().enumerate();
    let coins = transactions.map(|(height, transaction)| {
        let coin = |output: &bitcoin::TxOut| {
            Coin::new(output.value, &output.script_pubkey, height as u32, transaction.is_coinbase())
        };
        transaction.decoded().output.iter().map(coin).collect()
    });
    coins.collect()
}

pub(super) fn blocks() -> Vec<Vec<u8>> {
    parsed().iter().map(|block| block.bytes().to_vec()).collect()
}

pub(super) fn transactions() -> Vec<Vec<u8>> {
    let blocks = parsed();
    let transactions = blocks.iter().flat_map(|block| block.transactions().iter().take(PER_BLOCK));
    transactions.map(|transaction| transaction.raw().as_slice().to_vec()).collect()
}

pub(super) fn coins() -> Vec<Vec<u8>> {
    let encode = |coin: &Coin| {
        let mut bytes = Vec::new();
        codec::encode(coin, &mut bytes);
        bytes
    };
    let lists: Vec<_> = parsed().iter().flat_map(|block| made(block).into_iter().take(PER_BLOCK)).collect();
    lists.iter().flat_map(|coins| coins.iter()).map(encode).collect()
}

pub(super) fn undo() -> Vec<Vec<u8>> {
    let encode = |block: &Block| {
        let mut bytes = Vec::new();
        undo::codec::encode(&Undo { transactions: made(block) }, &mut bytes);
        bytes
    };
    parsed().iter().map(encode).collect()
}

pub(super) fn keys() -> Vec<Vec<u8>> {
    let keys = |block: &Block| {
        let txids = block.transactions().iter().take(PER_BLOCK).map(|transaction| transaction.txid());
        txids.enumerate().flat_map(|(vout, txid)| codec::key(&OutPoint { txid, vout: vout as u32 })).collect()
    };
    parsed().iter().map(keys).collect()
}

pub(super) fn filters() -> Vec<Vec<u8>> {
    parsed().iter().map(|block| filter::basic(block, &Undo::default()).into_bytes()).collect()
}

pub(super) fn elements() -> Vec<Vec<u8>> {
    // The first byte is the size of an element: that of a P2WPKH script, 22.
    keys().into_iter().map(|keys| [&[22], &keys[..]].concat()).collect()
}

pub(super) fn integers() -> Vec<Vec<u8>> {
    let values = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1]);
    let both = values.flat_map(|value| {
        let (mut varint, mut compact) = (Vec::new(), Vec::new());
        integer::write_varint(value, &mut varint);
        integer::write_compact(value as usize, &mut compact);
        [varint, compact]
    });
    both.collect()
}
