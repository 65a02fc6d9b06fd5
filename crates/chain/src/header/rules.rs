//! The rules of a header in its place, beside proof of work and its adjustment: one function each.
//!
//! As `ContextualCheckBlockHeader` of Bitcoin Core.

use super::Error;
use crate::spec::{Deployments, Retarget, Spec, Times};

/// Seconds that a header's time may be ahead of the node's clock on Bitcoin's networks.
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

/// MUST, where times are monotone: the time is not before the parent's. So the seconds that blocks took can be summed, and
/// whoever claims more of them for one block takes them from the next.
pub(super) fn not_backwards(times: &Times, time: u32, parent: u32) -> Result<(), Error> {
    if !times.monotone || time >= parent { Ok(()) } else { Err(Error::TimeBeforeParent { time, parent }) }
}

/// MUST: the time is at most as far ahead as the chain allows, Bitcoin's networks two hours. A header that breaks this rule
/// may keep it later.
pub(super) fn not_ahead(times: &Times, time: u32, now: u32) -> Result<(), Error> {
    let latest = now.saturating_add(times.future);
    if time <= latest { Ok(()) } else { Err(Error::TimeTooNew { time, latest }) }
}

/// The earliest time that the rules above allow a header at `height`, if its parent has the given median and time. None is
/// allowed after the last second that 32 bits can tell.
pub(super) fn earliest(spec: &Spec, height: u32, median: u32, parent: u32) -> u32 {
    let mut earliest = median.saturating_add(1);
    if spec.times.monotone {
        earliest = earliest.max(parent);
    }
    match spec.work.retarget {
        Retarget::Bitcoin { interval, bip94: true, .. } if height.checked_rem(interval) == Some(0) => {
            earliest.max(parent.saturating_sub(MAX_TIMEWARP))
        }
        Retarget::Bitcoin { .. } | Retarget::None | Retarget::Asert { .. } | Retarget::Relative { .. } => earliest,
    }
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
