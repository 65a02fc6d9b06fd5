//! What is kept of one peer.

use std::cmp::Reverse;

use bitcoin::{BlockHash, Work};
use yap_chain::header::tree;

use super::Claim;
use super::presync::Presync;
use crate::link::{Direction, Link, Purpose};
use crate::time::Time;

/// A peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) inbound: bool,
    /// Whether we dialled it for its blocks and nobody insists on it: it may be left for a better one.
    pub(super) expendable: bool,
    /// What it claimed, until it is known or was asked for.
    claim: Option<Claim>,
    pub(super) turn: Turn,
    /// The deadline of the question that it was asked.
    pub(super) question: Option<Time>,
    /// The newest block that it announced and that we don't know.
    pub(super) wanted: Option<BlockHash>,
    /// What was wanted when it was asked.
    pub(super) asked_for: Option<BlockHash>,
    /// The header of the most work that it has shown.
    pub(super) best: Option<tree::Id>,
    /// Questions that it did not answer, in a row.
    pub(super) stalls: u8,
    /// Announcements that led nowhere, in a row.
    pub(super) unconnecting: u8,
    pub(super) presync: Option<Box<Presync>>,
    /// Decides between equals, so that nobody can choose to be the first.
    lot: u64,
}

/// Whether a peer is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is to be asked.
    New,
    /// It was asked once.
    Asked,
    /// It is asked on and on, until then at least.
    Syncing {
        /// When others that wait may take over.
        until: Time,
    },
    /// It has more than it may send now.
    Waiting,
    /// It has nothing more, as far as we know.
    Idle,
}

/// The order in which peers are asked, the least first: who answered, whom we dialled, who promises most.
pub(super) type Rank = (u8, bool, Reverse<Option<Work>>, u64);

impl Peer {
    pub(super) fn new(link: &Link, claim: Option<Claim>, turn: Turn, lot: u64) -> Self {
        Self {
            inbound: link.direction == Direction::Inbound,
            expendable: matches!(link.purpose, Some(Purpose::Full | Purpose::BlockOnly)),
            claim,
            turn,
            question: None,
            wanted: None,
            asked_for: None,
            best: None,
            stalls: 0,
            unconnecting: 0,
            presync: None,
            lot,
        }
    }

    pub(super) fn is_syncing(&self) -> bool {
        matches!(self.turn, Turn::Syncing { .. })
    }

    /// Whether it is to be asked once there is room.
    pub(super) fn is_next(&self) -> bool {
        self.question.is_none() && matches!(self.turn, Turn::New | Turn::Waiting)
    }

    pub(super) fn rank(&self) -> Rank {
        (self.stalls, self.inbound, Reverse(self.claim.map(|claim| claim.work)), self.lot)
    }

    /// If all that it is to be asked for has become known: that header. It need not be asked any more.
    pub(super) fn settled(&mut self, tree: &tree::Tree) -> Option<tree::Id> {
        let last = self.wanted.or_else(|| self.claim.map(|claim| claim.tip))?;
        let id = tree.get(&last).filter(|id| tree.status(*id) == tree::Status::Valid)?;
        self.learned();
        Some(id)
    }

    /// What it announced is known: it need not be asked.
    pub(super) fn learned(&mut self) {
        if self.is_next() {
            self.turn = Turn::Idle;
        }
        self.wanted = None;
        self.claim = None;
        self.unconnecting = 0;
    }

    /// It was asked to its end: what it claimed is not to be asked for again.
    pub(super) fn answered(&mut self) {
        self.claim = None;
        self.stalls = 0;
    }
}
