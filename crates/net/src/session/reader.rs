//! Bytes to messages, and the messages to the inbox; no faster than they find room there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::AsyncRead;
use tokio::time::Instant;
use yap_protocol::codec::Decoder;

use super::inbox::{Hold, Offer, Place};
use super::outbox::Outbox;
use super::pace::{Bucket, Frame};

/// Bytes that are read at once by a session on which little comes.
pub(super) const LEAST_CHUNK: usize = 1 << 10;

/// Most bytes that are read at once.
pub(super) const MOST_CHUNK: usize = 64 << 10;

/// Time without anything read after which the buffer shrinks to [`LEAST_CHUNK`].
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// Bytes that are read before others get a turn; fewer than [`LEAST_CHUNK`] at once count as many.
const TURN: usize = 1 << 20;

/// What is being read.
#[derive(Debug)]
pub(super) struct Reader {
    decoder: Decoder,
    chunk: Vec<u8>,
    /// The bytes of the chunk that were not decoded yet.
    fresh: std::ops::Range<usize>,
    frame: Option<Frame>,
    bucket: Bucket,
    /// Why nothing is read at the moment.
    pause: Option<Pause>,
    /// When something was read last, while the buffer is large.
    last: Option<Instant>,
    /// What comes is thrown away.
    deaf: bool,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    /// A message waits for room in the inbox.
    Inbox,
    /// A message that is not complete waits for room since then.
    Begun(Instant),
    /// Too many messages came; until then.
    Pace(Instant),
}

/// Where the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The task is woken when there is more.
    Waits,
    /// The other end says nothing more.
    Ended,
}

impl Reader {
    pub(super) fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            chunk: Vec::new(),
            fresh: 0..0,
            frame: None,
            bucket: Bucket::new(Instant::now()),
            pause: None,
            last: None,
            deaf: false,
            ended: false,
        }
    }

    /// Throws away what comes from now on.
    pub(super) fn deafen(&mut self) {
        self.deaf = true;
        self.pause = None;
        self.frame = None;
        self.fresh = 0..0;
    }

    /// Whether nothing is read for reasons of our own.
    pub(super) fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Whether a message that was begun is overdue.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.pause.is_none() && self.frame.is_some_and(|frame| frame.deadline() <= now)
    }

    /// When the task must be woken, whatever comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.pause {
            Some(Pause::Pace(until)) => Some(until),
            Some(Pause::Inbox | Pause::Begun(_)) => None,
            None if self.ended => None,
            None => {
                let idle = self.last.and_then(|last| last.checked_add(IDLE));
                let frame = self.frame.map(|frame| frame.deadline());
                idle.into_iter().chain(frame).min()
            }
        }
    }

    /// Reads until nothing more comes, or may be taken, or it is others' turn.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        outbox: &Outbox,
        place: &Place,
        cx: &mut Context<'_>,
    ) -> io::Result<Read> {
        let mut turn = TURN;
        while !self.ended {
            if self.stays_paused(place) || !self.decode(place) {
                return Ok(Read::Waits);
            }
            let Poll::Ready(read) = self.read(stream, cx)? else { return Ok(Read::Waits) };
            outbox.count_received(read);
            self.ended = read == 0;
            turn = turn.saturating_sub(read.max(LEAST_CHUNK));
            if turn == 0 {
                cx.waker().wake_by_ref();
                return Ok(Read::Waits);
            }
        }
        Ok(Read::Ended)
    }

    /// Whether nothing may be read yet.
    fn stays_paused(&mut self, place: &Place) -> bool {
        let paused = match self.pause {
            None => false,
            Some(Pause::Inbox) => place.waits(),
            Some(Pause::Pace(until)) => Instant::now() < until,
            Some(Pause::Begun(since)) => match self.frame {
                Some(mut frame) => {
                    frame.excuse(Instant::now().duration_since(since));
                    let waits = place.hold(self.decoder.memory(), frame.begun()) == Hold::Waits;
                    if !waits {
                        self.frame = Some(frame);
                    }
                    waits
                }
                None => false,
            },
        };
        if !paused {
            self.pause = None;
        }
        paused
    }

    /// Makes messages of what was read; `false` if it had to stop before the end.
    fn decode(&mut self, place: &Place) -> bool {
        while !self.fresh.is_empty() {
            if self.deaf {
                self.fresh = 0..0;
                return true;
            }
            if let Some(until) = self.bucket.pause(Instant::now) {
                self.pause = Some(Pause::Pace(until));
                return false;
            }
            let mut bytes = self.chunk.get(self.fresh.clone()).unwrap_or_default();
            let result = self.decoder.read(&mut bytes);
            let taken = self.fresh.len().saturating_sub(bytes.len());
            self.fresh.start = self.fresh.end.saturating_sub(bytes.len());
            match result {
                Some(Ok((message, size))) => {
                    self.frame = None;
                    self.bucket.count(&message);
                    if place.offer(message, size) == Offer::Waits {
                        self.pause = Some(Pause::Inbox);
                        return false;
                    }
                }
                Some(Err(error)) => {
                    place.malformed(error);
                    self.deafen();
                }
                None if self.decoder.is_partial() && !self.begun(taken, place) => return false,
                None => {}
            }
        }
        true
    }

    /// So many bytes came of a message that is not complete; `false` if there is no room for more.
    fn begun(&mut self, bytes: usize, place: &Place) -> bool {
        let now = Instant::now();
        let frame = self.frame.get_or_insert_with(|| Frame::begin(now));
        frame.came(bytes, now);
        let waits = place.hold(self.decoder.memory(), frame.begun()) == Hold::Waits;
        if waits {
            self.pause = Some(Pause::Begun(now));
        }
        !waits
    }

    /// Reads once. The buffer grows when it was filled, and shrinks when nothing came for long.
    fn read<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        if self.chunk.is_empty() {
            self.chunk = vec![0; LEAST_CHUNK];
        }
        match Pin::new(stream).poll_read(cx, &mut self.chunk)? {
            Poll::Ready(read) => {
                self.fresh = 0..read;
                if read == self.chunk.len() && read < MOST_CHUNK {
                    // What was read stays in front.
                    self.chunk.resize(read.saturating_mul(4).min(MOST_CHUNK), 0);
                }
                if self.chunk.len() > LEAST_CHUNK {
                    self.last = Some(Instant::now());
                }
                Ok(Poll::Ready(read))
            }
            Poll::Pending => {
                if self.last.and_then(|last| last.checked_add(IDLE)).is_some_and(|until| until <= Instant::now()) {
                    self.chunk = vec![0; LEAST_CHUNK];
                    self.last = None;
                }
                Ok(Poll::Pending)
            }
        }
    }

    /// Bytes of memory that are held, besides a message that is not complete.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.chunk.capacity()
    }
}
