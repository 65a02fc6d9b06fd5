//! The order in which nodes are started does not matter (W1, W4).

use serde_json::{Value, json};

use crate::town::Town;

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
