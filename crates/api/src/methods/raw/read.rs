//! Transactions that are known here.

use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::Txid;
use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::spec::Spec;
use yap_chain::undo::Undo;

use super::super::describe::{Detail, Transaction};
use super::super::types::{Verbosity, aside, block_hash, confirmations, txid};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Gives a transaction that waits, or one of a block.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetRawTransaction {
    /// Its id.
    txid: String,
    /// 0 (as if left out): its bytes; 1: described; 2: with its fee and what it spends.
    verbosity: Option<Verbosity>,
    /// Hash of the block that has it; needed if it does not wait, as there is no index of all transactions.
    blockhash: Option<String>,
}

/// A transaction: its bytes in hexadecimal digits, or described.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawReply {
    /// Its bytes.
    Hex(String),
    /// Described.
    Described(Box<Described>),
}

/// A transaction and its place.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Described {
    /// Whether the block that was named is on the best chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_active_chain: Option<bool>,
    /// The transaction.
    #[serde(flatten)]
    transaction: Transaction,
    /// Where it stands.
    #[serde(flatten)]
    place: Option<Place>,
}

/// Where a transaction stands.
#[derive(Debug, Serialize, JsonSchema)]
struct Place {
    /// Hash of its block.
    blockhash: String,
    /// Blocks from that one on; 0 if the block is not on the best chain.
    confirmations: i64,
    /// Time of the block, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<u32>,
    /// The same.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocktime: Option<u32>,
}

/// A block that is said to have a transaction.
struct Stored {
    block: Arc<Block>,
    undo: Option<Undo>,
    active: bool,
    place: Place,
}

impl Method for GetRawTransaction {
    known_as!("getrawtransaction", RawTransactions, Open);
    type Reply = RawReply;

    async fn call(self, context: Context) -> Result<RawReply, Error> {
        let id = txid(&self.txid, "parameter 1")?;
        let spec = Arc::clone(context.backend.spec());
        if id.to_raw_hash() == spec.genesis.header.merkle_root.to_raw_hash() {
            let text = "The genesis block coinbase is not considered an ordinary transaction and cannot be retrieved";
            return Err(Error::new(Code::NotFound, text));
        }
        let Verbosity(verbosity) = self.verbosity.unwrap_or(Verbosity(0));
        if let Some(text) = self.blockhash {
            let hash = block_hash(&text, "parameter 3")?;
            let stored = context.backend.ask(move |view| stored(view, &hash)).await??;
            return aside(move || of_block(stored, id, verbosity, &spec)).await;
        }
        let entry = context.backend.ask(move |view| view.pool().get_by_txid(&id).cloned()).await?;
        let entry = entry.ok_or_else(|| {
            let text = "No such mempool transaction. Use -txindex or provide a block hash to enable blockchain \
                        transaction queries. Use gettransaction for wallet transactions.";
            Error::new(Code::NotFound, text)
        })?;
        Ok(reply(entry.transaction(), Some(entry.spent()), verbosity, &spec, (None, None)))
    }
}

fn stored(view: &dyn View, hash: &BlockHash) -> Result<Stored, Error> {
    let id = view.tree().get(hash).ok_or_else(|| Error::new(Code::NotFound, "Block hash not found"))?;
    let confirmations = confirmations(view, id);
    let active = confirmations > 0;
    let time = active.then(|| view.tree().time(id));
    Ok(Stored {
        block: view.block(id).map_err(|_| Error::new(Code::Misc, "Block not available"))?,
        undo: view.undo(id).ok(),
        active,
        place: Place { blockhash: hash.to_string(), confirmations: confirmations.max(0), time, blocktime: time },
    })
}

fn of_block(stored: Stored, id: Txid, verbosity: i64, spec: &Spec) -> Result<RawReply, Error> {
    let transactions = stored.block.read().map_err(|_| Error::new(Code::Misc, "Block not available"))?;
    let found = transactions.iter().enumerate().find(|(_, transaction)| transaction.txid() == id);
    let (index, transaction) = found.ok_or_else(|| {
        let text = "No such transaction found in the provided block. Use gettransaction for wallet transactions.";
        Error::new(Code::NotFound, text)
    })?;
    let coins = stored.undo.as_ref().and_then(|undo| undo.transactions.get(index.checked_sub(1)?));
    Ok(reply(transaction, coins, verbosity, spec, (Some(stored.active), Some(stored.place))))
}

fn reply(
    transaction: &yap_chain::transaction::Transaction,
    coins: Option<&Arc<[Coin]>>,
    verbosity: i64,
    spec: &Spec,
    (in_active_chain, place): (Option<bool>, Option<Place>),
) -> RawReply {
    if verbosity <= 0 {
        return RawReply::Hex(transaction.raw().as_slice().to_lower_hex_string());
    }
    let described = Transaction::of(transaction, &spec.addresses).with_hex(transaction);
    let described = match coins {
        Some(coins) if verbosity >= 2 => described.with_coins(transaction, coins, Detail::Coins, &spec.addresses),
        _ => described,
    };
    RawReply::Described(Box::new(Described { in_active_chain, transaction: described, place }))
}
