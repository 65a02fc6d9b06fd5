//! How mining stands.

use bitcoin::CompactTarget;
use bitcoin::Work;
use bitcoin::hex::DisplayHex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::mempool::Room;
use yap_chain::spec::{Retarget, Spec};

use super::super::blockchain::chain_name;
use super::super::describe::{difficulty, target};
use super::super::types::{Btc, at_height};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Blocks that the rate of hashes is estimated over if nothing is said.
const BLOCKS: i64 = 120;

/// Blocks between adjustments of Bitcoin, for chains that adjust otherwise.
const INTERVAL: u32 = 2016;

/// Tells how mining stands.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetMiningInfo {}

/// How mining stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Info {
    /// Height of the newest verified block.
    blocks: u32,
    /// Weight units of the transactions that the next block would have, with room for its coinbase.
    #[serde(skip_serializing_if = "Option::is_none")]
    currentblockweight: Option<usize>,
    /// How many transactions those are.
    #[serde(skip_serializing_if = "Option::is_none")]
    currentblocktx: Option<usize>,
    /// Target of the newest block, in compact form.
    bits: String,
    /// Its difficulty.
    difficulty: f64,
    /// Its target.
    target: String,
    /// Hashes in a second, over the last 120 blocks.
    networkhashps: f64,
    /// Transactions that wait.
    pooledtx: usize,
    /// The least that a transaction must pay to be mined here, in coins for 1,000 virtual bytes.
    blockmintxfee: Btc,
    /// Name of the chain.
    chain: String,
    /// The next block.
    next: Next,
    /// The script that signs blocks (BIP-0325).
    #[serde(skip_serializing_if = "Option::is_none")]
    signet_challenge: Option<String>,
    /// What the user should know.
    warnings: Vec<String>,
}

/// The next block.
#[derive(Debug, Serialize, JsonSchema)]
struct Next {
    /// Its height.
    height: u32,
    /// Its target, in compact form, if it is found now.
    bits: String,
    /// Its difficulty.
    difficulty: f64,
    /// Its target.
    target: String,
}

impl Method for GetMiningInfo {
    known_as!("getmininginfo", Mining, Open);
    type Reply = Info;

    async fn call(self, context: Context) -> Result<Info, Error> {
        Ok(context.backend.ask(|view| info(view)).await?)
    }
}

fn info(view: &dyn View) -> Info {
    let (tree, tip, spec) = (view.tree(), view.tip(), view.spec());
    let height = tree.height(tip);
    let next = height.saturating_add(1);
    let room = Room::of_block(next, tree.median_time_past(tip));
    let template = view.template(&room);
    let bits = tree.bits(tip);
    let next_bits = tree.next_bits(tip, next_time(view));
    let bits_of = |bits: CompactTarget| format!("{:08x}", bits.to_consensus());
    let weight = |weight: usize| weight.saturating_add(yap_chain::mempool::RESERVED_WEIGHT);
    Info {
        blocks: height,
        currentblockweight: template.as_ref().map(|template| weight(template.weight)),
        currentblocktx: template.as_ref().map(|template| template.entries.len()),
        bits: bits_of(bits),
        difficulty: difficulty(bits),
        target: target(bits, spec),
        networkhashps: rate(view, height, u32::try_from(BLOCKS).unwrap_or(0)),
        pooledtx: view.pool().len(),
        blockmintxfee: room.least.into(),
        chain: chain_name(&spec.name),
        next: Next {
            height: next,
            bits: bits_of(next_bits),
            difficulty: difficulty(next_bits),
            target: target(next_bits, spec),
        },
        signet_challenge: spec.challenge.as_ref().map(|script| script.as_bytes().to_lower_hex_string()),
        warnings: view.standing().warnings,
    }
}

/// The earliest time that the next block may have.
pub(super) fn least_time(view: &dyn View) -> u32 {
    view.tree().earliest_time(view.tip())
}

/// The time of the next block if it is found now.
pub(super) fn next_time(view: &dyn View) -> u32 {
    view.now().max(least_time(view))
}

fn interval(spec: &Spec) -> u32 {
    match spec.work.retarget {
        Retarget::Bitcoin { interval, .. } => interval,
        Retarget::None | Retarget::Asert { .. } | Retarget::Relative { .. } => INTERVAL,
    }
}

/// Estimates hashes in a second, from the work and the times of blocks.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetNetworkHashPs {
    /// Blocks to look at: 120 if left out; -1: those since the last adjustment.
    nblocks: Option<i64>,
    /// Height of the last of them; the newest if left out or -1.
    height: Option<i64>,
}

impl Method for GetNetworkHashPs {
    known_as!("getnetworkhashps", Mining, Open);
    type Reply = f64;

    async fn call(self, context: Context) -> Result<f64, Error> {
        let (blocks, height) = (self.nblocks.unwrap_or(BLOCKS), self.height.unwrap_or(-1));
        let wrong = |text: &str| Error::new(Code::InvalidParameter, text);
        if blocks < -1 || blocks == 0 {
            return Err(wrong("Invalid nblocks. Must be a positive number or -1."));
        }
        let rate = context.backend.ask(move |view| {
            let tip = view.tree().height(view.tip());
            let height = if height == -1 { tip } else { u32::try_from(height).ok().filter(|height| *height <= tip)? };
            let since = height.checked_rem(interval(view.spec())).unwrap_or(0).saturating_add(1);
            let blocks = if blocks == -1 { since } else { u32::try_from(blocks).unwrap_or(u32::MAX) };
            Some(rate(view, height, blocks))
        });
        rate.await?.ok_or_else(|| wrong("Block does not exist at specified height"))
    }
}

/// Hashes in a second over so many blocks up to a height: Core's `GetNetworkHashPS`.
fn rate(view: &dyn View, height: u32, blocks: u32) -> f64 {
    let tree = view.tree();
    let Some(last) = at_height(view, height) else { return 0.0 };
    let count = usize::try_from(blocks.min(height)).unwrap_or(usize::MAX);
    let window = || std::iter::successors(Some(last), |id| tree.parent(*id)).take(count.saturating_add(1));
    let (first, last_time) = (window().last().unwrap_or(last), window().map(|id| tree.time(id)).max());
    let first_time = window().map(|id| tree.time(id)).min();
    let seconds = last_time.unwrap_or(0).saturating_sub(first_time.unwrap_or(0));
    if height == 0 || seconds == 0 {
        return 0.0;
    }
    (number(tree.work(last)) - number(tree.work(first))) / f64::from(seconds)
}

fn number(work: Work) -> f64 {
    work.to_be_bytes().iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))
}
