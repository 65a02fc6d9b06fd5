//! Rules of a block that need nothing around it: Bitcoin Core's `CheckBlock`, in its order.
//!
//! Not here: proof of work, which the header shows, and signet's solution (BIP-0325), which Bitcoin Core checks before
//! these.

use bitcoin::TxMerkleNode;

use super::{Block, Error, MAX_SIGOPS_COST, MAX_WEIGHT, WITNESS_SCALE, merkle};
use crate::transaction::{self, Transaction};

/// Bytes (without a witness) of a transaction that could be an inner node of a Merkle tree (CVE-2017-12842).
const NODE_SIZE: usize = 64;

/// Checks every rule that needs no context.
///
/// # Errors
/// The first rule that is broken, in the order in which Bitcoin Core checks them.
pub fn check(block: &Block) -> Result<(), Error> {
    // One that came unread is read here if not before: no other rule is asked of what is no block.
    block.read()?;
    // Before any other, so that a block that someone else changed is not taken for invalid.
    merkle_root(block)?;
    length(block)?;
    one_coinbase(block.transactions())?;
    transactions(block.transactions())?;
    legacy_sigops(block.transactions())
}

fn merkle_root(block: &Block) -> Result<(), Error> {
    let root = merkle::root(block.transactions().iter().map(|transaction| transaction.txid().to_raw_hash()).collect());
    let (claimed, computed) = (block.header().merkle_root, TxMerkleNode::from_raw_hash(root.hash));
    if claimed != computed {
        return Err(Error::MerkleRoot { claimed, computed });
    }
    // CVE-2012-2459: the block without the repeated end has the same root, and may be valid.
    if root.repeated { Err(Error::RepeatedTransactions) } else { Ok(()) }
}

fn length(block: &Block) -> Result<(), Error> {
    let (transactions, base_size) = (block.transactions().len(), block.base_size());
    let largest = MAX_WEIGHT / WITNESS_SCALE;
    if transactions == 0 || transactions > largest || base_size > largest {
        return Err(Error::Length { transactions, base_size });
    }
    Ok(())
}

fn one_coinbase(transactions: &[Transaction]) -> Result<(), Error> {
    let mut coinbases = transactions.iter().enumerate().filter(|(_, transaction)| transaction.is_coinbase());
    match (coinbases.next(), coinbases.next()) {
        (Some((0, _)), None) => Ok(()),
        (Some((0, _)), Some((index, _))) => Err(Error::SecondCoinbase { index }),
        // Two hashes side by side may parse as a transaction of 64 bytes, and so a level of the real block's Merkle
        // tree may pass for its transactions. Its first would hardly be a coinbase: that takes 224 bits of work.
        _ => Err(Error::NoCoinbase { looks_like_node: transactions.iter().any(|t| t.base_size() == NODE_SIZE) }),
    }
}

fn transactions(transactions: &[Transaction]) -> Result<(), Error> {
    for (index, transaction) in transactions.iter().enumerate() {
        transaction::check(transaction).map_err(|cause| Error::Transaction {
            index,
            txid: transaction.txid(),
            cause,
        })?;
    }
    Ok(())
}

/// A lower bound of what [`connect`](crate::connect::connect) counts, to refuse the worst without looking at coins.
fn legacy_sigops(transactions: &[Transaction]) -> Result<(), Error> {
    let mut cost: usize = 0;
    for (index, transaction) in transactions.iter().enumerate() {
        let operations = usize::try_from(transaction.legacy_sigops()).unwrap_or(usize::MAX);
        cost = cost.saturating_add(operations.saturating_mul(WITNESS_SCALE));
        if cost > MAX_SIGOPS_COST {
            return Err(Error::Sigops { index, cost });
        }
    }
    Ok(())
}
