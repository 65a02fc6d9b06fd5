//! A laboratory for whole peers: real sockets, real time, one machine.
//!
//! | module | owns |
//! |---|---|
//! | [`peer`] | a whole peer, in this process or (`yap-peer`) in one of its own |

pub mod peer;
