//! The network simulator: that a run can be repeated, that its lines and oracles do what they say, and what nodes do in it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

mod engine;
mod nodes;
