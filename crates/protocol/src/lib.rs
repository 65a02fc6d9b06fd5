//! The peer-to-peer protocol, without a clock, a socket, a disk or a thread.
//!
//! Bitcoin's messages (protocol 70016) and a few of our own, the state machines that answer them, and [`Node`], which
//! routes between them. Inputs are calls that carry the time; outputs are data. Slow work (scripts, disk) leaves as an
//! output and comes back as an input, so one seed and one list of inputs always give the same outputs.
//!
//! | module | owns |
//! |---|---|
//! | [`time`] | monotonic time and the wall clock, as values |
//! | [`random`] | numbers that follow from a seed and that peers can't predict |
//! | [`message`] | every message, as a type |
//! | [`codec`] | bytes to messages and back, for both carriers, in chunks of any size |
//! | [`address`] | where a peer is and who it is |
//! | [`link`] | one connection as the driver describes it |
//! | [`penalty`] | what a fault costs a peer, and why peers part |
//! | [`ledger`] | what the node sees of the chain and the mempool |
//! | [`io`] | the node's inputs and outputs |
//! | [`node`] | routes between the machines |
//! | [`blocks`] | blocks: fetched, served, announced |
//! | [`compact`] | compact blocks: made and rebuilt |
//! | [`peers`] | address book, wanted connections, scores |
//! | [`handshake`] | who is there, and what each side can do |
//! | [`keepalive`] | finds peers that are dead or too slow |
//! | [`compare`](mod@compare) | how a peer's chain stands to ours |
//! | [`headers`] | learns every branch of headers, and serves ours |
//! | [`irreversible`] | blocks that nobody can take back, on chains of signed blocks |
//! | [`relay`] | transactions among peers |
//! | [`tally`] | what the eight peer-to-peer operations did, in numbers |

pub mod address;
#[cfg(any(test, feature = "test-util"))]
pub mod arbitrary;
pub mod blocks;
pub mod codec;
pub mod compact;
pub mod compare;
#[cfg(test)]
#[allow(dead_code, clippy::arithmetic_side_effects, reason = "each test uses what it needs of it")]
mod fixture;
pub mod handshake;
pub mod headers;
pub mod io;
pub mod irreversible;
pub mod keepalive;
pub mod ledger;
pub mod link;
pub mod message;
pub mod node;
pub mod peers;
pub mod penalty;
pub mod random;
pub mod relay;
pub mod tally;
pub mod time;

pub use address::Address;
pub use io::{Input, Output};
pub use ledger::Ledger;
pub use link::{Link, PeerId};
pub use message::Message;
pub use node::{Config, Node, Role};
pub use random::Random;
pub use time::{Time, Timestamp};
