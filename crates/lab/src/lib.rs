//! A laboratory for whole peers: real sockets, real time, one machine.
//!
//! | module | owns |
//! |---|---|
//! | [`peer`] | a whole peer, in this process or (`yap-peer`) in one of its own |
//! | [`namespace`] | hosts that are no machines |
//! | [`topology`] | networks of hosts |
//! | [`router`] | what stands between a network and the internet |
//! | [`process`] | peers as processes on hosts |

pub mod namespace;
pub mod peer;
pub mod process;
pub mod router;
pub mod topology;
