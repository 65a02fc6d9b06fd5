//! What relay is told: how it shall work, and what the handshake found about a peer.

use std::time::Duration;

/// How transactions travel that fit into [`Config::push_bytes`], among peers that know short ids (E2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// Everything is announced first. Three latencies for each hop, one copy.
    Never,
    /// Along a tree, as the module says.
    Tree {
        /// Branches that this node wants, and keeps even where they bring copies. 1 is a tree; more buys speed with copies.
        least: usize,
        /// Most branches of this node.
        most: usize,
        /// Peers to whom a node pushes what no branch brought it, so that a tree grows sooner where there is none.
        scouts: usize,
    },
    /// To everybody who does not have it. One latency for each hop, as many copies as there are links.
    Always,
}

/// How peers that meet learn what the other's mempool has and theirs lacks (P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconcile {
    /// Sums over parts of the mempool are compared; what is in parts that differ is announced.
    Announce,
}

/// What relay is told when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether others' transactions are relayed. Without, only our own are announced and nothing is asked for.
    pub relay: bool,
    /// How small transactions travel.
    pub push: Push,
    /// Bytes up to which a transaction is small.
    pub push_bytes: usize,
    /// How long, at least, an announced transaction may still be pushed before it is asked for. It grows to what is seen.
    pub push_wait: Duration,
    /// How long before a branch gives a transaction somebody else must have announced it, to take the branch's place. Less
    /// makes the tree quicker, and restless; without, it grows slower with every transaction that takes another way.
    pub swap_wait: Duration,
    /// Copies in a row, with nothing new between them, after which a branch is one no more. 1 keeps copies fewest where
    /// transactions are far between; more keeps the tree whole where many are on their way at once.
    pub patience: u8,
    /// How long announcements are gathered for one message. Longer saves bytes and, in minutes, hides where a
    /// transaction came from.
    pub batch: Duration,
    /// By how much peers that dialled us are asked later than those that we dialled.
    pub inbound_wait: Duration,
    /// Whether `mempool` (BIP-0035) is answered.
    pub serve_mempool: bool,
    /// How mempools are compared.
    pub reconcile: Reconcile,
}

/// About three packets of 1,400 bytes.
pub const PUSH_BYTES: usize = 4_200;

impl Default for Config {
    fn default() -> Self {
        Self {
            relay: true,
            push: Push::Tree { least: 1, most: 24, scouts: 1 },
            push_bytes: PUSH_BYTES,
            push_wait: Duration::from_millis(100),
            swap_wait: Duration::from_millis(30),
            patience: 2,
            batch: Duration::from_millis(10),
            inbound_wait: Duration::ZERO,
            serve_mempool: false,
            reconcile: Reconcile::Announce,
        }
    }
}

/// What the handshake found about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether we dialled it.
    pub outbound: bool,
    /// Whether transactions may be announced to it: its `version` says so, and the link is not for blocks alone.
    pub announce: bool,
    /// Whether it may announce to us: the link is not for blocks alone, and our `version` said so.
    pub accept: bool,
    /// Whether both sent `wtxidrelay` (BIP-0339).
    pub wtxid: bool,
    /// The key of its `yapgreeting`, if both know short ids.
    pub short_id_key: Option<[u64; 2]>,
    /// Whether its `yapgreeting` lets small transactions be pushed.
    pub push: bool,
    /// A round trip to it, if one was measured.
    pub latency: Option<Duration>,
}
