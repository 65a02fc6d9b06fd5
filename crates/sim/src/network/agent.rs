//! Who uses the nodes: miners and wallets. They see what a node of theirs sees, and give it commands.

mod miner;
mod payer;
mod purse;

use std::fmt::Debug;

use yap_protocol::Time;

use super::Network;

pub use miner::{Miner, mine};
pub use payer::Payer;
pub use purse::{Payment, Purse};

/// Acts now and then.
pub trait Agent: Debug {
    /// Acts, and says when it wants to act again; `None` if never.
    fn act(&mut self, network: &mut Network) -> Option<Time>;
}
