//! What somebody sees and types who sits at a terminal.

use crate::support::Place;
use crate::tty::Terminal;

/// What begins a line of the status.
const LABELS: [&str; 5] = ["waiting  ", "balance  ", "http     ", "files    ", "next     "];

/// An address of the chain `local`.
const BOB: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

const PASSPHRASE: &str = "three heavy stones";

/// How often lines of the screen begin so.
fn count(rows: &[String], beginning: &str) -> usize {
    rows.iter().filter(|row| row.starts_with(beginning)).count()
}

/// Whether the status stands there once, within the width, and nothing of an older one around it.
fn is_whole(terminal: &Terminal, width: usize) -> bool {
    let rows = terminal.rows();
    // What was told at the start stays above; it may have been broken by a narrower window.
    let Some(begin) = rows.iter().rposition(|row| row.contains("height ")) else { return false };
    let below = &rows[begin..];
    LABELS.iter().all(|label| count(&rows, label) == 1 && count(below, label) == 1)
        && rows.iter().filter(|row| row.contains("height ")).count() == 1
        && below.iter().all(|row| row.chars().count() < width)
        && below.last().is_some_and(String::is_empty)
}

#[test]
fn the_status_follows_the_width_of_the_terminal_and_leaves_with_ctrl_c() {
    let place = Place::empty();
    let flags = ["--p2p-port", "0", "--http-port", "0", "--listen", "loopback", "--mine", "off"];
    let up = [&["up"][..], &flags, &["--no-mdns", "--no-registry", "--no-upnp", "--no-dht"]].concat();
    let mut terminal = Terminal::run(&place, &up, 100);
    terminal.until(|terminal| is_whole(terminal, 100), "the status");
    for (pings, width) in (1..).zip([60, 45, 120, 60]) {
        terminal.resize(width);
        terminal.until(|terminal| is_whole(terminal, width.into()), &format!("the status in {width} columns"));
        // Something happens: lines come and go.
        place.run(["ping"]).ends(0);
        let shown = |terminal: &Terminal| terminal.rows().iter().filter(|row| row.contains("ping from")).count();
        terminal.until(|terminal| shown(terminal) == pings, "the ping");
        terminal.until(|terminal| is_whole(terminal, width.into()), &format!("the status in {width} columns"));
    }
    terminal.types("\x03");
    assert_eq!(terminal.ends(), 0);
    terminal.until(|terminal| count(&terminal.rows(), "stopping") == 1, "the last word");
    let rows = terminal.rows();
    assert!(LABELS.iter().all(|label| count(&rows, label) == 0), "{rows:#?}");
    assert!(terminal.echoes());
    place.run(["status"]).ends(3);
}

#[test]
fn a_passphrase_is_asked_for_and_never_shown() {
    let place = Place::with_node();
    let mut terminal = Terminal::run(&place, &["wallet", "encrypt"], 80);
    terminal.says("New passphrase: ");
    assert!(!terminal.echoes());
    terminal.types(&format!("{PASSPHRASE}\n"));
    terminal.says("The same again: ");
    terminal.types(&format!("{PASSPHRASE}\n"));
    assert_eq!(terminal.ends(), 0, "{}", terminal.raw());
    terminal.says("encrypted and locked");
    assert!(!terminal.raw().contains("stones"), "{}", terminal.raw());
    assert!(terminal.echoes());

    let mut terminal = Terminal::run(&place, &["wallet", "unlock"], 80);
    terminal.says("Passphrase of the wallet: ");
    terminal.types("two heavy stones\n");
    assert_eq!(terminal.ends(), 1, "{}", terminal.raw());
    let mut terminal = Terminal::run(&place, &["wallet", "unlock"], 80);
    terminal.says("Passphrase of the wallet: ");
    terminal.types(&format!("{PASSPHRASE}\n"));
    assert_eq!(terminal.ends(), 0, "{}", terminal.raw());
    assert!(!terminal.raw().contains("stones"), "{}", terminal.raw());
}

#[test]
fn ctrl_c_at_a_hidden_question_gives_the_terminal_back() {
    let place = Place::with_node();
    let mut terminal = Terminal::run(&place, &["wallet", "encrypt"], 80);
    terminal.says("New passphrase: ");
    assert!(!terminal.echoes());
    terminal.types("three\x03");
    assert_eq!(terminal.ends(), 130);
    assert!(terminal.echoes(), "what is typed next is seen again");
    assert!(!terminal.raw().contains("three"), "{}", terminal.raw());
}

#[test]
fn whoever_pays_is_asked_and_an_empty_answer_is_no() {
    let place = Place::with_node();
    place.run(["mine", "101"]).ends(0);
    for (answer, code, told) in [("\n", 1, "nothing was sent"), ("maybe\n", 1, "nothing was sent"), ("y\n", 0, "")] {
        let mut terminal = Terminal::run(&place, &["pay", BOB, "0.25"], 80);
        terminal.says("[y/N] ");
        terminal.types(answer);
        assert_eq!(terminal.ends(), code, "{}", terminal.raw());
        terminal.says(told);
    }
    assert_eq!(place.run(["--json", "rpc", "getrawmempool"]).ends(0).json().as_array().map(Vec::len), Some(1));
}
