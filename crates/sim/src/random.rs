//! Seeded randomness (SplitMix64): the same seed gives the same numbers on every machine.
//!
//! Not for secrets. Generators [`fork`](Random::fork) by name, so that a draw added in one place leaves the numbers
//! of all others as they were.

/// A seeded generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for `name`; draws one number.
    pub fn fork(&mut self, name: &str) -> Self {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(self.next() ^ hash)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0. (The bias of the modulo doesn't matter here.)
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index of a slice of `length`, which must not be 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a usize")
    }

    /// A number below `bound` as `u32`.
    pub fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(u64::from(bound))).expect("below a u32")
    }

    /// True once in `n` draws on average.
    pub const fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One element, if there is any.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.index(from.len())) }
    }

    /// Random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let draw = self.next().to_le_bytes();
            chunk.copy_from_slice(&draw[..chunk.len()]);
        }
        bytes
    }

    /// Puts a slice into random order.
    pub fn shuffle<T>(&mut self, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            slice.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// From the reference implementation's output for this seed (Sebastiano Vigna, public domain).
    #[test]
    fn numbers_are_splitmix64s() {
        let mut random = Random::new(1_234_567);
        let drawn = [(); 3].map(|()| random.next());
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn forks_differ_by_name() {
        let (mut one, mut two) = (Random::new(1), Random::new(1));
        assert_ne!(one.fork("a").next(), two.fork("b").next());
        assert_eq!(one.next(), two.next(), "and draw the same from their origin");
    }

    #[test]
    fn shuffle_keeps_all_elements() {
        let mut elements: Vec<u32> = (0..100).collect();
        Random::new(3).shuffle(&mut elements);
        assert_ne!(elements, (0..100).collect::<Vec<_>>());
        elements.sort_unstable();
        assert_eq!(elements, (0..100).collect::<Vec<_>>());
    }
}
