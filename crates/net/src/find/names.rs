//! DNS names of the user, resolved at once and again and again, so that a headless service whose pods come and go is
//! followed.

use std::net::IpAddr;

use tokio::sync::mpsc;
use yap_protocol::Address;

use crate::given::Given;

/// Most hosts that are followed.
pub(crate) const MAX_NAMES: usize = 256;

/// What became of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// All addresses that the host has now, instead of those told before; told when they change.
    Resolved {
        /// The number under which it is followed.
        given: usize,
        /// What to dial.
        addresses: Vec<Address>,
    },
    /// It can't be resolved: those told before still count. Told once for each reason; tried again.
    Failed {
        /// The number under which it is followed.
        given: usize,
        /// The name.
        name: String,
        /// What the resolver says.
        why: String,
    },
}

/// Follows names until it is dropped.
#[derive(Debug)]
pub(crate) struct Names {}

impl Names {
    /// Starts the task, within a tokio runtime. What it finds comes out of the receiver; while that is full, it waits.
    pub(crate) fn start() -> (Self, mpsc::Receiver<Found>) {
        todo!()
    }

    /// Follows a host under a number of the caller's, at once: `Given::Host`; others are told as they are, once.
    /// `false` if [`MAX_NAMES`] are followed already. A number that is followed is followed anew.
    #[must_use]
    pub(crate) fn follow(&self, given: usize, peer: &Given) -> bool {
        todo!("{given} {peer:?}")
    }

    /// Follows it no longer. What is under way may still be told.
    pub(crate) fn forget(&self, given: usize) {
        todo!("{given}")
    }

    /// Whether every peer of it is connected: then it is asked for less often. `false` at first.
    pub(crate) fn settled(&self, given: usize, settled: bool) {
        todo!("{given} {settled}")
    }
}
