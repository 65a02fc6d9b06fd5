//! `yap block`: what Bitcoin Core's `getblock` shows, asked of the node that runs, or else read from its files.

use clap::Args;
use serde_json::{Value, json};
use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::consensus::encode::serialize_hex;
use yap_chain::bitcoin::hex::DisplayHex;
use yap_chain::header::tree::Id;

use super::client::Link;
use super::output::{Fields, Output};
use super::{Ending, Error, Global};
use crate::chainstate::{Chainstate, Options};
use crate::home::NotRunning;

#[derive(Debug, Args)]
pub(super) struct Block {
    /// Hash of any known block, or height in the best chain [default: the newest block].
    #[arg(value_name = "HASH|HEIGHT")]
    block: Option<String>,
    /// Print the serialised block in hexadecimal digits, and nothing else.
    #[arg(long)]
    raw: bool,
}

impl Block {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        match global.link() {
            Ok(link) => self.ask(&link, output),
            Err(Error::NotRunning(NotRunning::None { .. } | NotRunning::OtherPort { .. })) => self.read(global, output),
            Err(error) => Err(error),
        }
    }

    /// Asks the node that runs.
    fn ask(&self, link: &Link, output: &Output) -> Result<Ending, Error> {
        // A hash may be of decimal digits alone.
        let hash = match &self.block {
            Some(hash) if hash.parse::<BlockHash>().is_ok() => json!(hash),
            Some(height) => {
                let height: u32 = height.parse().map_err(|_| Error::NoBlock(height.clone()))?;
                link.call("getblockhash", json!([height]))?
            }
            None => link.call("getbestblockhash", json!([]))?,
        };
        let reply = link.call("getblock", json!([hash, if self.raw { 0 } else { 1 }]))?;
        match (reply, self.raw && !output.is_json()) {
            (Value::String(hex), true) => output.text(&hex)?,
            (Value::String(data), false) => {
                output.fields(Fields::default().with("hash", hash).with("data", data))?;
            }
            (Value::Object(fields), _) => output.fields(Fields::from(fields))?,
            (reply, _) => output.json(&reply)?,
        }
        Ok(Ending::Done)
    }

    /// Reads the files, which no node is about to change.
    fn read(&self, global: &Global, output: &Output) -> Result<Ending, Error> {
        let chainstate = global.open(Options::default())?;
        let id = self.find(&chainstate).ok_or_else(|| Error::NoBlock(self.block.clone().unwrap_or_default()))?;
        let block = chainstate.read_block(id)?;
        if self.raw {
            let hex = block.bytes().to_lower_hex_string();
            if output.is_json() {
                output.fields(Fields::default().with("hash", block.hash().to_string()).with("data", hex))?;
            } else {
                output.text(&hex)?;
            }
            return Ok(Ending::Done);
        }
        output.fields(describe(&chainstate, id, &block))?;
        Ok(Ending::Done)
    }

    fn find(&self, chainstate: &Chainstate) -> Option<Id> {
        let Some(block) = &self.block else { return Some(chainstate.tip()) };
        // A hash may be of decimal digits alone.
        match block.parse::<BlockHash>() {
            Ok(hash) => chainstate.tree().get(&hash),
            Err(_) => chainstate.at_height(block.parse().ok()?),
        }
    }
}

fn describe(chainstate: &Chainstate, id: Id, block: &yap_chain::block::Block) -> Fields {
    let tree = chainstate.tree();
    let (header, height) = (block.header(), tree.height(id));
    let active = chainstate.at_height(height) == Some(id);
    let confirmations = if active {
        i64::from(tree.height(chainstate.tip())).saturating_sub(height.into()).saturating_add(1)
    } else {
        -1
    };
    let next = active.then(|| chainstate.at_height(height.saturating_add(1))).flatten();
    let ids: Vec<Value> = block.transactions().iter().map(|tx| tx.txid().to_string().into()).collect();
    Fields::default()
        .with("hash", block.hash().to_string())
        .with("confirmations", confirmations)
        .with("height", height)
        .with("version", header.version.to_consensus())
        .with("versionHex", format!("{:08x}", header.version.to_consensus()))
        .with("merkleroot", header.merkle_root.to_string())
        .with("time", header.time)
        .with("mediantime", tree.median_time_past(id))
        .with("nonce", header.nonce)
        .with("bits", format!("{:08x}", header.bits.to_consensus()))
        .with("target", format!("{:064x}", header.target()))
        .with("difficulty", header.difficulty_float())
        .with("chainwork", format!("{:064x}", tree.work(id)))
        .with("nTx", block.transactions().len())
        .with_some("previousblockhash", tree.parent(id).map(|id| tree.hash(id).to_string()))
        .with_some("nextblockhash", next.map(|id| tree.hash(id).to_string()))
        .with("strippedsize", block.base_size())
        .with("size", block.bytes().len())
        .with("weight", block.weight())
        .with("header", serialize_hex(header))
        .with("tx", ids)
}
