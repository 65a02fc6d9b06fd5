//! At each bound, and one past it.

use super::*;

#[test]
fn the_longest_value_and_key_are_taken_and_one_byte_more_is_not() {
    let mut store = memory(1 << 24);
    store.put(record("a", 1, &vec![1; MAX_VALUE])).unwrap();
    let refused = store.put(record("b", 1, &vec![1; MAX_VALUE + 1]));
    assert!(matches!(refused, Err(store::Error::ValueTooLarge)));
    store.put(record(&"k".repeat(MAX_KEY), 1, b"")).unwrap();
    store.put(record(&"k".repeat(MAX_KEY + 1), 1, b"")).unwrap_err();
    store.put(record("", 1, b"")).unwrap_err();
    let provider = |name: &str| ProviderRecord::new(key(name), PeerId::random(), Vec::new());
    store.add_provider(provider(&"k".repeat(MAX_KEY))).unwrap();
    store.add_provider(provider(&"k".repeat(MAX_KEY + 1))).unwrap_err();
    store.add_provider(provider("")).unwrap_err();
    assert_eq!(store.len(), 2);
}

#[test]
fn a_value_of_another_format_is_refused() {
    let mut store = memory(1 << 24);
    store.put(Record::new(key("a"), b"anything".to_vec())).unwrap_err();
    store.put(Record::new(key("a"), Vec::new())).unwrap_err();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_revision_of_the_far_future_is_refused() {
    let mut store = memory(1 << 24);
    store.put(record("a", u64::MAX, b"")).unwrap_err();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_flood_from_one_peer_stays_within_its_share_and_leaves_room_for_others() {
    let limits = Limits::new(1 << 20);
    let mut store = memory(1 << 20);
    store.expect_from(Some(&PeerId::random()));
    let taken = (0..2_000).filter(|number| store.put(record(&format!("small {number}"), 1, b"")).is_ok()).count();
    assert_eq!(taken, limits.share_records);

    store.expect_from(Some(&PeerId::random()));
    let bytes = store.index.bytes();
    let large = |store: &mut Store| {
        (0..200).filter(|n| store.put(record(&format!("large {n}"), 1, &[0; 9_000])).is_ok()).count()
    };
    let taken = large(&mut store);
    assert!(taken > 10 && store.index.bytes() - bytes <= limits.share_bytes, "{taken}");

    store.expect_from(Some(&PeerId::random()));
    store.put(record("someone else's", 1, b"")).unwrap();
}

#[test]
fn a_flood_from_many_peers_stays_within_the_room_and_keeps_what_is_closest() {
    let limits = Limits::new(1 << 20);
    let mut store = memory(1 << 20);
    let mut distances = Vec::new();
    for number in 0..1_000 {
        let name = number.to_string();
        store.expect_from(Some(&PeerId::random()));
        let _ = store.put(record(&name, 1, b""));
        distances.push(store.distance(&key(&name)));
        assert!(store.len() <= limits.records);
    }
    distances.sort_unstable();
    let held: Vec<Distance> = store.index.iter().map(|(distance, _)| *distance).collect();
    assert_eq!(held, distances[..limits.records]);
}

#[test]
fn one_peer_does_not_have_us_write_for_ever() {
    let mut store = memory(1 << 30);
    store.expect_from(Some(&PeerId::random()));
    let value = vec![0; MAX_VALUE];
    let taken = (1..2_000).take_while(|revision| store.put(record("a", *revision, &value)).is_ok()).count();
    let most = usize::try_from(pace::BURST).unwrap() / MAX_VALUE;
    assert!((most - 1..1_998).contains(&taken), "{taken}");
    store.expect_from(Some(&PeerId::random()));
    store.put(record("a", 3_000, &value)).unwrap();
}

#[test]
fn our_own_fill_half_and_never_give_way() {
    let limits = Limits::new(1 << 20);
    let mut store = memory(1 << 20);
    for number in 0..limits.share_records {
        store.publish(&key(&format!("ours {number}")), Vec::new(), 0).unwrap();
    }
    assert_eq!(store.publish(&key("one more"), Vec::new(), 0), Err(RecordError::Full));
    assert!(store.publish(&key("ours 0"), b"anew".to_vec(), 0).is_ok());
    for number in 0..1_000 {
        store.expect_from(Some(&PeerId::random()));
        let _ = store.put(record(&number.to_string(), 1, &[0; 1_000]));
    }
    let ours = store.index.iter().filter(|(_, entry)| entry.is_ours()).count();
    assert_eq!(ours, limits.share_records);
    assert_eq!(store.withdraw(&key("ours 0")), Ok(true));
    assert!(store.publish(&key("one more"), Vec::new(), 0).is_ok());
}

#[test]
fn of_a_keys_providers_the_closest_stay() {
    let mut store = memory(1 << 24);
    let name = KBucketKey::new(key("a"));
    let mut all: Vec<PeerId> = (0..40).map(|_| PeerId::random()).collect();
    for peer in &all {
        let _ = store.add_provider(ProviderRecord::new(key("a"), *peer, Vec::new()));
    }
    all.sort_by_key(|peer| KBucketKey::from(*peer).distance(&name));
    assert_eq!(peers(&store, "a"), all[..limits::MAX_PROVIDERS_PER_KEY].iter().copied().collect());
    store.add_provider(ProviderRecord::new(key("a"), all[39], Vec::new())).unwrap_err();
    store.add_provider(ProviderRecord::new(key("a"), store.local, Vec::new())).unwrap();
    assert!(peers(&store, "a").contains(&store.local), "our own always has room");
    assert_eq!(peers(&store, "a").len(), limits::MAX_PROVIDERS_PER_KEY);
}

#[test]
fn one_peer_provides_no_more_keys_than_the_bound() {
    let mut store = memory(1 << 30);
    let peer = PeerId::random();
    let mut add = |number: usize| store.add_provider(ProviderRecord::new(key(&number.to_string()), peer, Vec::new()));
    for number in 0..limits::MAX_KEYS_PER_PROVIDER {
        add(number).unwrap();
    }
    add(limits::MAX_KEYS_PER_PROVIDER).unwrap_err();
    add(0).unwrap();
}

#[test]
fn providers_of_the_farthest_keys_give_way() {
    let limits = Limits::new(1 << 20);
    let mut store = memory(1 << 20);
    assert_eq!(limits.providers, 64);
    store.add_provider(ProviderRecord::new(key("ours"), store.local, Vec::new())).unwrap();
    let mut distances = Vec::new();
    for number in 0..300 {
        let name = key(&number.to_string());
        distances.push(store.distance(&name));
        let _ = store.add_provider(ProviderRecord::new(name, PeerId::random(), Vec::new()));
        assert!(store.providers.len() <= limits.providers);
    }
    distances.sort_unstable();
    let ours = store.distance(&key("ours"));
    let held: Vec<Distance> = store.providers.iter().map(|(at, _)| *at).filter(|at| *at != ours).collect();
    assert_eq!(held, distances[..63]);
    assert_eq!(store.provided().count(), 1);
}

#[test]
fn a_provider_has_no_more_and_no_longer_addresses_than_the_bounds() {
    let mut store = memory(1 << 24);
    let short = |number: usize| format!("/ip4/192.0.2.1/tcp/{number}").parse::<Multiaddr>().unwrap();
    let long = format!("/dns4/{}/tcp/1", "a".repeat(200)).parse::<Multiaddr>().unwrap();
    let addresses = std::iter::once(long).chain((1..=MAX_ADDRESSES + 1).map(short)).collect();
    store.add_provider(ProviderRecord::new(key("a"), PeerId::random(), addresses)).unwrap();
    let held = store.providers(&key("a"));
    assert_eq!(held[0].addresses, (1..=MAX_ADDRESSES).map(short).collect::<Vec<_>>());
}

#[test]
fn the_longest_rows_fit() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(PeerId::random(), Some(folder.path()), &config(1 << 24)).unwrap();
    let name = "k".repeat(MAX_KEY);
    let at = |length: usize| format!("/dns4/{}/tcp/1", "a".repeat(length)).parse::<Multiaddr>().unwrap();
    let longest = (100..200).map(at).rfind(|address| address.len() <= MAX_ADDRESS).unwrap();
    let addresses = vec![longest; MAX_ADDRESSES];
    store.add_provider(ProviderRecord::new(key(&name), PeerId::random(), addresses.clone())).unwrap();
    assert_eq!(store.providers(&key(&name))[0].addresses, addresses);
    store.put(record(&name, 1, &vec![1; MAX_VALUE])).unwrap();
    assert_eq!(held(&store, &name).unwrap().1.len(), MAX_VALUE);
}

#[test]
fn the_bounds_follow_from_the_room() {
    assert_eq!(Limits::new(0), Limits::new(1 << 20), "a little is always there");
    let usual = Limits::new(config::Records::default().room);
    assert_eq!((usual.records, usual.providers), (limits::MAX_RECORDS, limits::MAX_PROVIDERS));
    assert_eq!(Limits::new(u64::MAX).records, limits::MAX_RECORDS);
}
