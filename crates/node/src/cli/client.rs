//! Commands that ask a running node, by JSON-RPC.
//!
//! Each prints a few plain lines, or with `--json` the node's reply unchanged. What a reply looks like to people is a
//! pure function of it. Not their job: to know rules or keep state; that is the node's.

pub(super) mod amount;
pub(super) mod error;
pub(super) mod interrupt;
pub(super) mod link;
pub(super) mod reply;
pub(super) mod text;

mod control;
mod look;
mod mine;
mod money;
mod pay;
mod peers;
mod records;
mod rpc;
mod secret;
mod status;
mod stream;
mod wait;
mod wallet;

#[cfg(test)]
mod tests;

use clap::Subcommand;

pub use self::amount::AmountError;
pub use self::error::Error;
pub(super) use self::link::{Link, now};
pub(super) use super::output::Output;
use super::{Ending, Global};

/// How a command ends.
type Run = Result<Ending, super::Error>;

/// See the module.
#[derive(Debug, Subcommand)]
pub(super) enum Client {
    /// Show how the node stands: chain, peers, wallet, miner, and what to do next.
    #[command(visible_alias = "info")]
    Status,
    /// List the connected peers, and how each is reached.
    Peers,
    /// Keep a peer connected.
    Addpeer(peers::Peer),
    /// Part from a peer, and don't call it again.
    Droppeer(peers::Peer),
    /// Ask whether the node is alive; every node that can be reached shows it once.
    Ping,
    /// Show what the wallet has.
    Balance,
    /// Make a new address to be paid at.
    Address(money::Address),
    /// Pay somebody. Shows amount, fee and address, and asks first.
    Pay(pay::Pay),
    /// List payments, newest first.
    History(money::History),
    /// Make blocks now, or say when the node makes them by itself.
    Mine(mine::Mine),
    /// Show a transaction.
    Tx(look::Tx),
    /// Show what waits for a block.
    Mempool(look::Mempool),
    /// Keep a value under a key, in the network.
    Put(records::Put),
    /// Find the value of a key, wherever it is kept.
    Get(records::Key),
    /// Tell the network that this node has what a key stands for.
    Provide(records::Key),
    /// Find the nodes that have what a key stands for.
    Providers(records::Key),
    /// Say something to whoever subscribes to a topic.
    Publish(records::Publish),
    /// Show the messages of a topic until Ctrl-C.
    Subscribe(stream::Subscribe),
    /// Show what happens at the node until Ctrl-C.
    Events(stream::Events),
    /// The wallet: words, passphrase, backup, coins.
    #[command(subcommand)]
    Wallet(wallet::Wallet),
    /// Call any method of the node, as bitcoin-cli does. `yap rpc help` lists them.
    Rpc(rpc::Rpc),
    /// Stop the node.
    Stop(control::Stop),
}

impl Client {
    pub(super) fn run(&self, global: &Global, output: &Output) -> Run {
        if let Self::Wallet(wallet) = self
            && let Some(ended) = wallet.run_alone(global, output)
        {
            return ended;
        }
        self.ask(&global.link()?, output)
    }

    fn ask(&self, link: &Link, output: &Output) -> Run {
        match self {
            Self::Status => status::run(link, output),
            Self::Peers => peers::list(link, output),
            Self::Addpeer(peer) => peers::add(peer, link, output),
            Self::Droppeer(peer) => peers::drop(peer, link, output),
            Self::Ping => control::ping(link, output),
            Self::Balance => money::balance(link, output),
            Self::Address(address) => address.run(link, output),
            Self::Pay(pay) => pay.run(link, output),
            Self::History(history) => history.run(link, output),
            Self::Mine(mine) => mine.run(link, output),
            Self::Tx(tx) => tx.run(link, output),
            Self::Mempool(mempool) => mempool.run(link, output),
            Self::Put(put) => put.run(link, output),
            Self::Get(key) => records::get(key, link, output),
            Self::Provide(key) => records::provide(key, link, output),
            Self::Providers(key) => records::providers(key, link, output),
            Self::Publish(publish) => publish.run(link, output),
            Self::Subscribe(subscribe) => subscribe.run(link, output),
            Self::Events(events) => events.run(link, output),
            Self::Wallet(wallet) => wallet.run(link, output),
            Self::Rpc(rpc) => rpc.run(link, output),
            Self::Stop(stop) => stop.run(link, output),
        }
    }
}
