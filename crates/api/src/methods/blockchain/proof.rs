//! Proofs that a block has transactions: BIP-0037's blocks of some leaves of a Merkle tree.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{MerkleBlock, OutPoint, Txid, consensus};
use schemars::JsonSchema;
use serde::Deserialize;
use yap_chain::block::Block;
use yap_chain::header::tree::Id;

use super::super::types::{aside, at_height, block_hash, bytes, confirmations, known, txid, unreadable};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Outputs of each transaction at which its block is looked for. Each may take a read of the disk, so they are few; where
/// more have been spent, the block must be named.
const OUTPUTS: u32 = 64;

/// Transactions that one proof can be asked for. No block has more.
const MOST: usize = 16_666;

/// Gives a proof that a block has transactions, which whoever knows the block's header can verify.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetTxOutProof {
    /// Their ids.
    txids: Vec<String>,
    /// Hash of the block. If it is left out, one of their first outputs must not be spent yet.
    blockhash: Option<String>,
}

impl Method for GetTxOutProof {
    known_as!("gettxoutproof", Blockchain, Open);
    const LARGE: bool = true;
    type Reply = String;

    async fn call(self, context: Context) -> Result<String, Error> {
        let invalid = |text: String| Error::new(Code::InvalidParameter, text);
        if self.txids.is_empty() {
            return Err(invalid("Parameter 'txids' cannot be empty".to_owned()));
        }
        if self.txids.len() > MOST {
            return Err(invalid(format!("Invalid parameter, no block has more than {MOST} transactions")));
        }
        let mut wanted = BTreeSet::new();
        for text in &self.txids {
            if !wanted.insert(txid(text, "txid")?) {
                return Err(invalid(format!("Invalid parameter, duplicated txid: {text}")));
            }
        }
        let named = self.blockhash.map(|text| block_hash(&text, "blockhash")).transpose()?;
        let sought = wanted.clone();
        let block = context.backend.ask(move |view| {
            let id = match named {
                Some(hash) => known(view, &hash)?,
                None => confirmed_at(view, &sought)?,
            };
            view.block(id).map_err(|error| unreadable(&error))
        });
        let block = block.await??;
        aside(move || prove(&block, &wanted)).await
    }
}

/// The block that has one of these, if an output of it is not spent.
fn confirmed_at(view: &mut dyn View, wanted: &BTreeSet<Txid>) -> Result<Id, Error> {
    for txid in wanted {
        for vout in 0..OUTPUTS {
            let coin = view.coin(&OutPoint { txid: *txid, vout }).map_err(|error| unreadable(&error))?;
            if let Some(id) = coin.and_then(|coin| at_height(view, coin.height)) {
                return Ok(id);
            }
        }
    }
    Err(Error::new(Code::NotFound, "Transaction not yet in block"))
}

fn prove(block: &Arc<Block>, wanted: &BTreeSet<Txid>) -> Result<String, Error> {
    let transactions = block.read().map_err(|error| Error::new(Code::Misc, error.to_string()))?;
    let all: Vec<Txid> = transactions.iter().map(|transaction| transaction.txid()).collect();
    if all.iter().filter(|txid| wanted.contains(*txid)).count() != wanted.len() {
        return Err(Error::new(Code::NotFound, "Not all transactions found in specified or retrieved block"));
    }
    let proof = MerkleBlock::from_header_txids_with_predicate(block.header(), &all, |txid| wanted.contains(txid));
    Ok(serialize_hex(&proof))
}

/// Verifies a proof that a block has transactions, and gives their ids; none, if it proves nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct VerifyTxOutProof {
    /// What `gettxoutproof` gave.
    proof: String,
}

impl Method for VerifyTxOutProof {
    known_as!("verifytxoutproof", Blockchain, Open);
    const LARGE: bool = true;
    type Reply = Vec<String>;

    async fn call(self, context: Context) -> Result<Vec<String>, Error> {
        let bytes = bytes(&self.proof, "proof")?;
        let proof: MerkleBlock = consensus::deserialize(&bytes)
            .map_err(|error| Error::new(Code::Misc, format!("the proof can't be read: {error}")))?;
        let mut proven = Vec::new();
        // The root that the leaves give MUST be the header's.
        if proof.extract_matches(&mut proven, &mut Vec::new()).is_err() {
            return Ok(Vec::new());
        }
        let (hash, claimed) = (proof.header.block_hash(), proof.txn.num_transactions());
        let count = context.backend.ask(move |view| {
            let id = view.tree().get(&hash).filter(|id| confirmations(view, *id) > 0);
            id.map(|id| view.transactions(id))
        });
        let missing = || Error::new(Code::NotFound, "Block not found in chain");
        // CVE-2017-12842: an inner node of the tree can be taken for a transaction, unless the tree's size is known.
        if count.await?.ok_or_else(missing)?.is_none_or(|count| count != claimed) {
            return Ok(Vec::new());
        }
        Ok(proven.iter().map(Txid::to_string).collect())
    }
}
