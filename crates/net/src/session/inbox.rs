//! What sessions received and nobody has handled yet.

use std::io;

use yap_protocol::codec;
use yap_protocol::{Message, PeerId};

/// Most sessions that are open, or ended without their end having been taken.
pub(crate) const MAX_SESSIONS: usize = 1 << 14;

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
    /// What is sent piles up (`true`), or has drained (`false`). Each follows the other; both together may be left out.
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

/// Where sessions put what they receive.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {}

/// What all sessions of an [`Inbox`] received. Dropped, their sessions end.
#[derive(Debug)]
pub(crate) struct Inflow {}

/// An inbox that holds messages of `receive` bytes at most, all sessions together, counted as on the wire and a little
/// for each.
pub(crate) fn channel(receive: usize) -> (Inbox, Inflow) {
    todo!()
}

impl Inbox {
    /// How many sessions are open, or ended without their end having been taken.
    pub(crate) fn sessions(&self) -> usize {
        todo!()
    }
}

impl Inflow {
    /// The next thing that was received; `None` once every [`Inbox`] is gone and the end of every session was given.
    /// Sessions take turns. What it gave before counts as handled now, and makes room. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Item> {
        todo!()
    }
}
