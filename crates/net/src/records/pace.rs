//! How fast one peer may have us write: without it, a peer could put ever later values under one key, which takes no
//! room but all of the disk's time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Bytes that one peer may have us write in a second: what an honest one gives in upkeep, and as much again in puts,
/// many times over.
pub(super) const RATE: u64 = 4 << 20;

/// Bytes that it may have us write at once.
pub(super) const BURST: u64 = 32 << 20;

/// Most peers that are reckoned with one by one; any more share what one may.
pub(super) const MAX_SOURCES: usize = 1_024;

/// The account of those who have none of their own.
const OTHERS: u64 = 0;

/// What each peer had us write of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Bytes that count still, and since when: they shrink by [`RATE`].
    spent: BTreeMap<u64, (u64, Instant)>,
}

impl Pace {
    /// Whether a peer may have us write so many bytes now. If so, it has.
    pub(super) fn allow(&mut self, source: u64, bytes: u64, now: Instant) -> bool {
        let account = if self.has_account(source, now) { source } else { OTHERS };
        let (spent, since) = self.spent.get(&account).copied().unwrap_or((0, now));
        let spent = rest(spent, since, now).saturating_add(bytes);
        let is_allowed = spent <= BURST;
        if is_allowed {
            self.spent.insert(account, (spent, now));
        }
        is_allowed
    }

    fn has_account(&mut self, source: u64, now: Instant) -> bool {
        if !self.spent.contains_key(&source) && self.spent.len() >= MAX_SOURCES {
            self.spent.retain(|_, (spent, since)| rest(*spent, *since, now) > 0);
        }
        self.spent.contains_key(&source) || self.spent.len() < MAX_SOURCES
    }
}

/// What still counts of what was spent.
fn rest(spent: u64, since: Instant, now: Instant) -> u64 {
    let elapsed: Duration = now.saturating_duration_since(since);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    spent.saturating_sub(RATE.saturating_mul(millis) / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_us_write_a_burst_and_not_a_byte_more_until_time_has_passed() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(pace.allow(1, BURST, now));
        assert!(!pace.allow(1, 1, now));
        assert!(pace.allow(2, 1, now), "another is not held up");
        let later = now.checked_add(Duration::from_secs(1)).unwrap();
        assert!(!pace.allow(1, RATE.saturating_add(1), later));
        assert!(pace.allow(1, RATE, later));
        assert!(!pace.allow(1, 1, later));
    }

    #[test]
    fn more_peers_than_the_bound_share_one_account() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for source in 1..=MAX_SOURCES as u64 {
            assert!(pace.allow(source, BURST, now));
        }
        assert!(pace.allow(5_000, BURST, now), "the first of the others");
        assert!(!pace.allow(5_001, 1, now), "the second");
        assert!(pace.spent.len() <= MAX_SOURCES.saturating_add(1));
        let later = now.checked_add(Duration::from_secs(60)).unwrap();
        assert!(pace.allow(5_001, BURST, later), "the accounts of all that were quiet are closed");
        assert_eq!(pace.spent.len(), 1);
    }
}
