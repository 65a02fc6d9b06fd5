//! One connection: HTTP/1 with a bound on everything that whoever is at its other end does.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::app::App;
use super::limits::{HEAD_BYTES, HEADERS, STOP};
use super::link::Link;
use super::pulse::{Pulse, Stage};
use super::service;

/// Bytes that are buffered in each direction.
const BUFFER: usize = 64 << 10;

/// Time in which an event stream takes its end when the server stops.
const STREAM_END: Duration = Duration::from_millis(50);

/// Serves a connection until either side ends it, it takes too long, or the server stops.
pub(super) async fn serve(app: Arc<App>, stream: TcpStream, link: Link, mut stop: watch::Receiver<bool>) {
    let pulse = link.pulse.clone();
    let io = TokioIo::new(Noticed { stream, pulse: pulse.clone() });
    let answering = Arc::clone(&app);
    let service = service_fn(move |request| {
        let (app, link) = (Arc::clone(&answering), link.clone());
        async move { Ok::<_, Infallible>(service::answer(app, link, request).await) }
    });
    // Its own timeout for heads also ends connections that merely wait; ours tells them apart.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(HEADERS)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection broke");
            }
            return;
        }
        stage = pulse.expired(&app.limits) => {
            tracing::debug!(?stage, "connection took too long");
            return;
        }
        // An error is a server that was dropped: it stops as well.
        _ = stop.wait_for(|stopping| *stopping) => {}
    }
    let grace = match pulse.stage() {
        Stage::Idle(_) | Stage::Head(_) | Stage::Body(..) | Stage::Left(_) => return,
        Stage::Working | Stage::Sending(..) => STOP,
        Stage::Streaming(_) => STREAM_END,
    };
    connection.as_mut().graceful_shutdown();
    // Whatever is not done by then is cut off.
    let _ = tokio::time::timeout(grace, connection).await;
}

/// A stream that tells when bytes arrive.
#[derive(Debug)]
struct Noticed {
    stream: TcpStream,
    pulse: Pulse,
}

impl AsyncRead for Noticed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pulse.arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noticed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
