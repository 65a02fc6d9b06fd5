//! What a payment pays for its room: as it was asked for, or estimated.

use std::borrow::Cow;

use bitcoin::FeeRate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use yap_chain::mempool;
use yap_wallet::Options;

use super::super::types::Btc;
use super::super::util;
use crate::error::{Code, Error};
use crate::method::Context;

/// Blocks within which a payment shall be mined unless told otherwise, as in Bitcoin Core.
const TARGET: i64 = 6;

/// Decimals of a fee rate in satoshis for a virtual byte: Bitcoin Core's.
const DECIMALS: usize = 3;

/// A fee rate: satoshis for one virtual byte, with three decimals. It is read from a number or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SatPerVb(u64);

impl SatPerVb {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > DECIMALS || !digits(whole) || !digits(fraction) {
            return None;
        }
        format!("{whole}{fraction:0<DECIMALS$}").parse().ok().map(Self)
    }

    /// As the wallet counts.
    pub(super) fn rate(self) -> FeeRate {
        of_kvb(self.0)
    }
}

impl From<Btc> for SatPerVb {
    /// Of coins for 1,000 virtual bytes.
    fn from(rate: Btc) -> Self {
        Self(u64::try_from(rate.to_sat()).unwrap_or(0))
    }
}

impl<'de> Deserialize<'de> for SatPerVb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(D::Error::custom("Amount is not a number or string"));
            }
        };
        Self::parse(&text).ok_or_else(|| D::Error::custom("Invalid amount"))
    }
}

impl JsonSchema for SatPerVb {
    fn schema_name() -> Cow<'static, str> {
        "SatPerVb".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "minimum": 0 })
    }
}

/// Satoshis for 1,000 virtual bytes as the wallet counts, rounded up.
fn of_kvb(satoshi: u64) -> FeeRate {
    FeeRate::from_sat_per_kwu(satoshi.div_ceil(4))
}

/// What was asked of a payment's fee.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) rate: Option<SatPerVb>,
    pub(super) target: Option<i64>,
    pub(super) mode: Option<String>,
    pub(super) replaceable: Option<bool>,
}

impl Wish {
    /// The rate that was asked for; `None` if it is to be found.
    pub(super) fn given(&self) -> Result<Option<FeeRate>, Error> {
        match (self.rate, self.target) {
            (Some(_), Some(_)) => {
                let text = "Cannot specify both conf_target and fee_rate. Please provide either a confirmation target \
                            in blocks for automatic fee estimation, or an explicit fee rate.";
                Err(Error::new(Code::InvalidParameter, text))
            }
            (Some(rate), None) => Ok(Some(rate.rate())),
            (None, _) => Ok(None),
        }
    }

    /// How to pay: at the rate that was asked for, or at the one by which transactions are mined in time, as far as what
    /// waits now and the last blocks tell.
    pub(super) async fn options(&self, context: &Context) -> Result<Options, Error> {
        let given = self.given()?;
        let blocks = util::horizon(self.target.unwrap_or(TARGET), self.mode.as_deref())?;
        let of = |rate: mempool::FeeRate| of_kvb(rate.to_sat_per_kvb());
        let (rate, least) = match given {
            Some(rate) => (rate, context.backend.ask(|view| view.pool().min_feerate(view.now().into())).await?),
            None => {
                let util::Rates { enough, least } = util::estimate(context, blocks).await?;
                (of(enough), least)
            }
        };
        let mut options = Options::at(rate);
        options.least_rate = of(least);
        options.replaceable = self.replaceable.unwrap_or(true);
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_decimals() {
        let read = |text: &str| SatPerVb::parse(text).map(|rate| rate.0);
        for (text, rate) in [("0", 0), ("1", 1_000), ("0.1", 100), ("2.345", 2_345), ("12.", 12_000)] {
            assert_eq!(read(text), Some(rate), "{text}");
        }
        for text in ["", ".5", "-1", "1e3", "0.0001", "a", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(SatPerVb(100).rate(), FeeRate::from_sat_per_kwu(25));
        assert_eq!(SatPerVb(101).rate(), FeeRate::from_sat_per_kwu(26), "never less than was asked for");
    }
}
