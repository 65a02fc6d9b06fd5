//! The arithmetic of aserti3-2d.
//!
//! ```text
//! target = anchor × 2^((time since the anchor's parent − spacing × (heights since the anchor + 1)) ÷ half-life)
//! ```
//!
//! in integers only: the exponent has 16 fractional bits, and a cubic polynomial stands for the fractional power, with
//! an error below 0.013 %. Specified by Bitcoin Cash, <https://reference.cash/protocol/forks/2020-11-15-asert>; the
//! target for the next block follows from the block before alone, so that errors never add up.

use bitcoin::Target;

use super::pow;
use super::wide::Wide;

/// One, with 16 fractional bits.
const RADIX: i128 = 1 << 16;

/// What stays the same along a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Target of the anchor block.
    pub anchor: Target,
    /// The easiest target.
    pub limit: Target,
    /// Seconds between blocks.
    pub spacing: u32,
    /// Seconds of delay that double the target; 0 counts as 1.
    pub half_life: u32,
}

impl Schedule {
    /// The target of the block after one that stands `height_delta` blocks above the anchor, `time_delta` seconds after
    /// the anchor's parent.
    #[must_use]
    pub fn next(&self, time_delta: i64, height_delta: u32) -> Target {
        let ideal = i128::from(self.spacing).saturating_mul(i128::from(height_delta).saturating_add(1));
        let lateness = i128::from(time_delta).saturating_sub(ideal);
        // Rounded towards zero, as the specification has it; the split below rounds down.
        let half_life = i128::from(self.half_life.max(1));
        let exponent = lateness.saturating_mul(RADIX).checked_div(half_life).unwrap_or_default();
        let whole = exponent >> 16;
        #[expect(clippy::cast_possible_truncation, reason = "the lowest sixteen bits are meant")]
        let fraction = exponent as u16;
        let product = Wide::from(self.anchor).times(power(u64::from(fraction)));
        // The power has 16 fractional bits, so a shift by 16 to the right stands for two to the power of zero.
        let shift = whole.saturating_sub(16);
        let magnitude = u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX);
        let shifted = if shift <= 0 { Some(product.halved(magnitude)) } else { product.doubled(magnitude) };
        let target = shifted.map_or(self.limit, Wide::to_target);
        // Zero is no target; the hardest is one.
        target.max(pow::hardest()).min(self.limit)
    }
}

/// 2^x with 16 fractional bits, for `x` with 16 fractional bits and no whole ones. The sum is below 2^64 for each.
fn power(x: u64) -> u64 {
    let square = x.wrapping_mul(x);
    let cube = square.wrapping_mul(x);
    let sum = 195_766_423_245_049_u64
        .wrapping_mul(x)
        .wrapping_add(971_821_376_u64.wrapping_mul(square))
        .wrapping_add(5_127_u64.wrapping_mul(cube))
        .wrapping_add(1 << 47);
    (sum >> 48).saturating_add(1 << 16)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests {
    use bitcoin::CompactTarget;
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Spec;

    /// Runs of `vectors/aserti3-2d.py`: a header line `run anchor limit spacing half-life`, the last three as decimal
    /// or hexadecimal numbers, then lines `time-delta height-delta bits`.
    const VECTORS: &str = include_str!("../../../../vectors/aserti3-2d.txt");

    fn hex(text: &str) -> u32 {
        u32::from_str_radix(text, 16).unwrap()
    }

    fn any() -> Target {
        Target::from_le_bytes([0xff; 32])
    }

    fn schedule(fields: &[&str]) -> Schedule {
        Schedule {
            anchor: pow::target(CompactTarget::from_consensus(hex(fields[0])), &any()).unwrap(),
            limit: Target::from_unprefixed_hex(fields[1]).unwrap(),
            spacing: fields[2].parse().unwrap(),
            half_life: fields[3].parse().unwrap(),
        }
    }

    #[test]
    fn targets_equal_those_of_an_independent_computation() {
        let mut run = None;
        let mut compared = 0;
        for line in VECTORS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let fields: Vec<&str> = line.split(' ').collect();
            if fields[0] == "run" {
                run = Some(schedule(&fields[1..]));
                continue;
            }
            let target = run.unwrap().next(fields[0].parse().unwrap(), fields[1].parse().unwrap());
            assert_eq!(target.to_compact_lossy().to_consensus(), hex(fields[2]), "{line} of {run:?}");
            compared += 1;
        }
        assert!(compared > 1_000, "{compared}");
    }

    #[test]
    fn a_chain_on_schedule_keeps_its_target() {
        let spec = Spec::local();
        let anchor = Target::from_compact(CompactTarget::from_consensus(0x1e12_3456));
        let schedule = Schedule { anchor, limit: spec.work.limit, spacing: 10, half_life: 120 };
        for height in 0..100 {
            assert_eq!(schedule.next(10 + 10 * i64::from(height), height), anchor);
        }
        assert_eq!(schedule.next(10 + 120, 0), Target::from_compact(CompactTarget::from_consensus(0x1e24_68ac)));
        assert_eq!(schedule.next(10 - 120, 0), Target::from_compact(CompactTarget::from_consensus(0x1e09_1a2b)));
    }

    proptest! {
        #[test]
        fn every_input_gives_an_allowed_target(
            anchor: [u8; 32], spacing: u32, half_life: u32, time: i64, height: u32
        ) {
            let limit = Spec::local().work.limit;
            let schedule = Schedule { anchor: Target::from_le_bytes(anchor), limit, spacing, half_life };
            let target = schedule.next(time, height);
            prop_assert!(target > Target::ZERO && target <= limit);
        }

        #[test]
        fn a_later_block_never_makes_the_next_one_harder(bits in 0x1a00_ffff_u32..0x1a7f_ffff, time: i32, more in 0_i64..100_000) {
            let anchor = Target::from_compact(CompactTarget::from_consensus(bits));
            let schedule = Schedule { anchor, limit: Spec::local().work.limit, spacing: 10, half_life: 120 };
            prop_assert!(schedule.next(i64::from(time) + more, 1000) >= schedule.next(i64::from(time), 1000));
        }
    }
}
