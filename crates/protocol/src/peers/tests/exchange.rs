//! Telling and hearing of addresses.

use std::sync::Arc;

use ed25519_dalek::SigningKey;

use super::*;
use crate::Message;
use crate::address::Multiaddr;
use crate::message::{KnownAddress, MAX_ADDRESSES, MAX_PEER_RECORDS, NetworkId, PeerRecord};
use crate::penalty::Penalty;

pub(super) fn known(address: &Address, seen: Timestamp) -> KnownAddress {
    let Endpoint::Bitcoin { host, port } = &address.endpoint else { panic!("no endpoint of Bitcoin's") };
    KnownAddress { seen, services: SERVICES, host: NetworkId::Known(*host), port: *port }
}

fn list(numbers: std::ops::Range<u32>) -> Vec<KnownAddress> {
    numbers.map(|number| known(&far(number), WALL)).collect()
}

fn multiaddr(address: u32) -> Multiaddr {
    let [a, b, c, d] = address.to_be_bytes();
    Multiaddr::new(&[4, a, b, c, d, 6, 0x20, 0x8d]).unwrap()
}

fn record(name: u8, sequence: u64, endpoints: &[u32]) -> Arc<PeerRecord> {
    let key = SigningKey::from_bytes(&[name; 32]);
    let endpoints = endpoints.iter().map(|address| multiaddr(*address)).collect();
    Arc::new(PeerRecord::sign(&key, sequence, SERVICES, endpoints).unwrap())
}

fn hear(desk: &mut Desk, peer: PeerId, list: &[KnownAddress]) -> Vec<Outcome> {
    let out = desk.state.on_addresses(peer, list, desk.now);
    desk.see(out)
}

fn hear_records(desk: &mut Desk, peer: PeerId, list: &[Arc<PeerRecord>]) -> Vec<Outcome> {
    let out = desk.state.on_records(peer, list, desk.now);
    desk.see(out)
}

fn ask(desk: &mut Desk, peer: PeerId) -> Vec<Outcome> {
    let out = desk.state.on_get_addresses(peer, desk.now);
    desk.see(out)
}

/// Addresses and records that are sent, and to whom.
fn told(outcomes: &[Outcome]) -> Vec<(PeerId, usize)> {
    let count = |outcome: &Outcome| match outcome {
        Outcome::Send(peer, Message::Addr(list) | Message::AddrV2(list)) => Some((*peer, list.len())),
        Outcome::Send(peer, Message::PeerRecords(list)) => Some((*peer, list.len())),
        _ => None,
    };
    outcomes.iter().filter_map(count).collect()
}

fn faults(outcomes: &[Outcome]) -> Vec<Fault> {
    let fault = |outcome: &Outcome| match outcome {
        Outcome::Fault(_, fault) => Some(*fault),
        _ => None,
    };
    outcomes.iter().filter_map(fault).collect()
}

#[test]
fn who_dialled_us_is_answered_once() {
    let mut desk = Desk::new(quiet());
    desk.learn(&(1..500).map(far).collect::<Vec<_>>());
    let (bob, _, _) = desk.inbound(&far(900));
    let share = desk.state.known_len() * 23 / 100;
    assert_eq!(told(&ask(&mut desk, bob)), [(bob, share)]);
    assert!(ask(&mut desk, bob).is_empty());
}

#[test]
fn who_we_dialled_is_not_answered() {
    let mut desk = Desk::new(quiet());
    desk.learn(&(1..50).map(far).collect::<Vec<_>>());
    let out = desk.state.add_peer(far(90), Purpose::Manual, desk.now).unwrap();
    desk.see(out);
    let (peer, _, _) = desk.reach(&far(90), Purpose::Manual);
    assert!(ask(&mut desk, peer).is_empty());
}

#[test]
fn everybody_gets_the_same_answer_for_a_day() {
    let mut desk = Desk::new(quiet());
    desk.learn(&(1..500).map(far).collect::<Vec<_>>());
    let answers: Vec<Vec<Outcome>> = [0, 0, 19, 10]
        .into_iter()
        .map(|hours| {
            desk.pass(seconds(hours * 3600));
            let (bob, _, _) = desk.inbound(&far(900));
            let mut out = ask(&mut desk, bob);
            desk.leave(bob);
            out.retain(|outcome| matches!(outcome, Outcome::Send(_, Message::AddrV2(_))));
            for outcome in &mut out {
                if let Outcome::Send(peer, _) = outcome {
                    *peer = PeerId(0);
                }
            }
            out
        })
        .collect();
    assert!(!answers[0].is_empty());
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert_ne!(answers[0], answers[3]);
}

#[test]
fn an_answer_has_at_most_a_thousand_addresses() {
    let mut desk = Desk::new(quiet());
    let all: Vec<Address> = (0..9000).map(|number| ip(0x1400_0001 + (number << 14))).collect();
    desk.learn(&all);
    assert!(desk.state.known_len() * 23 / 100 > MAX_ADDRESSES);
    let (bob, _, _) = desk.inbound(&far(9000));
    assert_eq!(told(&ask(&mut desk, bob)), [(bob, MAX_ADDRESSES)]);
}

#[test]
fn a_seed_answers_and_parts() {
    let mut desk = Desk::new(Config { seed: true, ..quiet() });
    desk.learn(&(1..9).map(far).collect::<Vec<_>>());
    let (bob, _, _) = desk.inbound(&far(90));
    let out = ask(&mut desk, bob);
    assert_eq!((told(&out), parts(&out)), (vec![(bob, 8)], vec![(bob, Reason::Done)]));
}

#[test]
fn a_peer_without_addrv2_is_told_of_ip_alone() {
    let mut desk = Desk::new(quiet());
    let tor = Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Tor([1; 32]), port: 8333 } };
    desk.learn(&[far(1), tor]);
    let (bob, _) = desk.connect(&Desk::link(Direction::Inbound, &far(90), None));
    let out = desk.state.ready(bob, Facts { addrv2: false, ..facts() }, desk.now);
    desk.see(out);
    let out = ask(&mut desk, bob);
    assert!(out.iter().any(|outcome| matches!(outcome, Outcome::Send(_, Message::Addr(list)) if list.len() == 1)));
}

#[test]
fn addresses_come_in_no_faster_than_tokens_do() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    hear(&mut desk, bob, &list(0..10));
    assert_eq!(desk.state.known_len(), 3, "three tokens at the start");
    desk.pass(seconds(50));
    hear(&mut desk, bob, &list(10..20));
    assert_eq!(desk.state.known_len(), 8, "and one every ten seconds");
}

#[test]
fn our_question_makes_room_for_the_answer() {
    let mut desk = Desk::new(quiet());
    let out = desk.state.add_peer(far(9000), Purpose::Manual, desk.now).unwrap();
    desk.see(out);
    let (bob, _, out) = desk.reach(&far(9000), Purpose::Manual);
    assert!(out.contains(&Outcome::Send(bob, Message::GetAddr)));
    assert!(faults(&hear(&mut desk, bob, &list(0..1000))).is_empty());
    // Some land on a place that is taken.
    assert!(desk.state.known_len() > 850, "{}", desk.state.known_len());
}

#[test]
fn many_that_nobody_asked_for_are_a_fault_and_few_are_not() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    assert_eq!(faults(&hear(&mut desk, bob, &list(0..500))), [Fault::Unasked(497)]);
    assert_eq!(Fault::Unasked(497).penalty(), Penalty::Score(10));
    for _ in 0..50 {
        assert!(faults(&hear(&mut desk, bob, &list(0..10))).is_empty());
    }
    assert!(faults(&hear(&mut desk, bob, &list(0..100))).is_empty());
    assert_eq!(faults(&hear(&mut desk, bob, &list(0..101))), [Fault::Unasked(101)]);
}

#[test]
fn more_than_a_thousand_are_a_fault() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    assert_eq!(faults(&hear(&mut desk, bob, &list(0..1001))), [Fault::TooMany(1001)]);
    assert_eq!(Fault::TooMany(1001).penalty(), Penalty::Ban);
}

#[test]
fn news_goes_to_two_peers_and_not_back() {
    let mut desk = Desk::new(quiet());
    let peers: Vec<PeerId> = (900..920).map(|number| desk.inbound(&far(number)).0).collect();
    for peer in &peers {
        ask(&mut desk, *peer);
    }
    hear(&mut desk, peers[0], &list(1..2));
    let first = told(&desk.pass(seconds(60)));
    assert_eq!(first.len(), 2);
    assert!(first.iter().all(|(peer, count)| *peer != peers[0] && *count == 1));
    // Whoever tells it again makes no more noise: the same two are chosen, who know it.
    desk.pass(seconds(20));
    hear(&mut desk, peers[1], &list(1..2));
    let again = told(&desk.pass(seconds(60)));
    assert!(again.len() <= 1, "{again:?}");
    // What is old is no news.
    desk.pass(seconds(3600));
    hear(&mut desk, peers[2], &list(2..3));
    assert!(told(&desk.pass(seconds(60))).is_empty());
}

#[test]
fn private_addresses_stay_among_neighbours() {
    let mut desk = Desk::new(quiet());
    let (stranger, _, _) = desk.inbound(&far(900));
    let (neighbour, _, _) = desk.inbound(&ip(0xc0a8_0002));
    let lan = [known(&ip(0xc0a8_0003), WALL)];
    hear(&mut desk, stranger, &lan);
    assert_eq!(desk.state.known_len(), 0, "a stranger's LAN is not ours");
    hear(&mut desk, neighbour, &lan);
    assert_eq!(desk.state.known_len(), 1);
    assert!(told(&desk.pass(seconds(60))).is_empty(), "not passed on to the stranger");
    assert!(told(&ask(&mut desk, stranger)).is_empty());
    assert_eq!(told(&ask(&mut desk, neighbour)), [(neighbour, 1)]);
}

#[test]
fn private_peers_are_never_told() {
    let mut desk = Desk::new(Config { private: vec![far(1)], ..quiet() });
    desk.learn(&[far(1), far(2)]);
    let (bob, _, _) = desk.inbound(&far(90));
    assert_eq!(told(&ask(&mut desk, bob)), [(bob, 1)]);
}

#[test]
fn own_addresses_are_told_to_those_who_can_reach_them() {
    let mut desk = Desk::new(quiet());
    let out = desk.state.set_own_endpoints(vec![ip(0xc0a8_0001).endpoint, far(5).endpoint], desk.now);
    desk.see(out);
    let sequence = WALL.0;
    for record in [record(1, sequence, &[0xc0a8_0001]), record(1, sequence, &[0x0808_0808])] {
        let out = desk.state.set_own_record(record, desk.now);
        desk.see(out);
    }
    let (stranger, _, out) = desk.inbound(&far(900));
    let sent = |out: &[Outcome]| {
        out.iter()
            .find_map(|outcome| match outcome {
                Outcome::Send(_, Message::PeerRecords(list)) => Some(list[0].endpoints.clone()),
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(sent(&out), [multiaddr(0x0808_0808)]);
    assert_eq!(told(&ask(&mut desk, stranger)), [(stranger, 1)], "no address that would pass for another peer");
    let (old, _) = desk.connect(&Desk::link(Direction::Inbound, &far(901), None));
    let plain = Facts { features: Features::NONE, ..facts() };
    let out = desk.state.ready(old, plain, desk.now);
    desk.see(out);
    assert_eq!(told(&ask(&mut desk, old)), [(old, 1)], "takes part now, and takes no record: an address");
    let (_, _, out) = desk.inbound(&ip(0xc0a8_0002));
    assert_eq!(sent(&out), [multiaddr(0xc0a8_0001)]);
    assert!(!told(&desk.pass(seconds(36 * 3600))).is_empty(), "and again every day");
}

#[test]
fn a_record_is_taken_passed_on_and_told() {
    let mut desk = Desk::new(quiet());
    let peers: Vec<PeerId> = (900..905).map(|number| desk.inbound(&far(number)).0).collect();
    for peer in &peers {
        ask(&mut desk, *peer);
    }
    let carol = record(3, WALL.0, &[0x1401_0101, 0x1402_0101]);
    assert!(hear_records(&mut desk, peers[0], std::slice::from_ref(&carol)).is_empty());
    assert_eq!(desk.state.known_len(), 2);
    assert_eq!(told(&desk.pass(seconds(60))).len(), 2);
    let (dave, _, _) = desk.inbound(&far(910));
    assert_eq!(told(&ask(&mut desk, dave)), [(dave, 1)]);
}

#[test]
fn a_forged_record_is_a_fault() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    let mut forged = PeerRecord::clone(&record(3, WALL.0, &[0x1401_0101]));
    forged.sequence += 1;
    let out = hear_records(&mut desk, bob, &[Arc::new(forged)]);
    assert_eq!(faults(&out), [Fault::Forged]);
    assert_eq!(Fault::Forged.penalty(), Penalty::Ban);
    assert_eq!(desk.state.known_len(), 0);
}

#[test]
fn a_newer_record_of_a_peers_own_replaces_where_it_was() {
    let mut desk = Desk::new(quiet());
    let first = record(3, WALL.0, &[0x1401_0101]);
    let carol = Address { identity: Some(first.identity), ..far(900) };
    let (peer, _, _) = desk.inbound(&carol);
    hear_records(&mut desk, peer, &[first]);
    desk.pass(seconds(20));
    let second = record(3, WALL.0 + 10, &[0x1403_0101]);
    hear_records(&mut desk, peer, &[Arc::clone(&second)]);
    let endpoints: Vec<Endpoint> = desk.state.known().map(|(address, _)| address.endpoint.clone()).collect();
    assert_eq!(endpoints, [Endpoint::Libp2p(second.endpoints[0].clone())]);
    // An older one changes nothing, and neither does one from the future.
    desk.pass(seconds(20));
    hear_records(&mut desk, peer, &[record(3, WALL.0 + 5, &[0x1404_0101])]);
    desk.pass(seconds(20));
    hear_records(&mut desk, peer, &[record(3, WALL.0 + 5000, &[0x1405_0101])]);
    assert_eq!(desk.state.known_len(), 1);
}

#[test]
fn a_peer_for_blocks_alone_hears_and_tells_nothing() {
    let mut desk = Desk::new(Config { full: 0, block_only: 1, feelers: None, ..Config::default() });
    let dialled = desk.learn(&[far(1)]);
    assert_eq!(dials(&dialled), [(far(1), Purpose::BlockOnly)]);
    let (peer, _, out) = desk.reach(&far(1), Purpose::BlockOnly);
    assert_eq!(out, [Outcome::Alone(false)]);
    assert!(hear(&mut desk, peer, &list(5..9)).is_empty());
    assert_eq!(desk.state.known_len(), 1);
}

#[test]
fn what_waits_to_be_told_has_a_bound() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    ask(&mut desk, bob);
    // More senders than the queue has room for.
    desk.thorough = false;
    for number in 0..MAX_ADDRESSES as u32 + 200 {
        let (peer, _, _) = desk.inbound(&far(1000 + number));
        hear(&mut desk, peer, &list(number..number + 1));
        desk.leave(peer);
    }
    desk.state.check();
    let most = told(&desk.pass(seconds(60))).into_iter().map(|(_, count)| count).max();
    assert_eq!(most, Some(MAX_ADDRESSES));
}

#[test]
fn what_is_remembered_of_a_conversation_has_a_bound() {
    let mut recent = session::Recent::default();
    for number in 0..10_000_u64 {
        assert!(recent.insert(number));
        assert!(!recent.insert(number));
        recent.check();
    }
}

#[test]
fn records_that_wait_to_be_told_have_a_bound() {
    let mut desk = Desk::new(quiet());
    let (bob, _, _) = desk.inbound(&far(900));
    ask(&mut desk, bob);
    for number in 0..130_u8 {
        let (peer, _, _) = desk.inbound(&far(1000 + u32::from(number)));
        hear_records(&mut desk, peer, &[record(number, WALL.0, &[0x1400_0101 + (u32::from(number) << 16)])]);
        desk.leave(peer);
    }
    let most = told(&desk.pass(seconds(60))).into_iter().map(|(_, count)| count).max();
    assert_eq!(most, Some(MAX_PEER_RECORDS));
}
