//! How often something may happen.
//!
//! A [`Bucket`] is full at first. What happens takes from it, and it fills evenly again. It holds no more than the moment
//! at which it will be full, so that one for each of many peers costs 16 bytes and no timer.

use std::time::Duration;

use tokio::time::Instant;

/// How much at once, and how much in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What a full bucket holds.
    pub(crate) burst: u32,
    /// What flows in each second.
    pub(crate) each_second: u32,
}

impl Rate {
    /// `times` as much.
    pub(crate) const fn times(self, times: u32) -> Self {
        Self { burst: self.burst.saturating_mul(times), each_second: self.each_second.saturating_mul(times) }
    }

    /// How long it takes until so much has flowed in.
    fn time(self, amount: u32) -> Duration {
        let nanos = u64::from(amount).saturating_mul(1_000_000_000);
        Duration::from_nanos(nanos.checked_div(u64::from(self.each_second)).unwrap_or(u64::MAX))
    }
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    full: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn new(now: Instant) -> Self {
        Self { full: now }
    }

    /// How long it takes from `now` until the bucket is full, once `amount` was taken.
    fn debt(&self, rate: Rate, amount: u32, now: Instant) -> Duration {
        self.full.saturating_duration_since(now).saturating_add(rate.time(amount))
    }

    /// Whether `amount` is in it.
    pub(crate) fn holds(&self, rate: Rate, amount: u32, now: Instant) -> bool {
        self.debt(rate, amount, now) <= rate.time(rate.burst)
    }

    /// Takes `amount` if so much is in it; otherwise nothing.
    #[must_use]
    pub(crate) fn take(&mut self, rate: Rate, amount: u32, now: Instant) -> bool {
        let enough = self.holds(rate, amount, now);
        if enough {
            self.charge(rate, amount, now);
        }
        enough
    }

    /// Takes `amount`, or all that is in it.
    pub(crate) fn charge(&mut self, rate: Rate, amount: u32, now: Instant) {
        let debt = self.debt(rate, amount, now).min(rate.time(rate.burst));
        // A moment that the clock can't express is never reached; the bucket stays as it is.
        self.full = now.checked_add(debt).unwrap_or(self.full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 4, each_second: 2 };

    #[test]
    fn a_full_bucket_gives_its_burst_and_no_more() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        assert!((0..4).all(|_| bucket.take(RATE, 1, now)));
        assert!(!bucket.take(RATE, 1, now));
    }

    #[test]
    fn it_fills_evenly_and_never_beyond_its_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        assert!(bucket.take(RATE, 4, now));
        let half = now + Duration::from_millis(500);
        assert!(!bucket.holds(RATE, 1, half - Duration::from_nanos(1)));
        assert!(bucket.take(RATE, 1, half));
        assert!(!bucket.take(RATE, 1, half));
        let much_later = now + Duration::from_secs(1_000);
        assert!(!bucket.holds(RATE, 5, much_later));
        assert!(bucket.take(RATE, 4, much_later));
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        assert!((0..100).all(|_| !bucket.take(RATE, 5, now)));
        assert!(bucket.take(RATE, 4, now));
    }

    #[test]
    fn a_charge_empties_it_at_most() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now);
        bucket.charge(RATE, u32::MAX, now);
        assert!(!bucket.holds(RATE, 1, now));
        assert!(bucket.holds(RATE, 4, now + Duration::from_secs(2)));
    }

    #[test]
    fn nothing_flows_in_at_a_rate_of_zero() {
        let now = Instant::now();
        let none = Rate { burst: 0, each_second: 0 };
        assert!(!Bucket::new(now).holds(Rate { burst: 1, each_second: 1 }, 2, now));
        assert!(Bucket::new(now).holds(none, 0, now));
        assert_eq!(RATE.times(3), Rate { burst: 12, each_second: 6 });
    }
}
