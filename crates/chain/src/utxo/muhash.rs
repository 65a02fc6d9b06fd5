//! `MuHash3072`: one hash of a set, kept up to date as elements come and go, in any order.
//!
//! The hash of a set is the product of its elements' numbers modulo a prime; to remove is to divide. A [`MuHash`] keeps
//! numerator and denominator apart, so that only [`digest`](MuHash::digest) pays for an inversion. Same as Bitcoin
//! Core's `MuHash3072` (after Bellare and Micciancio, "A New Paradigm for Collision-Free Hashing", 1997).
//!
//! It does not know its elements: to insert one twice, or to remove one that was not there, gives the hash of a
//! multiset, not an error.

mod chacha20;
mod number;

use bitcoin::hashes::{Hash, hash_newtype, sha256};

use number::Number;

hash_newtype! {
    /// Hash of a set; printed in Bitcoin Core's order, the last byte first.
    #[hash_newtype(backward)]
    pub struct Digest(sha256::Hash);
}

/// The running hash of a set.
#[derive(Clone, Debug)]
pub struct MuHash {
    numerator: Number,
    denominator: Number,
}

impl MuHash {
    /// Bytes of a hash that is kept for later: numerator and denominator.
    pub const SIZE: usize = 2 * number::SIZE;

    /// The empty set.
    pub const EMPTY: Self = Self { numerator: Number::ONE, denominator: Number::ONE };

    /// Adds an element.
    pub fn insert(&mut self, element: &[u8]) {
        self.numerator.multiply(&number(element));
    }

    /// Takes an element away.
    pub fn remove(&mut self, element: &[u8]) {
        self.denominator.multiply(&number(element));
    }

    /// Adds what another hash has inserted, and takes away what it has removed: parts of a set may be hashed apart.
    pub fn combine(&mut self, other: &Self) {
        self.numerator.multiply(&other.numerator);
        self.denominator.multiply(&other.denominator);
    }

    /// The set's hash. Costs a few milliseconds, for the inversion.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut value = self.denominator.clone();
        value.invert();
        value.multiply(&self.numerator);
        Digest::from_raw_hash(sha256::Hash::hash(&value.to_bytes()))
    }

    /// The running hash as bytes, to go on from later.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (numerator, denominator) = bytes.split_at_mut(number::SIZE);
        numerator.copy_from_slice(&self.numerator.to_bytes());
        denominator.copy_from_slice(&self.denominator.to_bytes());
        bytes
    }

    /// The running hash that [`to_bytes`](Self::to_bytes) wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let (mut numerator, mut denominator) = ([0; number::SIZE], [0; number::SIZE]);
        let (first, second) = bytes.split_at(number::SIZE);
        numerator.copy_from_slice(first);
        denominator.copy_from_slice(second);
        Self { numerator: Number::from_bytes(&numerator), denominator: Number::from_bytes(&denominator) }
    }
}

impl Default for MuHash {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// An element's number: the keystream under its hash.
fn number(element: &[u8]) -> Number {
    Number::from_bytes(&chacha20::keystream(sha256::Hash::hash(element).as_byte_array()))
}

#[cfg(test)]
mod tests;
