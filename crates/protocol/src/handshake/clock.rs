//! What others say of our clock.
//!
//! A sample of the peers that we dialled, as in Bitcoin Core: their median warns whoever runs the node, and changes no
//! time that a rule looks at, since whoever can choose our peers could else choose our time.

use std::collections::VecDeque;

/// Most offsets that are kept; the oldest goes first.
pub const MAX_OFFSETS: usize = 50;

/// Offsets below which nothing is concluded.
pub const MIN_OFFSETS: usize = 5;

/// Seconds that the median may be away from us without a warning.
pub const TOLERANCE: i64 = 10 * 60;

/// Seconds by which the peers' clocks are ahead of ours, in the median.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockOffset(pub i64);

/// The newest offsets, and whether a warning stands.
#[derive(Clone, Debug, Default)]
pub struct Offsets {
    samples: VecDeque<i64>,
    warned: bool,
}

impl Offsets {
    /// Adds the offset of a peer that we dialled, in seconds. Gives the warning if one begins, `Some(None)` if one ends.
    pub(super) fn add(&mut self, offset: i64) -> Option<Option<ClockOffset>> {
        if self.samples.len() >= MAX_OFFSETS {
            self.samples.pop_front();
        }
        self.samples.push_back(offset);
        let warning = self.median().filter(|median| median.0.saturating_abs() > TOLERANCE);
        let changed = warning.is_some() != self.warned;
        self.warned = warning.is_some();
        changed.then_some(warning)
    }

    /// The median; `None` while there are fewer than [`MIN_OFFSETS`].
    #[must_use]
    pub fn median(&self) -> Option<ClockOffset> {
        let mut sorted: Vec<i64> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        let middle = sorted.get(sorted.len() >> 1).copied().map(ClockOffset);
        middle.filter(|_| sorted.len() >= MIN_OFFSETS)
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.samples.len() <= MAX_OFFSETS, "{} clock offsets", self.samples.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_most_others_contradict_is_warned_of_once() {
        let mut offsets = Offsets::default();
        for _ in 0..MIN_OFFSETS - 1 {
            assert_eq!(offsets.add(TOLERANCE + 1), None, "too few to tell");
        }
        assert_eq!(offsets.add(i64::MIN), Some(Some(ClockOffset(TOLERANCE + 1))));
        assert_eq!(offsets.add(TOLERANCE + 1), None, "told already");
        for _ in 0..10 {
            let _ = offsets.add(0);
        }
        assert_eq!(offsets.median(), Some(ClockOffset(0)));
        assert!(!offsets.warned);
    }

    #[test]
    fn a_tolerable_offset_is_not_warned_of() {
        let mut offsets = Offsets::default();
        assert!((0..100).all(|_| offsets.add(-TOLERANCE).is_none()));
        offsets.check();
        assert_eq!(offsets.samples.len(), MAX_OFFSETS);
    }
}
