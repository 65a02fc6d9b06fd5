//! Whole nodes that talk to each other over lines without loss, each with a ledger in memory.

#![expect(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, reason = "a test picks what it looks for")]

mod chaos;
mod counts;
mod line;
mod networks;
mod stories;
