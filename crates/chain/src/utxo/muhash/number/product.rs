//! Products of 48 limbs, by Karatsuba's method: three products of halves instead of four.

use super::{LIMBS, multiply_add};

/// Limbs of half a number.
const HALF: usize = LIMBS / 2;

type Half = [u64; HALF];

/// The whole product of two numbers.
pub(super) fn product(a: &[u64; LIMBS], b: &[u64; LIMBS]) -> [u64; 2 * LIMBS] {
    let ((a_low, a_high), (b_low, b_high)) = (halves(a), halves(b));
    let (low, high) = (multiply(a_low, b_low), multiply(a_high, b_high));
    let mut wide = [0; 2 * LIMBS];
    let (wide_low, wide_high) = wide.split_at_mut(LIMBS);
    wide_low.copy_from_slice(&low);
    wide_high.copy_from_slice(&high);
    // a_low·b_high + a_high·b_low = low + high + (a_high − a_low)·(b_low − b_high), and belongs half a number up.
    let ((a, a_negative), (b, b_negative)) = (difference(a_high, a_low), difference(b_low, b_high));
    let cross = multiply(&a, &b);
    let signed = |limb: u64| if a_negative == b_negative { i128::from(limb) } else { -i128::from(limb) };
    let (_, upper) = wide.split_at_mut(HALF);
    let (middle, top) = upper.split_at_mut(LIMBS);
    let mut carry = 0_i128;
    for (limb, ((low, high), cross)) in middle.iter_mut().zip(low.iter().zip(&high).zip(&cross)) {
        let sum = i128::from(*limb) + i128::from(*low) + i128::from(*high) + signed(*cross) + carry;
        *limb = sum as u64;
        carry = sum >> 64;
    }
    for limb in top {
        let sum = i128::from(*limb) + carry;
        *limb = sum as u64;
        carry = sum >> 64;
    }
    wide
}

fn halves(limbs: &[u64; LIMBS]) -> (&Half, &Half) {
    let (low, high) = limbs.split_first_chunk().expect("a half is shorter than the whole");
    (low, high.first_chunk().expect("as much is left"))
}

fn multiply(a: &Half, b: &Half) -> [u64; LIMBS] {
    let mut wide = [0; LIMBS];
    for (at, &a) in a.iter().enumerate() {
        let row = wide.get_mut(at..).unwrap_or_default();
        let (row, top) = row.split_first_chunk_mut::<HALF>().expect("at is below HALF, and wide is two of them");
        let carry = multiply_add(row, b, a);
        if let Some(limb) = top.first_mut() {
            *limb = carry;
        }
    }
    wide
}

/// |a − b|, and whether a < b.
fn difference(a: &Half, b: &Half) -> (Half, bool) {
    let negative = a.iter().rev().lt(b.iter().rev());
    let (a, b) = if negative { (b, a) } else { (a, b) };
    let mut difference = [0; HALF];
    let mut borrow = false;
    for (limb, (a, b)) in difference.iter_mut().zip(a.iter().zip(b)) {
        let (first, under) = a.overflowing_sub(*b);
        let (second, again) = first.overflowing_sub(u64::from(borrow));
        *limb = second;
        borrow = under | again;
    }
    (difference, negative)
}
