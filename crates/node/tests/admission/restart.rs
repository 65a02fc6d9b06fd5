//! Pending transactions across restarts.

use std::fs;

use yap_node::admission::{Event, LoadError, MOST_SAVED_BYTES, Restored, SaveError};
use yap_protocol::io::Judged;
use yap_sim::lock::Kind;

use crate::town::{FEE, NOW, Town};

/// A town whose pool has some payments and a child, saved.
fn saved(seed: u64) -> (Town, usize) {
    let mut town = Town::new(seed);
    let mut all =
        [Kind::Wpkh, Kind::TrKey, Kind::WshMultisig, Kind::PublicKeyHash].map(|kind| town.pay_from(kind)).to_vec();
    let output = town.output_of(&all[1]);
    all.push(town.pay(output, 3 * FEE));
    for transaction in &all {
        assert_eq!(town.offer(transaction), Judged::Accepted);
    }
    let first = all[0].compute_txid();
    town.admission.prioritise(first, 777).unwrap();
    town.admission.mark_unbroadcast(first);
    assert_eq!(town.admission.save(&town.file()).unwrap(), all.len());
    (town, all.len())
}

fn restored(town: &mut Town) -> Restored {
    town.settle();
    match town.events.pop() {
        Some(Event::Restored(restored)) => restored,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pending_transactions_come_back() {
    let (mut town, count) = saved(80);
    let before: Vec<_> =
        town.admission.pool().by_feerate().map(|entry| (entry.txid(), entry.priority(), entry.time())).collect();
    let unbroadcast = town.admission.pool().unbroadcast().clone();
    town.restart();
    assert_eq!(town.admission.restore(&town.file(), NOW + 5).unwrap(), count as u64);
    assert!(matches!(town.admission.save(&town.file()), Err(SaveError::Restoring { .. })));
    let restored = restored(&mut town);
    assert_eq!((restored.accepted, restored.refused, restored.expired), (count as u64, 0, 0));
    assert!(restored.damage.is_none());
    let after: Vec<_> =
        town.admission.pool().by_feerate().map(|entry| (entry.txid(), entry.priority(), entry.time())).collect();
    assert_eq!(after, before);
    assert_eq!(*town.admission.pool().unbroadcast(), unbroadcast);
    assert_eq!(town.admission.save(&town.file()).unwrap(), count);
}

#[test]
fn what_a_block_has_meanwhile_does_not_come_back() {
    let (mut town, count) = saved(81);
    let mined = town.admission.pool().by_age().next().unwrap().transaction().decoded().clone();
    town.restart();
    town.mine(&[mined]);
    town.admission.restore(&town.file(), NOW).unwrap();
    let restored = restored(&mut town);
    assert_eq!((restored.accepted, restored.refused), (count as u64 - 1, 1));
}

#[test]
fn what_has_waited_too_long_does_not_come_back() {
    let (mut town, count) = saved(82);
    let expiry = town.admission.pool().limits().expiry;
    for (late, accepted) in [(0, count as u64), (1, 0)] {
        town.restart();
        town.admission.restore(&town.file(), NOW + expiry + late).unwrap();
        let restored = restored(&mut town);
        assert_eq!((restored.accepted, restored.expired), (accepted, count as u64 - accepted));
    }
}

#[test]
fn no_file_is_no_error() {
    let mut town = Town::new(83);
    assert_eq!(town.admission.restore(&town.file(), NOW).unwrap(), 0);
    assert!(!town.admission.is_restoring());
}

#[test]
fn file_that_is_too_large_is_not_read() {
    let mut town = Town::new(86);
    fs::File::create(town.file()).unwrap().set_len(MOST_SAVED_BYTES + 1).unwrap();
    let error = town.admission.restore(&town.file(), NOW).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
    assert!(town.file().exists());
}

#[test]
fn file_of_something_else_is_kept_aside() {
    let mut town = Town::new(84);
    fs::write(town.file(), b"not a pool at all").unwrap();
    let error = town.admission.restore(&town.file(), NOW).unwrap_err();
    assert!(error.to_string().contains("mempool.dat.damaged"), "{error}");
    let LoadError::Damaged { aside, .. } = error else { panic!("{error}") };
    assert_eq!(fs::read(aside).unwrap(), b"not a pool at all");
    assert!(!town.file().exists());
    assert_eq!(town.admission.save(&town.file()).unwrap(), 0);
}

#[test]
fn every_shortened_file_is_taken_as_far_as_it_goes_and_kept_aside() {
    let (mut town, count) = saved(85);
    let whole = fs::read(town.file()).unwrap();
    let aside = town.file().with_extension("dat.damaged");
    for length in (0..whole.len()).step_by(97) {
        town.restart();
        fs::write(town.file(), &whole[..length]).unwrap();
        if town.admission.restore(&town.file(), NOW).is_ok() {
            let restored = restored(&mut town);
            assert!(restored.damage.is_some(), "{length} bytes");
            assert!(restored.accepted <= count as u64);
            assert_eq!(town.admission.pool().len() as u64, restored.accepted);
        }
        assert_eq!(fs::read(&aside).unwrap().len(), length);
        assert!(!town.file().exists());
    }
}
