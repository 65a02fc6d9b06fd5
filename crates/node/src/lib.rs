//! The node: everything that `chain`, `script` and `store` are for, put together.
//!
//! | module | owns |
//! |---|---|
//! | [`prepare`] | the first stage of a block's way: parse, hash, check by itself |
//! | [`reject`] | why a block was refused, whichever rule it broke |
//! | [`chainstate`] | one chain's ledger: headers, blocks, coins and scripts in flight, kept in step |
//! | [`admission`] | which transactions wait for a block: judged, verified, kept, saved |
//! | [`import`](mod@import) | reading blocks from files, staged over many blocks |
//! | [`miner`] | finding blocks: when, for whom, and the threads that hash |
//! | [`audit`] | checking what is stored against itself |
//! | [`cli`] | the `yap` command |

pub mod admission;
pub mod audit;
pub mod chainstate;
pub mod cli;
pub mod import;
pub mod miner;
pub mod prepare;
pub mod reject;

pub use admission::Admission;
pub use chainstate::Chainstate;
pub use {yap_chain, yap_protocol, yap_script, yap_store};
