//! What peers can make us keep: at the bound, and one past.

use super::desk::{ALICE, BOB, Desk, facts, judges, theirs, to};
use crate::fixture;
use crate::message::{Announced, Message};
use crate::relay::id::{Id, Rolling};
use crate::relay::{Config, Push};
use crate::relay::{MAX_ANNOUNCED, MAX_BATCH, MAX_IN_FLIGHT, MAX_JUDGING, MAX_OWED, Outcome, SERVE_BYTES};

fn ids(range: std::ops::Range<u64>) -> Vec<Announced> {
    range.map(|id| Announced(id.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}

fn requested(outcomes: &[Outcome]) -> Vec<Announced> {
    let of = |message| match message {
        Message::Request(ids) => ids,
        _ => Vec::new(),
    };
    to(outcomes, ALICE).into_iter().flat_map(of).collect()
}

#[test]
fn no_more_than_a_hundred_are_asked_of_a_peer_and_the_rest_in_order() {
    let mut desk = Desk::new(Config::default());
    desk.ready(ALICE, facts(ALICE));
    let all = ids(0..MAX_IN_FLIGHT as u64 + 2);
    let outcomes = desk.relay.on_announce(ALICE, &all, desk.now);
    desk.relay.check();
    assert_eq!(requested(&outcomes), all[..MAX_IN_FLIGHT]);
    let outcomes = desk.relay.on_gone(ALICE, &all[..1], desk.now);
    desk.relay.check();
    assert_eq!(requested(&outcomes), all[MAX_IN_FLIGHT..=MAX_IN_FLIGHT]);
}

#[test]
fn what_is_announced_beyond_the_bound_is_dropped() {
    let mut desk = Desk::new(Config::default());
    desk.ready(ALICE, facts(ALICE));
    let all = ids(0..MAX_ANNOUNCED as u64 + 1);
    let mut asked = requested(&desk.relay.on_announce(ALICE, &all, desk.now));
    desk.relay.check();
    let mut done = 0;
    // Ends: each turn answers something that was asked.
    while done < asked.len() {
        let outcomes = desk.relay.on_gone(ALICE, &asked[done..=done], desk.now);
        asked.extend(requested(&outcomes));
        done += 1;
    }
    desk.relay.check();
    assert_eq!(asked, all[..MAX_ANNOUNCED]);
}

#[test]
fn what_a_peer_has_judged_at_a_time_is_bounded() {
    let mut desk = Desk::with_peers();
    for salt in 0..=MAX_JUDGING as u64 {
        let outcomes = desk.give(ALICE, &fixture::transaction(salt, 100));
        assert_eq!(judges(&outcomes).len(), usize::from(salt < MAX_JUDGING as u64));
    }
    assert_eq!(judges(&desk.give(BOB, &fixture::transaction(9_999, 100))).len(), 1, "others are not held up");
}

#[test]
fn what_a_slow_reader_asks_for_is_bounded() {
    let mut desk = Desk::with_peers();
    let coin = fixture::transaction(1, 250);
    let _ = desk.pend(&coin, 1_000);
    let _ = desk.millis(100);
    let _ = desk.relay.congested(ALICE, true, desk.now, &desk.pool);
    let wanted = vec![theirs(ALICE, &coin); MAX_OWED + 1];
    let outcomes = desk.relay.on_request(ALICE, &wanted, desk.now, &desk.pool);
    desk.relay.check();
    assert_eq!(to(&outcomes, ALICE), [Message::Gone(vec![theirs(ALICE, &coin)])]);
    let mut outcomes = desk.relay.congested(ALICE, false, desk.now, &desk.pool);
    let at_once = to(&outcomes, ALICE).len();
    assert!(at_once * coin.total_size() < SERVE_BYTES + coin.total_size(), "and given piece by piece");
    outcomes.extend(desk.millis(1_000));
    let bodies = to(&outcomes, ALICE).into_iter().filter(|message| matches!(message, Message::Transaction(_))).count();
    assert_eq!(bodies, MAX_OWED);
}

#[test]
fn announcements_are_gathered_up_to_a_bound() {
    let mut desk = Desk::new(Config { push: Push::Never, ..Config::default() });
    desk.ready(ALICE, facts(ALICE));
    let mut outcomes = Vec::new();
    for salt in 0..=MAX_BATCH as u64 {
        outcomes.extend(desk.pend(&fixture::transaction(salt, 100), 1_000));
    }
    assert!(matches!(&to(&outcomes, ALICE)[..], [Message::Announce(ids)] if ids.len() == MAX_BATCH));
    assert!(matches!(&to(&desk.millis(10), ALICE)[..], [Message::Announce(ids)] if ids.len() == 1));
}

#[test]
fn a_rolling_set_remembers_a_generation_and_at_most_two() {
    let mut set = Rolling::new(100, 7);
    for id in 0..10_000 {
        assert!(set.insert(Id(id)));
        assert!(set.len() <= 200);
        assert!((id.saturating_sub(99)..=id).all(|recent| set.contains(Id(recent))));
    }
    assert!(!set.insert(Id(9_999)));
    assert!(!set.contains(Id(0)));
    set.clear();
    assert_eq!(set.len(), 0);
}

#[test]
fn branches_are_bounded() {
    let most = 4;
    let mut desk = Desk::new(Config { push: Push::Tree { least: 1, most }, ..Config::default() });
    for name in 1..=5 {
        let peer = crate::link::PeerId(name);
        desk.ready(peer, facts(peer));
        let outcomes = desk.relay.on_push(peer, true);
        desk.relay.check();
        let refused = vec![Outcome::Send(peer, Message::Push(false))];
        assert_eq!(outcomes, if name <= most as u64 { Vec::new() } else { refused });
    }
    let coin = fixture::transaction(1, 250);
    let outcomes = desk.pend(&coin, 1_000);
    let bodies = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Send(_, Message::Transaction(_))));
    assert_eq!(bodies.count(), most);
}

#[test]
fn a_peer_that_says_nothing_costs_little() {
    assert!(size_of::<crate::relay::peer::Peer>() <= 640, "{}", size_of::<crate::relay::peer::Peer>());
    assert!(size_of::<crate::relay::State>() <= 2_048, "{}", size_of::<crate::relay::State>());
}
