//! Named timers, each set at most once.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::link::PeerId;
use crate::time::Time;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// See whether places for outbound peers are free.
    Refill,
    /// Test an address.
    Feeler,
    /// Let go of bans that have ended.
    Sweep,
    /// Tell the changes.
    Flush,
    /// A dialled address should have answered.
    Dial(Address),
    /// Dial a peer that the user named.
    Manual(Address),
    /// Send what a peer is to be told of.
    Tell(PeerId),
    /// Tell a peer our own addresses again.
    Advertise(PeerId),
    /// A seed should have answered.
    Seed(PeerId),
}

/// All timers that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<Timer, Time>,
    queue: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Sets a timer, whether it was set or not.
    pub(super) fn set(&mut self, timer: Timer, at: Time) {
        self.clear(&timer);
        self.at.insert(timer.clone(), at);
        self.queue.insert((at, timer));
    }

    /// Sets a timer unless it goes off before.
    pub(super) fn at_latest(&mut self, timer: Timer, at: Time) {
        if self.at.get(&timer).is_none_or(|set| *set > at) {
            self.set(timer, at);
        }
    }

    pub(super) fn clear(&mut self, timer: &Timer) {
        if let Some(at) = self.at.remove(timer) {
            self.queue.remove(&(at, timer.clone()));
        }
    }

    /// Takes out the first timer that is due.
    pub(super) fn due(&mut self, now: Time) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.at.remove(&timer);
        Some(timer)
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(at, _)| *at)
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.at.len(), self.queue.len(), "each timer is set once");
        self.at.len()
    }
}
