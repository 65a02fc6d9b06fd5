//! What several test modules share.

#![expect(clippy::arithmetic_side_effects, reason = "small numbers in tests")]

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Script, Txid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::undo::Undo;

use crate::state::Tip;
use crate::store::Options;

/// `SplitMix64`: the same numbers for the same seed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

pub(crate) const MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// The hash of a block that is but a number.
pub(crate) fn hash(number: u32) -> BlockHash {
    BlockHash::hash(&number.to_le_bytes())
}

pub(crate) fn tip(height: u32) -> Tip {
    Tip { hash: hash(height), height }
}

pub(crate) fn options() -> Options {
    let block_file_size = crate::BLOCK_FILE_SIZE;
    Options { chain: "test".to_owned(), magic: MAGIC, genesis: hash(0), cache: 1 << 20, block_file_size }
}

/// One of the outpoints that tests know; neighbours share a txid.
pub(crate) fn outpoint(number: u32) -> OutPoint {
    OutPoint { txid: Txid::hash(&(number / 3).to_le_bytes()), vout: number % 3 }
}

/// A coin with a script of `length` bytes.
pub(crate) fn coin(value: u32, length: usize, coinbase: bool) -> Coin {
    let script = vec![0x6a; length];
    Coin::new(Amount::from_sat(u64::from(value)), Script::from_bytes(&script), value % 1_000, coinbase)
}

/// A block (one that breaks rules, which nobody here looks at) of 80 + 1 bytes, each nonce another one.
pub(crate) fn block(nonce: u32) -> Block {
    let mut bytes = vec![0; 81];
    bytes[76..80].copy_from_slice(&nonce.to_le_bytes());
    Block::parse(bytes).unwrap()
}

/// Undo data of one transaction that spent a coin.
pub(crate) fn undo(value: u32) -> Undo {
    Undo { transactions: vec![vec![coin(value, 22, false)].into()] }
}
