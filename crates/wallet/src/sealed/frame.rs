//! Where header and records begin and end.
//!
//! Each length has a check beside it: a damaged length in the middle must not pass for a record that was not finished,
//! which would drop all that follow.

use bitcoin::hashes::{Hash, HashEngine, sha256};

use super::{Header, MAGIC, MAX_HEADER, MAX_RECORD, NAME, OpenError};

/// Bytes of a length and its check.
const PREFIX: usize = 8;

/// Magic and header.
pub(super) fn head(header: &Header) -> Vec<u8> {
    let json = serde_json::to_vec(header).expect("a header has no map with other keys than text");
    let length = u32::try_from(json.len()).expect("a header is short");
    [MAGIC, &length.to_le_bytes(), &json, &check(&[&json])].concat()
}

/// Reads the header; also gives what follows.
pub(super) fn header(file: &[u8]) -> Result<(Header, &[u8]), OpenError> {
    let rest = file.strip_prefix(MAGIC).ok_or_else(|| match file.strip_prefix(NAME) {
        Some(version) => {
            let line = version.iter().take(16).take_while(|byte| **byte != b'\n');
            OpenError::Version(line.map(|byte| char::from(*byte)).collect())
        }
        None => OpenError::NotAWallet,
    })?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Header)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| OpenError::Header)?;
    if length > MAX_HEADER {
        return Err(OpenError::Header);
    }
    let (json, rest) = rest.split_at_checked(length).ok_or(OpenError::Header)?;
    let (found, rest) = rest.split_first_chunk::<4>().ok_or(OpenError::Header)?;
    if *found != check(&[json]) {
        return Err(OpenError::Header);
    }
    Ok((serde_json::from_slice(json).map_err(|_| OpenError::Header)?, rest))
}

/// Length, check and sealed bytes of a record.
pub(super) fn record(epoch: &[u8], index: u64, sealed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(sealed.len()).expect("records are cut far below 4 GiB").to_le_bytes();
    [length.as_slice(), &check(&[epoch, &index.to_le_bytes(), &length]), sealed].concat()
}

/// The sealed bytes of a record, and what follows them.
type Parted<'a> = (&'a [u8], &'a [u8]);

/// The sealed bytes of the record at the front, and what follows; `None` if it was not finished.
pub(super) fn next<'a>(epoch: &[u8], index: u64, bytes: &'a [u8]) -> Result<Option<Parted<'a>>, OpenError> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let (length, found) = prefix.split_at(4);
    if found != check(&[epoch, &index.to_le_bytes(), length]) {
        // A file that was made longer before its bytes came has zeros there. No sealed bytes are zeros alone.
        return if rest.iter().all(|byte| *byte == 0) { Ok(None) } else { Err(OpenError::Damaged { record: index }) };
    }
    let length =
        length.iter().rev().fold(0usize, |sum, byte| sum.saturating_mul(256).saturating_add(usize::from(*byte)));
    if length > MAX_RECORD {
        return Err(OpenError::TooLong { record: index, length });
    }
    Ok(rest.split_at_checked(length))
}

/// Four bytes that tell damage, not malice: the seals are there for that.
fn check(parts: &[&[u8]]) -> [u8; 4] {
    let mut engine = sha256::Hash::engine();
    for part in parts {
        engine.input(part);
    }
    let [a, b, c, d, ..] = sha256::Hash::from_engine(engine).to_byte_array();
    [a, b, c, d]
}
