//! `yap events` and `yap subscribe`: what happens at the node, as it happens, until Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use yap_api::client::{Filter, Told};
use yap_api::event::{Event, Stamped};

use super::text::{clock, count, grouped};
use super::{Error, Link, Output, Run, amount, interrupt};
use crate::cli::Ending;

#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Only these types, such as `block_connected,payment` (`--json` shows their names).
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Subscribe {
    /// Topic whose messages are shown.
    topic: String,
}

impl Events {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        stream(&Filter::types(self.types.iter().cloned()), link, output, |stamped| line(stamped, link.ticker()))
    }
}

impl Subscribe {
    pub(super) fn run(&self, link: &Link, output: &Output) -> Run {
        // The node is subscribed for as long as the stream is open.
        stream(&Filter::topic(self.topic.clone()), link, output, |stamped| {
            if let Event::Message { data, from, .. } = &stamped.event {
                // In one line, so that nobody's message looks like two.
                return format!("{}  {}", super::text::short(from), data.replace(['\n', '\r'], " "));
            }
            line(stamped, link.ticker())
        })
    }
}

fn stream(filter: &Filter, link: &Link, output: &Output, line: impl Fn(&Stamped) -> String) -> Run {
    let events = link.events(filter)?;
    let (stopper, stopped) = (events.stopper(), Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stopped);
    let _guard = interrupt::on(move || {
        flag.store(true, Ordering::SeqCst);
        stopper.stop();
    });
    for told in events {
        match told.map_err(Error::Call)? {
            Told::Event(stamped) if output.is_json() => {
                output.compact(&serde_json::to_value(&*stamped).unwrap_or_default())?;
            }
            Told::Event(stamped) => output.lines(&line(&stamped))?,
            Told::Lost(lost) => output.note(format_args!("{} came too fast to be shown", count(lost, "event"))),
        }
    }
    if stopped.load(Ordering::SeqCst) {
        return Ok(Ending::Stopped);
    }
    output.note("the node stopped");
    Ok(Ending::Refused)
}

/// An event in one line.
fn line(stamped: &Stamped, ticker: &str) -> String {
    format!("{}  {}", clock(stamped.time / 1000), told(&stamped.event, ticker).replace(['\n', '\r'], " "))
}

fn told(event: &Event, ticker: &str) -> String {
    let at = |height: &u32| grouped(u64::from(*height));
    match event {
        Event::BlockConnected { hash, height, transactions } => {
            format!("block {} {hash}, {}", at(height), count(u64::from(*transactions), "transaction"))
        }
        Event::Irreversible { hash, height } => format!("block {} {hash} is irreversible", at(height)),
        Event::BlockDisconnected { hash, height } => format!("block {} {hash} left the best chain", at(height)),
        Event::BlockRefused { hash, reason } => format!("block {hash} refused: {reason}"),
        Event::BlockMined { hash, height } => format!("block {} {hash} mined here", at(height)),
        Event::TransactionAdded { txid } => format!("transaction {txid} waits for a block"),
        Event::TransactionRemoved { txid, why } => format!("transaction {txid} waits no longer: {why}"),
        Event::PeerConnected { peer, identity, address, path } => {
            let name = identity.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            format!("peer {peer}{name} connected at {address} ({path})")
        }
        Event::PeerGone { peer, why, .. } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("peer {peer} is gone{why}")
        }
        Event::PeerFault { peer, fault, penalty } => format!("peer {peer} did wrong: {fault} ({penalty})"),
        Event::Alone { alone } => if *alone { "no peer is connected" } else { "no longer alone" }.into(),
        Event::Syncing { behind: 0 } => "every block is here".into(),
        Event::Syncing { behind } => format!("{} to fetch", count(u64::from(*behind), "block")),
        Event::Ping { from } => format!("ping from {from}: I'm alive"),
        Event::Message { topic, from, data, .. } => format!("{topic}: {data} (from {from})"),
        Event::Payment { txid, amount, height } => {
            let sign = if *amount > 0 { "+" } else { "" };
            let state = height.map_or_else(|| "pending".to_owned(), |height| format!("in block {}", at(&height)));
            format!("payment {sign}{}, {state}: {txid}", amount::show(*amount, ticker))
        }
        Event::Notice { text } => text.clone(),
        Event::Stopping => "the node stops".into(),
        // A node that is newer than this program.
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_in_a_line() {
        let told = |text: &str| {
            let event: Event = serde_json::from_value(serde_json::from_str(text).unwrap()).unwrap();
            line(&Stamped { id: 1, time: 1_231_006_505_000, event }, "YAP")
        };
        let id = "ab".repeat(32);
        assert_eq!(
            told(&format!(r#"{{"type":"payment","txid":"{id}","amount":150000000,"height":1200}}"#)),
            format!("18:15:05  payment +1.50 YAP, in block 1,200: {id}")
        );
        assert_eq!(
            told(&format!(r#"{{"type":"payment","txid":"{id}","amount":-1,"height":null}}"#)),
            format!("18:15:05  payment -0.00000001 YAP, pending: {id}")
        );
        assert_eq!(told(r#"{"type":"ping","from":"abc"}"#), "18:15:05  ping from abc: I'm alive");
        assert_eq!(told(r#"{"type":"notice","text":"two\nlines"}"#), "18:15:05  two lines");
        assert_eq!(told(r#"{"type":"syncing","behind":2}"#), "18:15:05  2 blocks to fetch");
        assert_eq!(told(r#"{"type":"peer_gone","peer":3,"identity":null,"why":null}"#), "18:15:05  peer 3 is gone");
    }
}
