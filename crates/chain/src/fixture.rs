//! Small chains for tests: transactions and blocks as short as they can be said, and a set in memory.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use std::collections::BTreeMap;
use std::convert::Infallible;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Witness, transaction,
};

use crate::block::{self, Block, merkle, witness};
use crate::coin::Coin;
use crate::connect::{self, Changes, Coins};
use crate::spec::Deployments;
use crate::transaction::Transaction;
use crate::transaction::lock::Ancestors;
use crate::verify::Flags;

/// Soft forks as on regtest: all from the first block on.
pub(crate) fn deployments() -> Deployments {
    Deployments {
        bip34: 1,
        bip34_hash: None,
        bip65: 1,
        bip66: 1,
        csv: 1,
        segwit: 0,
        bip30_repeats: Vec::new(),
        script_exceptions: Vec::new(),
    }
}

/// Soft forks of Bitcoin's first years: none.
pub(crate) fn before_soft_forks() -> Deployments {
    let never = u32::MAX;
    Deployments { bip34: never, bip65: never, bip66: never, csv: never, segwit: never, ..deployments() }
}

pub(crate) fn output(value: u64) -> TxOut {
    TxOut { value: Amount::from_sat(value), script_pubkey: ScriptBuf::from_bytes(vec![0x51]) }
}

pub(crate) fn input(previous_output: OutPoint) -> TxIn {
    TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness: Witness::new() }
}

/// An outpoint that differs with `n`.
pub(crate) fn outpoint(n: u32) -> OutPoint {
    OutPoint { txid: bitcoin::Txid::hash(&n.to_le_bytes()), vout: 0 }
}

/// A coinbase that begins with `height` and pays `values`.
pub(crate) fn coinbase(height: u32, values: &[u64]) -> bitcoin::Transaction {
    let script_sig = Builder::new().push_int(height.into()).push_int(0).into_script();
    bitcoin::Transaction { input: vec![TxIn { script_sig, ..input(OutPoint::null()) }], ..spend(&[], values) }
}

/// A transaction that spends `outpoints` and pays `values`.
pub(crate) fn spend(outpoints: &[OutPoint], values: &[u64]) -> bitcoin::Transaction {
    bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: outpoints.iter().copied().map(input).collect(),
        output: values.iter().copied().map(output).collect(),
    }
}

pub(crate) fn parsed(transaction: &bitcoin::Transaction) -> Transaction {
    Transaction::parse(serialize(transaction)).expect("it has inputs")
}

/// A block of `transactions` whose header commits to them.
pub(crate) fn block(transactions: &[bitcoin::Transaction]) -> Block {
    let ids = transactions.iter().map(|transaction| transaction.compute_txid().to_raw_hash()).collect();
    with_root(transactions, TxMerkleNode::from_raw_hash(merkle::root(ids).hash))
}

pub(crate) fn with_root(transactions: &[bitcoin::Transaction], merkle_root: TxMerkleNode) -> Block {
    let header = Header {
        version: Version::TWO,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root,
        time: 1_000_000_000,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: 0,
    };
    let block = bitcoin::Block { header, txdata: transactions.to_vec() };
    Block::parse(serialize(&block)).expect("its transactions have inputs")
}

/// A block of `transactions` whose coinbase gets a commitment to the witnesses, and a witness.
pub(crate) fn committed(mut transactions: Vec<bitcoin::Transaction>) -> Block {
    let commitment = witness::commitment_of(&block(&transactions), [7; 32]);
    let script = [&witness::COMMITMENT_HEADER[..], &commitment].concat();
    let coinbase = &mut transactions[0];
    coinbase.input[0].witness = Witness::from_slice(&[[7_u8; 32]]);
    coinbase.output.push(TxOut { value: Amount::ZERO, script_pubkey: script.into() });
    block(&transactions)
}

/// A header chain with a block each ten minutes: the median time past of height h is `GENESIS_TIME + 600 h`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EveryTenMinutes;

pub(crate) const GENESIS_TIME: u32 = 1_000_000_000;

impl Ancestors for EveryTenMinutes {
    fn median_time_past(&self, height: u32) -> u32 {
        GENESIS_TIME + 600 * height
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        Some(BlockHash::hash(&height.to_le_bytes()))
    }
}

pub(crate) fn place(height: u32, deployments: &Deployments) -> block::Context<'_> {
    block::Context { height, median_time_past: EveryTenMinutes.median_time_past(height - 1), deployments }
}

pub(crate) fn context(height: u32, deployments: &Deployments) -> connect::Context<'_, EveryTenMinutes> {
    connect::Context {
        place: place(height, deployments),
        ancestors: &EveryTenMinutes,
        subsidy: Amount::from_int_btc(50),
        flags: Flags::ALL,
        scripts: true,
        seed: 42,
    }
}

/// A set in memory that counts what it is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) coins: BTreeMap<OutPoint, Coin>,
    pub(crate) asked: Vec<OutPoint>,
}

impl Set {
    pub(crate) fn with(coins: impl IntoIterator<Item = (OutPoint, Coin)>) -> Self {
        Self { coins: coins.into_iter().collect(), asked: Vec::new() }
    }

    /// Applies `changes`, which must be exact.
    pub(crate) fn apply(&mut self, changes: &Changes) {
        for outpoint in &changes.removed {
            assert!(self.coins.remove(outpoint).is_some(), "{outpoint} is not there");
        }
        for (outpoint, coin) in &changes.created {
            assert!(self.coins.insert(*outpoint, coin.clone()).is_none(), "{outpoint} is there already");
        }
    }
}

impl Coins for Set {
    type Error = Infallible;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        self.asked.push(*outpoint);
        Ok(self.coins.get(outpoint).cloned())
    }
}

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// The blocks of `vectors/regtest-160.blk`, heights 1 to 160, which Bitcoin Core has validated.
pub(crate) fn regtest_160() -> Vec<Vec<u8>> {
    let mut rest: &[u8] = include_bytes!("../../../vectors/regtest-160.blk");
    let mut blocks = Vec::new();
    while let [0xfa, 0xbf, 0xb5, 0xda, a, b, c, d, after @ ..] = rest {
        let (block, after) = after.split_at(usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap());
        blocks.push(block.to_vec());
        rest = after;
    }
    assert_eq!(blocks.len(), 160);
    blocks
}
