use std::time::Duration;

use super::line::{Network, address};
use crate::fixture::{self, Chain};
use crate::io::{Command, Comparison, Event};
use crate::ledger::Ledger;
use crate::message::Message;
use crate::node::{Config, Role};
use crate::penalty::Reason;

const A_WHILE: Duration = Duration::from_secs(20);

fn full() -> Config {
    Config::of(Role::Full)
}

#[test]
fn who_is_behind_catches_up() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(120), full());
    let bob = network.start(Chain::new(), full());
    network.connect(bob, alice);
    network.run(A_WHILE);
    let (alice, bob) = (&network.places[alice], &network.places[bob]);
    assert_eq!(bob.chain.tree.height(bob.chain.tip), 120);
    let compared = |place: &super::line::Place| {
        place.events.iter().find_map(|event| match event {
            Event::PeerReady { comparison, .. } => *comparison,
            _ => None,
        })
    };
    assert_eq!((compared(alice), compared(bob)), (Some(Comparison::Ahead), Some(Comparison::Behind)));
    assert!(bob.events.contains(&Event::Syncing { behind: 0 }), "{:?}", bob.events);
}

/// Three in a line, in every order of their connections: one ledger.
#[test]
fn a_line_converges_in_every_order() {
    for order in [[(0, 1), (1, 2)], [(1, 2), (0, 1)], [(1, 0), (1, 2)], [(2, 1), (1, 0)]] {
        let mut network = Network::new();
        for height in [3, 0, 9] {
            network.start(Chain::of(height), full());
        }
        for (from, to) in order {
            network.connect(from, to);
            network.run(Duration::from_millis(70));
        }
        network.run(A_WHILE);
        network.mine(0);
        network.run(A_WHILE);
        let tips: Vec<_> = network.places.iter().map(|place| place.chain.tree.hash(place.chain.tip)).collect();
        assert_eq!(tips, vec![tips[0]; 3], "{order:?}");
        assert_eq!(network.places[2].chain.tree.height(network.places[2].chain.tip), 10);
    }
}

#[test]
fn a_payment_crosses_the_line_and_is_confirmed() {
    let mut network = Network::new();
    for _ in 0..3 {
        network.start(Chain::of(5), full());
    }
    network.connect(0, 1);
    network.connect(2, 1);
    network.run(A_WHILE);
    let payment = fixture::transaction(1, 300);
    network.command(0, Command::Submit(payment.clone()));
    network.run(A_WHILE);
    for place in &network.places {
        assert!(place.chain.pooled(&payment.wtxid()).is_some());
    }
    let copies = |network: &Network| {
        let sent = network.places.iter().flat_map(|place| &place.sent);
        sent.filter(|message| matches!(message, Message::Transaction(_))).count()
    };
    assert_eq!(copies(&network), 2, "each of the others gets it once");
    network.mine(2);
    network.run(A_WHILE);
    for place in &network.places {
        assert_eq!((place.chain.tree.height(place.chain.tip), place.chain.pool_len()), (6, 0));
    }
    assert_eq!(copies(&network), 2, "the block came without it");
}

#[test]
fn who_comes_back_gets_what_is_pending() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(5), full());
    let bob = network.start(Chain::of(5), full());
    for salt in 0..50 {
        let payment = fixture::transaction(salt, 300);
        network.command(alice, Command::Submit(payment));
    }
    network.run(A_WHILE);
    network.connect(bob, alice);
    network.run(A_WHILE);
    assert_eq!(network.places[bob].chain.pool_len(), 50);
}

#[test]
fn two_that_dial_each_other_keep_one_connection() {
    let mut network = Network::new();
    for index in 0..2 {
        let mut config = full();
        config.peers.identity = address(index).identity;
        network.start(Chain::of(1), config);
    }
    network.connect(0, 1);
    network.connect(1, 0);
    network.run(A_WHILE);
    let reasons: Vec<_> = network.places.iter().flat_map(|place| &place.parted).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|why| **why == Reason::Duplicate), "{reasons:?}");
    for place in &network.places {
        let ready = place.node.sessions.values().filter(|session| session.established.is_some()).count();
        assert_eq!((ready, place.node.sessions.len()), (1, 1));
    }
}

#[test]
fn a_node_that_stops_says_why() {
    let mut network = Network::new();
    let alice = network.start(Chain::of(1), full());
    let bob = network.start(Chain::of(1), full());
    network.connect(alice, bob);
    network.run(A_WHILE);
    network.command(alice, Command::Shutdown);
    network.run(A_WHILE);
    let gone = network.places[bob].events.iter().find_map(|event| match event {
        Event::PeerGone { why, .. } => Some(*why),
        _ => None,
    });
    assert_eq!(gone, Some(Some(Reason::Shutdown)));
}
