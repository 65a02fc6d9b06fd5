//! A whole peer: the node of `yap_protocol`, a small ledger, and the network of `yap_net`.

mod chain;
mod funds;
mod journal;
mod ledger;

pub use ledger::Ledger;
