//! Bitcoin's framing: magic, name, length, checksum.

use bitcoin::hashes::{Hash, sha256d};

use crate::message::Message;

use super::decoder::{Head, Name};
use super::{Error, payload};

/// Bytes before the payload.
pub(super) const HEAD: usize = 24;

/// Appends the message; `size` is its payload's.
pub(super) fn write(message: &Message, magic: [u8; 4], size: usize, out: &mut Vec<u8>) {
    write_head(message, magic, size, [0; 4], out);
    let start = out.len();
    payload::write(message, out);
    if let Some((head, payload)) = out.split_at_mut_checked(start)
        && let Some(field) = head.last_chunk_mut::<4>()
    {
        *field = checksum(sha256d::Hash::hash(payload));
    }
}

/// Appends what stands before the payload; `size` is the payload's.
pub(super) fn write_head(message: &Message, magic: [u8; 4], size: usize, checksum: [u8; 4], out: &mut Vec<u8>) {
    out.extend_from_slice(&magic);
    out.extend_from_slice(&padded(message.name()));
    out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&checksum);
}

/// The first bytes of the payload's hash.
pub(super) fn checksum(hash: sha256d::Hash) -> [u8; 4] {
    let [a, b, c, d, ..] = hash.to_byte_array();
    [a, b, c, d]
}

/// The name with zeros behind it; what is beyond 12 bytes is left out.
pub(super) fn padded(name: &str) -> [u8; 12] {
    let mut padded = [0; 12];
    padded.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    padded
}

/// What the bytes so far say, or `None` if they are too few.
pub(super) fn read(bytes: &[u8], expected: [u8; 4]) -> Result<Option<Head>, Error> {
    let Some((magic, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    if *magic != expected {
        return Err(Error::Magic { expected, found: *magic });
    }
    let Some((name, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let Some((size, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let Some(checksum) = rest.first_chunk() else { return Ok(None) };
    let (name, size) = (Name::read(name)?, u32::from_le_bytes(*size));
    Ok(Some(Head { name, size, wire: HEAD, checksum: Some(*checksum) }))
}
