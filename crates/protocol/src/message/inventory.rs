//! `inv`, `getdata`, `notfound`; `getheaders`, `getblocks`.

use bitcoin::{BlockHash, Txid, Wtxid};

/// Most items of one `inv`, `getdata` or `notfound`.
pub const MAX_INVENTORY: usize = 50_000;

/// Most hashes of a locator, as in Bitcoin Core.
pub const MAX_LOCATOR: usize = 101;

/// Most headers of one `headers`.
pub const MAX_HEADERS: usize = 2000;

/// Something that a peer has or wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inventory {
    /// `MSG_TX`: a transaction without its witness.
    Tx(Txid),
    /// `MSG_WTX`: a transaction, by its `wtxid` (BIP-0339).
    Wtx(Wtxid),
    /// `MSG_WITNESS_TX`: a transaction with its witness (BIP-0144).
    WitnessTx(Txid),
    /// `MSG_BLOCK`: a block without witnesses.
    Block(BlockHash),
    /// `MSG_WITNESS_BLOCK`: a block with witnesses (BIP-0144).
    WitnessBlock(BlockHash),
    /// `MSG_CMPCT_BLOCK`: a compact block (BIP-0152).
    CompactBlock(BlockHash),
    /// A kind that we don't know.
    Unknown {
        /// The kind's number.
        kind: u32,
        /// What it names.
        hash: [u8; 32],
    },
}

/// `getheaders` and `getblocks`: what follows the first block of the locator that is on the receiver's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locate {
    /// Hashes of the sender's chain from the newest down, ever farther apart; at most [`MAX_LOCATOR`].
    pub locator: Vec<BlockHash>,
    /// The last one wanted; all zeros for as many as fit.
    pub stop: BlockHash,
}
