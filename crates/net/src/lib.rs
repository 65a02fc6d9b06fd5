//! Carries the protocol over libp2p: [`yap_protocol::Node`] decides, this crate opens, finds, frames and delivers.
//!
//! ```text
//!            Config ──▶ Network::start
//!                          │
//!  Node ──Output──▶ Network::apply ──▶ sessions ──bytes──▶ streams ┐
//!                          └──dial, part──▶ engine ◀── swarm ◀─────┴─▶ TCP, QUIC, WebSocket, relay, memory
//!  Node ◀─Input───── Events::next ◀── sessions, engine ◀── mDNS, DHT, registry, DNS
//! ```
//!
//! It knows nothing of ledgers, and no libp2p type leaves it. Whoever owns the node feeds it what [`Events::next`] gives,
//! hands what it wants done to [`Network::apply`], and does itself what that gives back (blocks, transactions, the disk).
//!
//! | module | owns |
//! |---|---|
//! | [`config`] | what the network is told when it starts |
//! | [`event`] | what it tells |
//! | [`status`] | how it stands, in words |
//! | [`error`] | why it could not start, or do what was asked |
//! | [`identity`] | the key in the data directory, and the names that people exchange |
//! | [`given`] | the forms in which a user names peers |
//! | [`clock`] | the steady clock and the wall clock |
//! | [`book`] | the address book, on disk |
//! | `address` | our addresses and libp2p's |
//! | `transport` | one port for libp2p, WebSocket and Bitcoin; QUIC; memory |
//! | `session` | one long-lived stream per peer, with backpressure both ways |
//! | `limits` | how many connections, from whom |
//! | `rate`, `recent` | how often something may happen, and for whom that is remembered |
//! | `reach` | how we are reached: UPnP, dial-back, relays, hole punching |
//! | `find` | the registry of this host, DNS |
//! | `records` | the record store of the DHT, on disk |
//! | `service` | put, get, provide, find |
//! | [`topics`] | publish and subscribe |
//! | `engine` | the task that owns the swarm |
//!
//! Not its job: what is said on a stream (`yap_protocol`), and slow work.

mod address;
pub mod book;
pub mod clock;
pub mod config;
mod engine;
pub mod error;
pub mod event;
mod find;
mod forward;
pub mod given;
pub mod identity;
mod limits;
mod network;
mod owner;
mod private;
mod protocols;
mod rate;
mod reach;
mod recent;
mod records;
mod service;
mod session;
pub mod status;
pub mod topics;
mod transport;

pub use book::Book;
pub use clock::Clock;
pub use config::Config;
pub use error::{DialError, PublishError, RecordError, StartError};
pub use event::{Event, Notice};
pub use find::default_registry;
pub use given::Given;
pub use network::{Events, Network};
pub use service::Stored;
pub use status::Status;
