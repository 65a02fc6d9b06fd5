//! Numbers that follow from a seed and that nobody without the seed can predict.
//!
//! SipHash-2-4 under a secret key over a counter. Children are forked by name, so that a machine that draws more often
//! does not change what its neighbours draw.

use std::time::Duration;

use bitcoin::hashes::siphash24;

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Random {
    key: (u64, u64),
    counter: u64,
}

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let part = |salt: u64| siphash24::Hash::hash_to_u64_with_keys(salt, !salt, &seed);
        Self { key: (part(0), part(1)), counter: 0 }
    }

    /// An own stream for whoever is called `name`.
    #[must_use]
    pub fn fork(&self, name: &str) -> Self {
        let part = |salt: u64| {
            let (k0, k1) = self.key;
            siphash24::Hash::hash_to_u64_with_keys(k0 ^ salt, k1, name.as_bytes())
        };
        Self { key: (part(1 << 62), part(1 << 63)), counter: 0 }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        let (k0, k1) = self.key;
        siphash24::Hash::hash_to_u64_with_keys(k0, k1, &self.counter.to_le_bytes())
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias is bound / 2^64: nothing, for what is chosen here.
        let wide = u128::from(self.next_u64()).wrapping_mul(u128::from(bound));
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// An index into `length` things; 0 if there are none.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of `from`, or `None` if there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.index(from.len()))
    }

    /// A wait between none and `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(most.as_micros()).unwrap_or(u64::MAX).saturating_add(1)))
    }

    /// Brings `slice` into random order.
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            let other = self.index(last.saturating_add(1));
            slice.swap(last, other);
        }
    }
}
