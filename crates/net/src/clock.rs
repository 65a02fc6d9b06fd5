//! The two clocks: one that never goes back, and the one on the wall, which people and time servers set.
//!
//! `yap_protocol` reads no clock: this is where its [`Time`] and its [`Timestamp`] come from. Not its job: timers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use yap_protocol::{Time, Timestamp};

/// How far the wall clock may drift from the other one before it counts as set. Time servers that slew move it by less
/// than a second in half an hour (500 parts in a million at most).
pub const DRIFT: Duration = Duration::from_secs(1);

/// The clocks of one node.
#[derive(Clone, Debug)]
pub struct Clock {
    /// What [`Time::ZERO`] is.
    origin: Instant,
    /// Both clocks at one moment.
    mark: Mark,
}

/// What both clocks showed at one moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    steady: Instant,
    /// Since 1970.
    wall: Duration,
}

impl Mark {
    fn now() -> Self {
        // A clock before 1970 was never set: it shows the beginning.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { steady: Instant::now(), wall }
    }

    /// Whether the wall clock went on by another time than the steady clock since `earlier`, by [`DRIFT`] or more.
    fn was_set_since(&self, earlier: &Self) -> bool {
        let due = earlier.wall.saturating_add(self.steady.saturating_duration_since(earlier.steady));
        due.abs_diff(self.wall) >= DRIFT
    }
}

impl Clock {
    /// Starts: now is [`Time::ZERO`].
    #[must_use]
    pub fn start() -> Self {
        let mark = Mark::now();
        Self { origin: mark.steady, mark }
    }

    /// The moment on the steady clock.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::ZERO.after(self.origin.elapsed())
    }

    /// A moment of the steady clock as a timer takes it. A moment that no timer can wait for, such as the last one that
    /// [`Time`] can tell, is a century ahead.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        let wait = time.since(Time::ZERO).min(CENTURY);
        // The steady clock of every system counts far beyond a century.
        self.origin.checked_add(wait).unwrap_or(self.origin)
    }

    /// The wall clock.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        Timestamp(Mark::now().wall.as_secs())
    }

    /// Whether the wall clock was set since the start, or since this was last told: then what it shows now. The machine's
    /// sleep counts, since the steady clock sleeps too on most systems. To be asked every few seconds.
    pub fn wall_changed(&mut self) -> Option<Timestamp> {
        self.change(Mark::now())
    }

    fn change(&mut self, now: Mark) -> Option<Timestamp> {
        now.was_set_since(&self.mark).then(|| {
            self.mark = now;
            Timestamp(now.wall.as_secs())
        })
    }
}

/// Longer than any wait.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests;
