//! The ledger as its users meet it: the library's pipeline and the `yap` command, over whole chains.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and says when it passes over something"
)]

mod cli;
mod crash;
mod differential;
mod hostile;
mod prune;
mod reorg;
mod rules;
mod signed;
mod subject;
mod support;
mod trust;
mod vectors;
