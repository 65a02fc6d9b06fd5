//! Bytes of the finished block.

use bitcoin::consensus::encode;

use super::Plan;

/// Bytes of a header.
const HEADER: usize = 80;

/// A change to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// One bit behind the header is flipped.
    Bit,
    /// One bit of the header is flipped.
    HeaderBit,
    /// One byte is another.
    Byte,
    /// The end is missing.
    Truncated,
    /// Bytes follow the end.
    Extended,
    /// A byte is missing.
    ByteRemoved,
    /// A byte too many.
    ByteInserted,
    /// A run of bytes repeats.
    Repeated,
    /// The count of transactions is huge.
    CountHuge,
    /// No bytes at all.
    Nothing,
    /// Random bytes.
    Noise,
}

impl Raw {
    pub(super) const ALL: [Self; 11] = [
        Self::Bit,
        Self::HeaderBit,
        Self::Byte,
        Self::Truncated,
        Self::Extended,
        Self::ByteRemoved,
        Self::ByteInserted,
        Self::Repeated,
        Self::CountHuge,
        Self::Nothing,
        Self::Noise,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Vec<u8> {
        let _ = plan.pay_something();
        let mut random = plan.builder.random().fork("raw");
        let mut raw = encode::serialize(&plan.filled().seal());
        let anywhere = random.index(raw.len());
        let body = HEADER + random.index(raw.len() - HEADER);
        match self {
            Self::Bit => raw[body] ^= 1 << random.below(8),
            Self::HeaderBit => raw[random.index(HEADER)] ^= 1 << random.below(8),
            Self::Byte => raw[body] = random.next() as u8,
            Self::Truncated => raw.truncate(anywhere),
            Self::Extended => raw.extend_from_slice(&random.bytes::<5>()[..1 + random.index(5)]),
            Self::ByteRemoved => drop(raw.remove(body)),
            Self::ByteInserted => raw.insert(body, random.next() as u8),
            Self::Repeated => raw.extend_from_within(body..),
            Self::CountHuge => drop(raw.splice(HEADER..=HEADER, [0xff; 9])),
            Self::Nothing => raw.clear(),
            Self::Noise => raw.iter_mut().for_each(|byte| *byte = random.next() as u8),
        }
        raw
    }
}
