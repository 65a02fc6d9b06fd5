//! Messages to bytes, as many at once as fit a buffer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::AsyncWrite;
use tokio::time::Instant;
use yap_protocol::codec;

use super::outbox::Outbox;

/// Time in which something of what is queued must be written.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that are encoded before they are written, unless one message has more. A block's own bytes are written from where
/// they are, so a session that sends blocks takes no memory for them.
pub(super) const BATCH: usize = 64 << 10;

/// Bytes of a block that are copied nonetheless, so that what stands before them does not go alone.
const TOGETHER: usize = 16 << 10;

/// Bytes of a buffer that is kept while nothing is sent.
const KEPT: usize = 1 << 10;

/// Bytes that are written before others get a turn; fewer than [`KEPT`] at once count as many.
const TURN: usize = 1 << 20;

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were written.
    from: usize,
    /// A block's bytes that come after the buffer, and how many of them were written.
    apart: Option<(Arc<Vec<u8>>, usize)>,
    /// What the messages count of which these are the bytes.
    cost: usize,
    /// Whether something was written since the last flush.
    dirty: bool,
    /// When something must have been written.
    deadline: Option<Instant>,
}

/// Where the writer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// Everything was written, and flushed.
    All,
    /// Not everything; its task will be woken.
    Some,
}

impl Writer {
    /// When something must have been written, if anything waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Writes until nothing is left, or the stream takes no more, or it is others' turn.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        outbox: &Outbox,
        cx: &mut Context<'_>,
    ) -> io::Result<Wrote> {
        let mut turn = TURN;
        loop {
            let step = self.step(stream, outbox, cx)?;
            match step {
                Poll::Ready(0) => {
                    self.deadline = None;
                    return Ok(Wrote::All);
                }
                Poll::Ready(written) => {
                    self.deadline = None;
                    turn = turn.saturating_sub(written.max(KEPT));
                    if turn == 0 {
                        cx.waker().wake_by_ref();
                        return Ok(Wrote::Some);
                    }
                }
                Poll::Pending => {
                    if self.deadline.is_none() {
                        self.deadline = Instant::now().checked_add(WRITE_TIMEOUT);
                    }
                    return Ok(Wrote::Some);
                }
            }
        }
    }

    /// Writes once, and gives how many bytes; zero if there was nothing to write, and nothing to flush.
    fn step<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        outbox: &Outbox,
        cx: &mut Context<'_>,
    ) -> io::Result<Poll<usize>> {
        if self.rest().is_empty() {
            self.written(outbox);
            self.fill(outbox);
        }
        let rest = self.rest();
        if rest.is_empty() {
            if self.dirty {
                match Pin::new(stream).poll_flush(cx)? {
                    Poll::Ready(()) => self.dirty = false,
                    Poll::Pending => return Ok(Poll::Pending),
                }
            }
            return Ok(Poll::Ready(0));
        }
        let written = match Pin::new(stream).poll_write(cx, rest)? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(written) => written,
            Poll::Pending => return Ok(Poll::Pending),
        };
        self.advance(written);
        self.dirty = true;
        outbox.count_sent(written);
        Ok(Poll::Ready(written))
    }

    /// What is to be written next.
    fn rest(&self) -> &[u8] {
        match self.buffer.get(self.from..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.apart.as_ref().and_then(|(bytes, from)| bytes.get(*from..)).unwrap_or_default(),
        }
    }

    fn advance(&mut self, written: usize) {
        let from = if self.from < self.buffer.len() {
            &mut self.from
        } else if let Some((_, from)) = &mut self.apart {
            from
        } else {
            return;
        };
        *from = from.saturating_add(written);
    }

    /// All was written: lets go of it.
    fn written(&mut self, outbox: &Outbox) {
        if self.cost > 0 {
            outbox.written(std::mem::take(&mut self.cost));
        }
        self.apart = None;
        self.from = 0;
        self.buffer.clear();
        self.buffer.shrink_to(BATCH);
    }

    /// Encodes what waits, as far as it fits, but always one message. A block ends a batch.
    fn fill(&mut self, outbox: &Outbox) {
        while self.buffer.len() < BATCH
            && self.apart.is_none()
            && let Some((message, cost)) = outbox.pop()
        {
            self.cost = self.cost.saturating_add(cost);
            let Some(bytes) = codec::encode_apart(&message, outbox.framing(), &mut self.buffer) else { continue };
            let together = bytes.len().min(TOGETHER);
            self.buffer.extend_from_slice(bytes.get(..together).unwrap_or_default());
            if together < bytes.len() {
                self.apart = Some((bytes, together));
            }
        }
        if self.buffer.is_empty() {
            self.buffer.shrink_to(KEPT);
        }
    }

    /// Bytes of memory that are held.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.buffer.capacity()
    }
}
