//! The rules of a header in its place, beside proof of work and its adjustment: one function each.
//!
//! As `ContextualCheckBlockHeader` of Bitcoin Core.

use super::Error;
use crate::spec::{Deployments, Retarget};

/// Seconds that a header's time may be ahead of the node's clock.
pub const MAX_FUTURE: u32 = 2 * 60 * 60;

/// BIP-0094: seconds that the first header of a period may be before its parent.
pub const MAX_TIMEWARP: u32 = 600;

/// Headers over which the median time is taken, the newest included.
pub const MEDIAN_SPAN: usize = 11;

/// MUST: the time is after the median of the headers before.
pub(super) fn after_median(time: u32, median: u32) -> Result<(), Error> {
    if time > median { Ok(()) } else { Err(Error::TimeTooOld { time, median }) }
}

/// MUST (BIP-0094): "the block at height multiple of 2016 has a timestamp not more than 600 seconds before its parent".
pub(super) fn no_timewarp(retarget: &Retarget, height: u32, time: u32, parent_time: u32) -> Result<(), Error> {
    let Retarget::Bitcoin { interval, bip94: true, .. } = retarget else { return Ok(()) };
    let earliest = parent_time.saturating_sub(MAX_TIMEWARP);
    if height.checked_rem(*interval) == Some(0) && time < earliest {
        return Err(Error::Timewarp { time, earliest });
    }
    Ok(())
}

/// MUST: the time is at most two hours ahead. A header that breaks this rule may keep it later.
pub(super) fn not_ahead(time: u32, now: u32) -> Result<(), Error> {
    let latest = now.saturating_add(MAX_FUTURE);
    if time <= latest { Ok(()) } else { Err(Error::TimeTooNew { time, latest }) }
}

/// MUST: once a soft fork holds that was signalled by a new version, older versions are no more (BIP-0034, BIP-0066,
/// BIP-0065).
pub(super) fn version(deployments: &Deployments, height: u32, version: i32) -> Result<(), Error> {
    let forks = [(deployments.bip34, 2), (deployments.bip66, 3), (deployments.bip65, 4)];
    match forks.into_iter().filter(|(from, _)| height >= *from).map(|(_, least)| least).max() {
        Some(least) if version < least => Err(Error::Version { version, least }),
        _ => Ok(()),
    }
}
