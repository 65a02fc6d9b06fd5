//! What relay wants done, and which rules peers can break.

use std::sync::Arc;

use bitcoin::Txid;
use yap_chain::transaction::Transaction;

use crate::link::PeerId;
use crate::message::Message;
use crate::penalty::Penalty;

#[cfg(doc)]
use super::State;

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// Send this.
    Send(PeerId, Message),
    /// Judge this; ends in [`State::judged`], once for each of the two.
    Judge {
        /// The transaction.
        transaction: Arc<Transaction>,
        /// Its parent that pays too little alone.
        parent: Option<Arc<Transaction>>,
    },
    /// The peer broke a rule.
    Fault(PeerId, Fault),
    /// The peer was first to give a transaction that was accepted.
    Useful(PeerId),
    /// Not pending, but a block may have it: compact blocks keep a few of these.
    Extra(Arc<Transaction>),
    /// A transaction is on its way to peers that lacked it.
    Relayed(Txid),
}

/// A rule that a peer broke.
///
/// An invalid transaction is none, as in Bitcoin Core since version 30: who sends it gains nothing, and peers that miss
/// a soft fork are not cut off. What a peer may have judged at once is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A transaction, or its announcement, on a link that was told to be without (BIP-0037, BIP-0060).
    #[error("transaction on a link for blocks alone")]
    Unwanted,
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub const fn penalty(&self) -> Penalty {
        match self {
            // As Bitcoin Core does.
            Self::Unwanted => Penalty::Disconnect,
        }
    }
}
