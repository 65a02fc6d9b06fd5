//! Numbers modulo the prime 2^3072 − 1103717.
//!
//! A [`Number`] is any value below 2^3072, so one residue may have two forms; [`Number::to_bytes`] gives the one below
//! the prime. Nothing here is constant-time: the numbers are public.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "limb arithmetic: the comments say why each sum fits, and a cast to a limb keeps the low half on purpose"
)]

mod product;

use product::product;

/// Limbs of 64 bits, the least first.
const LIMBS: usize = 48;

/// Bytes of a number, the least first.
pub(super) const SIZE: usize = 384;

/// 2^3072 minus the prime: what a carry out of the highest limb is worth.
const FOLD: u64 = 1_103_717;

#[derive(Clone, Debug)]
pub(super) struct Number([u64; LIMBS]);

impl Number {
    pub(super) const ONE: Self = {
        let mut limbs = [0; LIMBS];
        limbs[0] = 1;
        Self(limbs)
    };

    pub(super) fn from_bytes(bytes: &[u8; SIZE]) -> Self {
        let mut limbs = [0; LIMBS];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*bytes);
        }
        Self(limbs)
    }

    /// The form below the prime.
    pub(super) fn to_bytes(&self) -> [u8; SIZE] {
        // `self + FOLD` overflows 2^3072 exactly when `self` is not below the prime, and then wraps to the residue.
        let mut folded = self.clone();
        let reduced = if folded.add(FOLD) { &folded } else { self };
        let mut bytes = [0; SIZE];
        for (bytes, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(reduced.0) {
            *bytes = limb.to_le_bytes();
        }
        bytes
    }

    /// `self ← self · other`.
    pub(super) fn multiply(&mut self, other: &Self) {
        self.fold(&product(&self.0, &other.0));
    }

    /// `self ← self²`: each product of two different limbs is computed once and doubled.
    fn square(&mut self) {
        let mut wide = [0_u64; 2 * LIMBS];
        for (at, &a) in self.0.iter().enumerate() {
            let rest = self.0.get(at + 1..).unwrap_or_default();
            let row = wide.get_mut(2 * at + 1..=at + LIMBS).expect("at is below LIMBS, and wide has two times as many");
            let (row, top) = row.split_at_mut(rest.len());
            let carry = multiply_add(row, rest, a);
            for limb in top {
                *limb = carry;
            }
        }
        let (mut shifted, mut carry) = (0_u64, 0_u64);
        for (pair, &a) in wide.as_chunks_mut::<2>().0.iter_mut().zip(&self.0) {
            let square = u128::from(a) * u128::from(a);
            for (limb, add) in pair.iter_mut().zip([square as u64, (square >> 64) as u64]) {
                let sum = u128::from(*limb << 1 | shifted) + u128::from(add) + u128::from(carry);
                shifted = *limb >> 63;
                *limb = sum as u64;
                carry = (sum >> 64) as u64;
            }
        }
        self.fold(&wide);
    }

    /// `self ← self^(p − 2)`, by Fermat the inverse; zero, which no element is, stays zero.
    pub(super) fn invert(&mut self) {
        // p − 2 in bits: 3051 ones, then the 21 bits of 2^21 − 1 − 1103718.
        const ONES: u32 = 3051;
        const TAIL: u32 = 21;
        const TAIL_BITS: u32 = (1 << TAIL) - 1 - (FOLD as u32 + 1);
        let base = self.clone();
        // Invariant: `self` = base^(2^ones − 1). Doubling `ones`, and adding one, follow the bits of ONES.
        let mut ones = 1;
        for bit in (0..ONES.ilog2()).rev() {
            let before = self.clone();
            for _ in 0..ones {
                self.square();
            }
            self.multiply(&before);
            ones *= 2;
            if ONES >> bit & 1 == 1 {
                self.square();
                self.multiply(&base);
                ones += 1;
            }
        }
        for bit in (0..TAIL).rev() {
            self.square();
            if TAIL_BITS >> bit & 1 == 1 {
                self.multiply(&base);
            }
        }
    }

    /// `self ← wide`, with the upper half folded in.
    fn fold(&mut self, wide: &[u64; 2 * LIMBS]) {
        let (low, high) = wide.split_at(LIMBS);
        self.0.copy_from_slice(low);
        // At most FOLD: high · FOLD + low < 2^3072 · (FOLD + 1).
        let carry = multiply_add(&mut self.0, high, FOLD);
        // FOLD² is below 2^64. If this wraps, what is left is below FOLD², so that the second cannot.
        if self.add(carry * FOLD) {
            self.add(FOLD);
        }
    }

    /// `self ← self + value` modulo 2^3072; whether it wrapped.
    fn add(&mut self, value: u64) -> bool {
        let mut carry = value;
        for limb in &mut self.0 {
            let (sum, wrapped) = limb.overflowing_add(carry);
            *limb = sum;
            if !wrapped {
                return false;
            }
            carry = 1;
        }
        true
    }
}

/// `row ← row + factor · limbs`, for slices of one length; returns the carry out of the highest limb.
#[inline]
fn multiply_add(row: &mut [u64], limbs: &[u64], factor: u64) -> u64 {
    let mut carry = 0_u64;
    for (out, &limb) in row.iter_mut().zip(limbs) {
        // (2^64 − 1)² + 2 · (2^64 − 1) = 2^128 − 1: fits exactly.
        let sum = u128::from(factor) * u128::from(limb) + u128::from(*out) + u128::from(carry);
        *out = sum as u64;
        carry = (sum >> 64) as u64;
    }
    carry
}
