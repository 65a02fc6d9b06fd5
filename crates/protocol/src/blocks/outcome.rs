//! What the machine is told of a peer, and what it wants done.

use std::sync::Arc;

use bitcoin::BlockHash;
use yap_chain::block::Block;

use crate::io::Ticket;
use crate::ledger::Ledger;
use crate::link::{Carrier, Direction, PeerId};
use crate::message::Message;
use crate::penalty::{Penalty, Reason};
use crate::time::Time;

/// Which blocks a peer serves, by the services of its `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serves {
    /// Every block (`NODE_NETWORK`).
    All,
    /// The newest 288 (`NODE_NETWORK_LIMITED`, BIP-0159).
    Recent,
    /// None, as light clients.
    Nothing,
}

/// What is known of a peer after its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who opened the connection.
    pub direction: Direction,
    /// What carries it.
    pub carrier: Carrier,
    /// What it serves. Without `NODE_WITNESS` (BIP-0144), [`Serves::Nothing`]: blocks without witnesses are of no use.
    pub serves: Serves,
}

/// What the router must do.
#[derive(Clone, Debug)]
#[must_use]
pub enum Outcome {
    /// Send a message.
    Send(PeerId, Message),
    /// Have the block processed; [`State::processed`](super::State::processed) takes what became of it.
    Process(Arc<Block>),
    /// Read a block; [`State::block_read`](super::State::block_read) takes it.
    Read {
        /// The work's name, for [`block_read`](super::State::block_read) alone.
        ticket: Ticket,
        /// The block.
        hash: BlockHash,
    },
    /// A peer broke a rule.
    Fault(PeerId, Fault),
    /// The peer was the first to give a block that is valid.
    Useful(PeerId),
    /// The tip is so many blocks below the best header that a peer has; transactions wait until this is over.
    Behind(u32),
    /// The tip is where the peers' is, and they have been told so (E6).
    CaughtUp,
    /// A new block is on its way to peers that lack it. Once per block.
    Relayed(BlockHash),
}

/// A rule of blocks that a peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It owes blocks and has sent none for too long.
    #[error("owes {owed} blocks and sends none")]
    Stalled {
        /// How many.
        owed: usize,
    },
    /// It sent a block that was not asked for, and whose header is not known.
    #[error("sent block {hash} that nobody asked for")]
    Unrequested {
        /// The block.
        hash: BlockHash,
    },
    /// It sent a block that was not asked for and is of no use.
    #[error("sent block {hash} that was not asked for and is not needed")]
    Useless {
        /// The block.
        hash: BlockHash,
    },
    /// It sent a block whose transactions or witnesses are not those that its header commits to.
    #[error("sent block {hash} with other contents than its header's")]
    Mutated {
        /// The block.
        hash: BlockHash,
    },
    /// It sent a whole block that breaks a rule of the ledger.
    #[error("sent invalid block {hash}: {reason}")]
    Invalid {
        /// The block.
        hash: BlockHash,
        /// Bitcoin Core's name of the rule.
        reason: &'static str,
    },
    /// A compact block's places don't grow, don't fit, or are none or too many (BIP-0152).
    #[error("compact block {hash} is not well-formed")]
    CompactBlock {
        /// The block.
        hash: BlockHash,
    },
    /// A `blocktxn` has another number of transactions than were asked for.
    #[error("{sent} transactions of block {hash} where {asked} were asked for")]
    BlockTransactions {
        /// The block.
        hash: BlockHash,
        /// How many were asked for.
        asked: usize,
        /// How many came.
        sent: usize,
    },
    /// A `getblocktxn` asks for a place beyond the block's end.
    #[error("asks for transaction {index} of block {hash}, which has {length}")]
    GetBlockTransactions {
        /// The block.
        hash: BlockHash,
        /// The place.
        index: u16,
        /// How many transactions it has.
        length: usize,
    },
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub fn penalty(&self) -> Penalty {
        match self {
            // A slow line is no crime; and some old programs push the blocks that they mine.
            Self::Stalled { .. } | Self::Unrequested { .. } => Penalty::Disconnect,
            Self::Useless { .. } => Penalty::Score(10),
            Self::Mutated { .. }
            | Self::Invalid { .. }
            | Self::CompactBlock { .. }
            | Self::BlockTransactions { .. }
            | Self::GetBlockTransactions { .. } => Penalty::Ban,
        }
    }

    /// The reason for parting, if it comes to that.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Stalled { .. } => Reason::TooSlow,
            Self::Mutated { .. } | Self::Invalid { .. } => Reason::Invalid,
            Self::Unrequested { .. }
            | Self::Useless { .. }
            | Self::CompactBlock { .. }
            | Self::BlockTransactions { .. }
            | Self::GetBlockTransactions { .. } => Reason::Misbehaved,
        }
    }
}

/// What every step of the machine is given, and where it says what it wants done.
pub(super) struct Turn<'a> {
    pub(super) now: Time,
    pub(super) ledger: &'a dyn Ledger,
    pub(super) out: Vec<Outcome>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(now: Time, ledger: &'a dyn Ledger) -> Self {
        Self { now, ledger, out: Vec::new() }
    }

    pub(super) fn finish(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.out)
    }
}
