//! Which of two connections between the same two nodes stays.
//!
//! Two nodes that find each other dial each other, often at the same moment. Each then has two connections and must
//! close one, and if they disagree which, none is left. So both compute the same order from what both know.

use crate::address::Identity;
use crate::link::Direction;

/// Orders connections between the same two nodes; the smallest stays. Both ends compute the same order: the connection
/// that the node with the smaller key dialled comes first; of several that the same node dialled, the one with the
/// smaller nonces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precedence {
    dialled_by_greater: bool,
    dialler: u64,
    answerer: u64,
}

impl Precedence {
    /// Of a connection with our nonce and theirs. Before [`between`](Self::between), only the nonces count.
    pub(super) fn new(direction: Direction, ours: u64, theirs: u64) -> Self {
        let (dialler, answerer) = match direction {
            Direction::Outbound => (ours, theirs),
            Direction::Inbound => (theirs, ours),
        };
        Self { dialled_by_greater: false, dialler, answerer }
    }

    /// The same for two nodes whose keys are known, as the carrier proved them.
    #[must_use]
    pub fn between(self, direction: Direction, ours: &Identity, theirs: &Identity) -> Self {
        let dialled_by_greater = match direction {
            Direction::Outbound => ours > theirs,
            Direction::Inbound => theirs > ours,
        };
        Self { dialled_by_greater, ..self }
    }
}
