//! The node: everything that `chain`, `script` and `store` are for, put together.
//!
//! | module | owns |
//! |---|---|
//! | [`prepare`] | the first stage of a block's way: parse, hash, check by itself |
//! | [`reject`] | why a block was refused, whichever rule it broke |
//! | [`chainstate`] | one chain's ledger: headers, blocks, coins and scripts in flight, kept in step |
//! | [`admission`] | which transactions wait for a block: judged, verified, kept, saved |
//! | [`ledger`] | chain and mempool of a running node, and what comes of each change |
//! | [`node`] | a peer in one's own program: built, started, asked, stopped |
//! | `handle`, `metrics` | a running node, as the interface sees it |
//! | `machine` | the loop of a running node |
//! | [`observer`] | what happens, as log lines, metrics and the event stream |
//! | [`import`](mod@import) | reading blocks from files, staged over many blocks |
//! | [`miner`] | finding blocks: when, for whom, and the threads that hash |
//! | [`producer`] | the key that signs blocks, on disk |
//! | [`purse`] | the wallet of a running node: its file, and the thread that owns it |
//! | [`audit`] | checking what is stored against itself |
//! | [`config`] | everything that a node is told, and where each value comes from |
//! | [`home`] | the directory and the ports of a running node, and how others find it |
//! | [`cli`] | the `yap` command |

pub mod admission;
pub mod audit;
pub mod chainstate;
pub mod cli;
pub mod config;
mod handle;
pub mod home;
pub mod import;
pub mod ledger;
mod machine;
mod metrics;
pub mod miner;
pub mod node;
pub mod observer;
pub mod prepare;
pub mod producer;
pub mod purse;
pub mod reject;

pub use admission::Admission;
pub use chainstate::Chainstate;
pub use ledger::Ledger;
pub use node::Node;
pub use {yap_api, yap_chain, yap_net, yap_protocol, yap_script, yap_store};
