//! A link that goes silent without being closed parts the network as a cut one does (M5, P15).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::link::Old;
use crate::town::{COIN, MATURITY, Town};

/// Time within which a node says that a peer is gone. Half a minute is what a user waits before a status is a lie.
const NOTICED: Duration = Duration::from_secs(30);

/// The same over Bitcoin's transport, which has no sign of life but the protocol's own.
const NOTICED_BARE: Duration = Duration::from_secs(42);

#[track_caller]
fn isolated(town: &mut Town, number: usize, expected: bool) {
    town.until(&format!("node {number} says isolated: {expected}"), |town| {
        match &town.call(number, "getstatus", json!([]))["isolated"] {
            Value::Bool(told) if *told == expected => Ok(()),
            other => Err(other.to_string()),
        }
    });
}

/// Nodes 1 - 2 and, over a link that goes silent, 3. Both sides go on, and heal by most work once the link passes again.
fn parts_and_heals(scheme: &str, old: Old, noticed: Duration) {
    let (mut town, link) = Town::over_a_link(scheme);
    town.start_all();
    town.connected([1, 2, 1]);
    town.mine(3, MATURITY + 10);
    town.agreed();
    let (first, second) = (town.address(1), town.address(2));
    town.pay(3, &first, COIN);
    town.mine(3, 1);
    town.has(1, COIN, 0);
    town.agreed();
    assert!(link.bytes() > 0, "they talk over the link");

    // Nobody is told that the link is silent. Something is on its way meanwhile, which nobody will acknowledge.
    link.silence();
    let begun = Instant::now();
    let there = town.pay(3, &first, COIN / 16);
    town.connected([1, 1, 0]);
    let took = begun.elapsed();
    println!("{scheme}: noticed after {took:?}");
    assert!(took < noticed, "it took {took:?}");
    isolated(&mut town, 3, true);
    isolated(&mut town, 1, false);

    // Both sides pay and confirm; the one that is cut off works more.
    let here = town.pay(1, &second, COIN / 8);
    town.waits(2, &here);
    town.mine(2, 1);
    town.confirmed(1, &here, 1);
    town.mine(3, 3);
    town.confirmed(3, &there, 3);
    let (left, right) = (town.agreed_among(&[1, 2]), town.agreed_among(&[3]));
    assert_eq!(right.0, left.0 + 2);
    assert_eq!(town.pool(1), [""; 0]);

    // The link passes again: they find each other by themselves, most work wins, and no payment is lost.
    link.heal(old);
    let begun = Instant::now();
    town.connected([1, 2, 1]);
    println!("{scheme}: together after {:?}", begun.elapsed());
    isolated(&mut town, 3, false);
    assert_eq!(town.agreed(), right);
    for number in 1..=3 {
        town.waits(number, &here);
    }
    assert_eq!(town.confirmations(1, &here), 0);
    town.mine(3, 1);
    town.until("both are confirmed", |town| match (town.confirmations(1, &here), town.confirmations(1, &there)) {
        (1, 4) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    town.agreed();
}

#[test]
fn sides_that_a_silent_websocket_parts_heal_when_it_passes_again() {
    parts_and_heals("ws", Old::Revive, NOTICED);
}

#[test]
fn sides_that_a_silent_tcp_connection_parts_heal_over_a_new_one() {
    parts_and_heals("tcp", Old::StayDead, NOTICED);
}

#[test]
fn sides_that_silence_on_bitcoins_transport_parts_heal_over_a_new_connection() {
    parts_and_heals("bitcoin", Old::StayDead, NOTICED_BARE);
}
