//! The interface by which users and programs talk to a node: JSON-RPC as Bitcoin Core's, and HTTP beside it.
//!
//! | module | owns |
//! |---|---|
//! | [`backend`] | what the interface asks of a node, and in which words |
//! | [`event`] | what happens at a node, as the event stream tells it |
//! | [`method`] | what a JSON-RPC method is: parameters, reply, who may call it |
//! | [`client`] | how a program on this machine talks to a running node |
//! | [`credentials`] | the cookie that proves who may do all |
//! | [`server`] | the HTTP server: bounds, who is let in; behind it JSON-RPC's envelope, the event stream, pages |
//! | [`methods`] | every JSON-RPC method |
//! | [`error`] | how a call fails: Bitcoin Core's codes |
//!
//! Not its job: to hold a ledger, a wallet or connections. Whoever has them implements [`backend::Backend`].

pub mod backend;
pub mod client;
pub mod credentials;
pub mod error;
pub mod event;
pub mod method;
mod prices;
mod rpc;
pub mod server;
mod stream;

#[cfg(test)]
mod fixture;
pub mod methods;

pub use backend::Backend;
pub use client::{Client, ClientError};
pub use error::Error;
pub use method::{Context, Method, Methods, reference};
pub use server::{Config, Server, StartError};
