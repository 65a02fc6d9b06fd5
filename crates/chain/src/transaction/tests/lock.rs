//! Lock times at their boundaries.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Script, Sequence};

use crate::coin::Coin;
use crate::fixture::{EveryTenMinutes, GENESIS_TIME, outpoint, parsed, spend};
use crate::transaction::lock::{absolute, relative};
use crate::transaction::{Error, Transaction};

fn locked(lock_time: u32, sequences: &[u32]) -> Transaction {
    let outpoints: Vec<_> = (0..).zip(sequences).map(|(n, _)| outpoint(n)).collect();
    let mut transaction = spend(&outpoints, &[0]);
    transaction.lock_time = LockTime::from_consensus(lock_time);
    for (input, sequence) in transaction.input.iter_mut().zip(sequences) {
        input.sequence = Sequence::from_consensus(*sequence);
    }
    parsed(&transaction)
}

#[test]
fn lock_by_height_opens_in_the_block_after_it() {
    let transaction = locked(100, &[0]);
    let error = absolute(&transaction, 100, u32::MAX).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Locked { lock_time: 100 }, "bad-txns-nonfinal"));
    assert_eq!(absolute(&transaction, 101, 0), Ok(()));
}

#[test]
fn lock_by_time_opens_after_that_second() {
    let transaction = locked(1_700_000_000, &[0]);
    assert!(absolute(&transaction, u32::MAX, 1_700_000_000).is_err());
    assert_eq!(absolute(&transaction, 0, 1_700_000_001), Ok(()));
}

#[test]
fn lock_changes_from_height_to_time_at_500_million() {
    assert_eq!(absolute(&locked(499_999_999, &[0]), 500_000_000, 0), Ok(()));
    assert!(absolute(&locked(500_000_000, &[0]), u32::MAX, 500_000_000).is_err());
    assert_eq!(absolute(&locked(500_000_000, &[0]), 0, 500_000_001), Ok(()));
}

#[test]
fn lock_holds_if_any_input_heeds_it() {
    assert_eq!(absolute(&locked(100, &[u32::MAX, u32::MAX]), 1, 0), Ok(()));
    assert!(absolute(&locked(100, &[u32::MAX, u32::MAX - 1]), 1, 0).is_err());
    assert_eq!(absolute(&locked(0, &[0]), 0, 0), Ok(()));
}

fn at_height(height: u32) -> Coin {
    Coin::new(Amount::ZERO, Script::new(), height, false)
}

/// The verdict in a block at `height` of a chain with a block each 600 s.
fn old_enough(transaction: &Transaction, coins: &[u32], height: u32) -> Result<(), Error> {
    let spent: Vec<Coin> = coins.iter().copied().map(at_height).collect();
    relative(transaction, &spent, height, GENESIS_TIME + 600 * (height - 1), &EveryTenMinutes)
}

#[test]
fn relative_lock_by_height_counts_from_the_coin() {
    let transaction = locked(0, &[10]);
    let error = old_enough(&transaction, &[90], 99).unwrap_err();
    assert_eq!((error, error.reason()), (Error::SequenceLocked { input: 0, sequence: 10 }, "bad-txns-nonfinal"));
    assert_eq!(old_enough(&transaction, &[90], 100), Ok(()));
    assert_eq!(old_enough(&locked(0, &[0]), &[90], 90), Ok(()), "0: in the same block");
    assert_eq!(old_enough(&locked(0, &[1]), &[90], 91), Ok(()), "1: in the next");
    assert!(old_enough(&locked(0, &[1]), &[90], 90).is_err());
}

#[test]
fn relative_lock_by_time_counts_from_before_the_coin() {
    // 75 units of 512 s are 64 blocks of 600 s. Both ends are the median time past before the block.
    let transaction = locked(0, &[(1 << 22) | 75]);
    assert!(old_enough(&transaction, &[90], 153).is_err());
    assert_eq!(old_enough(&transaction, &[90], 154), Ok(()));
    assert!(old_enough(&locked(0, &[(1 << 22) | 76]), &[90], 154).is_err(), "512 s more");
    let now = GENESIS_TIME + 600 * 89 + 75 * 512;
    let second = |now| relative(&transaction, &[at_height(90)], 154, now, &EveryTenMinutes);
    assert!(second(now - 1).is_err());
    assert_eq!(second(now), Ok(()));
    assert_eq!(old_enough(&locked(0, &[1 << 22]), &[0], 1), Ok(()), "a coin at height 0 counts from the genesis block");
}

#[test]
fn relative_lock_reads_only_its_own_bits() {
    let others = !((1 << 31) | (1 << 22) | 0xffff);
    assert_eq!(old_enough(&locked(0, &[others]), &[90], 90), Ok(()));
    assert_eq!(old_enough(&locked(0, &[(1 << 31) | 10]), &[90], 90), Ok(()), "disabled");
    assert!(old_enough(&locked(0, &[0xffff]), &[90], 90 + 65_534).is_err());
    assert_eq!(old_enough(&locked(0, &[0xffff]), &[90], 90 + 65_535), Ok(()));
}

#[test]
fn every_input_must_be_old_enough() {
    let error = old_enough(&locked(0, &[1, 1 << 31, 20]), &[80, 99, 81], 100);
    assert_eq!(error, Err(Error::SequenceLocked { input: 2, sequence: 20 }));
    assert_eq!(old_enough(&locked(0, &[1, 1 << 31, 20]), &[80, 99, 80], 100), Ok(()));
}

#[test]
fn relative_lock_needs_version_2_as_an_unsigned_number() {
    for (version, heeds) in [(0, false), (1, false), (2, true), (i32::MAX, true), (-1, true), (i32::MIN, true)] {
        let mut transaction = locked(0, &[10]).decoded().clone();
        transaction.version = Version(version);
        assert_eq!(old_enough(&parsed(&transaction), &[90], 90).is_err(), heeds, "version {version}");
    }
}
