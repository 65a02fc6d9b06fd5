//! What Kademlia's records hold between peers: a value, and which of two values of one key is the later.
//!
//! Kademlia knows no order of values: whatever is put last wins, be it an old one that its holder gives on. So a value
//! carries its revision: one byte of format ([`FORMAT`]), eight of revision (big-endian), then what the application
//! put. The greater pair of revision and value replaces the lesser at every holder, so all of them end with the same.
//!
//! A revision is the wall clock of whoever puts, in milliseconds, or one more than the latest that the network has,
//! whichever is greater. So nobody's clock needs to be right, and two who put at the same time agree afterwards on who
//! was last. Nothing is signed: whoever knows a key may put another value under it.

/// The format of values. Peers that sign theirs will need another.
const FORMAT: u8 = 1;

/// Bytes before the application's.
pub(crate) const OVERHEAD: usize = 9;

/// How far a revision may be ahead of our clock, in milliseconds: 139 years, so that even a clock that begins in 1970
/// takes what others put. Without any bound, a single put with the greatest of all revisions would hold its key for
/// ever; so it can be outdone a millisecond later.
const MAX_AHEAD: u64 = 1 << 42;

/// A value and its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value<'a> {
    pub(crate) revision: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// As peers exchange it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(self.bytes.len().saturating_add(OVERHEAD));
        encoded.push(FORMAT);
        encoded.extend(self.revision.to_be_bytes());
        encoded.extend(self.bytes);
        encoded
    }

    /// What a peer sent; `None` if it is of another format.
    pub(crate) fn decode(encoded: &'a [u8]) -> Option<Self> {
        let (&[format], rest) = encoded.split_first_chunk::<1>()?;
        let (revision, bytes) = rest.split_first_chunk::<8>()?;
        (format == FORMAT).then_some(Self { revision: u64::from_be_bytes(*revision), bytes })
    }

    /// Whether the revision is one that an honest peer may have come to; `now` in milliseconds of the wall clock.
    pub(crate) fn is_plausible(&self, now: u64) -> bool {
        self.revision <= now.saturating_add(MAX_AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_as_it_was() {
        for bytes in [&b""[..], b"value", &[1; 60_000]] {
            let value = Value { revision: 0x0102_0304_0506_0708, bytes };
            let encoded = value.encode();
            assert_eq!(encoded.len(), bytes.len() + OVERHEAD);
            assert_eq!(Value::decode(&encoded), Some(value));
        }
    }

    #[test]
    fn another_format_or_a_short_one_is_none() {
        assert_eq!(Value::decode(&[]), None);
        assert_eq!(Value::decode(&[FORMAT, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Value::decode(&[FORMAT + 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]), None);
    }

    #[test]
    fn a_later_revision_is_greater_and_a_tie_is_broken_by_the_value() {
        let value = |revision, bytes| Value { revision, bytes };
        assert!(value(2, b"a") > value(1, b"b"));
        assert!(value(1, b"b") > value(1, b"a"));
    }

    #[test]
    fn a_revision_may_be_ahead_to_the_bound_and_not_one_past() {
        let at = |revision| Value { revision, bytes: b"" };
        assert!(at(MAX_AHEAD + 10).is_plausible(10));
        assert!(!at(MAX_AHEAD + 11).is_plausible(10));
        assert!(at(MAX_AHEAD + 11).is_plausible(11));
        assert!(!at(u64::MAX).is_plausible(1 << 43));
    }
}
