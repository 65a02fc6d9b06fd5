//! Restarts, power cuts, damage, faults.

use super::*;

fn open(directory: &Path, local: PeerId) -> Store {
    Store::open(local, Some(directory), &config(1 << 20)).unwrap()
}

/// A store with records of peers and our own, and providers.
fn filled(directory: &Path, local: PeerId) -> Store {
    let mut store = open(directory, local);
    for number in 0..6_u64 {
        store.expect_from(Some(&PeerId::random()));
        store.put(record(&format!("theirs {number}"), number, &[1; 100])).unwrap();
        store.publish(&key(&format!("ours {number}")), vec![2; 100], 0).unwrap();
        store.add_provider(ProviderRecord::new(key(&format!("provided {number}")), local, Vec::new())).unwrap();
    }
    let address = "/ip4/192.0.2.1/tcp/6001".parse().unwrap();
    store.add_provider(ProviderRecord::new(key("provided 0"), PeerId::random(), vec![address])).unwrap();
    store
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn names(store: &Store) -> BTreeSet<Vec<u8>> {
    store.records().map(|record| record.key.to_vec()).collect()
}

#[test]
fn everything_is_there_again_after_a_restart() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = filled(folder.path(), local);
    store.published(&key("ours 0"), Instant::now());
    store.announce(&key("provided 0"), Instant::now());
    let before = names(&store);
    let address = store.providers(&key("provided 0")).into_iter().find(|held| held.provider != local).unwrap();
    drop(store);

    let store = open(folder.path(), local);
    assert_eq!(names(&store), before);
    for number in 0..6 {
        assert!(!store.entry(&key(&format!("theirs {number}"))).unwrap().is_ours());
        assert!(store.entry(&key(&format!("ours {number}"))).unwrap().is_ours());
    }
    assert_eq!(store.provided().count(), 6);
    let again = store.providers(&key("provided 0")).into_iter().find(|held| held.provider != local).unwrap();
    assert_eq!((again.provider, again.addresses), (address.provider, address.addresses));
    let (hour, now) = (Duration::from_secs(3_600), Instant::now());
    assert!(!store.is_due(store.entry(&key("ours 0")).unwrap(), hour, now));
    assert!(store.is_due(store.entry(&key("ours 1")).unwrap(), hour, now));
    assert!(!store.provide_due(hour, now).any(|name| *name == key("provided 0")));
    assert_eq!(store.provide_due(hour, now).count(), 5);
}

#[test]
fn a_copy_of_the_files_of_a_running_node_has_everything() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let store = filled(folder.path(), local);
    let copied = tempfile::tempdir().unwrap();
    // As a killed process leaves them: neither synced nor closed.
    copy(&folder.path().join("records"), &copied.path().join("records"));
    assert_eq!(names(&open(copied.path(), local)), names(&store));
}

#[test]
fn what_was_written_is_brought_to_the_disk_once() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = open(folder.path(), local);
    assert!(store.sync_later().is_none());
    store.put(record("a", 1, b"")).unwrap();
    store.sync_later().unwrap()();
    assert!(store.sync_later().is_none());
    store.remove(&key("a"));
    assert!(store.sync_later().is_some());
    assert!(memory(1 << 20).sync_later().is_none());
}

#[test]
fn expiries_are_on_the_wall_clock() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    drop(filled(folder.path(), local));
    let hours = |hours: u64| {
        let clock = Clock::new().later(Duration::from_secs(hours * 3_600));
        Store::open_at(local, Some(folder.path()), &config(1 << 20), clock).unwrap()
    };
    let left = |store: &Store| store.get(&key("theirs 0")).unwrap().expires.unwrap().duration_since(Instant::now());
    let hour = Duration::from_secs(3_600);
    assert!((hour * 47..=hour * 48).contains(&left(&hours(0))));
    assert!(left(&hours(47)) <= hour);
    let mut store = hours(49);
    assert!(store.get(&key("theirs 0")).is_none());
    assert!(store.get(&key("ours 0")).is_some());
    let positions: Vec<_> = store.index.iter().map(|(position, _)| *position).collect();
    let expired = positions.iter().filter(|position| store.expire(position, Instant::now())).count();
    assert_eq!((expired, store.len()), (6, 6));
    store.expire_providers(Instant::now());
    assert_eq!((store.providers.len(), store.provided().count()), (6, 6));
    drop(store);
    assert_eq!(hours(0).len(), 6, "what has expired is gone from the disk too");
}

#[test]
fn a_damaged_byte_costs_one_row_and_no_panic() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let before = names(&filled(folder.path(), local));
    let records = folder.path().join("records");
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    let path = fs::read_dir(&records).unwrap().map(|entry| entry.unwrap().path()).find(|path| is_log(path)).unwrap();
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let store = open(folder.path(), local);
        let left = names(&store);
        assert!(left.is_subset(&before) && before.len() - left.len() <= 1, "byte {at}");
        drop(store);
    }
}

#[test]
fn a_record_that_is_damaged_while_the_node_runs_is_struck_off_and_can_be_had_again() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = open(folder.path(), local);
    store.put(record("a", 1, &[7; 100])).unwrap();
    let is_log = |path: &Path| path.extension().is_some_and(|extension| extension == "log");
    let files = fs::read_dir(folder.path().join("records")).unwrap();
    let path = files.map(|entry| entry.unwrap().path()).find(|path| is_log(path)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();

    assert_eq!(held(&store, "a"), None);
    store.put(record("b", 1, b"")).unwrap();
    assert_eq!(store.len(), 1);
    store.put(record("a", 1, &[7; 100])).unwrap();
    assert!(held(&store, "a").is_some());
}

#[test]
fn a_disk_that_refuses_costs_the_record_and_not_the_node() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = open(folder.path(), local);
    let records = folder.path().join("records");
    fs::remove_dir_all(&records).unwrap();
    assert_eq!(store.publish(&key("a"), b"value".to_vec(), 0), Err(RecordError::Disk));
    store.put(record("a", 1, b"value")).unwrap_err();
    store.add_provider(ProviderRecord::new(key("a"), local, Vec::new())).unwrap_err();
    assert_eq!((store.len(), store.provided().count()), (0, 0));
    fs::create_dir(&records).unwrap();
    store.publish(&key("a"), b"value".to_vec(), 0).unwrap();
}

#[test]
fn a_second_node_is_told_what_to_do() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let _first = open(folder.path(), local);
    let error = Store::open(local, Some(folder.path()), &config(1 << 20)).unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)));
    let text = error.at(folder.path()).to_string();
    assert!(text.contains("another node") && text.contains("a directory of its own"), "{text}");
}

#[test]
fn the_files_never_outgrow_the_room() {
    let (folder, local, room) = (tempfile::tempdir().unwrap(), PeerId::random(), 8 << 20);
    let mut store = Store::open(local, Some(folder.path()), &config(room)).unwrap();
    let mut random = Random(1);
    let size = |path: &Path| -> u64 {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    };
    let mut largest = 0;
    // Some records stay for ever, so that what is cleaned has to be carried.
    for number in 0..20 {
        store.publish(&key(&format!("ours {number}")), vec![1; 20_000], 0).unwrap();
    }
    let sources: Vec<PeerId> = (0..10).map(|_| PeerId::random()).collect();
    for revision in 0..1_500 {
        store.expect_from(sources.get(usize::try_from(random.below(10)).unwrap()));
        let name = format!("theirs {}", random.below(200));
        let _ = store.put(record(&name, revision, &vec![2; usize::try_from(random.below(60_000)).unwrap()]));
        largest = largest.max(size(&folder.path().join("records")));
    }
    assert!(store.index.bytes() > room / 4, "{}", store.index.bytes());
    assert!(largest <= room, "{largest}");
    let before = names(&store);
    drop(store);
    let store = Store::open(local, Some(folder.path()), &config(room)).unwrap();
    assert_eq!(names(&store), before);
    for number in 0..20 {
        assert_eq!(held(&store, &format!("ours {number}")).unwrap().1, vec![1; 20_000]);
    }
}

#[test]
fn cleaning_that_fails_loses_nothing() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = open(folder.path(), local);
    let mut random = Random(2);
    for number in 0..8 {
        store.publish(&key(&format!("ours {number}")), vec![number; 10_000], 0).unwrap();
    }
    let mut failed = 0;
    for revision in 0..600 {
        // From time to time no new file can be made.
        let records = folder.path().join("records");
        if revision % 20 == 0 {
            fs::rename(&records, folder.path().join("away")).unwrap();
        } else if revision % 20 == 10 {
            fs::rename(folder.path().join("away"), &records).unwrap();
        }
        let name = format!("theirs {}", random.below(10));
        let put = store.put(record(&name, revision, &vec![2; usize::try_from(random.below(20_000)).unwrap()]));
        failed += usize::from(put.is_err());
        for number in 0..8 {
            assert_eq!(held(&store, &format!("ours {number}")).unwrap().1, vec![number; 10_000]);
        }
    }
    assert!(failed > 10, "{failed}");
    drop(store);
    let store = open(folder.path(), local);
    for number in 0..8 {
        assert_eq!(held(&store, &format!("ours {number}")).unwrap().1, vec![number; 10_000]);
    }
}

#[test]
fn less_room_than_before_keeps_what_is_closest_and_ours() {
    let (folder, local) = (tempfile::tempdir().unwrap(), PeerId::random());
    let mut store = Store::open(local, Some(folder.path()), &config(8 << 20)).unwrap();
    store.publish(&key("ours"), vec![1; 20_000], 0).unwrap();
    for number in 0..60 {
        store.expect_from(Some(&PeerId::random()));
        store.put(record(&number.to_string(), 1, &vec![2; 20_000])).unwrap();
    }
    let order: Vec<RecordKey> = store.index.iter().map(|(_, entry)| entry.key.clone()).collect();
    drop(store);
    let store = open(folder.path(), local);
    let limits = Limits::new(1 << 20);
    assert!(store.index.bytes() <= limits.bytes && store.index.bytes() > limits.bytes - 40_000);
    assert!(held(&store, "ours").is_some());
    let left: Vec<RecordKey> = store.index.iter().map(|(_, entry)| entry.key.clone()).collect();
    let theirs = |keys: &[RecordKey]| keys.iter().filter(|name| **name != key("ours")).cloned().collect::<Vec<_>>();
    assert_eq!(theirs(&left), theirs(&order)[..left.len() - 1]);
}
