//! Headers: proof of work, retargeting, time, and the tree they form.
//!
//! | module | owns |
//! |---|---|
//! | [`pow`] | what a header's bits mean, and whether its hash meets them |
//! | [`retarget`] | the bits that the next header must have, by each rule a [`Spec`](crate::spec::Spec) can name |
//! | [`asert`] | the arithmetic of aserti3-2d |
//! | [`tree`] | every known header; whether a new one may join |
//!
//! One function per rule, one [`Error`] per rule. Not its job: whether the block behind a header is valid.

pub mod asert;
pub mod pow;
pub mod retarget;
mod rules;
pub mod tree;
mod wide;

use std::borrow::Cow;

use bitcoin::{BlockHash, CompactTarget};

pub use self::rules::{MAX_FUTURE, MAX_TIMEWARP, MEDIAN_SPAN};
pub use self::tree::{Accepted, Candidate, Id, Path, Status, Tree};

/// The rule that a header breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The hash does not meet the header's own target, or that target is not one the chain allows.
    #[error("header {hash} does not meet its target {bits:#x}")]
    HighHash {
        /// The header's hash.
        hash: BlockHash,
        /// Its compact target.
        bits: CompactTarget,
    },
    /// The header before it is not known.
    #[error("header {hash} follows {parent}, which is not known")]
    UnknownParent {
        /// The header's hash.
        hash: BlockHash,
        /// The hash it names as the one before.
        parent: BlockHash,
    },
    /// The block before it is marked as invalid.
    #[error("header {hash} follows {parent}, which is invalid")]
    InvalidParent {
        /// The header's hash.
        hash: BlockHash,
        /// The invalid block's hash.
        parent: BlockHash,
    },
    /// The header is known and marked as invalid.
    #[error("header {hash} is known to be of an invalid block")]
    KnownInvalid {
        /// The header's hash.
        hash: BlockHash,
    },
    /// The target is not the one that the adjustment gives.
    #[error("target is {found:#x} where {expected:#x} is required")]
    WrongBits {
        /// What the rule gives.
        expected: CompactTarget,
        /// What the header has.
        found: CompactTarget,
    },
    /// The time is not after the median of the eleven headers before.
    #[error("time {time} is not after the median time {median} of the headers before")]
    TimeTooOld {
        /// The header's time, in seconds since 1970.
        time: u32,
        /// The median, likewise.
        median: u32,
    },
    /// The time is before the parent's, on a chain whose times go forward.
    #[error("time {time} is before the parent's, {parent}")]
    TimeBeforeParent {
        /// The header's time, in seconds since 1970.
        time: u32,
        /// Its parent's, likewise.
        parent: u32,
    },
    /// BIP-0094: the first block of a period is too long before its parent.
    #[error("time {time} of a period's first header is before {earliest}")]
    Timewarp {
        /// The header's time, in seconds since 1970.
        time: u32,
        /// The earliest allowed, likewise.
        earliest: u32,
    },
    /// The time is too far ahead.
    #[error("time {time} is after {latest}")]
    TimeTooNew {
        /// The header's time, in seconds since 1970.
        time: u32,
        /// The latest allowed now, likewise.
        latest: u32,
    },
    /// The version is one that a soft fork has retired.
    #[error("version {version:#010x} where at least {least} is required")]
    Version {
        /// The header's version.
        version: i32,
        /// The smallest allowed at its height.
        least: i32,
    },
    /// The tree holds as many headers as it may.
    #[error("the tree is full: {limit} headers")]
    Full {
        /// How many that is.
        limit: u32,
    },
}

impl Error {
    /// The reject reason of BIP-0022 that Bitcoin Core gives for the same header.
    #[must_use]
    pub fn reason(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::HighHash { .. } => "high-hash",
            Self::UnknownParent { .. } => "prev-blk-not-found",
            Self::InvalidParent { .. } => "bad-prevblk",
            Self::KnownInvalid { .. } => "duplicate-invalid",
            Self::WrongBits { .. } => "bad-diffbits",
            Self::TimeTooOld { .. } | Self::TimeBeforeParent { .. } => "time-too-old",
            Self::Timewarp { .. } => "time-timewarp-attack",
            Self::TimeTooNew { .. } => "time-too-new",
            Self::Version { version, .. } => return Cow::Owned(format!("bad-version(0x{version:08x})")),
            // Core has no such bound.
            Self::Full { .. } => "too-many-headers",
        })
    }
}
