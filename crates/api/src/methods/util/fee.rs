//! What to pay, so that a transaction is mined soon.
//!
//! The estimate is the greater of two. What waits now: transactions are mined best chunk first, so one that pays more than
//! the chunk with which `n` blocks are full is in one of them, if nothing better comes meanwhile; where all that waits has
//! room, that is the least that is relayed. And what room cost in the last blocks ([`prices`]), since something better does
//! come. Both fall, or stay, with a longer target.
//!
//! What blocks cost is read from them once, when somebody first asks, and kept for the last [`prices::MOST`].

use bitcoin::BlockHash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::block::MAX_WEIGHT;
use yap_chain::header::tree::Id;
use yap_chain::mempool::{FeeRate, Mempool, RESERVED_WEIGHT};
use yap_chain::prices::{self, Price};

use super::super::types::{Btc, aside, at_height};
use crate::backend::View;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Most blocks that can be asked about (Core's longest horizon).
const MOST_BLOCKS: u32 = 1008;

/// Estimates what a transaction must pay to be mined within some blocks: from what waits now, and from what the last blocks
/// took.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EstimateSmartFee {
    /// Within how many blocks, from 1 to 1008.
    conf_target: i64,
    /// `economical` (as if left out), or `conservative`, which counts on half of the blocks.
    estimate_mode: Option<String>,
}

/// What to pay.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Estimate {
    /// Coins for 1,000 virtual bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    feerate: Option<Btc>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<&'static str>>,
    /// Within how many blocks.
    blocks: u32,
}

impl Method for EstimateSmartFee {
    known_as!("estimatesmartfee", Util, Open);
    type Reply = Estimate;

    async fn call(self, context: Context) -> Result<Estimate, Error> {
        let counted = horizon(self.conf_target, self.estimate_mode.as_deref())?;
        let blocks = u32::try_from(self.conf_target).unwrap_or(MOST_BLOCKS);
        // While blocks are missing, nothing is known of what waits.
        if context.backend.ask(|view| view.standing().catching_up).await? {
            let errors = Some(vec!["Insufficient data or no feerate found"]);
            return Ok(Estimate { feerate: None, errors, blocks });
        }
        let Rates { enough, .. } = estimate(&context, counted).await?;
        Ok(Estimate { feerate: Some(enough.into()), errors: None, blocks })
    }
}

/// How many blocks are counted on for a transaction that shall be mined within so many.
pub(in super::super) fn horizon(target: i64, mode: Option<&str>) -> Result<u32, Error> {
    let blocks = u32::try_from(target).ok().filter(|blocks| (1..=MOST_BLOCKS).contains(blocks));
    let blocks = blocks.ok_or_else(|| {
        let text = format!("Invalid conf_target, must be between 1 and {MOST_BLOCKS}");
        Error::new(Code::InvalidParameter, text)
    })?;
    match mode.map(str::to_ascii_lowercase).as_deref() {
        None | Some("unset" | "economical") => Ok(blocks),
        Some("conservative") => Ok(blocks.div_ceil(2)),
        Some(_) => {
            let text = "Invalid estimate_mode parameter, must be one of: \"unset\", \"economical\", \"conservative\"";
            Err(Error::new(Code::InvalidParameter, text))
        }
    }
}

/// What a transaction pays.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Rates {
    /// What is enough to be mined in time.
    pub(in super::super) enough: FeeRate,
    /// The least that is taken now.
    pub(in super::super) least: FeeRate,
}

/// What a transaction must pay to be in one of the next blocks.
pub(in super::super) async fn estimate(context: &Context, blocks: u32) -> Result<Rates, Error> {
    let prices = last_prices(context).await?;
    let lately = prices::estimate(&prices, blocks).unwrap_or(FeeRate::ZERO);
    let now = context.backend.ask(move |view| {
        let now = u64::from(view.now());
        (waiting(view.pool(), blocks, now), view.pool().min_feerate(now))
    });
    let (waiting, least) = now.await?;
    Ok(Rates { enough: waiting.max(lately).max(least), least })
}

/// The rate above which a transaction is in one of the next blocks, if nothing else comes.
fn waiting(pool: &Mempool, blocks: u32, now: u64) -> FeeRate {
    let floor = pool.min_feerate(now);
    let room = i64::try_from(MAX_WEIGHT.saturating_sub(RESERVED_WEIGHT)).unwrap_or(i64::MAX);
    let mut left = room.saturating_mul(blocks.into());
    for chunk in pool.chunks() {
        left = left.saturating_sub(chunk.weight);
        if left < 0 {
            return floor.max(chunk.rate().saturating_add(FeeRate::from_sat_per_kvb(1)));
        }
    }
    floor
}

/// Prices of the last blocks, the newest at the end.
async fn last_prices(context: &Context) -> Result<Vec<Price>, Error> {
    let last = context.backend.ask(|view| last_blocks(view)).await?;
    let known = context.methods.prices();
    for (id, hash) in known.missing(&last) {
        // One at a time, so that others have a turn. What was deleted, or never was here, tells nothing.
        let read = context.backend.ask(move |view| Some((view.block(id).ok()?, view.undo(id).ok()?)));
        let price = match read.await? {
            Some((block, undo)) => aside(move || Ok(Price::of(&block, &undo))).await?,
            None => Price::Unknown,
        };
        known.keep(hash, price);
    }
    Ok(known.of(&last))
}

/// The last blocks but the genesis block, the newest at the end.
fn last_blocks(view: &dyn View) -> Vec<(Id, BlockHash)> {
    let tree = view.tree();
    let height = tree.height(view.tip());
    let first = height.saturating_sub(u32::try_from(prices::MOST.saturating_sub(1)).unwrap_or(u32::MAX)).max(1);
    (first..=height).filter_map(|height| at_height(view, height)).map(|id| (id, tree.hash(id))).collect()
}
