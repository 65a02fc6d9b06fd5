//! When a transaction may be in a block: lock time (BIP-0113) and relative lock times of its inputs (BIP-0068).

use bitcoin::{BlockHash, Sequence};

use super::{Error, Transaction};
use crate::coin::Coin;

/// Lock times below are heights, others are seconds since 1970.
const LOCK_TIME_THRESHOLD: u32 = 500_000_000;

/// BIP-0068: with this bit a sequence number is no relative lock time.
const DISABLE: u32 = 1 << 31;
/// BIP-0068: with this bit the lock is in units of 512 seconds, otherwise in blocks.
const SECONDS: u32 = 1 << 22;
/// BIP-0068: these bits are the lock.
const VALUE: u32 = 0xffff;
/// BIP-0068: 512 seconds.
const GRANULARITY: u32 = 9;

/// What rules ask of the branch of headers below a block.
pub trait Ancestors {
    /// The median of the times of the block at `height` and its ten predecessors, in seconds since 1970. Asked only
    /// of heights below the block's own.
    fn median_time_past(&self, height: u32) -> u32;

    /// The hash of the block at `height`, or `None` if the branch does not reach it.
    fn hash(&self, height: u32) -> Option<BlockHash>;
}

/// Checks that `transaction` may be in a block at `height`, with `cutoff` as the present time: the parent's median
/// time past since BIP-0113, before it the block's own time.
///
/// # Errors
/// [`Error::Locked`] if its lock time is not yet passed and some input heeds it.
pub fn absolute(transaction: &Transaction, height: u32, cutoff: u32) -> Result<(), Error> {
    let bitcoin::Transaction { lock_time, input, .. } = transaction.decoded();
    let lock_time = lock_time.to_consensus_u32();
    let now = if lock_time < LOCK_TIME_THRESHOLD { height } else { cutoff };
    if lock_time == 0 || lock_time < now || input.iter().all(|input| input.sequence == Sequence::MAX) {
        return Ok(());
    }
    Err(Error::Locked { lock_time })
}

/// Checks that each input of `transaction` is as old as its sequence number asks (BIP-0068), in a block at `height`
/// whose parent's median time past is `now`; `spent` are the coins in the order of the inputs.
///
/// # Errors
/// [`Error::SequenceLocked`] with the first input that is too young.
pub fn relative(
    transaction: &Transaction,
    spent: &[Coin],
    height: u32,
    now: u32,
    ancestors: &impl Ancestors,
) -> Result<(), Error> {
    let bitcoin::Transaction { version, input, .. } = transaction.decoded();
    // The version is unsigned in Bitcoin: what looks negative heeds the rule.
    if version.0.cast_unsigned() < 2 {
        return Ok(());
    }
    for (index, (input, coin)) in input.iter().zip(spent).enumerate() {
        let sequence = input.sequence.to_consensus_u32();
        if sequence & DISABLE != 0 {
            continue;
        }
        let lock = sequence & VALUE;
        let old_enough = if sequence & SECONDS == 0 {
            coin.height.saturating_add(lock) <= height
        } else {
            // Counted from the earliest time that the block which made the coin could have had: what was the median
            // time past before it.
            let since = ancestors.median_time_past(coin.height.saturating_sub(1));
            u64::from(since).saturating_add(u64::from(lock) << GRANULARITY) <= u64::from(now)
        };
        if !old_enough {
            return Err(Error::SequenceLocked { input: index, sequence });
        }
    }
    Ok(())
}
