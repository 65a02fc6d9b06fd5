//! Transactions as their senders meet them: offered to a real chain, verified by the real engine.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic"
)]

mod chain;
mod entering;
mod flying;
mod pairs;
mod property;
mod restart;
mod town;
