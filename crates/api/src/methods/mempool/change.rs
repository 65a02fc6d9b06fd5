//! What the operator does with transactions that wait.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::types::txid;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Saves the transactions that wait, so that they wait again after the node was stopped.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SaveMempool {}

/// Where transactions are saved.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Saved {
    /// The file.
    filename: String,
}

impl Method for SaveMempool {
    known_as!("savemempool", Mempool, Cookie);
    type Reply = Saved;

    async fn call(self, context: Context) -> Result<Saved, Error> {
        let saved = context.backend.save_mempool().await?;
        let filename = saved.map_err(|why| Error::new(Code::Misc, format!("Unable to dump mempool to disk: {why}")))?;
        Ok(Saved { filename })
    }
}

/// Changes what a transaction counts for when blocks are made, whatever it pays; also of one that is yet to come.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PrioritiseTransaction {
    /// Its id.
    txid: String,
    /// Without effect; 0 or left out.
    dummy: Option<f64>,
    /// Satoshis more, or, negative, less. They add up.
    fee_delta: i64,
}

impl Method for PrioritiseTransaction {
    known_as!("prioritisetransaction", Mining, Cookie);
    type Reply = bool;

    async fn call(self, context: Context) -> Result<bool, Error> {
        let id = txid(&self.txid, "txid")?;
        if self.dummy.is_some_and(|dummy| dummy != 0.0) {
            let text = "Priority is no longer supported, dummy argument to prioritisetransaction must be 0.";
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let sum = context.backend.ask(move |view| view.prioritise(id, self.fee_delta)).await?;
        let full = "Too many transactions have a priority: set some back to 0 first";
        sum.map(|_| true).ok_or_else(|| Error::new(Code::Misc, full))
    }
}

/// Lists the transactions whose worth was changed by `prioritisetransaction`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetPrioritisedTransactions {}

/// How the worth of a transaction was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Priority {
    /// Satoshis more, or, negative, less.
    fee_delta: i64,
    /// Whether it waits.
    in_mempool: bool,
    /// What it counts for, in satoshis, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_fee: Option<i64>,
}

impl Method for GetPrioritisedTransactions {
    known_as!("getprioritisedtransactions", Mining, Open);
    type Reply = BTreeMap<String, Priority>;

    async fn call(self, context: Context) -> Result<BTreeMap<String, Priority>, Error> {
        let priorities = context.backend.ask(|view| {
            let pool = view.pool();
            let all = pool.priorities().iter().map(|(id, delta)| {
                let entry = pool.get_by_txid(id);
                let modified_fee = entry.map(|entry| entry.paid().fee);
                (id.to_string(), Priority { fee_delta: *delta, in_mempool: entry.is_some(), modified_fee })
            });
            all.collect()
        });
        Ok(priorities.await?)
    }
}
