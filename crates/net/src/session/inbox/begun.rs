//! Room for messages that are not complete.
//!
//! What a session holds below [`FREE`] is its own. Beyond that, all of them together fill one room. When it is full, who
//! needs more waits as long as a complete message in it only waits for the owner, since that will leave. If there is none,
//! the message goes that was begun first, with its session: peers that mean well complete theirs in seconds, so it is the
//! slowest. The last one always has room.

use tokio::time::Instant;

use super::state::{Entry, State};

/// Bytes of a message that is not complete which every session may hold.
pub(in crate::session) const FREE: usize = 64 << 10;

/// What became of a wish for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(in crate::session) enum Hold {
    /// There is room.
    Granted,
    /// There is none: the session reads no further until its bell rings, and asks again. Or it has been ended.
    Waits,
}

/// The room.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// Bytes of all that is held.
    held: usize,
    /// Whether a session waits for room.
    wanted: bool,
}

/// What one session holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    bytes: usize,
    /// When its message was begun; `None` if it is complete.
    begun: Option<Instant>,
    waits: bool,
}

impl State {
    /// Counts `bytes` of a message that was begun then.
    pub(super) fn hold(&mut self, key: u64, bytes: usize, begun: Instant) -> Hold {
        if bytes <= FREE || !self.set(key, Held { bytes, begun: Some(begun), waits: false }) {
            return Hold::Granted;
        }
        while self.begun.held > self.room {
            if self.begun.held == bytes {
                return Hold::Granted;
            }
            if self.sessions.values().any(|entry| entry.held.is_some_and(|held| held.begun.is_none())) {
                self.begun.wanted = true;
                self.set(key, Held { bytes, begun: Some(begun), waits: true });
                return Hold::Waits;
            }
            let begun = |(key, entry): (&u64, &Entry)| Some((entry.held?.begun?, *key));
            let Some((_, slowest)) = self.sessions.iter().filter_map(begun).min() else { return Hold::Granted };
            if let Some(entry) = self.sessions.get(&slowest) {
                entry.bell.crowd_out();
            }
            self.let_go(slowest);
            if slowest == key {
                return Hold::Waits;
            }
        }
        Hold::Granted
    }

    /// A complete message of the session waits for room.
    pub(super) fn keep_outside(&mut self, key: u64, bytes: usize) {
        self.set(key, Held { bytes, begun: None, waits: false });
    }

    fn set(&mut self, key: u64, held: Held) -> bool {
        let Some(entry) = self.sessions.get_mut(&key) else { return false };
        let before = entry.held.replace(held).map_or(0, |held| held.bytes);
        self.begun.held = self.begun.held.saturating_sub(before).saturating_add(held.bytes);
        true
    }

    /// The session holds nothing any more.
    pub(super) fn let_go(&mut self, key: u64) {
        let Some(held) = self.sessions.get_mut(&key).and_then(|entry| entry.held.take()) else { return };
        self.begun.held = self.begun.held.saturating_sub(held.bytes);
        if std::mem::take(&mut self.begun.wanted) {
            for entry in self.sessions.values().filter(|entry| entry.held.is_some_and(|held| held.waits)) {
                entry.bell.ring();
            }
        }
    }
}
