//! What waits to be sent to one peer.
//!
//! ```text
//! Open ──finish──▶ Finishing ──────────┐
//!   ├──abort, overflow──▶ Aborted ◀─abort─┤
//!   └───────────────────────┴─────────────┴──end of the task──▶ Over
//! ```
//!
//! Messages wait as they are, so a block that goes to a hundred peers is there once; they are counted by the bytes that
//! they will take, and [`OVERHEAD`] each. A message counts until its last byte was written.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yap_protocol::Message;
use yap_protocol::codec::{self, Framing};

use super::bell::Bell;
use super::inbox::{OVERHEAD, Signal, Why};
use super::{Overflow, spare};
use crate::config::Limits;

/// What waits to be sent to one peer; and what else its [`Session`](super::Session) and its task share.
#[derive(Debug)]
pub(super) struct Outbox {
    framing: Framing,
    high: usize,
    most: usize,
    queue: Mutex<Queue>,
    bell: Arc<Bell>,
    signal: Signal,
    sent: AtomicU64,
    received: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    phase: Phase,
    messages: VecDeque<(Message, usize)>,
    /// Bytes of the messages, and of those taken from here that are being written.
    bytes: usize,
    congested: bool,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// It goes on.
    #[default]
    Open,
    /// What is queued is sent, then it ends.
    Finishing,
    /// It is to end now.
    Aborted(Why),
    /// It has ended.
    Over,
}

/// What a message counts.
pub(super) fn cost(message: &Message, framing: Framing) -> usize {
    codec::encoded_len(message, framing).saturating_add(OVERHEAD)
}

impl Outbox {
    pub(super) fn new(framing: Framing, limits: &Limits, bell: Arc<Bell>, signal: Signal) -> Self {
        Self {
            framing,
            high: limits.send_high,
            most: limits.send_most,
            queue: Mutex::default(),
            bell,
            signal,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock; and if it did, every step leaves what the next can work with.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing
    }

    pub(super) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    pub(super) fn push(&self, message: Message) -> Result<(), Overflow> {
        let cost = cost(&message, self.framing);
        let mut queue = self.lock();
        if queue.phase != Phase::Open {
            return Ok(());
        }
        let bytes = queue.bytes.saturating_add(cost);
        if bytes > self.most {
            drop(queue);
            self.abort(Why::TooSlow);
            return Err(Overflow);
        }
        queue.bytes = bytes;
        queue.messages.push_back((message, cost));
        if bytes > self.high && !queue.congested {
            queue.congested = true;
            // While the queue is locked, so that this and its opposite can't overtake each other.
            self.signal.congested(true);
        }
        drop(queue);
        self.bell.ring();
        Ok(())
    }

    /// The next message to be written, and what it counts until [`written`](Self::written).
    pub(super) fn pop(&self) -> Option<(Message, usize)> {
        let mut queue = self.lock();
        let next = queue.messages.pop_front();
        spare(&mut queue.messages);
        next
    }

    /// What counted so much was written.
    pub(super) fn written(&self, cost: usize) {
        let mut queue = self.lock();
        queue.bytes = queue.bytes.saturating_sub(cost);
        if queue.congested && queue.bytes < self.high / 4 {
            queue.congested = false;
            self.signal.congested(false);
        }
    }

    /// Sends what is queued, then ends. Nothing comes of the session any more but its end, even if it is over already.
    pub(super) fn finish(&self) {
        let mut queue = self.lock();
        if queue.phase == Phase::Open {
            queue.phase = Phase::Finishing;
        }
        drop(queue);
        self.signal.mute();
    }

    /// Ends now; the first to abort says why. Nothing comes of the session any more but its end, even if it is over
    /// already.
    pub(super) fn abort(&self, why: Why) {
        let mut queue = self.lock();
        if matches!(queue.phase, Phase::Open | Phase::Finishing) {
            queue.phase = Phase::Aborted(why);
        }
        let dropped = std::mem::take(&mut queue.messages);
        drop(queue);
        self.signal.mute();
        drop(dropped);
    }

    /// The task has ended. What was received before may still be taken.
    pub(super) fn over(&self) {
        let mut queue = self.lock();
        queue.phase = Phase::Over;
        let dropped = std::mem::take(&mut queue.messages);
        drop(queue);
        drop(dropped);
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that wait to be sent.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }
}
