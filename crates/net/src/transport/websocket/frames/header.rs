//! A frame's header and its mask (RFC 6455, sections 5.2 and 5.3).

use std::io;

use super::violation;

/// Longest header, in bytes: two, eight of the length, four of the mask.
pub(super) const MOST_HEADER: usize = 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    /// Goes on with a message.
    Continue = 0,
    /// Begins a message of text.
    Text = 1,
    /// Begins a message of bytes.
    Binary = 2,
    /// Ends the connection.
    Close = 8,
    /// Asks for a pong.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// Whether it ends its message.
    pub(super) last: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub(super) length: u64,
}

const LAST: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// Instead of a length: two bytes of length follow.
const SHORT: u8 = 126;
/// Instead of a length: eight bytes of length follow.
const LONG: u8 = 127;

impl Header {
    /// The header that begins some bytes, and its length; `None` if there are too few.
    ///
    /// # Errors
    ///
    /// If it breaks a rule of section 5.2.
    pub(super) fn decode(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(violation("reserved bits are set, and no extension was agreed on"));
        }
        let opcode = match first & 0x0f {
            0 => Opcode::Continue,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return Err(violation("an unknown kind of frame")),
        };
        let (length, rest) = match second & !MASKED {
            SHORT => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            LONG => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            length => (u64::from(length), rest),
        };
        if length > i64::MAX.unsigned_abs() {
            return Err(violation("the first bit of a length must be 0"));
        }
        let (mask, rest) = if second & MASKED == 0 {
            (None, rest)
        } else {
            match rest.split_first_chunk() {
                Some((mask, rest)) => (Some(*mask), rest),
                None => return Ok(None),
            }
        };
        let header = Self { opcode, last: first & LAST != 0, mask, length };
        Ok(Some((header, bytes.len().saturating_sub(rest.len()))))
    }

    /// Appends the header.
    pub(super) fn encode(&self, output: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { MASKED } else { 0 };
        output.push(self.opcode as u8 | if self.last { LAST } else { 0 });
        match (u8::try_from(self.length), u16::try_from(self.length)) {
            (Ok(length), _) if length < SHORT => output.push(length | masked),
            (_, Ok(length)) => {
                output.push(SHORT | masked);
                output.extend_from_slice(&length.to_be_bytes());
            }
            _ => {
                output.push(LONG | masked);
                output.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        output.extend(self.mask.iter().flatten());
    }
}

/// Masks bytes, or takes the mask off; gives the mask turned to the byte that comes next.
pub(super) fn mask(bytes: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(chunk) = <&mut [u8; 8]>::try_from(chunk) {
            *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
        }
    }
    let rest = chunks.into_remainder();
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    let mut turned = mask;
    turned.rotate_left(rest.len() % 4);
    turned
}
