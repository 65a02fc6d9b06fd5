//! Calls that are under way: as many as the server lets in at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The calls.
#[derive(Debug, Default)]
pub(crate) struct Active(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    begun: u64,
    under_way: BTreeMap<u64, (&'static str, Instant)>,
}

/// A call, until it is dropped.
#[derive(Debug)]
pub(super) struct Call {
    active: Arc<Active>,
    number: u64,
}

impl Active {
    /// A call of that method begins.
    pub(super) fn begin(self: &Arc<Self>, method: &'static str) -> Call {
        let mut calls = self.calls();
        calls.begun = calls.begun.wrapping_add(1);
        let number = calls.begun;
        calls.under_way.insert(number, (method, Instant::now()));
        Call { active: Arc::clone(self), number }
    }

    /// Each call that is under way: its method, and how long it has been; the oldest first.
    pub(crate) fn list(&self) -> Vec<(&'static str, Duration)> {
        self.calls().under_way.values().map(|(method, since)| (*method, since.elapsed())).collect()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.active.calls().under_way.remove(&self.number);
    }
}
