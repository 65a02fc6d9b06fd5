//! How the network stands, in words.

use std::fmt;

use yap_protocol::address::Identity;
use yap_protocol::link::{Direction, PeerId};

use crate::identity::Name;

/// How the network stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Addresses on which we listen, as multiaddrs.
    pub listening: Vec<String>,
    /// How we are reached.
    pub reach: Reach,
    /// Every session, and the way to its peer.
    pub peers: Vec<Peer>,
    /// libp2p connections, those without a session among them.
    pub connections: usize,
    /// Peers in the routing table of the DHT.
    pub routing: usize,
    /// Records of the DHT that we hold.
    pub records: usize,
}

impl Status {
    /// Whether no peer is connected (R2).
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.peers.is_empty()
    }
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The node's name for it.
    pub peer: PeerId,
    /// Who it is; `None` on Bitcoin's carrier.
    pub identity: Option<Identity>,
    /// Who opened it.
    pub direction: Direction,
    /// Where it is, as a multiaddr or host and port.
    pub address: String,
    /// How it is reached.
    pub path: Path,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// How we are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Nobody has tested it yet.
    #[default]
    Unknown,
    /// Directly, at these addresses, which peers have tested or the router told.
    Public {
        /// Multiaddrs.
        addresses: Vec<String>,
        /// Whether the router forwards our port because we asked it to.
        mapped: bool,
    },
    /// On the local network, at these addresses, which peers there have tested. No peer elsewhere has told how it sees us.
    Local {
        /// Multiaddrs.
        addresses: Vec<String>,
    },
    /// By the local network alone; through relays from elsewhere.
    Relayed {
        /// Who relays.
        through: Vec<Identity>,
    },
    /// Not from elsewhere: no peer that could relay is connected.
    Hidden,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("nobody has tested yet whether this node can be reached from outside"),
            Self::Public { addresses, mapped } => {
                write!(f, "reachable from outside at {}", addresses.join(", "))?;
                if *mapped { f.write_str(" (the router forwards the port)") } else { Ok(()) }
            }
            Self::Local { addresses } => {
                write!(f, "reachable on the local network at {}", addresses.join(", "))
            }
            Self::Relayed { through } => {
                f.write_str("behind NAT: reachable through ")?;
                for (place, relay) in through.iter().enumerate() {
                    if place > 0 {
                        f.write_str(" and ")?;
                    }
                    write!(f, "{}", Name(*relay))?;
                }
                Ok(())
            }
            Self::Hidden => f.write_str(
                "behind NAT, and no connected peer relays: this node reaches others, but is not reached; forward its \
                 port on the router, or connect to a peer that is publicly reachable",
            ),
        }
    }
}

/// The way to a peer (H5: every intermediary is named).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// Straight.
    Direct(Via),
    /// Straight through NAT, by a hole that both ends punched.
    Punched(Via),
    /// Through another peer, which sees how much is said but not what.
    Relayed(Identity),
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(via) => write!(f, "connected directly by {via}"),
            Self::Punched(via) => write!(f, "connected directly through NAT by {via}"),
            Self::Relayed(relay) => write!(f, "relayed by {}", Name(*relay)),
        }
    }
}

/// What a connection runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// TCP, encrypted by Noise.
    Tcp,
    /// QUIC.
    Quic,
    /// WebSocket, encrypted by Noise.
    WebSocket,
    /// WebSocket within TLS.
    SecureWebSocket,
    /// Bitcoin's transport, not encrypted.
    Bitcoin,
    /// Memory of this process.
    Memory,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Quic => "QUIC",
            Self::WebSocket => "WebSocket",
            Self::SecureWebSocket => "secure WebSocket",
            Self::Bitcoin => "Bitcoin's transport",
            Self::Memory => "memory",
        })
    }
}
