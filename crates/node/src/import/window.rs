//! How far reading may run ahead of processing: a bound on what is held between the two, whatever the threads do.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Things that are held at most.
pub(super) const MOST_ITEMS: usize = 64;

/// Serialised bytes of the blocks that are held: two of the largest. Decoded, they take about twice that besides, four
/// times if all their transactions are as small as can be, and five times if they are witness items of no bytes. One
/// block may be larger than what is left when it comes alone.
pub(super) const MOST_BYTES: usize = 8 << 20;

/// What is held now.
#[derive(Debug, Default)]
struct Held {
    items: usize,
    bytes: usize,
    closed: bool,
}

/// A count of what is held, and the place to wait for room.
#[derive(Debug, Default)]
pub(super) struct Window {
    held: Mutex<Held>,
    changed: Condvar,
}

impl Window {
    /// Waits for room for an item of so many bytes, and takes it. False if nobody wants more.
    pub(super) fn enter(&self, bytes: usize) -> bool {
        let full = |held: &mut Held| !held.closed && !fits(held, bytes);
        let mut held = self.changed.wait_while(self.held(), full).unwrap_or_else(PoisonError::into_inner);
        held.items = held.items.saturating_add(1);
        held.bytes = held.bytes.saturating_add(bytes);
        !held.closed
    }

    /// Gives room back.
    pub(super) fn leave(&self, bytes: usize) {
        let mut held = self.held();
        held.items = held.items.saturating_sub(1);
        held.bytes = held.bytes.saturating_sub(bytes);
        self.changed.notify_all();
    }

    /// Tells those who wait that nobody wants more.
    pub(super) fn close(&self) {
        self.held().closed = true;
        self.changed.notify_all();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Two counters are never half changed.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(held: &Held, bytes: usize) -> bool {
    held.items == 0 || (held.items < MOST_ITEMS && held.bytes.saturating_add(bytes) <= MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_fit_up_to_the_bound_and_not_one_more() {
        let window = Window::default();
        for _ in 0..MOST_ITEMS {
            assert!(fits(&window.held(), 0));
            assert!(window.enter(0));
        }
        assert!(!fits(&window.held(), 0));
        window.leave(0);
        assert!(fits(&window.held(), 0));
    }

    #[test]
    fn bytes_fit_up_to_the_bound_and_not_one_more() {
        let window = Window::default();
        assert!(window.enter(1));
        assert!(fits(&window.held(), MOST_BYTES - 1));
        assert!(!fits(&window.held(), MOST_BYTES));
        window.leave(1);
        // Alone, anything fits: it could never come in otherwise.
        assert!(fits(&window.held(), MOST_BYTES + 1));
    }

    #[test]
    fn who_waits_for_room_is_let_in_or_told_that_nobody_wants_more() {
        let window = Window::default();
        assert!(window.enter(MOST_BYTES));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| window.enter(1));
            window.leave(MOST_BYTES);
            assert!(waiting.join().unwrap());
            let waiting = scope.spawn(|| window.enter(MOST_BYTES));
            window.close();
            assert!(!waiting.join().unwrap());
        });
    }
}
