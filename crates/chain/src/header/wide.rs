//! Integers of 320 bits: a target or a sum of work times a 64-bit number.
//!
//! Retargeting multiplies before it divides. Bitcoin's own limits leave room for that in 256 bits; a chain of one's own
//! may have any limit, and must not wrap around.

use bitcoin::{Target, Work};

/// Limbs of 64 bits, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wide([u64; 5]);

impl Wide {
    fn from_le_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0; 5];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        }
        Self(limbs)
    }

    /// The low 256 bits, or as many ones if there is more.
    fn to_le_bytes(self) -> [u8; 32] {
        let [low @ .., top] = self.0;
        let mut bytes = [0xff; 32];
        if top == 0 {
            for (bytes, limb) in bytes.chunks_exact_mut(8).zip(low) {
                bytes.copy_from_slice(&limb.to_le_bytes());
            }
        }
        bytes
    }

    /// Times `factor`. The product must have at most 320 bits, as it has when `self` has 256.
    #[expect(clippy::cast_possible_truncation, reason = "the carry takes the upper half")]
    pub(super) fn times(mut self, factor: u64) -> Self {
        let mut carry = 0_u128;
        for limb in &mut self.0 {
            let product = u128::from(*limb).wrapping_mul(u128::from(factor)).wrapping_add(carry);
            *limb = product as u64;
            carry = product >> 64;
        }
        self
    }

    /// Divided by `divisor`, rounded down; by zero: unchanged.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder is below the divisor, so each quotient fits a limb"
    )]
    pub(super) fn over(mut self, divisor: u64) -> Self {
        let divisor = u128::from(divisor.max(1));
        let mut remainder = 0_u128;
        for limb in self.0.iter_mut().rev() {
            let part = (remainder << 64) | u128::from(*limb);
            *limb = part.checked_div(divisor).unwrap_or_default() as u64;
            remainder = part.checked_rem(divisor).unwrap_or_default();
        }
        self
    }

    /// Divided by two to the power of `bits`, rounded down.
    pub(super) fn halved(self, bits: u32) -> Self {
        let (limbs, rest) = ((bits / 64) as usize, bits % 64);
        let at = |index: usize| self.0.get(index).copied().unwrap_or(0);
        let mut result = [0; 5];
        for (index, limb) in result.iter_mut().enumerate() {
            let low = at(index.saturating_add(limbs)) >> rest;
            let high = at(index.saturating_add(limbs).saturating_add(1)).checked_shl(64_u32.saturating_sub(rest));
            *limb = low | high.unwrap_or(0);
        }
        Self(result)
    }

    /// Times two to the power of `bits`, or `None` if that has more than 320 bits.
    pub(super) fn doubled(self, bits: u32) -> Option<Self> {
        let (limbs, rest) = ((bits / 64) as usize, bits % 64);
        let at = |index: Option<usize>| index.and_then(|index| self.0.get(index)).copied().unwrap_or(0);
        let mut result = [0; 5];
        for (index, limb) in result.iter_mut().enumerate() {
            let from = index.checked_sub(limbs);
            let low = at(from.and_then(|from| from.checked_sub(1))).checked_shr(64_u32.saturating_sub(rest));
            *limb = (at(from) << rest) | low.unwrap_or(0);
        }
        let result = Self(result);
        (result.halved(bits) == self).then_some(result)
    }

    /// As a target; the greatest there is if it has more bits.
    pub(super) fn to_target(self) -> Target {
        Target::from_le_bytes(self.to_le_bytes())
    }

    /// As work; the most there is if it has more bits.
    pub(super) fn to_work(self) -> Work {
        Work::from_le_bytes(self.to_le_bytes())
    }

    /// The sum; its upper bits are lost past 320, which 256-bit numbers can't reach.
    pub(super) fn plus(mut self, other: Self) -> Self {
        let mut carry = false;
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = limb.overflowing_add(other);
            let (sum, more) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || more;
        }
        self
    }

    /// The difference; `None` if `other` is greater.
    pub(super) fn minus(mut self, other: Self) -> Option<Self> {
        let mut borrow = false;
        for (limb, other) in self.0.iter_mut().zip(other.0) {
            let (rest, under) = limb.overflowing_sub(other);
            let (rest, more) = rest.overflowing_sub(u64::from(borrow));
            *limb = rest;
            borrow = under || more;
        }
        (!borrow).then_some(self)
    }
}

impl From<Target> for Wide {
    fn from(target: Target) -> Self {
        Self::from_le_bytes(target.to_le_bytes())
    }
}

impl From<Work> for Wide {
    fn from(work: Work) -> Self {
        Self::from_le_bytes(work.to_le_bytes())
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(low: u128) -> Wide {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        Wide([low as u64, (low >> 64) as u64, 0, 0, 0])
    }

    proptest! {
        #[test]
        fn small_numbers_behave_as_u128(a: u64, b: u64, c in 1_u64.., shift in 0_u32..64) {
            let product = u128::from(a) * u128::from(b);
            prop_assert_eq!(number(u128::from(a)).times(b), number(product));
            prop_assert_eq!(number(product).over(c), number(product / u128::from(c)));
            prop_assert_eq!(number(product).halved(shift), number(product >> shift));
            prop_assert_eq!(number(u128::from(a)).doubled(shift), Some(number(u128::from(a) << shift)));
            prop_assert_eq!(number(product).plus(number(u128::from(c))), number(product + u128::from(c)));
            prop_assert_eq!(number(product).minus(number(u128::from(c))), product.checked_sub(u128::from(c)).map(number));
            prop_assert_eq!(number(product).cmp(&number(u128::from(c))), product.cmp(&u128::from(c)));
        }

        #[test]
        fn division_undoes_multiplication(bytes: [u8; 32], factor in 1_u64.., shift in 0_u32..400) {
            let wide = Wide::from_le_bytes(bytes);
            prop_assert_eq!(wide.times(factor).over(factor), wide);
            prop_assert_eq!(wide.to_le_bytes(), bytes);
            match wide.doubled(shift) {
                Some(result) => prop_assert_eq!(result.halved(shift), wide),
                None => prop_assert!(shift > 64),
            }
        }
    }

    #[test]
    fn what_does_not_fit_becomes_the_greatest() {
        let all = Wide::from_le_bytes([0xff; 32]);
        assert_eq!(all.times(2).to_target().to_le_bytes(), [0xff; 32]);
        assert_eq!(all.plus(all).to_work().to_le_bytes(), [0xff; 32]);
        assert_eq!(all.halved(320), number(0));
        assert_eq!(all.doubled(65), None);
        assert_eq!(number(0).doubled(1000), Some(number(0)));
    }
}
