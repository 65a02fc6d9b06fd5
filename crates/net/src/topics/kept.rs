//! Messages that wait for subscribers.
//!
//! ```text
//!             nobody has subscribed ──▶ waiting ──KEEP──▶ unheard
//!  publish ──┤                             │ somebody subscribes
//!             somebody has ──▶ recent ◀────┴──────── what others published
//!                                └──▶ to whoever subscribes within FRESH
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::gossip::FRESH;
use super::{KEEP, MessageId};

/// Messages that wait.
pub(super) const WAITING: usize = 64;

/// Bytes of the messages that wait.
pub(super) const WAITING_BYTES: usize = 4_000_000;

/// Messages of all topics that are given to whoever subscribes late: the last that were passed on.
pub(super) const RECENT: usize = 64;

/// Peers that subscribed and were not given anything yet. Further ones do without.
pub(super) const LATE: usize = 128;

/// How often messages are given again, at most. All peers of the topic's mesh get them again with whoever is late, so
/// that somebody who subscribes again and again would make us a flood.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// A message that nobody has subscribed to.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) topic: Arc<str>,
    pub(super) data: Vec<u8>,
    pub(super) id: MessageId,
    until: Instant,
}

/// A message that was passed on.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub(super) topic: Arc<str>,
    pub(super) id: MessageId,
    /// Who sent it to us: ourselves, if we published it.
    pub(super) from: PeerId,
    at: Instant,
}

/// Who subscribed to a topic late, and what they missed.
#[derive(Debug)]
pub(super) struct Gift {
    pub(super) peers: BTreeSet<PeerId>,
    pub(super) messages: Vec<Passed>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Kept {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    recent: VecDeque<Passed>,
    late: BTreeMap<Arc<str>, BTreeSet<PeerId>>,
    /// When something may be given again.
    next: Option<Instant>,
}

impl Kept {
    /// Keeps a message until somebody subscribes; tells whether there was room.
    #[must_use]
    pub(super) fn wait(&mut self, topic: &str, data: Vec<u8>, id: MessageId, now: Instant) -> bool {
        let bytes = self.bytes.saturating_add(data.len());
        if self.waiting.len() >= WAITING || bytes > WAITING_BYTES {
            return false;
        }
        self.bytes = bytes;
        let until = now.checked_add(KEEP).unwrap_or(now);
        self.waiting.push_back(Waiting { topic: topic.into(), data, id, until });
        true
    }

    pub(super) fn is_waiting(&self, id: &MessageId) -> bool {
        self.waiting.iter().any(|waiting| waiting.id == *id)
    }

    /// What waits for subscribers of a topic; it does not any more.
    pub(super) fn heard(&mut self, topic: &str) -> VecDeque<Waiting> {
        let all = std::mem::take(&mut self.waiting);
        let (heard, waiting): (VecDeque<_>, _) = all.into_iter().partition(|waiting| *waiting.topic == *topic);
        self.waiting = waiting;
        let bytes: usize = heard.iter().map(|waiting| waiting.data.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        heard
    }

    /// The next message that waited for too long.
    pub(super) fn unheard(&mut self, now: Instant) -> Option<MessageId> {
        let waiting = self.waiting.pop_front_if(|waiting| waiting.until <= now)?;
        self.bytes = self.bytes.saturating_sub(waiting.data.len());
        Some(waiting.id)
    }

    /// A message was passed on.
    pub(super) fn passed(&mut self, topic: Arc<str>, id: MessageId, from: PeerId, now: Instant) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(Passed { topic, id, from, at: now });
    }

    /// A peer has subscribed.
    pub(super) fn subscribed(&mut self, peer: PeerId, topic: &str, now: Instant) {
        self.forget(now);
        if self.recent.iter().any(|passed| *passed.topic == *topic)
            && self.late.values().map(BTreeSet::len).sum::<usize>() < LATE
        {
            self.late.entry(topic.into()).or_default().insert(peer);
        }
    }

    /// What is to be given now, and to whom.
    pub(super) fn gifts(&mut self, now: Instant) -> Vec<Gift> {
        if self.late.is_empty() || self.next.is_some_and(|next| next > now) {
            return Vec::new();
        }
        self.next = now.checked_add(PAUSE);
        self.forget(now);
        let late = std::mem::take(&mut self.late);
        let gift = |(topic, peers): (Arc<str>, BTreeSet<PeerId>)| {
            let messages = self.recent.iter().filter(|passed| passed.topic == topic).cloned().collect();
            Gift { peers, messages }
        };
        late.into_iter().map(gift).collect()
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let unheard = self.waiting.front().map(|waiting| waiting.until);
        let gift = if self.late.is_empty() { None } else { self.next };
        [unheard, gift].into_iter().flatten().min()
    }

    fn forget(&mut self, now: Instant) {
        while self.recent.pop_front_if(|passed| now.saturating_duration_since(passed.at) > FRESH).is_some() {}
    }
}
