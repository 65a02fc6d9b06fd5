//! What the machine is told about peers, and what it answers.

use std::time::Duration;

use crate::address::Address;
use crate::link::{Direction, PeerId, Purpose};
use crate::message::{Features, MAX_ADDRESSES, Message, Services};
use crate::penalty::{Penalty, Reason};
use crate::time::Time;

use super::change::ChangeSet;

/// What the router does next.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[must_use]
pub enum Outcome {
    /// Open a connection.
    Dial {
        /// Where to.
        address: Address,
        /// What for.
        purpose: Purpose,
    },
    /// Send a message.
    Send(PeerId, Message),
    /// Say goodbye with this reason, then close the connection.
    Part(PeerId, Reason),
    /// A peer broke a rule. Comes back by [`State::fault`](super::State::fault), as every machine's faults do.
    Fault(PeerId, Fault),
    /// No peer is connected (R2), or one is again.
    Alone(bool),
    /// Keep these changes across restarts.
    Persist(ChangeSet),
}

/// Whether a new connection goes on to its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It does.
    Welcome {
        /// The connection that it takes the place of; part from that one for this reason.
        instead: Option<(PeerId, Reason)>,
    },
    /// It does not: close it for this reason. Nothing else need be told about it.
    Refuse(Reason),
}

/// What the handshake showed of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it offers.
    pub services: Services,
    /// Whether it wants transactions.
    pub relay: bool,
    /// Whether it takes `addrv2` (BIP-0155).
    pub addrv2: bool,
    /// Extensions that both of us know.
    pub features: Features,
    /// How long the first exchange took.
    pub latency: Duration,
}

/// Work of a peer that helped us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Useful {
    /// It was the first to give a block that is valid.
    Block,
    /// It was the first to give a transaction that was accepted.
    Transaction,
    /// It was the first to give headers of more work.
    Headers,
}

/// What a peer did against the rules of telling addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// BIP-0155: "messages with more than 1,000 addresses are rejected".
    #[error("{0} addresses in one message, of at most {MAX_ADDRESSES}")]
    TooMany(usize),
    /// More than the token bucket holds, and not an answer to a question of ours (P8).
    #[error("{0} addresses that nobody asked for")]
    Unasked(usize),
    /// A record whose signature does not fit.
    #[error("a peer record with a wrong signature")]
    Forged,
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub const fn penalty(self) -> Penalty {
        match self {
            // Addresses are passed on by whoever got them, so a burst may have honest causes. Ten of them don't.
            Self::Unasked(_) => Penalty::Score(10),
            // Whoever passes on a record has checked it, and nobody may send so many.
            Self::TooMany(_) | Self::Forged => Penalty::Ban,
        }
    }
}

/// Why a peer could not be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// It was added before.
    #[error("this peer was added before")]
    Known,
    /// As many as can be kept were added.
    #[error("{0} peers were added, which is as many as there may be")]
    Full(usize),
}

/// One connected peer, for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The connection.
    pub peer: PeerId,
    /// The other end.
    pub address: Address,
    /// Who opened it.
    pub direction: Direction,
    /// Why we did.
    pub purpose: Option<Purpose>,
    /// Whether the handshake is done.
    pub ready: bool,
    /// When it was opened.
    pub since: Time,
    /// Points for faults now, below [`SCORE_LIMIT`](crate::penalty::SCORE_LIMIT).
    pub score: u16,
    /// What it offers.
    pub services: Services,
    /// The lowest latency seen.
    pub latency: Option<Duration>,
    /// Blocks, transactions and batches of headers that it was first to give.
    pub useful: [u32; 3],
    /// When it was last the first to give a block that is valid.
    pub last_block: Option<Time>,
    /// When it was last the first to give a transaction that was accepted.
    pub last_transaction: Option<Time>,
    /// The user named it.
    pub manual: bool,
    /// It is always let in.
    pub unconditional: bool,
}
