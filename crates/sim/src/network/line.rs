//! How long a message takes, and what may happen to it on the way.
//!
//! The way from one node to another takes a fixed part, a part by how far apart they are (each has a place on a square
//! whose edges meet), a part of that pair's own (routes differ), and for each message a part of its own; the last two
//! are exponential, so a few are slow. Added to that is the time to send the bytes at the sender's rate, behind what it
//! is sending already. A connection keeps its messages in order; those of different connections pass each other.
//! A lost packet delays its message and those behind it, as TCP does.

use std::time::Duration;

use crate::Random;

/// Bytes of a packet that hold a message's.
const PACKET: usize = 1400;

/// The least time after which TCP sends a packet again.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// Shares of the mean delay, in per cent: for all the same, by distance, by pair, by message.
const SHARES: [u64; 4] = [10, 5, 75, 10];

/// The mean distance of two points on a square of edge 1 whose edges meet.
const MEAN_DISTANCE: f64 = 0.382_598;

/// What the lines are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The mean time one way, over all pairs of nodes and all messages, for messages of no size.
    pub mean_delay: Duration,
    /// Bytes per second that a node can send, to all its peers together.
    pub upload: u64,
    /// Bytes per second that a node can receive.
    pub download: u64,
    /// How many of a million packets are lost.
    pub loss: u32,
    /// Round trips from dialling until both ends may talk.
    pub opening: u32,
    /// How many of a million messages come out of order: held up so that later ones of other connections pass.
    pub reordering: u32,
    /// For how long those are held up at most.
    pub reordering_delay: Duration,
}

impl Default for Config {
    /// 50 ms, 100 Mbit/s each way, nothing lost; three round trips to open (TCP, encryption, choice of protocol).
    fn default() -> Self {
        Self {
            mean_delay: Duration::from_millis(50),
            upload: 12_500_000,
            download: 12_500_000,
            loss: 0,
            opening: 3,
            reordering: 0,
            reordering_delay: Duration::from_millis(300),
        }
    }
}

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    x: f64,
    y: f64,
}

impl Place {
    pub(super) fn random(random: &mut Random) -> Self {
        Self { x: unit(random), y: unit(random) }
    }

    fn distance(self, other: Self) -> f64 {
        let along = |a: f64, b: f64| {
            let straight = (a - b).abs();
            straight.min(1.0 - straight)
        };
        along(self.x, other.x).hypot(along(self.y, other.y))
    }
}

impl Config {
    /// The part of the delay that is the same for every message between two nodes; `random` is the pair's own.
    pub(super) fn base(&self, a: Place, b: Place, random: &mut Random) -> Duration {
        let [fixed, distance, pair, _] = SHARES.map(|share| self.mean_delay.as_secs_f64() * share as f64 / 100.0);
        Duration::from_secs_f64(fixed + distance * a.distance(b) / MEAN_DISTANCE + pair * exponential(random))
    }

    /// One message's own part of the delay.
    pub(super) fn jitter(&self, base: Duration, size: usize, random: &mut Random) -> Duration {
        let own = self.mean_delay.as_secs_f64() * SHARES[3] as f64 / 100.0;
        let mut delay = Duration::from_secs_f64(own * exponential(random));
        if self.loss > 0 {
            let packets = size.div_ceil(PACKET).max(1);
            let lost = (0..packets).any(|_| random.below(1_000_000) < u64::from(self.loss));
            delay += if lost { RETRANSMISSION.max(base * 2) } else { Duration::ZERO };
        }
        if self.reordering > 0 && random.below(1_000_000) < u64::from(self.reordering) {
            delay += Duration::from_micros(random.below(self.reordering_delay.as_micros() as u64 + 1));
        }
        delay
    }
}

/// How long `size` bytes take at `rate` bytes per second, in whole microseconds and no less.
pub(super) fn sending(size: usize, rate: u64) -> Duration {
    Duration::from_micros((size as u64).saturating_mul(1_000_000).div_ceil(rate.max(1)))
}

/// At least 0, below 1.
fn unit(random: &mut Random) -> f64 {
    (random.next() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Exponential, of mean 1.
pub(super) fn exponential(random: &mut Random) -> f64 {
    -(1.0 - unit(random)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_their_mean() {
        let config = Config::default();
        let mut random = Random::new(1);
        let count = 20_000;
        let total: Duration = (0..count)
            .map(|_| {
                let (a, b) = (Place::random(&mut random), Place::random(&mut random));
                let base = config.base(a, b, &mut random);
                base + config.jitter(base, 100, &mut random)
            })
            .sum();
        let mean = total / count;
        assert!((49..=51).contains(&mean.as_millis()), "{mean:?}");
    }

    #[test]
    fn lost_packets_delay() {
        let config = Config { loss: 1_000_000, ..Config::default() };
        let delay = config.jitter(Duration::from_millis(150), 100, &mut Random::new(1));
        assert!(delay >= Duration::from_millis(300), "a round trip: {delay:?}");
        assert_eq!(sending(12_500_000, config.upload), Duration::from_secs(1));
    }
}
