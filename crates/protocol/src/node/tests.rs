//! Whole nodes that talk to each other over lines without loss, each with a ledger in memory.

mod chaos;
mod line;
mod networks;
mod stories;
