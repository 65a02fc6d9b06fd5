//! `yap mine`: makes blocks now, or says when the node makes them by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::{Value, json};

use super::reply::Reply;
use super::text::{count, grouped};
use super::{Error, Link, Output, Run, interrupt};
use crate::cli::Ending;

/// Hashes that one call may try, so that Ctrl-C and progress don't wait long.
const TRIES: u64 = 5_000_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Mine {
    /// Blocks to make now [default: 1].
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    blocks: Option<u32>,
    /// Who gets the coins [default: your wallet].
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Never mine unless asked to.
    #[arg(long, group = "mode", conflicts_with_all = ["blocks", "to"])]
    off: bool,
    /// Mine while transactions wait.
    #[arg(long, group = "mode", conflicts_with_all = ["blocks", "to"])]
    on_demand: bool,
    /// Mine always.
    #[arg(long, group = "mode", conflicts_with_all = ["blocks", "to"])]
    continuous: bool,
}

impl Mine {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        let mode = [
            (self.off, "off", "the node does not mine by itself any more"),
            (self.on_demand, "ondemand", "the node mines while transactions wait"),
            (self.continuous, "continuous", "the node mines without end"),
        ];
        if let Some((_, mode, told)) = mode.into_iter().find(|(chosen, ..)| *chosen) {
            let reply = link.call("setmining", json!([mode]))?;
            output.reply(&reply, || format!("{told}\n"))?;
            return Ok(Ending::Done);
        }
        self.now(link, output)
    }

    fn now(&self, link: &Link, output: &Output) -> Run {
        let wanted = usize::try_from(self.blocks.unwrap_or(1)).unwrap_or(usize::MAX);
        let address = match &self.to {
            Some(address) => {
                yap_chain::address::parse(address, &link.spec().addresses)
                    .map_err(|cause| Error::Address { given: address.clone(), cause })?;
                address.clone()
            }
            None => {
                let reply = link.call("getnewaddress", json!(["mined"]))?;
                reply.as_str().ok_or(Error::Strange { method: "getnewaddress" })?.to_owned()
            }
        };
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let guard = interrupt::on(move || flag.store(true, Ordering::SeqCst));
        let bar = crate::cli::output::bar(wanted.try_into().unwrap_or(u64::MAX));
        let mut mined: Vec<Value> = Vec::new();
        // Ends by itself once enough are found; on a chain whose target is hard that may take long, and Ctrl-C ends it.
        while mined.len() < wanted && !stop.load(Ordering::SeqCst) {
            let reply = link.call("generatetoaddress", json!([1, address, TRIES]));
            let hashes = match reply {
                Ok(hashes) => hashes,
                Err(error) => {
                    bar.finish_and_clear();
                    if !mined.is_empty() {
                        output.note(format_args!("{} mined before it failed", count(number(&mined), "block")));
                    }
                    return Err(error.into());
                }
            };
            mined.extend(super::reply::entries(&hashes).iter().cloned());
            bar.set_position(number(&mined));
        }
        bar.finish_and_clear();
        drop(guard);
        let stopped = mined.len() < wanted;
        let done = number(&mined);
        let height = link.call("getblockcount", json!([]))?.as_u64().unwrap_or(0);
        output.reply(&Value::Array(mined), || {
            format!("mined {}; the chain has height {}\n", count(done, "block"), grouped(height))
        })?;
        if !stopped && self.to.is_none() && !output.is_json() {
            hint(link, output);
        }
        Ok(if stopped { Ending::Stopped } else { Ending::Done })
    }
}

/// Tells when the coins can be spent, if none can be yet.
fn hint(link: &Link, output: &Output) {
    // The blocks are there; nothing depends on this.
    let Ok(balances) = link.call("getbalances", json!([])) else { return };
    let mine = balances.part("mine");
    if mine.sats("trusted") == Some(0) && mine.sats("immature").is_some_and(|young| young > 0) {
        output.note("mined coins can be spent 100 blocks later: `yap mine 100` makes the first of them ready");
    }
}

fn number(list: &[Value]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}
