//! Turns: who is asked when others stall, wait or leave.

use super::*;

#[test]
fn a_peer_that_stalls_loses_its_turn_and_in_the_end_its_place() {
    let mut node = Local::new(ledger(Spec::regtest()));
    let bob = remote(10, 1);
    assert_eq!(asked(&node.ready(ALICE, false, None)), [ALICE]);
    node.ready(BOB, true, None).clear();
    let outcomes = node.wait();
    let headers = u32::try_from(MAX_HEADERS).unwrap();
    assert_eq!(node.now, Time::ZERO.after(ANSWER_TIMEOUT + ANSWER_TIMEOUT_PER_HEADER * headers));
    assert_eq!(asked(&outcomes), [BOB], "another one takes over");
    let outcomes = node.talk(BOB, &bob, outcomes);
    assert_eq!(asked(&outcomes), [ALICE], "it gets another chance");
    assert_eq!(asked(&node.wait()), [ALICE]);
    assert_eq!(node.wait(), [Outcome::Part(ALICE, Reason::TooSlow)], "and no third");
    assert_eq!(node.state.next_deadline(), None);
}

/// Bitcoin Core before 24 answers nobody while it catches up. It may be catching up from us.
#[test]
fn whoever_dialled_us_and_does_not_answer_stays() {
    let mut node = Local::new(ledger(Spec::regtest()));
    assert_eq!(asked(&node.ready(ALICE, true, None)), [ALICE]);
    for _ in 1..MAX_STALLS {
        assert_eq!(asked(&node.wait()), [ALICE]);
    }
    assert_eq!(node.wait(), []);
    assert_eq!(node.state.next_deadline(), None, "it is asked no more");
    let alice = remote(10, 1);
    let outcomes = node.inv(ALICE, alice.tree.hash(alice.tip));
    assert_eq!(asked(&outcomes), [ALICE], "unless it announces something");
    node.talk(ALICE, &alice, outcomes).clear();
    assert!(node.knows(alice.tree.hash(alice.tip)));
}

#[test]
fn a_late_answer_is_taken_and_forgives() {
    let mut node = Local::new(ledger(Spec::regtest()));
    let alice = remote(10, 1);
    let first = node.ready(ALICE, false, None);
    for _ in 1..MAX_STALLS {
        assert_eq!(asked(&node.wait()), [ALICE], "there is no other");
    }
    node.talk(ALICE, &alice, first).clear();
    assert!(node.knows(alice.tree.hash(alice.tip)));
    assert_eq!(node.state.peers[&ALICE].stalls, 0);
}

#[test]
fn whoever_leaves_passes_its_turn_on() {
    let mut node = Local::new(ledger(Spec::regtest()));
    assert_eq!(asked(&node.ready(ALICE, false, None)), [ALICE]);
    node.ready(BOB, false, None).clear();
    assert_eq!(asked(&node.gone(ALICE)), [BOB]);
    assert_eq!(node.gone(BOB), []);
    assert_eq!(node.state.next_deadline(), None);
}

/// A full answer on a branch of the peer's own.
fn full(salt: u64) -> (Chain, Vec<Header>) {
    let chain = remote(u32::try_from(MAX_HEADERS).unwrap() + 5, salt);
    let mut headers = headers_to(&chain.tree, chain.tip);
    headers.truncate(MAX_HEADERS);
    (chain, headers)
}

#[test]
fn few_are_asked_on_at_a_time_and_fewer_of_those_who_dialled_us() {
    let mut node = Local::new(ledger(Spec::regtest()));
    let first = node.ready(PeerId(0), false, None);
    node.talk(PeerId(0), &remote(1, 0), first).clear();
    // Everybody is asked, everybody has more.
    let inbound = |id: u64| id % 2 == 1;
    let chains: Vec<_> = (1..=9).map(full).collect();
    for id in 1..=9 {
        assert_eq!(asked(&node.ready(PeerId(id), inbound(id), None)), [PeerId(id)]);
    }
    let mut on = Vec::new();
    let ids = [1, 3, 5, 7, 9, 2, 4, 6, 8];
    for id in ids {
        let index = usize::try_from(id).unwrap() - 1;
        on.extend(asked(&node.headers(PeerId(id), &chains[index].1)));
    }
    assert_eq!(on, [1, 3, 2, 4].map(PeerId), "two that dialled us, four in all");
    // Whoever ends passes its place on, an outbound one to anybody, until all have told all.
    let mut outcomes: Vec<Outcome> = Vec::new();
    for peer in on {
        let tip = &chains[usize::try_from(peer.0).unwrap() - 1].0;
        let rest = headers_to(&tip.tree, tip.tip).split_off(MAX_HEADERS);
        outcomes.extend(node.headers(peer, &rest));
    }
    for _ in 0..ids.len() {
        for peer in asked(&std::mem::take(&mut outcomes)) {
            let tip = &chains[usize::try_from(peer.0).unwrap() - 1].0;
            let locate = Locate { locator: vec![tip.tree.hash(tip.tree.genesis())], stop: BlockHash::all_zeros() };
            let (Message::Headers(headers), _) = super::super::serve::answer(&locate, tip) else { panic!() };
            let on = node.headers(peer, &headers);
            outcomes.extend(node.talk(peer, tip, on));
        }
    }
    for (chain, _) in &chains {
        assert!(node.knows(chain.tree.hash(chain.tip)));
    }
    assert!(!node.state.is_syncing());
}

#[test]
fn whoever_takes_for_ever_gives_way() {
    let config = Config { sync: Duration::from_secs(1), sync_per_header: Duration::ZERO, ..Config::default() };
    let mut node = Local::with(ledger(Spec::regtest()), config);
    let (alice, bob) = (full(1), full(2));
    assert_eq!(asked(&node.ready(ALICE, false, None)), [ALICE]);
    node.now = Time::from_secs(2);
    assert_eq!(asked(&node.headers(ALICE, &alice.1)), [ALICE], "nobody waits");
    node.ready(BOB, false, None).clear();
    assert_eq!(asked(&node.headers(ALICE, &alice.1)), [BOB]);
    let answer = node.headers(BOB, &bob.1);
    assert_eq!(asked(&answer), [BOB]);
    let rest = node.talk(BOB, &bob.0, answer);
    assert_eq!(asked(&rest), [ALICE]);
}
