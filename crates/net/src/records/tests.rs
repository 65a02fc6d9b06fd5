//! The store as a whole: against a model, over restarts, with damaged files, at its bounds.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::error::RecordError;

mod bounds;
mod disk;
mod model;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn config(room: u64) -> config::Records {
    config::Records { room, ..config::Records::default() }
}

fn memory(room: u64) -> Store {
    Store::open(PeerId::random(), None, &config(room)).unwrap()
}

fn key(name: &str) -> RecordKey {
    RecordKey::new(&name)
}

fn record(name: &str, revision: u64, bytes: &[u8]) -> Record {
    Record::new(key(name), Value { revision, bytes }.encode())
}

/// What is held under a key.
fn held(store: &Store, name: &str) -> Option<(u64, Vec<u8>)> {
    let record = store.get(&key(name))?;
    let value = Value::decode(&record.value).unwrap();
    Some((value.revision, value.bytes.to_vec()))
}

fn peers(store: &Store, name: &str) -> BTreeSet<PeerId> {
    store.providers(&key(name)).into_iter().map(|record| record.provider).collect()
}

#[test]
fn a_later_value_replaces_an_earlier_one_and_never_the_other_way() {
    let mut store = memory(1 << 24);
    store.put(record("a", 5, b"five")).unwrap();
    store.put(record("a", 4, b"four")).unwrap_err();
    assert_eq!(held(&store, "a"), Some((5, b"five".to_vec())));
    store.put(record("a", 6, b"six")).unwrap();
    store.put(record("a", 6, b"six")).unwrap();
    store.put(record("a", 6, b"SIX")).unwrap_err();
    store.put(record("a", 6, b"sixx")).unwrap();
    assert_eq!(held(&store, "a"), Some((6, b"sixx".to_vec())));
    assert_eq!(store.len(), 1);
}

#[test]
fn what_we_put_is_later_than_what_was_there() {
    let mut store = memory(1 << 24);
    let ahead = store.millis(Instant::now()) + 1_000_000;
    store.put(record("a", ahead, b"theirs")).unwrap();
    assert_eq!(store.publish(&key("a"), b"ours".to_vec(), 0), Ok(ahead + 1));
    assert_eq!(held(&store, "a"), Some((ahead + 1, b"ours".to_vec())));
    assert_eq!(store.publish(&key("a"), b"ours again".to_vec(), ahead + 10), Ok(ahead + 11));
}

#[test]
fn our_record_is_ours_until_someone_puts_a_later_one() {
    let mut store = memory(1 << 24);
    let revision = store.publish(&key("a"), b"ours".to_vec(), 0).unwrap();
    store.put(record("a", revision - 1, b"old")).unwrap_err();
    store.put(record("a", revision, b"ours")).unwrap();
    assert!(store.entry(&key("a")).unwrap().is_ours());
    store.put(record("a", revision + 1, b"theirs")).unwrap();
    assert!(!store.entry(&key("a")).unwrap().is_ours());
}

#[test]
fn a_record_that_was_withdrawn_is_one_of_anybodys() {
    let mut store = memory(1 << 24);
    assert_eq!(store.withdraw(&key("a")), Ok(false));
    store.publish(&key("a"), b"ours".to_vec(), 0).unwrap();
    assert_eq!(store.withdraw(&key("a")), Ok(true));
    assert!(!store.entry(&key("a")).unwrap().is_ours());
    assert_eq!(store.withdraw(&key("a")), Ok(false));
    let lifetime = config::Records::default().lifetime;
    let (position, _) = store.after(None).unwrap();
    assert!(!store.expire(&position, Instant::now()));
    assert!(store.expire(&position, Instant::now() + lifetime + Duration::from_secs(1)));
    assert_eq!(store.len(), 0);
}

#[test]
fn ours_never_expires_and_is_not_removed() {
    let mut store = memory(1 << 24);
    store.publish(&key("a"), b"ours".to_vec(), 0).unwrap();
    store.add_provider(ProviderRecord::new(key("b"), store.local, Vec::new())).unwrap();
    let (position, _) = store.after(None).unwrap();
    let late = Instant::now() + Duration::from_secs(1 << 30);
    assert!(!store.expire(&position, late));
    store.expire_providers(late);
    store.remove(&key("a"));
    assert!(held(&store, "a").is_some());
    assert_eq!(store.provided().count(), 1);
}

#[test]
fn a_record_given_again_for_longer_lives_longer_and_one_for_shorter_does_not() {
    let mut store = memory(1 << 24);
    let hours = |hours: u64| Some(Instant::now() + Duration::from_secs(hours * 3_600));
    let mut put = |hours: Option<Instant>| {
        store.put(Record { expires: hours, ..record("a", 1, b"value") }).unwrap();
        store.get(&key("a")).unwrap().expires.unwrap()
    };
    let first = put(hours(10));
    assert!(put(hours(5)).duration_since(first) < Duration::from_secs(1));
    let second = put(hours(20));
    assert!(second.duration_since(first) > Duration::from_secs(9 * 3_600));
    let most = put(hours(1_000)).duration_since(second);
    assert!(most < Duration::from_secs(29 * 3_600), "not longer than a record lives at all");
}

#[test]
fn a_record_in_its_last_moment_is_given_to_nobody() {
    let mut store = memory(1 << 24);
    let left = |seconds: u64| Some(Instant::now() + Duration::from_secs(seconds));
    store.put(Record { expires: left(2), ..record("short", 1, b"") }).unwrap();
    store.put(Record { expires: left(10), ..record("long", 1, b"") }).unwrap();
    assert!(store.get(&key("short")).is_none());
    assert!(store.get(&key("long")).is_some());
    let entry = store.entry(&key("long")).unwrap();
    assert!(store.lasts(entry, Duration::from_secs(5), Instant::now()));
    assert!(!store.lasts(entry, Duration::from_secs(15), Instant::now()));
}

#[test]
fn what_peers_gave_is_told_once() {
    let mut store = memory(1 << 24);
    store.put(record("a", 1, b"1")).unwrap();
    store.put(record("a", 1, b"1")).unwrap();
    store.put(record("a", 0, b"0")).unwrap_err();
    assert_eq!(store.received(), [key("a"), key("a")]);
    assert!(store.received().is_empty());
    for number in 0..=MAX_RECEIVED {
        store.put(record("a", number as u64 + 2, b"")).unwrap();
    }
    assert_eq!(store.received().len(), MAX_RECEIVED);
}

#[test]
fn the_peers_that_have_a_record_are_remembered_up_to_a_bound_and_forgotten_with_the_value() {
    let mut store = memory(1 << 24);
    store.put(record("a", 1, b"1")).unwrap();
    let most = u32::try_from(keep::MAX_KNOWN).unwrap();
    for peer in 0..=most {
        store.know(&key("a"), &[peer], None);
    }
    let known = store.entry(&key("a")).unwrap().known().unwrap().to_vec();
    assert_eq!(known, (1..=most).collect::<Vec<_>>());
    store.know(&key("a"), &[1], Some(Instant::now()));
    assert_eq!(store.entry(&key("a")).unwrap().known().unwrap().last(), Some(&1));
    store.put(record("a", 2, b"2")).unwrap();
    assert_eq!(store.entry(&key("a")).unwrap().known(), None);
    assert_eq!(store.entry(&key("a")).unwrap().touched(), None);
}

#[test]
fn what_is_ours_is_due_when_it_was_put_long_ago() {
    let mut store = memory(1 << 24);
    let (hour, now) = (Duration::from_secs(3_600), Instant::now());
    store.publish(&key("a"), b"ours".to_vec(), 0).unwrap();
    let due = |store: &Store, at| store.is_due(store.entry(&key("a")).unwrap(), hour, at);
    assert!(due(&store, now), "nobody took it yet");
    store.published(&key("a"), now);
    assert!(!due(&store, now + hour / 2));
    assert!(due(&store, now + hour + Duration::from_secs(1)));

    let provided = |store: &Store, at| store.provide_due(hour, at).cloned().collect::<Vec<_>>();
    store.add_provider(ProviderRecord::new(key("b"), store.local, Vec::new())).unwrap();
    assert_eq!(provided(&store, now), [key("b")]);
    store.announce(&key("b"), now);
    assert_eq!(provided(&store, now + hour / 2), []);
    assert_eq!(provided(&store, now + hour + Duration::from_secs(1)), [key("b")]);
}

#[test]
fn every_record_is_met_once_in_the_order_of_its_distance() {
    let mut store = memory(1 << 24);
    for number in 0..50 {
        store.put(record(&number.to_string(), 1, b"")).unwrap();
    }
    let mut position = None;
    let mut met = Vec::new();
    while let Some((next, entry)) = store.after(position.as_ref()) {
        assert!(position < Some(next));
        met.push(entry.key().clone());
        position = Some(next);
    }
    assert_eq!((met.len(), store.records().count()), (50, 50));
}
