//! Rules of a block that need the headers below it, but no coins: Bitcoin Core's `ContextualCheckBlock`, in its order.

use bitcoin::script::Builder;

use super::{Block, Error, MAX_WEIGHT, witness};
use crate::spec::Deployments;
use crate::transaction::lock;

/// Where a block stands.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Its height.
    pub height: u32,
    /// The median time past of its parent, in seconds since 1970.
    pub median_time_past: u32,
    /// From which heights the soft forks hold.
    pub deployments: &'a Deployments,
}

/// Checks every rule that needs the headers below `block`, which has passed [`check`](fn@super::check).
///
/// # Errors
/// The first rule that is broken, in the order in which Bitcoin Core checks them.
pub fn check_in_context(block: &Block, context: &Context<'_>) -> Result<(), Error> {
    finality(block, context)?;
    coinbase_height(block, context)?;
    witness::check(block, context.height >= context.deployments.segwit)?;
    // Only now: whoever relays a block could add to the coinbase's witness, and so to its weight, without changing
    // its hash, until the commitment is checked.
    weight(block)
}

/// BIP-0113: since then the present is the median time past, which a miner can't choose.
fn finality(block: &Block, context: &Context<'_>) -> Result<(), Error> {
    let active = context.height >= context.deployments.csv;
    let cutoff = if active { context.median_time_past } else { block.header().time };
    for (index, transaction) in block.transactions().iter().enumerate() {
        lock::absolute(transaction, context.height, cutoff).map_err(|cause| Error::Transaction {
            index,
            txid: transaction.txid(),
            cause,
        })?;
    }
    Ok(())
}

/// BIP-0034: the coinbase's script begins with the height, pushed as scripts push numbers.
fn coinbase_height(block: &Block, context: &Context<'_>) -> Result<(), Error> {
    if context.height < context.deployments.bip34 {
        return Ok(());
    }
    let expected = Builder::new().push_int(context.height.into()).into_script();
    let input = block.transactions().first().and_then(|coinbase| coinbase.decoded().input.first());
    match input {
        Some(input) if input.script_sig.as_bytes().starts_with(expected.as_bytes()) => Ok(()),
        _ => Err(Error::CoinbaseHeight { height: context.height }),
    }
}

/// BIP-0141: the weight, in place of the size, is limited.
fn weight(block: &Block) -> Result<(), Error> {
    let weight = block.weight();
    if weight > MAX_WEIGHT { Err(Error::Weight { weight }) } else { Ok(()) }
}
