//! Who is let in, who gives way, who is banned.

use super::*;
use crate::Message;
use crate::penalty::{Penalty, SCORE_LIMIT};

fn instead(verdict: Verdict) -> Option<(PeerId, Reason)> {
    match verdict {
        Verdict::Welcome { instead } => instead,
        Verdict::Refuse(reason) => panic!("refused: {reason}"),
    }
}

#[test]
fn a_full_node_tells_of_others_then_parts() {
    let mut desk = Desk::new(Config { inbound: 2, ..quiet() });
    let known: Vec<Address> = (100..120).map(far).collect();
    desk.learn(&known);
    desk.inbound(&far(1));
    desk.inbound(&far(2));
    let (carol, verdict, out) = desk.inbound(&far(3));
    assert_eq!(verdict, WELCOME);
    let told = out.iter().find_map(|outcome| match outcome {
        Outcome::Send(peer, Message::AddrV2(list)) if *peer == carol => Some(list.len()),
        _ => None,
    });
    assert_eq!(told, Some(8));
    assert_eq!(parts(&out), [(carol, Reason::Full)]);
    assert_eq!(out.last(), Some(&Outcome::Part(carol, Reason::Full)), "told first");
}

#[test]
fn those_who_wait_to_be_told_of_others_have_a_bound() {
    let mut desk = Desk::new(Config { inbound: 1, ..quiet() });
    desk.inbound(&far(1));
    for number in 0..9 {
        let (_, verdict) = desk.connect(&Desk::link(Direction::Inbound, &far(2 + number), None));
        assert_eq!(verdict, if number < 8 { WELCOME } else { Verdict::Refuse(Reason::Full) }, "{number}");
    }
}

#[test]
fn the_youngest_of_the_largest_group_gives_way() {
    let mut desk = Desk::new(Config { inbound: 60, inbound_per_group: 60, ..quiet() });
    let mut crowd = Vec::new();
    for number in 0..30 {
        desk.pass(seconds(1));
        desk.inbound(&far(number));
        desk.pass(seconds(1));
        crowd.push(desk.inbound(&ip(0x1500_0001 + number)).0);
    }
    let (_, verdict, _) = desk.inbound(&far(99));
    let (gone, reason) = instead(verdict).expect("somebody gives way");
    assert_eq!(reason, Reason::Evicted);
    assert!(crowd.contains(&gone), "{gone}");
}

#[test]
fn useful_near_and_patient_peers_are_kept_whatever_comes() {
    let mut desk = Desk::new(Config { inbound: 60, inbound_per_group: 60, ..quiet() });
    let mut kept = Vec::new();
    for number in 0..12 {
        let (peer, _, _) = desk.inbound(&ip(0x1500_0001 + number));
        match number % 3 {
            0 => desk.state.latency(peer, Duration::from_millis(u64::from(number) + 1)),
            1 => desk.state.useful(peer, Useful::Block, Time::from_secs(9)),
            _ => desk.state.useful(peer, Useful::Transaction, Time::from_secs(9)),
        }
        kept.push(peer);
    }
    desk.pass(seconds(60));
    for attacker in 0..2000_u32 {
        desk.pass(Duration::from_millis(10));
        let (_, verdict, _) = desk.inbound(&ip(0x2000_0000 + (attacker << 12)));
        if let Some((gone, _)) = instead(verdict) {
            assert!(!kept.contains(&gone), "{gone} after {attacker}");
            desk.leave(gone);
        }
    }
}

#[test]
fn one_group_has_its_share_of_the_room() {
    let mut desk = Desk::new(Config { inbound: 100, inbound_per_group: 5, ..quiet() });
    for number in 0..5 {
        assert_eq!(desk.inbound(&ip(0x1500_0001 + number)).1, WELCOME);
    }
    let (crowd, _, out) = desk.inbound(&ip(0x1500_0100));
    assert_eq!(parts(&out), [(crowd, Reason::Full)]);
    assert!(parts(&desk.inbound(&far(1)).2).is_empty(), "others have room");
    // On a LAN nobody is counted.
    for number in 0..20 {
        assert!(parts(&desk.inbound(&ip(0xc0a8_0101 + number)).2).is_empty());
    }
}

#[test]
fn two_that_dial_each_other_keep_one_connection_and_both_the_same() {
    for (ours, theirs) in [(1, 2), (2, 1)] {
        for outbound_first in [true, false] {
            let mut desk = Desk::new(Config { identity: Some(key(ours)), ..Config::default() });
            let bob = Address { identity: Some(key(theirs)), ..far(1) };
            desk.learn(std::slice::from_ref(&bob));
            let out = Desk::link(Direction::Outbound, &bob, Some(Purpose::Full));
            let into = Desk::link(Direction::Inbound, &bob, None);
            let (first, second) = if outbound_first { (&out, &into) } else { (&into, &out) };
            let (older, _) = desk.connect(first);
            let (_, verdict) = desk.connect(second);
            // The one that the smaller key dialled stays.
            let outbound_stays = ours < theirs;
            let expected = if outbound_stays == outbound_first {
                Verdict::Refuse(Reason::Duplicate)
            } else {
                Verdict::Welcome { instead: Some((older, Reason::Duplicate)) }
            };
            assert_eq!(verdict, expected, "{ours} {theirs} {outbound_first}");
        }
    }
}

#[test]
fn a_peer_that_dials_again_has_lost_the_older_connection() {
    let mut desk = Desk::new(quiet());
    let bob = Address { identity: Some(key(5)), ..far(1) };
    let (older, _, _) = desk.inbound(&bob);
    let (newer, verdict) = desk.connect(&Desk::link(Direction::Inbound, &bob, None));
    assert_eq!(verdict, WELCOME, "the older is left alone until the newer proves to be meant");
    let out = desk.ready(newer);
    assert_eq!(parts(&out), [(older, Reason::Duplicate)]);
    desk.leave(older);
    assert!(desk.state.peers(desk.now).all(|status| status.peer == newer && status.ready));
}

/// The dialler and the answerer each see two lines, in any order, and then what the other end does with them.
#[test]
fn of_two_lines_that_one_end_dialled_both_ends_keep_the_same_one() {
    for (dialler_order, answerer_order) in [([0, 1], [0, 1]), ([0, 1], [1, 0]), ([1, 0], [0, 1]), ([1, 0], [1, 0])] {
        let alice = Address { identity: Some(key(1)), ..far(1) };
        // Two ways to one key: the dialler did not know that they lead to the same place.
        let ways = [2, 3].map(|number| Address { identity: Some(key(5)), ..far(number) });
        let mut dialler = Desk::new(Config { identity: Some(key(1)), ..quiet() });
        let mut answerer = Desk::new(Config { identity: Some(key(5)), ..quiet() });
        let mut meant = Vec::new();
        let mut here = [PeerId(0); 2];
        for line in dialler_order {
            let (peer, verdict) = dialler.connect(&Desk::link(Direction::Outbound, &ways[line], Some(Purpose::Manual)));
            here[line] = peer;
            if verdict == WELCOME {
                meant.push(line);
            } else {
                assert_eq!(verdict, Verdict::Refuse(Reason::Duplicate));
            }
        }
        assert_eq!(meant, [dialler_order[0]]);
        let mut there = [PeerId(0); 2];
        for line in answerer_order {
            let (peer, verdict) = answerer.connect(&Desk::link(Direction::Inbound, &alice, None));
            assert_eq!(verdict, WELCOME);
            there[line] = peer;
        }
        // Only on the line that the dialler keeps is anything ever said.
        let kept = meant[0];
        dialler.ready(here[kept]);
        let closed = parts(&answerer.ready(there[kept]));
        assert!(!closed.iter().any(|(peer, _)| *peer == there[kept]), "{dialler_order:?} {answerer_order:?}");
        answerer.leave(there[1 - kept]);
        let left =
            |desk: &Desk| desk.state.peers(desk.now).map(|status| (status.peer, status.ready)).collect::<Vec<_>>();
        assert_eq!(left(&dialler), [(here[kept], true)]);
        assert_eq!(left(&answerer), [(there[kept], true)]);
    }
}

#[test]
fn a_rival_gives_way_to_our_own_dial_where_our_key_is_the_smaller() {
    for (ours, rival_stays) in [(1, false), (9, true)] {
        let mut desk = Desk::new(Config { identity: Some(key(ours)), ..quiet() });
        let bob = Address { identity: Some(key(5)), ..far(1) };
        let (older, _, _) = desk.inbound(&bob);
        let (rival, _) = desk.connect(&Desk::link(Direction::Inbound, &bob, None));
        desk.leave(older);
        let (own, verdict, _) = desk.reach(&bob, Purpose::Manual);
        assert_eq!(verdict, WELCOME);
        let gone = if rival_stays { own } else { rival };
        assert_eq!(parts(&desk.ready(rival)), [(gone, Reason::Duplicate)]);
    }
}

#[test]
fn a_rival_whose_double_is_gone_needs_room_like_anybody() {
    let mut desk = Desk::new(Config { inbound: 1, ..quiet() });
    let bob = Address { identity: Some(key(5)), ..far(1) };
    let (older, _, _) = desk.inbound(&bob);
    let (rival, _) = desk.connect(&Desk::link(Direction::Inbound, &bob, None));
    desk.leave(older);
    let (carol, _, _) = desk.inbound(&far(2));
    assert_eq!(parts(&desk.ready(rival)), [(rival, Reason::Full)]);
    assert!(desk.state.peers(desk.now).any(|status| status.peer == carol && status.ready));
}

#[test]
fn rivals_have_a_bound() {
    let mut desk = Desk::new(Config { inbound: 100, ..quiet() });
    let address = |number: usize| Address { identity: Some(key(number as u64)), ..far(number as u32) };
    let refused = Verdict::Refuse(Reason::Duplicate);
    for number in 0..=admit::RIVALS {
        desk.inbound(&address(number));
        let link = Desk::link(Direction::Inbound, &address(number), None);
        let (_, verdict) = desk.connect(&link);
        assert_eq!(verdict, if number < admit::RIVALS { WELCOME } else { refused }, "{number}");
        assert_eq!(desk.connect(&link).1, refused, "one for each peer");
    }
}

#[test]
fn we_do_not_talk_to_ourselves() {
    let mut desk = Desk::new(Config { identity: Some(key(5)), ..quiet() });
    let (_, verdict, _) = desk.inbound(&Address { identity: Some(key(5)), ..far(1) });
    assert_eq!(verdict, Verdict::Refuse(Reason::Myself));
}

#[test]
fn points_add_up_to_a_ban_that_ends() {
    let mut desk = Desk::new(quiet());
    let (peer, _, _) = desk.inbound(&far(1));
    assert!(desk.fault(peer, Penalty::Score(SCORE_LIMIT - 1)).is_empty());
    assert_eq!(parts(&desk.fault(peer, Penalty::Score(1))), [(peer, Reason::Misbehaved)]);
    assert!(parts(&desk.fault(peer, Penalty::Ban)).is_empty(), "it is told once");
    desk.leave(peer);
    assert_eq!(desk.inbound(&far(1)).1, Verdict::Refuse(Reason::Banned));
    desk.pass(BAN);
    assert_eq!(desk.inbound(&far(1)).1, WELCOME);
    desk.pass(seconds(1200));
    assert_eq!(desk.state.bans().count(), 0);
}

#[test]
fn points_are_remembered_when_a_peer_comes_again() {
    let mut desk = Desk::new(quiet());
    let (peer, _, _) = desk.inbound(&far(1));
    desk.fault(peer, Penalty::Score(60));
    desk.leave(peer);
    let (peer, _, _) = desk.inbound(&far(1));
    assert_eq!(parts(&desk.fault(peer, Penalty::Score(60))).len(), 1);
}

#[test]
fn a_disconnection_is_no_ban() {
    let mut desk = Desk::new(quiet());
    let (peer, _, _) = desk.inbound(&far(1));
    assert_eq!(parts(&desk.fault(peer, Penalty::Disconnect)), [(peer, Reason::Misbehaved)]);
    desk.leave(peer);
    assert_eq!(desk.inbound(&far(1)).1, WELCOME);
}

#[test]
fn named_and_unconditional_peers_are_never_banned() {
    let mut desk = Desk::new(Config { unconditional: vec![far(1)], inbound: 0, ..quiet() });
    let (alice, verdict, out) = desk.inbound(&far(1));
    assert_eq!((verdict, parts(&out)), (WELCOME, Vec::new()), "she is let in though nobody is");
    assert!(desk.fault(alice, Penalty::Score(500)).is_empty());
    assert_eq!(parts(&desk.fault(alice, Penalty::Ban)).len(), 1);
    let out = desk.state.add_peer(far(2), Purpose::Manual, desk.now).unwrap();
    desk.see(out);
    let (bob, _, _) = desk.reach(&far(2), Purpose::Manual);
    assert_eq!(parts(&desk.fault(bob, Penalty::Score(500))).len(), 1);
    assert_eq!(desk.state.bans().count(), 0);
}

#[test]
fn neighbours_on_one_machine_are_not_banned_together() {
    let mut desk = Desk::new(quiet());
    let local = |number| Address { identity: Some(key(number)), ..ip(0x7f00_0001) };
    let (peer, _, _) = desk.inbound(&local(1));
    desk.fault(peer, Penalty::Ban);
    desk.leave(peer);
    assert_eq!(desk.inbound(&local(1)).1, Verdict::Refuse(Reason::Banned));
    assert_eq!(desk.inbound(&local(2)).1, WELCOME);
}

#[test]
fn the_user_bans_and_lifts_bans() {
    let mut desk = Desk::new(quiet());
    let (peer, _, _) = desk.inbound(&ip(0xc0a8_0001));
    let target = ban::Target::Host(Host::Ipv4(Ipv4Addr::new(192, 168, 0, 1)));
    let out = desk.state.ban(target.clone(), WALL.after(BAN), desk.now);
    let ban = ban::Ban { since: WALL, until: WALL.after(BAN) };
    assert_eq!(desk.state.bans().collect::<Vec<_>>(), [(&target, ban)]);
    assert_eq!(parts(&desk.see(out)), [(peer, Reason::Banned)]);
    desk.leave(peer);
    assert_eq!(desk.inbound(&ip(0xc0a8_0001)).1, Verdict::Refuse(Reason::Banned));
    assert!(desk.state.unban(&target, desk.now).is_some());
    assert!(desk.state.unban(&target, desk.now).is_none());
    assert_eq!(desk.inbound(&ip(0xc0a8_0001)).1, WELCOME);
}

#[test]
fn bans_have_a_bound_and_the_first_to_end_gives_way() {
    let mut desk = Desk::new(quiet());
    for number in 0..=ban::MAX_BANS as u64 {
        let out = desk.state.ban(ban::Target::Identity(key(number)), Timestamp(WALL.0 + 9999 - number), desk.now);
        desk.see(out);
    }
    assert_eq!(desk.state.bans().count(), ban::MAX_BANS);
    let last = ban::Target::Identity(key(ban::MAX_BANS as u64));
    assert!(!desk.state.bans().any(|(target, _)| *target == last));
    desk.kept.merge(desk.state.take_changes().unwrap_or_default());
    desk.kept.compact();
    assert_eq!(desk.kept.bans.len(), ban::MAX_BANS);
}

#[test]
fn an_ipv6_customer_is_banned_whole() {
    let mut desk = Desk::new(quiet());
    let host = |text: &str| Address {
        identity: None,
        endpoint: Endpoint::Bitcoin { host: Host::Ipv6(text.parse().unwrap()), port: 1 },
    };
    let (peer, _, _) = desk.inbound(&host("2a00:1:2:3::1"));
    desk.fault(peer, Penalty::Ban);
    desk.leave(peer);
    assert_eq!(desk.inbound(&host("2a00:1:2:3:ffff::9")).1, Verdict::Refuse(Reason::Banned));
    assert_eq!(desk.inbound(&host("2a00:1:2:4::1")).1, WELCOME);
}

#[test]
fn a_dial_that_comes_through_too_late_is_refused() {
    let mut desk = Desk::new(Config { full: 1, block_only: 0, ..Config::default() });
    let first = dials(&desk.learn(&[far(1), far(2)]))[0].0.clone();
    let second = dials(&desk.pass(seconds(61)))[0].0.clone();
    assert_ne!(first, second);
    assert_eq!(desk.reach(&second, Purpose::Full).1, WELCOME);
    assert_eq!(desk.reach(&first, Purpose::Full).1, Verdict::Refuse(Reason::Done));
}

#[test]
fn a_visit_that_takes_the_place_of_a_connection_stays() {
    let mut desk = Desk::new(Config { identity: Some(key(1)), ..quiet() });
    let bob = Address { identity: Some(key(2)), ..far(1) };
    let (older, _, _) = desk.inbound(&bob);
    // The smaller key dials, so both ends keep this connection, though we only wanted to test the address.
    let (peer, verdict, out) = desk.reach(&bob, Purpose::Feeler);
    assert_eq!(instead(verdict), Some((older, Reason::Duplicate)));
    assert!(parts(&out).is_empty());
    desk.leave(older);
    assert!(desk.state.peers(desk.now).any(|status| status.peer == peer && status.ready));
}
