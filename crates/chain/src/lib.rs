//! The ledger's rules, without a clock, a socket or a disk.
//!
//! Inputs are calls that carry everything a rule may look at (the block, its place in the header tree, the coins it
//! spends, the time); outputs are data: verdicts, script jobs to run elsewhere, and the changes that a block makes to
//! the UTXO set. Whoever drives the crate stores those changes and runs those jobs.
//!
//! | module | owns |
//! |---|---|
//! | [`spec`] | what one chain's rules are: Bitcoin's networks, the built-in `local`, files of one's own |
//! | [`header`] | header rules, proof of work, retargeting, the header tree and its locators |
//! | [`transaction`] | transactions as parsed and hashed once; rules that need no block around them |
//! | [`block`] | blocks as parsed and hashed once; rules with and without context; BIP-0325 |
//! | [`producer`] | on chains of signed blocks: who signs, who signed, and what follows for good |
//! | [`coin`] | one unspent output, small in memory and on disk |
//! | [`connect`] | a block's effect on the UTXO set, and its inverse |
//! | [`mempool`] | transactions that wait for a block: what is taken, replaced, evicted and mined |
//! | [`prices`] | what room in blocks cost lately |
//! | [`undo`] | the coins a block spent, and their bytes on disk |
//! | [`verify`] | script jobs: what a verification engine is asked |
//! | [`utxo`] | hashes and totals of a whole UTXO set |
//! | [`filter`] | compact block filters (BIP-0158) |
//! | [`policy`] | what is relayed of what is valid: standard transactions |
//! | [`address`] | addresses and payment requests, as people read and type them |
//! | [`integer`] | integers of variable length, as the formats above use them |

pub mod address;
pub mod block;
pub mod coin;
pub mod connect;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod header;
pub mod integer;
pub mod mempool;
pub mod policy;
pub mod prices;
pub mod producer;
pub mod spec;
pub mod transaction;
pub mod undo;
pub mod utxo;
pub mod verify;

pub use bitcoin;
