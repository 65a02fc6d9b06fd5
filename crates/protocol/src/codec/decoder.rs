//! Takes bytes in chunks and gives messages.
//!
//! ```text
//! Head ──all its bytes──▶ Body ──all its bytes──▶ a message, and Head again
//!   └──────────error──────────┴──────────▶ Failed, for good
//! ```

use std::fmt;

use ::bitcoin::hashes::{Hash, HashEngine, sha256, sha256d};

use crate::message::Message;

use super::{Error, Framing, Kind, MAX_PAYLOAD, bitcoin, payload, stream};

/// Bytes that a payload's buffer has at least, unless the payload has fewer.
const MIN_BUFFER: usize = 256;

/// Bytes to messages, in chunks of any size.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    state: State,
}

#[derive(Debug)]
enum State {
    Head { bytes: [u8; bitcoin::HEAD], filled: usize },
    Body(Body),
    Failed,
}

const START: State = State::Head { bytes: [0; bitcoin::HEAD], filled: 0 };

const _: () = assert!(stream::HEAD <= bitcoin::HEAD, "both heads fit into one buffer");

/// What stands before a payload.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) name: Name,
    /// Bytes of the payload.
    pub(super) size: u32,
    /// Bytes of the head.
    pub(super) wire: usize,
    pub(super) checksum: Option<[u8; 4]>,
}

/// What a message calls itself.
#[derive(Debug)]
pub(super) enum Name {
    Known(Kind),
    Unknown(Box<str>),
}

impl Name {
    /// Reads a name of printable ASCII with zeros behind it, as Bitcoin Core does.
    pub(super) fn read(bytes: &[u8; 12]) -> Result<Self, Error> {
        let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        let (name, zeros) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        let text = str::from_utf8(name).map_err(|_| Error::Name(*bytes))?;
        if zeros.iter().any(|&byte| byte != 0) || !name.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Error::Name(*bytes));
        }
        Ok(Kind::named(text).map_or_else(|| Self::Unknown(text.into()), Self::Known))
    }

    /// The name that a type of one byte stands for; `#` and its number for one that we don't know.
    pub(super) fn of_short(short: u8) -> Self {
        Kind::of_short(short).map_or_else(|| Self::Unknown(format!("#{short}").into()), Self::Known)
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Unknown(name) => name,
        }
    }

    fn limit(&self) -> usize {
        match self {
            Self::Known(kind) => kind.limit(),
            Self::Unknown(_) => MAX_PAYLOAD,
        }
    }
}

#[derive(Debug)]
struct Body {
    name: Name,
    size: usize,
    /// Bytes that came, which are kept only if the message is known.
    received: usize,
    payload: Vec<u8>,
    /// Bytes of the head.
    wire: usize,
    check: Option<Check>,
}

/// A checksum, and the hash of the payload so far.
struct Check {
    engine: sha256::HashEngine,
    found: [u8; 4],
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("found", &self.found).finish_non_exhaustive()
    }
}

impl Body {
    fn new(head: Head) -> Result<Self, Error> {
        let Head { name, size, wire, checksum } = head;
        let bytes = usize::try_from(size).unwrap_or(usize::MAX);
        if bytes > name.limit() {
            return Err(Error::TooLong { limit: name.limit(), name: name.text().into(), size });
        }
        let check = checksum.map(|found| Check { engine: sha256::HashEngine::default(), found });
        Ok(Self { name, size: bytes, received: 0, payload: Vec::new(), wire, check })
    }

    /// Takes what belongs to the payload; says whether it is complete.
    fn read(&mut self, bytes: &mut &[u8]) -> bool {
        let missing = self.size.saturating_sub(self.received);
        let taken = bytes.split_off(..missing.min(bytes.len())).unwrap_or_default();
        self.received = self.received.saturating_add(taken.len());
        if let Some(check) = &mut self.check {
            check.engine.input(taken);
        }
        if matches!(self.name, Name::Known(_)) {
            // Room for twice what came, so that growing costs little, but never for more than will be kept.
            if self.payload.capacity() < self.received {
                let room = self.received.saturating_mul(2).max(MIN_BUFFER).min(self.size);
                self.payload.reserve_exact(room.saturating_sub(self.payload.len()));
            }
            self.payload.extend_from_slice(taken);
        }
        self.received == self.size
    }

    /// The message and its bytes on the wire.
    fn finish(self) -> Result<(Message, usize), Error> {
        if let Some(Check { engine, found }) = self.check {
            let expected = bitcoin::checksum(sha256d::Hash::from_engine(engine));
            if found != expected {
                return Err(Error::Checksum { name: self.name.text().into(), expected, found });
            }
        }
        let message = match self.name {
            Name::Known(kind) => payload::read(kind, self.payload)?,
            Name::Unknown(command) => Message::Unknown { command, size: u32::try_from(self.size).unwrap_or(u32::MAX) },
        };
        Ok((message, self.wire.saturating_add(self.size)))
    }
}

impl Decoder {
    /// A decoder at the start of a message.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        Self { framing, state: START }
    }

    /// Takes bytes from the front of `bytes`, until a message is complete (given with its bytes on the wire) or nothing is
    /// left (`None`). Call it until it gives `None`. After an error it takes and gives nothing more: the connection is of
    /// no use.
    pub fn read(&mut self, bytes: &mut &[u8]) -> Option<Result<(Message, usize), Error>> {
        let result = self.step(bytes).transpose()?;
        self.state = if result.is_ok() { START } else { State::Failed };
        Some(result)
    }

    /// Whether a message has begun and is not complete.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        matches!(self.state, State::Body(_) | State::Head { filled: 1.., .. })
    }

    /// Bytes of memory that are held for a message that is not complete.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.state {
            State::Body(body) => body.payload.capacity(),
            State::Head { .. } | State::Failed => 0,
        }
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Result<Option<(Message, usize)>, Error> {
        if let State::Head { bytes: head, filled } = &mut self.state {
            let Some(head) = Self::head(self.framing, head, filled, bytes)? else { return Ok(None) };
            self.state = State::Body(Body::new(head)?);
        }
        let State::Body(body) = &mut self.state else { return Ok(None) };
        if !body.read(bytes) {
            return Ok(None);
        }
        match std::mem::replace(&mut self.state, START) {
            State::Body(body) => body.finish().map(Some),
            State::Head { .. } | State::Failed => Ok(None),
        }
    }

    /// Takes bytes one by one until they are a head, since only they tell how long it is.
    fn head(
        framing: Framing,
        head: &mut [u8; bitcoin::HEAD],
        filled: &mut usize,
        bytes: &mut &[u8],
    ) -> Result<Option<Head>, Error> {
        while let Some((byte, room)) = bytes.split_off_first().zip(head.get_mut(*filled)) {
            *room = *byte;
            *filled = filled.saturating_add(1);
            let so_far = head.get(..*filled).unwrap_or_default();
            let read = match framing {
                Framing::Bitcoin(magic) => bitcoin::read(so_far, magic)?,
                Framing::Stream => stream::read(so_far)?,
            };
            if read.is_some() {
                return Ok(read);
            }
        }
        Ok(None)
    }
}
