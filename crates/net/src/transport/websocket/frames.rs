//! Bytes in WebSocket frames (RFC 6455, section 5).
//!
//! The payload of binary messages is one stream of bytes, however it is cut into messages and frames. A frame is handed on
//! as it comes, so its length costs no memory: a connection holds [`INPUT`] bytes that came and at most
//! [`OUTPUT`] + [`FRAME`] that go.
//!
//! Pings are answered, the latest at least; a close frame is answered and ends the stream. Text, reserved bits, unmasked
//! frames of a client and masked ones of a server end it with an error, as section 5 demands.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

use self::header::{Header, MOST_HEADER, Opcode};
use self::input::Input;

mod header;
mod input;

/// Bytes that are read at one time where the reader has no room for more.
const INPUT: usize = 4 << 10;

/// Most payload of one frame that we send, in bytes.
const FRAME: usize = 64 << 10;

/// Bytes that wait to be sent before more is taken.
const OUTPUT: usize = 64 << 10;

/// Output that an idle connection keeps room for, in bytes.
const KEPT: usize = 4 << 10;

/// Frames without payload in one poll, so that a flood of them does not hold up the task that polls.
const STEPS: usize = 64;

/// Longest payload of a ping, pong or close frame (section 5.5).
const CONTROL: usize = 125;

/// Which end we are. A client masks what it sends (section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// We dialled.
    Client,
    /// We were dialled.
    Server,
}

/// Bytes in frames over a socket.
#[derive(Debug)]
pub(crate) struct Frames<T> {
    socket: T,
    end: End,
    input: Input,
    reading: Reading,
    /// Whether frames of an unfinished message came: the next must continue it.
    message: bool,
    /// Frames that wait to be sent, and how much of them was.
    output: Vec<u8>,
    sent: usize,
    /// Whether an answer to a control frame waits for being sent without anybody writing.
    answering: bool,
    /// Whether a writer waits for the socket. It sends answers too, and is who the socket must wake.
    writing: bool,
    /// Whether we have sent a close frame: nothing goes after it.
    closing: bool,
    masks: Masks,
}

/// Where in a frame the reader is.
#[derive(Debug)]
enum Reading {
    /// Before a header.
    Header,
    /// Within a payload: what is left of it, its mask, turned to the next byte.
    Payload { left: u64, mask: Option<[u8; 4]> },
    /// At a control frame's payload.
    Control(Header),
    /// The other end has closed.
    Ended,
}

/// Masks that nobody can foresee (section 10.3).
#[derive(Debug)]
struct Masks {
    keys: RandomState,
    next: u64,
}

impl Masks {
    fn next(&mut self) -> [u8; 4] {
        self.next = self.next.wrapping_add(1);
        let [a, b, c, d, ..] = self.keys.hash_one(self.next).to_le_bytes();
        [a, b, c, d]
    }
}

impl<T> Frames<T> {
    /// Over a socket whose handshake is done, `early` being what came after it.
    pub(super) fn new(socket: T, end: End, early: &[u8]) -> Self {
        Self {
            socket,
            end,
            input: Input::new(early),
            reading: Reading::Header,
            message: false,
            output: Vec::new(),
            sent: 0,
            answering: false,
            writing: false,
            closing: false,
            masks: Masks { keys: RandomState::new(), next: 0 },
        }
    }

    /// Adds a frame to the output.
    fn put(&mut self, opcode: Opcode, payload: &[u8]) {
        let mask = (self.end == End::Client).then(|| self.masks.next());
        let header = Header { opcode, last: true, mask, length: payload.len() as u64 };
        header.encode(&mut self.output);
        let start = self.output.len();
        self.output.extend_from_slice(payload);
        if let Some(mask) = mask {
            header::mask(self.output.get_mut(start..).unwrap_or_default(), mask);
        }
    }
}

impl<T: AsyncWrite + Unpin> Frames<T> {
    /// Sends what waits.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent = self.sent.saturating_add(sent);
        }
        self.sent = 0;
        self.output.clear();
        self.output.shrink_to(KEPT);
        Poll::Ready(Ok(()))
    }

    /// Sends what waits, for a writer.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let drained = self.poll_drain(cx);
        self.writing = drained.is_pending();
        drained
    }

    /// Sends the answer to a control frame as far as the socket takes it.
    fn answer(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.answering
            && !self.writing
            && self.poll_drain(cx)?.is_ready()
            && Pin::new(&mut self.socket).poll_flush(cx)?.is_ready()
        {
            self.answering = false;
        }
        Ok(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Frames<T> {
    /// Reads a header; `None` if the connection ends before one.
    fn poll_header(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Header>>> {
        loop {
            if let Some((header, length)) = Header::decode(self.input.bytes())? {
                self.input.consume(length);
                return Poll::Ready(Ok(Some(header)));
            }
            if ready!(self.input.poll_fill(&mut self.socket, cx, MOST_HEADER))? == 0 {
                let nothing = self.input.bytes().is_empty();
                return Poll::Ready(if nothing { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
            }
        }
    }

    /// What follows a header.
    fn begin(&mut self, header: Header) -> io::Result<Reading> {
        if header.mask.is_some() != (self.end == End::Server) {
            return Err(violation("a client masks its frames, and a server does not"));
        }
        match header.opcode {
            Opcode::Binary if self.message => Err(violation("a message began within another")),
            Opcode::Continue if !self.message => Err(violation("a message goes on that never began")),
            Opcode::Text => Err(violation("text where bytes are spoken")),
            Opcode::Binary | Opcode::Continue => {
                self.message = !header.last;
                Ok(Reading::Payload { left: header.length, mask: header.mask })
            }
            Opcode::Ping | Opcode::Pong | Opcode::Close => {
                if !header.last || header.length > CONTROL as u64 {
                    return Err(violation("a control frame is short and whole"));
                }
                Ok(Reading::Control(header))
            }
        }
    }

    /// Reads a control frame's payload and acts on it.
    fn poll_control(&mut self, cx: &mut Context<'_>, header: Header) -> Poll<io::Result<Reading>> {
        let length = usize::try_from(header.length).unwrap_or(CONTROL).min(CONTROL);
        while self.input.bytes().len() < length {
            if ready!(self.input.poll_fill(&mut self.socket, cx, length))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        let mut payload = self.input.bytes().get(..length).unwrap_or_default().to_vec();
        self.input.consume(length);
        if let Some(mask) = header.mask {
            header::mask(&mut payload, mask);
        }
        let closed = header.opcode == Opcode::Close;
        // Where too much waits to be sent, a later ping is answered (section 5.5.3).
        let answered = match header.opcode {
            Opcode::Close => !self.closing,
            Opcode::Ping => !self.closing && self.output.len() < OUTPUT,
            Opcode::Pong | Opcode::Binary | Opcode::Text | Opcode::Continue => false,
        };
        if answered {
            // A close frame is answered by its own status, the first two bytes (section 5.5.1).
            let status = payload.get(..2).unwrap_or_default();
            let (opcode, payload) = if closed { (Opcode::Close, status) } else { (Opcode::Pong, payload.as_slice()) };
            self.put(opcode, payload);
            self.answering = true;
            self.closing |= closed;
            self.answer(cx)?;
        }
        Poll::Ready(Ok(if closed { Reading::Ended } else { Reading::Header }))
    }

    /// Reads from a payload.
    fn poll_payload(&mut self, cx: &mut Context<'_>, bytes: &mut [u8], left: u64) -> Poll<io::Result<usize>> {
        let room = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let bytes = bytes.get_mut(..room).unwrap_or_default();
        if self.input.bytes().is_empty() {
            if room >= INPUT {
                return Pin::new(&mut self.socket).poll_read(cx, bytes);
            }
            ready!(self.input.poll_fill(&mut self.socket, cx, 1))?;
        }
        Poll::Ready(Ok(self.input.read(bytes)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Frames<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.answer(cx)?;
        for _ in 0..STEPS {
            match this.reading {
                Reading::Header => {
                    let Some(header) = ready!(this.poll_header(cx))? else {
                        this.reading = Reading::Ended;
                        continue;
                    };
                    this.reading = this.begin(header)?;
                }
                Reading::Control(header) => this.reading = ready!(this.poll_control(cx, header))?,
                Reading::Payload { left: 0, .. } => this.reading = Reading::Header,
                Reading::Payload { left, mask } => {
                    let read = ready!(this.poll_payload(cx, bytes, left))?;
                    if read == 0 && !bytes.is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    let mask = mask.map(|mask| header::mask(bytes.get_mut(..read).unwrap_or_default(), mask));
                    this.reading = Reading::Payload { left: left.saturating_sub(read as u64), mask };
                    return Poll::Ready(Ok(read));
                }
                Reading::Ended => return Poll::Ready(Ok(0)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Frames<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if this.output.len() >= OUTPUT {
            ready!(this.poll_written(cx))?;
        }
        let payload = bytes.get(..FRAME).unwrap_or(bytes);
        if !payload.is_empty() {
            this.put(Opcode::Binary, payload);
        }
        Poll::Ready(Ok(payload.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        /// Normal closure (section 7.4.1).
        const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();
        let this = self.get_mut();
        if !this.closing {
            this.put(Opcode::Close, &NORMAL);
            this.closing = true;
        }
        ready!(this.poll_written(cx))?;
        Pin::new(&mut this.socket).poll_close(cx)
    }
}

fn violation(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
