//! Amounts as people type and read them.
//!
//! What is shown can be typed again: [`parse`] reads whatever [`show`] writes. Money is not guessed at: a comma that may
//! stand for thousands or for a decimal point is refused, and so is another chain's ticker.

use bitcoin::Amount;

/// Decimals of a coin.
const DECIMALS: usize = 8;

/// Satoshis in a coin.
const COIN: u64 = 100_000_000;

/// Decimals that are shown even if they are zeros.
const LEAST_SHOWN: usize = 2;

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// It is no number.
    #[error("{0:?} is not an amount: write coins such as 0.5 or 12, or satoshis such as \"10 sat\"")]
    NotANumber(String),
    /// It has a comma that may mean two things.
    #[error("{0:?} has a comma that may stand for thousands or for decimals: write it without, as in 1000 or 0.5")]
    Comma(String),
    /// It has more decimals than a coin.
    #[error("{0:?} is finer than a satoshi: coins have {DECIMALS} decimals, satoshis none")]
    TooFine(String),
    /// It is another chain's.
    #[error("{given:?} is not a unit of this chain: its coins are {ticker}, and 1 {ticker} is 100,000,000 sat")]
    OtherUnit {
        /// What was typed.
        given: String,
        /// The chain's ticker.
        ticker: String,
    },
    /// There can't be so much.
    #[error("{0:?} is more than there can ever be (21,000,000 coins)")]
    TooMuch(String),
}

/// Reads an amount: coins, with or without the chain's ticker, or satoshis (`10 sat`).
pub(in crate::cli) fn parse(text: &str, ticker: &str) -> Result<Amount, AmountError> {
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let unit = unit.trim();
    let decimals = match unit {
        "" => DECIMALS,
        _ if unit.eq_ignore_ascii_case(ticker) => DECIMALS,
        "sat" | "sats" => 0,
        _ if number.is_empty() || !unit.chars().all(char::is_alphanumeric) => {
            return Err(AmountError::NotANumber(text.to_owned()));
        }
        _ => return Err(AmountError::OtherUnit { given: unit.to_owned(), ticker: ticker.to_owned() }),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = without_groups(whole, number.contains('.') || decimals == 0)
        .ok_or_else(|| AmountError::Comma(text.to_owned()))?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(&whole) || !digits(fraction) {
        let comma = fraction.contains(',');
        return Err(if comma { AmountError::Comma(text.to_owned()) } else { AmountError::NotANumber(text.to_owned()) });
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return Err(AmountError::TooFine(text.to_owned()));
    }
    let sats = format!("{whole}{fraction:0<decimals$}").parse::<u64>();
    let amount = sats.ok().map(Amount::from_sat).filter(|amount| *amount <= Amount::MAX_MONEY);
    amount.ok_or_else(|| AmountError::TooMuch(text.to_owned()))
}

/// The digits of `1,234`, if the groups are well formed and it is certain that the commas divide thousands.
fn without_groups(whole: &str, certain: bool) -> Option<String> {
    if !whole.contains(',') {
        return Some(whole.to_owned());
    }
    let mut groups = whole.split(',');
    let first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    (certain && first && groups.all(|group| group.len() == 3)).then(|| whole.replace(',', ""))
}

/// An amount of satoshis in coins, without the ticker: `1,234.50`, `-0.00000001`.
pub(in crate::cli) fn number(sats: i64) -> String {
    let size = sats.unsigned_abs();
    let sign = if sats < 0 { "-" } else { "" };
    let fraction = format!("{:08}", size % COIN);
    let shown = fraction.trim_end_matches('0').len().max(LEAST_SHOWN);
    let fraction = fraction.get(..shown).unwrap_or(&fraction);
    format!("{sign}{}.{fraction}", super::text::grouped(size / COIN))
}

/// An amount of satoshis in coins, with the ticker.
pub(in crate::cli) fn show(sats: i64, ticker: &str) -> String {
    format!("{} {ticker}", number(sats))
}

/// An amount as JSON-RPC takes it: exactly, in coins.
pub(in crate::cli) fn json(amount: Amount) -> serde_json::Value {
    let sats = amount.to_sat();
    let coins = format!("{}.{:08}", sats / COIN, sats % COIN);
    coins.parse::<serde_json::Number>().map_or_else(|_| coins.clone().into(), Into::into)
}

/// The satoshis of a number of coins in JSON, exactly.
pub(in crate::cli) fn sats(value: &serde_json::Value) -> Option<i64> {
    let text = match value {
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => return None,
    };
    let (negative, size) = text.strip_prefix('-').map_or((false, text.as_str()), |size| (true, size));
    // Never written by a node, but JSON all the same.
    if size.contains(['e', 'E', ',']) {
        return None;
    }
    let size = i64::try_from(parse(size, "").ok()?.to_sat()).ok()?;
    Some(if negative { size.saturating_neg() } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sat(text: &str) -> u64 {
        parse(text, "YAP").unwrap().to_sat()
    }

    #[test]
    fn amounts_are_coins_unless_they_say_satoshis() {
        assert_eq!(sat("0.1"), 10_000_000);
        assert_eq!(sat("0.1 YAP"), 10_000_000);
        assert_eq!(sat(" .5yap "), 50_000_000);
        assert_eq!(sat("12."), 1_200_000_000);
        assert_eq!(sat("10 sat"), 10);
        assert_eq!(sat("1,000sats"), 1000);
        assert_eq!(sat("1,234.50"), 123_450_000_000);
        assert_eq!(sat("0.000000010000"), 1);
        assert_eq!(sat("21000000"), Amount::MAX_MONEY.to_sat());
    }

    #[test]
    fn what_is_not_certain_is_refused_in_words() {
        let error = |text: &str| parse(text, "YAP").unwrap_err();
        for text in ["", "abc", "-1", "1e3", "0x10", "1.2.3", ".", "1 000", "½", "1 YA P"] {
            assert!(matches!(error(text), AmountError::NotANumber(_) | AmountError::OtherUnit { .. }), "{text}");
        }
        for text in ["1,000", "0,5", "1,00.5", "1.000,50", ",5.0", "1234,567.0"] {
            assert_eq!(error(text), AmountError::Comma(text.into()));
        }
        assert_eq!(error("0.123456789"), AmountError::TooFine("0.123456789".into()));
        assert_eq!(error("1.5 sat"), AmountError::TooFine("1.5 sat".into()));
        assert_eq!(error("1 BTC"), AmountError::OtherUnit { given: "BTC".into(), ticker: "YAP".into() });
        for text in ["21000000.00000001", "99999999999999999999", "2100000000000001 sat"] {
            assert_eq!(error(text), AmountError::TooMuch(text.into()));
        }
    }

    #[test]
    fn amounts_are_shown_with_at_least_two_decimals() {
        assert_eq!(show(0, "YAP"), "0.00 YAP");
        assert_eq!(show(123_450_000_000, "YAP"), "1,234.50 YAP");
        assert_eq!(show(-1, "YAP"), "-0.00000001 YAP");
        assert_eq!(number(i64::MIN), "-92,233,720,368.54775808");
    }

    #[test]
    fn json_amounts_are_exact() {
        assert_eq!(json(Amount::from_sat(1)).to_string(), "0.00000001");
        assert_eq!(sats(&serde_json::from_str("-0.10000000").unwrap()), Some(-10_000_000));
        assert_eq!(sats(&serde_json::json!("1,5")), None);
        assert_eq!(sats(&serde_json::from_str("1e2").unwrap()), None);
        assert_eq!(sats(&serde_json::Value::Null), None);
    }

    proptest! {
        #[test]
        fn whatever_is_shown_can_be_typed(sats in 0..=Amount::MAX_MONEY.to_sat()) {
            let amount = Amount::from_sat(sats);
            let signed = i64::try_from(sats).unwrap();
            prop_assert_eq!(parse(&show(signed, "YAP"), "YAP").unwrap(), amount);
            prop_assert_eq!(parse(&number(signed), "YAP").unwrap(), amount);
            prop_assert_eq!(parse(&format!("{sats} sat"), "YAP").unwrap(), amount);
            prop_assert_eq!(super::sats(&json(amount)), Some(signed));
        }

        #[test]
        fn no_text_brings_a_panic(text in ".{0,40}") {
            if let Ok(amount) = parse(&text, "YAP") {
                prop_assert!(amount <= Amount::MAX_MONEY);
            }
        }
    }
}
