//! Waits for what a peer tells, and never for ever.

use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};

use super::Event;
use super::machine::after;

/// Events that are told again with a failure.
const TOLD: usize = 200;

/// The events of one peer, in order.
#[derive(Debug)]
pub struct Watch {
    events: broadcast::Receiver<Event>,
    seen: Vec<Event>,
}

/// What was waited for did not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("within {within:?} there was none of what was waited for (ended: {ended}), but {seen:#?}")]
pub struct Late {
    /// How long it was waited for.
    pub within: Duration,
    /// Whether the peer has stopped.
    pub ended: bool,
    /// The last events that came instead, all that were seen since the watch began among them.
    pub seen: Vec<Event>,
}

impl Watch {
    /// Watches from the next event on.
    #[must_use]
    pub const fn new(events: broadcast::Receiver<Event>) -> Self {
        Self { events, seen: Vec::new() }
    }

    /// Waits for an event that `wanted` makes something of. Those before it are passed over.
    ///
    /// # Errors
    /// If none comes within that time.
    pub async fn find<T>(&mut self, within: Duration, mut wanted: impl FnMut(&Event) -> Option<T>) -> Result<T, Late> {
        let deadline = after(within);
        loop {
            let event = match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Ok(Ok(event)) => event,
                Ok(Err(RecvError::Lagged(_))) => continue,
                Ok(Err(RecvError::Closed)) => return Err(self.late(within, true)),
                Err(_) => return Err(self.late(within, false)),
            };
            let found = wanted(&event);
            if self.seen.len() == TOLD {
                self.seen.remove(0);
            }
            self.seen.push(event);
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    fn late(&self, within: Duration, ended: bool) -> Late {
        Late { within, ended, seen: self.seen.clone() }
    }
}
