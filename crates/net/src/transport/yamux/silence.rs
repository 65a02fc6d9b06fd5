//! A connection over which nothing comes any more is given up, as QUIC gives up its own.
//!
//! TCP alone does not notice that the other end is gone: a cable pulled behind a switch, a router that forgot us, a
//! laptop that was closed leave an open socket. Whoever is there is heard, for each end pings the other (`ping`, and Yamux
//! by itself). Any byte counts as life, so that a slow link which carries a large block is not taken for a dead one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// Silence after which a connection is given up: the other end is asked every 15 seconds, and has ten for the answer
/// (`engine::behaviour`).
pub(super) const SILENCE: Duration = Duration::from_secs(25);

/// When something came last: milliseconds since the connection began.
#[derive(Clone, Debug)]
struct Last {
    begun: Instant,
    millis: Arc<AtomicU64>,
}

impl Last {
    fn note(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    /// When a silence that began then has lasted too long.
    fn deadline(&self) -> Instant {
        let silent_for = Duration::from_millis(self.millis.load(Ordering::Relaxed)).saturating_add(SILENCE);
        // The clock counts farther than any connection lasts.
        self.begun.checked_add(silent_for).unwrap_or(self.begun)
    }
}

/// Notes when something comes over a connection.
#[derive(Debug)]
pub(super) struct Heard<C> {
    inner: C,
    last: Last,
}

/// Tells when a connection has been silent for too long.
#[derive(Debug)]
pub(super) struct Silence {
    last: Last,
    timer: Pin<Box<Sleep>>,
}

/// Watches over a connection.
pub(super) fn watch<C>(inner: C) -> (Heard<C>, Silence) {
    let last = Last { begun: Instant::now(), millis: Arc::default() };
    let timer = Box::pin(tokio::time::sleep_until(last.deadline()));
    (Heard { inner, last: last.clone() }, Silence { last, timer })
}

impl Silence {
    /// Ready once nothing was heard for [`SILENCE`]. The timer is moved only when it is due: there are thousands of frames
    /// between two times.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let deadline = self.last.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the other end is silent"));
            }
            self.timer.as_mut().reset(deadline);
        }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Heard<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        self.last.note();
        Poll::Ready(read)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Heard<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
