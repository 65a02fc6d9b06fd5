//! Amounts without their trailing zeros (Bitcoin Core's `CompressAmount`).
//!
//! With `e` trailing zeros, nine at most, and `d` the last digit before them: `1 + 10·(9·n + d − 1) + e`, or, when
//! `e` is nine, `1 + 10·(n − 1) + 9`; zero stays zero.

/// The compressed form of an amount up to `MAX_MONEY`; meaningless above `u64::MAX / 10`.
pub(super) fn compress(amount: u64) -> u64 {
    if amount == 0 {
        return 0;
    }
    let (mut n, mut e) = (amount, 0_u64);
    while e < 9 && n.is_multiple_of(10) {
        n /= 10;
        e = e.saturating_add(1);
    }
    let body = if e < 9 { (n / 10).wrapping_mul(9).wrapping_add(n % 10) } else { n }.wrapping_sub(1);
    body.wrapping_mul(10).wrapping_add(e).wrapping_add(1)
}

/// The amount of a compressed form, unless it overflows.
pub(super) fn decompress(compressed: u64) -> Option<u64> {
    const POWERS: [u64; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    let Some(body) = compressed.checked_sub(1) else { return Some(0) };
    let (body, e) = (body / 10, body % 10);
    let n =
        if e < 9 { (body / 9).checked_mul(10)?.checked_add(body % 9)?.checked_add(1)? } else { body.checked_add(1)? };
    n.checked_mul(*POWERS.get(usize::try_from(e).ok()?)?)
}

#[cfg(test)]
mod tests {
    use bitcoin::Amount;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_compress_as_in_core() {
        const CENT: u64 = 1_000_000;
        const COIN: u64 = 100 * CENT;
        // The table of Core's `compress_amounts` test.
        for (amount, compressed) in
            [(0, 0), (1, 1), (CENT, 7), (COIN, 9), (50 * COIN, 0x32), (21_000_000 * COIN, 0x0140_6f40)]
        {
            assert_eq!(compress(amount), compressed);
            assert_eq!(decompress(compressed), Some(amount));
        }
    }

    #[test]
    fn amounts_that_overflow_do_not_decompress() {
        assert_eq!(decompress(u64::MAX), None);
        assert_eq!(decompress(u64::MAX - 5), None);
    }

    proptest! {
        #[test]
        fn every_amount_comes_back(amount in 0..=Amount::MAX_MONEY.to_sat(), zeros in 0_u32..12) {
            let amount = amount / 10_u64.pow(zeros) * 10_u64.pow(zeros);
            prop_assert_eq!(decompress(compress(amount)), Some(amount));
        }

        #[test]
        fn every_form_is_the_only_one(compressed in 0..1_u64 << 55) {
            if let Some(amount) = decompress(compressed).filter(|amount| *amount <= Amount::MAX_MONEY.to_sat()) {
                prop_assert_eq!(compress(amount), compressed);
            }
        }
    }
}
