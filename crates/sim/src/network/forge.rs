//! Makes blocks that solve their header, on any parent.

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::{Encodable, serialize};
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxMerkleNode, TxOut, VarInt, Witness};
use yap_chain::block::{Block, merkle, witness};
use yap_chain::header::tree::{Id, Tree};
use yap_chain::transaction::Transaction as Parsed;

use crate::builder::solve;

/// What a block is made of, beside its parent.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Everything but the coinbase, parents first.
    pub transactions: &'a [Arc<Parsed>],
    /// Where the reward goes: outputs that share it.
    pub payout: &'a [ScriptBuf],
    /// What the transactions pay.
    pub fees: Amount,
    /// The time it claims, if the rules allow; else the earliest that they allow.
    pub time: u32,
    /// Tells it from others.
    pub salt: u64,
}

impl Draft<'_> {
    /// The block on `parent`, which need not be valid otherwise: nothing is checked.
    #[must_use]
    pub fn seal(&self, tree: &Tree, parent: Id) -> Block {
        let height = tree.height(parent) + 1;
        let coinbase = self.coinbase(height, tree.spec().subsidy_at(height) + self.fees);
        let txids = self.transactions.iter().map(|transaction| transaction.txid().to_raw_hash());
        let leaves = std::iter::once(coinbase.compute_txid().to_raw_hash()).chain(txids).collect();
        let time = self.time.max(tree.earliest_time(parent));
        let mut header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: tree.hash(parent),
            merkle_root: TxMerkleNode::from_raw_hash(merkle::root(leaves).hash),
            time,
            bits: tree.next_bits(parent, time),
            nonce: 0,
        };
        solve(&mut header);
        let mut bytes = serialize(&header);
        let count = VarInt::from(self.transactions.len() + 1);
        count.consensus_encode(&mut bytes).expect("a vector takes everything");
        coinbase.consensus_encode(&mut bytes).expect("a vector takes everything");
        self.transactions.iter().for_each(|transaction| bytes.extend_from_slice(transaction.raw().as_slice()));
        Block::parse(bytes).expect("it was put together from blocks' parts")
    }

    fn coinbase(&self, height: u32, reward: Amount) -> Transaction {
        let script_sig = Builder::new().push_int(i64::from(height)).push_slice(self.salt.to_le_bytes()).into_script();
        let reserved = [0; 32];
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[reserved]),
        };
        let share = reward / self.payout.len() as u64;
        let rest = reward - share * self.payout.len() as u64;
        let mut output: Vec<TxOut> =
            self.payout.iter().map(|script| TxOut { value: share, script_pubkey: script.clone() }).collect();
        output[0].value += rest;
        output.push(TxOut { value: Amount::ZERO, script_pubkey: self.commitment(&reserved) });
        Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output,
        }
    }

    /// BIP-0141: the coinbase commits to every witness; zeros stand for its own.
    fn commitment(&self, reserved: &[u8; 32]) -> ScriptBuf {
        let others = self.transactions.iter().map(|transaction| transaction.wtxid().to_raw_hash());
        let root = merkle::root(std::iter::once(sha256d::Hash::all_zeros()).chain(others).collect());
        let mut engine = sha256d::Hash::engine();
        engine.input(root.hash.as_byte_array());
        engine.input(reserved);
        let hash = sha256d::Hash::from_engine(engine);
        let data = [&witness::COMMITMENT_HEADER[2..], hash.as_byte_array()].concat();
        ScriptBuf::new_op_return(PushBytesBuf::try_from(data).expect("36 bytes can be pushed"))
    }
}
