//! `/ping` is shown once by every node, whatever the shape of the network (W2).

use serde_json::json;
use yap_api::event::Event;

use crate::town::{Heard, Town};

/// How often a node showed a ping of another.
fn shown(town: &Town, number: usize, name: &str) -> usize {
    let of = |heard: &&Heard| heard.node == number && matches!(&heard.event, Event::Ping { from } if from == name);
    town.heard.iter().filter(of).count()
}

/// Asks each node once, and requires that every node shows each ping once: as an event, and as a line of its log.
fn all_are_alive(town: &mut Town) {
    let name = |number| town.call(number, "getstatus", json!([]))["identity"].as_str().unwrap().to_owned();
    let names = [name(1), name(2), name(3)];
    // The later ones tell that no more of the earlier ones is under way.
    for (asked, name) in [(3, &names[2]), (1, &names[0]), (2, &names[1])] {
        assert_eq!(town.node(asked).client.page("/ping").unwrap().trim(), "I'm alive");
        town.until(&format!("the ping of node {asked} is heard"), |town| {
            let counts = [1, 2, 3].map(|number| shown(town, number, name));
            if counts.iter().all(|count| *count > 0) { Ok(()) } else { Err(format!("{counts:?}")) }
        });
    }
    for number in 1..=3 {
        for name in &names {
            let line = format!("ping from {}…{}: I'm alive", &name[..4], &name[name.len() - 6..]);
            let lines = town.until(&format!("{line:?} is in the log of node {number}"), |town| {
                let lines = town.node(number).said().matches(&line).count();
                if lines > 0 { Ok(lines) } else { Err(town.node(number).said()) }
            });
            assert_eq!((shown(town, number, name), lines), (1, 1), "at node {number}");
        }
    }
}

#[test]
fn a_ping_is_shown_once_by_every_node_of_a_line() {
    let mut town = Town::running();
    all_are_alive(&mut town);
}

#[test]
fn a_ping_is_shown_once_by_every_node_of_a_ring() {
    let mut town = Town::line();
    let first = town.node(1).url();
    town.node_mut(3).know(&first);
    town.start_all();
    town.connected([2, 2, 2]);
    all_are_alive(&mut town);
}
