//! Points for faults, which fade (T3).
//!
//! A score halves every [`HALF_LIFE`], so a peer that errs now and then stays and one that does it all day goes. Scores
//! outlive connections, or whoever nears the limit would just come again: [`Grudges`] remembers up to [`MAX_GRUDGES`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::penalty::SCORE_LIMIT;
use crate::time::Time;

use super::ban::Target;

/// The time in which a score halves: ten faults of ten points within it are too many, one per ten minutes is not.
pub const HALF_LIFE: Duration = Duration::from_secs(30 * 60);

/// Most scores that are remembered of peers that are gone. The lowest give way.
pub(super) const MAX_GRUDGES: usize = 256;

/// Thousandths of a point.
const MILLI: u64 = 1000;

/// Points at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    milli: u64,
    at: Time,
}

impl Score {
    /// Thousandths of points left at `now`. Within a half-life it fades in a straight line.
    fn left(self, now: Time) -> u64 {
        let half = HALF_LIFE.as_micros();
        let passed = now.since(self.at).as_micros();
        let halves = passed.checked_div(half).unwrap_or(0);
        let part = passed.checked_rem(half).unwrap_or(0);
        let Some(milli) = u32::try_from(halves).ok().and_then(|halves| self.milli.checked_shr(halves)) else {
            return 0;
        };
        let lost = u128::from(milli).saturating_mul(part).checked_div(half.saturating_mul(2)).unwrap_or(0);
        milli.saturating_sub(u64::try_from(lost).unwrap_or(u64::MAX))
    }

    /// Points at `now`.
    pub(super) fn points(self, now: Time) -> u16 {
        u16::try_from(self.left(now) / MILLI).unwrap_or(u16::MAX)
    }

    /// Adds points. Says whether the limit is reached.
    pub(super) fn add(&mut self, points: u16, now: Time) -> bool {
        self.milli = self.left(now).saturating_add(u64::from(points).saturating_mul(MILLI));
        self.at = now;
        self.points(now) >= SCORE_LIMIT
    }
}

/// Scores of peers that are gone.
#[derive(Clone, Debug, Default)]
pub(super) struct Grudges {
    scores: BTreeMap<Target, Score>,
}

impl Grudges {
    /// Remembers a score of at least a point.
    pub(super) fn keep(&mut self, targets: Vec<Target>, score: Score, now: Time) {
        if score.points(now) == 0 {
            return;
        }
        self.scores.extend(targets.into_iter().map(|target| (target, score)));
        if self.scores.len() <= MAX_GRUDGES {
            return;
        }
        self.scores.retain(|_, score| score.points(now) > 0);
        let mut lowest: BTreeSet<_> =
            self.scores.iter().map(|(target, score)| (score.left(now), target.clone())).collect();
        while self.scores.len() > MAX_GRUDGES {
            let Some((_, target)) = lowest.pop_first() else { return };
            self.scores.remove(&target);
        }
    }

    /// Takes out what is remembered of whoever is one of `targets`.
    pub(super) fn take(&mut self, targets: &[Target], now: Time) -> Score {
        let found = targets.iter().filter_map(|target| self.scores.remove(target));
        found.max_by_key(|score| score.left(now)).unwrap_or_default()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.scores.len() <= MAX_GRUDGES, "{} grudges", self.scores.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Identity;

    fn minutes(count: u64) -> Time {
        Time::from_secs(count * 60)
    }

    #[test]
    fn a_score_halves_and_is_forgotten() {
        let mut score = Score::default();
        assert!(!score.add(SCORE_LIMIT - 1, Time::ZERO));
        assert_eq!(score.points(minutes(30)), 49);
        assert_eq!(score.points(minutes(60)), 24);
        assert_eq!(score.points(minutes(30 * 7)), 0);
        assert_eq!(score.points(Time::from_micros(u64::MAX)), 0);
    }

    #[test]
    fn a_score_never_rises_by_itself() {
        let mut score = Score::default();
        let _ = score.add(90, minutes(5));
        let points: Vec<_> = (0..400).map(|minute| score.points(minutes(minute))).collect();
        assert!(points.windows(2).all(|pair| pair[0] >= pair[1]), "{points:?}");
    }

    #[test]
    fn errors_now_and_then_are_forgiven_and_many_are_not() {
        let mut rare = Score::default();
        assert!((0..1000).all(|round| !rare.add(10, minutes(round * 10))));
        let mut often = Score::default();
        assert!((0..10).any(|_| often.add(10, Time::ZERO)));
    }

    #[test]
    fn grudges_have_a_bound_and_the_lowest_give_way() {
        let target = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(number as u64).to_le_bytes());
            vec![Target::Identity(Identity(key))]
        };
        let mut grudges = Grudges::default();
        for number in 0..=MAX_GRUDGES {
            let mut score = Score::default();
            let _ = score.add(if number == 3 { 1 } else { 50 }, Time::ZERO);
            grudges.keep(target(number), score, Time::ZERO);
            grudges.check();
        }
        assert_eq!(grudges.scores.len(), MAX_GRUDGES);
        assert_eq!(grudges.take(&target(3), Time::ZERO), Score::default());
        assert_eq!(grudges.take(&target(4), Time::ZERO).points(Time::ZERO), 50);
        assert_eq!(grudges.take(&target(4), Time::ZERO), Score::default());
    }
}
