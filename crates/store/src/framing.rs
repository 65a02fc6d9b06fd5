//! Finds blocks in a stream of block-file bytes: from a file, a pipe, a damaged disk.
//!
//! A record is `magic ‖ length (u32, little-endian) ‖ block`, which is Bitcoin Core's framing of `blkNNNNN.dat` and of
//! bootstrap files. Whatever stands between records is searched for the next magic, as Core's `LoadExternalBlockFile`
//! does, so that one damaged record costs one block and not the rest of the file. Not its job: whether a record *is*
//! a block; whoever finds that it is not says so with [`Reader::reject`], and the search goes on inside it.
//!
//! Invariants: records and skipped spans together cover the input, in order, without overlap; no more than one record
//! and one [`CHUNK`] is held in memory, and nothing is allocated for bytes that a length field merely promises; rejected
//! records are searched as long as that takes no more than [`MAX_REREADS`] passes over the input.

use std::io::{self, Read};

/// Bytes of the frame before a block: the magic and the length.
pub const FRAME: usize = 8;

/// Longest record: a block cannot be larger than its weight limit of 4,000,000 (BIP-0141).
pub const MAX_RECORD: usize = 4_000_000;

/// Shortest record: a block header.
pub const MIN_RECORD: usize = 80;

/// Bytes asked of the input at a time.
pub const CHUNK: usize = 256 << 10;

/// Rejected records may take this many times the bytes read so far, and those of one record: damage that is no attack
/// makes a byte part of a rejected record once or twice. Without a bound, frames that stand close together and each
/// promise a long record would have all of it read again for every eight bytes.
pub const MAX_REREADS: u64 = 16;

/// The frame of a record of `length` bytes. No block is longer than a `u32` counts; the length of one that were is cut.
#[must_use]
pub fn frame(magic: [u8; 4], length: usize) -> [u8; FRAME] {
    let [a, b, c, d] = magic;
    let [e, f, g, h] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

/// What was found in the input, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole record.
    Record {
        /// Where its bytes start in the input, behind the frame.
        offset: u64,
        /// What it holds.
        bytes: Vec<u8>,
    },
    /// Bytes that are no record.
    Skipped {
        /// Where they start in the input.
        offset: u64,
        /// How many they are.
        bytes: u64,
        /// What was wrong with them.
        why: Flaw,
    },
}

/// Why bytes were skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Zeros: space that a node reserved for later blocks. No damage.
    #[error("zero padding")]
    Padding,
    /// Anything else without the magic.
    #[error("no record starts here")]
    Garbage,
    /// A record longer than any block.
    #[error("a record of {announced} bytes is longer than any block")]
    Oversized {
        /// The length field.
        announced: u32,
    },
    /// A record shorter than a block header.
    #[error("a record of {announced} bytes is shorter than a block header")]
    Undersized {
        /// The length field.
        announced: u32,
    },
    /// The input ended within the record or its frame.
    #[error("the input ends {missing} bytes before the record does")]
    Truncated {
        /// Bytes that were missing, at least.
        missing: usize,
    },
    /// A record that [`Reader::reject`] was called on.
    #[error("the record holds no block")]
    NotABlock,
}

/// Reads records from `R`; an iterator of [`Event`]s that ends with the input, or with the first I/O error,
/// after what was read before it.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    magic: [u8; 4],
    buffer: Vec<u8>,
    /// Index in `buffer` of the first byte that is not yet part of an event.
    start: usize,
    /// Offset of that byte in the input.
    offset: u64,
    /// Why the bytes before the next magic are skipped, if it is known already.
    flaw: Option<Flaw>,
    /// Bytes of that span that have left the buffer, and whether all of them were zero.
    skipped: u64,
    zeros: bool,
    /// Bytes of all records that were rejected.
    rejected: u64,
    ended: bool,
    failure: Option<io::Error>,
}

/// What stands at the start of the buffer.
enum Head {
    Record(usize),
    Flawed(Flaw),
    NoMagic,
}

impl<R: Read> Reader<R> {
    /// Reads `input`, which needs no buffer of its own, as block files of the network with this `magic`.
    pub fn new(input: R, magic: [u8; 4]) -> Self {
        Self {
            input,
            magic,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            flaw: None,
            skipped: 0,
            zeros: true,
            rejected: 0,
            ended: false,
            failure: None,
        }
    }

    /// Takes back the record that was returned last, because it holds no block: its length or its bytes are damaged,
    /// and further records may start inside. They are not looked for once that has taken [`MAX_REREADS`].
    pub fn reject(&mut self, record: &[u8]) {
        const LONGEST: u64 = MAX_RECORD as u64;
        let length = u64::try_from(record.len()).unwrap_or(u64::MAX);
        self.flaw = Some(Flaw::NotABlock);
        self.rejected = self.rejected.saturating_add(length);
        if self.rejected > MAX_REREADS.saturating_mul(self.offset.saturating_add(LONGEST)) {
            self.skipped = self.skipped.saturating_add(length);
            return;
        }
        self.buffer.splice(..self.start, record.iter().copied());
        self.start = 0;
        self.offset = self.offset.saturating_sub(length);
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads until `wanted` bytes are there or the input ends.
    fn fill(&mut self, wanted: usize) {
        let present = self.rest().len();
        if present >= wanted || self.ended {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        // `read_to_end` grows the buffer as bytes arrive, never by what a length field says.
        let ask = wanted.saturating_sub(present).max(CHUNK);
        match (&mut self.input).take(u64::try_from(ask).unwrap_or(u64::MAX)).read_to_end(&mut self.buffer) {
            Ok(read) => self.ended = read < ask,
            // What was read before it counts.
            Err(error) => {
                self.failure = Some(error);
                self.ended = true;
            }
        }
    }

    /// Looks at what starts here; the whole record is in the buffer if it is one.
    fn head(&mut self) -> Head {
        self.fill(FRAME);
        let (magic, announced) = match *self.rest() {
            [a, b, c, d, e, f, g, h, ..] => ([a, b, c, d], u32::from_le_bytes([e, f, g, h])),
            [a, b, c, d, ..] if [a, b, c, d] == self.magic => {
                let missing = FRAME.saturating_sub(self.rest().len()).saturating_add(MIN_RECORD);
                return Head::Flawed(Flaw::Truncated { missing });
            }
            _ => return Head::NoMagic,
        };
        if magic != self.magic {
            return Head::NoMagic;
        }
        let length = match usize::try_from(announced) {
            Ok(length) if length < MIN_RECORD => return Head::Flawed(Flaw::Undersized { announced }),
            Ok(length) if length <= MAX_RECORD => length,
            _ => return Head::Flawed(Flaw::Oversized { announced }),
        };
        let end = FRAME.saturating_add(length);
        self.fill(end);
        match end.saturating_sub(self.rest().len()) {
            0 => Head::Record(length),
            missing => Head::Flawed(Flaw::Truncated { missing }),
        }
    }

    /// Moves `count` bytes to the span that is skipped.
    fn skip(&mut self, count: usize) {
        let span = self.rest().get(..count).unwrap_or_default();
        self.zeros = self.zeros && span.iter().all(|byte| *byte == 0);
        self.advance(count);
        self.skipped = self.skipped.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    fn advance(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The span skipped so far, if there is one.
    fn take_skipped(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.skipped);
        let zeros = std::mem::replace(&mut self.zeros, true);
        let guess = if zeros { Flaw::Padding } else { Flaw::Garbage };
        let why = self.flaw.take().unwrap_or(guess);
        (bytes > 0).then(|| Event::Skipped { offset: self.offset.saturating_sub(bytes), bytes, why })
    }

    fn step(&mut self) -> Option<Event> {
        loop {
            match self.head() {
                Head::Record(length) => {
                    if let Some(skipped) = self.take_skipped() {
                        return Some(skipped);
                    }
                    self.advance(FRAME);
                    let offset = self.offset;
                    let bytes = self.rest().get(..length).unwrap_or_default().to_vec();
                    self.advance(length);
                    return Some(Event::Record { offset, bytes });
                }
                Head::Flawed(flaw) => {
                    if let Some(skipped) = self.take_skipped() {
                        return Some(skipped);
                    }
                    // The next record may start right behind this magic: the length says nothing if it is damaged.
                    self.flaw = Some(flaw);
                    self.skip(1);
                }
                Head::NoMagic if self.rest().is_empty() => return self.take_skipped(),
                Head::NoMagic => self.search(),
            }
        }
    }

    /// Skips to the next magic, or to the last bytes that may be the start of one.
    fn search(&mut self) {
        let rest = self.rest();
        let found = rest.windows(self.magic.len()).position(|window| window == self.magic);
        let keep = if self.ended { 0 } else { self.magic.len().saturating_sub(1) };
        let count = found.unwrap_or_else(|| rest.len().saturating_sub(keep));
        // `head` has filled a frame or ended the input, so that this moves on.
        self.skip(count);
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().map(Ok).or_else(|| self.failure.take().map(Err))
    }
}

#[cfg(test)]
mod tests;
