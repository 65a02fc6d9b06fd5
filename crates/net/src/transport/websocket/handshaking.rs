//! A socket during the handshake: reads no more than a handshake takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

/// Bytes that a handshake may have. Web servers, whose bound this commonly is, take no more of one request.
pub(super) const LONGEST: usize = 16 << 10;

/// A socket that ends after [`LONGEST`] bytes.
#[derive(Debug)]
pub(super) struct Handshaking<T> {
    socket: T,
    left: usize,
}

impl<T> Handshaking<T> {
    pub(super) fn new(socket: T) -> Self {
        Self { socket, left: LONGEST }
    }

    /// The socket, without the bound.
    pub(super) fn into_inner(self) -> T {
        self.socket
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Handshaking<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the handshake has no end")));
        }
        let room = bytes.len().min(self.left);
        let bytes = bytes.get_mut(..room).unwrap_or_default();
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, bytes))?;
        self.left = self.left.saturating_sub(read);
        Poll::Ready(Ok(read))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Handshaking<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
