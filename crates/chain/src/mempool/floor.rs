//! The price below which nothing enters a pool that was full: it rises with what is evicted, and halves with time.

use super::limits::Limits;
use super::rate::FeeRate;

/// Seconds in which the price halves (Core's `ROLLING_FEE_HALFLIFE`); half of that while less than half of the pool is
/// in use, a quarter while less than a quarter is.
pub(super) const HALF_LIFE: u64 = 12 * 60 * 60;

/// Seconds between two steps.
const STEP: u64 = 10;

/// Bits behind the point, so that many short steps lose no more than one long one.
const POINT: u32 = 20;

/// `2^-(1/2)`, `2^-(1/4)`, `2^-(1/8)` and so on, with 32 bits behind the point.
const ROOTS: [u32; 24] = [
    0xb504_f333,
    0xd744_fcca,
    0xeac0_c6e7,
    0xf525_7d15,
    0xfa83_b2db,
    0xfd3e_0c0c,
    0xfe9e_115c,
    0xff4e_cb59,
    0xffa7_5652,
    0xffd3_a751,
    0xffe9_d2b2,
    0xfff4_e91b,
    0xfffa_747e,
    0xfffd_3a3b,
    0xfffe_9d1c,
    0xffff_4e8e,
    0xffff_a747,
    0xffff_d3a3,
    0xffff_e9d1,
    0xffff_f4e8,
    0xffff_fa74,
    0xffff_fd3a,
    0xffff_fe9d,
    0xffff_ff4e,
];

/// The price and when it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Floor {
    /// Satoshi for 1,000 virtual bytes, with [`POINT`] bits behind the point.
    rate: u128,
    /// Unix seconds.
    since: u64,
    /// Whether a block came after the last eviction. Until then the price stays.
    falling: bool,
}

impl Floor {
    /// Something that paid `rate` was evicted: nothing that pays as little enters until a block comes.
    pub(super) fn raise(&mut self, rate: FeeRate) {
        let rate = u128::from(rate.to_sat_per_kvb()) << POINT;
        if rate > self.rate {
            self.rate = rate;
            self.falling = false;
        }
    }

    /// A block came at `now`.
    pub(super) fn block(&mut self, now: u64) {
        self.since = now;
        self.falling = true;
    }

    /// Moves on to `now`, with `usage` bytes of the pool in use.
    pub(super) fn advance(&mut self, limits: &Limits, usage: usize, now: u64) {
        *self = self.at(limits, usage, now);
    }

    /// The price at `now`: nothing, or [`Limits::increment`] at least.
    pub(super) fn rate(&self, limits: &Limits, usage: usize, now: u64) -> FeeRate {
        let Self { rate, falling, .. } = self.at(limits, usage, now);
        let rounded = rate.saturating_add(1 << POINT.saturating_sub(1)) >> POINT;
        let rate = FeeRate::from_sat_per_kvb(u64::try_from(rounded).unwrap_or(u64::MAX));
        if rate == FeeRate::ZERO || !falling { rate } else { rate.max(limits.increment) }
    }

    fn at(self, limits: &Limits, usage: usize, now: u64) -> Self {
        let past = now.saturating_sub(self.since);
        if !self.falling || self.rate == 0 || past <= STEP {
            return self;
        }
        let half_life = match usage {
            usage if usage < limits.usage / 4 => HALF_LIFE / 4,
            usage if usage < limits.usage / 2 => HALF_LIFE / 2,
            _ => HALF_LIFE,
        };
        let rate = decayed(self.rate, past, half_life);
        let least = u128::from(limits.increment.to_sat_per_kvb()) << POINT;
        Self { rate: if rate < least / 2 { 0 } else { rate }, since: now, ..self }
    }
}

/// `rate * 2^-(past / half_life)`. Integers, so that every machine gets the same.
fn decayed(rate: u128, past: u64, half_life: u64) -> u128 {
    let whole = past.checked_div(half_life).unwrap_or(0);
    let rest = past.checked_rem(half_life).unwrap_or(0);
    let mut rate = u32::try_from(whole).ok().and_then(|whole| rate.checked_shr(whole)).unwrap_or(0);
    let fraction = (rest << ROOTS.len()).checked_div(half_life).unwrap_or(0);
    for (place, root) in ROOTS.iter().rev().enumerate() {
        if fraction >> place & 1 == 1 {
            // The rate has 84 bits at most, a root 32.
            rate = rate.saturating_mul((*root).into()) >> 32;
        }
    }
    rate
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        usage: 1000,
        expiry: 0,
        relay: FeeRate::ZERO,
        increment: FeeRate::from_sat_per_kvb(100),
        dust: FeeRate::ZERO,
        cluster_count: 64,
        cluster_vsize: 101_000,
    };

    fn raised(rate: u64) -> Floor {
        let mut floor = Floor::default();
        floor.raise(FeeRate::from_sat_per_kvb(rate));
        floor
    }

    fn rate(floor: Floor, usage: usize, now: u64) -> u64 {
        floor.rate(&LIMITS, usage, now).to_sat_per_kvb()
    }

    #[test]
    fn the_price_stays_until_a_block_comes() {
        let mut floor = raised(8000);
        assert_eq!(rate(floor, 1000, 10 * HALF_LIFE), 8000);
        floor.block(10 * HALF_LIFE);
        assert_eq!(rate(floor, 1000, 11 * HALF_LIFE), 4000);
    }

    #[test]
    fn an_emptier_pool_forgets_sooner() {
        let mut floor = raised(8000);
        floor.block(0);
        assert_eq!(rate(floor, 500, HALF_LIFE), 4000);
        assert_eq!(rate(floor, 499, HALF_LIFE), 2000);
        assert_eq!(rate(floor, 250, HALF_LIFE), 2000);
        assert_eq!(rate(floor, 249, HALF_LIFE), 500);
    }

    #[test]
    fn below_half_the_increment_the_price_is_nothing() {
        let mut floor = raised(100);
        floor.block(0);
        // Between half and the whole increment it is the increment.
        assert_eq!(rate(floor, 1000, HALF_LIFE / 2), 100);
        assert_eq!(rate(floor, 1000, HALF_LIFE), 100);
        assert_eq!(rate(floor, 1000, HALF_LIFE + HALF_LIFE / 100), 0);
    }

    #[test]
    fn many_steps_are_as_long_as_one() {
        let mut floor = raised(1_000_000);
        floor.block(0);
        let once = floor;
        for now in (0..=HALF_LIFE).step_by(11) {
            floor.advance(&LIMITS, 1000, now);
        }
        assert!(rate(once, 1000, HALF_LIFE).abs_diff(rate(floor, 1000, HALF_LIFE)) <= 200);
    }

    #[test]
    fn decay_follows_the_power_of_two() {
        for past in 0..3 * HALF_LIFE / 100 {
            let past = past * 100;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let exact = 1e9 * 0.5_f64.powf(past as f64 / HALF_LIFE as f64);
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let ours = decayed(1_000_000_000 << POINT, past, HALF_LIFE) as f64 / f64::from(1 << POINT);
            assert!((ours / exact - 1.0).abs() < 1e-6, "{past}: {ours} {exact}");
        }
    }

    #[test]
    fn only_a_higher_price_raises_it() {
        let mut floor = raised(500);
        floor.block(0);
        floor.raise(FeeRate::from_sat_per_kvb(400));
        assert_eq!(rate(floor, 1000, HALF_LIFE), 250);
        floor.raise(FeeRate::from_sat_per_kvb(600));
        assert_eq!(rate(floor, 1000, HALF_LIFE), 600);
    }
}
