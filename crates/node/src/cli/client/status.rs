//! `yap status`: how the node stands, and what to do next.

use serde_json::{Value, json};

use super::reply::Reply;
use super::text::{Table, ago, count, grouped, short, span};
use super::{Link, Output, Run, amount, now};
use crate::cli::Ending;

/// Peers that are listed; `yap peers` lists all.
const LISTED: usize = 6;

pub(super) fn run(link: &Link, output: &Output) -> Run {
    let reply = link.call("getstatus", json!([]))?;
    output.reply(&reply, || show(&reply, link.ticker(), now()))?;
    Ok(Ending::Done)
}

fn show(reply: &Value, ticker: &str, now: u64) -> String {
    let mut facts = Table::facts();
    chain(&mut facts, reply, now);
    peers(&mut facts, reply);
    wallet(&mut facts, reply.part("wallet"), ticker);
    federation(&mut facts, reply.part("federation"));
    facts.fact("miner", miner(reply.part("miner")));
    if let Some(waiting) = reply.number("pending") {
        facts.fact("mempool", count(waiting, "transaction"));
    }
    let reach = reply.part("reach");
    if !reach.text("text").is_empty() {
        facts.fact("reached", reach.text("text"));
    }
    if let Some(seconds) = reply.number("uptime") {
        facts.fact("running", format!("for {}", span(seconds)));
    }
    if !reply.text("directory").is_empty() {
        facts.fact("directory", reply.text("directory"));
    }
    let mut text = facts.text();
    for warning in reply.list("warnings").iter().filter_map(Value::as_str) {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    if !reply.list("warnings").is_empty() {
        text.push('\n');
    }
    if let Some(next) = next(reply) {
        text.push_str(&format!("\nNext: {next}\n"));
    }
    text
}

fn chain(facts: &mut Table, reply: &Value, now: u64) {
    let height = reply.number("height").unwrap_or(0);
    let age = reply.number("tiptime").filter(|_| height > 0).map(|time| format!(", newest block {}", ago(now, time)));
    facts.fact("chain", format!("{}, height {}{}", reply.text("chain"), grouped(height), age.unwrap_or_default()));
    let behind = reply.number("headers").unwrap_or(height).saturating_sub(height);
    if behind > 0 {
        let left = reply.part("progress").number("left").map(|left| format!(", {} left", span(left)));
        facts.fact("", format!("catching up: {} to go{}", count(behind, "block"), left.unwrap_or_default()));
    }
}

fn peers(facts: &mut Table, reply: &Value) {
    let peers = reply.list("peers");
    facts.fact("peers", if peers.is_empty() { "none".into() } else { peers.len().to_string() });
    for peer in peers.iter().take(LISTED) {
        let name = if peer.text("identity").is_empty() { peer.text("address") } else { peer.text("identity") };
        facts.fact("", format!("{}  {}", short(name), peer.text("path")));
    }
    let more = peers.len().saturating_sub(LISTED);
    if more > 0 {
        facts.fact("", format!("and {more} more (`yap peers`)"));
    }
}

fn wallet(facts: &mut Table, wallet: &Value, ticker: &str) {
    if wallet.is_null() {
        facts.fact("wallet", "none (`yap wallet create`)");
        return;
    }
    let mut text = amount::show(wallet.sats("balance").unwrap_or(0), ticker);
    for (field, name) in [("pending", "pending"), ("immature", "young")] {
        if let Some(sats) = wallet.sats(field).filter(|sats| *sats != 0) {
            text.push_str(&format!(", {} {name}", amount::show(sats, ticker)));
        }
    }
    if wallet.holds("locked") {
        text.push_str(", locked");
    }
    if let Some(behind) = wallet.number("behind").filter(|behind| *behind > 0) {
        text.push_str(&format!(", {} to look through", count(behind, "block")));
    }
    facts.fact("wallet", text);
}

fn federation(facts: &mut Table, federation: &Value) {
    if federation.is_null() {
        return;
    }
    let count = federation.list("producers").len();
    let place = federation.number("place").map(|place| format!(", this node is number {place}"));
    facts.fact("producers", format!("{count}{}", place.unwrap_or_default()));
    let irreversible = match federation.number("irreversible") {
        None | Some(0) => "nothing yet".to_owned(),
        Some(height) => format!("up to height {}", grouped(height)),
    };
    facts.fact("final", irreversible);
}

fn miner(miner: &Value) -> String {
    let mode = match miner.text("mining") {
        "continuous" => "always",
        "ondemand" => "while transactions wait",
        _ => "off (`yap mine` makes a block)",
    };
    let rate = miner.get("hashespersec").and_then(Value::as_f64).filter(|rate| miner.holds("working") && *rate > 0.0);
    rate.map_or_else(|| mode.to_owned(), |rate| format!("{mode}; {} now", hashes(rate)))
}

/// Hashes per second: `12.3 MH/s`.
fn hashes(rate: f64) -> String {
    let units = [(1e9, "GH/s"), (1e6, "MH/s"), (1e3, "kH/s")];
    let unit = units.into_iter().find(|(size, _)| rate >= *size);
    unit.map_or_else(|| format!("{rate:.0} H/s"), |(size, unit)| format!("{:.1} {unit}", rate / size))
}

/// What the user may want to do, going by what is there.
fn next(reply: &Value) -> Option<&'static str> {
    let wallet = reply.part("wallet");
    let part = |name| wallet.sats(name).unwrap_or(0);
    if reply.holds("catchingup") {
        return None;
    }
    let peers = !reply.holds("isolated");
    let unsaved = wallet.holds("unsaved") && (part("balance"), part("immature")) != (0, 0);
    if unsaved {
        return Some("`yap wallet words` shows the words that are your only backup; write them down");
    }
    if wallet.is_null() || part("balance") > 0 {
        return (!peers).then_some("start `yap` on another computer of this network; they find each other");
    }
    if part("immature") > 0 {
        return Some("`yap mine 100` makes what was mined ready to be spent");
    }
    let own = matches!(reply.text("chain"), "local" | "regtest");
    own.then_some("`yap mine 101` makes the first coins, or `yap address` gives an address to be paid at")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_767_225_600;

    #[test]
    fn a_first_start_is_told_what_to_do() {
        let reply = json!({
            "chain": "local", "height": 0, "headers": 0, "tiptime": NOW, "isolated": true, "peers": [],
            "wallet": {"balance": 0, "pending": 0, "immature": 0, "unsaved": true}, "pending": 0,
            "miner": {"mining": "ondemand", "working": false, "hashespersec": 0}, "uptime": 5, "warnings": [],
        });
        assert_eq!(
            show(&reply, "YAP", NOW),
            "chain    local, height 0\n\
             peers    none\n\
             wallet   0.00 YAP\n\
             miner    while transactions wait\n\
             mempool  0 transactions\n\
             running  for 5 s\n\
             \n\
             Next: `yap mine 101` makes the first coins, or `yap address` gives an address to be paid at\n"
        );
    }

    #[test]
    fn a_busy_node_is_told_in_a_few_lines() {
        let peer = json!({"identity": "12D3KooWabcdefghijklmnop", "path": "QUIC, local network"});
        let reply = json!({
            "chain": "local", "height": 1200, "headers": 1500, "tiptime": NOW - 90, "catchingup": true,
            "progress": {"left": 75}, "peers": vec![peer; 8],
            "wallet": {"balance": 12.5, "pending": 0.25, "immature": 3.0, "locked": true, "behind": 2},
            "miner": {"mining": "continuous", "working": true, "hashespersec": 12_345_678.9}, "pending": 3,
            "reach": {"text": "publicly reachable"}, "uptime": 7500, "directory": "/home/a/.yap/local",
            "warnings": ["your clock is 2 h behind\u{1b}"],
        });
        let text = show(&reply, "YAP", NOW);
        let expected = "\
chain      local, height 1,200, newest block 1 min ago
           catching up: 300 blocks to go, 1 min left
peers      8
           12D3KooW…mnop  QUIC, local network
";
        assert!(text.starts_with(expected), "{text}");
        for line in [
            "           and 2 more (`yap peers`)",
            "wallet     12.50 YAP, 0.25 YAP pending, 3.00 YAP young, locked, 2 blocks to look through",
            "miner      always; 12.3 MH/s now",
            "mempool    3 transactions",
            "reached    publicly reachable",
            "running    for 2 h 5 min",
            "warning: your clock is 2 h behind\u{1b}",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        assert!(!text.contains("Next:"), "{text}");
    }

    #[test]
    fn advice_follows_what_is_there() {
        let of = |wallet: Value, isolated: bool| {
            next(&json!({"chain": "local", "wallet": wallet, "isolated": isolated})).unwrap_or_default()
        };
        assert!(of(json!({"balance": 1, "unsaved": true}), false).contains("wallet words"));
        assert!(of(json!({"balance": 1}), true).contains("another computer"));
        assert_eq!(of(json!({"balance": 1}), false), "");
        assert!(of(json!({"balance": 0, "immature": 1}), false).contains("mine 100"));
        assert!(of(Value::Null, true).contains("another computer"));
    }
}
