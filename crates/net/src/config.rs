//! What the network is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_protocol::message::Services;

use crate::given::Given;
use crate::identity::Keys;

/// Everything that the network is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who we are.
    pub keys: Keys,
    /// The chain whose peers are ours.
    pub chain: Chain,
    /// What our node offers, for the record in which we say where we are.
    pub services: Services,
    /// What we say of our program, such as `/yap:0.1.0/`; at most 256 bytes.
    pub agent: String,
    /// Where we listen.
    pub listen: Listen,
    /// Peers that the user named. Each is kept connected.
    pub peers: Vec<Given>,
    /// Where records are kept; in memory without it.
    pub directory: Option<PathBuf>,
    /// How peers are found.
    pub find: Find,
    /// How peers behind NAT are reached, and we are.
    pub reach: Reach,
    /// What others may take of us.
    pub limits: Limits,
    /// How records are kept in the DHT.
    pub records: Records,
}

impl Config {
    /// What suits a node of a chain that keeps nothing on disk; everything else as by default.
    #[must_use]
    pub fn new(keys: Keys, chain: Chain) -> Self {
        Self {
            keys,
            chain,
            services: Services::NETWORK.with(Services::WITNESS),
            agent: format!("/yap:{}/", env!("CARGO_PKG_VERSION")),
            listen: Listen::default(),
            peers: Vec::new(),
            directory: None,
            find: Find::default(),
            reach: Reach::default(),
            limits: Limits::default(),
            records: Records::default(),
        }
    }
}

/// The chain whose peers are ours: peers of another never get as far as a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// What people call it, such as `local`.
    pub name: String,
    /// Its first block. Names the protocols.
    pub genesis: BlockHash,
    /// What Bitcoin's transport begins with.
    pub magic: [u8; 4],
}

/// Where we listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Port of TCP and UDP; 0 for any that is free.
    pub port: u16,
    /// Who can reach it.
    pub hosts: Hosts,
    /// Certificate for secure WebSocket, on the same port.
    pub tls: Option<Tls>,
    /// A number under which nodes of the same process reach us, without any socket. Other listeners are off then.
    pub memory: Option<u64>,
    /// Addresses under which we are reached besides those that we find out, such as those of a port that a router
    /// forwards: multiaddrs, as text.
    pub external: Vec<String>,
}

/// The port that nodes listen on if nothing else is said.
pub const PORT: u16 = 6001;

impl Default for Listen {
    fn default() -> Self {
        Self { port: PORT, hosts: Hosts::All, tls: None, memory: None, external: Vec::new() }
    }
}

/// On which of our addresses we listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// All of them, IPv4 and IPv6.
    All,
    /// Those of this machine alone.
    Loopback,
    /// These.
    Only(Vec<std::net::IpAddr>),
    /// None: we dial only.
    None,
}

/// A certificate and its key, PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, and those that lead to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How peers are found, besides those that the user named and those that peers tell of.
#[derive(Clone, Debug)]
pub struct Find {
    /// By multicast on the local network.
    pub mdns: bool,
    /// By a folder in which nodes of this host note where they listen; `None` for not at all.
    pub registry: Option<PathBuf>,
    /// By the DHT.
    pub dht: bool,
    /// PEM files of certificate authorities that secure WebSocket trusts besides the usual ones.
    pub trust: Vec<PathBuf>,
}

impl Default for Find {
    fn default() -> Self {
        Self { mdns: true, registry: None, dht: true, trust: Vec::new() }
    }
}

/// How peers behind NAT are reached, and we are.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Ask the router to forward our port.
    pub upnp: bool,
    /// Be a relay for others while we are publicly reachable.
    pub relay: bool,
    /// Punch holes to replace relayed connections by direct ones.
    pub punch: bool,
    /// What a relay gives.
    pub relaying: Relaying,
}

impl Default for Reach {
    fn default() -> Self {
        Self { upnp: true, relay: true, punch: true, relaying: Relaying::default() }
    }
}

/// What we give as a relay.
#[derive(Clone, Debug)]
pub struct Relaying {
    /// Peers that can be reached through us.
    pub reservations: usize,
    /// Connections through us at one time.
    pub circuits: usize,
    /// Connections through us that one peer may have.
    pub circuits_per_peer: usize,
    /// How long one connection may last.
    pub duration: Duration,
    /// Bytes that one connection may carry.
    pub bytes: u64,
}

impl Default for Relaying {
    /// Enough for a first sync of a small chain: symmetric NATs have nothing else.
    fn default() -> Self {
        Self {
            reservations: 128,
            circuits: 64,
            circuits_per_peer: 8,
            duration: Duration::from_secs(60 * 60),
            bytes: 1 << 30,
        }
    }
}

/// What others may take of us.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that others opened.
    pub inbound: u32,
    /// Connections that we opened.
    pub outbound: u32,
    /// Connections with one peer, which may be relayed, direct by TCP and direct by QUIC for a moment.
    pub per_peer: u32,
    /// Inbound connections from one network group (IPv4 /16, IPv6 /32; a host of a LAN is its own group).
    pub per_group: u32,
    /// Handshakes under way that others began.
    pub pending: u32,
    /// Memory of the process in bytes beyond which no connection is taken.
    pub memory: u64,
    /// What waits to be sent to one peer beyond which nothing large is sent: bytes.
    pub send_high: usize,
    /// What may wait to be sent to one peer; one byte more costs the connection.
    pub send_most: usize,
    /// Messages that came and were not handled yet, all peers together: bytes.
    pub receive: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inbound: 256,
            outbound: 128,
            per_peer: 4,
            per_group: 64,
            pending: 512,
            memory: 4 << 30,
            send_high: 2 << 20,
            send_most: 48 << 20,
            receive: 64 << 20,
        }
    }
}

/// How records are kept in the DHT.
#[derive(Clone, Debug)]
pub struct Records {
    /// How many of the closest peers hold each.
    pub replication: std::num::NonZeroUsize,
    /// How long one is kept after it was put last.
    pub lifetime: Duration,
    /// How often those that we put are put anew.
    pub publication: Duration,
    /// How often those that we hold are given to the peers that are closest now.
    pub repair: Duration,
    /// Bytes that all of them may take on disk.
    pub room: u64,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            replication: std::num::NonZeroUsize::new(20).unwrap_or(std::num::NonZeroUsize::MIN),
            lifetime: Duration::from_secs(48 * 60 * 60),
            publication: Duration::from_secs(22 * 60 * 60),
            repair: Duration::from_secs(60 * 60),
            room: 256 << 20,
        }
    }
}

/// Longest key of a record, in bytes.
pub const MAX_KEY: usize = 256;

/// Longest value of a record, in bytes.
pub const MAX_VALUE: usize = 60_000;
