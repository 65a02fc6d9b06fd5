//! Rules of headers.

use bitcoin::block::Version;
use bitcoin::hashes::Hash as _;
use bitcoin::{Block, BlockHash, CompactTarget};

use super::{Expected, Plan};
use crate::builder::unsolve;
use crate::verdict::Kind;

/// A change to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A parent that nobody knows.
    UnknownParent,
    /// The target is another than the rule gives, and met.
    OtherBits,
    /// The target is above the chain's limit.
    BitsAboveLimit,
    /// The target is negative.
    BitsNegative,
    /// The target is zero.
    BitsZero,
    /// The target takes more than 256 bits.
    BitsOverflow,
    /// The hash misses the target.
    HighHash,
    /// The time is the median of the eleven before.
    TimeAtMedian,
    /// The time is the earliest allowed: valid.
    TimeAfterMedian,
    /// The time is decades ahead.
    TimeFarAhead,
    /// Version 1, or another number that fails BIP-0034, BIP-0066 or BIP-0065.
    Version(i32),
    /// Version 4: valid.
    VersionFour,
}

impl Header {
    pub(super) const ALL: [Self; 16] = [
        Self::UnknownParent,
        Self::OtherBits,
        Self::BitsAboveLimit,
        Self::BitsNegative,
        Self::BitsZero,
        Self::BitsOverflow,
        Self::HighHash,
        Self::TimeAtMedian,
        Self::TimeAfterMedian,
        Self::TimeFarAhead,
        Self::Version(3),
        Self::Version(2),
        Self::Version(1),
        Self::Version(0),
        Self::Version(-1),
        Self::VersionFour,
    ];

    pub(super) fn apply(self, plan: Plan<'_>) -> Block {
        let mut plan = plan.filled();
        let median = plan.builder.median_time();
        let unmet = |bits| (CompactTarget::from_consensus(bits), false);
        let (bits, solved) = match self {
            Self::OtherBits => (CompactTarget::from_consensus(0x207f_fffe), true),
            Self::BitsAboveLimit => unmet(0x2100_ffff),
            Self::BitsNegative => unmet(0x2080_ffff),
            Self::BitsZero => unmet(0),
            Self::BitsOverflow => unmet(0xff7f_ffff),
            _ => (plan.header.bits, true),
        };
        match self {
            Self::UnknownParent => {
                plan.header.prev_blockhash = BlockHash::from_byte_array(plan.builder.random().bytes());
            }
            Self::TimeAtMedian => plan.header.time = median,
            Self::TimeAfterMedian => plan.header.time = median + 1,
            Self::TimeFarAhead => plan.header.time = u32::MAX - plan.builder.random().small(1000),
            Self::Version(version) => plan.header.version = Version::from_consensus(version),
            Self::VersionFour => plan.header.version = Version::from_consensus(4),
            Self::OtherBits
            | Self::BitsAboveLimit
            | Self::BitsNegative
            | Self::BitsZero
            | Self::BitsOverflow
            | Self::HighHash => {}
        }
        if solved {
            plan.header.bits = bits;
        }
        let mut block = plan.seal();
        if !solved {
            block.header.bits = bits; // No hash meets it, so there is nothing to solve.
        }
        if self == Self::HighHash {
            unsolve(&mut block.header);
        }
        block
    }

    pub(super) fn expected(self) -> Expected {
        match self {
            Self::UnknownParent => Expected::Invalid(Kind::MissingParent, "prev-blk-not-found".to_owned()),
            Self::OtherBits => Expected::header("bad-diffbits"),
            Self::BitsAboveLimit | Self::BitsNegative | Self::BitsZero | Self::BitsOverflow | Self::HighHash => {
                Expected::header("high-hash")
            }
            Self::TimeAtMedian => Expected::header("time-too-old"),
            Self::TimeFarAhead => Expected::Invalid(Kind::Future, "time-too-new".to_owned()),
            Self::Version(version) => Expected::header(&format!("bad-version(0x{version:08x})")),
            Self::TimeAfterMedian | Self::VersionFour => Expected::Valid,
        }
    }
}
