//! What the node sees of the chain and the mempool.
//!
//! Both belong to whoever drives the node; a reference comes with each call. Reading is quick and never blocks; whatever
//! takes a disk or a script engine goes out as an [`Output`](crate::Output).

use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Amount, Txid, Wtxid};
use yap_chain::header::{self, tree};
use yap_chain::transaction::Transaction;

/// A transaction of the mempool.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// What it pays.
    pub fee: Amount,
    /// Virtual bytes that count for its feerate.
    pub vsize: u64,
    /// Its turn in the order of arrival.
    pub sequence: u64,
}

impl Pooled {
    /// Satoshis per thousand virtual bytes, rounded down.
    #[must_use]
    pub fn feerate(&self) -> u64 {
        self.fee.to_sat().saturating_mul(1000).checked_div(self.vsize).unwrap_or(0)
    }
}

/// The chain and the mempool.
pub trait Ledger {
    /// Every accepted header.
    fn tree(&self) -> &tree::Tree;

    /// Adds a header if it keeps every rule; `now` is the wall clock as headers carry it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    fn accept_header(&mut self, header: &Header, now: u32) -> Result<tree::Accepted, header::Error>;

    /// The block whose chain is connected and verified.
    fn tip(&self) -> tree::Id;

    /// Whether the block's data is at hand (stored and not pruned), so that it can be read and served.
    fn has_block(&self, id: tree::Id) -> bool;

    /// A pending transaction.
    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled>;

    /// A pending transaction, by the id without its witness.
    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled>;

    /// How many transactions are pending.
    fn pool_len(&self) -> usize;

    /// Pending transactions, oldest first; parents before children.
    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_>;

    /// Pending transactions, best feerate first as a miner would take them; parents before children.
    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_>;

    /// What a transaction must pay to be accepted now, in satoshis per thousand virtual bytes.
    fn min_feerate(&self) -> u64;

    /// On chains of signed blocks, how many producers sign them (design D1); 0 on chains of proof of work alone.
    fn producers(&self) -> u16 {
        0
    }

    /// Which producer signed the block, below [`producers`](Self::producers); `None` if that is not known.
    fn producer(&self, id: tree::Id) -> Option<u16> {
        let _ = id;
        None
    }
}
