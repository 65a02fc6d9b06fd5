//! Unspent outputs: one, or all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bitcoin::OutPoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::mempool::UNCONFIRMED;
use yap_chain::utxo::{Hashes, Totals};

use super::super::describe::Output;
use super::super::types::{Btc, aside, txid, unreadable};
use crate::backend::{ReadError, View};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Gives an unspent output; nothing if it is spent or was never made.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetTxOut {
    /// Id of the transaction that made it.
    txid: String,
    /// Its index.
    n: u32,
    /// Whether transactions that wait count (as if left out), or only those in blocks.
    include_mempool: Option<bool>,
}

/// An unspent output.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Unspent {
    /// Hash of the newest verified block.
    bestblock: String,
    /// Blocks from the one on that made it; 0 if it waits.
    confirmations: u32,
    /// What it is worth.
    value: Btc,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: Output,
    /// Whether a coinbase made it.
    coinbase: bool,
}

impl Method for GetTxOut {
    known_as!("gettxout", Blockchain, Open);
    type Reply = Option<Unspent>;

    async fn call(self, context: Context) -> Result<Option<Unspent>, Error> {
        let outpoint = OutPoint { txid: txid(&self.txid, "txid")?, vout: self.n };
        let pending = self.include_mempool.unwrap_or(true);
        let found = context.backend.ask(move |view| unspent(view, &outpoint, pending));
        found.await?.map_err(|error| unreadable(&error))
    }
}

fn unspent(view: &mut dyn View, outpoint: &OutPoint, pending: bool) -> Result<Option<Unspent>, ReadError> {
    let made = if pending { view.pool().coin(outpoint) } else { None };
    if pending && view.pool().spender(outpoint).is_some() {
        return Ok(None);
    }
    let coin = match made {
        Some(coin) => Some(coin),
        None => view.coin(outpoint)?,
    };
    let (tree, tip) = (view.tree(), view.tip());
    Ok(coin.map(|coin| Unspent {
        bestblock: tree.hash(tip).to_string(),
        confirmations: match coin.height {
            UNCONFIRMED => 0,
            height => tree.height(tip).saturating_sub(height).saturating_add(1),
        },
        value: coin.value.into(),
        script: Output::of(coin.script(), &view.spec().addresses),
        coinbase: coin.coinbase,
    }))
}

/// Reads all unspent outputs and gives their totals and hash. It takes long on a large chain; a caller who leaves stops
/// it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetTxOutSetInfo {
    /// Which hash: `hash_serialized_3` (as if left out), `muhash` or `none`.
    hash_type: Option<String>,
    /// Not supported: only the newest block can be asked about.
    hash_or_height: Option<serde_json::Value>,
    /// Without effect: there is no index.
    use_index: Option<bool>,
}

/// Totals of all unspent outputs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SetInfo {
    /// Height of the block as of which they are unspent.
    height: u32,
    /// Its hash.
    bestblock: String,
    /// How many there are.
    txouts: u64,
    /// A measure of their size that does not depend on how they are stored.
    bogosize: u64,
    /// Hash over all, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_serialized_3: Option<String>,
    /// Hash over all, in any order.
    #[serde(skip_serializing_if = "Option::is_none")]
    muhash: Option<String>,
    /// What they are worth together.
    total_amount: Btc,
    /// Transactions that have one.
    transactions: u64,
    /// Bytes on disk, blocks included.
    disk_size: u64,
}

/// Tells a thread to stop once whoever asked is gone.
pub(super) struct Asking(pub(super) Arc<AtomicBool>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Method for GetTxOutSetInfo {
    known_as!("gettxoutsetinfo", Blockchain, Open);
    type Reply = SetInfo;

    async fn call(self, context: Context) -> Result<SetInfo, Error> {
        let _ = self.use_index;
        let hashes = match self.hash_type.as_deref() {
            None | Some("hash_serialized_3") => Hashes { serialized: true, muhash: false },
            Some("muhash") => Hashes { serialized: false, muhash: true },
            Some("none") => Hashes::default(),
            Some(other) => {
                let text = format!("'{other}' is not a valid hash_type");
                return Err(Error::new(Code::InvalidParameter, text));
            }
        };
        if self.hash_or_height.is_some() {
            let text = "Querying specific block heights requires coinstatsindex";
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let read = context.backend.ask(|view| Ok((view.coins()?, view.size_on_disk()))).await?;
        let (mut coins, disk_size) = read.map_err(|_: ReadError| failed())?;
        let hash = coins.tip();
        let stop = Arc::new(AtomicBool::new(false));
        let _asking = Asking(Arc::clone(&stop));
        let totals = aside(move || {
            let totals = coins.totals(hashes, &|| stop.load(Ordering::Relaxed)).map_err(|_| failed())?;
            totals.ok_or_else(failed)
        });
        let totals = totals.await?;
        let height = context.backend.ask(move |view| view.tree().get(&hash).map(|id| view.tree().height(id))).await?;
        Ok(SetInfo::of(height.unwrap_or(0), hash.to_string(), &totals, disk_size))
    }
}

fn failed() -> Error {
    Error::new(Code::Internal, "Unable to read UTXO set")
}

impl SetInfo {
    fn of(height: u32, bestblock: String, totals: &Totals, disk_size: u64) -> Self {
        Self {
            height,
            bestblock,
            txouts: totals.txouts,
            bogosize: totals.bogosize,
            hash_serialized_3: totals.serialized.map(|hash| hash.to_string()),
            muhash: totals.muhash.map(|hash| hash.to_string()),
            total_amount: totals.amount.into(),
            transactions: totals.transactions,
            disk_size,
        }
    }
}
