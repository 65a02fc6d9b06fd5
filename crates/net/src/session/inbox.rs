//! What sessions received and nobody has handled yet.
//!
//! Two rooms, each as large as the owner says, bound what peers can make us keep:
//!
//! - The *waiting* room holds messages that are complete. One session may have an eighth of it, but always one message. A
//!   session whose message finds no room keeps it and reads no further, so its peer is slowed by its own stream; those that
//!   wait for others to leave are let in one after the other, in the order in which they came.
//! - The *begun* room ([`begun`]) holds messages that are not complete, and those that wait for room.
//!
//! Messages count as their bytes on the wire and [`OVERHEAD`] each. In memory an ordinary block takes two to three times
//! as much, and at worst, for lists of the smallest transactions or addresses, a message takes eight times as much.
//!
//! Sessions take turns, a message each. Of one session: its messages in their order, then that what follows can't be read,
//! then its end. Congestion is told before what waits.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::time::Instant;
use yap_protocol::codec;
use yap_protocol::{Message, PeerId};

use super::bell::Bell;

mod begun;
mod state;
#[cfg(test)]
mod tests;

pub(super) use begun::Hold;
pub(super) use state::Offer;
use state::{Given, State};

/// Most sessions that are open, or ended without their end having been taken.
pub(crate) const MAX_SESSIONS: usize = 1 << 14;

/// What a message counts besides its bytes on the wire: about what the smallest takes in memory.
pub(super) const OVERHEAD: usize = 256;

/// One session may fill the room for waiting messages to this part.
pub(super) const SHARE: usize = 8;

/// Something that a session received.
#[derive(Debug)]
pub(crate) struct Item {
    /// Which session.
    pub(crate) peer: PeerId,
    /// What.
    pub(crate) what: Received,
}

/// What a session received.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message.
    Message {
        /// The message.
        message: Message,
        /// Bytes that it took on the wire.
        size: usize,
    },
    /// What came can't be read. No message follows; what is sent still goes out, and the session ends when it is told to,
    /// or the other end closes.
    Malformed(codec::Error),
    /// What is sent piles up (`true`), or has drained (`false`). The one follows the other; both may be left out if nobody
    /// asked in between.
    Congested(bool),
    /// The session has ended; nothing follows.
    Closed(Why),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The other end closed it.
    Theirs,
    /// It was told to finish, and what was queued was sent.
    Finished,
    /// It was told to finish, and what was queued could not be sent in time.
    Unfinished,
    /// It was aborted, or its [`Session`](super::Session) dropped.
    Aborted,
    /// The other end did not read for too long, or more was queued than may.
    TooSlow,
    /// A message was begun and not completed in time.
    Stalled,
    /// All room for messages that were begun was taken, and of them this one's was begun first.
    Crowded,
    /// The stream failed.
    Broken(io::ErrorKind),
    /// The runtime has stopped, or nobody takes what is received any more.
    Stopped,
}

/// [`MAX_SESSIONS`] is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {MAX_SESSIONS} sessions")]
pub(crate) struct Full;

struct Shared(Mutex<State>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; and if it did, every step leaves what the next can work with.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where sessions put what they receive.
pub(crate) struct Inbox(Arc<Shared>);

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("sessions", &self.sessions()).finish()
    }
}

impl Clone for Inbox {
    fn clone(&self) -> Self {
        self.0.lock().inboxes(1);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.lock().inboxes(-1);
    }
}

/// What all sessions of an [`Inbox`] received. Dropped, their sessions end.
pub(crate) struct Inflow {
    shared: Arc<Shared>,
    /// What was given last, and takes room until the next is asked for.
    last: Option<Given>,
}

impl fmt::Debug for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflow").field("last", &self.last).finish_non_exhaustive()
    }
}

/// An inbox that holds messages of `receive` bytes at most that wait to be handled, all sessions together, and as many
/// that are not complete.
pub(crate) fn channel(receive: usize) -> (Inbox, Inflow) {
    let shared = Arc::new(Shared(Mutex::new(State::new(receive))));
    (Inbox(Arc::clone(&shared)), Inflow { shared, last: None })
}

impl Inbox {
    /// How many sessions are open, or ended without their end having been taken.
    pub(crate) fn sessions(&self) -> usize {
        self.0.lock().sessions()
    }

    /// A place for one more session.
    pub(super) fn place(&self, peer: PeerId, bell: Arc<Bell>) -> Result<Place, Full> {
        let key = self.0.lock().enter(peer, bell)?;
        Ok(Place { shared: Arc::clone(&self.0), key, why: Why::Stopped })
    }
}

impl Inflow {
    /// The next thing that was received; `None` once every [`Inbox`] is gone and the end of every session was given.
    /// Sessions take turns. What it gave before counts as handled now, and makes room. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next).
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Item>> {
        let mut state = self.shared.lock();
        if let Some(given) = self.last.take() {
            state.handled(given);
        }
        let Some((item, given)) = state.take() else { return state.wait(cx) };
        self.last = given;
        Poll::Ready(Some(item))
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        self.shared.lock().shut();
    }
}

/// A session's place, held by its task. Dropped, the session has ended: so nothing that happens to the task can keep its
/// end from being told.
pub(super) struct Place {
    shared: Arc<Shared>,
    key: u64,
    why: Why,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("key", &self.key).field("why", &self.why).finish_non_exhaustive()
    }
}

impl Place {
    /// A way to tell of the same session from elsewhere.
    pub(super) fn signal(&self) -> Signal {
        Signal { shared: Arc::clone(&self.shared), key: self.key }
    }

    /// Gives a complete message.
    pub(super) fn offer(&self, message: Message, size: usize) -> Offer {
        self.shared.lock().offer(self.key, message, size)
    }

    /// Whether the message that was offered last still waits for room.
    pub(super) fn waits(&self) -> bool {
        self.shared.lock().waits(self.key)
    }

    /// Counts the bytes of a message that is not complete and was begun then, or later by the time that it waited for us.
    pub(super) fn hold(&self, bytes: usize, begun: Instant) -> Hold {
        self.shared.lock().hold(self.key, bytes, begun)
    }

    /// What came can't be read.
    pub(super) fn malformed(&self, error: codec::Error) {
        self.shared.lock().malformed(self.key, error);
    }

    /// Why it ends, when it is dropped.
    pub(super) fn ends(&mut self, why: Why) {
        self.why = why;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.lock().close(self.key, self.why);
    }
}

/// Tells of a session besides its task.
pub(super) struct Signal {
    shared: Arc<Shared>,
    key: u64,
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Signal {
    /// Whether what is sent piles up.
    pub(super) fn congested(&self, congested: bool) {
        self.shared.lock().congested(self.key, congested);
    }

    /// Nothing comes of the session any more but its end. Rings its bell.
    pub(super) fn mute(&self) {
        self.shared.lock().mute(self.key);
    }
}
