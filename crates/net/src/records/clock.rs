//! The monotonic clock, on which Kademlia's expiries are, and the wall clock, which outlives the process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read at one moment. Steps of the wall clock afterwards are not followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    instant: Instant,
    /// Since 1970.
    wall: Duration,
}

impl Clock {
    /// Now.
    pub(crate) fn new() -> Self {
        // A clock before 1970 counts as 1970.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), wall }
    }

    /// The same moment of the monotonic clock, but at another time of the wall clock.
    #[cfg(test)]
    pub(super) fn later(self, by: Duration) -> Self {
        Self { wall: self.wall.saturating_add(by), ..self }
    }

    /// What the wall clock shows at an instant.
    pub(crate) fn wall(&self, instant: Instant) -> Duration {
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.wall.saturating_add(after),
            None => self.wall.saturating_sub(self.instant.saturating_duration_since(instant)),
        }
    }

    /// The instant at which the wall clock shows `seconds`; `None` if it can't be said, as for never.
    pub(crate) fn instant(&self, seconds: u64) -> Option<Instant> {
        let wall = Duration::from_secs(seconds);
        match wall.checked_sub(self.wall) {
            Some(after) => self.instant.checked_add(after),
            // As old as the monotonic clock can say.
            None => self.instant.checked_sub(self.wall.saturating_sub(wall)).or(Some(self.instant)),
        }
    }

    /// Milliseconds of the wall clock at an instant.
    pub(crate) fn millis(&self, instant: Instant) -> u64 {
        u64::try_from(self.wall(instant).as_millis()).unwrap_or(u64::MAX)
    }

    /// Seconds of the wall clock at an instant.
    pub(crate) fn seconds(&self, instant: Instant) -> u64 {
        self.wall(instant).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_and_its_wall_clock_lead_to_one_another() {
        let clock = Clock::new();
        let later = clock.instant + Duration::from_secs(1_000);
        let back = clock.instant(clock.seconds(later)).unwrap();
        assert!(later.duration_since(back) < Duration::from_secs(1));
        assert_eq!(clock.wall(later), clock.wall + Duration::from_secs(1_000));
    }

    #[test]
    fn never_has_no_instant() {
        assert_eq!(Clock::new().instant(u64::MAX), None);
    }

    #[test]
    fn a_time_before_the_monotonic_clock_began_is_in_the_past() {
        let clock = Clock::new();
        assert!(clock.instant(0).unwrap() <= clock.instant);
    }
}
