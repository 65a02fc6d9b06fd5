//! Whole peers of this process on the real network of this machine alone: loopback, any free port, no root.
//!
//! Each test has its own registry folder or none, so tests that run at one time don't meet.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "tests"
)]

mod attack;
mod fail;
mod running;
mod share;
