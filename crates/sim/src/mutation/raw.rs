//! Bytes of the finished block.

use bitcoin::Block;
use bitcoin::consensus::encode;

use super::{Expected, Plan};

/// Bytes of a header.
const HEADER: usize = 80;

/// Where the first transaction's flags are, behind the count, its version and the marker (BIP-0144).
const FLAG: usize = HEADER + 1 + 4 + 1;

/// Bytes of a transaction's lock time, its end.
const LOCK_TIME: usize = 4;

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
    /// The count of transactions takes more bytes than it needs.
    CountPadded,
    /// A transaction is flagged to have witnesses, and has none (BIP-0144).
    WitnessSuperfluous,
    /// A transaction has a flag that means nothing.
    FlagUnknown,
    /// No bytes at all.
    Nothing,
    /// Random bytes.
    Noise,
}

impl Raw {
    pub(super) const ALL: [Self; 14] = [
        Self::Bit,
        Self::HeaderBit,
        Self::Byte,
        Self::Truncated,
        Self::Extended,
        Self::ByteRemoved,
        Self::ByteInserted,
        Self::Repeated,
        Self::CountHuge,
        Self::CountPadded,
        Self::WitnessSuperfluous,
        Self::FlagUnknown,
        Self::Nothing,
        Self::Noise,
    ];

    pub(super) fn apply(self, mut plan: Plan<'_>) -> Vec<u8> {
        if self == Self::WitnessSuperfluous {
            plan.commitment = false;
            return superfluous(&plan.seal());
        }
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
            Self::CountPadded => {
                let count = raw[HEADER];
                raw.splice(HEADER..=HEADER, [0xfd, count, 0]);
            }
            Self::FlagUnknown => raw[FLAG] |= 2,
            Self::Nothing | Self::WitnessSuperfluous => raw.clear(),
            Self::Noise => raw.iter_mut().for_each(|byte| *byte = random.next() as u8),
        }
        raw
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::Truncated
            | Self::Extended
            | Self::CountHuge
            | Self::CountPadded
            | Self::WitnessSuperfluous
            | Self::FlagUnknown
            | Self::Nothing => Expected::Unreadable,
            Self::Bit
            | Self::HeaderBit
            | Self::Byte
            | Self::ByteRemoved
            | Self::ByteInserted
            | Self::Repeated
            | Self::Noise => Expected::Open,
        }
    }
}

/// A block of only a coinbase, written with a witness that is empty.
fn superfluous(block: &Block) -> Vec<u8> {
    let mut raw = encode::serialize(block);
    raw.splice(FLAG - 1..FLAG - 1, [0, 1]);
    raw.insert(raw.len() - LOCK_TIME, 0);
    raw
}
