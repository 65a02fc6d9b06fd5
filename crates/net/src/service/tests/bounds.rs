//! Bounds and deadlines, without any network: nobody polls the DHT, so no peer ever answers.

use super::super::upkeep::MAX_RUNNING;
use super::*;
use crate::records::Versioned;
use libp2p::kad::Record;
use libp2p::kad::store::RecordStore as _;

/// Lets the service do what is due until `end`.
fn run(service: &mut Service, kad: &mut Kad, end: Instant) {
    for _ in 0..100_000 {
        match service.next_deadline() {
            Some(deadline) if deadline <= end => service.deadline(kad, deadline),
            _ => return,
        }
    }
    panic!("the service is never done");
}

#[test]
fn every_request_is_answered_in_time_though_nobody_answers() {
    let (mut service, mut kad) = unpolled(5);
    let start = Instant::now();
    let key = || b"a".to_vec();
    let (put, mut put_answer) = oneshot::channel();
    let (get, mut get_answer) = oneshot::channel();
    let (provide, mut provide_answer) = oneshot::channel();
    let (providers, mut providers_answer) = oneshot::channel();
    let (find, mut find_answer) = oneshot::channel();
    for request in [
        Request::Put { key: key(), value: Vec::new(), reply: put },
        Request::Get { key: key(), reply: get },
        Request::Provide { key: key(), reply: provide },
        Request::Providers { key: key(), reply: providers },
        Request::FindPeer { identity: PeerId::random(), reply: find },
    ] {
        service.request(&mut kad, request, start);
    }
    assert_eq!(service.waiting(), 5);
    run(&mut service, &mut kad, start + PATIENCE);
    assert_eq!(put_answer.try_recv(), Ok(Ok(Stored { copies: 0 })));
    assert_eq!(get_answer.try_recv(), Ok(Err(RecordError::Timeout)));
    assert_eq!(provide_answer.try_recv(), Ok(Err(RecordError::Timeout)));
    assert_eq!(providers_answer.try_recv(), Ok(Err(RecordError::Timeout)));
    assert_eq!(find_answer.try_recv(), Ok(Vec::new()));
    assert_eq!(service.waiting(), 0);
}

#[test]
fn no_more_requests_wait_than_the_bound() {
    let (mut service, mut kad) = unpolled(5);
    let mut ask = || {
        let (reply, answer) = oneshot::channel();
        service.request(&mut kad, Request::Get { key: b"a".to_vec(), reply }, Instant::now());
        answer
    };
    let mut answers: Vec<_> = (0..MAX_REQUESTS).map(|_| ask()).collect();
    assert!(answers.iter_mut().all(|answer| answer.try_recv().is_err()));
    assert_eq!(ask().try_recv(), Ok(Err(RecordError::Busy)));
}

#[test]
fn upkeep_never_has_more_under_way_than_its_bound() {
    let (mut service, mut kad) = unpolled(5);
    let start = Instant::now();
    for number in 0..1_000_u32 {
        let value = Versioned { revision: 1, bytes: &[0; 100] }.encode();
        let key = number.to_be_bytes().to_vec();
        kad.store_mut().put(Record::new(key.clone(), value)).unwrap();
        // Nobody has it.
        kad.store_mut().know(&key.into(), &[], None);
    }
    service.upkeep.changed(start);
    let mut most = 0;
    for step in 0..1_000 {
        service.deadline(&mut kad, start + Duration::from_millis(step * 10));
        most = most.max(service.running());
    }
    assert_eq!(most, MAX_RUNNING);
}

#[test]
fn all_that_we_provide_is_told_anew_within_the_bound_of_upkeep() {
    let (mut service, mut kad) = unpolled(5);
    let local = service.local;
    for number in 0..20_u32 {
        let record = kad::ProviderRecord::new(number.to_be_bytes().to_vec(), local, Vec::new());
        kad.store_mut().add_provider(record).unwrap();
    }
    let start = Instant::now();
    service.upkeep.changed(start);
    service.deadline(&mut kad, start + Duration::from_secs(3));
    assert_eq!(service.running(), MAX_RUNNING);
    let told: std::collections::BTreeSet<String> =
        service.tasks.values().map(|task| format!("{:?}", task.work)).collect();
    assert_eq!(told.len(), MAX_RUNNING, "each another key");
}

#[test]
fn what_was_written_is_brought_to_the_disk_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let (mut service, mut kad) = unpolled(0);
    let store = crate::records::Store::open(service.local, Some(folder.path()), &config()).unwrap();
    *kad.store_mut() = store;
    let start = Instant::now();
    let put = |kad: &mut Kad| kad.store_mut().publish(&RecordKey::new(b"a"), Vec::new(), 0).unwrap();
    put(&mut kad);
    assert!(kad.store_mut().sync_later().is_some());
    put(&mut kad);
    service.deadline(&mut kad, start + Duration::from_secs(6));
    assert!(kad.store_mut().sync_later().is_none());
}

#[test]
fn upkeep_waits_when_it_has_given_much() {
    let (mut service, mut kad) = unpolled(5);
    let start = Instant::now();
    for number in 0..50_u32 {
        let value = Versioned { revision: 1, bytes: &[0; MAX_VALUE] }.encode();
        kad.store_mut().put(Record::new(number.to_be_bytes().to_vec(), value)).unwrap();
    }
    service.upkeep.spend(10 << 20);
    service.deadline(&mut kad, start + Duration::from_secs(4));
    assert_eq!(service.running(), 0, "six megabytes too many, at one in a second");
    service.deadline(&mut kad, start + Duration::from_secs(8));
    assert!(service.running() > 0);
}

#[test]
fn with_nothing_to_do_the_service_sleeps() {
    let local = PeerId::random();
    let config = config::Records::default();
    let start = Instant::now();
    let mut service = Service::new(local, &config, start);
    let store = crate::records::Store::open(local, None, &config).unwrap();
    let chain = config::Chain { name: String::new(), genesis: "0f".repeat(32).parse().unwrap(), magic: [0; 4] };
    let mut kad = behaviour(local, &chain, &config, store);
    let mut woken = 0;
    while let Some(deadline) = service.next_deadline().filter(|deadline| *deadline < start + Duration::from_secs(600)) {
        service.deadline(&mut kad, deadline);
        woken += 1;
    }
    assert!(woken <= 150, "{woken} times in ten minutes");
}

#[test]
fn a_peer_that_can_not_be_dialled_leaves_the_routing_table() {
    let (mut service, mut kad) = unpolled(0);
    let peer = PeerId::random();
    kad.add_address(&peer, "/memory/1".parse().unwrap());
    assert!(kad.addresses(&peer).is_some());
    service.unreachable(&mut kad, &peer, Instant::now());
    assert_eq!(kad.addresses(&peer), None);
}

#[test]
fn a_lost_peer_is_dialled_after_a_moment_if_it_is_in_the_routing_table() {
    let (mut service, mut kad) = unpolled(0);
    let (start, peer, stranger) = (Instant::now(), PeerId::random(), PeerId::random());
    kad.add_address(&peer, "/memory/1".parse().unwrap());
    service.peer_lost(&peer, start);
    service.peer_lost(&stranger, start);
    service.deadline(&mut kad, start);
    assert!(!format!("{kad:?}").contains(&peer.to_string()), "not at once");
    service.deadline(&mut kad, start + Duration::from_secs(3));
    let probes = format!("{kad:?}");
    assert!(probes.contains(&peer.to_string()) && !probes.contains(&stranger.to_string()), "{probes}");
}

#[test]
fn the_holders_of_a_record_are_the_closest_of_all_and_this_node_counts() {
    let (service, mut kad) = unpolled(11);
    let peers: Vec<PeerId> = kad
        .kbuckets()
        .flat_map(|bucket| bucket.iter().map(|entry| *entry.node.key.preimage()).collect::<Vec<_>>())
        .collect();
    assert_eq!(peers.len(), 11);
    let mut ours = 0;
    for number in 0..100_u32 {
        let key = RecordKey::new(&number.to_be_bytes());
        let hashed = KBucketKey::new(key.clone());
        let mut all = peers.clone();
        all.push(service.local);
        all.sort_by_cached_key(|peer| KBucketKey::from(*peer).distance(&hashed));
        all.truncate(4);
        ours += usize::from(all.contains(&service.local));
        all.retain(|peer| *peer != service.local);
        assert_eq!(service.closest(&mut kad, &key), all);
    }
    assert!((1..100).contains(&ours));
    kad.set_mode(Some(kad::Mode::Client));
    for number in 0..100_u32 {
        assert_eq!(service.closest(&mut kad, &RecordKey::new(&number.to_be_bytes())).len(), 4, "it answers nobody");
    }
}

#[test]
fn a_chain_of_its_own_has_a_dht_of_its_own() {
    let (_, kad) = unpolled(0);
    assert_eq!(kad.protocol_names()[0].as_ref(), "/yap/0f0f0f0f/kad/1");
}
