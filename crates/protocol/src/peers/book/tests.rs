use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::Random;
use crate::address::{Endpoint, Group, Host, Multiaddr};
use crate::message::Services;
use crate::time::{Time, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000);

fn at(ip: u32, port: u16) -> Address {
    Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Ipv4(Ipv4Addr::from(ip)), port } }
}

fn group(number: u32) -> Group {
    at(number << 16, 1).group()
}

fn book() -> (Book, Random) {
    (Book::new(Key([1, 2])), Random::new([9; 32]))
}

fn heard(address: &Address, source: Group) -> Heard {
    Heard { address: address.clone(), services: Services::NONE, seen: NOW, source, penalty: Duration::ZERO }
}

/// An address whose tried place is that of `address`, in the same group.
fn rival(book: &Book, address: &Address) -> Address {
    let place = |address: &Address| {
        let bucket = book.key.tried_bucket(address);
        (bucket, book.key.tried_slot(bucket, address))
    };
    (2..60_000).map(|port| at(0x0102_0304, port)).find(|other| place(other) == place(address)).unwrap()
}

#[test]
fn one_source_fills_no_more_than_its_buckets() {
    let (mut book, mut random) = book();
    for ip in 0..40_000_u32 {
        book.hear(&heard(&at(ip.wrapping_mul(0x9e37_79b9), 8333), group(7)), NOW, &mut random);
    }
    let buckets: BTreeSet<u16> = book.new.iter().map(|(bucket, _, _)| bucket).collect();
    assert!(buckets.len() <= 64, "{} buckets", buckets.len());
    assert!(book.len() <= 64 * 64);
    book.check();
}

#[test]
fn one_group_fills_no_more_than_its_tried_buckets() {
    let (mut book, mut random) = book();
    for port in 1..5000 {
        let address = at(0x0102_0304, port);
        book.hear(&heard(&address, group(u32::from(port))), NOW, &mut random);
        book.succeed(&address, Services::NONE, NOW);
    }
    let buckets: BTreeSet<u16> = book.tried.iter().map(|(bucket, _, _)| bucket).collect();
    assert!(buckets.len() <= 8, "{} buckets", buckets.len());
    book.check();
}

#[test]
fn an_address_is_in_eight_buckets_at_most() {
    let (mut book, mut random) = book();
    let address = at(0x0102_0304, 8333);
    for source in 0..20_000 {
        let later = Heard { seen: Timestamp(NOW.0 + u64::from(source)), ..heard(&address, group(source % 50_000)) };
        book.hear(&later, NOW, &mut random);
    }
    let Place::New(buckets) = &book.get(&address).unwrap().known.place else { panic!("nobody connected") };
    assert!((2..=8).contains(&buckets.len()), "{buckets:?}");
    book.check();
}

#[test]
fn a_good_address_keeps_its_place_before_a_newcomer() {
    let (mut book, mut random) = book();
    let old = at(0x0102_0304, 1);
    let newcomer = rival(&book, &old);
    for address in [&old, &newcomer] {
        book.hear(&heard(address, group(9)), NOW, &mut random);
        book.succeed(address, Services::NONE, NOW);
    }
    let tried = |book: &Book, address| book.get(address).unwrap().known.place == Place::Tried;
    assert!(tried(&book, &old) && !tried(&book, &newcomer));
    // The old one is to be tested.
    assert_eq!(book.contested(&mut random), Some(old.clone()));
    // It answers: it stays, and the contest is over.
    book.resolve(NOW);
    assert!(tried(&book, &old));
    assert_eq!(book.contested(&mut random), None);
    book.check();
}

#[test]
fn an_address_that_fails_its_test_gives_way() {
    let (mut book, mut random) = book();
    let old = at(0x0102_0304, 1);
    let newcomer = rival(&book, &old);
    book.hear(&heard(&old, group(9)), NOW, &mut random);
    book.succeed(&old, Services::NONE, NOW);
    let later = NOW.after(Duration::from_secs(5 * 60 * 60));
    book.hear(&heard(&newcomer, group(9)), later, &mut random);
    book.succeed(&newcomer, Services::NONE, later);
    book.resolve(later);
    assert_eq!(book.get(&old).unwrap().known.place, Place::Tried);
    book.attempt(&old, true, later, (Time::ZERO, &mut random));
    book.resolve(later.after(Duration::from_secs(30)));
    assert_eq!(book.get(&old).unwrap().known.place, Place::Tried, "it may still answer");
    book.resolve(later.after(Duration::from_secs(90)));
    assert_eq!(book.get(&newcomer).unwrap().known.place, Place::Tried);
    // It is not forgotten: it goes back to those that are to be tried.
    assert!(matches!(book.get(&old).unwrap().known.place, Place::New(_)));
    book.check();
}

#[test]
fn contests_have_a_bound() {
    let (mut book, mut random) = book();
    for port in 1..5000 {
        let address = at(0x0102_0304, port);
        book.hear(&heard(&address, group(u32::from(port))), NOW, &mut random);
        book.succeed(&address, Services::NONE, NOW);
    }
    assert_eq!(book.collisions.len(), MAX_COLLISIONS);
}

#[test]
fn an_address_is_terrible_when_it_failed_often_or_nobody_saw_it() {
    let (mut book, mut random) = book();
    let address = at(0x0102_0304, 8333);
    book.hear(&heard(&address, group(1)), NOW, &mut random);
    let terrible = |book: &Book, wall| book.get(&address).unwrap().is_terrible(wall);
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    assert!(!terrible(&book, NOW.after(month)));
    assert!(terrible(&book, NOW.after(month).after(Duration::from_secs(1))));
    let later = NOW.after(Duration::from_secs(120));
    for failures in 1..=3 {
        assert!(!terrible(&book, later), "{failures}");
        book.attempt(&address, true, NOW, (Time::ZERO, &mut random));
    }
    assert!(!terrible(&book, NOW), "it was dialled just now");
    assert!(terrible(&book, later));
    book.succeed(&address, Services::NONE, later);
    assert!(!terrible(&book, later.after(Duration::from_secs(120))));
}

#[test]
fn failures_make_an_address_rest_longer_and_longer() {
    let (mut book, mut random) = book();
    let address = at(0x0102_0304, 8333);
    book.hear(&heard(&address, group(1)), NOW, &mut random);
    let mut rests = Vec::new();
    for _ in 0..14 {
        book.attempt(&address, true, NOW, (Time::ZERO, &mut random));
        rests.push(book.get(&address).unwrap().rest);
    }
    assert!(rests[0] >= Time::from_secs(1) && rests[0] < Time::from_secs(2));
    assert!(rests[5] >= Time::from_secs(32));
    assert!(rests[13] >= Time::from_secs(600) && rests[13] < Time::from_secs(601), "{rests:?}");
    book.rested(&address);
    assert!(book.get(&address).unwrap().is_rested(Time::ZERO));
}

#[test]
fn tried_and_new_addresses_are_drawn_alike() {
    let (mut book, mut random) = book();
    for ip in 0..1000_u32 {
        let address = at(0x0100_0000 + (ip << 12), 8333);
        book.hear(&heard(&address, group(ip)), NOW, &mut random);
        if ip < 20 {
            book.succeed(&address, Services::NONE, Timestamp(NOW.0 - 4000));
        }
    }
    let drawn = (0..2000).filter(|_| {
        let entry = book.select(Among::All, NOW, &mut random, &|_| true).unwrap();
        entry.known.place == Place::Tried
    });
    let tried = drawn.count();
    assert!((850..1150).contains(&tried), "{tried} of 2000");
}

#[test]
fn an_address_that_failed_is_drawn_less() {
    let (mut book, mut random) = book();
    let addresses: Vec<Address> = (1..=2_u32).map(|ip| at(ip << 24, 8333)).collect();
    for address in &addresses {
        book.hear(&heard(address, group(1)), NOW, &mut random);
    }
    let long_ago = Timestamp(NOW.0 - 4000);
    for _ in 0..5 {
        book.attempt(&addresses[0], true, long_ago, (Time::ZERO, &mut random));
    }
    let drawn =
        (0..1000).filter(|_| book.select(Among::All, NOW, &mut random, &|_| true).unwrap().address == addresses[0]);
    let failed = drawn.count();
    assert!((20..350).contains(&failed), "{failed} of 1000");
}

#[test]
fn the_only_address_that_fits_is_found() {
    let (mut book, mut random) = book();
    for ip in 0..200_u32 {
        book.hear(&heard(&at(ip << 20, 8333), group(ip)), NOW, &mut random);
    }
    let wanted = book.iter().next().unwrap().address.clone();
    for _ in 0..50 {
        let found = book.select(Among::All, NOW, &mut random, &|entry| entry.address == wanted);
        assert_eq!(found.map(|entry| &entry.address), Some(&wanted));
    }
    assert!(book.select(Among::All, NOW, &mut random, &|_| false).is_none());
}

#[test]
fn a_key_has_a_bounded_number_of_addresses() {
    let (mut book, mut random) = book();
    let identity = Some(Identity([3; 32]));
    for ip in 0..=MAX_PER_IDENTITY {
        let address = Address { identity, ..at((ip as u32 + 1) << 24, 8333) };
        let fresh = book.hear(&heard(&address, group(1)), NOW, &mut random);
        assert_eq!(fresh, ip < MAX_PER_IDENTITY, "{ip}");
    }
    book.check();
}

fn record(identity: Identity, sizes: &[usize]) -> Arc<PeerRecord> {
    let endpoints = sizes.iter().map(|size| Multiaddr::new(&vec![1; *size]).unwrap()).collect();
    Arc::new(PeerRecord { identity, sequence: 1, services: Services::NONE, endpoints, signature: [0; 64] })
}

#[test]
fn a_record_is_kept_as_long_as_an_address_and_has_a_bound() {
    let (mut book, mut random) = book();
    let identity = Identity([3; 32]);
    let address = Address { identity: Some(identity), ..at(0x0102_0304, 1) };
    assert!(!book.keep_record(&record(identity, &[20])), "nobody knows where it is");
    book.hear(&heard(&address, group(1)), NOW, &mut random);
    assert!(!book.keep_record(&record(identity, &[256, 256, 256, 256, 1])));
    assert!(book.keep_record(&record(identity, &[256, 256, 256, 256])));
    assert!(book.record(&identity).is_some());
    book.check();
    book.forget(&address);
    assert!(book.record(&identity).is_none());
    book.check();
}

#[test]
fn records_have_a_bound() {
    let (mut book, mut random) = book();
    let mut kept = 0;
    for number in 0..8000_u32 {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let address = Address { identity: Some(Identity(key)), ..at(number << 12, 1) };
        book.hear(&heard(&address, group(number)), NOW, &mut random);
        kept += usize::from(book.keep_record(&record(Identity(key), &[8])));
    }
    assert_eq!(kept, MAX_RECORDS);
    assert!(book.len() > MAX_RECORDS);
    book.check();
}

#[test]
fn an_empty_book_takes_no_room() {
    let (book, _) = book();
    assert_eq!(book.entries.capacity(), 0);
    assert_eq!(book.index.capacity(), 0);
}
