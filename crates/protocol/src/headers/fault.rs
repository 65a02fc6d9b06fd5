//! What a peer may do wrong with headers.

use bitcoin::BlockHash;
use yap_chain::header;

use crate::message::MAX_HEADERS;
use crate::penalty::Penalty;

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More headers than a message may have.
    #[error("{count} headers, of which {MAX_HEADERS} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Headers that do not follow one another.
    #[error("header {hash} does not follow the one before it in the message")]
    NotContinuous {
        /// The first that does not.
        hash: BlockHash,
    },
    /// A header whose bits can't follow those before, whatever came earlier.
    #[error("header {hash} at height {height} has bits that can't follow its parent's")]
    Transition {
        /// The header.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A header that breaks a rule of the chain.
    #[error("invalid header: {0}")]
    Invalid(#[from] header::Error),
    /// Announcements again and again of headers whose parents the peer does not give when asked.
    #[error("{count} announcements that lead nowhere")]
    Unconnecting {
        /// How many since the last that led somewhere.
        count: u8,
    },
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub const fn penalty(&self) -> Penalty {
        match self {
            Self::TooMany { .. } => Penalty::Disconnect,
            // Each header costs whoever made it its work, and no program makes such ones by mistake.
            Self::NotContinuous { .. } | Self::Transition { .. } | Self::Invalid(_) => Penalty::Ban,
            Self::Unconnecting { .. } => Penalty::Score(20),
        }
    }
}
