//! A node at one moment, as the status shows it.

use std::time::Duration;

use yap_api::backend::{Miner, Peer, Progress, Reach, View, WalletStanding};

use super::said::Said;

/// Peers that are shown by themselves.
pub(super) const SHOWN_PEERS: usize = 6;

/// A node at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    pub(super) chain: String,
    pub(super) ticker: String,
    pub(super) height: u32,
    /// Time of the tip's header: Unix seconds.
    pub(super) tip_time: u32,
    pub(super) catching_up: bool,
    pub(super) progress: Option<Progress>,
    /// How many there are, and the first of them.
    pub(super) peers: (usize, Vec<Neighbour>),
    /// Transactions that wait, and their virtual bytes.
    pub(super) waiting: (usize, u64),
    pub(super) miner: Miner,
    /// Whether blocks of this chain are mined, rather than signed.
    pub(super) mined: bool,
    pub(super) wallet: Option<WalletStanding>,
    pub(super) reach: Reach,
    pub(super) directory: String,
    pub(super) warnings: Vec<String>,
    /// Where the HTTP interface is.
    pub(super) http: Option<String>,
    /// What happened last, newest last, with the Unix time.
    pub(super) said: Vec<(u64, Said)>,
}

/// A peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// Its name, or its address if it has none.
    pub(super) name: String,
    /// How it is reached, in words.
    pub(super) path: String,
    /// Round-trip time of its last ping.
    pub(super) ping: Option<Duration>,
}

impl From<&Peer> for Neighbour {
    fn from(peer: &Peer) -> Self {
        Self {
            name: peer.identity.clone().unwrap_or_else(|| peer.address.clone()),
            path: peer.path.clone(),
            ping: peer.ping.map(|(last, _)| Duration::from_micros(last)),
        }
    }
}

impl Snapshot {
    /// What a look at the node gives.
    pub(super) fn of(view: &dyn View) -> Self {
        let standing = view.standing();
        let (tree, tip, spec) = (view.tree(), view.tip(), view.spec());
        let peers = view.peers();
        let pool = view.pool();
        Self {
            chain: spec.name.clone(),
            ticker: spec.ticker.clone(),
            height: tree.height(tip),
            tip_time: tree.header(tip).time,
            catching_up: standing.catching_up,
            progress: standing.progress,
            peers: (peers.len(), peers.iter().take(SHOWN_PEERS).map(Neighbour::from).collect()),
            waiting: (pool.len(), pool.vsize()),
            miner: standing.miner,
            mined: spec.challenge.is_none(),
            wallet: standing.wallet,
            reach: standing.reach,
            directory: standing.directory,
            warnings: standing.warnings,
            http: None,
            said: Vec::new(),
        }
    }
}
