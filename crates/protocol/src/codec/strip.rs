//! Blocks and transactions without witnesses, for peers older than BIP-0144.
//!
//! [`Message::Block`](crate::Message::Block) and [`Message::Transaction`](crate::Message::Transaction) are written with the
//! bytes that they have. Whoever answers `MSG_BLOCK` or `MSG_TX` gives them one of these.

use yap_chain::block::{Block, HEADER_SIZE};
use yap_chain::integer;
use yap_chain::transaction::Transaction;

/// Bytes before and behind what of a transaction is signed: version, and lock time.
const ENDS: usize = 4;

/// Bytes of BIP-0144's marker and flag.
const MARKER: usize = 2;

/// The block as peers know it that know no witnesses. Parsed and hashed again, unless it has none.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it never does, as the line says")]
pub fn block_without_witness(block: &Block) -> Block {
    if !block.transactions().iter().any(Transaction::has_witness) {
        return block.clone();
    }
    let mut bytes = Vec::with_capacity(block.base_size());
    bytes.extend_from_slice(block.bytes().get(..HEADER_SIZE).unwrap_or_default());
    integer::write_compact(block.transactions().len(), &mut bytes);
    block.transactions().iter().for_each(|transaction| write(transaction, &mut bytes));
    Block::parse(bytes).expect("only what BIP-0144 makes optional was left out")
}

/// The transaction as peers know it that know no witnesses. Parsed and hashed again, unless it has none.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "it never does, as the line says")]
pub fn transaction_without_witness(transaction: &Transaction) -> Transaction {
    if !transaction.has_witness() {
        return transaction.clone();
    }
    let mut bytes = Vec::with_capacity(transaction.base_size());
    write(transaction, &mut bytes);
    Transaction::parse(bytes).expect("only what BIP-0144 makes optional was left out")
}

/// Appends version, inputs and outputs, lock time.
fn write(transaction: &Transaction, out: &mut Vec<u8>) {
    let bytes = transaction.raw().as_slice();
    if !transaction.has_witness() {
        out.extend_from_slice(bytes);
        return;
    }
    let part = |from: usize, length: usize| bytes.get(from..from.saturating_add(length)).unwrap_or_default();
    out.extend_from_slice(part(0, ENDS));
    out.extend_from_slice(part(ENDS + MARKER, transaction.base_size().saturating_sub(2 * ENDS)));
    out.extend_from_slice(part(bytes.len().saturating_sub(ENDS), ENDS));
}
