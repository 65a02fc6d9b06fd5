//! Bits in bytes, the highest first.

/// Most bits that are written or read in one go.
const MOST: u32 = 32;

/// Appends bits to bytes.
pub(super) struct Writer {
    out: Vec<u8>,
    /// Bits that are not in `out` yet, from the highest on; the `free` lowest are zero.
    pending: u64,
    /// Always at least 1.
    free: u32,
}

impl Writer {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self { out, pending: 0, free: u64::BITS }
    }

    /// Appends the lowest `count` bits of `value`, whose others are zero; at most [`MOST`].
    pub(super) fn bits(&mut self, value: u64, count: u32) {
        debug_assert!(count <= MOST && value >> count == 0, "{value} in {count} bits");
        match self.free.checked_sub(count) {
            Some(free @ 1..) => {
                self.pending |= value << free;
                self.free = free;
            }
            _ => {
                let spill = count.saturating_sub(self.free);
                self.out.extend_from_slice(&(self.pending | value >> spill).to_be_bytes());
                self.free = u64::BITS.saturating_sub(spill);
                self.pending = value.checked_shl(self.free).unwrap_or(0);
            }
        }
    }

    /// Appends `value` ones and a zero.
    pub(super) fn unary(&mut self, mut value: u64) {
        while value >= u64::from(MOST) {
            self.bits(u64::from(u32::MAX), MOST);
            value = value.saturating_sub(u64::from(MOST));
        }
        // Below MOST, so with its zero it fits.
        let count = u32::try_from(value).unwrap_or(0);
        self.bits((1_u64 << count).saturating_sub(1) << 1, count.saturating_add(1));
    }

    /// The bytes, the last one filled with zero bits.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let used = u64::BITS.saturating_sub(self.free).div_ceil(8);
        let bytes = self.pending.to_be_bytes();
        self.out.extend(bytes.iter().take(usize::try_from(used).unwrap_or(bytes.len())));
        self.out
    }
}

/// Reads bits from bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// Bits that were taken from `bytes` but not read, from the highest on; the others are zero.
    pending: u64,
    held: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pending: 0, held: 0 }
    }

    /// The next `count` bits, at most [`MOST`].
    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        debug_assert!((1..=MOST).contains(&count), "{count} bits");
        if self.held < count {
            self.fill();
        }
        self.held = self.held.checked_sub(count)?;
        let value = self.pending >> u64::BITS.saturating_sub(count);
        self.pending <<= count;
        Some(value)
    }

    /// Counts ones up to the next zero, and takes both.
    pub(super) fn unary(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        loop {
            if self.held == 0 {
                self.fill();
            }
            // Bits that are not held are zero, so there are never more ones than held bits.
            let ones = self.pending.leading_ones();
            value = value.saturating_add(ones.into());
            if ones < self.held {
                self.take(ones.saturating_add(1));
                return Some(value);
            }
            if self.bytes.is_empty() {
                return None;
            }
            self.take(ones);
        }
    }

    /// Whole bytes of which no bit was read.
    pub(super) fn rest(&self) -> usize {
        let held = usize::try_from(self.held / 8).unwrap_or(0);
        self.bytes.len().saturating_add(held)
    }

    fn take(&mut self, count: u32) {
        self.pending = self.pending.checked_shl(count).unwrap_or(0);
        self.held = self.held.saturating_sub(count);
    }

    /// Takes as many bytes as there is room for: with more than [`MOST`] bits held afterwards, or no bytes left.
    fn fill(&mut self) {
        while let (Some((byte, rest)), Some(shift)) = (self.bytes.split_first(), 56_u32.checked_sub(self.held)) {
            self.pending |= u64::from(*byte) << shift;
            self.held = self.held.saturating_add(8);
            self.bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Token {
        Bits(u64, u32),
        Unary(u64),
    }

    fn tokens() -> impl Strategy<Value = Vec<Token>> {
        let bits = (1..=MOST).prop_flat_map(|count| (0..1_u64 << count, Just(count)));
        let token =
            prop_oneof![bits.prop_map(|(value, count)| Token::Bits(value, count)), (0..200_u64).prop_map(Token::Unary)];
        prop::collection::vec(token, 0..60)
    }

    #[test]
    fn the_highest_bit_comes_first() {
        let mut writer = Writer::new(vec![0xaa]);
        writer.unary(2);
        writer.bits(0b1, 4);
        writer.bits(0xffff, 16);
        assert_eq!(writer.finish(), [0xaa, 0b1100_0011, 0xff, 0b1111_1110]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tokens in tokens()) {
            let mut writer = Writer::new(Vec::new());
            let mut model = String::new();
            for token in &tokens {
                match *token {
                    Token::Bits(value, count) => {
                        writer.bits(value, count);
                        model += &format!("{value:0width$b}", width = count as usize);
                    }
                    Token::Unary(value) => {
                        writer.unary(value);
                        model += &format!("{}0", "1".repeat(value as usize));
                    }
                }
            }
            let bytes = writer.finish();
            prop_assert_eq!(bytes.len(), model.len().div_ceil(8));
            let printed: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
            prop_assert_eq!(&printed[..model.len()], model);
            let mut reader = Reader::new(&bytes);
            for token in &tokens {
                match *token {
                    Token::Bits(value, count) => prop_assert_eq!(reader.bits(count), Some(value)),
                    Token::Unary(value) => prop_assert_eq!(reader.unary(), Some(value)),
                }
            }
            prop_assert_eq!(reader.rest(), 0);
        }
    }

    #[test]
    fn the_end_is_noticed() {
        let mut reader = Reader::new(&[0xff, 0xff]);
        assert_eq!(reader.bits(9), Some(0x1ff));
        assert_eq!(reader.bits(8), None);
        assert_eq!(Reader::new(&[0xff; 20]).unary(), None);
        assert_eq!(Reader::new(&[]).unary(), None);
        assert_eq!(Reader::new(&[0, 1, 2]).rest(), 3);
    }
}
