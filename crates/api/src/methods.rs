//! Every JSON-RPC method, with the names, parameters, replies, error codes and messages of Bitcoin Core.
//!
//! | module | methods |
//! |---|---|
//! | `blockchain` | blocks, the chain, coins |
//! | `raw` | transactions as bytes, and PSBT |
//! | `mempool` | transactions that wait |
//! | `mining` | block templates, submission, blocks on demand |
//! | `util` | addresses, descriptors, fees, signed messages |
//! | [`types`] | what parameters and replies are made of |
//!
//! A method takes from the node what it needs in one short job, and writes it down outside.

mod blockchain;
mod mempool;
mod mining;
mod raw;
pub mod types;
mod util;

use crate::method::Methods;

/// The table of all methods.
#[must_use]
pub fn all() -> Methods {
    let parts: [fn(Methods) -> Methods; 5] = [blockchain::add, raw::add, mempool::add, mining::add, util::add];
    parts.into_iter().fold(Methods::default(), |methods, add| add(methods))
}
