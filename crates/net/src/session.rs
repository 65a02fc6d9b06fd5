//! One long-lived stream per peer: opened, framed, read and written, with backpressure both ways.
//!
//! Two halves. [`Behaviour`] opens and accepts the streams of libp2p connections, one protocol for all of them. [`start`]
//! gives a stream, of libp2p or any other, to a task that frames messages on it.
//!
//! ```text
//!  Behaviour::open ──▶ handler ──▶ Event::Opened { stream }        a TCP connection of Bitcoin's carrier
//!                                        └──────────────┬─────────────────────┘
//!                                                     start
//!  Session::send ──▶ outbox (bytes bounded) ──▶ writer ─┴─ reader ──▶ inbox (bytes bounded, all peers) ──▶ Inflow::next
//! ```
//!
//! The contract: [`Received::Closed`] is the last that comes of a session, and comes exactly once, however it ends: by
//! [`Session::finish`], by [`Session::abort`] or because the [`Session`] is dropped, by the other end, by an error, by a
//! limit, or with the runtime.
//!
//! Order: messages to a peer leave in the order in which they were given, in one lane. Much depends on it (a `blocktxn`
//! answers a `cmpctblock`, a child follows its parent, programs take a `pong` to say that what came before the `ping`
//! was handled), and small messages don't wait for long: beyond [`Limits::send_high`] nothing large is queued.
//!
//! Not its job: what is said, which of two streams with one peer stays, and closing connections.

mod behaviour;
mod bell;
mod handler;
mod inbox;
mod outbox;
mod pace;
mod reader;
mod task;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use yap_protocol::codec::Framing;
use yap_protocol::{Message, PeerId};

use crate::config::Limits;
use bell::Bell;
use outbox::{Outbox, Phase};
use task::Task;

pub(crate) use behaviour::{Behaviour, Event, OpenError};
pub(crate) use inbox::{Full, Inbox, Inflow, Item, Received, Why, channel};
#[cfg(test)]
pub(crate) use task::FINISH_TIMEOUT;

/// One session, as its owner holds it. Dropped, it is aborted unless it was told to finish.
#[derive(Debug)]
pub(crate) struct Session(Arc<Outbox>);

/// More waits for a peer than may: it reads too slowly, or not at all. The session is aborted and ends as
/// [`Why::TooSlow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more waits to be sent to the peer than may")]
pub(crate) struct Overflow;

/// Begins a session on a stream on which nothing was said, in a task of the runtime that this is called in.
///
/// `id` has never been used before. Of `limits`, those for sending count here.
///
/// # Errors
/// If [`MAX_SESSIONS`](inbox::MAX_SESSIONS) are open, or ended without their [`Received::Closed`] having been taken. The stream is dropped
/// then, and nothing will come of it.
///
/// # Panics
/// Outside of a runtime.
pub(crate) fn start<S>(id: PeerId, stream: S, framing: Framing, limits: &Limits, inbox: &Inbox) -> Result<Session, Full>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let bell = Arc::new(Bell::default());
    let place = inbox.place(id, Arc::clone(&bell))?;
    let outbox = Arc::new(Outbox::new(framing, limits, bell, place.signal()));
    tokio::spawn(Task::new(stream, Arc::clone(&outbox), place));
    Ok(Session(outbox))
}

impl Session {
    /// Queues a message behind those that were queued before. Of a session that was told to end, or has ended, it is
    /// dropped.
    ///
    /// # Errors
    /// If more than [`Limits::send_most`] would wait.
    pub(crate) fn send(&self, message: Message) -> Result<(), Overflow> {
        self.0.push(message)
    }

    /// Sends what is queued, then closes the stream; within [`task::FINISH_TIMEOUT`], whatever the other end does. Nothing more
    /// comes of the session but its end.
    pub(crate) fn finish(&self) {
        self.0.finish();
    }

    /// Drops what is queued, and the stream. Nothing more comes of the session but its end.
    pub(crate) fn abort(&self) {
        self.0.abort(Why::Aborted);
    }

    /// Bytes written to the stream.
    pub(crate) fn sent(&self) -> u64 {
        self.0.sent()
    }

    /// Bytes read from the stream.
    pub(crate) fn received(&self) -> u64 {
        self.0.received()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.0.phase() != Phase::Finishing {
            self.abort();
        }
    }
}

/// Room that a queue keeps when it is empty: messages.
const SPARE: usize = 16;

/// Gives back the room of a queue that was long and is empty.
fn spare<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > SPARE {
        *queue = VecDeque::new();
    }
}
