//! A block made of transactions that were parsed and hashed before, such as those of a compact block (BIP-0152).

use std::sync::OnceLock;

use bitcoin::block::Header;
use bitcoin::{VarInt, consensus};

use super::{Block, HEADER_SIZE};
use crate::transaction::Transaction;

impl Block {
    /// The block of `header` and `transactions`. Nothing is parsed or hashed again but the header; whether it commits to
    /// those transactions is for [`check`](super::check()) to say.
    #[must_use]
    pub fn assemble(header: Header, transactions: Vec<Transaction>) -> Self {
        let total = transactions.iter().map(Transaction::total_size).fold(HEADER_SIZE, usize::saturating_add);
        // A count takes nine bytes at most.
        let mut bytes = Vec::with_capacity(total.saturating_add(9));
        bytes.extend_from_slice(&consensus::serialize(&header));
        bytes.extend_from_slice(&consensus::serialize(&VarInt::from(transactions.len())));
        for transaction in &transactions {
            bytes.extend_from_slice(transaction.raw().as_slice());
        }
        Self { hash: header.block_hash(), header, bytes: bytes.into(), transactions: OnceLock::from(Ok(transactions)) }
    }
}
