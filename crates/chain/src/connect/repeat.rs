//! BIP-0030: no transaction may repeat an earlier one that is not wholly spent (CVE-2012-1909).

use bitcoin::OutPoint;

use super::made::is_unspendable;
use super::{Coins, Context, Failure};
use crate::block::{Block, Error};
use crate::transaction::lock::Ancestors;

/// From this height on, BIP-0034 does not keep Bitcoin's coinbases distinct: scripts of coinbases older than
/// BIP-0034 happen to begin with this height and greater ones.
const BIP34_IMPLIES_BIP30_LIMIT: u32 = 1_983_702;

/// Checks that no output of `block` is in the set already.
pub(super) fn check<C: Coins>(
    block: &Block,
    context: &Context<'_, impl Ancestors>,
    coins: &mut C,
) -> Result<(), Failure<C::Error>> {
    if !is_possible(block, context) {
        return Ok(());
    }
    for (index, transaction) in block.transactions().iter().enumerate() {
        for (vout, output) in (0_u32..).zip(&transaction.decoded().output) {
            let outpoint = OutPoint { txid: transaction.txid(), vout };
            if !is_unspendable(&output.script_pubkey) && coins.coin(&outpoint).map_err(Failure::Coins)?.is_some() {
                return Err(Error::Overwrites { index, outpoint }.into());
            }
        }
    }
    Ok(())
}

/// Whether the set must be asked.
///
/// Where BIP-0034 has held since height 1, no transaction of a chain can repeat an earlier one, as long as SHA-256 has no
/// collisions. Take the first that does. If it is a coinbase, both begin with their own height; no such
/// push is a prefix of another (its first byte tells its length), so both stand at one height, and a block has one
/// coinbase. (The genesis block's begins with no height, but its outputs never enter the set.) If it is
/// not, its first input spends the very output that the earlier one spent; that output was made again in between, so
/// its transaction had been repeated before: then this was not the first. Bitcoin Core, which looks the outputs up on
/// such chains too (their parameters name no block at the BIP-0034 height), therefore never finds one.
fn is_possible(block: &Block, context: &Context<'_, impl Ancestors>) -> bool {
    let (height, deployments) = (context.place.height, context.place.deployments);
    if deployments.bip34 <= 1 {
        return false;
    }
    if height >= BIP34_IMPLIES_BIP30_LIMIT {
        return true;
    }
    // Bitcoin's own branch: its blocks before BIP-0034 are known, and that none of their coinbases can come again.
    let known = height > deployments.bip34
        && deployments.bip34_hash.is_some()
        && context.ancestors.hash(deployments.bip34) == deployments.bip34_hash;
    !known && !deployments.bip30_repeats.contains(&(height, block.hash()))
}
