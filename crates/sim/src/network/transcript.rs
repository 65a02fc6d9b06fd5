//! A running hash over everything that happened: two runs of one seed must agree on it.

use yap_protocol::Time;

/// The hash so far, and how many events it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    hash: u64,
    events: u64,
}

impl Transcript {
    /// Adds one event: when, where, what kind, and whatever else tells it from others.
    pub(super) fn add(&mut self, at: Time, node: u32, kind: u8, detail: u64) {
        self.events += 1;
        for word in [at.as_micros(), u64::from(node) << 8 | u64::from(kind), detail] {
            // SplitMix64's finaliser: every bit of every word so far reaches every bit.
            let mut z = (self.hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            self.hash = z ^ (z >> 31);
        }
    }

    /// The hash.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Events in it.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_every_part_count() {
        let of = |events: &[(u64, u32, u8, u64)]| {
            let mut transcript = Transcript::default();
            for &(at, node, kind, detail) in events {
                transcript.add(Time::from_micros(at), node, kind, detail);
            }
            transcript.hash()
        };
        let base = of(&[(1, 2, 3, 4), (5, 6, 7, 8)]);
        assert_eq!(base, of(&[(1, 2, 3, 4), (5, 6, 7, 8)]));
        assert_ne!(base, of(&[(5, 6, 7, 8), (1, 2, 3, 4)]));
        for other in [(2, 2, 3, 4), (1, 3, 3, 4), (1, 2, 4, 4), (1, 2, 3, 5)] {
            assert_ne!(base, of(&[other, (5, 6, 7, 8)]), "{other:?}");
        }
    }
}
