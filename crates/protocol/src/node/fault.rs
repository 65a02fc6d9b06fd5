//! What peers do wrong, of whichever machine, and what follows.

use crate::codec;
use crate::io::Event;
use crate::link::PeerId;
use crate::penalty::{Penalty, Reason};
use crate::{blocks, handshake, headers, peers, relay};

use super::{Node, Turn};

/// A rule that a peer broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Of reading messages.
    #[error(transparent)]
    Codec(#[from] codec::Error),
    /// Of the handshake.
    #[error(transparent)]
    Handshake(#[from] handshake::Fault),
    /// Of telling addresses.
    #[error(transparent)]
    Peers(#[from] peers::Fault),
    /// Of headers.
    #[error(transparent)]
    Headers(#[from] headers::Fault),
    /// Of blocks.
    #[error(transparent)]
    Blocks(#[from] blocks::Fault),
    /// Of transactions.
    #[error(transparent)]
    Relay(#[from] relay::Fault),
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub fn penalty(&self) -> Penalty {
        match self {
            Self::Codec(error) => error.penalty(),
            Self::Handshake(fault) => fault.penalty(),
            Self::Peers(fault) => fault.penalty(),
            Self::Headers(fault) => fault.penalty(),
            Self::Blocks(fault) => fault.penalty(),
            Self::Relay(fault) => fault.penalty(),
        }
    }

    /// What the peer is told, if this ends the connection.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Codec(_) => Reason::Malformed,
            Self::Handshake(_) => Reason::Handshake,
            Self::Blocks(fault) => fault.reason(),
            Self::Headers(headers::Fault::Invalid(_)) => Reason::Invalid,
            Self::Headers(_) | Self::Peers(_) | Self::Relay(_) => Reason::Misbehaved,
        }
    }
}

impl Node {
    /// Has `peers` count the fault, and parts if that is what it says.
    pub(super) fn fault(&mut self, peer: PeerId, fault: Fault, turn: &mut Turn<'_>) {
        if !self.sessions.contains_key(&peer) {
            return;
        }
        let (penalty, reason) = (fault.penalty(), fault.reason());
        tracing::debug!(%peer, %fault, ?penalty, "a peer broke a rule");
        self.event(Event::Fault { peer, fault, penalty });
        for outcome in self.peers.fault(peer, penalty, turn.now) {
            // What it did says more than that it misbehaved.
            if matches!(outcome, peers::Outcome::Part(parted, _) if parted == peer) {
                self.part(peer, reason, turn);
            } else {
                self.peers_outcome(outcome, turn);
            }
        }
    }
}
