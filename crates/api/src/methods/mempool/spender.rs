//! Which waiting transactions spend what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use bitcoin::hex::DisplayHex;

use super::super::raw::outpoint;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Outputs that can be asked about at a time.
const MOST: usize = 10_000;

/// Tells which waiting transactions spend some outputs.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetTxSpendingPrevOut {
    /// The outputs: objects of `txid` and `vout`.
    outputs: Vec<Value>,
    /// What else is wanted.
    options: Option<Wanted>,
}

/// What else is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Whether only waiting transactions are looked at: always, as there is no index of others.
    mempool_only: Option<bool>,
    /// Whether the transactions' bytes are wanted, too.
    return_spending_tx: Option<bool>,
}

/// An output, and what spends it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Spending {
    /// Id of the transaction that made it.
    txid: String,
    /// Its index.
    vout: u32,
    /// Id of the waiting transaction that spends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    spendingtxid: Option<String>,
    /// That transaction's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    spendingtx: Option<String>,
}

impl Method for GetTxSpendingPrevOut {
    known_as!("gettxspendingprevout", Mempool, Open);
    type Reply = Vec<Spending>;

    async fn call(self, context: Context) -> Result<Vec<Spending>, Error> {
        let wrong = |text: &str| Error::new(Code::InvalidParameter, text);
        if self.outputs.is_empty() {
            return Err(wrong("Invalid parameter, outputs are missing"));
        }
        if self.outputs.len() > MOST {
            return Err(wrong(&format!("Invalid parameter, more than {MOST} outputs")));
        }
        let wanted = self.options.unwrap_or_default();
        if wanted.mempool_only == Some(false) {
            let text = "Mempool lacks a relevant spend, and txospenderindex is unavailable.";
            return Err(Error::new(Code::Misc, text));
        }
        let full = wanted.return_spending_tx.unwrap_or(false);
        let outpoints = self.outputs.iter().map(|value| {
            let object = value.as_object();
            outpoint(object.ok_or_else(|| Error::new(Code::Type, "an output is not an object as expected"))?)
        });
        let outpoints = outpoints.collect::<Result<Vec<_>, _>>()?;
        let found = context.backend.ask(move |view| {
            let pool = view.pool();
            outpoints.into_iter().map(|outpoint| (outpoint, pool.spender(&outpoint).cloned())).collect::<Vec<_>>()
        });
        let spendings = found.await?.into_iter().map(|(outpoint, spender)| Spending {
            txid: outpoint.txid.to_string(),
            vout: outpoint.vout,
            spendingtxid: spender.as_ref().map(|entry| entry.txid().to_string()),
            spendingtx: spender
                .filter(|_| full)
                .map(|entry| entry.transaction().raw().as_slice().to_lower_hex_string()),
        });
        Ok(spendings.collect())
    }
}
