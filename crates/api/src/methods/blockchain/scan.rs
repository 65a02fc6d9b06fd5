//! Looking for coins by what they pay to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bitcoin::hashes::Hash;
use bitcoin::hex::DisplayHex;
use bitcoin::{OutPoint, ScriptBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use yap_chain::coin::Coin;
use yap_chain::spec::Addresses;

use super::super::describe::inferred;
use super::super::types::{Btc, aside, at_height, unreadable};
use super::super::util::descriptor::{Expanded, scan_object};
use super::coins::Asking;
use crate::backend::Coins;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Coins that one scan may find; the reply would be some 40 MB.
const MOST_FOUND: usize = 100_000;

/// Scripts that one scan may look for.
const MOST_SCRIPTS: usize = 100_000;

/// Reads all unspent outputs and gives those that pay to some scripts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ScanTxOutSet {
    /// `start`; `abort` stops a scan that another call started, `status` tells how far it is.
    action: String,
    /// What to look for: descriptors, or objects of `desc` and `range` (its end, or both ends).
    scanobjects: Option<Vec<Value>>,
}

/// What a scan found, or how it stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ScanReply {
    /// What was found.
    Found(Box<Found>),
    /// How far a scan is, in percent.
    Status {
        /// Percent.
        progress: u32,
    },
    /// Whether a scan was stopped.
    Aborted(bool),
    /// No scan is going on.
    Idle,
}

/// What a scan found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Found {
    /// Whether it came to its end.
    success: bool,
    /// Unspent outputs that were looked at.
    txouts: u64,
    /// Height of the block as of which they are unspent.
    height: u32,
    /// Its hash.
    bestblock: String,
    /// What was found.
    unspents: Vec<Held>,
    /// What it is worth together.
    total_amount: Btc,
}

/// A coin that was found.
#[derive(Debug, Serialize, JsonSchema)]
struct Held {
    /// Id of the transaction that made it.
    txid: String,
    /// Its index.
    vout: u32,
    /// Its script.
    #[serde(rename = "scriptPubKey")]
    script: String,
    /// A descriptor of the script.
    desc: String,
    /// What it is worth.
    amount: Btc,
    /// Whether a coinbase made it.
    coinbase: bool,
    /// Height of the block that made it.
    height: u32,
    /// Hash of that block.
    blockhash: String,
    /// Blocks from that one on.
    confirmations: u32,
}

/// The one scan of this program: reading all coins takes the disk's time, so there is one at most.
static ONE: Semaphore = Semaphore::const_new(1);
/// Whether it is to stop.
static ABORT: AtomicBool = AtomicBool::new(false);
/// How far it is, in percent.
static PROGRESS: AtomicU32 = AtomicU32::new(0);

impl Method for ScanTxOutSet {
    known_as!("scantxoutset", Blockchain, Open);
    const LARGE: bool = true;
    type Reply = ScanReply;

    async fn call(self, context: Context) -> Result<ScanReply, Error> {
        let permit = ONE.try_acquire();
        match (self.action.as_str(), permit) {
            ("status", Ok(_)) => Ok(ScanReply::Idle),
            ("status", Err(_)) => Ok(ScanReply::Status { progress: PROGRESS.load(Ordering::Relaxed) }),
            ("abort", Ok(_)) => Ok(ScanReply::Aborted(false)),
            ("abort", Err(_)) => {
                ABORT.store(true, Ordering::Relaxed);
                Ok(ScanReply::Aborted(true))
            }
            ("start", Ok(_permit)) => scan(self.scanobjects, context).await,
            ("start", Err(_)) => {
                let text = "Scan already in progress, use action \"abort\" or \"status\"";
                Err(Error::new(Code::InvalidParameter, text))
            }
            (other, _) => Err(Error::new(Code::InvalidParameter, format!("Invalid action '{other}'"))),
        }
    }
}

/// What one pass over the coins gave.
#[derive(Default)]
struct Pass {
    found: Vec<(OutPoint, Coin)>,
    count: u64,
    complete: bool,
    too_many: bool,
}

async fn scan(objects: Option<Vec<Value>>, context: Context) -> Result<ScanReply, Error> {
    let missing = || Error::new(Code::Misc, "scanobjects argument is required for the start action");
    let objects = objects.ok_or_else(missing)?;
    let spec = Arc::clone(context.backend.spec());
    let wanted = aside(move || wanted(&objects, &spec.addresses)).await?;
    let coins = context.backend.ask(|view| view.coins()).await?.map_err(|error| unreadable(&error))?;
    let tip = coins.tip();
    ABORT.store(false, Ordering::Relaxed);
    PROGRESS.store(0, Ordering::Relaxed);
    let gone = Arc::new(AtomicBool::new(false));
    let _asking = Asking(Arc::clone(&gone));
    let (pass, wanted) = aside(move || Ok((pass(coins, &wanted, &gone)?, wanted))).await?;
    if pass.too_many {
        let text = format!("More than {MOST_FOUND} outputs were found: scan for less");
        return Err(Error::new(Code::Misc, text));
    }
    let found = context.backend.ask(move |view| {
        let height = view.tree().get(&tip).map_or(0, |id| view.tree().height(id));
        let addresses = &view.spec().addresses;
        let unspents: Vec<Held> = pass
            .found
            .iter()
            .map(|(outpoint, coin)| Held {
                txid: outpoint.txid.to_string(),
                vout: outpoint.vout,
                script: coin.script().as_bytes().to_lower_hex_string(),
                desc: wanted.get(coin.script()).cloned().unwrap_or_else(|| inferred(coin.script(), addresses)),
                amount: coin.value.into(),
                coinbase: coin.coinbase,
                height: coin.height,
                blockhash: at_height(view, coin.height).map_or_else(String::new, |id| view.tree().hash(id).to_string()),
                confirmations: height.saturating_sub(coin.height).saturating_add(1),
            })
            .collect();
        let total = unspents.iter().fold(0_i64, |sum, unspent| sum.saturating_add(unspent.amount.to_sat()));
        Found {
            success: pass.complete,
            txouts: pass.count,
            height,
            bestblock: tip.to_string(),
            unspents,
            total_amount: Btc::from_sat(total),
        }
    });
    Ok(ScanReply::Found(Box::new(found.await?)))
}

/// The scripts to look for, each with its descriptor.
fn wanted(objects: &[Value], addresses: &Addresses) -> Result<HashMap<ScriptBuf, String>, Error> {
    let mut wanted = HashMap::new();
    for object in objects {
        for Expanded { script, descriptor } in scan_object(object, addresses)? {
            wanted.insert(script, descriptor);
            if wanted.len() > MOST_SCRIPTS {
                return Err(Error::new(Code::InvalidParameter, "Range is too large"));
            }
        }
    }
    Ok(wanted)
}

fn pass(mut coins: Box<dyn Coins>, wanted: &HashMap<ScriptBuf, String>, gone: &AtomicBool) -> Result<Pass, Error> {
    let mut pass = Pass { complete: true, ..Pass::default() };
    let read = coins.each(&mut |outpoint, coin| {
        pass.count = pass.count.saturating_add(1);
        if wanted.contains_key(coin.script()) {
            pass.too_many = pass.found.len() == MOST_FOUND;
            pass.found.push((*outpoint, coin.clone()));
        }
        if pass.count.is_multiple_of(4096) {
            // Coins come in the order of their transactions' ids, which are spread evenly.
            let [first, ..] = outpoint.txid.to_byte_array();
            PROGRESS.store(u32::from(first).saturating_mul(100) >> 8, Ordering::Relaxed);
        }
        let stop = ABORT.load(Ordering::Relaxed) || gone.load(Ordering::Relaxed);
        pass.complete &= !stop;
        !stop && !pass.too_many
    });
    read.map_err(|error| unreadable(&error))?;
    Ok(pass)
}
