//! What happens at a node, as logs, metrics and the event stream tell it.

use bitcoin::{BlockHash, Txid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that happened, and its place in the order of all that happened since the node started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stamped {
    /// Counts from 1.
    pub id: u64,
    /// Unix time in milliseconds.
    pub time: u64,
    /// What happened.
    pub event: Event,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A block is connected and verified.
    BlockConnected {
        /// Its hash.
        #[schemars(with = "String")]
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Transactions in it.
        transactions: u32,
    },
    /// On chains of signed blocks: more than two thirds of the producers have built on a block, so that nobody can take it back.
    Irreversible {
        /// Its hash.
        #[schemars(with = "String")]
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A block is not part of the best chain any more.
    BlockDisconnected {
        /// Its hash.
        #[schemars(with = "String")]
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A block broke a rule.
    BlockRefused {
        /// Its hash.
        #[schemars(with = "String")]
        hash: BlockHash,
        /// Bitcoin Core's name of the rule.
        reason: String,
    },
    /// A block was mined here.
    BlockMined {
        /// Its hash.
        #[schemars(with = "String")]
        hash: BlockHash,
        /// Its height.
        height: u32,
    },
    /// A transaction is pending.
    TransactionAdded {
        /// Its id.
        #[schemars(with = "String")]
        txid: Txid,
    },
    /// A transaction is not pending any more.
    TransactionRemoved {
        /// Its id.
        #[schemars(with = "String")]
        txid: Txid,
        /// `confirmed`, `conflicted`, `replaced`, `evicted`, `expired` or `reorganised`.
        why: String,
    },
    /// A peer greeted us.
    PeerConnected {
        /// Number of the connection.
        peer: u64,
        /// Name of the peer, where it has one.
        identity: Option<String>,
        /// Where it is.
        address: String,
        /// How it is reached, in words.
        path: String,
    },
    /// A peer is gone.
    PeerGone {
        /// Number of the connection.
        peer: u64,
        /// Name of the peer, where it has one.
        identity: Option<String>,
        /// Why, where that is known.
        why: Option<String>,
    },
    /// A peer broke a rule.
    PeerFault {
        /// Number of the connection.
        peer: u64,
        /// What it did.
        fault: String,
        /// What that costs it.
        penalty: String,
    },
    /// No peer is connected (`true`), or one is again.
    Alone {
        /// Whether no peer is connected.
        alone: bool,
    },
    /// Blocks are being fetched.
    Syncing {
        /// Headers known beyond the tip; 0 when there is nothing left to fetch.
        behind: u32,
    },
    /// Somebody asked `/ping`, here or at another node.
    Ping {
        /// Name of the node that was asked.
        from: String,
    },
    /// A message under a topic that is subscribed to.
    Message {
        /// The topic.
        topic: String,
        /// Name of the peer that published it.
        from: String,
        /// What it says: text as it is; bytes that are no text in hexadecimal digits.
        data: String,
        /// Whether `data` is in hexadecimal digits.
        hex: bool,
    },
    /// The wallet learned of a payment, or of its confirmation.
    Payment {
        /// Its transaction.
        #[schemars(with = "String")]
        txid: Txid,
        /// Satoshis that the wallet has more (or, negative, less) for it.
        amount: i64,
        /// Height of its block; none while it is pending.
        height: Option<u32>,
    },
    /// Something that the user may want to know.
    Notice {
        /// In words.
        text: String,
    },
    /// The node is about to stop.
    Stopping,
}

impl Event {
    /// Every type of event, as the stream names it.
    pub const KINDS: [&'static str; 17] = [
        "block_connected",
        "irreversible",
        "block_disconnected",
        "block_refused",
        "block_mined",
        "transaction_added",
        "transaction_removed",
        "peer_connected",
        "peer_gone",
        "peer_fault",
        "alone",
        "syncing",
        "ping",
        "message",
        "payment",
        "notice",
        "stopping",
    ];

    /// Its type, as the stream names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BlockConnected { .. } => "block_connected",
            Self::Irreversible { .. } => "irreversible",
            Self::BlockDisconnected { .. } => "block_disconnected",
            Self::BlockRefused { .. } => "block_refused",
            Self::BlockMined { .. } => "block_mined",
            Self::TransactionAdded { .. } => "transaction_added",
            Self::TransactionRemoved { .. } => "transaction_removed",
            Self::PeerConnected { .. } => "peer_connected",
            Self::PeerGone { .. } => "peer_gone",
            Self::PeerFault { .. } => "peer_fault",
            Self::Alone { .. } => "alone",
            Self::Syncing { .. } => "syncing",
            Self::Ping { .. } => "ping",
            Self::Message { .. } => "message",
            Self::Payment { .. } => "payment",
            Self::Notice { .. } => "notice",
            Self::Stopping => "stopping",
        }
    }
}
