//! Everything that a line of status needs, in one answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::miner::MinerInfo;
use super::program::since;
use crate::backend::{Federation, Peer, Progress, Standing, View, WalletStanding};
use crate::error::Error;
use crate::method::{Access, Context, Group, Method};
use crate::methods::types::Btc;

/// How this node stands: chain, peers and the ways to them, wallet, miner, and what the user should know.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetStatus {}

/// How a node stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    /// Version of the program.
    version: String,
    /// Name of the chain.
    chain: String,
    /// What its money is called.
    ticker: String,
    /// Height of the tip.
    height: u32,
    /// Hash of the tip.
    tip: String,
    /// Unix time of the tip's block.
    tiptime: u32,
    /// Height of the best known header.
    headers: u32,
    /// Whether the node is still catching up with the chain of the network.
    catchingup: bool,
    /// How catching up goes on, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressInfo>,
    /// Transactions that wait for a block.
    pending: usize,
    /// Whether no peer is connected: payments are kept and told to peers when they come.
    isolated: bool,
    /// Connected peers.
    peers: Vec<PeerLine>,
    /// Name of this node.
    identity: String,
    /// Addresses on which it listens, as multiaddrs.
    listening: Vec<String>,
    /// How it is reached.
    reach: ReachInfo,
    /// Records of the network that are held here.
    records: usize,
    /// Peers in the routing table for records.
    routing: usize,
    /// When this node mines, and whether it does.
    miner: MinerInfo,
    /// The wallet, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletLine>,
    /// Who signs the chain's blocks, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    federation: Option<FederationInfo>,
    /// Directory of the chain's state.
    directory: String,
    /// Bytes that the chain's state takes there.
    sizeondisk: u64,
    /// Seconds since the node started.
    uptime: u64,
    /// Warnings that the user should read.
    warnings: Vec<String>,
}

/// How catching up goes on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ProgressInfo {
    /// Headers known beyond the tip.
    behind: u32,
    /// Blocks per second, lately.
    rate: f64,
    /// Seconds left at that rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

/// A connected peer, in brief.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PeerLine {
    /// Number of the connection.
    id: u64,
    /// Name of the peer, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Where it is.
    address: String,
    /// How it is reached, in words; every intermediary is named.
    path: String,
    /// Whether the peer opened the connection.
    inbound: bool,
    /// Height of the best header that it is known to have, or told of.
    height: i64,
    /// Seconds that the last ping took.
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<f64>,
}

/// How a node is reached.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReachInfo {
    /// `unknown`, `public`, `local`, `relayed` or `hidden`.
    kind: String,
    /// The same in words.
    text: String,
    /// Addresses at which it is reached.
    addresses: Vec<String>,
}

/// Who signs a chain's blocks (BIP-0325).
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FederationInfo {
    /// Keys of the producers, in the order of the chain's challenge.
    producers: Vec<String>,
    /// The place of this node among them, from 1, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<u16>,
    /// Height of the newest block that nobody can take back any more: more than two thirds of the producers have built on it.
    irreversible: u32,
}

impl From<Federation> for FederationInfo {
    fn from(all: Federation) -> Self {
        Self {
            producers: all.producers.iter().map(ToString::to_string).collect(),
            place: all.place.map(|place| place.saturating_add(1)),
            irreversible: all.irreversible.map_or(0, |(height, _)| height),
        }
    }
}

/// How the wallet stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WalletLine {
    /// What can be spent.
    balance: Btc,
    /// Others' payments that are not confirmed.
    pending: Btc,
    /// Rewards of blocks that are too young to be spent.
    immature: Btc,
    /// Blocks that it has yet to take in.
    behind: u32,
    /// Whether it is locked by a passphrase now.
    locked: bool,
    /// Whether its words were never shown, so that there is no backup.
    unsaved: bool,
}

/// Satoshis as an amount.
fn btc(satoshi: u64) -> Btc {
    Btc::from_sat(i64::try_from(satoshi).unwrap_or(i64::MAX))
}

impl From<WalletStanding> for WalletLine {
    fn from(wallet: WalletStanding) -> Self {
        Self {
            balance: btc(wallet.trusted),
            pending: btc(wallet.pending),
            immature: btc(wallet.immature),
            behind: wallet.behind,
            locked: wallet.locked,
            unsaved: wallet.unsaved,
        }
    }
}

impl From<Peer> for PeerLine {
    fn from(peer: Peer) -> Self {
        let ping = peer.ping.map(|(last, _)| std::time::Duration::from_micros(last).as_secs_f64());
        let height = peer.best_header.map_or_else(|| i64::from(peer.starting_height), i64::from);
        let Peer { id, identity, address, path, inbound, .. } = peer;
        Self { id, identity, address, path, inbound, height, ping }
    }
}

impl From<Progress> for ProgressInfo {
    fn from(progress: Progress) -> Self {
        Self { behind: progress.behind, rate: progress.rate, left: progress.left }
    }
}

/// What is read of a node in one look.
struct Look {
    standing: Standing,
    peers: Vec<Peer>,
    tip: (String, u32, u32),
    headers: u32,
    pending: usize,
    size: u64,
}

impl Look {
    fn at(view: &mut dyn View) -> Self {
        let (tree, tip) = (view.tree(), view.tip());
        Self {
            tip: (tree.hash(tip).to_string(), tree.height(tip), tree.time(tip)),
            headers: tree.height(tree.best()),
            pending: view.pool().len(),
            size: view.size_on_disk(),
            peers: view.peers(),
            standing: view.standing(),
        }
    }
}

impl Method for GetStatus {
    const NAME: &'static str = "getstatus";
    const GROUP: Group = Group::Control;
    const ACCESS: Access = Access::Cookie;
    type Reply = Status;

    async fn call(self, context: Context) -> Result<Status, Error> {
        let spec = context.backend.spec();
        let Look { standing, peers, tip: (tip, height, tiptime), headers, pending, size } =
            context.backend.ask(Look::at).await?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            chain: spec.name.clone(),
            ticker: spec.ticker.clone(),
            height,
            tip,
            tiptime,
            headers,
            catchingup: standing.catching_up,
            progress: standing.progress.map(ProgressInfo::from),
            pending,
            isolated: standing.alone,
            peers: peers.into_iter().map(PeerLine::from).collect(),
            identity: standing.identity,
            listening: standing.listening,
            reach: ReachInfo {
                kind: standing.reach.kind.to_owned(),
                text: standing.reach.text,
                addresses: standing.reach.addresses,
            },
            records: standing.records.0,
            routing: standing.records.1,
            miner: standing.miner.into(),
            wallet: standing.wallet.map(WalletLine::from),
            federation: standing.federation.map(FederationInfo::from),
            directory: standing.directory,
            sizeondisk: size,
            uptime: since(standing.started),
            warnings: standing.warnings,
        })
    }
}
