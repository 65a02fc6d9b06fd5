//! A whole peer: the node of `yap_protocol`, a small ledger, and the network of `yap_net`.
//!
//! ```text
//!  yap-peer ── lines ──▶ console ──▶ Peer ──▶ Network
//!                                     │          ▲ │ events
//!  tests ───── calls ─────────────────┤          │ ▼
//!                                     └──▶ machine: Node, Ledger, address book
//!                                                ▲ │
//!  tests without libp2p ── calls ──▶ Control     └─▼ Switchboard
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`Peer`] | a peer on the real network |
//! | [`Control`], [`start()`] | a peer over any [`Carrier`], and what can be asked of it |
//! | `machine` | the loop that drives the node |
//! | [`ledger`] | chain, mempool, blocks on disk, the test keys' coins |
//! | [`chain`] | the chain that test peers are on |
//! | [`Home`] | the directory: lock, key | |
//! | [`Event`], [`Status`], [`Watch`] | what a peer tells, how it stands, and waiting for it |
//! | [`Options`], [`Arguments`] | how it is started |
//! | [`command`], [`console`] | JSON lines |
//! | [`Switchboard`] | peers of one process without libp2p |
//!
//! Every block stays in memory, which suits tests and nothing else: strangers can't make a peer keep anything but blocks
//! that solve their header, and the chains here are made to be easy.

mod carrier;
pub mod chain;
pub mod command;
pub mod console;
mod control;
mod event;
mod funds;
mod home;
mod journal;
pub mod ledger;
mod machine;
mod network;
mod options;
mod status;
mod switchboard;
mod watch;

pub use carrier::Carrier;
pub use command::{Command, CommandError};
pub use control::{Control, RequestError, start};
pub use event::{Event, Reach, Way};
use home::random;
pub use home::{Home, StartError};
pub use ledger::{FOUNDATION, Ledger, MakeError, Place};
pub use machine::{Mined, Standing};
pub use network::Peer;
pub use options::{ArgumentError, Arguments, Options};
pub use status::{Session, Status};
pub use switchboard::{BACKLOG, Line, Switchboard};
pub use watch::{Late, Watch};
