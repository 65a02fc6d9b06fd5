//! All transactions that wait.

use bitcoin::Txid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use yap_chain::mempool::Mempool;

use super::super::types::{Btc, aside};
use super::entry::Described;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Transactions that are described in one job, so that a large pool does not hold up the ledger.
const BATCH: usize = 500;

/// Tells how the transactions that wait stand together.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMempoolInfo {}

/// How the transactions that wait stand together.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Info {
    /// Whether those of the last run were read.
    loaded: bool,
    /// How many there are.
    size: usize,
    /// Their virtual bytes.
    bytes: u64,
    /// Bytes of memory that they take.
    usage: usize,
    /// What they pay.
    total_fee: Btc,
    /// Bytes of memory that they may take.
    maxmempool: usize,
    /// The least that a transaction must pay now, in coins for 1,000 virtual bytes.
    mempoolminfee: Btc,
    /// The least that a transaction must pay at any time.
    minrelaytxfee: Btc,
    /// What must be paid more to replace others.
    incrementalrelayfee: Btc,
    /// How many no peer has yet.
    unbroadcastcount: usize,
    /// Whether any may be replaced by one that pays more: yes.
    fullrbf: bool,
    /// Whether bare multi-signature outputs are taken.
    permitbaremultisig: bool,
    /// Bytes of outputs for data that are taken.
    maxdatacarriersize: usize,
    /// Transactions that may be connected.
    limitclustercount: usize,
    /// Virtual bytes of transactions that may be connected.
    limitclustersize: u64,
    /// Whether all are in the best known order: always.
    optimal: bool,
}

impl Method for GetMempoolInfo {
    known_as!("getmempoolinfo", Mempool, Open);
    type Reply = Info;

    async fn call(self, context: Context) -> Result<Info, Error> {
        Ok(context.backend.ask(|view| info(view.pool(), view.now().into())).await?)
    }
}

fn info(pool: &Mempool, now: u64) -> Info {
    let (limits, rules) = (pool.limits(), pool.rules());
    Info {
        loaded: true,
        size: pool.len(),
        bytes: pool.vsize(),
        usage: pool.usage(),
        total_fee: pool.fees().into(),
        maxmempool: limits.usage,
        mempoolminfee: pool.min_feerate(now).into(),
        minrelaytxfee: limits.relay.into(),
        incrementalrelayfee: limits.increment.into(),
        unbroadcastcount: pool.unbroadcast().len(),
        fullrbf: true,
        permitbaremultisig: rules.is_none_or(|rules| rules.bare_multisig),
        maxdatacarriersize: rules.and_then(|rules| rules.datacarrier).unwrap_or(0),
        limitclustercount: limits.cluster_count,
        limitclustersize: limits.cluster_vsize,
        optimal: true,
    }
}

/// Lists the transactions that wait, those that will be mined first at the front.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetRawMempool {
    /// Whether to describe them, and not only to give their ids.
    verbose: Option<bool>,
    /// Whether to give a number with the list of ids that grows with each arrival.
    mempool_sequence: Option<bool>,
}

/// Transactions that wait: their ids, or described.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Listed {
    /// Their ids.
    Ids(Vec<String>),
    /// Their ids, and a number that grows with each arrival.
    Sequenced {
        /// Their ids.
        txids: Vec<String>,
        /// The number.
        mempool_sequence: u64,
    },
    /// By id.
    Described(Map<String, serde_json::Value>),
}

impl Method for GetRawMempool {
    known_as!("getrawmempool", Mempool, Open);
    const LARGE: bool = true;
    type Reply = Listed;

    async fn call(self, context: Context) -> Result<Listed, Error> {
        let (verbose, sequenced) = (self.verbose.unwrap_or(false), self.mempool_sequence.unwrap_or(false));
        if verbose && sequenced {
            let text = "Verbose results cannot contain mempool sequence values.";
            return Err(Error::new(Code::InvalidParameter, text));
        }
        let list = context.backend.ask(|view| {
            let pool = view.pool();
            (pool.by_feerate().map(|entry| entry.txid()).collect::<Vec<_>>(), pool.sequence())
        });
        let (ids, mempool_sequence) = list.await?;
        if verbose {
            return described(ids, context).await;
        }
        let txids = aside(move || Ok(ids.iter().map(Txid::to_string).collect())).await?;
        Ok(if sequenced { Listed::Sequenced { txids, mempool_sequence } } else { Listed::Ids(txids) })
    }
}

/// Describes transactions some at a time. What left meanwhile is passed over.
async fn described(ids: Vec<Txid>, context: Context) -> Result<Listed, Error> {
    let mut all = Map::with_capacity(ids.len());
    for batch in ids.chunks(BATCH) {
        let batch = batch.to_vec();
        let part = context.backend.ask(move |view| {
            let pool = view.pool();
            let found = batch.iter().filter_map(|id| Some((*id, Described::of(pool, pool.get_by_txid(id)?))));
            found.collect::<Vec<_>>()
        });
        for (id, described) in part.await? {
            let value = serde_json::to_value(described);
            let value = value.map_err(|error| Error::new(Code::Internal, error.to_string()))?;
            all.insert(id.to_string(), value);
        }
    }
    Ok(Listed::Described(all))
}
