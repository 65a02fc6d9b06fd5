//! Blocks in the forms that peers ask for.

use std::sync::Arc;

use bitcoin::consensus;
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

/// The block without witnesses, as it was before BIP-0144.
pub(crate) fn stripped(block: &Arc<Block>) -> Arc<Block> {
    if !block.transactions().iter().any(Transaction::has_witness) {
        return Arc::clone(block);
    }
    let strip = |transaction: &Transaction| {
        let mut transaction = transaction.decoded().clone();
        for input in &mut transaction.input {
            input.witness.clear();
        }
        transaction
    };
    let txdata = block.transactions().iter().map(strip).collect();
    let bytes = consensus::serialize(&bitcoin::Block { header: *block.header(), txdata });
    Arc::new(Block::parse(bytes).expect("a block without its witnesses is one too"))
}

/// The block's transactions at the places `indexes`.
///
/// # Errors
/// The first place that is beyond the block's end.
pub(crate) fn transactions(block: &Block, indexes: &[u16]) -> Result<Vec<Arc<Transaction>>, u16> {
    let at = |index: &u16| {
        let transaction = block.transactions().get(usize::from(*index)).ok_or(*index)?;
        Ok(Arc::new(transaction.clone()))
    };
    indexes.iter().map(at).collect()
}
