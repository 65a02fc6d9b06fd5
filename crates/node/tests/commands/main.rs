//! The commands that ask a node, against a real one: another process of the same program, as users have it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test may panic: it fails"
)]

mod demo;
mod peers;
#[cfg(unix)]
mod screen;
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod support;
mod talk;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod tty;
mod wallet;
