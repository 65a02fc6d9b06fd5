//! Both ends of a connection.

use std::net::SocketAddr;

use super::pulse::Pulse;

/// Both ends of a connection, and what it is at.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Who asks.
    pub(crate) peer: SocketAddr,
    /// Where it reached us.
    pub(crate) local: SocketAddr,
    /// Whether the address that we listen on can be reached from this machine alone.
    pub(crate) loopback: bool,
    /// What it is at.
    pub(crate) pulse: Pulse,
}
