//! Which addresses are worth a try. Numbers are Bitcoin Core's (`addrman.cpp`).

use std::time::Duration;

use crate::peers::change::Known;
use crate::time::{Time, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An address that nobody heard of for so long is not worth keeping.
const HORIZON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often a new address may fail.
const RETRIES: u8 = 3;
/// How often one may fail that was good once, [`LONG`] ago.
const MAX_FAILURES: u8 = 10;
const LONG: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How far ahead of our clock an address may be seen.
const AHEAD: Duration = Duration::from_secs(10 * 60);
/// A tried address that was good since is not replaced, and one that failed since is.
const REPLACEMENT: Duration = Duration::from_secs(4 * 60 * 60);
/// After this, an address that could not be tested gives its place to the newcomer.
const TEST_WINDOW: Duration = Duration::from_secs(40 * 60);
/// Longest rest after failures.
const MAX_REST: Duration = Duration::from_secs(10 * 60);

/// An address, and what the book knows of it.
#[derive(Clone, Debug)]
pub(in crate::peers) struct Entry {
    pub(in crate::peers) address: crate::address::Address,
    pub(in crate::peers) known: Known,
    /// Not dialled before this: failures on end double the wait. Not kept across restarts.
    pub(super) rest: Time,
    /// Failures on end, for the rest alone.
    pub(super) vain: u8,
}

impl Entry {
    /// Whether the address may as well be forgotten.
    pub(in crate::peers) fn is_terrible(&self, wall: Timestamp) -> bool {
        let known = &self.known;
        if known.tried.0 != 0 && wall.since(known.tried) < MINUTE {
            return false;
        }
        known.seen > wall.after(AHEAD)
            || wall.since(known.seen) > HORIZON
            || (known.succeeded.0 == 0 && known.failures >= RETRIES)
            || (wall.since(known.succeeded) > LONG && known.failures >= MAX_FAILURES)
    }

    /// How likely the address is taken when it was drawn, in millionths.
    pub(super) fn chance(&self, wall: Timestamp) -> u64 {
        let known = &self.known;
        let recent = known.tried.0 != 0 && wall.since(known.tried) < AHEAD;
        let start: u64 = if recent { 10_000 } else { 1_000_000 };
        (0..known.failures.min(8)).fold(start, |chance, _| chance.saturating_mul(66) / 100)
    }

    /// Whether the address may be dialled again.
    pub(in crate::peers) fn is_rested(&self, now: Time) -> bool {
        now >= self.rest
    }

    /// Makes the address rest: one second, doubled by each failure on end, at most [`MAX_REST`].
    pub(super) fn tire(&mut self, now: Time, jitter: Duration) {
        let rest = Duration::from_secs(1_u64.checked_shl(u32::from(self.vain)).unwrap_or(u64::MAX)).min(MAX_REST);
        self.rest = now.after(rest.saturating_add(jitter));
        self.vain = self.vain.saturating_add(1).min(10);
    }

    /// Takes over when the address was seen. As Core: hourly for those that are online, else daily. Says whether
    /// anything changed.
    pub(super) fn hear(&mut self, seen: Timestamp, penalty: Duration, wall: Timestamp) -> bool {
        let interval = if wall.since(seen) < DAY { HOUR } else { DAY };
        let seen = Timestamp(seen.0.saturating_sub(penalty.as_secs()));
        let fresher = seen.since(self.known.seen) > interval;
        if fresher {
            self.known.seen = seen;
        }
        fresher
    }
}

/// What becomes of a newcomer whose place among the tried ones is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contest {
    /// The old one is good.
    Keep,
    /// The old one is gone.
    Replace,
    /// The old one is still to be tested.
    Wait,
}

/// Test before evict (Bitcoin Core's answer to eclipse attacks, Heilman et al. 2015, countermeasure 3).
pub(super) fn contest(old: &Known, newcomer: &Known, wall: Timestamp) -> Contest {
    if wall.since(old.succeeded) < REPLACEMENT {
        Contest::Keep
    } else if wall.since(old.tried) < REPLACEMENT {
        // It was dialled and did not answer, unless that was just now.
        if wall.since(old.tried) > MINUTE { Contest::Replace } else { Contest::Wait }
    } else if wall.since(newcomer.succeeded) > TEST_WINDOW {
        Contest::Replace
    } else {
        Contest::Wait
    }
}
