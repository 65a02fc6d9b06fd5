//! How much memory the process uses.

use std::time::Duration;

use tokio::time::Instant;

/// How long a reading is good for: a flood of connections must not become a flood of readings.
const FRESH: Duration = Duration::from_millis(100);

/// Reads the memory of the process now and then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    most: u64,
    read: fn() -> Option<u64>,
    last: Option<(Instant, u64)>,
}

impl Gauge {
    /// A gauge that `read` answers with the bytes in use; `None` where the system does not tell.
    pub(super) fn new(most: u64, read: fn() -> Option<u64>) -> Self {
        Self { most, read, last: None }
    }

    /// Whether the process uses more than it may.
    pub(super) fn is_exceeded(&mut self, now: Instant) -> bool {
        let used = match self.last {
            Some((at, used)) if now.saturating_duration_since(at) < FRESH => used,
            Some(_) | None => {
                let used = (self.read)().unwrap_or(0);
                self.last = Some((now, used));
                used
            }
        };
        used > self.most
    }
}

/// The resident memory of this process, as Linux tells. `smaps`, which libp2p's own limit reads, makes the kernel walk
/// through all of the memory: milliseconds where the process is large.
pub(super) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_as_it_may_is_not_too_much() {
        let now = Instant::now();
        assert!(!Gauge::new(100, || Some(100)).is_exceeded(now));
        assert!(Gauge::new(100, || Some(101)).is_exceeded(now));
        assert!(!Gauge::new(100, || None).is_exceeded(now));
    }

    #[test]
    fn a_flood_does_not_read_more_often() {
        use std::sync::atomic::{AtomicU64, Ordering};
        static READINGS: AtomicU64 = AtomicU64::new(0);
        let now = Instant::now();
        let mut gauge = Gauge::new(100, || Some(READINGS.fetch_add(1, Ordering::Relaxed)));
        assert!((0..1_000).all(|_| !gauge.is_exceeded(now)));
        assert_eq!(READINGS.load(Ordering::Relaxed), 1);
        assert!(!gauge.is_exceeded(now + FRESH));
        assert_eq!(READINGS.load(Ordering::Relaxed), 2);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_some_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 100_000 && bytes < 1 << 40));
    }
}
