//! Payment requests: `bitcoin:<address>?amount=…&label=…&message=…` (BIP-0021).
//!
//! A chain of one's own has the scheme of its ticker in lower case; `bitcoin:` is read on every chain, since wallets write
//! it on all of Bitcoin's networks, and the address tells which is meant.

use std::fmt::Write as _;

use bitcoin::{Amount, Denomination, ScriptBuf};

use super::parse as parse_address;
use crate::spec::Spec;

/// Longest request that is read, in bytes.
pub const MAX_LENGTH: usize = 4_096;

/// What a payee asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The address, as it was written.
    pub address: String,
    /// The address's output script.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Option<Amount>,
    /// Whose address it is.
    pub label: Option<String>,
    /// What the payment is for.
    pub message: Option<String>,
}

/// Why text is not a payment request of this chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is longer than [`MAX_LENGTH`].
    #[error("a payment request of {0} bytes is longer than {MAX_LENGTH}")]
    TooLong(usize),
    /// It begins with another scheme.
    #[error("not a payment request of this chain: it does not begin with {expected}: or bitcoin:")]
    Scheme {
        /// The chain's own scheme.
        expected: String,
    },
    /// Its address is none.
    #[error(transparent)]
    Address(#[from] super::Error),
    /// Its amount is none.
    #[error("the amount of the payment request, {0:?}, is not a number of coins")]
    Amount(String),
    /// BIP-0021: a parameter that must be understood, and is not.
    #[error("the payment request requires {0:?}, which is not known here: it can't be paid")]
    Required(String),
    /// A parameter that is there twice.
    #[error("the payment request says {0:?} twice")]
    Twice(String),
    /// Text behind `%` that is not two hexadecimal digits, or bytes that are no UTF-8.
    #[error("the payment request has text that is not encoded as URIs do (RFC 3986)")]
    Encoding,
}

/// Whether text looks like a payment request: a scheme stands before the address.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.contains(':')
}

/// Reads a payment request.
///
/// # Errors
/// [`Error`].
pub fn parse(text: &str, spec: &Spec) -> Result<Request, Error> {
    if text.len() > MAX_LENGTH {
        return Err(Error::TooLong(text.len()));
    }
    let own = scheme(spec);
    let rest = text
        .split_once(':')
        .filter(|(found, _)| found.eq_ignore_ascii_case(&own) || found.eq_ignore_ascii_case("bitcoin"))
        .map(|(_, rest)| rest)
        .ok_or(Error::Scheme { expected: own })?;
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let script = parse_address(address, &spec.addresses)?;
    let mut request = Request { address: address.to_owned(), script, amount: None, label: None, message: None };
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        request.set(key, value)?;
    }
    Ok(request)
}

/// Writes a payment request.
#[must_use]
pub fn encode(request: &Request, spec: &Spec) -> String {
    let mut text = format!("{}:{}", scheme(spec), request.address);
    let amount = request.amount.map(|amount| amount.to_string_in(Denomination::Bitcoin));
    let parameters = [("amount", amount), ("label", request.label.clone()), ("message", request.message.clone())];
    let mut mark = '?';
    for (key, value) in parameters {
        let Some(value) = value else { continue };
        text.push(mark);
        text.push_str(key);
        text.push('=');
        escape(&value, &mut text);
        mark = '&';
    }
    text
}

impl Request {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let twice = || Error::Twice(key.to_owned());
        match key {
            "amount" => {
                // BIP-0021: coins, a period for the decimals, no exponent and no separators.
                let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                let amount = Amount::from_str_in(value, Denomination::Bitcoin).ok();
                let amount = amount.filter(|amount| plain && *amount <= Amount::MAX_MONEY);
                let amount = amount.ok_or_else(|| Error::Amount(value.to_owned()))?;
                self.amount.replace(amount).map_or(Ok(()), |_| Err(twice()))
            }
            "label" => self.label.replace(unescape(value)?).map_or(Ok(()), |_| Err(twice())),
            "message" => self.message.replace(unescape(value)?).map_or(Ok(()), |_| Err(twice())),
            // BIP-0021: whoever does not know a variable with this prefix MUST NOT pay.
            _ if key.starts_with("req-") => Err(Error::Required(key.to_owned())),
            _ => Ok(()),
        }
    }
}

/// The chain's own scheme.
fn scheme(spec: &Spec) -> String {
    match spec.name.as_str() {
        "bitcoin" | "regtest" | "signet" | "testnet4" => "bitcoin".to_owned(),
        _ => spec.ticker.to_ascii_lowercase(),
    }
}

fn escape(value: &str, text: &mut String) {
    for byte in value.bytes() {
        // RFC 3986: what need not be encoded.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
}

fn unescape(value: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(Error::Encoding);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high.saturating_mul(16).saturating_add(low)).map_err(|_| Error::Encoding)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| Error::Encoding)
}
