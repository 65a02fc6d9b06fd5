//! What transactions pay for the room they take.
//!
//! Two forms: [`FeeRate`], a price as operators and peers state it, and [`Paid`], the exact fee and weight of a set of
//! transactions, which are compared as fractions without rounding.

use std::cmp::Ordering;
use std::fmt;

use crate::block::WITNESS_SCALE;

/// A price of room: satoshi for 1,000 virtual bytes, Bitcoin Core's `CFeeRate` and BIP-0133's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeeRate(u64);

impl FeeRate {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many satoshi for 1,000 virtual bytes.
    #[must_use]
    pub const fn from_sat_per_kvb(satoshi: u64) -> Self {
        Self(satoshi)
    }

    /// Satoshi for 1,000 virtual bytes.
    #[must_use]
    pub const fn to_sat_per_kvb(self) -> u64 {
        self.0
    }

    /// What `vsize` virtual bytes cost, in satoshi, rounded up.
    #[must_use]
    pub fn fee(self, vsize: u64) -> i64 {
        let fee = u128::from(self.0).saturating_mul(vsize.into()).div_ceil(1000);
        i64::try_from(fee).unwrap_or(i64::MAX)
    }

    /// Both prices together.
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sat/kvB", self.0)
    }
}

/// What some transactions pay, and the weight that they pay for.
///
/// Equality is that of both numbers; [`Paid::by_rate`] compares the fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paid {
    /// Fees in satoshi, with what their operator added or took away; negative if he took more.
    pub fee: i64,
    /// Weight units, adjusted for signature operations. Zero only for no transaction.
    pub weight: i64,
}

impl Paid {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { fee: self.fee.saturating_add(other.fee), weight: self.weight.saturating_add(other.weight) }
    }

    /// This without a part of it.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { fee: self.fee.saturating_sub(other.fee), weight: self.weight.saturating_sub(other.weight) }
    }

    /// Which pays more for each unit of weight: `Greater` if `self` does.
    #[must_use]
    pub fn by_rate(self, other: Self) -> Ordering {
        // Neither product can overflow: the factors have 64 bits.
        let left = i128::from(self.fee).wrapping_mul(other.weight.into());
        let right = i128::from(other.fee).wrapping_mul(self.weight.into());
        left.cmp(&right)
    }

    /// Virtual bytes of that weight, rounded up.
    #[must_use]
    pub fn vsize(self) -> u64 {
        vsize(u64::try_from(self.weight).unwrap_or(0))
    }

    /// The price paid, rounded down; nothing if the fee is negative.
    #[must_use]
    pub fn rate(self) -> FeeRate {
        let fee = u128::try_from(self.fee).unwrap_or(0).saturating_mul(1000);
        let rate = fee.checked_div(self.vsize().into()).unwrap_or(0);
        FeeRate(u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

/// Virtual bytes of `weight` units (BIP-0141), rounded up.
pub(super) fn vsize(weight: u64) -> u64 {
    weight.div_ceil(WITNESS_SCALE as u64)
}

impl std::iter::Sum for Paid {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::plus)
    }
}

/// How two ways to order transactions compare, as fees over weight: `chunks` of falling rate each.
///
/// `Greater`: `left` is nowhere below `right` and somewhere above. `None`: each is above the other somewhere. What
/// comes after the last chunk pays nothing.
pub(super) fn compare_diagrams(left: &[Paid], right: &[Paid]) -> Option<Ordering> {
    let (left, right) = (corners(left), corners(right));
    // The difference of two lines made of straight pieces is greatest and least at corners of either.
    let of_left = left.iter().map(|corner| position(*corner, &right));
    let of_right = right.iter().map(|corner| position(*corner, &left).reverse());
    let (mut above, mut below) = (false, false);
    for side in of_left.chain(of_right) {
        above |= side == Ordering::Greater;
        below |= side == Ordering::Less;
    }
    match (above, below) {
        (true, true) => None,
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        (false, false) => Some(Ordering::Equal),
    }
}

/// The totals after each chunk, from nothing on.
fn corners(chunks: &[Paid]) -> Vec<Paid> {
    let sums = chunks.iter().scan(Paid::default(), |sum, chunk| {
        *sum = sum.plus(*chunk);
        Some(*sum)
    });
    std::iter::once(Paid::default()).chain(sums).collect()
}

/// Whether a point is above the line through `corners`, or below.
fn position(point: Paid, corners: &[Paid]) -> Ordering {
    let next = corners.partition_point(|corner| corner.weight < point.weight);
    match (next.checked_sub(1).and_then(|before| corners.get(before)), corners.get(next)) {
        (_, None) => point.fee.cmp(&corners.last().map_or(0, |last| last.fee)),
        (None, Some(first)) => point.fee.cmp(&first.fee),
        (Some(before), Some(after)) => point.minus(*before).by_rate(after.minus(*before)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(fee: i64, weight: i64) -> Paid {
        Paid { fee, weight }
    }

    #[test]
    fn a_fee_is_rounded_up() {
        assert_eq!(FeeRate::from_sat_per_kvb(100).fee(10), 1);
        assert_eq!(FeeRate::from_sat_per_kvb(100).fee(11), 2);
        assert_eq!(FeeRate::from_sat_per_kvb(100).fee(0), 0);
        assert_eq!(FeeRate::from_sat_per_kvb(u64::MAX).fee(u64::MAX), i64::MAX);
    }

    #[test]
    fn a_rate_is_rounded_down_and_never_negative() {
        assert_eq!(paid(999, 4 * 10_000).rate(), FeeRate::from_sat_per_kvb(99));
        assert_eq!(paid(-1, 400).rate(), FeeRate::ZERO);
        assert_eq!(Paid::default().rate(), FeeRate::ZERO);
    }

    #[test]
    fn fractions_compare_where_products_pass_64_bits() {
        let most = paid(i64::MAX, i64::MAX - 1);
        assert_eq!(most.by_rate(paid(1, 1)), Ordering::Greater);
        assert_eq!(paid(-5, 10).by_rate(paid(-1, 2)), Ordering::Equal);
    }

    #[test]
    fn more_fees_in_less_room_is_above() {
        assert_eq!(compare_diagrams(&[paid(10, 5)], &[paid(9, 5)]), Some(Ordering::Greater));
        assert_eq!(compare_diagrams(&[paid(10, 5)], &[paid(10, 6)]), Some(Ordering::Greater));
        assert_eq!(compare_diagrams(&[paid(10, 5)], &[paid(10, 5)]), Some(Ordering::Equal));
        assert_eq!(compare_diagrams(&[], &[paid(1, 1)]), Some(Ordering::Less));
        assert_eq!(compare_diagrams(&[], &[]), Some(Ordering::Equal));
    }

    #[test]
    fn lines_that_cross_do_not_compare() {
        assert_eq!(compare_diagrams(&[paid(10, 1)], &[paid(20, 10)]), None);
        assert_eq!(compare_diagrams(&[paid(10, 1), paid(10, 9)], &[paid(20, 10)]), Some(Ordering::Greater));
        // A chunk that takes fees away at the end lowers its line below the other's.
        assert_eq!(compare_diagrams(&[paid(10, 5), paid(-1, 5)], &[paid(9, 5)]), Some(Ordering::Greater));
        assert_eq!(compare_diagrams(&[paid(10, 5), paid(-3, 5)], &[paid(9, 5)]), None);
        assert_eq!(compare_diagrams(&[paid(8, 5)], &[paid(9, 5), paid(-3, 5)]), None);
    }
}
