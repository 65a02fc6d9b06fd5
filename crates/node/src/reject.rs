//! Why a block was refused, whichever rule it broke.

use std::borrow::Cow;

use yap_chain::bitcoin::BlockHash;
use yap_chain::block;
use yap_chain::header;

/// The reject reason of a block whose branch leaves an irreversible one.
pub const FORKED: &str = "bad-fork-irreversible";

/// Why a block was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reject {
    /// A header rule.
    #[error(transparent)]
    Header(#[from] header::Error),
    /// A rule about the block, its transactions or the coins they spend.
    #[error(transparent)]
    Block(#[from] block::Error),
    /// The producers' signature (BIP-0325) is missing or malformed.
    #[error(transparent)]
    Unsigned(#[from] block::signet::Error),
    /// The producers' signature (BIP-0325) does not satisfy the challenge.
    #[error("the block is not signed by its chain's producers: {0}")]
    WrongSignature(#[source] yap_script::Failure),
    /// A script is not satisfied.
    #[error(transparent)]
    Script(#[from] yap_script::Failure),
    /// Its branch leaves a block that is irreversible here.
    #[error(
        "the block's branch leaves block {hash} at height {height}, on which more than two thirds of the producers have built"
    )]
    Irreversible {
        /// The newest irreversible block.
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// It was refused before.
    #[error("the block was found invalid before")]
    KnownInvalid,
}

impl Reject {
    /// The reason as Bitcoin Core words it in BIP-0022 replies.
    #[must_use]
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Header(error) => error.reason(),
            Self::Block(error) => error.reason().into(),
            Self::Unsigned(_) | Self::WrongSignature(_) => "bad-signet-blksig".into(),
            Self::Script(failure) => failure.reason.bip22().into(),
            // Bitcoin Core has no such rule; its checkpoints had "bad-fork-prior-to-checkpoint".
            Self::Irreversible { .. } => FORKED.into(),
            Self::KnownInvalid => "duplicate-invalid".into(),
        }
    }
}
