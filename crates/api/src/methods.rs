//! Every JSON-RPC method, with the names, parameters, replies, error codes and messages of Bitcoin Core.
//!
//! | module | methods |
//! |---|---|
//! | `blockchain` | blocks, the chain, coins |
//! | `raw` | transactions as bytes, and PSBT |
//! | `mempool` | transactions that wait |
//! | `mining` | block templates, submission, blocks on demand |
//! | `network` | peers, bans, addresses |
//! | `control` | the program itself, and what the node does |
//! | `records` | keys and values, providers, topics |
//! | `wallet` | the user's money |
//! | `util` | addresses, descriptors, fees, signed messages |
//! | [`types`] | what parameters and replies are made of |
//!
//! A method takes from the node what it needs in one short job, and writes it down outside.

/// What is known of a method beside its parameters: name, group, and who may call it.
macro_rules! known_as {
    ($name:literal, $group:ident, $access:ident) => {
        const NAME: &'static str = $name;
        const GROUP: crate::method::Group = crate::method::Group::$group;
        const ACCESS: crate::method::Access = crate::method::Access::$access;
    };
}

mod blockchain;
mod control;
mod describe;
mod mempool;
mod mining;
mod network;
mod raw;
mod records;
pub mod types;
mod util;
mod wallet;

pub(crate) use self::records::topic;
use crate::method::Methods;

/// The table of all methods.
#[must_use]
pub fn all() -> Methods {
    let parts: [fn(Methods) -> Methods; 9] = [
        blockchain::add,
        raw::add,
        mempool::add,
        mining::add,
        util::add,
        network::add,
        control::add,
        records::add,
        wallet::add,
    ];
    parts.into_iter().fold(Methods::default(), |methods, add| add(methods))
}
