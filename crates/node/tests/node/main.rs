//! Whole nodes in one process, over real connections on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    unreachable_pub,
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test may panic: it fails"
)]

mod hardship;
mod own;
mod peers;
mod shared;
mod town;
