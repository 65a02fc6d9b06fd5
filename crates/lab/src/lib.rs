//! A laboratory for whole peers: real sockets, real time, one machine.
//!
//! | module | owns |
//! |---|---|
//! | [`peer`] | a whole peer, in this process or (`yap-peer`) in one of its own |
//! | [`namespace`] | hosts that are no machines |
//! | [`topology`] | networks of hosts |
//! | [`router`] | what stands between a network and the internet |
//! | [`probe`] | what a network does with a packet |
//! | [`ports`] | which ports are free |
//! | [`process`] | peers as processes on hosts |
//! | [`attack`] | what a hostile host does to a peer |
//! | [`certificate`] | certificates, and the authority that signs them |
//! | [`scenario`] | what happens in networks, and what must be seen |
//! | [`report`] | what was seen, as a table |

pub mod attack;
pub mod certificate;
pub mod namespace;
pub mod peer;
pub mod ports;
pub mod probe;
pub mod process;
pub mod report;
pub mod router;
pub mod scenario;
pub mod topology;
