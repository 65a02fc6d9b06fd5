//! Nodes as users have them: each a process of its own with a directory of its own, told by the environment whom to connect
//! to, and asked by HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    missing_docs,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "a test may panic: it fails"
)]

mod dying;
mod finding;
mod key;
mod link;
mod load;
mod node;
mod parting;
mod paying;
mod pinging;
mod signing;
mod silence;
mod town;
