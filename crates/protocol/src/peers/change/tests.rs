#![allow(clippy::cast_possible_truncation, clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::Random;
use crate::address::{Endpoint, Host, Multiaddr};

fn any_bytes<const N: usize>(random: &mut Random) -> [u8; N] {
    std::array::from_fn(|_| random.next_u64() as u8)
}

fn any_host(random: &mut Random) -> Host {
    match random.below(5) {
        0 => Host::Ipv4(Ipv4Addr::from(any_bytes::<4>(random))),
        1 => Host::Ipv6(Ipv6Addr::from(any_bytes::<16>(random))),
        2 => Host::Tor(any_bytes(random)),
        3 => Host::I2p(any_bytes(random)),
        _ => Host::Cjdns(Ipv6Addr::from(any_bytes::<16>(random))),
    }
}

fn any_address(random: &mut Random) -> Address {
    let identity = (random.below(2) == 0).then(|| Identity(any_bytes(random)));
    let endpoint = if random.below(2) == 0 {
        Endpoint::Bitcoin { host: any_host(random), port: random.next_u64() as u16 }
    } else {
        let length = random.index(crate::address::MAX_MULTIADDR) + 1;
        Endpoint::Libp2p(Multiaddr::new(&vec![random.next_u64() as u8; length]).unwrap())
    };
    Address { identity, endpoint }
}

fn any_known(random: &mut Random) -> Known {
    let buckets = (0..random.below(9)).map(|_| random.below(1024) as u16).collect();
    Known {
        services: Services(random.next_u64()),
        seen: Timestamp(random.next_u64()),
        source: Group::of_number(random.next_u64()),
        tried: Timestamp(random.next_u64()),
        succeeded: Timestamp(random.next_u64()),
        failures: random.next_u64() as u8,
        place: if random.below(2) == 0 { Place::Tried } else { Place::New(buckets) },
    }
}

fn any_record(identity: Identity, random: &mut Random) -> Arc<PeerRecord> {
    let endpoints = (0..random.below(17)).map(|_| Multiaddr::new(&any_bytes::<9>(random)).unwrap()).collect();
    let (sequence, services) = (random.next_u64(), Services(random.next_u64()));
    Arc::new(PeerRecord { identity, sequence, services, endpoints, signature: any_bytes(random) })
}

fn any_set(random: &mut Random) -> ChangeSet {
    let key = (random.below(2) == 0).then(|| [random.next_u64(), random.next_u64()]);
    let mut set = ChangeSet { key, ..ChangeSet::default() };
    for _ in 0..random.below(6) {
        let known = (random.below(3) > 0).then(|| any_known(random));
        set.addresses.insert(any_address(random), known);
        let identity = Identity(any_bytes(random));
        let record = (random.below(3) > 0).then(|| any_record(identity, random));
        set.records.insert(identity, record);
        let target = if random.below(2) == 0 { Target::Identity(identity) } else { Target::Host(any_host(random)) };
        let mut time = || Timestamp(random.next_u64());
        let ban = Ban { since: time(), until: time() };
        set.bans.insert(target, (random.below(3) > 0).then_some(ban));
    }
    set.anchors = (random.below(2) == 0).then(|| (0..random.below(9)).map(|_| any_address(random)).collect());
    set
}

#[test]
fn what_is_written_is_read() {
    let mut random = Random::new([1; 32]);
    for round in 0..500 {
        let set = any_set(&mut random);
        assert_eq!(ChangeSet::decode(&set.encode()), Ok(set), "round {round}");
    }
}

#[test]
fn a_ban_that_was_kept_without_its_beginning_is_read() {
    let target = Target::Host(Host::Ipv4(Ipv4Addr::new(192, 0, 2, 7)));
    let ban = Ban { since: Timestamp(0), until: Timestamp(77) };
    let bytes = [&[1, 3, 0, 192, 0, 2, 7, 1][..], &77_u64.to_le_bytes()].concat();
    let set = ChangeSet { bans: BTreeMap::from([(target.clone(), Some(ban))]), ..ChangeSet::default() };
    assert_eq!(ChangeSet::decode(&bytes), Ok(set));
    let lifted = ChangeSet { bans: BTreeMap::from([(target, None)]), ..ChangeSet::default() };
    assert_eq!(ChangeSet::decode(&[1, 3, 0, 192, 0, 2, 7, 0]), Ok(lifted));
}

#[test]
fn damaged_bytes_are_refused_or_read_and_never_more() {
    let mut random = Random::new([2; 32]);
    for _ in 0..2000 {
        let mut bytes = any_set(&mut random).encode();
        let at = random.index(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        if let Ok(set) = ChangeSet::decode(&bytes) {
            assert!(set.len() <= bytes.len());
        }
    }
    let whole = any_set(&mut random).encode();
    assert_eq!(ChangeSet::decode(&[]), Err(DecodeError::End));
    assert_eq!(ChangeSet::decode(&[2]), Err(DecodeError::Version(2)));
    assert_eq!(ChangeSet::decode(&[1, 9]), Err(DecodeError::Tag(9)));
    assert!((0..whole.len()).all(|end| ChangeSet::decode(&whole[..end]).is_ok_and(|set| set.len() < whole.len())
        || ChangeSet::decode(&whole[..end]).is_err()));
}

#[test]
fn anchors_have_a_bound() {
    let mut random = Random::new([3; 32]);
    let address = any_address(&mut random);
    let of = |count| ChangeSet { anchors: Some(vec![address.clone(); count]), ..ChangeSet::default() };
    assert_eq!(ChangeSet::decode(&of(MAX_ANCHORS).encode()), Ok(of(MAX_ANCHORS)));
    let mut bytes = of(MAX_ANCHORS).encode();
    bytes[2] += 1;
    assert_eq!(ChangeSet::decode(&bytes), Err(DecodeError::Length(MAX_ANCHORS + 1)));
}

#[test]
fn of_two_changes_the_later_counts_however_they_are_grouped() {
    let mut random = Random::new([4; 32]);
    for _ in 0..200 {
        let mut sets: Vec<ChangeSet> = (0..3).map(|_| any_set(&mut random)).collect();
        // Let them speak of the same things.
        let shared = any_address(&mut random);
        for set in &mut sets {
            set.addresses.insert(shared.clone(), Some(any_known(&mut random)));
        }
        let [a, b, c] = <[ChangeSet; 3]>::try_from(sets).unwrap();
        let mut left = a.clone();
        left.merge(b.clone());
        left.merge(c.clone());
        let mut right = b;
        right.merge(c.clone());
        let mut all = a;
        all.merge(right);
        assert_eq!(left, all);
        assert_eq!(left.addresses[&shared], c.addresses[&shared]);
    }
}
