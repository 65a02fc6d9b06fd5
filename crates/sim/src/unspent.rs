//! The UTXO set as it follows from a chain's blocks alone.
//!
//! No undo, no cache, no fork: every block from the first on is applied to a map. What a node has after any number of
//! reorganisations must equal what this has of the best chain.

use std::collections::BTreeMap;

use bitcoin::{Block, OutPoint, Script, TxOut};

/// The longest script that can be run; outputs with a longer one are no coins.
const MAX_SCRIPT: usize = 10_000;

/// `OP_RETURN`, which ends a script as failed.
const RETURN: u8 = 0x6a;

/// One unspent output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unspent {
    /// The output.
    pub output: TxOut,
    /// Height of the block that created it.
    pub height: u32,
    /// Whether a coinbase created it.
    pub coinbase: bool,
}

/// A UTXO set.
pub type Set = BTreeMap<OutPoint, Unspent>;

/// The set after those blocks, of which the first is at height 1. The genesis block's output can't be spent.
///
/// # Panics
/// If a block spends what isn't there: the blocks must be valid.
#[must_use]
pub fn replay<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Set {
    let mut set = Set::new();
    for (height, block) in (1..).zip(blocks) {
        for (index, transaction) in block.txdata.iter().enumerate() {
            let coinbase = index == 0;
            if !coinbase {
                for input in &transaction.input {
                    set.remove(&input.previous_output).expect("a valid block spends what is there");
                }
            }
            let txid = transaction.compute_txid();
            for (vout, output) in (0..).zip(&transaction.output) {
                if is_coin(&output.script_pubkey) {
                    set.insert(OutPoint { txid, vout }, Unspent { output: output.clone(), height, coinbase });
                }
            }
        }
    }
    set
}

/// Where two sets differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only in the expected set.
    pub missing: Vec<OutPoint>,
    /// Only in the other set.
    pub surplus: Vec<OutPoint>,
    /// In both, with another value, script, height or origin.
    pub changed: Vec<OutPoint>,
}

impl Difference {
    /// Where `found` differs from `expected`; `None` if nowhere.
    #[must_use]
    pub fn between(expected: &Set, found: &Set) -> Option<Self> {
        let absent = |from: &Set, of: &Set| of.keys().filter(|key| !from.contains_key(key)).copied().collect();
        let differs = |(key, coin): &(&OutPoint, &Unspent)| found.get(key).is_some_and(|other| other != *coin);
        let difference = Self {
            missing: absent(found, expected),
            surplus: absent(expected, found),
            changed: expected.iter().filter(differs).map(|(key, _)| *key).collect(),
        };
        (difference != Self::default()).then_some(difference)
    }
}

fn is_coin(script: &Script) -> bool {
    script.len() <= MAX_SCRIPT && script.as_bytes().first() != Some(&RETURN)
}

#[cfg(test)]
mod tests {
    use bitcoin::consensus::encode;

    use super::{Difference, Set, replay};
    use crate::builder::Builder;

    #[test]
    fn vector_has_the_set_that_core_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/regtest-160.blk");
        let file = std::fs::read(path).unwrap();
        let magic = crate::builder::Parameters::regtest().magic;
        let blocks: Vec<_> =
            crate::blk::blocks(&file, magic).into_iter().map(|raw| encode::deserialize(raw).unwrap()).collect();
        let set = replay(&blocks);
        // `gettxoutsetinfo`, in vectors/regtest-160.json.
        assert_eq!(set.len(), 2461);
        let total: u64 = set.values().map(|unspent| unspent.output.value.to_sat()).sum();
        assert_eq!(total, 772_500_000_000);
    }

    #[test]
    fn builders_coins_are_in_the_set() {
        let mut builder = Builder::regtest(1);
        builder.prepare(8);
        for _ in 0..20 {
            builder.random_block();
        }
        let fork = builder.fork_at(builder.height() - 10);
        for branch in [&builder, &fork] {
            let set = replay(branch.blocks());
            for (outpoint, coin) in branch.coins() {
                let unspent = &set[outpoint];
                assert_eq!((&unspent.output, unspent.height), (&coin.output, coin.height));
                assert_eq!(unspent.coinbase, coin.coinbase);
            }
            assert!(branch.unspendable().iter().all(|outpoint| !set.contains_key(outpoint)));
        }
    }

    #[test]
    fn each_difference_is_found() {
        let mut builder = Builder::regtest(2);
        builder.mine_empty(3);
        let expected = replay(builder.blocks());
        assert_eq!(Difference::between(&expected, &expected), None);
        let mut found: Set = expected.clone();
        let keys: Vec<_> = expected.keys().copied().collect();
        found.remove(&keys[0]);
        found.get_mut(&keys[1]).unwrap().height += 1;
        let mut other = keys[2];
        other.vout += 7;
        found.insert(other, expected[&keys[2]].clone());
        let difference = Difference::between(&expected, &found).unwrap();
        assert_eq!(difference, Difference { missing: vec![keys[0]], surplus: vec![other], changed: vec![keys[1]] });
    }
}
