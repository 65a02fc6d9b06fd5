//! What to pay, so that a transaction is mined soon.
//!
//! The estimate is made of what waits now, not of what blocks took before: transactions are mined best chunk first, so
//! one that pays more than the chunk with which `n` blocks are full is in one of them, if nothing better comes
//! meanwhile. Where all that waits has room, it is the least that is relayed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::block::MAX_WEIGHT;
use yap_chain::mempool::{FeeRate, Mempool, RESERVED_WEIGHT};

use super::super::types::Btc;
use crate::error::{Code, Error};
use crate::method::{Context, Method};

/// Most blocks that can be asked about (Core's longest horizon).
const MOST_BLOCKS: u32 = 1008;

/// Estimates what a transaction must pay to be mined within some blocks, from what waits now.
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
        let rate = context.backend.ask(move |view| {
            // While blocks are missing, nothing is known of what waits.
            (!view.standing().catching_up).then(|| estimate(view.pool(), counted, view.now().into()))
        });
        Ok(match rate.await? {
            Some(rate) => Estimate { feerate: Some(rate.into()), errors: None, blocks },
            None => {
                let errors = Some(vec!["Insufficient data or no feerate found"]);
                Estimate { feerate: None, errors, blocks }
            }
        })
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

/// The rate above which a transaction is in one of the next blocks.
pub(in super::super) fn estimate(pool: &Mempool, blocks: u32, now: u64) -> FeeRate {
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
