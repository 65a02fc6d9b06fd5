//! `yap pay`: shows what a payment costs, asks, and sends exactly what was shown.
//!
//! The payment is made as a PSBT first, so that fee and coins are settled before anybody agrees to them.

use bitcoin::Amount;
use clap::Args;
use serde_json::{Value, json};
use yap_chain::address::{self, uri};

use super::reply::Reply;
use super::text::Table;
use super::{Error, Link, Output, Run, amount, secret, wait};
use crate::cli::Ending;

#[derive(Debug, Args)]
pub(in crate::cli) struct Pay {
    /// Address, or a payment request such as `yap:ADDRESS?amount=0.5`.
    #[arg(value_name = "ADDRESS|URI")]
    to: String,
    /// How much: `0.5`, `0.5 YAP` or `100 sat`.
    #[arg(num_args = 1..=2)]
    amount: Vec<String>,
    /// Pay everything that can be spent; the fee is taken from it.
    #[arg(long, conflicts_with_all = ["amount", "subtract_fee"])]
    all: bool,
    /// Satoshis per virtual byte [default: what the node advises].
    #[arg(long, value_name = "SAT/VB", value_parser = rate)]
    fee_rate: Option<String>,
    /// Take the fee from the amount instead of adding it.
    #[arg(long)]
    subtract_fee: bool,
    /// What it is for; shown in your own history.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Don't ask.
    #[arg(long, short)]
    yes: bool,
    /// Wait until a block has it.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    passphrase: secret::Source,
}

/// A fee rate: a number of zero or more, kept as it was typed.
pub(super) fn rate(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    (plain && serde_json::from_str::<serde_json::Number>(text).is_ok())
        .then(|| text.to_owned())
        .ok_or_else(|| "satoshis per virtual byte are expected, such as 2 or 0.5".into())
}

/// A payment as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    address: String,
    amount: Option<Amount>,
    label: Option<String>,
}

impl Pay {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let wish = self.wish(link)?;
        let (psbt, paid, fee) = self.fund(link, &wish)?;
        self.confirm(link, output, &wish, (paid, fee))?;
        let signed = link.call_unlocked("walletprocesspsbt", json!([psbt]), &self.passphrase)?;
        let complete = link.call("finalizepsbt", json!([signed.text("psbt")]))?;
        if !complete.holds("complete") {
            return Err(Error::Strange { method: "finalizepsbt" }.into());
        }
        // From before the payment is known, so that no confirmation is missed.
        let waiting = self.wait.then(|| wait::Waiting::begin(link)).transpose()?;
        let reply = link.call("sendrawtransaction", json!([complete.text("hex")]))?;
        let txid = reply.as_str().ok_or(Error::Strange { method: "sendrawtransaction" })?.to_owned();
        if let Some(label) = &wish.label
            && let Err(error) = link.call("setlabel", json!([wish.address, label]))
        {
            output.note(format_args!("the payment is sent, but its label is not kept: {error}"));
        }
        output.reply(&reply, || format!("sent  {txid}\n"))?;
        link.warn_if_alone(output);
        match waiting {
            Some(waiting) => waiting.confirmed(link, output, &txid),
            None => Ok(Ending::Done),
        }
    }

    fn wish(&self, link: &Link) -> Result<Wish, Error> {
        let given = (!self.amount.is_empty()).then(|| self.amount.join(" "));
        let given = given.map(|text| amount::parse(&text, link.ticker())).transpose()?;
        let (address, asked, label) = if uri::is_one(&self.to) {
            let request =
                uri::parse(&self.to, link.spec()).map_err(|cause| Error::Request { given: self.to.clone(), cause })?;
            (request.address, request.amount, request.label)
        } else {
            address::parse(&self.to, &link.spec().addresses)
                .map_err(|cause| Error::Address { given: self.to.clone(), cause })?;
            (self.to.clone(), None, None)
        };
        let show = |amount: Amount| amount::show(i64::try_from(amount.to_sat()).unwrap_or(i64::MAX), link.ticker());
        let amount = match (given, asked) {
            (Some(given), Some(asked)) if given != asked => {
                return Err(Error::TwoAmounts { asked: show(asked), given: show(given) });
            }
            (Some(amount), _) | (None, Some(amount)) => Some(amount),
            (None, None) => None,
        };
        match amount {
            Some(Amount::ZERO) => Err(Error::Zero),
            None if !self.all => Err(Error::NoAmount),
            _ => Ok(Wish { address, amount: amount.filter(|_| !self.all), label: self.label.clone().or(label) }),
        }
    }

    /// The payment as a PSBT, the satoshis that arrive, and the fee.
    fn fund(&self, link: &Link, wish: &Wish) -> Result<(String, i64, i64), Error> {
        let whole = match wish.amount {
            Some(amount) => amount,
            None => everything(link)?,
        };
        let subtracts = self.all || self.subtract_fee;
        let mut options = serde_json::Map::new();
        if let Some(rate) = &self.fee_rate {
            options.insert("fee_rate".into(), serde_json::from_str(rate).unwrap_or(Value::Null));
        }
        if subtracts {
            options.insert("subtractFeeFromOutputs".into(), json!([0]));
        }
        let outputs = json!([{ &wish.address: amount::json(whole) }]);
        let funded = link.call("walletcreatefundedpsbt", json!([[], outputs, 0, options]))?;
        let fee = funded.sats("fee").ok_or(Error::Strange { method: "walletcreatefundedpsbt" })?;
        let whole = i64::try_from(whole.to_sat()).unwrap_or(i64::MAX);
        let arrives = if subtracts { whole.saturating_sub(fee) } else { whole };
        Ok((funded.text("psbt").to_owned(), arrives, fee))
    }

    fn confirm(&self, link: &Link, output: &Output, wish: &Wish, (arrives, fee): (i64, i64)) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        if !secret::can_ask() {
            return Err(Error::CannotAsk);
        }
        output.aside(&summary(wish, arrives, fee, link.ticker()));
        if secret::agrees("Send it?")? { Ok(()) } else { Err(Error::Declined) }
    }
}

/// All that can be spent.
fn everything(link: &Link) -> Result<Amount, Error> {
    let balances = link.call("getbalances", json!([]))?;
    let ready = balances.part("mine").sats("trusted").and_then(|sats| u64::try_from(sats).ok()).unwrap_or(0);
    if ready == 0 { Err(Error::Empty) } else { Ok(Amount::from_sat(ready)) }
}

fn summary(wish: &Wish, arrives: i64, fee: i64, ticker: &str) -> String {
    let mut table = Table::facts();
    table.fact("pay", amount::show(arrives, ticker));
    table.fact("to", wish.address.clone());
    if let Some(label) = &wish.label {
        table.fact("for", label.clone());
    }
    table.fact("fee", amount::show(fee, ticker));
    table.fact("together", amount::show(arrives.saturating_add(fee), ticker));
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_what_leaves_the_wallet() {
        let wish = Wish { address: "bcrt1qxyz".into(), amount: None, label: Some("rent\nfor May".into()) };
        assert_eq!(
            summary(&wish, 50_000_000, 1410, "YAP"),
            "pay       0.50 YAP\n\
             to        bcrt1qxyz\n\
             for       rent for May\n\
             fee       0.0000141 YAP\n\
             together  0.5000141 YAP\n"
        );
    }

    #[test]
    fn fee_rates_are_plain_numbers() {
        for good in ["0", "2", "1.5", "0.001"] {
            assert_eq!(rate(good).unwrap(), good);
            assert!(serde_json::from_str::<Value>(good).unwrap().is_number());
        }
        for bad in ["", "-1", "inf", "NaN", "1e3", "+2", ".5", "2.", "1,5", "007"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
