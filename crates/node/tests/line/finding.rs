//! The order in which nodes are started does not matter (W1, W4), and many find one another from few addresses (W6).

use serde_json::{Value, json};

use crate::node::Node;
use crate::town::{COIN, MATURITY, Town};

/// Names of a node's peers.
fn peers(town: &Town, number: usize) -> Vec<String> {
    let peers = town.call(number, "getpeerinfo", json!([]));
    let name = |peer: &Value| peer["identity"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = peers.as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

/// Requires that the nodes stand in a line, each connected to its neighbours and nobody else.
fn is_a_line(town: &mut Town) {
    town.connected([1, 2, 1]);
    let name = |number| town.call(number, "getstatus", json!([]))["identity"].as_str().unwrap().to_owned();
    let names = [name(1), name(2), name(3)];
    assert_eq!(peers(town, 1), [names[1].clone()]);
    assert_eq!(peers(town, 3), [names[1].clone()]);
    let mut ends = [names[0].clone(), names[2].clone()];
    ends.sort();
    assert_eq!(peers(town, 2), ends);
    // And what one end learns, the other does.
    town.mine(3, 1);
    assert_eq!(town.agreed().0, 1);
}

fn started_one_after_another(orders: [[usize; 3]; 2]) {
    for order in orders {
        let mut town = Town::line();
        for number in order {
            town.start(number);
        }
        is_a_line(&mut town);
    }
}

#[test]
fn nodes_find_each_other_when_the_first_is_started_first() {
    started_one_after_another([[1, 2, 3], [1, 3, 2]]);
}

#[test]
fn nodes_find_each_other_when_the_middle_is_started_first() {
    started_one_after_another([[2, 1, 3], [2, 3, 1]]);
}

#[test]
fn nodes_find_each_other_when_the_last_is_started_first() {
    started_one_after_another([[3, 1, 2], [3, 2, 1]]);
}

#[test]
fn nodes_find_each_other_when_all_are_started_at_once() {
    let mut town = Town::line();
    town.start_all();
    is_a_line(&mut town);
}

/// Most peers that a node looks for by itself: for everything, and for blocks alone.
const WANTED: [(&str, usize); 2] = [("outbound-full-relay", 8), ("block-relay-only", 2)];

#[test]
fn in_a_crowd_everybody_has_each_payment_and_nobody_dials_more_than_a_few() {
    const SIZE: usize = 16;
    let base = tempfile::tempdir().unwrap();
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..SIZE {
        // A tree: each is told of one that may not run yet.
        let peers = number.checked_sub(1).map(|before| nodes[before / 2].url()).unwrap_or_default();
        let mut node = Node::new(base.path().join(number.to_string()), peers, "off");
        node.curious = true;
        nodes.push(node);
    }
    let mut town = Town::of(nodes, base);
    town.start_all();
    town.until("each has as many peers as it wants", |town| {
        for number in town.alive() {
            let peers = town.call(number, "getpeerinfo", json!([]));
            let count =
                |kind: &str| peers.as_array().unwrap().iter().filter(|peer| peer["connection_type"] == kind).count();
            for (kind, most) in WANTED {
                assert!(count(kind) <= most, "node {number} has {} of {kind}", count(kind));
            }
            let all = peers.as_array().unwrap().len();
            if all < WANTED[0].1 {
                return Err(format!("node {number} has {all}"));
            }
        }
        Ok(())
    });
    town.mine(SIZE, MATURITY + 1);
    assert_eq!(town.agreed().0, MATURITY + 1);
    let payment = town.pay(SIZE, &town.address(1), COIN / 2);
    for number in 1..=SIZE {
        town.waits(number, &payment);
    }
    town.mine(SIZE / 2, 1);
    town.confirmed(1, &payment, 1);
    assert_eq!(town.agreed().0, MATURITY + 2);
}
