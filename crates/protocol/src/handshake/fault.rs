//! What a peer may do wrong in a handshake.

use crate::penalty::Penalty;

/// A rule that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A second `version`.
    #[error("a second version message")]
    RepeatedVersion,
    /// A second `yapgreeting`.
    #[error("a second greeting")]
    RepeatedGreeting,
    /// A message that must come before `verack` came after it (BIP-0155, BIP-0339).
    #[error("{message} after verack")]
    Late {
        /// The message's name.
        message: &'static str,
    },
}

impl Fault {
    /// What it costs. None of them does harm, so none costs a ban at once.
    #[must_use]
    pub const fn penalty(&self) -> Penalty {
        match self {
            Self::RepeatedVersion | Self::RepeatedGreeting => Penalty::Score(20),
            Self::Late { .. } => Penalty::Disconnect,
        }
    }
}
