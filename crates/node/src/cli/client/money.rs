//! `yap balance`, `yap address`, `yap history`: what the wallet has, and how it came there.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use yap_chain::address::uri;

use super::reply::{Reply, entries};
use super::text::{Table, ago, count, short};
use super::{Error, Link, Output, Run, amount, now};
use crate::cli::Ending;

/// `yap balance`.
pub(super) fn balance(link: &Link, output: &Output) -> Run {
    let reply = link.call("getbalances", json!([]))?;
    output.reply(&reply, || show_balance(&reply, link.ticker()))?;
    Ok(Ending::Done)
}

fn show_balance(reply: &Value, ticker: &str) -> String {
    let mine = reply.part("mine");
    let part = |name| mine.sats(name).unwrap_or(0);
    let (ready, pending, young) = (part("trusted"), part("untrusted_pending"), part("immature"));
    let mut text = format!("{}\n", amount::show(ready, ticker));
    if pending != 0 {
        let _ = writeln!(text, "{} more is pending: it counts once a block has it", amount::show(pending, ticker));
    }
    if young != 0 {
        let _ = writeln!(text, "{} more was mined and can be spent 100 blocks later", amount::show(young, ticker));
    }
    if (ready, pending, young) == (0, 0, 0) {
        text.push_str("`yap mine 101` makes the first coins, `yap address` gives an address to be paid at\n");
    }
    text
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Address {
    /// What it is for; shown beside payments to it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Kind of address.
    #[arg(long = "type", value_enum, default_value_t = Kind::Bech32m)]
    kind: Kind,
    /// Give a payment request that asks for this amount.
    #[arg(long, value_name = "AMOUNT")]
    uri: Option<String>,
}

/// Kinds of addresses, with Bitcoin Core's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Taproot.
    Bech32m,
    /// Segwit, of the first kind.
    Bech32,
    /// Of the key's hash, for the oldest wallets.
    Legacy,
}

impl Address {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let asked = self.uri.as_deref().map(|text| amount::parse(text, link.ticker()).map_err(Error::Amount));
        let asked = asked.transpose()?;
        let kind = match self.kind {
            Kind::Bech32m => "bech32m",
            Kind::Bech32 => "bech32",
            Kind::Legacy => "legacy",
        };
        let reply = link.call("getnewaddress", json!([self.label, kind]))?;
        let address = reply.as_str().ok_or(Error::Strange { method: "getnewaddress" })?;
        if let Some(asked) = asked {
            let script = yap_chain::address::parse(address, &link.spec().addresses)
                .map_err(|cause| Error::Address { given: address.to_owned(), cause })?;
            let label = (!self.label.is_empty()).then(|| self.label.clone());
            let request =
                uri::Request { address: address.to_owned(), script, amount: Some(asked), label, message: None };
            let text = uri::encode(&request, link.spec());
            output.reply(&json!({ "address": address, "uri": text }), || format!("{text}\n"))?;
            return Ok(Ending::Done);
        }
        output.reply(&reply, || format!("{address}\n"))?;
        Ok(Ending::Done)
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    /// How many payments, newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl History {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call("listtransactions", json!(["*", self.limit]))?;
        output.reply(&reply, || show_history(&reply, now()))?;
        Ok(Ending::Done)
    }
}

fn show_history(reply: &Value, now: u64) -> String {
    let entries = entries(reply);
    if entries.is_empty() {
        return "No payments yet. `yap address` gives an address to be paid at.\n".into();
    }
    let mut table = Table::new(["When", ">Amount", "State", "Address or label", "Transaction"]);
    // The node tells the newest last.
    for entry in entries.iter().rev() {
        let time = entry.number("time").map(|time| ago(now, time)).unwrap_or_default();
        let sats = entry.sats("amount").unwrap_or(0);
        let label = entry.text("label");
        let who = match (entry.text("category"), label) {
            ("generate" | "immature", "") => "mined".to_owned(),
            (_, "") => short(entry.text("address")),
            (_, label) => label.to_owned(),
        };
        let sign = if sats > 0 { "+" } else { "" };
        table.row([time, format!("{sign}{}", amount::number(sats)), state(entry), who, short(entry.text("txid"))]);
    }
    table.text()
}

/// How far a payment is, in words.
pub(super) fn state(entry: &Value) -> String {
    match (entry.text("category"), entry.signed("confirmations").unwrap_or(0)) {
        (_, below) if below < 0 => "conflicted".into(),
        _ if entry.holds("abandoned") => "abandoned".into(),
        _ if entry.holds("isolated") => "pending, no peers".into(),
        (_, 0) => "pending".into(),
        ("immature", depth) => format!("young ({depth} of 100)"),
        (_, depth) => count(depth.unsigned_abs(), "confirmation"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_balance_tells_what_can_be_spent_first() {
        let reply = json!({"mine": {"trusted": "1234.50000000", "untrusted_pending": 0.25, "immature": 3}});
        assert_eq!(
            show_balance(&reply, "YAP"),
            "1,234.50 YAP\n\
             0.25 YAP more is pending: it counts once a block has it\n\
             3.00 YAP more was mined and can be spent 100 blocks later\n"
        );
        let nothing = show_balance(&json!({"mine": {"trusted": 0, "untrusted_pending": 0, "immature": 0}}), "YAP");
        assert!(nothing.starts_with("0.00 YAP\n`yap mine 101`"), "{nothing}");
    }

    #[test]
    fn history_is_newest_first_and_aligned() {
        let now = 1_767_225_600;
        let reply = json!([
            {"category": "immature", "amount": 1.0, "confirmations": 7, "time": now - 7200, "txid": "aa", "address": "x"},
            {"category": "receive", "amount": 12.5, "confirmations": 3, "time": now - 180, "label": "rent\u{1b}[1m",
             "txid": "d2f1a09cd2f1a09cd2f1a09cd2f1a09cd2f1a09cd2f1a09cd2f1a09cd2f177b0"},
            {"category": "send", "amount": -0.1, "confirmations": 0, "isolated": true, "time": now - 5, "txid": "bb",
             "address": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"},
        ]);
        assert_eq!(
            show_history(&reply, now),
            "When       Amount  State              Address or label  Transaction\n\
             5 s ago     -0.10  pending, no peers  bcrt1qw5…t080     bb\n\
             3 min ago  +12.50  3 confirmations    rent\\u{1b}[1m     d2f1a09c…77b0\n\
             2 h ago     +1.00  young (7 of 100)   mined             aa\n"
        );
        assert!(show_history(&json!([]), now).starts_with("No payments yet."));
    }

    #[test]
    fn a_payment_s_state_is_one_word_or_two() {
        assert_eq!(state(&json!({"confirmations": -1})), "conflicted");
        assert_eq!(state(&json!({"confirmations": 0, "abandoned": true})), "abandoned");
        assert_eq!(state(&json!({"confirmations": 1})), "1 confirmation");
        assert_eq!(state(&json!({})), "pending");
    }
}
