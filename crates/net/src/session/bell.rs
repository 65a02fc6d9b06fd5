//! Wakes a session's task, and stops it from where its queue can't be reached.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Waker;

use futures::task::AtomicWaker;

use super::inbox::Why;

/// Wakes a session's task.
#[derive(Debug, Default)]
pub(super) struct Bell {
    waker: AtomicWaker,
    stop: AtomicU8,
}

const CROWDED: u8 = 1;
const STOPPED: u8 = 2;

impl Bell {
    /// Who is woken.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// There is something to be seen.
    pub(super) fn ring(&self) {
        self.waker.wake();
    }

    /// The session is to end as [`Why::Crowded`].
    pub(super) fn crowd_out(&self) {
        self.stop_as(CROWDED);
    }

    /// The session is to end as [`Why::Stopped`].
    pub(super) fn stop(&self) {
        self.stop_as(STOPPED);
    }

    fn stop_as(&self, stop: u8) {
        self.stop.store(stop, Ordering::Release);
        self.waker.wake();
    }

    /// Whether, and why, the session is to end.
    pub(super) fn stopped(&self) -> Option<Why> {
        match self.stop.load(Ordering::Acquire) {
            CROWDED => Some(Why::Crowded),
            STOPPED => Some(Why::Stopped),
            _ => None,
        }
    }
}
