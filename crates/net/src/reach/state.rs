//! What we know of our own reachability, and what follows from it.

use std::collections::VecDeque;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;

use super::{Action, Fact};
use crate::status;

/// What does not change while we run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Who we are.
    pub(crate) us: PeerId,
    /// Where the user says that we are reached (`Listen::external`).
    pub(crate) external: Vec<Multiaddr>,
    /// Whether the router is asked to forward our port.
    pub(crate) upnp: bool,
    /// Whether we relay for others while we are publicly reachable.
    pub(crate) relay: bool,
}

/// What we know of our own reachability.
#[derive(Debug)]
pub(crate) struct State {
    options: Options,
    actions: VecDeque<Action>,
}

impl State {
    /// A node that listens nowhere and knows nobody.
    pub(crate) fn new(options: Options, now: Time) -> Self {
        let _ = now;
        Self { options, actions: VecDeque::new() }
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, now: Time, fact: Fact) {
        let _ = (now, fact);
    }

    /// What became of [`Action::Reserve`]: the listener that stands for the reservation, or `None` if the transport
    /// refused the address.
    pub(crate) fn reserving(&mut self, now: Time, relay: PeerId, listener: Option<ListenerId>) {
        let _ = (now, relay, listener);
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`deadline`](Self::deadline) is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Time has passed.
    pub(crate) fn deadline(&mut self, now: Time) {
        let _ = now;
    }

    /// How we are reached.
    pub(crate) fn reach(&self) -> status::Reach {
        let _ = &self.options;
        status::Reach::Unknown
    }
}
