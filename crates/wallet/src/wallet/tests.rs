//! Wallets in a small town, where blocks are made by hand and every signature is verified.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cloned_ref_to_slice_refs,
    clippy::wildcard_imports,
    reason = "tests: what overflows stops them, and stories read better so"
)]

mod figures;
mod files;
mod following;
mod keys;
mod paying;
mod property;
mod town;
