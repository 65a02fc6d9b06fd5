//! Connected peers: what they are like, how far away they are, and parting from one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{Peer, PeerError};
use crate::error::{Code, Error};
use crate::method::{Access, Context, Group, Method};
use crate::methods::types::place::Place;
use crate::methods::types::{Btc, services};

/// Every connected peer.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetPeerInfo {}

/// A connected peer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PeerInfo {
    /// Number of the connection.
    id: u64,
    /// Where the peer is, as a multiaddr or host and port.
    addr: String,
    /// Its network: `ipv4`, `ipv6`, `onion`, `i2p`, `cjdns` or `not_publicly_routable`.
    network: String,
    /// Name of the peer, which is its public key; left out where the transport proves none.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// How it is reached, in words; every intermediary is named.
    path: String,
    /// What carries the connection: `tcp`, `quic`, `websocket`, `wss`, `bitcoin`, `memory` or `relayed`.
    transport: String,
    /// The transport as Bitcoin Core calls it: `v1` for Bitcoin's own without encryption, else `libp2p`.
    transport_protocol_type: String,
    /// Services that it offers, as 16 hexadecimal digits.
    services: String,
    /// Names of these services.
    servicesnames: Vec<String>,
    /// Whether it wants to hear of transactions.
    relaytxes: bool,
    /// Unix time at which something was last sent to it; 0 if nothing was.
    lastsend: u64,
    /// Unix time at which something last came from it; 0 if nothing did.
    lastrecv: u64,
    /// Unix time at which it was last the first to give a transaction that was accepted; 0 if it never was.
    last_transaction: u64,
    /// Unix time at which it was last the first to give a valid block; 0 if it never was.
    last_block: u64,
    /// Bytes sent to it.
    bytessent: u64,
    /// Bytes received from it.
    bytesrecv: u64,
    /// Unix time at which it was connected.
    conntime: u64,
    /// Seconds by which its clock was ahead of ours when it greeted us.
    timeoffset: i64,
    /// Seconds that the last ping took; left out before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pingtime: Option<f64>,
    /// Least seconds that a ping took.
    #[serde(skip_serializing_if = "Option::is_none")]
    minping: Option<f64>,
    /// Version of the protocol that both speak; 0 before the handshake is done.
    version: u32,
    /// What it says of its program.
    subver: String,
    /// Whether the peer opened the connection.
    inbound: bool,
    /// Whether new blocks go to it as compact blocks and unasked.
    bip152_hb_to: bool,
    /// Whether new blocks come from it as compact blocks and unasked.
    bip152_hb_from: bool,
    /// The height that it told in its greeting.
    startingheight: i32,
    /// Height of the best header that it has shown to have or was given by us; -1 if there is none.
    synced_headers: i64,
    /// How its chain compared with ours when it greeted us: `same`, `behind`, `ahead` or `forked` (as seen from here).
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<String>,
    /// How many blocks were asked of it and did not come yet.
    blocks_in_flight: usize,
    /// What it is charged with; it is left and banned at 100.
    score: u32,
    /// The least fee rate that it takes, coins for 1,000 virtual bytes.
    minfeefilter: Btc,
    /// What the connection is for: `outbound-full-relay`, `block-relay-only`, `inbound`, `manual`, `feeler` or
    /// `addr-fetch`.
    connection_type: String,
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

impl From<Peer> for PeerInfo {
    fn from(peer: Peer) -> Self {
        let (received, sent) = peer.bytes;
        Self {
            id: peer.id,
            network: Place::of(&peer.address).network.to_owned(),
            addr: peer.address,
            identity: peer.identity,
            path: peer.path,
            transport: peer.transport.to_owned(),
            transport_protocol_type: if peer.transport == "bitcoin" { "v1" } else { "libp2p" }.to_owned(),
            services: services::digits(peer.services),
            servicesnames: services::names(peer.services),
            relaytxes: peer.relays,
            lastsend: peer.last_sent,
            lastrecv: peer.last_received,
            last_transaction: peer.last_transaction,
            last_block: peer.last_block,
            bytessent: sent,
            bytesrecv: received,
            conntime: peer.connected,
            timeoffset: peer.time_offset,
            pingtime: peer.ping.map(|(last, _)| seconds(last)),
            minping: peer.ping.map(|(_, least)| seconds(least)),
            version: peer.version,
            subver: peer.agent,
            inbound: peer.inbound,
            bip152_hb_to: peer.high_bandwidth.0,
            bip152_hb_from: peer.high_bandwidth.1,
            startingheight: peer.starting_height,
            synced_headers: peer.best_header.map_or(-1, i64::from),
            comparison: peer.comparison.map(str::to_owned),
            blocks_in_flight: peer.blocks_in_flight,
            score: peer.score,
            minfeefilter: Btc::from_sat(i64::try_from(peer.least_feerate).unwrap_or(i64::MAX)),
            connection_type: peer.kind.to_owned(),
        }
    }
}

impl Method for GetPeerInfo {
    const NAME: &'static str = "getpeerinfo";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = Vec<PeerInfo>;

    async fn call(self, context: Context) -> Result<Vec<PeerInfo>, Error> {
        Ok(super::peers(&context).await?.into_iter().map(PeerInfo::from).collect())
    }
}

/// Pings every peer. How long the answers take is then told by `getpeerinfo`.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Ping {}

impl Method for Ping {
    const NAME: &'static str = "ping";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        Ok(context.backend.ping_peers().await?)
    }
}

/// Parts from a connected peer: by its address or name, or by the number of the connection. It may come back; `setban`
/// keeps it out.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DisconnectNode {
    /// Address or name of the peer, as `getpeerinfo` has them; "" where its number is given.
    address: Option<String>,
    /// Number of the connection, as `getpeerinfo` has it.
    nodeid: Option<u64>,
}

impl Method for DisconnectNode {
    const NAME: &'static str = "disconnectnode";
    const GROUP: Group = Group::Network;
    const ACCESS: Access = Access::Cookie;
    type Reply = ();

    async fn call(self, context: Context) -> Result<(), Error> {
        let address = self.address.filter(|address| !address.is_empty());
        let peer = match (address, self.nodeid) {
            (Some(address), None) => address,
            (None, Some(id)) => id.to_string(),
            (Some(_), Some(_)) | (None, None) => {
                return Err(Error::new(Code::InvalidParams, "Only one of address and nodeid should be provided."));
            }
        };
        context.backend.disconnect(&peer).await?.map_err(|error| match error {
            PeerError::Address(_) | PeerError::Added | PeerError::None | PeerError::Full => {
                Error::new(Code::NodeNotConnected, "Node not found in connected nodes")
            }
        })
    }
}
