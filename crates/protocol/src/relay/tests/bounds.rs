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
    let most = MAX_IN_FLIGHT as u64;
    let coins: Vec<_> = (0..most * 3).map(|salt| fixture::transaction(salt, 100)).collect();
    let asked = desk.announce(ALICE, &coins[..MAX_IN_FLIGHT]);
    assert_eq!(requested(&asked).len(), MAX_IN_FLIGHT);
    // Pushed without being asked for: as many as might be asked for.
    for (number, coin) in coins.iter().enumerate().skip(MAX_IN_FLIGHT) {
        assert_eq!(judges(&desk.give(ALICE, coin)).len(), usize::from(number < 2 * MAX_IN_FLIGHT));
    }
    // What was asked for is judged all the same.
    for coin in &coins[..MAX_IN_FLIGHT] {
        assert_eq!(judges(&desk.give(ALICE, coin)).len(), 1);
    }
    assert_eq!(desk.relay.requests.judging(ALICE), MAX_JUDGING);
    assert_eq!(judges(&desk.give(BOB, &fixture::transaction(9_999, 100))).len(), 1, "others are not held up");
}

#[test]
fn what_can_not_be_judged_is_asked_of_somebody_else() {
    let mut desk = Desk::with_peers();
    let coins: Vec<_> = (0..MAX_IN_FLIGHT as u64 + 1).map(|salt| fixture::transaction(salt, 100)).collect();
    let (wanted, pushed) = coins.split_last().unwrap();
    for coin in pushed {
        let _ = desk.give(ALICE, coin);
    }
    let _ = desk.announce(BOB, std::slice::from_ref(wanted));
    // ALICE's is passed over, but BOB's is still waited for.
    assert!(judges(&desk.give(ALICE, wanted)).is_empty());
    assert_eq!(judges(&desk.give(BOB, wanted)).len(), 1);
}

#[test]
fn no_more_is_asked_of_a_peer_than_can_be_judged() {
    let mut desk = Desk::new(Config::default());
    desk.ready(ALICE, facts(ALICE));
    let coins: Vec<_> = (0..MAX_IN_FLIGHT as u64 + 1).map(|salt| fixture::transaction(salt, 100)).collect();
    assert_eq!(requested(&desk.announce(ALICE, &coins)).len(), MAX_IN_FLIGHT);
    for coin in &coins[..MAX_IN_FLIGHT] {
        assert!(requested(&desk.give(ALICE, coin)).is_empty());
    }
    let outcomes = desk.accept(&coins[0]);
    assert_eq!(requested(&outcomes), [desk.id(&coins[MAX_IN_FLIGHT])]);
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
    let mut desk = Desk::new(Config { push: Push::Tree { least: 1, most, scouts: 0 }, ..Config::default() });
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
