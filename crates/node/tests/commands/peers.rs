//! What commands say of peers and of what peers carry, where something stands in the way.

use std::time::Instant;

use serde_json::Value;

use crate::support::{PATIENCE, Place, Ran};
use crate::talk::{first_line, interrupt, streaming};

/// Runs a command until it says what it should.
fn until(place: &Place, arguments: &[&str], done: impl Fn(&Ran) -> bool) -> Ran {
    let begun = Instant::now();
    loop {
        let ran = place.run(arguments);
        if done(&ran) {
            return ran;
        }
        assert!(begun.elapsed() < PATIENCE, "{ran:?}: {}", place.said());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_named_peer_that_is_banned_is_told_and_how_to_let_it_in() {
    let (alice, mut bob) = (Place::with_node(), Place::with_node());
    let way = bob.listens();
    alice.run(["addpeer", &way]).ends(0);
    let named = |connected: bool| {
        let ran = until(&alice, &["--json", "rpc", "getaddednodeinfo"], |ran| {
            ran.json()[0]["connected"] == Value::Bool(connected)
        });
        ran.json()[0].clone()
    };
    assert_eq!(named(true).get("banned_until"), None);
    let peers = alice.run(["--json", "peers"]).ends(0).json();
    let identity = peers[0]["identity"].as_str().unwrap();
    alice.run(["rpc", "setban", identity, "add", "7200"]).ends(0);
    bob.run(["stop"]).ends(0);
    bob.ended();
    assert!(named(false)["banned_until"].as_u64().is_some_and(|until| until > 1_700_000_000));
    let told = alice.run(["peers"]).ends(0).out;
    assert!(
        told.contains("is banned here for another ") && told.contains(&format!("setban {identity} remove")),
        "{told}"
    );
    alice.run(["rpc", "setban", identity, "remove"]).ends(0);
    let told = alice.run(["peers"]).ends(0).out;
    assert!(!told.contains("banned"), "{told}");
}

#[test]
fn a_node_for_named_peers_alone_tries_one_that_it_is_told_to_try_once() {
    // Both, so that neither calls back.
    let (mut alice, mut bob) = (Place::empty(), Place::empty());
    alice.start_with(&["--only-peers"]);
    bob.start_with(&["--only-peers"]);
    alice.run(["rpc", "addnode", &bob.listens(), "onetry"]).ends(0);
    until(&alice, &["--json", "rpc", "getpeerinfo"], |ran| ran.json()[0]["connection_type"] == "manual");
    assert_eq!(alice.run(["--json", "rpc", "getaddednodeinfo"]).ends(0).json(), Value::Array(Vec::new()));
}

#[test]
fn a_node_without_the_dht_says_that_records_need_it() {
    let mut place = Place::empty();
    place.start_with(&["--no-dht"]);
    for command in [&["put", "key", "value"][..], &["get", "key"], &["provide", "key"], &["providers", "key"]] {
        place.run(command).ends(1).says("records need the DHT").says("--no-dht");
    }
}

#[test]
fn a_subscriber_that_leaves_takes_the_topic_from_nobody() {
    let (alice, bob) = (Place::with_node(), Place::with_node());
    alice.run(["addpeer", &bob.listens()]).ends(0);
    let publish = |number: u32| drop(alice.run(["publish", "news", &format!("{number} stones")]));
    let (first, mut said) = streaming(&bob, &["subscribe", "news"]);
    let (second, mut heard) = streaming(&bob, &["subscribe", "news"]);
    first_line(&first, &mut said, publish);
    first_line(&second, &mut heard, |number| publish(1000 + number));
    interrupt(&first);
    assert_eq!(Ran::from(first.wait_with_output().unwrap()).code, 130);
    // Lines that came before, and the one that is published after the first has left.
    let begun = Instant::now();
    for number in 0.. {
        let line = first_line(&second, &mut heard, |again| publish(2000 + 100 * number + again));
        assert!(begun.elapsed() < PATIENCE && !line.is_empty(), "{line:?}: {}", bob.said());
        if line.split_whitespace().any(|word| word.parse().is_ok_and(|told: u32| told >= 2000)) {
            break;
        }
    }
    interrupt(&second);
    assert_eq!(Ran::from(second.wait_with_output().unwrap()).code, 130);
}
