//! Stories of relay among peers.

mod net;
mod spread;
