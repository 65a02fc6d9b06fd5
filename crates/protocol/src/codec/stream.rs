//! The framing of streams: length, type.
//!
//! The length counts the type and the payload, in groups of seven bits, the lowest first; each byte but the last has its
//! top bit set. The shortest form is the only one. The type is one byte, or zero and a name of 12 bytes.

use crate::message::Message;

use super::decoder::{Head, Name};
use super::{Error, Kind, MAX_PAYLOAD, bitcoin, payload};

/// Most bytes of a length.
const LENGTH: usize = 4;

/// Most bytes before the payload.
pub(super) const HEAD: usize = LENGTH + NAMED;

/// Bytes of a type that is a name.
const NAMED: usize = 13;

/// Bytes of the message's type.
fn type_len(message: &Message) -> usize {
    if Kind::of(message).is_ok() { 1 } else { NAMED }
}

/// Bytes of length and type, before a payload of `size` bytes.
pub(super) fn head_len(message: &Message, size: usize) -> usize {
    let kind = type_len(message);
    let length = match kind.saturating_add(size) {
        ..0x80 => 1_usize,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => LENGTH,
    };
    length.saturating_add(kind)
}

/// Appends the message; `size` is its payload's.
pub(super) fn write(message: &Message, size: usize, out: &mut Vec<u8>) {
    write_head(message, size, out);
    payload::write(message, out);
}

/// Appends what stands before the payload; `size` is the payload's.
pub(super) fn write_head(message: &Message, size: usize, out: &mut Vec<u8>) {
    let mut length = type_len(message).saturating_add(size);
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
    match Kind::of(message) {
        Ok(kind) => out.push(kind.short()),
        Err(name) => {
            out.push(0);
            out.extend_from_slice(&bitcoin::padded(name));
        }
    }
}

/// What the bytes so far say, or `None` if they are too few.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let Some((length, after)) = length(bytes)? else { return Ok(None) };
    let too_short = Error::FrameSize(length);
    let too_long = |name: &Name, size| Error::TooLong { name: name.text().into(), size, limit: MAX_PAYLOAD };
    let rest = bytes.get(after..).unwrap_or_default();
    let (name, kind) = match *rest {
        // Nothing can follow that has a type, so don't wait for it.
        _ if length == 0 => return Err(too_short),
        [] => return Ok(None),
        [0, ..] if length < u32::try_from(NAMED).unwrap_or(u32::MAX) => return Err(too_short),
        [0, ref rest @ ..] => match rest.first_chunk() {
            Some(name) => (Name::read(name)?, NAMED),
            None => return Ok(None),
        },
        [short, ..] => (Name::of_short(short), 1),
    };
    let size = u32::try_from(kind).ok().and_then(|kind| length.checked_sub(kind)).ok_or(too_short)?;
    if size as usize > MAX_PAYLOAD {
        return Err(too_long(&name, size));
    }
    Ok(Some(Head { name, size, wire: after.saturating_add(kind), checksum: None }))
}

/// The length and how many bytes it takes, or `None` if there are too few.
fn length(bytes: &[u8]) -> Result<Option<(u32, usize)>, Error> {
    let mut value = 0_u32;
    for (at, &byte) in bytes.iter().take(LENGTH).enumerate() {
        let group = u32::from(byte & 0x7f);
        value |= group.checked_shl(u32::try_from(at).unwrap_or(0).saturating_mul(7)).unwrap_or(0);
        if byte & 0x80 == 0 {
            // A last group of zero says nothing, unless it is the only one.
            return if byte == 0 && at > 0 { Err(written(bytes)) } else { Ok(Some((value, at.saturating_add(1)))) };
        }
    }
    if bytes.len() < LENGTH { Ok(None) } else { Err(written(bytes)) }
}

fn written(bytes: &[u8]) -> Error {
    let mut written = [0; LENGTH];
    written.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    Error::FrameLength(written)
}
