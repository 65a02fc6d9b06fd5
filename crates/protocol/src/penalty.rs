//! What a fault costs a peer, and why peers part.
//!
//! Each machine has its own faults, one variant per rule; each says its [`Penalty`]. The machine `peers` applies it.

use std::fmt;

/// What a fault costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Penalty {
    /// Points towards [`SCORE_LIMIT`]; they fade with time. For what an honest peer may do now and then.
    Score(u16),
    /// The connection. For what breaks the protocol, but may be a bug or an old version.
    Disconnect,
    /// The connection, and a ban for a while. For what no honest peer sends.
    Ban,
}

/// Points at which a peer is disconnected and banned for a while.
pub const SCORE_LIMIT: u16 = 100;

/// Why a connection ends; peers that know the extension are told before (`goodbye`, docs/protocol.md). The numbers are
/// the wire's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// The node stops.
    Shutdown = 0,
    /// There is no room for another peer.
    Full = 1,
    /// Another connection leads to the same peer.
    Duplicate = 2,
    /// The connection leads to ourselves.
    Myself = 3,
    /// The peer keeps another chain (its genesis block or magic differs).
    WrongChain = 4,
    /// The peer contradicts a block that is irreversible.
    Forked = 5,
    /// The peer's version or services are of no use.
    Useless = 6,
    /// The handshake did not come to its end in time, or came in the wrong order.
    Handshake = 7,
    /// The peer does not answer, or too slowly.
    TooSlow = 8,
    /// A message could not be read or was too large.
    Malformed = 9,
    /// The peer broke a rule of the protocol.
    Misbehaved = 10,
    /// The peer, or its address, is banned.
    Banned = 11,
    /// The peer sent a block or header that is invalid.
    Invalid = 12,
    /// Everything that the connection was for is done.
    Done = 13,
    /// The place was given to a more useful peer.
    Evicted = 14,
    /// The user asked for it.
    Asked = 15,
    /// A limit of memory or bandwidth was reached.
    Overloaded = 16,
}

impl Reason {
    /// Every reason, at the place that is its number.
    pub const ALL: [Self; 17] = [
        Self::Shutdown,
        Self::Full,
        Self::Duplicate,
        Self::Myself,
        Self::WrongChain,
        Self::Forked,
        Self::Useless,
        Self::Handshake,
        Self::TooSlow,
        Self::Malformed,
        Self::Misbehaved,
        Self::Banned,
        Self::Invalid,
        Self::Done,
        Self::Evicted,
        Self::Asked,
        Self::Overloaded,
    ];

    /// Name of the count of handshakes that did not come to their end for it.
    pub(crate) const fn refusal(self) -> &'static str {
        match self {
            Self::Shutdown => "refused_shutdown",
            Self::Full => "refused_full",
            Self::Duplicate => "refused_duplicate",
            Self::Myself => "refused_myself",
            Self::WrongChain => "refused_wrong_chain",
            Self::Forked => "refused_forked",
            Self::Useless => "refused_useless",
            Self::Handshake => "refused_handshake",
            Self::TooSlow => "refused_too_slow",
            Self::Malformed => "refused_malformed",
            Self::Misbehaved => "refused_misbehaved",
            Self::Banned => "refused_banned",
            Self::Invalid => "refused_invalid",
            Self::Done => "refused_done",
            Self::Evicted => "refused_evicted",
            Self::Asked => "refused_asked",
            Self::Overloaded => "refused_overloaded",
        }
    }

    /// The reason with this number, if we know it.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shutdown => "the node stops",
            Self::Full => "no room for another peer",
            Self::Duplicate => "already connected",
            Self::Myself => "connected to itself",
            Self::WrongChain => "another chain",
            Self::Forked => "contradicts an irreversible block",
            Self::Useless => "lacks what is needed",
            Self::Handshake => "handshake not completed",
            Self::TooSlow => "too slow",
            Self::Malformed => "unreadable message",
            Self::Misbehaved => "broke the protocol",
            Self::Banned => "banned",
            Self::Invalid => "invalid block or header",
            Self::Done => "nothing left to do",
            Self::Evicted => "place given to another peer",
            Self::Asked => "asked to",
            Self::Overloaded => "limit of memory or bandwidth reached",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_number() {
        for number in 0..=u8::MAX {
            let reason = Reason::of(number);
            assert_eq!(reason.map(|reason| reason as u8), (number <= Reason::Overloaded as u8).then_some(number));
        }
    }
}
