//! When a peer's turn comes, by name: at most one time for each peer and name.

use std::collections::{BTreeMap, BTreeSet};

use crate::link::PeerId;
use crate::time::Time;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Gathered announcements are sent.
    Batch,
    /// What is owed is sent on.
    Owed,
    /// The next part of the mempool is announced.
    Sync,
    /// `feefilter` is looked at.
    Fee,
}

/// All times of all peers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    times: BTreeMap<(PeerId, Timer), Time>,
    queue: BTreeSet<(Time, PeerId, Timer)>,
}

impl Timers {
    /// Sets a time, in place of the one before.
    pub(super) fn set(&mut self, peer: PeerId, timer: Timer, at: Time) {
        if let Some(before) = self.times.insert((peer, timer), at) {
            self.queue.remove(&(before, peer, timer));
        }
        self.queue.insert((at, peer, timer));
    }

    /// Sets a time unless there is one.
    pub(super) fn start(&mut self, peer: PeerId, timer: Timer, at: Time) {
        if !self.times.contains_key(&(peer, timer)) {
            self.set(peer, timer, at);
        }
    }

    /// Takes a time back.
    pub(super) fn stop(&mut self, peer: PeerId, timer: Timer) {
        if let Some(at) = self.times.remove(&(peer, timer)) {
            self.queue.remove(&(at, peer, timer));
        }
    }

    /// Forgets a peer.
    pub(super) fn leave(&mut self, peer: PeerId) {
        for timer in [Timer::Batch, Timer::Owed, Timer::Sync, Timer::Fee] {
            self.stop(peer, timer);
        }
    }

    /// When something is set for.
    pub(super) fn at(&self, peer: PeerId, timer: Timer) -> Option<Time> {
        self.times.get(&(peer, timer)).copied()
    }

    /// Takes out what is due first.
    pub(super) fn due(&mut self, now: Time) -> Option<(PeerId, Timer)> {
        let (_, peer, timer) = self.queue.first().copied().filter(|(at, ..)| *at <= now)?;
        self.stop(peer, timer);
        Some((peer, timer))
    }

    /// The earliest time.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, ..)| *at)
    }

    /// Panics if both sides of the book differ.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert_eq!(self.times.len(), self.queue.len(), "each time is queued once");
        assert!(self.times.iter().all(|((peer, timer), at)| self.queue.contains(&(*at, *peer, *timer))));
    }
}
