//! Where we stand, as peers are told.

use bitcoin::{BlockHash, Work};

use crate::ledger::Ledger;
use crate::message::Irreversible;
use crate::time::Timestamp;

/// Blocks that we may lack at most, by the clock, for a peer without old blocks to be of use. Half of what such a peer
/// keeps (BIP-0159), as in Bitcoin Core.
pub const LIMITED_DEPTH: u64 = 144;

/// Where we stand. Made anew for each message, since a tip may move within a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Our clock.
    pub wall: Timestamp,
    /// The genesis block of our chain.
    pub genesis: BlockHash,
    /// Our tip.
    pub tip: BlockHash,
    /// Its height.
    pub height: u32,
    /// Its time, in seconds since 1970.
    pub tip_time: u32,
    /// Seconds between blocks.
    pub spacing: u32,
    /// The work of our chain.
    pub work: Work,
    /// Our newest irreversible block.
    pub irreversible: Option<Irreversible>,
}

impl Standing {
    /// Where `ledger` stands.
    #[must_use]
    pub fn of(ledger: &dyn Ledger, irreversible: Option<Irreversible>, wall: Timestamp) -> Self {
        let (tree, tip) = (ledger.tree(), ledger.tip());
        Self {
            wall,
            genesis: tree.hash(tree.genesis()),
            tip: tree.hash(tip),
            height: tree.height(tip),
            tip_time: tree.time(tip),
            spacing: tree.spec().work.spacing,
            work: tree.work(tip),
            irreversible,
        }
    }

    /// Whether, by the clock, few enough blocks are missing that a peer without old blocks is of use.
    #[must_use]
    pub fn is_near_tip(&self) -> bool {
        let behind = self.wall.0.saturating_sub(u64::from(self.tip_time));
        behind < LIMITED_DEPTH.saturating_mul(u64::from(self.spacing))
    }
}
