//! Bytes that came and were not read yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::AsyncRead;

use super::INPUT;

/// Bytes that came and were not read yet: no more than [`INPUT`], after those that came with the handshake.
#[derive(Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(early: &[u8]) -> Self {
        Self { bytes: early.to_vec(), start: 0, end: early.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
    }

    /// Takes as much as there is and fits.
    pub(super) fn read(&mut self, target: &mut [u8]) -> usize {
        let length = target.len().min(self.bytes().len());
        if let (Some(target), Some(source)) = (target.get_mut(..length), self.bytes().get(..length)) {
            target.copy_from_slice(source);
        }
        self.consume(length);
        length
    }

    /// Reads more from a socket, making room for `wanted` bytes in all; 0 if it has ended.
    pub(super) fn poll_fill(
        &mut self,
        socket: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() != INPUT && self.end <= INPUT {
            self.bytes.resize(INPUT, 0);
            self.bytes.shrink_to_fit();
        }
        if self.start.saturating_add(wanted) > self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let read = ready!(Pin::new(socket).poll_read(cx, room))?;
        self.end = self.end.saturating_add(read);
        Poll::Ready(Ok(read))
    }
}
