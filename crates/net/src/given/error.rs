//! What is wrong with a peer that the user named, and what would be right.

/// What is wrong with a peer that the user named. `text` is what was given, cut where it is long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GivenError {
    /// Nothing.
    #[error("a peer is missing: {FORMS}")]
    Empty,
    /// Too many in a list.
    #[error("at most {} peers can be named: those tell of the others", super::MAX_PEERS)]
    Many,
    /// No port, or none that is one.
    #[error("{text}: {port:?} is no port: a port is a number from 1 to 65535, as in {right}")]
    Port {
        /// What was given.
        text: String,
        /// What stands for the port.
        port: String,
        /// How it would be right.
        right: String,
    },
    /// A form that needs a port, without one.
    #[error("{text} has no port: write the port at which that node listens, as in {right}")]
    NoPort {
        /// What was given.
        text: String,
        /// How it would be right.
        right: String,
    },
    /// Neither a name nor an IP address.
    #[error("{text}: {host:?} is neither a host name nor an IP address: {FORMS}")]
    Host {
        /// What was given.
        text: String,
        /// What stands for the host.
        host: String,
    },
    /// A web address.
    #[error("{text} is the address of a web page: for a node that listens there, write {right}")]
    Web {
        /// What was given.
        text: String,
        /// How it would be right.
        right: String,
    },
    /// Something before `://` that means nothing here.
    #[error("{text}: {scheme}:// is not known here, but ws://, wss://, tcp://, quic:// and bitcoin:// are: {FORMS}")]
    Scheme {
        /// What was given.
        text: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// Something behind host and port.
    #[error("{text}: {path:?} means nothing behind the port: leave it away, or write /p2p/ and the peer's id there")]
    Path {
        /// What was given.
        text: String,
        /// What stands behind.
        path: String,
    },
    /// A multiaddr with a component that is not known.
    #[error("{text}: a multiaddr has no /{component}; it looks like /ip4/203.0.113.5/tcp/6001")]
    Component {
        /// What was given.
        text: String,
        /// Which.
        component: String,
    },
    /// A multiaddr with a component whose value is missing or wrong.
    #[error("{text} is no multiaddr: a value is missing or wrong; one looks like /ip4/203.0.113.5/tcp/6001")]
    Multiaddr {
        /// What was given.
        text: String,
    },
    /// A multiaddr that no transport here dials.
    #[error(
        "{text} can't be dialled: behind the host come /tcp/6001, /udp/6001/quic-v1, /tcp/6001/ws or /tcp/443/tls/ws"
    )]
    Transport {
        /// What was given.
        text: String,
    },
    /// A multiaddr that is too long.
    #[error("a multiaddr has at most {} bytes in binary, {text} has more", yap_protocol::address::MAX_MULTIADDR)]
    Long {
        /// What was given.
        text: String,
    },
    /// A peer id that is none, or has another kind of key.
    #[error("{text}: that is no peer id of a node: one begins with 12D3KooW, has 52 characters, and capitals count")]
    Peer {
        /// What was given.
        text: String,
    },
}

const FORMS: &str = "write host:port, [IPv6]:port, ws://host:port, wss://host, a multiaddr such as \
                     /ip4/203.0.113.5/tcp/6001, or a peer id (12D3KooW…)";
