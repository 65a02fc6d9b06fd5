//! The ledger as a whole.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]
#![allow(clippy::wildcard_enum_match_arm, clippy::print_stdout, reason = "tests")]

mod differential;
mod reorg;
mod rules;
mod signed;
mod subject;
mod vectors;
