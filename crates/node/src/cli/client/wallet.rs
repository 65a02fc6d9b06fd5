//! `yap wallet`: the wallet itself, its words, passphrase and files.

mod make;
mod psbt;

use std::path::{Path, PathBuf};

use bitcoin::Txid;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::reply::{Reply, entries};
use super::text::{Table, count, grouped, short};
use super::{Error, Link, Output, Run, amount, secret};
use crate::cli::{Ending, Global};

/// Words that stand in one line when they are shown.
const WORDS_IN_LINE: usize = 4;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Wallet {
    /// Show how the wallet stands: balance, lock, backup.
    Info,
    /// Show the words from which the wallet can be made again. Write them down where nobody else reads them.
    Words(Words),
    /// Make a wallet where there is none, before the node is started. The first start of a node does so by itself.
    Create,
    /// Make the wallet again from its words, or from a backup, where there is none and no node runs.
    Restore(make::Restore),
    /// Set a passphrase, without which nothing can be spent.
    Encrypt(secret::Source),
    /// Allow spending for some minutes.
    Unlock(Unlock),
    /// Forbid spending until the wallet is unlocked again.
    Lock,
    /// Change the passphrase.
    Passphrase(Passphrase),
    /// Write the wallet to a file, encrypted as it is.
    Backup(Backup),
    /// Look through the blocks again for payments.
    Rescan(Rescan),
    /// Raise the fee of a pending payment, so that it is confirmed sooner.
    Bump(Bump),
    /// List what can be spent, coin by coin.
    Coins,
    /// Say what an address is for.
    Label(Label),
    /// Payments that are made in one place and signed in another.
    #[command(subcommand)]
    Psbt(psbt::Psbt),
    /// Show what a watching wallet needs to know; it can spend nothing.
    ExportDescriptors,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Words {
    #[command(flatten)]
    passphrase: secret::Source,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Unlock {
    /// For how long.
    #[arg(long, value_name = "MINUTES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
    #[command(flatten)]
    passphrase: secret::Source,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Passphrase {
    #[command(flatten)]
    old: secret::Source,
    /// Read the new passphrase from the first line of a file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Backup {
    /// File to write. It must not be there yet.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rescan {
    /// First block to look at.
    #[arg(value_name = "HEIGHT", default_value_t = 0)]
    from: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Bump {
    /// Payment whose fee is too low.
    txid: Txid,
    /// Satoshis per virtual byte [default: enough to be relayed instead of the first].
    #[arg(long, value_name = "SAT/VB", value_parser = super::pay::rate)]
    fee_rate: Option<String>,
    #[command(flatten)]
    passphrase: secret::Source,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Label {
    /// Address.
    address: String,
    /// What it is for; empty: for nothing in particular.
    label: String,
}

impl Wallet {
    /// What is done without a node; `None` if it takes one.
    pub(super) fn run_alone(&self, global: &Global, output: &Output) -> Option<Run> {
        if let Self::Restore(restore) = self {
            return Some(restore.run(global, output));
        }
        matches!(self, Self::Create).then(|| make::create(global, output))
    }

    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let done = |method: &str, params: Value, told: &str| -> Run {
            let reply = link.call(method, params)?;
            output.reply(&reply, || format!("{told}\n"))?;
            Ok(Ending::Done)
        };
        match self {
            Self::Info => info(link, output),
            Self::Words(words) => words.run(link, output),
            // The node has the wallet's directory.
            Self::Create | Self::Restore(_) => Err(Error::NodeRuns.into()),
            Self::Encrypt(source) => {
                let passphrase = source.choose(output)?;
                let told = "encrypted and locked: spending asks for the passphrase from now on, and nobody can find it out \
                            for you.\nBackups that were made before open without it";
                done("encryptwallet", json!([passphrase]), told)
            }
            Self::Unlock(unlock) => {
                let passphrase = unlock.passphrase.ask("Passphrase of the wallet: ")?;
                let told = format!("unlocked for {}", count(u64::from(unlock.minutes), "minute"));
                done("walletpassphrase", json!([passphrase, unlock.minutes.saturating_mul(60)]), &told)
            }
            Self::Lock => done("walletlock", json!([]), "locked"),
            Self::Passphrase(change) => {
                let old = change.old.ask("Passphrase until now: ")?;
                let new = secret::Source::of(change.new_passphrase_file.clone()).choose(output)?;
                done("walletpassphrasechange", json!([old, new]), "changed")
            }
            Self::Backup(backup) => backup.run(link, output),
            Self::Rescan(rescan) => rescan.run(link, output),
            Self::Bump(bump) => bump.run(link, output),
            Self::Coins => {
                let reply = link.call("listunspent", json!([0]))?;
                output.reply(&reply, || show_coins(&reply))?;
                Ok(Ending::Done)
            }
            Self::Label(label) => {
                yap_chain::address::parse(&label.address, &link.spec().addresses)
                    .map_err(|cause| Error::Address { given: label.address.clone(), cause })?;
                done("setlabel", json!([label.address, label.label]), "kept")
            }
            Self::Psbt(psbt) => psbt.run(link, output),
            Self::ExportDescriptors => {
                let reply = link.call("listdescriptors", json!([]))?;
                output.reply(&reply, || {
                    let texts = reply.list("descriptors").iter().map(|entry| entry.text("desc"));
                    texts.map(|text| format!("{text}\n")).collect()
                })?;
                Ok(Ending::Done)
            }
        }
    }
}

fn info(link: &Link, output: &Output) -> Run {
    let reply = link.call("getwalletinfo", json!([]))?;
    if output.is_json() {
        output.json(&reply)?;
        return Ok(Ending::Done);
    }
    let balances = link.call("getbalances", json!([]))?;
    output.lines(&show_info(&reply, &balances, super::now(), link.ticker()))?;
    Ok(Ending::Done)
}

fn show_info(reply: &Value, balances: &Value, now: u64, ticker: &str) -> String {
    let mut facts = Table::facts();
    let mine = balances.part("mine");
    facts.fact("balance", amount::show(mine.sats("trusted").unwrap_or(0), ticker));
    for (name, field) in [("pending", "untrusted_pending"), ("young", "immature")] {
        if let Some(sats) = mine.sats(field).filter(|sats| *sats != 0) {
            facts.fact(name, amount::show(sats, ticker));
        }
    }
    facts.fact("payments", grouped(reply.number("txcount").unwrap_or(0)));
    // As Bitcoin Core: the field is there if there is a passphrase, and 0 while the wallet is locked.
    let lock = match reply.number("unlocked_until") {
        None => "no passphrase: whoever has the wallet's files can spend (`yap wallet encrypt`)".to_owned(),
        Some(0) => "locked (`yap wallet unlock`)".into(),
        Some(until) => format!("unlocked for {}", super::text::span(until.saturating_sub(now))),
    };
    facts.fact("passphrase", lock);
    if let Some(scanning) = reply.get("scanning").filter(|scanning| scanning.is_object()) {
        let progress = scanning.get("progress").and_then(Value::as_f64).unwrap_or(0.0);
        facts.fact("looking through blocks", format!("{:.0} %", progress * 100.0));
    }
    if reply.get("saved") == Some(&Value::Bool(false)) {
        facts.fact("backup", "none yet: write down its words (`yap wallet words`)");
    }
    facts.text()
}

impl Words {
    fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call_unlocked("getwalletwords", json!([]), &self.passphrase)?;
        if !output.is_json() {
            output.note(
                "Whoever has these words has the coins. Write them down on paper, in this order, and keep them where \
                 nobody else looks: no photograph, no cloud. `yap wallet restore` makes the wallet again from them.",
            );
        }
        let words = words_of(&reply);
        output.reply(&reply, || show_words(&words))?;
        if !reply.text("passphrase").is_empty() && !output.is_json() {
            output.note(
                "the words have a passphrase (BIP-0039), without which they make another wallet: write it down too",
            );
        }
        Ok(Ending::Done)
    }
}

/// The words, whether they come as a list or as one text.
fn words_of(reply: &Value) -> Vec<String> {
    let part = reply.get("words").unwrap_or(reply);
    let text = part.as_str().map(|text| text.split_whitespace().map(str::to_owned).collect());
    text.unwrap_or_else(|| entries(part).iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn show_words(words: &[String]) -> String {
    let mut text = String::new();
    for (place, word) in (1_usize..).zip(words) {
        text.push_str(&format!("{place:>2} {word:<10}"));
        if place.is_multiple_of(WORDS_IN_LINE) || place == words.len() {
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
    }
    text
}

impl Backup {
    fn run(&self, link: &Link, output: &Output) -> Run {
        // The node works in another directory.
        let failed = |cause| Error::Write { path: self.file.clone(), cause };
        let path = std::path::absolute(&self.file).map_err(failed)?;
        let reply = link.call("backupwallet", json!([path]))?;
        output.reply(&reply, || format!("written to {}; it opens as the wallet does\n", shown(&path)))?;
        Ok(Ending::Done)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl Rescan {
    fn run(&self, link: &Link, output: &Output) -> Run {
        let reply = link.call("rescanblockchain", json!([self.from]))?;
        output.reply(&reply, || {
            let height = |name| reply.number(name).map(grouped).unwrap_or_default();
            format!("looked through blocks {} to {}\n", height("start_height"), height("stop_height"))
        })?;
        Ok(Ending::Done)
    }
}

impl Bump {
    fn run(&self, link: &Link, output: &Output) -> Run {
        let rate = self.fee_rate.as_deref().and_then(|rate| serde_json::from_str::<Value>(rate).ok());
        let txid = self.txid.to_string();
        let params = rate.map_or_else(|| json!([txid]), |rate| json!([txid, { "fee_rate": rate }]));
        let reply = link.call_unlocked("bumpfee", params, &self.passphrase)?;
        output.reply(&reply, || {
            let fee = |name| amount::show(reply.sats(name).unwrap_or(0), link.ticker());
            format!("sent anew as {}\nfee {} instead of {}\n", reply.text("txid"), fee("fee"), fee("origfee"))
        })?;
        link.warn_if_alone(output);
        Ok(Ending::Done)
    }
}

fn show_coins(reply: &Value) -> String {
    let coins = entries(reply);
    if coins.is_empty() {
        return "No coins yet. `yap address` gives an address to be paid at.\n".into();
    }
    let mut table = Table::new([">Amount", ">Confirmations", "Address or label", "Coin"]);
    for coin in coins {
        let label = if coin.text("label").is_empty() { coin.text("address") } else { coin.text("label") };
        table.row([
            amount::number(coin.sats("amount").unwrap_or(0)),
            grouped(coin.number("confirmations").unwrap_or(0)),
            label.to_owned(),
            format!("{}:{}", short(coin.text("txid")), coin.number("vout").unwrap_or(0)),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_numbered_four_in_a_line() {
        let twelve: Vec<String> = "a b c d e f g h i j k l".split(' ').map(str::to_owned).collect();
        let text = show_words(&twelve);
        assert_eq!(text.lines().next(), Some(" 1 a          2 b          3 c          4 d"));
        assert_eq!(text.lines().last(), Some(" 9 i         10 j         11 k         12 l"));
        assert_eq!(words_of(&json!({"words": "a  b"})), ["a", "b"]);
        assert_eq!(words_of(&json!(["a", "b"])), ["a", "b"]);
    }

    #[test]
    fn the_wallet_says_what_protects_it() {
        let balances = json!({"mine": {"trusted": 2.5, "untrusted_pending": 0, "immature": 1}});
        assert_eq!(
            show_info(&json!({"txcount": 1200, "unlocked_until": 0, "saved": false}), &balances, 5, "YAP"),
            "balance     2.50 YAP\n\
             young       1.00 YAP\n\
             payments    1,200\n\
             passphrase  locked (`yap wallet unlock`)\n\
             backup      none yet: write down its words (`yap wallet words`)\n"
        );
        let open = show_info(&json!({"unlocked_until": 65}), &balances, 5, "YAP");
        assert!(open.contains("unlocked for 1 min"), "{open}");
        let bare = show_info(&json!({"scanning": {"progress": 0.5}}), &balances, 5, "YAP");
        assert!(bare.contains("no passphrase") && bare.contains("50 %"), "{bare}");
    }

    #[test]
    fn coins_are_listed_with_what_they_are_for() {
        let coins = json!([
            {"txid": "aa", "vout": 1, "address": "bcrt1q", "label": "", "amount": 1.5, "confirmations": 1200},
            {"txid": "bb", "vout": 0, "address": "bcrt1p", "label": "rent", "amount": 12, "confirmations": 0},
        ]);
        assert_eq!(
            show_coins(&coins),
            "Amount  Confirmations  Address or label  Coin\n\
             \x20 1.50          1,200  bcrt1q            aa:1\n \
             12.00              0  rent              bb:0\n"
        );
    }
}
