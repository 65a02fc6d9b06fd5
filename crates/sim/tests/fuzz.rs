//! Every decoder, and a whole node, meets damaged bytes, the same at each run. A failure prints `SIM_SEED=…`; with that in the environment
//! the one failing input is run alone.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and tells how to repeat it"
)]

use yap_sim::Random;
use yap_sim::fuzz::{Outcome, TARGETS, Target, mutated};

/// Inputs per decoder.
const INPUTS: u64 = 4_000;

/// Prints what repeats a failure.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("SIM_SEED={}", self.0);
        }
    }
}

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

fn survives(name: &str) {
    let target = target(name);
    let samples = (target.samples)();
    assert!(samples.len() > 10, "there are samples to start from");
    let run = |seed| {
        let _repeat = Repeat(seed);
        (target.body)(&mutated(&samples, &mut Random::new(seed)))
    };
    if let Ok(seed) = std::env::var("SIM_SEED") {
        run(seed.parse().unwrap());
        return;
    }
    let held = (0..INPUTS).filter(|seed| run(*seed) == Outcome::Held).count();
    assert!(held > 20, "only {held} inputs passed the decoder: the checks behind it saw too little");
}

#[test]
fn samples_pass() {
    for target in TARGETS {
        for sample in (target.samples)() {
            assert_eq!((target.body)(&sample), Outcome::Held, "{}", target.name);
        }
    }
}

#[test]
fn mutations_are_the_same_at_each_run_and_change_the_input() {
    let samples = (target("transaction").samples)();
    let run = || (0..200).map(|seed| mutated(&samples, &mut Random::new(seed))).collect::<Vec<_>>();
    assert_eq!(run(), run());
    let changed = run().iter().filter(|input| !samples.contains(input)).count();
    assert!(changed > 190, "{changed} of 200");
}

#[test]
fn blocks_survive_damage() {
    survives("block");
}

#[test]
fn transactions_survive_damage() {
    survives("transaction");
}

#[test]
fn coins_survive_damage() {
    survives("coin");
}

#[test]
fn undo_data_survives_damage() {
    survives("undo");
}

#[test]
fn keys_survive_damage() {
    survives("key");
}

#[test]
fn filters_survive_damage() {
    survives("filter");
}

#[test]
fn filter_elements_survive_damage() {
    survives("elements");
}

#[test]
fn integers_survive_damage() {
    survives("integer");
}

#[test]
fn specs_survive_damage() {
    survives("spec");
}

#[test]
fn headers_survive_damage() {
    survives("header");
}

#[test]
fn signet_solutions_survive_damage() {
    survives("solution");
}

#[test]
fn framings_survive_damage() {
    survives("framing");
}

#[test]
fn rows_survive_damage() {
    survives("row");
}

#[test]
fn rules_of_relay_survive_damage() {
    survives("policy");
}

#[test]
fn messages_of_bitcoins_carrier_survive_damage() {
    survives("message_bitcoin");
}

#[test]
fn messages_of_streams_survive_damage() {
    survives("message_stream");
}

#[test]
fn a_node_survives_whatever_happens_to_it() {
    survives("node");
}

#[test]
fn empty_input_is_harmless() {
    for target in TARGETS {
        (target.body)(&[]); // Some take it, some refuse it; none may panic.
    }
}
