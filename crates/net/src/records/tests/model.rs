//! Random histories, against a model that is a map.

use super::*;

/// What the store should hold.
#[derive(Default)]
struct Model {
    records: BTreeMap<String, (u64, Vec<u8>, bool)>,
    providers: BTreeMap<String, BTreeSet<PeerId>>,
}

fn step(store: &mut Store, model: &mut Model, random: &mut Random, peers: &[PeerId]) {
    let name = format!("key {}", random.below(12));
    let bytes = vec![u8::try_from(random.below(256)).unwrap(); usize::try_from(random.below(3_000)).unwrap()];
    let peer = peers[usize::try_from(random.below(peers.len() as u64)).unwrap()];
    match random.below(10) {
        0..=4 => {
            let revision = random.below(6);
            store.expect_from(Some(&peer));
            let put = store.put(record(&name, revision, &bytes));
            let old = model.records.get(&name);
            let later = old.is_none_or(|(held, value, _)| (revision, &bytes) > (*held, value));
            let same = old.is_some_and(|(held, value, _)| (revision, &bytes) == (*held, value));
            assert_eq!(put.is_ok(), later || same);
            if later {
                model.records.insert(name, (revision, bytes, false));
            }
        }
        5 => {
            let revision = store.publish(&key(&name), bytes.clone(), 0).unwrap();
            assert!(model.records.get(&name).is_none_or(|(held, ..)| revision > *held));
            model.records.insert(name, (revision, bytes, true));
        }
        6 => {
            let ours = model.records.get_mut(&name).filter(|(.., ours)| *ours);
            assert_eq!(store.withdraw(&key(&name)), Ok(ours.is_some()));
            if let Some((.., ours)) = ours {
                *ours = false;
            }
        }
        7 => {
            store.remove(&key(&name));
            if model.records.get(&name).is_some_and(|(.., ours)| !ours) {
                model.records.remove(&name);
            }
        }
        8 => {
            store.add_provider(ProviderRecord::new(key(&name), peer, Vec::new())).unwrap();
            model.providers.entry(name).or_default().insert(peer);
        }
        _ => {
            store.remove_provider(&key(&name), &peer);
            model.providers.entry(name).or_default().remove(&peer);
        }
    }
}

fn compare(store: &Store, model: &Model) {
    assert_eq!(store.len(), model.records.len());
    for number in 0..12 {
        let name = format!("key {number}");
        let expected = model.records.get(&name);
        assert_eq!(held(store, &name), expected.map(|(revision, bytes, _)| (*revision, bytes.clone())));
        let ours = store.entry(&key(&name)).map(Entry::is_ours);
        assert_eq!(ours, expected.map(|(.., ours)| *ours));
        assert_eq!(peers(store, &name), model.providers.get(&name).cloned().unwrap_or_default());
    }
}

fn history(seed: u64, on_disk: bool) {
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let local = PeerId::random();
    let open = || Store::open(local, on_disk.then(|| folder.path()), &config(1 << 20)).unwrap();
    let mut peers: Vec<PeerId> = (0..5).map(|_| PeerId::random()).collect();
    peers.push(local);
    let (mut store, mut model) = (open(), Model::default());
    for _ in 0..200 {
        step(&mut store, &mut model, &mut random, &peers);
        if on_disk && random.below(25) == 0 {
            compare(&store, &model);
            drop(store);
            store = open();
        }
        if random.below(10) == 0 {
            compare(&store, &model);
        }
    }
    compare(&store, &model);
}

#[test]
fn every_history_ends_as_in_the_model() {
    for on_disk in [false, true] {
        for seed in 0..40 {
            let run = std::panic::catch_unwind(|| history(seed, on_disk));
            assert!(run.is_ok(), "seed {seed}, on disk: {on_disk}");
        }
    }
}
