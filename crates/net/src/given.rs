//! The forms in which a user names peers.

use yap_protocol::Address;
use yap_protocol::address::Identity;

/// A peer that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A multiaddr, such as `/ip4/203.0.113.5/tcp/6001` or `/dnsaddr/seed.example.org/p2p/12D3KooW…`.
    Address(Address),
    /// `host:port`, `ws://host:port` or `wss://host:port`. Every address of the host is a peer, so that the name of a
    /// headless service names all of its pods.
    Host {
        /// A name or an IP address.
        host: String,
        /// Its port.
        port: u16,
        /// How it is spoken to.
        scheme: Scheme,
    },
    /// A peer id: looked for wherever it is now.
    Peer(Identity),
}

/// How a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// TCP, or QUIC on the same port.
    Plain,
    /// WebSocket.
    WebSocket,
    /// WebSocket within TLS.
    SecureWebSocket,
}
