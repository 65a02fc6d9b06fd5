//! The demonstration: three real nodes, a payment, a death, and a way round it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, bare};

/// Time in which a demonstration is over, on a slow machine.
const WHOLE: Duration = Duration::from_secs(300);

#[test]
fn the_demonstration_shows_every_step_and_leaves_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = bare();
    command.env("TMPDIR", temporary.path()).args(["--json", "demo", "--exit"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > WHOLE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let ran = Ran::from(child.wait_with_output().unwrap()).ends(0);
    let steps: Vec<Value> = ran.json()["steps"].as_array().unwrap().clone();
    assert_eq!(steps.len(), 12, "{ran:?}");
    let seen = |step: usize| steps[step]["seen"].to_string();
    assert!(seen(3).contains("pending") && seen(4).contains("0.25 YAP confirmed"), "{ran:?}");
    assert!(seen(9).contains("0.50 YAP confirmed"), "{ran:?}");
    assert!(seen(11).contains("3 ledgers") && seen(11).contains("one hash"), "{ran:?}");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_with_something_in_it_is_not_used() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "mine").unwrap();
    let ran = Ran::from(bare().args(["demo", "--exit", "--keep"]).arg(directory.path()).output().unwrap());
    ran.ends(1).says("has something in it");
}
