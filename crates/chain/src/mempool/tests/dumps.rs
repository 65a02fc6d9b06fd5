//! The pool as bytes.

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;

use super::first;
use super::town::Town;
use crate::fixture::{self, Random};
use crate::integer::write_compact;
use crate::mempool::dump::{self, Error, Rest, Saved};

/// A pool of a parent, a child that pays for it, and a stranger.
fn town() -> Town {
    let mut town = Town::new();
    let (a, b) = (town.coin(100_000), town.coin(100_000));
    let parent = town.pay(&[a], &[99_900]);
    let child = town.pay_with(&[first(&parent)], &[50_000], |tx| tx.input[0].witness.push([7; 9]));
    let stranger = town.pay(&[b], &[99_000]);
    for payment in [&parent, &child, &stranger] {
        town.offer(payment).unwrap();
        town.now += 100;
    }
    town.pool.prioritise(stranger.txid(), -50);
    town.pool.prioritise(fixture::outpoint(4).txid, 1234);
    town.pool.mark_unbroadcast(child.txid());
    town
}

fn written(town: &Town, key: [u8; 8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    dump::write(&town.pool, key, &mut bytes).unwrap();
    bytes
}

/// The same as a file of version 1: nothing masked.
fn plain(town: &Town) -> Vec<u8> {
    let keyed = written(town, [0; 8]);
    [&1_u64.to_le_bytes(), &keyed[17..]].concat()
}

fn assert_same(town: &Town, bytes: Vec<u8>) {
    let mut reader = dump::read(bytes).unwrap();
    assert_eq!(reader.left(), 3);
    let saved: Vec<Saved> = reader.by_ref().map(Result::unwrap).collect();
    let expected: Vec<Saved> = town
        .pool
        .by_feerate()
        .map(|entry| Saved { transaction: entry.transaction().clone(), time: entry.time(), priority: entry.priority() })
        .collect();
    assert_eq!(saved, expected);
    let rest = Rest {
        priorities: vec![(fixture::outpoint(4).txid, 1234)],
        unbroadcast: town.pool.unbroadcast().iter().copied().collect(),
    };
    assert_eq!(reader.rest().unwrap(), rest);
}

#[test]
fn a_saved_pool_comes_back() {
    let town = town();
    assert_same(&town, plain(&town));
    for key in [[0; 8], [1, 2, 3, 4, 5, 6, 7, 8], [255; 8]] {
        assert_same(&town, written(&town, key));
    }
}

#[test]
fn the_bytes_are_those_of_core() {
    let mut town = Town::new();
    let coin = town.coin(100_000);
    let payment = town.pay(&[coin], &[99_000]);
    town.offer(&payment).unwrap();
    let key = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
    let bytes = written(&town, key);
    // Version, the key's length and the key are not masked; each byte after them with the key's at its own offset.
    assert_eq!(bytes[..17], [&2_u64.to_le_bytes()[..], &[8], &key].concat());
    assert_eq!(bytes[17], 1 ^ key[1]);
    let unmasked: Vec<u8> = bytes.iter().enumerate().skip(17).map(|(at, byte)| byte ^ key[at % 8]).collect();
    let mut expected = 1_u64.to_le_bytes().to_vec();
    expected.extend(serialize(payment.decoded()));
    expected.extend(i64::try_from(town.now).unwrap().to_le_bytes());
    expected.extend(0_i64.to_le_bytes());
    expected.extend([0, 0]);
    assert_eq!(unmasked, expected);
}

#[test]
fn an_empty_pool_is_saved_too() {
    let mut reader = dump::read(written(&Town::new(), [9; 8])).unwrap();
    assert!(reader.next().is_none());
    assert_eq!(reader.rest().unwrap(), Rest::default());
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let town = town();
    for whole in [plain(&town), written(&town, [3; 8])] {
        for length in 0..whole.len() {
            let read = dump::read(whole[..length].to_vec()).and_then(dump::Reader::rest);
            assert!(read.is_err(), "{length} of {} bytes", whole.len());
        }
        let longer = [whole.as_slice(), &[0]].concat();
        assert!(matches!(dump::read(longer).and_then(dump::Reader::rest), Err(Error::Trailing(1))));
    }
}

#[test]
fn other_versions_and_keys_are_refused() {
    assert!(matches!(dump::read(3_u64.to_le_bytes().to_vec()), Err(Error::Version(3))));
    for length in [0, 7, 9, 300] {
        let mut bytes = 2_u64.to_le_bytes().to_vec();
        write_compact(length, &mut bytes);
        bytes.extend([0; 400]);
        assert!(matches!(dump::read(bytes), Err(Error::Key(found)) if found == u64::try_from(length).unwrap()));
    }
}

#[test]
fn a_count_alone_takes_no_memory() {
    let mut bytes = 1_u64.to_le_bytes().to_vec();
    bytes.extend(u64::MAX.to_le_bytes());
    let mut reader = dump::read(bytes.clone()).unwrap();
    assert_eq!(reader.left(), u64::MAX);
    assert!(matches!(reader.next(), Some(Err(Error::Transaction { offset: 16, .. }))));
    assert!(reader.next().is_none(), "it ends after the first error");
    assert!(matches!(reader.rest(), Err(Error::Transaction { offset: 16, .. })), "and says it again");
    let mut bytes = [1_u64.to_le_bytes(), 0_u64.to_le_bytes()].concat();
    bytes.extend([0xff; 9]);
    bytes.extend(bitcoin::Txid::all_zeros().to_byte_array());
    assert!(matches!(dump::read(bytes).and_then(dump::Reader::rest), Err(Error::Integer { .. })));
}

#[test]
fn damaged_files_are_read_or_refused() {
    let town = town();
    let whole = plain(&town);
    for seed in 0..5000 {
        let mut random = Random(seed);
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            bytes[at] = u8::try_from(random.below(256)).unwrap();
        }
        if let Ok(mut reader) = dump::read(bytes) {
            let most = 1 + whole.len() / 60;
            assert!(reader.by_ref().take(most + 1).count() <= most, "seed {seed}");
        }
    }
}
