//! Each oracle sees what it is for: a network is put into a state that must never be.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Amount, ScriptBuf};
use yap_protocol::Time;

use super::*;
use crate::network::agent::Purse;
use crate::network::drive::Job;
use crate::network::forge::Draft;
use crate::network::{Config, Options, START, Start};

/// Two nodes that don't know each other.
fn pair() -> (Network, [NodeId; 2]) {
    let mut network = Network::new("oracle", Config::default(), 9);
    let mut purse = Purse::new(network.random("purse"));
    let tip = network.prepare(5, 1, &mut purse);
    let ids = network.add_nodes(2, Start::At(tip), &Options::given());
    (network, [ids[0], ids[1]])
}

/// Gives a node a block.
fn give(network: &mut Network, id: NodeId) -> BlockHash {
    let tree = network.world().tree();
    let draft = Draft {
        transactions: &[],
        payout: &[ScriptBuf::from(vec![0x51])],
        fees: Amount::ZERO,
        time: START.header_time(),
        salt: 1,
    };
    let block = draft.seal(tree, tree.best());
    let block = Arc::new(block);
    network.work(id, Job::Process(Arc::clone(&block)));
    block.hash()
}

#[test]
fn a_network_at_rest_is_settled() {
    let (mut network, _) = pair();
    network.run_until(Time::from_secs(1)).unwrap();
    assert_eq!(network.settled(), Ok(()));
}

#[test]
fn different_tips_are_seen_unless_the_network_is_divided() {
    let (mut network, ids) = pair();
    let hash = give(&mut network, ids[1]);
    network.run_until(Time::from_secs(1)).unwrap();
    assert_eq!(network.ledger(ids[1]).tip_hash(), hash);
    let failure = network.settled().unwrap_err();
    assert!(matches!(*failure.violation, Violation::Tips { count: 2, .. }), "{failure}");
    network.divide(|id| id.0);
    assert_eq!(network.settled(), Ok(()));
}

#[test]
fn lost_coins_are_seen() {
    let (mut network, ids) = pair();
    ids.iter().for_each(|id| {
        give(&mut network, *id);
    });
    network.run_until(Time::from_secs(1)).unwrap();
    assert_eq!(network.settled(), Ok(()));
    network.world_mut().lose_a_coin();
    let failure = network.settled().unwrap_err();
    assert!(matches!(*failure.violation, Violation::Supply { .. }), "{failure}");
}

#[test]
fn missing_answers_are_seen() {
    let (mut network, ids) = pair();
    give(&mut network, ids[0]);
    give(&mut network, ids[1]);
    let failure = network.settled().unwrap_err();
    assert!(matches!(*failure.violation, Violation::Unanswered { waiting: 1, .. }), "{failure}");
}

#[test]
fn work_of_an_earlier_life_is_dropped() {
    let (mut network, ids) = pair();
    let before = network.ledger(ids[0]).tip_hash();
    give(&mut network, ids[0]);
    network.crash(ids[0]);
    network.restart(ids[0]);
    network.run_until(Time::from_secs(1)).unwrap();
    assert_eq!(network.ledger(ids[0]).tip_hash(), before);
    assert_eq!(network.waiting(ids[0]), 0);
}

#[test]
fn blame_of_honest_nodes_ends_the_run_and_tells_the_seed() {
    let (mut network, ids) = pair();
    network.parted(ids[0], ids[1], Reason::TooSlow);
    network.run_until(Time::from_secs(1)).unwrap();
    network.parted(ids[0], ids[1], Reason::Misbehaved);
    network.connect(ids[0], ids[1]);
    let failure = network.run_until(Time::from_secs(2)).unwrap_err();
    assert!(failure.to_string().starts_with("SIM_SEED=9 scenario=oracle at 1000000 µs"), "{failure}");
    assert_eq!((network.partings().from_honest(Reason::Misbehaved), network.partings().others()), (1, 0));
}

#[test]
fn work_takes_its_time_one_thing_after_the_other() {
    let (mut network, ids) = pair();
    let took = Duration::from_micros(505);
    let first = give(&mut network, ids[0]);
    network.work(ids[0], Job::Process(Arc::clone(network.world().block(&network.ledger(ids[0]).tip_hash()).unwrap())));
    network.run_until(Time::ZERO.after(took * 2 - Duration::from_micros(1))).unwrap();
    assert_eq!(network.block_arrivals(&first), [Time::ZERO.after(took)]);
    assert_eq!(network.waiting(ids[0]), 1);
    network.run_until(Time::ZERO.after(took * 2)).unwrap();
    assert_eq!(network.waiting(ids[0]), 0);
}
