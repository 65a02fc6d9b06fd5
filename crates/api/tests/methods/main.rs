//! JSON-RPC methods over a node with real blocks: what they answer, and how they refuse.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test may panic"
)]

mod blockchain;
mod hostile;
mod mempool;
mod mining;
mod node;
mod raw;
mod util;
