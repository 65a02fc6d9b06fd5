//! Compact blocks (BIP-0152).

use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::block::Header;
use yap_chain::transaction::Transaction;

/// `sendcmpct`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendCompact {
    /// Whether new blocks shall be sent at once, without being announced first.
    pub high_bandwidth: bool,
    /// The version of compact blocks; 2 is the one with `wtxid`s.
    pub version: u64,
}

/// Six bytes of a keyed hash of a `wtxid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(pub [u8; 6]);

/// A transaction that stands in the compact block itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefilled {
    /// Its place in the block (not the difference to the one before, as on the wire).
    pub index: u16,
    /// The transaction.
    pub transaction: Arc<Transaction>,
}

/// `cmpctblock`. Places grow strictly, and all fit into the block.
#[derive(Clone, Debug, PartialEq)]
pub struct CompactBlock {
    /// The block's header.
    pub header: Header,
    /// With the header, the key of the short ids.
    pub nonce: u64,
    /// The transactions that are not prefilled, in the block's order.
    pub short_ids: Vec<ShortId>,
    /// The others.
    pub prefilled: Vec<Prefilled>,
}

/// `getblocktxn`: transactions of a block by their places, which grow strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetBlockTransactions {
    /// The block.
    pub block: BlockHash,
    /// Places in it (not differences, as on the wire).
    pub indexes: Vec<u16>,
}

/// `blocktxn`: what was asked for, in that order.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockTransactions {
    /// The block.
    pub block: BlockHash,
    /// The transactions.
    pub transactions: Vec<Arc<Transaction>>,
}
