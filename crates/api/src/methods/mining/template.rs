//! What the next block is to have: `getblocktemplate` (BIP-0022, BIP-0023, BIP-0145).

use std::collections::HashMap;
use std::time::Duration;

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::hex::DisplayHex;
use bitcoin::{BlockHash, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};
use yap_chain::block::{MAX_SIGOPS_COST, MAX_WEIGHT, merkle, witness};
use yap_chain::mempool::{Room, Template};

use super::super::describe::target;
use super::info::{least_time, next_time};
use super::{propose, submit};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::event::Event;
use crate::method::{Context, Method};

/// How long a long poll waits for transactions at first, and between two looks later; it always waits for a block.
const FIRST_LOOK: Duration = Duration::from_secs(60);
const NEXT_LOOK: Duration = Duration::from_secs(10);

/// Longest that a long poll waits.
const MOST: Duration = Duration::from_secs(60 * 60);

/// Blocks that signal nothing (BIP-0009).
const VERSION: i32 = 0x2000_0000;

/// Gives what is needed to make the next block, or judges a block that somebody proposes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetBlockTemplate {
    /// What the miner can do.
    template_request: Option<Request>,
}

/// What the miner can do.
#[derive(Debug, Default, Deserialize, JsonSchema)]
struct Request {
    /// `template` (as if left out) or `proposal`.
    mode: Option<Value>,
    /// Rules that the miner knows: `segwit`, and on a chain of signed blocks `signet`, must be among them.
    #[serde(default)]
    rules: Vec<String>,
    /// The `longpollid` of a template: the reply comes when there is a better one.
    longpollid: Option<String>,
    /// The block that is proposed, in hexadecimal digits.
    data: Option<String>,
    /// Without effect.
    #[serde(default)]
    #[expect(dead_code, reason = "miners may say what they can do; nothing depends on it")]
    capabilities: Vec<String>,
}

/// A template, or what is said of a proposal: nothing if the block would be valid, or the rule that it breaks.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Reply {
    /// A template.
    Template(Box<Next>),
    /// What is said of a proposal.
    Judged(Option<String>),
}

/// What the next block is to have.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Next {
    /// What else this method can do.
    capabilities: [&'static str; 1],
    /// Version of the block.
    version: i32,
    /// Rules in force; those that the miner must know begin with `!`.
    rules: Vec<&'static str>,
    /// Rules that may be signalled: none.
    vbavailable: Map<String, Value>,
    /// Bits that must be signalled: none.
    vbrequired: u32,
    /// Hash of the block before.
    previousblockhash: String,
    /// Transactions, but the coinbase.
    transactions: Vec<Transaction>,
    /// What the coinbase's script is to have: nothing.
    coinbaseaux: Map<String, Value>,
    /// Satoshis that the coinbase may pay.
    coinbasevalue: u64,
    /// Stands for this template.
    longpollid: String,
    /// What the block's hash must not exceed.
    target: String,
    /// The earliest time that the block may have.
    mintime: u32,
    /// What the miner may change.
    mutable: [&'static str; 3],
    /// Nonces that may be tried.
    noncerange: &'static str,
    /// What signature operations may cost.
    sigoplimit: usize,
    /// Bytes that the block may have.
    sizelimit: usize,
    /// Weight units that the block may have.
    weightlimit: usize,
    /// The time now, or the earliest that the block may have.
    curtime: u32,
    /// The target, in compact form.
    bits: String,
    /// Height of the block.
    height: u32,
    /// The script that signs blocks (BIP-0325).
    #[serde(skip_serializing_if = "Option::is_none")]
    signet_challenge: Option<String>,
    /// Script of an output that commits to witnesses (BIP-0141).
    #[serde(skip_serializing_if = "Option::is_none")]
    default_witness_commitment: Option<String>,
}

/// A transaction of a template.
#[derive(Debug, Serialize, JsonSchema)]
struct Transaction {
    /// Its bytes.
    data: String,
    /// Its id.
    txid: String,
    /// Hash of all of it.
    hash: String,
    /// Places (from 1) of those before it that it depends on.
    depends: Vec<usize>,
    /// Satoshis that it pays.
    fee: u64,
    /// What its signature operations cost.
    sigops: u32,
    /// Its weight units.
    weight: u32,
}

impl Method for GetBlockTemplate {
    known_as!("getblocktemplate", Mining, Open);
    const LARGE: bool = true;
    type Reply = Reply;

    async fn call(self, context: Context) -> Result<Reply, Error> {
        let request = self.template_request.unwrap_or_default();
        let wrong = |text: &str| Error::new(Code::InvalidParameter, text);
        match request.mode.as_ref().map(Value::as_str) {
            None | Some(Some("template")) => {}
            Some(Some("proposal")) => return judge(request.data, &context).await,
            Some(_) => return Err(wrong("Invalid mode")),
        }
        ready(&context).await?;
        let knows = |rule: &str| request.rules.iter().any(|known| known == rule);
        let signed = context.backend.spec().challenge.is_some();
        if signed && !knows("signet") {
            return Err(wrong(
                "getblocktemplate must be called with the signet rule set (call with {\"rules\": [\"segwit\", \"signet\"]})",
            ));
        }
        if !knows("segwit") {
            return Err(wrong(
                "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})",
            ));
        }
        if let Some(id) = request.longpollid {
            news(&context, &id).await?;
        }
        let next = context.backend.ask(|view| next(view)).await?;
        let (next, template) = next.ok_or_else(|| Error::new(Code::Misc, "The chain is changing: try again"))?;
        let filled = super::super::types::aside(move || Ok(next.filled(&template)));
        Ok(Reply::Template(Box::new(filled.await?)))
    }
}

async fn judge(data: Option<String>, context: &Context) -> Result<Reply, Error> {
    let data = data.ok_or_else(|| Error::new(Code::Type, "Missing data String key for proposal"))?;
    let block = super::super::types::aside(move || {
        submit::parsed(&data).ok_or_else(|| Error::new(Code::Deserialization, "Block decode failed"))
    });
    Ok(Reply::Judged(propose::judge(block.await?, context).await?))
}

/// On Bitcoin's own chain, blocks that are made without peers, or before others' are known, are wasted work.
async fn ready(context: &Context) -> Result<(), Error> {
    if context.backend.spec().name != "bitcoin" {
        return Ok(());
    }
    let standing = context.backend.ask(|view| view.standing()).await?;
    if standing.alone {
        return Err(Error::new(Code::NotConnected, "This node is not connected!"));
    }
    if standing.catching_up {
        return Err(Error::new(Code::InitialDownload, "This node is in initial sync and waiting for blocks..."));
    }
    Ok(())
}

/// What stands for the present template: the newest block, and a number that grows with each arrival.
fn long_poll(view: &dyn View) -> (BlockHash, u64) {
    (view.tree().hash(view.tip()), view.pool().sequence())
}

/// Waits until there is a newer block than that of a long poll, or, after a while, other transactions.
async fn news(context: &Context, id: &str) -> Result<(), Error> {
    let (hash, sequence) = id.split_at_checked(64).unwrap_or((id, ""));
    let start = Instant::now();
    let after = |wait| start.checked_add(wait).unwrap_or(start);
    let (mut look, end) = (after(FIRST_LOOK), after(MOST));
    let mut events = context.backend.events();
    loop {
        let (newest, arrivals) = context.backend.ask(|view| long_poll(view)).await?;
        let now = Instant::now();
        let other = now >= look && arrivals.to_string() != sequence;
        if newest.to_string() != hash || other || now >= end {
            return Ok(());
        }
        if now >= look {
            look = now.checked_add(NEXT_LOOK).unwrap_or(now);
        }
        // Of all that happens, only blocks and the next look matter.
        loop {
            match timeout_at(look.min(end), events.recv()).await {
                Ok(Ok(stamped)) if !matches!(stamped.event, Event::BlockConnected { .. } | Event::Stopping) => {}
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => break,
                Ok(Err(RecvError::Closed)) => return Ok(()),
            }
        }
    }
}

/// A template without its transactions, and those.
fn next(view: &dyn View) -> Option<(Next, Template)> {
    let (tree, tip, spec) = (view.tree(), view.tip(), view.spec());
    let height = tree.height(tip).saturating_add(1);
    let template = view.template(&Room::of_block(height, tree.median_time_past(tip)))?;
    let time = next_time(view);
    let bits = tree.next_bits(tip, time);
    let (hash, sequence) = long_poll(view);
    let signed = spec.challenge.is_some();
    let segwit = height >= spec.deployments.segwit;
    let rules = [("csv", height >= spec.deployments.csv), ("!segwit", segwit), ("taproot", true), ("!signet", signed)];
    let next = Next {
        capabilities: ["proposal"],
        version: VERSION,
        rules: rules.into_iter().filter(|(_, holds)| *holds).map(|(rule, _)| rule).collect(),
        vbavailable: Map::new(),
        vbrequired: 0,
        previousblockhash: hash.to_string(),
        transactions: Vec::new(),
        coinbaseaux: Map::new(),
        coinbasevalue: spec.subsidy_at(height).to_sat().saturating_add(template.fees.to_sat()),
        longpollid: format!("{hash}{sequence}"),
        target: target(bits, spec),
        mintime: least_time(view),
        mutable: ["time", "transactions", "prevblock"],
        noncerange: "00000000ffffffff",
        sigoplimit: MAX_SIGOPS_COST,
        sizelimit: MAX_WEIGHT,
        weightlimit: MAX_WEIGHT,
        curtime: time,
        bits: format!("{:08x}", bits.to_consensus()),
        height,
        signet_challenge: spec.challenge.as_ref().map(|script| script.as_bytes().to_lower_hex_string()),
        default_witness_commitment: segwit.then(|| commitment(&template)),
    };
    Some((next, template))
}

impl Next {
    fn filled(self, template: &Template) -> Self {
        let mut places: HashMap<Txid, usize> = HashMap::with_capacity(template.entries.len());
        let mut transactions = Vec::with_capacity(template.entries.len());
        for (index, entry) in template.entries.iter().enumerate() {
            let transaction = entry.transaction();
            let parents = transaction.decoded().input.iter().map(|input| input.previous_output.txid);
            let mut depends: Vec<usize> = parents.filter_map(|parent| places.get(&parent).copied()).collect();
            depends.sort_unstable();
            depends.dedup();
            places.insert(transaction.txid(), index.saturating_add(1));
            transactions.push(Transaction {
                data: transaction.raw().as_slice().to_lower_hex_string(),
                txid: transaction.txid().to_string(),
                hash: transaction.wtxid().to_string(),
                depends,
                fee: entry.fee().to_sat(),
                sigops: entry.sigops(),
                weight: entry.weight(),
            });
        }
        Self { transactions, ..self }
    }
}

/// The script of the output that commits to the witnesses of a template, with zeros as the reserved value (BIP-0141).
fn commitment(template: &Template) -> String {
    let coinbase = std::iter::once(sha256d::Hash::all_zeros());
    let others = template.entries.iter().map(|entry| entry.wtxid().to_raw_hash());
    let root = merkle::root(coinbase.chain(others).collect());
    let mut engine = sha256d::Hash::engine();
    engine.input(root.hash.as_byte_array());
    engine.input(&[0; 32]);
    let hash = sha256d::Hash::from_engine(engine).to_byte_array();
    [&witness::COMMITMENT_HEADER[..], &hash].concat().to_lower_hex_string()
}
