//! Transactions of our own that nobody took yet.

use std::collections::BTreeMap;
use std::time::Duration;

use bitcoin::Txid;

use crate::random::Random;
use crate::time::Time;

use super::id::Id;

/// Most of our own transactions that are told again. Of more, some are told once.
pub const MAX_OWN: usize = 1_000;

/// After this long, and up to [`TELL_SPREAD`] more, they are told again (Bitcoin Core's numbers).
pub const TELL_AGAIN: Duration = Duration::from_secs(10 * 60);

/// See [`TELL_AGAIN`].
pub const TELL_SPREAD: Duration = Duration::from_secs(5 * 60);

/// Those that no peer was given, asked for or showed yet.
#[derive(Debug, Default)]
pub(super) struct Own {
    waiting: BTreeMap<Id, Txid>,
    at: Option<Time>,
}

impl Own {
    /// One more.
    pub(super) fn insert(&mut self, id: Id, txid: Txid) {
        self.waiting.insert(id, txid);
        if self.waiting.len() > MAX_OWN {
            self.waiting.pop_first();
        }
    }

    /// Whether it is ours, and nobody took it yet.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.waiting.contains_key(&id)
    }

    /// A peer was given it, asked for it or has it, or it is confirmed or refused.
    pub(super) fn seen(&mut self, id: Id) {
        self.waiting.remove(&id);
    }

    /// Those to be told again, if it is time.
    pub(super) fn due(&mut self, now: Time, random: &mut Random) -> Vec<Id> {
        if self.next().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.wind(now, random);
        self.ids()
    }

    /// All of them.
    pub(super) fn ids(&self) -> Vec<Id> {
        self.waiting.keys().copied().collect()
    }

    /// The same, as others know them.
    pub(super) fn txids(&self) -> impl Iterator<Item = Txid> {
        self.waiting.values().copied()
    }

    /// Sets the next time.
    pub(super) fn wind(&mut self, now: Time, random: &mut Random) {
        self.at = Some(now.after(TELL_AGAIN).after(random.up_to(TELL_SPREAD)));
    }

    /// When [`due`](Self::due) is wanted.
    pub(super) fn next(&self) -> Option<Time> {
        self.at.filter(|_| !self.waiting.is_empty())
    }

    /// Panics if a bound is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.waiting.len() <= MAX_OWN, "too many of our own wait");
    }
}
