//! A block that has yet to be found: everything but the work.
//!
//! The coinbase holds eight bytes of no meaning, the *extra nonce*. With another one the header has another Merkle root, and
//! so four billion nonces more; the other transactions are not hashed again for that.
//!
//! Where blocks are signed (BIP-0325), a draft is [signed](Draft::sign) before it is mined. The signature covers the coinbase
//! and the time, so a signed draft has one header, and four billion nonces in all.

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::sha256d;
use bitcoin::script::Builder;
use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Txid, Witness, transaction};

use super::signet::{self, Solution};
use super::{Block, merkle, witness};
use crate::header::tree::{Id, Tree};
use crate::mempool::Template;
use crate::transaction::Transaction;

/// BIP-0009: a block that signals for nothing.
const VERSION: i32 = 0x2000_0000;

/// What a block is made of, beside its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Everything but the coinbase, parents before children.
    pub transactions: Vec<Arc<Transaction>>,
    /// What the coinbase takes of what they pay.
    pub fees: Amount,
    /// Who gets that, and what the block creates.
    pub payout: ScriptBuf,
}

impl Contents {
    /// The transactions of `template`, for the benefit of `payout`.
    #[must_use]
    pub fn of(template: &Template, payout: ScriptBuf) -> Self {
        let transactions = template.entries.iter().map(|entry| Arc::clone(entry.transaction())).collect();
        Self { transactions, fees: template.fees, payout }
    }
}

/// A block that has yet to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Without Merkle root and nonce.
    header: Header,
    height: u32,
    /// Without extra nonce, unless it is signed.
    coinbase: bitcoin::Transaction,
    others: Vec<Arc<Transaction>>,
    /// What the coinbase is hashed with on its way to the Merkle root.
    branch: Vec<sha256d::Hash>,
    signed: bool,
}

impl Draft {
    /// A block on `parent`, which claims the time `now` (seconds since 1970) or the earliest allowed if that is later.
    ///
    /// What the rules say of the transactions is for the mempool to know, and nothing is checked here.
    #[must_use]
    pub fn new(tree: &Tree, parent: Id, contents: Contents, now: u32) -> Self {
        let height = tree.height(parent).saturating_add(1);
        let time = now.max(tree.earliest_time(parent));
        let header = Header {
            version: Version::from_consensus(VERSION),
            prev_blockhash: tree.hash(parent),
            merkle_root: TxMerkleNode::from_raw_hash(merkle::root(Vec::new()).hash),
            time,
            bits: tree.next_bits(parent, time),
            nonce: 0,
        };
        let Contents { transactions: others, fees, payout } = contents;
        let spec = tree.spec();
        let value = spec.subsidy_at(height).checked_add(fees).unwrap_or(Amount::MAX_MONEY);
        let mut output = vec![TxOut { value, script_pubkey: payout }];
        let mut witness = Witness::new();
        // BIP-0141: with or without witnesses to commit to, as Bitcoin Core does.
        if height >= spec.deployments.segwit {
            let script_pubkey = witness::commitment_script(others.iter().map(AsRef::as_ref));
            output.push(TxOut { value: Amount::ZERO, script_pubkey });
            witness.push(witness::RESERVED);
        }
        let coinbase = bitcoin::Transaction {
            version: transaction::Version::TWO,
            // BIP-0054: a coinbase that can be in no other block, as Bitcoin Core makes them.
            lock_time: LockTime::from_consensus(height.saturating_sub(1)),
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_LOCKTIME_NO_RBF,
                witness,
            }],
            output,
        };
        let branch = merkle::branch(others.iter().map(|transaction| transaction.txid().to_raw_hash()).collect());
        Self { header, height, coinbase, others, branch, signed: false }
    }

    /// Its height.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The draft of that extra nonce with a solution of `challenge` in it, which `solve` gives for what is to be signed. It has
    /// one header: other extra nonces and times make no other blocks of it.
    ///
    /// # Errors
    /// If there is no place for a solution, as where blocks don't commit to witnesses, or it does not fit.
    pub fn sign(
        &self,
        extra: u64,
        challenge: &Script,
        solve: impl FnOnce(&bitcoin::Transaction) -> Solution,
    ) -> Result<Self, signet::Error> {
        let mut coinbase = self.coinbase(extra);
        // The root that is signed is that of a coinbase with the solution's header and no solution.
        signet::put(&mut coinbase, &Solution::default())?;
        let to_sign = signet::spending(&self.header, &coinbase, |coinbase| self.root(coinbase), challenge)?;
        signet::put(&mut coinbase, &solve(&to_sign))?;
        Ok(Self { coinbase, signed: true, ..self.clone() })
    }

    /// Whether it is signed, so that it has one header.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signed
    }

    /// The header with that extra nonce, and the nonce 0. Its time may be moved on, as long as the bits stay what the chain
    /// asks for ([`time_is_free`](crate::spec::ProofOfWork::time_is_free)).
    #[must_use]
    pub fn header(&self, extra: u64) -> Header {
        Header { merkle_root: self.root(self.coinbase(extra).compute_txid()), ..self.header }
    }

    fn root(&self, coinbase: Txid) -> TxMerkleNode {
        TxMerkleNode::from_raw_hash(merkle::climb(coinbase.to_raw_hash(), &self.branch))
    }

    /// The block of that extra nonce with the nonce and the time that were found for it.
    ///
    /// # Panics
    /// Never: a coinbase that was made here can be read.
    #[must_use]
    pub fn seal(&self, extra: u64, time: u32, nonce: u32) -> Block {
        let header = Header { time, nonce, ..self.header(extra) };
        let coinbase = Transaction::parse(serialize(&self.coinbase(extra))).expect("it was made of parts");
        let others = self.others.iter().map(|transaction| transaction.as_ref().clone());
        Block::assemble(header, std::iter::once(coinbase).chain(others).collect())
    }

    /// BIP-0034: the height comes first.
    fn coinbase(&self, extra: u64) -> bitcoin::Transaction {
        let mut coinbase = self.coinbase.clone();
        if self.signed {
            return coinbase;
        }
        let script = Builder::new().push_int(self.height.into()).push_slice(extra.to_le_bytes()).into_script();
        coinbase.input.iter_mut().for_each(|input| input.script_sig.clone_from(&script));
        coinbase
    }
}

#[cfg(test)]
mod tests;
