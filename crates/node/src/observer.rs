//! The one place that hears of everything: what happens becomes log lines, metrics and the event stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast;
use yap_api::event::{Event, Stamped};

/// Events that are kept for listeners who are slow; the oldest are lost to them.
pub const KEPT: usize = 4096;

/// Tells whoever listens. Clones are the same.
#[derive(Clone, Debug)]
pub struct Observer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The number of the last event. Held while one is sent, so that they are heard in order.
    last: Mutex<u64>,
    listeners: broadcast::Sender<Arc<Stamped>>,
    counts: Counts,
}

/// What happened since the start, in numbers.
#[derive(Debug, Default)]
pub struct Counts {
    /// Blocks connected.
    pub connected: AtomicU64,
    /// Blocks taken back.
    pub disconnected: AtomicU64,
    /// Blocks that broke a rule.
    pub refused: AtomicU64,
    /// Blocks mined here.
    pub mined: AtomicU64,
    /// Transactions that became pending.
    pub added: AtomicU64,
    /// Transactions that left the mempool.
    pub removed: AtomicU64,
    /// Peers that greeted us.
    pub greeted: AtomicU64,
    /// Rules that peers broke.
    pub faults: AtomicU64,
    /// Pings that were heard.
    pub pings: AtomicU64,
}

impl Default for Observer {
    fn default() -> Self {
        let (listeners, _) = broadcast::channel(KEPT);
        Self(Arc::new(Inner { last: Mutex::new(0), listeners, counts: Counts::default() }))
    }
}

impl Observer {
    /// Hears what happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Stamped>> {
        self.0.listeners.subscribe()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Takes note of something that happened.
    pub fn tell(&self, event: Event) {
        self.count(&event);
        log(&event);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.wrapping_add(1);
        // Nobody may listen.
        let _ = self.0.listeners.send(Arc::new(Stamped { id: *last, time, event }));
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is not counted here is counted elsewhere, or not at all")]
    fn count(&self, event: &Event) {
        let counts = &self.0.counts;
        let counter = match event {
            Event::BlockConnected { .. } => &counts.connected,
            Event::BlockDisconnected { .. } => &counts.disconnected,
            Event::BlockRefused { .. } => &counts.refused,
            Event::BlockMined { .. } => &counts.mined,
            Event::TransactionAdded { .. } => &counts.added,
            Event::TransactionRemoved { .. } => &counts.removed,
            Event::PeerConnected { .. } => &counts.greeted,
            Event::PeerFault { .. } => &counts.faults,
            Event::Ping { .. } => &counts.pings,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What developers read; what users read is made from the event stream.
fn log(event: &Event) {
    if matches!(event, Event::PeerFault { .. } | Event::BlockRefused { .. }) {
        tracing::info!(target: "yap", ?event);
    } else {
        tracing::debug!(target: "yap", ?event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_in_the_order_in_which_they_are_heard() {
        let observer = Observer::default();
        let mut listener = observer.listen();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let observer = observer.clone();
                std::thread::spawn(move || (0..100).for_each(|_| observer.tell(Event::Ping { from: "me".into() })))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        for id in 1..=400 {
            assert_eq!(listener.try_recv().unwrap().id, id);
        }
        assert_eq!(observer.counts().pings.load(Ordering::Relaxed), 400);
    }

    #[test]
    fn a_slow_listener_loses_the_oldest_and_hears_how_many() {
        let observer = Observer::default();
        let mut listener = observer.listen();
        (0..KEPT + 2).for_each(|_| observer.tell(Event::Stopping));
        assert_eq!(listener.try_recv().unwrap_err(), broadcast::error::TryRecvError::Lagged(2));
        assert_eq!(listener.try_recv().unwrap().id, 3);
    }
}
