//! `yap tx` and `yap mempool`: what is in the ledger, and what waits for it.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use yap_api::error::Code;

use super::money::state;
use super::reply::Reply;
use super::text::{Table, ago, bytes, count, grouped, short};
use super::{Error, Link, Output, Run, amount, now};
use crate::cli::Ending;

/// Pending transactions that are listed unless all are asked for.
const LISTED: usize = 15;

#[derive(Debug, Args)]
pub(in crate::cli) struct Tx {
    /// Its id.
    txid: String,
    /// Hash of the block that has it; needed if it is neither pending nor the wallet's own.
    #[arg(long, value_name = "HASH")]
    block: Option<String>,
}

impl Tx {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let raw = |block: Option<&str>| {
            let params = if let Some(block) = block { json!([self.txid, 2, block]) } else { json!([self.txid, 2]) };
            link.call("getrawtransaction", params)
        };
        // The wallet knows in which block its own transactions are.
        let own = link.call("gettransaction", json!([self.txid])).unwrap_or(Value::Null);
        let block = self.block.as_deref().or_else(|| own.get("blockhash").and_then(Value::as_str));
        let reply = match raw(block) {
            Err(error) if error.is(Code::NotFound) && block.is_none() => {
                let why =
                    format!("{error}. It is neither pending nor your wallet's own: name its block with --block HASH");
                return Err(Error::Lost(why).into());
            }
            reply => reply?,
        };
        output.reply(&reply, || show_transaction(&reply, &own, link.ticker(), now()))?;
        Ok(Ending::Done)
    }
}

fn show_transaction(reply: &Value, own: &Value, ticker: &str, now: u64) -> String {
    let mut facts = Table::facts();
    facts.fact("transaction", reply.text("txid"));
    let depth = reply.number("confirmations").unwrap_or(0);
    if depth > 0 {
        let time = reply.number("blocktime").map(|time| ago(now, time)).unwrap_or_default();
        facts.fact("state", format!("{}, {time}", count(depth, "confirmation")));
        facts.fact("block", reply.text("blockhash"));
    } else {
        facts.fact("state", if own.is_null() { "pending".to_owned() } else { state(own) });
    }
    if let Some(sats) = own.sats("amount") {
        let fee = own.sats("fee").unwrap_or(0);
        facts.fact("your wallet", amount::show(sats.saturating_add(fee), ticker));
    }
    if let Some(fee) = reply.sats("fee").or_else(|| own.sats("fee").map(i64::abs)) {
        facts.fact("fee", amount::show(fee, ticker));
    }
    facts.fact("size", format!("{} virtual bytes", grouped(reply.number("vsize").unwrap_or(0))));
    let mut text = facts.text();
    let mut inputs = Table::new(["From", ">Amount"]);
    for input in reply.list("vin") {
        if input.get("coinbase").is_some() {
            inputs.row(["new coins".into(), String::new()]);
            continue;
        }
        let before = input.part("prevout");
        let address = before.part("scriptPubKey").text("address");
        let place = format!("{}:{}", short(input.text("txid")), input.number("vout").unwrap_or(0));
        let who = if address.is_empty() { place } else { address.to_owned() };
        inputs.row([who, before.sats("value").map(amount::number).unwrap_or_default()]);
    }
    let mut outputs = Table::new(["To", ">Amount"]);
    for output in reply.list("vout") {
        let script = output.part("scriptPubKey");
        let who = match script.text("address") {
            "" => format!("({})", script.text("type")),
            address => address.to_owned(),
        };
        outputs.row([who, output.sats("value").map(amount::number).unwrap_or_default()]);
    }
    let _ = write!(text, "\n{}\n{}", inputs.text(), outputs.text());
    text
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Mempool {
    /// List every pending transaction.
    #[arg(long)]
    all: bool,
}

impl Mempool {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        if output.is_json() {
            let reply = match self.all {
                true => link.call("getrawmempool", json!([true]))?,
                false => link.call("getmempoolinfo", json!([]))?,
            };
            output.json(&reply)?;
            return Ok(Ending::Done);
        }
        let info = link.call("getmempoolinfo", json!([]))?;
        let pool = link.call("getrawmempool", json!([true]))?;
        let listed = if self.all { usize::MAX } else { LISTED };
        output.reply(&info, || show_pool(&info, &pool, listed, link.ticker(), now()))?;
        Ok(Ending::Done)
    }
}

fn show_pool(info: &Value, pool: &Value, listed: usize, ticker: &str, now: u64) -> String {
    let waiting = info.number("size").unwrap_or(0);
    if waiting == 0 {
        return "No transaction waits for a block.\n".into();
    }
    let mut text = format!(
        "{} wait for a block: {}, {} of fees, {} of memory\n\n",
        count(waiting, "transaction"),
        count(info.number("bytes").unwrap_or(0), "virtual byte"),
        amount::show(info.sats("total_fee").unwrap_or(0), ticker),
        bytes(info.number("usage").unwrap_or(0)),
    );
    let mut entries: Vec<(u64, &String, &Value)> =
        pool.as_object().into_iter().flatten().map(|(txid, entry)| (thousandths(entry), txid, entry)).collect();
    entries.sort_by(|(a, first, _), (b, second, _)| b.cmp(a).then(first.cmp(second)));
    let mut table = Table::new(["Transaction", ">sat/vB", ">Size", ">Fee", "Since"]);
    for (rate, txid, entry) in entries.iter().take(listed) {
        table.row([
            (*txid).clone(),
            format!("{}.{:02}", rate / 1000, rate % 1000 / 10),
            grouped(entry.number("vsize").unwrap_or(0)),
            amount::number(entry.part("fees").sats("base").unwrap_or(0)),
            entry.number("time").map(|time| ago(now, time)).unwrap_or_default(),
        ]);
    }
    text.push_str(&table.text());
    let more = entries.len().saturating_sub(listed);
    if more > 0 {
        let _ = writeln!(text, "and {} more: --all lists them", grouped(u64::try_from(more).unwrap_or(u64::MAX)));
    }
    text
}

/// The fee rate, in thousandths of a satoshi per virtual byte.
fn thousandths(entry: &Value) -> u64 {
    let fee = entry.part("fees").sats("base").and_then(|fee| u64::try_from(fee).ok()).unwrap_or(0);
    fee.saturating_mul(1000).checked_div(entry.number("vsize").unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_told_from_whom_to_whom() {
        let now = 1_767_225_600;
        let reply = json!({
            "txid": "ab12", "vsize": 1410, "fee": "0.00001410", "confirmations": 2, "blockhash": "00ff",
            "blocktime": now - 30,
            "vin": [{"txid": "cc", "vout": 1, "prevout": {"value": 5.0, "scriptPubKey": {"address": "alice"}}},
                    {"txid": "dd", "vout": 0}],
            "vout": [{"value": 1.25, "scriptPubKey": {"address": "bob", "type": "witness_v1_taproot"}},
                     {"value": 0, "scriptPubKey": {"type": "nulldata"}}],
        });
        assert_eq!(
            show_transaction(&reply, &json!({"amount": -1.25, "fee": "-0.00001410"}), "YAP", now),
            "transaction  ab12\n\
             state        2 confirmations, 30 s ago\n\
             block        00ff\n\
             your wallet  -1.2500141 YAP\n\
             fee          0.0000141 YAP\n\
             size         1,410 virtual bytes\n\
             \n\
             From   Amount\n\
             alice    5.00\n\
             dd:0\n\
             \n\
             To          Amount\n\
             bob           1.25\n\
             (nulldata)    0.00\n"
        );
        let mined = show_transaction(&json!({"vin": [{"coinbase": "51"}]}), &Value::Null, "YAP", now);
        assert!(mined.contains("pending") && mined.contains("new coins"), "{mined}");
    }

    #[test]
    fn the_pool_lists_the_best_paying_first() {
        let now = 1_767_225_600;
        let info = json!({"size": 3, "bytes": 600, "usage": 4200, "total_fee": "0.00001000"});
        let pool = json!({
            "low": {"vsize": 200, "fees": {"base": "0.00000200"}, "time": now - 60},
            "high": {"vsize": 100, "fees": {"base": "0.00000550"}, "time": now},
            "none": {"vsize": 0, "fees": {"base": 0}},
        });
        assert_eq!(
            show_pool(&info, &pool, 2, "YAP", now),
            "3 transactions wait for a block: 600 virtual bytes, 0.00001 YAP of fees, 4.2 kB of memory\n\
             \n\
             Transaction  sat/vB  Size        Fee  Since\n\
             high           5.50   100  0.0000055  just now\n\
             low            1.00   200   0.000002  1 min ago\n\
             and 1 more: --all lists them\n"
        );
        assert_eq!(show_pool(&json!({"size": 0}), &json!({}), 2, "YAP", now), "No transaction waits for a block.\n");
    }
}
