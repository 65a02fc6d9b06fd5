//! How this node stands in the network, in all.

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yap_chain::mempool::FeeRate;
use yap_protocol::message::PROTOCOL_VERSION;

use crate::backend::{Peer, Standing, View};
use crate::error::Error;
use crate::method::{Access, Context, Group, Method};
use crate::methods::types::place::{NETWORKS, Place};
use crate::methods::types::{Btc, services};

/// Version of Bitcoin Core whose names, parameters and replies are served, as it writes its own.
///
/// Clients ask for it first: those that meet an older number than they know refuse to go on, or read replies as of old.
pub(crate) const INTERFACE: u32 = 310_000;

/// How this node takes part in the peer-to-peer network.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetNetworkInfo {}

/// How this node takes part in the network.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NetworkInfo {
    /// Version of Bitcoin Core whose interface this is, 310000 for 31.0: clients choose by it how they read replies. The
    /// version of this program is in `subversion`.
    version: u32,
    /// What it says of itself to peers (BIP-0014).
    subversion: String,
    /// Version of the protocol.
    protocolversion: u32,
    /// Services that it offers, as 16 hexadecimal digits.
    localservices: String,
    /// Names of these services.
    localservicesnames: Vec<String>,
    /// Whether peers may announce transactions.
    localrelay: bool,
    /// Seconds by which most peers' clocks are ahead of ours, if it matters.
    timeoffset: i64,
    /// Peers connected.
    connections: usize,
    /// Of those, peers that connected to us.
    connections_in: usize,
    /// Of those, peers that we connected to.
    connections_out: usize,
    /// Whether peers can be connected at all: always.
    networkactive: bool,
    /// Networks, by the addresses that peers have there.
    networks: Vec<Network>,
    /// Least fee rate at which transactions are relayed, coins for 1,000 virtual bytes.
    relayfee: Btc,
    /// Least rise of the fee rate by which a transaction replaces another, likewise.
    incrementalfee: Btc,
    /// Addresses at which this node is reached.
    localaddresses: Vec<LocalAddress>,
    /// Name of this node.
    identity: String,
    /// Addresses on which it listens, as multiaddrs.
    listening: Vec<String>,
    /// How it is reached: `unknown`, `public`, `local`, `relayed` or `hidden`.
    reach: String,
    /// The same in words.
    reachability: String,
    /// Warnings that the user should read.
    warnings: Vec<String>,
}

/// A network.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Network {
    /// Its name: `ipv4`, `ipv6`, `onion`, `i2p` or `cjdns`.
    name: String,
    /// Whether it is left out.
    limited: bool,
    /// Whether it can be reached from here.
    reachable: bool,
    /// The proxy by which it is reached; none.
    proxy: String,
    /// Whether each connection has credentials of its own at the proxy.
    proxy_randomize_credentials: bool,
}

/// An address at which this node is reached.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LocalAddress {
    /// The host.
    address: String,
    /// The port.
    port: u16,
    /// How sure that is; always 1.
    score: u32,
}

impl Method for GetNetworkInfo {
    const NAME: &'static str = "getnetworkinfo";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Open;
    type Reply = NetworkInfo;

    async fn call(self, context: Context) -> Result<NetworkInfo, Error> {
        let look = |view: &mut dyn View| {
            (view.standing(), view.peers(), {
                let limits = view.pool().limits();
                (limits.relay, limits.increment)
            })
        };
        let (standing, peers, rates) = context.backend.ask(look).await?;
        Ok(NetworkInfo::of(standing, &peers, rates))
    }
}

impl NetworkInfo {
    fn of(standing: Standing, peers: &[Peer], (relay, replace): (FeeRate, FeeRate)) -> Self {
        let inbound = peers.iter().filter(|peer| peer.inbound).count();
        let local = standing.reach.addresses.iter().map(|address| {
            let place = Place::of(address);
            LocalAddress { address: place.host, port: place.port, score: 1 }
        });
        Self {
            version: INTERFACE,
            protocolversion: PROTOCOL_VERSION,
            localservices: services::digits(standing.services),
            localservicesnames: services::names(standing.services),
            localrelay: true,
            timeoffset: standing.clock_offset.unwrap_or(0),
            connections: peers.len(),
            connections_in: inbound,
            connections_out: peers.len().saturating_sub(inbound),
            networkactive: true,
            networks: NETWORKS.into_iter().filter(|name| *name != "not_publicly_routable").map(Network::of).collect(),
            relayfee: relay.into(),
            incrementalfee: replace.into(),
            localaddresses: local.collect(),
            subversion: standing.agent,
            identity: standing.identity,
            listening: standing.listening,
            reach: standing.reach.kind.to_owned(),
            reachability: standing.reach.text,
            warnings: standing.warnings,
        }
    }
}

impl Network {
    /// Sockets of the internet are all that connections are made by.
    fn of(name: &str) -> Self {
        let reachable = matches!(name, "ipv4" | "ipv6");
        Self {
            name: name.to_owned(),
            limited: !reachable,
            reachable,
            proxy: String::new(),
            proxy_randomize_credentials: false,
        }
    }
}

/// How many peers are connected.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetConnectionCount {}

impl Method for GetConnectionCount {
    const NAME: &'static str = "getconnectioncount";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Open;
    type Reply = usize;

    async fn call(self, context: Context) -> Result<usize, Error> {
        Ok(super::peers(&context).await?.len())
    }
}

/// Bytes of all connections since the start.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetNetTotals {}

/// Bytes of all connections since the start.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NetTotals {
    /// Bytes received.
    totalbytesrecv: u64,
    /// Bytes sent.
    totalbytessent: u64,
    /// The time now: milliseconds since 1970.
    timemillis: u64,
    /// How much may be sent.
    uploadtarget: UploadTarget,
}

/// How much may be sent: there is no limit.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct UploadTarget {
    /// Seconds for which a limit holds.
    timeframe: u64,
    /// The limit in bytes; 0 is none.
    target: u64,
    /// Whether it is reached.
    target_reached: bool,
    /// Whether old blocks are sent.
    serve_historical_blocks: bool,
    /// Bytes left.
    bytes_left_in_cycle: u64,
    /// Seconds left.
    time_left_in_cycle: u64,
}

impl Method for GetNetTotals {
    const NAME: &'static str = "getnettotals";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Open;
    type Reply = NetTotals;

    async fn call(self, context: Context) -> Result<NetTotals, Error> {
        let traffic = context.backend.ask(|view| view.traffic()).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(NetTotals {
            totalbytesrecv: traffic.received,
            totalbytessent: traffic.sent,
            timemillis: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            uploadtarget: UploadTarget { serve_historical_blocks: true, ..UploadTarget::default() },
        })
    }
}
