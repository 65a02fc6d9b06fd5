//! One transaction that waits, and those that it is connected with.

use std::sync::Arc;

use bitcoin::Txid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use yap_chain::mempool::{Entry, Mempool, Paid};

use super::super::types::{Btc, txid};
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// A transaction that waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Described {
    /// Virtual bytes that count for its fee rate.
    vsize: u64,
    /// Weight units (BIP-0141).
    weight: u32,
    /// When it came, in seconds since 1970.
    time: u64,
    /// Height of the chain when it came.
    height: u32,
    /// Transactions that depend on it, itself included.
    descendantcount: usize,
    /// Their virtual bytes.
    descendantsize: u64,
    /// Transactions that it depends on, itself included.
    ancestorcount: usize,
    /// Their virtual bytes.
    ancestorsize: u64,
    /// Hash of all of it.
    wtxid: String,
    /// Weight units of all that it will be mined with.
    chunkweight: i64,
    /// What it and others pay.
    fees: Fees,
    /// Transactions that wait, too, whose outputs it spends.
    depends: Vec<String>,
    /// Transactions that wait, too, and spend its outputs.
    spentby: Vec<String>,
    /// Whether it, or one that it depends on, says that it may be replaced (BIP-0125). Every one may be.
    #[serde(rename = "bip125-replaceable")]
    replaceable: bool,
    /// Whether no peer has it yet.
    unbroadcast: bool,
}

/// What a transaction and others pay.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Fees {
    /// Itself.
    base: Btc,
    /// Itself, with what the operator adds.
    modified: Btc,
    /// All that it depends on, and itself, likewise.
    ancestor: Btc,
    /// All that depend on it, and itself, likewise.
    descendant: Btc,
    /// All that it will be mined with, likewise.
    chunk: Btc,
}

impl Described {
    /// What the pool knows of a transaction in it.
    pub(super) fn of(pool: &Mempool, entry: &Arc<Entry>) -> Self {
        let id = entry.txid();
        let spends = |entry: &Entry, id: Txid| {
            entry.transaction().decoded().input.iter().any(|input| input.previous_output.txid == id)
        };
        let (mut up, mut down) = (Family::default(), Family::default());
        let (mut parents, mut children) = (Vec::new(), Vec::new());
        for ancestor in pool.ancestors(&id) {
            up.add(ancestor);
            if spends(entry, ancestor.txid()) {
                parents.push(ancestor.txid().to_string());
            }
        }
        for descendant in pool.descendants(&id) {
            down.add(descendant);
            if spends(descendant, id) {
                children.push(descendant.txid().to_string());
            }
        }
        parents.sort_unstable();
        let chunk = pool.chunk(&id).unwrap_or_default();
        Self {
            vsize: entry.vsize(),
            weight: entry.weight(),
            time: entry.time(),
            height: entry.height(),
            descendantcount: down.count,
            descendantsize: down.vsize,
            ancestorcount: up.count,
            ancestorsize: up.vsize,
            wtxid: entry.wtxid().to_string(),
            chunkweight: chunk.weight,
            fees: Fees {
                base: entry.fee().into(),
                modified: Btc::from_sat(entry.paid().fee),
                ancestor: Btc::from_sat(up.fee),
                descendant: Btc::from_sat(down.fee),
                chunk: Btc::from_sat(chunk.fee),
            },
            depends: parents,
            spentby: children,
            replaceable: pool.ancestors(&id).any(|one| one.transaction().decoded().is_explicitly_rbf())
                || entry.transaction().decoded().is_explicitly_rbf(),
            unbroadcast: pool.unbroadcast().contains(&id),
        }
    }
}

/// Sums over relatives.
#[derive(Default)]
struct Family {
    count: usize,
    vsize: u64,
    fee: i64,
}

impl Family {
    fn add(&mut self, entry: &Entry) {
        self.count = self.count.saturating_add(1);
        self.vsize = self.vsize.saturating_add(entry.vsize());
        self.fee = self.fee.saturating_add(entry.paid().fee);
    }
}

fn missing() -> Error {
    Error::new(Code::NotFound, "Transaction not in mempool")
}

/// Describes a transaction that waits.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMempoolEntry {
    /// Its id.
    txid: String,
}

impl Method for GetMempoolEntry {
    known_as!("getmempoolentry", Mempool, Open);
    type Reply = Described;

    async fn call(self, context: Context) -> Result<Described, Error> {
        let id = txid(&self.txid, "txid")?;
        let entry = context.backend.ask(move |view| {
            let pool = view.pool();
            pool.get_by_txid(&id).map(|entry| Described::of(pool, entry))
        });
        entry.await?.ok_or_else(missing)
    }
}

/// Transactions: their ids, or described.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Relatives {
    /// Their ids.
    Ids(Vec<String>),
    /// By id.
    Described(Map<String, Value>),
}

/// The relatives of a transaction, without itself.
async fn relatives(text: &str, verbose: bool, up: bool, context: Context) -> Result<Relatives, Error> {
    let id = txid(text, "txid")?;
    let found = context.backend.ask(move |view| {
        let pool = view.pool();
        pool.get_by_txid(&id)?;
        let family: Vec<&Arc<Entry>> = if up { pool.ancestors(&id).collect() } else { pool.descendants(&id).collect() };
        let others = family.into_iter().filter(|entry| entry.txid() != id);
        Some(others.map(|entry| (entry.txid(), verbose.then(|| Described::of(pool, entry)))).collect::<Vec<_>>())
    });
    let found = found.await?.ok_or_else(missing)?;
    if !verbose {
        return Ok(Relatives::Ids(found.into_iter().map(|(id, _)| id.to_string()).collect()));
    }
    let described = found.into_iter().map(|(id, described)| {
        let value = serde_json::to_value(described).map_err(|error| Error::new(Code::Internal, error.to_string()))?;
        Ok((id.to_string(), value))
    });
    Ok(Relatives::Described(described.collect::<Result<_, Error>>()?))
}

/// Gives all waiting transactions that a waiting transaction depends on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMempoolAncestors {
    /// Its id.
    txid: String,
    /// Whether to describe them, and not only to give their ids.
    verbose: Option<bool>,
}

impl Method for GetMempoolAncestors {
    known_as!("getmempoolancestors", Mempool, Open);
    type Reply = Relatives;

    async fn call(self, context: Context) -> Result<Relatives, Error> {
        relatives(&self.txid, self.verbose.unwrap_or(false), true, context).await
    }
}

/// Gives all waiting transactions that depend on a waiting transaction.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMempoolDescendants {
    /// Its id.
    txid: String,
    /// Whether to describe them, and not only to give their ids.
    verbose: Option<bool>,
}

impl Method for GetMempoolDescendants {
    known_as!("getmempooldescendants", Mempool, Open);
    type Reply = Relatives;

    async fn call(self, context: Context) -> Result<Relatives, Error> {
        relatives(&self.txid, self.verbose.unwrap_or(false), false, context).await
    }
}

/// Gives the transactions that are connected with a waiting transaction, in the order in which they will be mined.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMempoolCluster {
    /// Its id.
    txid: String,
}

/// Transactions that are connected.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Cluster {
    /// Weight units, adjusted for signature operations.
    clusterweight: i64,
    /// How many there are.
    txcount: usize,
    /// Those that are mined together, in order.
    chunks: Vec<Chunk>,
}

/// Transactions that are mined together.
#[derive(Debug, Serialize, JsonSchema)]
struct Chunk {
    /// What they pay.
    chunkfee: Btc,
    /// Their weight units, adjusted for signature operations.
    chunkweight: i64,
    /// Their ids.
    txs: Vec<String>,
}

impl Method for GetMempoolCluster {
    known_as!("getmempoolcluster", Mempool, Open);
    type Reply = Cluster;

    async fn call(self, context: Context) -> Result<Cluster, Error> {
        let id = txid(&self.txid, "txid")?;
        let cluster = context.backend.ask(move |view| {
            let pool = view.pool();
            pool.get_by_txid(&id).map(|_| cluster(pool, &id))
        });
        cluster.await?.ok_or_else(missing)
    }
}

fn cluster(pool: &Mempool, id: &Txid) -> Cluster {
    let mut cluster = Cluster { clusterweight: 0, txcount: 0, chunks: Vec::new() };
    let mut left = 0_i64;
    for entry in pool.cluster(id) {
        let weight = entry.paid().weight;
        if left <= 0 {
            let Paid { fee, weight } = pool.chunk(&entry.txid()).unwrap_or_default();
            left = weight;
            cluster.chunks.push(Chunk { chunkfee: Btc::from_sat(fee), chunkweight: weight, txs: Vec::new() });
        }
        left = left.saturating_sub(weight);
        cluster.clusterweight = cluster.clusterweight.saturating_add(weight);
        cluster.txcount = cluster.txcount.saturating_add(1);
        if let Some(chunk) = cluster.chunks.last_mut() {
            chunk.txs.push(entry.txid().to_string());
        }
    }
    cluster
}
