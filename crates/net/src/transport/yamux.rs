//! Many streams over one connection (Yamux), with windows that a hostile peer can't make us fill our memory by.
//!
//! A window is what the peer may send before we have read: it starts at 256 KiB per stream and grows while we read quickly,
//! up to [`GROWTH`] for all streams of the connection together. libp2p's own adapter leaves the growth at 1 GiB per connection.
//!
//! What a peer can make us hold: [`STREAMS`] × 256 KiB + [`GROWTH`] = 40 MiB per connection, and only in streams that we
//! accepted and don't read.
//!
//! A connection that falls silent ends ([`silence`]).

mod silence;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter::{Once, once};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use ::yamux::{Connection, ConnectionError, Mode, Stream};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use tokio::time::Instant;

use crate::rate::{Bucket, Rate};

use self::silence::{Heard, Silence};

/// Streams of one connection, both ends' together. One more is refused. A relay gives its 64
/// circuits to one peer at most, and a session, a dozen lookups and topics go beside them.
pub(crate) const STREAMS: usize = 128;

/// How often a peer may open a stream. Whoever opens and resets them as fast as it can costs a core otherwise; the
/// connection ends. A peer that puts many records at once opens some dozens in a second.
const OPENINGS: Rate = Rate { burst: 1024, each_second: 256 };

/// What each stream may be sent before anything was read, fixed by the protocol: bytes.
const FIRST_WINDOW: usize = 256 << 10;

/// By how much the windows of all streams together may grow: bytes. One stream then carries 80 MiB/s over 100 ms.
pub(crate) const GROWTH: usize = 8 << 20;

/// Negotiates Yamux.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config;

impl Config {
    fn muxer<C: AsyncRead + AsyncWrite + Unpin>(connection: C, mode: Mode) -> Muxer<C> {
        let mut config = ::yamux::Config::default();
        config.set_max_num_streams(STREAMS);
        config.set_max_connection_receive_window(Some(WINDOWS));
        let (connection, silence) = silence::watch(connection);
        Muxer {
            connection: Connection::new(connection, config, mode),
            silence,
            opened: VecDeque::new(),
            waker: None,
            openings: Bucket::new(Instant::now()),
        }
    }
}

/// All windows of a connection together.
const WINDOWS: usize = STREAMS.saturating_mul(FIRST_WINDOW).saturating_add(GROWTH);

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = Once<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Muxer<C>, Infallible>>;

    fn upgrade_inbound(self, connection: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::muxer(connection, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = Infallible;
    type Future = Ready<Result<Muxer<C>, Infallible>>;

    fn upgrade_outbound(self, connection: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::muxer(connection, Mode::Client)))
    }
}

/// The streams of one connection.
#[derive(Debug)]
pub(super) struct Muxer<C> {
    connection: Connection<Heard<C>>,
    silence: Silence,
    /// Streams that the peer opened and nobody took yet. Never more than [`STREAMS`]: a stream counts for Yamux as long as
    /// it is here.
    opened: VecDeque<Stream>,
    /// Who waits for one.
    waker: Option<Waker>,
    openings: Bucket,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Muxer<C> {
    /// Drives the connection until the peer opens a stream.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        let stream = ready!(self.connection.poll_next_inbound(cx)).unwrap_or(Err(ConnectionError::Closed))?;
        let within = self.openings.take(OPENINGS, 1, Instant::now());
        Poll::Ready(if within { Ok(stream) } else { Err(ConnectionError::TooManyStreams) })
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.opened.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        let outcome = self.drive(cx);
        if outcome.is_pending() {
            self.waker = Some(cx.waker().clone());
        }
        outcome
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(cx)
    }

    /// A goodbye that nobody takes ends with the silence: else whoever closes a dead connection has it for as long as TCP
    /// repeats itself, which is a quarter of an hour.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let closed = self.connection.poll_close(cx);
        if closed.is_pending()
            && let Poll::Ready(error) = self.silence.poll(cx)
        {
            return Poll::Ready(Err(error.into()));
        }
        closed
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        if let Poll::Ready(error) = self.silence.poll(cx) {
            return Poll::Ready(Err(error.into()));
        }
        let stream = ready!(self.drive(cx))?;
        // One that does not fit is dropped, which resets it.
        if self.opened.len() < STREAMS {
            self.opened.push_back(stream);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        // More may have come: after the others had their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
