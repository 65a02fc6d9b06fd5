//! Mempools of peers that meet.

use std::time::Duration;

use super::desk::{ALICE, Desk, bitcoin, facts, to};
use super::net::{Net, Sent};
use crate::fixture;
use crate::message::{Message, PoolSummary};
use crate::relay::{Config, Outcome, SYNC_AGAIN};

const LATENCY: Duration = Duration::from_millis(20);

/// Two nodes whose mempools have `common` transactions in common and `each` of their own; what it costs until both have
/// all.
fn meet(common: u64, each: u64) -> Sent {
    let mut net = Net::new(2, Config::default(), 1);
    for salt in 0..common + 2 * each {
        let transaction = fixture::transaction(salt, 150);
        let only = salt.checked_sub(common).map(|rest| usize::from(rest >= each));
        for at in [0, 1] {
            if only.is_none_or(|only| only == at) {
                net.nodes[at].pool.insert(&transaction, 1_000 + salt);
            }
        }
    }
    for node in &mut net.nodes {
        node.relay.load(&node.pool);
    }
    net.connect(0, 1, LATENCY);
    net.run(Duration::from_secs(30));
    for node in &net.nodes {
        assert_eq!(node.pool.pending.len() as u64, common + 2 * each, "both have all");
        node.relay.check();
    }
    net.sent
}

#[test]
fn equal_mempools_say_nothing() {
    let sent = meet(2_000, 0);
    assert_eq!((sent.announced, sent.requested, sent.bodies), (0, 0, 0));
    assert!(sent.bytes < 3_000, "{sent:?}");
}

#[test]
fn the_cost_grows_with_the_difference() {
    let costs = [1, 10, 100].map(|each| meet(3_000, each));
    println!("{costs:?}");
    for (cost, each) in costs.iter().zip([1, 10, 100]) {
        assert_eq!(cost.bodies, 2 * each, "each body goes over once");
        assert!(cost.announced <= 2 * each * 2 * 24, "only parts that differ are announced: {cost:?}");
    }
    assert!(costs[0].announced < 100);
}

#[test]
fn a_new_peer_gets_everything_whoever_dialled() {
    let sent = meet(0, 0);
    assert_eq!(sent.bodies, 0);
    let mut net = Net::new(2, Config::default(), 2);
    for salt in 0..1_500 {
        net.nodes[1].pool.insert(&fixture::transaction(salt, 150), 1_000 + salt);
    }
    for node in &mut net.nodes {
        node.relay.load(&node.pool);
    }
    net.connect(0, 1, LATENCY);
    net.run(Duration::from_secs(10));
    assert_eq!(net.nodes[0].pool.pending.len(), 1_500);
    assert_eq!((net.sent.bodies, net.sent.announced, net.sent.requested), (1_500, 1_500, 1_500));
}

#[test]
fn third_parties_do_not_hear_of_what_they_have() {
    let mut net = Net::new(3, Config::default(), 3);
    for salt in 0..200 {
        for at in [1, 2] {
            net.nodes[at].pool.insert(&fixture::transaction(salt, 150), 1_000 + salt);
        }
    }
    for node in &mut net.nodes {
        node.relay.load(&node.pool);
    }
    net.connect(1, 2, LATENCY);
    net.connect(0, 1, LATENCY);
    net.connect(0, 2, LATENCY);
    net.run(Duration::from_secs(10));
    assert_eq!(net.nodes[0].pool.pending.len(), 200);
    assert_eq!(net.sent.bodies, 200, "each came once, from one of both");
    assert!(net.sent.announced <= 600, "{:?}", net.sent);
}

#[test]
fn summaries_are_compared_at_most_every_so_often() {
    let mut desk = Desk::new(Config::default());
    let coin = fixture::transaction(1, 250);
    desk.pool.insert(&coin, 1_000);
    desk.relay.load(&desk.pool);
    desk.ready(ALICE, facts(ALICE));
    let empty = PoolSummary { count: 0, sums: vec![0] };
    let count = |outcomes: Vec<Outcome>| to(&outcomes, ALICE).len();
    let tell = |desk: &mut Desk| {
        let _ = desk.relay.on_pool_summary(ALICE, &empty, desk.now);
        count(desk.millis(2_000))
    };
    assert_eq!(tell(&mut desk), 1);
    let _ = desk.pend(&fixture::transaction(2, 250), 1_000);
    let _ = desk.millis(100);
    assert_eq!(tell(&mut desk), 0);
    let _ = desk.wait(SYNC_AGAIN);
    assert_eq!(tell(&mut desk), 0, "it was told of both");
    for sums in [vec![], vec![1, 2, 3], vec![0; 512]] {
        let _ = desk.wait(SYNC_AGAIN);
        assert!(desk.relay.on_pool_summary(ALICE, &PoolSummary { count: 5, sums }, desk.now).is_empty());
    }
}

#[test]
fn a_bitcoin_node_is_told_of_what_is_pending() {
    let mut desk = Desk::new(Config::default());
    for salt in 0..1_100 {
        desk.pool.insert(&fixture::transaction(salt, 100), 1_000 + salt);
    }
    desk.relay.load(&desk.pool);
    desk.relay.on_feefilter(ALICE, 0);
    desk.ready(ALICE, bitcoin());
    let mut named = Vec::new();
    for message in to(&desk.wait(Duration::from_secs(3)), ALICE) {
        let Message::Inv(inventory) = message else { continue };
        named.extend(inventory);
    }
    let mut unique = named.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!((named.len(), unique.len()), (1_100, 1_100));
}
