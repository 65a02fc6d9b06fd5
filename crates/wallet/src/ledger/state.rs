//! How a transaction of the wallet stands.

use bitcoin::{BlockHash, Txid};
use serde::{Deserialize, Serialize};

/// The block that has a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InBlock {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
    /// The time in its header: seconds since 1970.
    pub time: u32,
    /// Place of the transaction in it, from 0.
    pub index: u32,
}

/// How a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In a block of the best chain.
    Confirmed(InBlock),
    /// In the node's mempool.
    Pending,
    /// Neither, and nothing is against it.
    Waiting,
    /// A block of the best chain, at `height`, has another transaction that spends what this one spends.
    Conflicted { height: u32, by: Txid },
    /// Given up.
    Abandoned,
}

/// What the wallet's file keeps of a state: nothing of the mempool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    #[default]
    Waiting,
    Confirmed(InBlock),
    Conflicted {
        height: u32,
        by: Txid,
    },
    Abandoned,
}

impl State {
    /// Whether its inputs are spent and its outputs are there.
    pub(crate) fn is_active(self) -> bool {
        matches!(self, Self::Confirmed(_) | Self::Pending | Self::Waiting)
    }

    /// The block that has it.
    pub(crate) fn block(self) -> Option<InBlock> {
        if let Self::Confirmed(block) = self { Some(block) } else { None }
    }

    /// Height of the block by which it stands as it does.
    pub(crate) fn height(self) -> Option<u32> {
        match self {
            Self::Confirmed(block) => Some(block.height),
            Self::Conflicted { height, .. } => Some(height),
            Self::Pending | Self::Waiting | Self::Abandoned => None,
        }
    }

    pub(crate) fn kept(self) -> Kept {
        match self {
            Self::Confirmed(block) => Kept::Confirmed(block),
            Self::Pending | Self::Waiting => Kept::Waiting,
            Self::Conflicted { height, by } => Kept::Conflicted { height, by },
            Self::Abandoned => Kept::Abandoned,
        }
    }
}

impl From<Kept> for State {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Waiting => Self::Waiting,
            Kept::Confirmed(block) => Self::Confirmed(block),
            Kept::Conflicted { height, by } => Self::Conflicted { height, by },
            Kept::Abandoned => Self::Abandoned,
        }
    }
}
