//! An amount as Bitcoin Core writes and reads it: coins with eight decimals.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bitcoin::{Amount, SignedAmount};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use yap_chain::mempool::FeeRate;

/// Satoshis of one coin.
const COIN: u64 = 100_000_000;

/// Decimals of an amount.
const DECIMALS: usize = 8;

/// An amount of coins; a number with exactly eight decimals. It is read from a number or a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Btc(i64);

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not a decimal number of at most eight decimals.
    #[error("Invalid amount")]
    Invalid,
    /// Negative, or more than there will ever be (21 million).
    #[error("Amount out of range")]
    Range,
}

impl Btc {
    /// So many satoshis.
    #[must_use]
    pub const fn from_sat(satoshi: i64) -> Self {
        Self(satoshi)
    }

    /// In satoshis.
    #[must_use]
    pub const fn to_sat(self) -> i64 {
        self.0
    }

    /// As an amount; nothing if it is negative.
    #[must_use]
    pub fn amount(self) -> Amount {
        Amount::from_sat(u64::try_from(self.0).unwrap_or(0))
    }

    /// As a fee rate, coins for 1,000 virtual bytes.
    #[must_use]
    pub fn rate(self) -> FeeRate {
        FeeRate::from_sat_per_kvb(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<Amount> for Btc {
    fn from(amount: Amount) -> Self {
        Self(i64::try_from(amount.to_sat()).unwrap_or(i64::MAX))
    }
}

impl From<SignedAmount> for Btc {
    fn from(amount: SignedAmount) -> Self {
        Self(amount.to_sat())
    }
}

impl From<FeeRate> for Btc {
    fn from(rate: FeeRate) -> Self {
        Self(i64::try_from(rate.to_sat_per_kvb()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Btc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0.unsigned_abs() / COIN, self.0.unsigned_abs() % COIN);
        write!(f, "{}{whole}.{rest:08}", if self.0 < 0 { "-" } else { "" })
    }
}

impl FromStr for Btc {
    type Err = AmountError;

    /// As Core's `AmountFromValue`: within 0 and 21 million.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let satoshi = fixed_point(text).ok_or(AmountError::Invalid)?;
        if (0..=Amount::MAX_MONEY.to_sat()).contains(&u64::try_from(satoshi).map_err(|_| AmountError::Range)?) {
            Ok(Self(satoshi))
        } else {
            Err(AmountError::Range)
        }
    }
}

/// The satoshis of a decimal number as JSON has it, an exponent included: Core's `ParseFixedPoint`.
fn fixed_point(text: &str) -> Option<i64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).map_or((rest, Some(0)), |(mantissa, exponent)| {
        (mantissa, exponent.strip_prefix('+').unwrap_or(exponent).parse::<i32>().ok())
    });
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !digits(whole) || !digits(fraction) {
        return None;
    }
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // What is left of the number is `significant` times ten to the power of `shift`.
    let zeros = i64::try_from(all.len().checked_sub(significant.len())?).ok()?;
    let shift = i64::from(exponent?)
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(zeros)?
        .checked_add(i64::try_from(DECIMALS).ok()?)?;
    let scale = 10_i64.checked_pow(u32::try_from(shift).ok()?)?;
    let satoshi = significant.parse::<i64>().ok()?.checked_mul(scale)?;
    Some(if negative { satoshi.checked_neg()? } else { satoshi })
}

impl Serialize for Btc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A decimal number is kept as it is written, to the last zero.
        self.to_string().parse::<Number>().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Btc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(D::Error::custom("Amount is not a number or string"));
            }
        };
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Btc {
    fn schema_name() -> Cow<'static, str> {
        "Btc".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "number", "format": "amount" });
        }
        json_schema!({ "type": ["number", "string"], "format": "amount" })
    }
}
