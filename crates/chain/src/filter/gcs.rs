//! Golomb-coded sets: elements hashed to a range, sorted, and written as differences in a Golomb-Rice code.
//!
//! ```text
//! set        = N as compact size, difference…, zero bits up to a whole byte
//! difference = quotient by 2^P in unary (ones, then a zero), remainder in P bits, the highest first
//! ```
//!
//! An element's hash is SipHash-2-4 under the block's hash, spread over `N · M` values. N counts distinct elements, not
//! distinct hashes.

mod bits;

use bitcoin::BlockHash;
use bitcoin::hashes::{Hash, siphash24};

use crate::integer;

/// Bits of a difference that are written as they are (BIP-0158, basic filter).
pub const P: u32 = 19;

/// One over the rate of false matches per element (BIP-0158, basic filter).
pub const M: u64 = 784_931;

/// The key that hashes elements: the first 16 bytes of the block's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64, u64);

/// Why bytes are not a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The count is not in its shortest form, or missing.
    #[error(transparent)]
    Count(#[from] integer::Error),
    /// The count is larger than BIP-0158 allows (2^32 − 1).
    #[error("{0} elements")]
    TooMany(u64),
    /// The bytes end before the last element does.
    #[error("the bytes end at element {at} of {count}")]
    Truncated {
        /// Elements that were read.
        at: u32,
        /// Elements that there should be.
        count: u32,
    },
    /// Bytes follow the last element.
    #[error("{0} bytes follow the last element")]
    Trailing(usize),
}

impl From<&BlockHash> for Key {
    fn from(block: &BlockHash) -> Self {
        let [first, second, ..] = *block.as_byte_array().as_chunks::<8>().0 else { return Self(0, 0) };
        Self(u64::from_le_bytes(first), u64::from_le_bytes(second))
    }
}

impl Key {
    fn hash(self, element: &[u8]) -> u64 {
        siphash24::Hash::hash_to_u64_with_keys(self.0, self.1, element)
    }
}

/// The set of the given elements; it does not matter whether one is given twice.
#[must_use]
pub fn build<'a>(key: Key, elements: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hashed: Vec<(u64, &[u8])> = elements.into_iter().map(|element| (key.hash(element), element)).collect();
    // The element behind its hash, so that equal elements meet even when others have the same hash: those stay.
    hashed.sort_unstable();
    hashed.dedup();
    let mut out = Vec::with_capacity(capacity(hashed.len()));
    integer::write_compact(hashed.len(), &mut out);
    let range = range(u64::try_from(hashed.len()).unwrap_or(u64::MAX));
    let mut writer = bits::Writer::new(out);
    let mut last = 0_u64;
    for (hash, _) in hashed {
        // Spreading keeps the order, so the values are sorted too.
        let value = spread(hash, range);
        let difference = value.saturating_sub(last);
        writer.unary(difference >> P);
        writer.bits(difference & ((1 << P) - 1), P);
        last = value;
    }
    writer.finish()
}

/// Whether the bytes are one set.
///
/// # Errors
/// If they are not: see the variants of [`Error`].
pub fn check(bytes: &[u8]) -> Result<(), Error> {
    let mut set = Set::new(bytes)?;
    while set.next()?.is_some() {}
    match set.reader.rest() {
        0 => Ok(()),
        trailing => Err(Error::Trailing(trailing)),
    }
}

/// Whether the set has one of the given elements, or one with the same hash.
///
/// # Errors
/// If the bytes end before the answer is known.
pub fn match_any<'a>(key: Key, bytes: &[u8], elements: impl IntoIterator<Item = &'a [u8]>) -> Result<bool, Error> {
    let mut set = Set::new(bytes)?;
    let range = range(set.count.into());
    let mut wanted: Vec<u64> = elements.into_iter().map(|element| spread(key.hash(element), range)).collect();
    wanted.sort_unstable();
    let mut wanted = wanted.into_iter().peekable();
    while let Some(value) = set.next()? {
        while wanted.next_if(|wanted| *wanted < value).is_some() {}
        match wanted.peek() {
            None => return Ok(false),
            Some(wanted) if *wanted == value => return Ok(true),
            Some(_) => {}
        }
    }
    Ok(false)
}

/// The values of a set, in order.
struct Set<'a> {
    reader: bits::Reader<'a>,
    count: u32,
    at: u32,
    last: u64,
}

impl<'a> Set<'a> {
    fn new(mut bytes: &'a [u8]) -> Result<Self, Error> {
        let count = integer::read_compact(&mut bytes)?;
        let count = u32::try_from(count).map_err(|_| Error::TooMany(count))?;
        Ok(Self { reader: bits::Reader::new(bytes), count, at: 0, last: 0 })
    }

    fn next(&mut self) -> Result<Option<u64>, Error> {
        if self.at == self.count {
            return Ok(None);
        }
        let truncated = Error::Truncated { at: self.at, count: self.count };
        let quotient = self.reader.unary().ok_or(truncated)?;
        let remainder = self.reader.bits(P).ok_or(truncated)?;
        // Wraps as in Core; the bytes of one message cannot bring it that far.
        self.last = self.last.wrapping_add(quotient << P | remainder);
        self.at = self.at.saturating_add(1);
        Ok(Some(self.last))
    }
}

/// The values that hashes are spread over.
fn range(count: u64) -> u64 {
    // Fits: BIP-0158 keeps the count below 2^32.
    count.wrapping_mul(M)
}

/// The hash, scaled from 2^64 down to `range` values without a division.
fn spread(hash: u64, range: u64) -> u64 {
    let product = u128::from(hash).wrapping_mul(u128::from(range));
    u64::try_from(product >> 64).expect("64 bits are left of 128")
}

/// Bytes that sets of `count` elements rarely exceed: 22 bits each are usual.
fn capacity(count: usize) -> usize {
    count.saturating_mul(3).saturating_add(9)
}
