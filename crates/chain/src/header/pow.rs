//! What a header's bits mean, and whether its hash meets them.
//!
//! As `CheckProofOfWorkImpl`, `DeriveTarget` and `GetBlockProof` of Bitcoin Core.

use bitcoin::block::Header;
use bitcoin::{BlockHash, CompactTarget, Target, Work};

use super::Error;
use super::wide::Wide;

/// The target that `bits` stand for, if it is one that a header may have: positive, below 2^256, at most `limit`.
#[must_use]
pub fn target(bits: CompactTarget, limit: &Target) -> Option<Target> {
    decode(bits).filter(|target| target <= limit)
}

/// The hardest target: one, since zero is none.
pub(super) fn hardest() -> Target {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    Target::from_le_bytes(bytes)
}

/// MUST: the hash, as a little-endian number, is at most the target that the header names.
///
/// # Errors
/// [`Error::HighHash`] if it is more, or the target is not one that a header may have.
pub fn check(header: &Header, hash: &BlockHash, limit: &Target) -> Result<(), Error> {
    match target(header.bits, limit) {
        Some(target) if target.is_met_by(*hash) => Ok(()),
        _ => Err(Error::HighHash { hash: *hash, bits: header.bits }),
    }
}

/// Hashes that finding a header with these bits takes on average: 2^256 ÷ (target + 1); none if they are no target.
#[must_use]
pub fn work(bits: CompactTarget) -> Work {
    decode(bits).map_or_else(|| Work::from_be_bytes([0; 32]), Target::to_work)
}

/// The work of both; the most there is if it is more.
#[must_use]
pub fn sum(a: Work, b: Work) -> Work {
    Wide::from(a).plus(Wide::from(b)).to_work()
}

/// The positive number below 2^256 that `bits` stand for.
fn decode(bits: CompactTarget) -> Option<Target> {
    let [size, mantissa @ ..] = bits.to_consensus().to_be_bytes();
    let [sign, middle, low] = mantissa;
    // The top bit of the mantissa makes it negative. A mantissa of which no byte lies in the number makes it zero.
    if sign & 0x80 != 0 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, position) in [(sign, 1), (middle, 2), (low, 3)] {
        let Some(at) = usize::from(size).checked_sub(position) else { continue };
        match bytes.get_mut(at) {
            Some(place) => *place = byte,
            None if byte == 0 => {}
            None => return None,
        }
    }
    let target = Target::from_le_bytes(bytes);
    (target != Target::ZERO).then_some(target)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests {
    use bitcoin::hashes::Hash;
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Spec;

    fn limit() -> Target {
        Spec::bitcoin().work.limit
    }

    fn found(bits: u32) -> Option<Target> {
        target(CompactTarget::from_consensus(bits), &Target::from_le_bytes([0xff; 32]))
    }

    fn number(low: u64, shift: usize) -> Option<Target> {
        let mut bytes = [0; 32];
        bytes[shift..shift + 8].copy_from_slice(&low.to_le_bytes());
        Some(Target::from_le_bytes(bytes))
    }

    /// Bitcoin Core, `src/test/arith_uint256_tests.cpp`, `bignum_SetCompact` (MIT).
    #[test]
    fn compact_targets_mean_what_core_says() {
        for zero in [0, 0x0012_3456, 0x0100_3456, 0x0200_0056, 0x0300_0000, 0x0400_0000, 0x0092_3456, 0x0180_3456] {
            assert_eq!(found(zero), None, "{zero:08x}");
        }
        assert_eq!(found(0x0112_3456), number(0x12, 0));
        assert_eq!(found(0x0200_8000), number(0x80, 0));
        assert_eq!(found(0x0212_3456), number(0x1234, 0));
        assert_eq!(found(0x0312_3456), number(0x12_3456, 0));
        assert_eq!(found(0x0412_3456), number(0x1234_5600, 0));
        assert_eq!(found(0x0500_9234), number(0x9234_0000, 0));
        assert_eq!(found(0x2012_3456), number(0x0012_3456 << 40, 24));
        assert_eq!(found(0x01fe_dcba), None, "negative");
        assert_eq!(found(0x0492_3456), None, "negative");
        assert_eq!(found(0xff12_3456), None, "overflow");
        assert_eq!(found(0x2100_ffff), number(0xffff << 48, 24), "the greatest");
        assert_eq!(found(0x2101_0000), None, "overflow by one bit");
        assert_eq!(found(0x2200_00ff), number(0xff << 56, 24));
        assert_eq!(found(0x2200_0100), None, "overflow by one bit");
        assert_eq!(found(0x2300_0001), None, "overflow");
    }

    proptest! {
        #[test]
        fn compact_targets_come_back(bytes: [u8; 32], shift in 0_usize..32) {
            let mut small = [0; 32];
            small[..32 - shift].copy_from_slice(&bytes[shift..]);
            let bits = Target::from_le_bytes(small).to_compact_lossy();
            match found(bits.to_consensus()) {
                Some(target) => prop_assert_eq!(target.to_compact_lossy(), bits),
                None => prop_assert_eq!(small, [0; 32]),
            }
        }

        #[test]
        fn no_bits_panic(bits: u32) {
            let bits = CompactTarget::from_consensus(bits);
            prop_assert_eq!(work(bits) == Work::from_be_bytes([0; 32]), decode(bits).is_none());
        }
    }

    #[test]
    fn a_hash_at_the_target_passes_and_one_above_fails() {
        let mut header = Spec::bitcoin().genesis.header;
        header.bits = CompactTarget::from_consensus(0x1d00_ffff);
        let mut hash = [0; 32];
        hash[26..28].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(check(&header, &BlockHash::from_byte_array(hash), &limit()), Ok(()));
        hash[0] = 1;
        let above = BlockHash::from_byte_array(hash);
        assert_eq!(check(&header, &above, &limit()), Err(Error::HighHash { hash: above, bits: header.bits }));
        assert_eq!(check(&header, &above, &limit()).unwrap_err().reason(), "high-hash");
    }

    #[test]
    fn a_target_above_the_limit_is_no_target() {
        let zero = BlockHash::from_byte_array([0; 32]);
        let mut header = Spec::bitcoin().genesis.header;
        for bits in [0x1d01_0000, 0x207f_ffff, 0x1d80_ffff, 0xff7f_ffff, 0] {
            header.bits = CompactTarget::from_consensus(bits);
            assert!(check(&header, &zero, &limit()).is_err(), "{bits:08x}");
        }
    }

    #[test]
    fn a_sum_of_work_stays_at_the_most_there_is() {
        let (one, most) = (work(CompactTarget::from_consensus(0x207f_ffff)), Work::from_be_bytes([0xff; 32]));
        assert_eq!(sum(one, one).to_string(), "4");
        assert_eq!(sum(most, one), most);
    }

    #[test]
    fn work_counts_hashes() {
        let hashes = |bits| work(CompactTarget::from_consensus(bits)).to_string();
        assert_eq!(hashes(0x1d00_ffff), "4295032833");
        assert_eq!(hashes(0x207f_ffff), "2");
        assert_eq!(hashes(0), "0");
    }
}
