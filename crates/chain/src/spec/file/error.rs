//! What is wrong with a spec's text, where, and what is allowed there.

use bitcoin::CompactTarget;

use super::MAX_SIZE;

/// What is wrong with a spec's text. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More text than any spec needs.
    #[error("{size} bytes; allowed: at most {MAX_SIZE}")]
    TooLong {
        /// Bytes of the text.
        size: usize,
    },
    /// The text is not TOML.
    #[error("line {line}: {}", .cause.message())]
    Syntax {
        /// Where.
        line: usize,
        /// What the parser says.
        cause: Box<toml::de::Error>,
    },
    /// A field that must be there is not.
    #[error("line {line}: {field} is missing")]
    Missing {
        /// Where its table starts.
        line: usize,
        /// Its name with those of its tables.
        field: String,
    },
    /// A field that means nothing.
    #[error("line {line}: {field} is not a field; allowed: {allowed}")]
    Unknown {
        /// Where.
        line: usize,
        /// Its name with those of its tables.
        field: String,
        /// The fields of that table.
        allowed: String,
    },
    /// A field that belongs to another retarget rule.
    #[error("line {line}: {field} means nothing when work.retarget is \"{retarget}\"")]
    Misplaced {
        /// Where.
        line: usize,
        /// Its name with those of its tables.
        field: String,
        /// The rule chosen.
        retarget: String,
    },
    /// A value that the field can't have.
    #[error("line {line}: {field}: {found} is not allowed; allowed: {allowed}")]
    NotAllowed {
        /// Where.
        line: usize,
        /// The field's name with those of its tables.
        field: String,
        /// The value as written, its middle left out if it is long.
        found: String,
        /// What it may be.
        allowed: String,
    },
    /// The genesis block's hash does not meet its own target.
    #[error(
        "line {line}: genesis.nonce: with {nonce} the block's hash does not meet genesis.bits {bits:x}; allowed: a nonce with which it does"
    )]
    GenesisWork {
        /// Where the nonce is, or its table if there is none.
        line: usize,
        /// The nonce.
        nonce: u32,
        /// The target.
        bits: CompactTarget,
    },
}

impl Error {
    /// The line at which to look; none if the text as a whole is wrong.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::TooLong { .. } => None,
            Self::Syntax { line, .. }
            | Self::Missing { line, .. }
            | Self::Unknown { line, .. }
            | Self::Misplaced { line, .. }
            | Self::NotAllowed { line, .. }
            | Self::GenesisWork { line, .. } => Some(*line),
        }
    }
}
