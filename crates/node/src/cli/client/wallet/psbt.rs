//! `yap wallet psbt`: payments that are made in one place and signed in another (BIP-0174).

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Ending;
use crate::cli::client::reply::Reply;
use crate::cli::client::{Error, Link, Output, Run, amount, secret};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Psbt {
    /// Make an unsigned payment from the wallet's coins.
    Create(Create),
    /// Sign with the wallet's keys.
    Sign(Sign),
    /// Put the signatures in their place, and print the transaction if none is missing.
    Finalize(One),
    /// Finalize, and send.
    Send(One),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Who is paid.
    address: String,
    /// How much.
    #[arg(required = true, num_args = 1..=2)]
    amount: Vec<String>,
    /// Satoshis per virtual byte [default: what the node advises].
    #[arg(long, value_name = "SAT/VB", value_parser = crate::cli::client::pay::rate)]
    fee_rate: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct One {
    /// The payment in Base64, or a file that has it (-: standard input).
    #[arg(value_name = "PSBT|FILE")]
    psbt: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    passphrase: secret::Source,
}

impl Psbt {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        match self {
            Self::Create(create) => create.run(link, output),
            Self::Sign(sign) => {
                let reply = link.call_unlocked("walletprocesspsbt", json!([sign.one.read()?]), &sign.passphrase)?;
                output.reply(&reply, || format!("{}\n", reply.text("psbt")))?;
                if !reply.holds("complete") {
                    output.note("signatures are still missing: somebody else has to sign");
                }
                Ok(Ending::Done)
            }
            Self::Finalize(one) => {
                let reply = link.call("finalizepsbt", json!([one.read()?]))?;
                let complete = reply.holds("complete");
                output.reply(&reply, || format!("{}\n", reply.text(if complete { "hex" } else { "psbt" })))?;
                told(complete, output)
            }
            Self::Send(one) => {
                let reply = link.call("finalizepsbt", json!([one.read()?]))?;
                if !reply.holds("complete") {
                    return told(false, output);
                }
                let txid = link.call("sendrawtransaction", json!([reply.text("hex")]))?;
                output.reply(&txid, || format!("sent  {}\n", txid.as_str().unwrap_or_default()))?;
                link.warn_if_alone(output);
                Ok(Ending::Done)
            }
        }
    }
}

fn told(complete: bool, output: &Output) -> Run {
    if complete {
        return Ok(Ending::Done);
    }
    output.note("signatures are still missing: `yap wallet psbt sign` adds this wallet's");
    Ok(Ending::Refused)
}

impl Create {
    fn run(&self, link: &Link, output: &Output) -> Run {
        yap_chain::address::parse(&self.address, &link.spec().addresses)
            .map_err(|cause| Error::Address { given: self.address.clone(), cause })?;
        let paid = amount::parse(&self.amount.join(" "), link.ticker()).map_err(Error::Amount)?;
        let rate = self.fee_rate.as_deref().and_then(|rate| serde_json::from_str::<Value>(rate).ok());
        let options = rate.map_or_else(|| json!({}), |rate| json!({ "fee_rate": rate }));
        let outputs = json!([{ &self.address: amount::json(paid) }]);
        let reply = link.call("walletcreatefundedpsbt", json!([[], outputs, 0, options]))?;
        output.reply(&reply, || format!("{}\n", reply.text("psbt")))?;
        if !output.is_json() {
            output.note(format_args!("fee {}", amount::show(reply.sats("fee").unwrap_or(0), link.ticker())));
        }
        Ok(Ending::Done)
    }
}

impl One {
    /// The payment in Base64.
    fn read(&self) -> Result<String, Error> {
        let path = PathBuf::from(&self.psbt);
        // Base64 of a payment begins with these letters; no file that anybody makes is named so.
        let text = if self.psbt.starts_with("cHNidP") { self.psbt.clone() } else { file(&path)? };
        Ok(text.split_whitespace().collect())
    }
}

/// Longest payment that is read, in characters of Base64.
const LONGEST: u64 = 16 << 20;

fn file(path: &Path) -> Result<String, Error> {
    use std::io::Read as _;

    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
    Ok(text)
}
