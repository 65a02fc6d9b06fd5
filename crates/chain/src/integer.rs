//! Integers of variable length, as Bitcoin Core writes them.
//!
//! Two formats: the *compact size* of peer messages and blocks (one byte, or a marker and 2, 4 or 8 bytes,
//! little-endian), and the *varint* of Core's databases (groups of 7 bits, the highest first, each group but the last
//! marked by its top bit, and one subtracted from it, so that every integer has exactly one form). Readers take a
//! slice and leave what follows; a reader that fails leaves the slice in no particular place.

/// Why bytes are not the integer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes end inside the integer, or inside what it counts.
    #[error("the bytes end too early")]
    Truncated,
    /// A compact size that a shorter form would hold.
    #[error("{0} is not in its shortest form")]
    NotMinimal(u64),
    /// A varint above the largest integer of its type.
    #[error("a varint is too large for its type")]
    TooLarge,
}

/// Takes the first `count` bytes.
///
/// # Errors
/// If there are fewer.
pub fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    bytes.split_off(..count).ok_or(Error::Truncated)
}

/// Takes the first `N` bytes.
///
/// # Errors
/// If there are fewer.
pub fn take_array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N], Error> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
    *bytes = rest;
    Ok(first)
}

/// Takes a compact size.
///
/// # Errors
/// If the bytes end inside it, or a shorter form would hold it.
pub fn read_compact(bytes: &mut &[u8]) -> Result<u64, Error> {
    let (value, least) = match *take_array(bytes)? {
        [0xff] => (u64::from_le_bytes(*take_array(bytes)?), 0x1_0000_0000),
        [0xfe] => (u32::from_le_bytes(*take_array(bytes)?).into(), 0x1_0000),
        [0xfd] => (u16::from_le_bytes(*take_array(bytes)?).into(), 0xfd),
        [value] => (value.into(), 0),
    };
    if value < least { Err(Error::NotMinimal(value)) } else { Ok(value) }
}

/// Appends a count as compact size.
pub fn write_compact(count: usize, out: &mut Vec<u8>) {
    if let Ok(value @ ..0xfd) = u8::try_from(count) {
        out.push(value);
    } else if let Ok(value) = u16::try_from(count) {
        out.push(0xfd);
        out.extend_from_slice(&value.to_le_bytes());
    } else if let Ok(value) = u32::try_from(count) {
        out.push(0xfe);
        out.extend_from_slice(&value.to_le_bytes());
    } else {
        out.push(0xff);
        out.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
    }
}

/// Takes a varint.
///
/// # Errors
/// If the bytes end inside it, or it is larger than `u64::MAX`.
pub fn read_varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0_u64;
    loop {
        let [byte] = *take_array(bytes)?;
        if value > u64::MAX >> 7 {
            return Err(Error::TooLarge);
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
        value = value.checked_add(1).ok_or(Error::TooLarge)?;
    }
}

/// Takes a varint of Core's `uint32_t`.
///
/// # Errors
/// If the bytes end inside it, or it is larger than `u32::MAX`.
pub fn read_varint_u32(bytes: &mut &[u8]) -> Result<u32, Error> {
    u32::try_from(read_varint(bytes)?).map_err(|_| Error::TooLarge)
}

/// Appends a varint.
pub fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    // 64 bits are at most ten groups.
    let mut groups = [0; 10];
    let mut first = groups.len();
    let mut mark = 0;
    for (at, group) in groups.iter_mut().enumerate().rev() {
        *group = value.to_le_bytes()[0] & 0x7f | mark;
        first = at;
        if value < 0x80 {
            break;
        }
        mark = 0x80;
        value = (value >> 7).saturating_sub(1);
    }
    out.extend_from_slice(groups.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_the_bytes_that_core_documents() {
        let cases: [(u64, &[u8]); 9] = [
            (0, &[0]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 0]),
            (255, &[0x80, 0x7f]),
            (256, &[0x81, 0]),
            (16_383, &[0xfe, 0x7f]),
            (16_384, &[0xff, 0]),
            (1 << 32, &[0x8e, 0xfe, 0xfe, 0xff, 0]),
        ];
        for (value, bytes) in cases {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(out, bytes, "{value}");
            assert_eq!(read_varint(&mut &out[..]), Ok(value));
        }
    }

    #[test]
    fn varints_come_back_and_stop_at_the_limit_of_their_type() {
        for value in (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]).chain([u64::MAX - 1, u64::MAX])
        {
            let mut out = Vec::new();
            write_varint(value, &mut out);
            assert_eq!(read_varint(&mut &out[..]), Ok(value));
            assert_eq!(read_varint_u32(&mut &out[..]), u32::try_from(value).map_err(|_| Error::TooLarge));
            for end in 0..out.len() {
                assert_eq!(read_varint(&mut &out[..end]), Err(Error::Truncated));
            }
        }
        let mut past = Vec::new();
        write_varint(u64::MAX, &mut past);
        let len = past.len();
        past[len - 2] += 1;
        past[len - 1] = 0;
        assert_eq!(read_varint(&mut &past[..]), Err(Error::TooLarge));
        assert_eq!(read_varint(&mut &[0xff; 20][..]), Err(Error::TooLarge));
    }

    #[test]
    fn compact_sizes_come_back_in_their_shortest_form_only() {
        for (value, len) in [(0, 1), (252, 1), (253, 3), (0xffff, 3), (0x1_0000, 5), (0xffff_ffff, 5)] {
            let mut out = Vec::new();
            write_compact(value, &mut out);
            assert_eq!(out.len(), len);
            assert_eq!(read_compact(&mut &out[..]), Ok(value as u64));
            for end in 0..len {
                assert_eq!(read_compact(&mut &out[..end]), Err(Error::Truncated));
            }
        }
        assert_eq!(read_compact(&mut &[0xfd, 0xfc, 0][..]), Err(Error::NotMinimal(252)));
        assert_eq!(read_compact(&mut &[0xfe, 0xff, 0xff, 0, 0][..]), Err(Error::NotMinimal(0xffff)));
        assert_eq!(read_compact(&mut &[0xff, 1, 0, 0, 0, 0, 0, 0, 0][..]), Err(Error::NotMinimal(1)));
        assert_eq!(read_compact(&mut &[0xff, 0, 0, 0, 0, 1, 0, 0, 0][..]), Ok(1 << 32));
    }
}
