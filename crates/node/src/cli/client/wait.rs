//! Waiting until a block has a payment, by the node's events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use yap_api::client::{Events, Filter, Told};
use yap_api::event::Event;

use super::reply::Reply;
use super::{Error, Link, Output, Run, interrupt};
use crate::cli::Ending;

/// Events that tell how a payment fares.
const TYPES: [&str; 4] = ["payment", "block_connected", "transaction_removed", "stopping"];

/// An open stream of events.
#[derive(Debug)]
pub(in crate::cli) struct Waiting(Events);

impl Waiting {
    /// Hears from now on what happens.
    pub(super) fn begin(link: &Link) -> Result<Self, Error> {
        link.events(&Filter::types(TYPES)).map(Self)
    }

    /// Waits until a block of the best chain has the transaction.
    pub(super) fn confirmed(self, link: &Link, output: &Output, txid: &str) -> Run {
        let (stopper, stopped) = (self.0.stopper(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&stopped);
        let guard = interrupt::on(move || {
            flag.store(true, Ordering::SeqCst);
            stopper.stop();
        });
        let spinner = crate::cli::output::spinner("waiting for a block that has it (Ctrl-C: don't wait; it is sent)");
        let found = until_confirmed(self.0, link, txid);
        spinner.finish_and_clear();
        drop(guard);
        match found? {
            Some(height) => {
                output.note(format_args!("confirmed in block {height}"));
                Ok(Ending::Done)
            }
            None if stopped.load(Ordering::SeqCst) => {
                output.note("not waiting any longer: the payment is sent, but not confirmed yet");
                Ok(Ending::Stopped)
            }
            None => {
                Err(Error::Lost("the node stopped before the payment was confirmed; it goes on with the node".into())
                    .into())
            }
        }
    }
}

/// The height of the block that has it; `None` if the stream ends before.
fn until_confirmed(events: Events, link: &Link, txid: &str) -> Result<Option<u64>, Error> {
    for told in events {
        if let Told::Event(stamped) = told? {
            if let Event::TransactionRemoved { txid: gone, why } = &stamped.event
                && gone.to_string() == txid
                && !matches!(why.as_str(), "confirmed" | "reorganised")
            {
                let why = format!("the payment is not pending any more: {why} (`yap tx {txid}`)");
                return Err(Error::Lost(why));
            }
            if matches!(stamped.event, Event::Stopping) {
                return Ok(None);
            }
        }
        // Also if events were lost: what was missed may have been what is waited for.
        let payment = link.call("gettransaction", json!([txid]))?;
        if payment.signed("confirmations").unwrap_or(0) > 0 {
            return Ok(payment.number("blockheight"));
        }
    }
    Ok(None)
}
