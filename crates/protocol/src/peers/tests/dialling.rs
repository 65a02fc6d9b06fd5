//! Whom the machine dials, and when.

use super::*;

#[test]
fn a_node_without_peers_says_so_and_says_when_it_is_over() {
    let mut desk = Desk::new(quiet());
    assert!(desk.pass(seconds(1)).contains(&Outcome::Alone(true)));
    let (peer, _, out) = desk.inbound(&far(1));
    assert!(out.contains(&Outcome::Alone(false)));
    assert_eq!(desk.leave(peer), [Outcome::Alone(true)]);
}

#[test]
fn a_group_has_half_of_the_places_at_most_and_more_than_one_only_while_no_other_is_known() {
    let mut desk = Desk::new(Config::default());
    let neighbours: Vec<Address> = (0..200).map(|number| ip(0x1401_0001 + number)).collect();
    let strangers: Vec<Address> = (2..60).map(far).collect();
    let mut dialled = dials(&desk.learn(&neighbours));
    assert_eq!(dialled.len(), FULL / 2, "all are of one group");
    assert!(dialled.iter().all(|(_, purpose)| *purpose == Purpose::Full));
    dialled.extend(dials(&desk.learn(&strangers)));
    assert_eq!(dialled.len(), FULL + BLOCK_ONLY);
    let groups: std::collections::BTreeSet<_> = dialled.iter().map(|(address, _)| address.group()).collect();
    assert_eq!(groups.len(), dialled.len() - (FULL / 2 - 1));

    let mut desk = Desk::new(Config::default());
    let everybody: Vec<Address> = neighbours.into_iter().chain(strangers).collect();
    let dialled = dials(&desk.learn(&everybody));
    assert_eq!(dialled.len(), FULL + BLOCK_ONLY);
    let groups: std::collections::BTreeSet<_> = dialled.iter().map(|(address, _)| address.group()).collect();
    assert_eq!(groups.len(), dialled.len(), "whoever can choose takes one of each");
    for (address, purpose) in dialled {
        assert_eq!(desk.reach(&address, purpose).1, WELCOME);
    }
    assert_eq!((desk.count(Purpose::Full), desk.count(Purpose::BlockOnly)), (FULL, BLOCK_ONLY));
    assert!(dials(&desk.pass(seconds(30))).is_empty());
}

#[test]
fn hosts_of_a_lan_are_all_dialled() {
    let mut desk = Desk::new(Config::default());
    let lan: Vec<Address> = (1..6).map(|host| ip(0xc0a8_0100 + host)).collect();
    assert_eq!(dials(&desk.learn(&lan)).len(), 5);
    let mut desk = Desk::new(Config::default());
    let ports =
        |port| Address { identity: None, endpoint: Endpoint::Bitcoin { host: Host::Ipv4(Ipv4Addr::LOCALHOST), port } };
    assert_eq!(dials(&desk.learn(&[ports(1), ports(2), ports(3)])).len(), 3);
}

#[test]
fn a_dial_that_failed_is_tried_again_later_and_later() {
    let mut desk = Desk::new(Config { feelers: None, ..Config::default() });
    let address = far(1);
    let mut times = Vec::new();
    let mut out = desk.learn(std::slice::from_ref(&address));
    for _ in 0..200 {
        if !dials(&out).is_empty() {
            times.push(desk.now);
            desk.fail(&address);
        }
        out = desk.pass(seconds(5));
    }
    assert!((4..20).contains(&times.len()), "{times:?}");
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(waits.last() > waits.first(), "{waits:?}");
}

#[test]
fn a_dial_that_nobody_answers_ends() {
    let mut desk = Desk::new(Config { full: 1, block_only: 0, ..Config::default() });
    assert_eq!(dials(&desk.learn(&[far(1), far(2)])).len(), 1);
    assert!(dials(&desk.pass(seconds(59))).is_empty());
    assert_eq!(dials(&desk.pass(seconds(2))).len(), 1);
}

#[test]
fn a_lost_peer_is_replaced() {
    let mut desk = Desk::new(Config { full: 1, block_only: 0, feelers: None, ..Config::default() });
    let first = dials(&desk.learn(&[far(1), far(2)]))[0].0.clone();
    let (peer, _, _) = desk.reach(&first, Purpose::Full);
    desk.pass(seconds(120));
    desk.leave(peer);
    assert_eq!(dials(&desk.pass(seconds(1))).len(), 1);
}

#[test]
fn a_named_peer_is_dialled_again_for_ever() {
    let mut desk = Desk::new(quiet());
    let address = far(1);
    let out = desk.state.add_peer(address.clone(), Purpose::Manual, desk.now).unwrap();
    assert_eq!(dials(&desk.see(out)), [(address.clone(), Purpose::Manual)]);
    let mut waits = Vec::new();
    for _ in 0..15 {
        desk.fail(&address);
        let before = desk.now;
        let mut out = Vec::new();
        while dials(&out).is_empty() {
            out = desk.pass(desk.state.next_deadline().unwrap().since(desk.now));
            assert!(desk.now.since(before) < seconds(76), "a minute and a quarter at most");
        }
        assert_eq!(dials(&out), [(address.clone(), Purpose::Manual)]);
        waits.push(desk.now.since(before));
    }
    assert!(waits[0] < Duration::from_millis(200), "{waits:?}");
    assert!(waits[..4].iter().sum::<Duration>() > seconds(1), "four tries in the first second, no more: {waits:?}");
    assert!((seconds(60)..=seconds(75)).contains(&waits[14]), "a minute, however long it was away: {waits:?}");
    let (peer, verdict, _) = desk.reach(&address, Purpose::Manual);
    assert_eq!(verdict, WELCOME);
    desk.pass(seconds(100));
    desk.leave(peer);
    assert_eq!(dials(&desk.pass(seconds(2))).len(), 1, "after a connection that lasted, the wait is short again");
    assert!(desk.state.remove_peer(&address, desk.now).is_some());
    assert!(desk.state.remove_peer(&address, desk.now).is_none());
    desk.fail(&address);
    assert!(dials(&desk.pass(seconds(2000))).is_empty());
}

#[test]
fn named_peers_have_a_bound() {
    let mut desk = Desk::new(quiet());
    for number in 0..MAX_MANUAL {
        let out = desk.state.add_peer(far(number as u32), Purpose::Manual, desk.now).unwrap();
        desk.see(out);
    }
    assert_eq!(desk.state.add_peer(far(3), Purpose::Manual, desk.now), Err(AddError::Known));
    let more = far(MAX_MANUAL as u32);
    assert_eq!(desk.state.add_peer(more, Purpose::Manual, desk.now), Err(AddError::Full(MAX_MANUAL)));
}

#[test]
fn a_seed_is_asked_when_nobody_is_known_and_parted_from_when_it_told() {
    let seed = far(1);
    let mut desk = Desk::new(Config { seeds: vec![seed.clone()], ..Config::default() });
    let out = desk.pass(seconds(1));
    assert_eq!(dials(&out), [(seed.clone(), Purpose::Seed)]);
    let (peer, _, out) = desk.reach(&seed, Purpose::Seed);
    assert!(out.contains(&Outcome::Send(peer, crate::Message::GetAddr)));
    assert!(!out.contains(&Outcome::Alone(false)), "a seed is no company");
    let told: Vec<_> = (2..9).map(|number| exchange::known(&far(number), WALL)).collect();
    let out = desk.state.on_addresses(peer, &told, desk.now);
    desk.see(out);
    let out = desk.pass(seconds(2));
    assert_eq!(parts(&out), [(peer, Reason::Done)]);
    assert_eq!(dials(&out).len(), 7, "{out:?}");
    // The seed itself may be dialled like any other, later.
    assert!(desk.state.known().any(|(address, _)| *address == seed));
}

#[test]
fn a_silent_seed_is_parted_from() {
    let seed = far(1);
    let mut desk = Desk::new(Config { seeds: vec![seed.clone()], full: 0, block_only: 1, ..Config::default() });
    desk.pass(seconds(1));
    let (peer, _, _) = desk.reach(&seed, Purpose::Seed);
    assert_eq!(parts(&desk.pass(seconds(61))), [(peer, Reason::Done)]);
}

#[test]
fn untested_addresses_are_tested_when_all_places_are_filled() {
    let mut desk = Desk::new(Config { full: 1, block_only: 0, ..Config::default() });
    let all: Vec<Address> = (1..20).map(far).collect();
    let first = dials(&desk.learn(&all))[0].0.clone();
    desk.reach(&first, Purpose::Full);
    let out = desk.pass(seconds(400));
    let (address, purpose) = dials(&out)[0].clone();
    assert_eq!(purpose, Purpose::Feeler);
    let (peer, _, out) = desk.reach(&address, Purpose::Feeler);
    assert_eq!(parts(&out), [(peer, Reason::Done)]);
    let tried = |(_, known): &(&Address, &Known)| known.place == Place::Tried;
    assert_eq!(desk.state.known().filter(tried).count(), 2);
}

#[test]
fn a_peer_that_dialled_us_is_not_dialled() {
    let mut desk = Desk::new(Config::default());
    let bob = Address { identity: Some(key(5)), ..far(1) };
    desk.inbound(&bob);
    assert!(dials(&desk.learn(&[bob])).is_empty());
}

#[test]
fn our_own_addresses_are_not_dialled() {
    let mut desk = Desk::new(Config { identity: Some(key(1)), ..Config::default() });
    let out = desk.state.set_own_endpoints(vec![far(1).endpoint], desk.now);
    desk.see(out);
    assert!(dials(&desk.learn(&[far(1), Address { identity: Some(key(1)), ..far(2) }])).is_empty());
}

#[test]
fn a_seed_is_asked_when_nobody_known_answers() {
    let seed = far(50);
    let mut desk = Desk::new(Config { seeds: vec![seed.clone()], feelers: None, ..Config::default() });
    desk.pass(seconds(0));
    desk.fail(&seed);
    let mut out = desk.learn(&[far(1), far(2)]);
    for _ in 0..60 {
        if dials(&out).contains(&(seed.clone(), Purpose::Seed)) {
            return;
        }
        for (address, _) in dials(&out) {
            desk.fail(&address);
        }
        out = desk.pass(seconds(1));
    }
    panic!("the seed is not asked within a minute");
}

#[test]
fn a_peer_that_the_user_named_is_known_at_the_next_start() {
    let mut desk = Desk::new(quiet());
    let named = far(7);
    let out = desk.state.add_peer(named.clone(), Purpose::Manual, desk.now).unwrap();
    assert_eq!(dials(&desk.see(out)), [(named.clone(), Purpose::Manual)]);
    assert_eq!(desk.state.known_len(), 0, "what nobody has reached is not kept");
    desk.reach(&named, Purpose::Manual);
    assert!(desk.state.known().any(|(address, _)| *address == named));
    desk.kept.merge(desk.state.take_changes().unwrap_or_default());
    let restored = State::restore(Config::default(), Random::new([9; 32]), &desk.kept);
    let mut desk = Desk::with(restored);
    assert!(dials(&desk.pass(seconds(0))).iter().any(|(address, _)| *address == named));
}
