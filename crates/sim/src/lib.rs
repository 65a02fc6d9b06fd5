//! Chains to test with: builders of valid blocks, their mutations, orders of arrival, and the oracle they are judged by.
//!
//! Everything follows from a seed: the same seed gives the same bytes. What is built here comes from the `bitcoin`
//! crate and this crate's own bookkeeping, never from the rules under test, so that the two can be compared.
//!
//! | module | owns |
//! |---|---|
//! | [`random`] | seeded numbers |
//! | [`lock`] | every kind of output, and the keys to it |
//! | [`builder`] | valid chains with real signatures of every kind, forks included |
//! | [`mod@bench`] | chains of a chosen size and mix, to measure with |
//! | [`blk`] | blocks in the framing of block files |
//! | [`mutation`] | named changes to a valid block, each with the rule it breaks |
//! | [`arrival`] | trees of blocks and the orders in which they may arrive |
//! | [`unspent`] | the UTXO set as it follows from blocks alone |
//! | [`verdict`] | what is said of a submitted block, and [`Subject`], which says it |
//! | [`differential`] | runs a subject against a reference, and reports where they differ |
//! | [`fuzz`] | what must hold of every decoder for any bytes |
//! | `network` | many nodes, the lines between them and their adversaries, under virtual time (feature `network`) |
//! | `oracle` | Bitcoin Core's validation as a [`Subject`] (feature `oracle`) |
//!
//! ```
//! use yap_sim::Builder;
//!
//! let mut builder = Builder::regtest(7);
//! let empty = builder.mine(&[]);
//! let full = builder.random_block();
//! assert_eq!(full.header.prev_blockhash, empty.block_hash());
//!
//! let mut fork = builder.fork_at(1);
//! assert_ne!(fork.random_block().block_hash(), full.block_hash());
//! ```
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "linked by tests only: a generator that overflows or misses an index must stop the test"
)]

pub mod arrival;
pub mod bench;
pub mod blk;
pub mod builder;
pub mod differential;
pub mod fuzz;
pub mod lock;
pub mod mutation;
#[cfg(feature = "network")]
pub mod network;
#[cfg(feature = "oracle")]
pub mod oracle;
pub mod random;
pub mod unspent;
pub mod verdict;

pub use bitcoin;
pub use builder::Builder;
pub use mutation::Mutation;
#[cfg(feature = "oracle")]
pub use oracle::Oracle;
pub use random::Random;
pub use verdict::{Subject, Verdict};
