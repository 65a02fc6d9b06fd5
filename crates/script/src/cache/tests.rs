use std::sync::Arc;

use bitcoin::consensus::serialize;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Witness, absolute, transaction};
use yap_chain::transaction::Transaction;
use yap_chain::verify::Flags;

use super::*;

const NONCE: [u8; 32] = [42; 32];

/// Transactions that differ by their lock time.
fn job(number: u32) -> Job {
    let transaction = bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(number),
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ZERO,
            witness: Witness::from_slice(&[[7]]),
        }],
        output: vec![TxOut { value: Amount::ONE_SAT, script_pubkey: ScriptBuf::new() }],
    };
    let transaction = Transaction::parse(serialize(&transaction)).unwrap();
    Job { transaction: transaction.raw().clone(), spent: Arc::from([]), flags: Flags::ALL }
}

#[test]
fn what_was_inserted_is_found_and_nothing_else() {
    let cache = Cache::new(64, NONCE);
    assert!(!cache.contains(&job(1)));
    cache.insert(&job(1));
    assert!(cache.contains(&job(1)));
    assert!(!cache.contains(&job(2)));
    cache.insert(&job(1));
    assert_eq!(cache.len(), 1);
}

#[test]
fn other_flags_are_another_entry() {
    let cache = Cache::new(64, NONCE);
    cache.insert(&Job { flags: Flags::P2SH, ..job(1) });
    assert!(cache.contains(&Job { flags: Flags::P2SH, ..job(1) }));
    // Found good under fewer rules says nothing of more rules.
    assert!(!cache.contains(&job(1)));
}

#[test]
fn a_full_cache_forgets_the_oldest_entry() {
    let cache = Cache::new(WAYS, NONCE);
    let ways = u32::try_from(WAYS).unwrap();
    (0..ways).for_each(|number| cache.insert(&job(number)));
    assert!((0..ways).all(|number| cache.contains(&job(number))), "all fit at the bound");
    cache.insert(&job(ways));
    assert_eq!(cache.len(), WAYS);
    assert!(!cache.contains(&job(0)), "the first has gone");
    assert!((1..=ways).all(|number| cache.contains(&job(number))));
}

#[test]
fn memory_is_bounded_however_much_is_inserted() {
    let cache = Cache::new(256, NONCE);
    (0..5_000).for_each(|number| cache.insert(&job(number)));
    assert_eq!(cache.len(), 256, "every set is full, none is over");
    assert_eq!(cache.table.read().unwrap().sets.len(), 256 / WAYS);
    assert!(cache.contains(&job(4_999)));
}

#[test]
fn the_nonce_decides_the_key() {
    let (one, other) = (Cache::new(8, NONCE), Cache::new(8, [43; 32]));
    assert_ne!(one.key(&job(1)), other.key(&job(1)));
}
