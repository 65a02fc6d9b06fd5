//! How much is taken, of whom.
//!
//! Four buckets, each of messages and of bytes, from the narrowest to the widest: of who publishes, of who passes on, of
//! all together, and what is too much to be a mistake. An honest peer passes on what it takes itself, which is no more
//! than [`ALL`]; so [`FLOOD`] is far above that, and who empties it is told to go. What another bucket refuses is left
//! out, and nobody is blamed: it may come again by another way.
//!
//! What came before is found here and goes no further, so that gossipsub's own memory, which has no bound, holds what was
//! taken alone.

use std::collections::HashMap;

use libp2p::PeerId;
use tokio::time::Instant;

use super::{MEMORY, MessageId};
use crate::rate::{Bucket, Rate};
use crate::recent::Recent;

/// Of messages and of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tariff {
    pub(super) messages: Rate,
    pub(super) bytes: Rate,
}

const fn tariff(messages: (u32, u32), kilobytes: (u32, u32)) -> Tariff {
    let bytes = Rate { burst: kilobytes.0.saturating_mul(1_000), each_second: kilobytes.1.saturating_mul(1_000) };
    Tariff { messages: Rate { burst: messages.0, each_second: messages.1 }, bytes }
}

/// What we publish: half of what others take from us.
pub(super) const OWN: Tariff = tariff((256, 32), (4_000, 250));

/// What one peer publishes.
pub(super) const SOURCE: Tariff = tariff((512, 64), (8_000, 500));

/// What one connected peer passes on, without what came before.
pub(super) const SHARE: Tariff = tariff((1_024, 128), (8_000, 750));

/// What all pass on, without what came before.
pub(super) const ALL: Tariff = tariff((2_048, 256), (8_000, 1_000));

/// What one connected peer sends at all.
pub(super) const FLOOD: Tariff = tariff((8_192, 1_024), (64_000, 4_000));

/// What no honest peer sends. A message that a validator rejects counts once, since whoever passes it on may not have the
/// same validator; one that is malformed, or that its own publisher sends, counts [`GRAVE`] times.
pub(super) const FAULTS: Rate = Rate { burst: 64, each_second: 1 };

/// See [`FAULTS`].
pub(super) const GRAVE: u32 = 8;

/// How many of its messages one that is rejected costs its publisher.
const REJECTED: u32 = 32;

/// Publishers that are remembered.
pub(super) const SOURCES: usize = 4_096;

/// Messages that are remembered: twice what can be taken within [`MEMORY`].
pub(super) const SEEN: usize = 320_000;

#[derive(Clone, Copy, Debug)]
struct Account {
    messages: Bucket,
    bytes: Bucket,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { messages: Bucket::new(now), bytes: Bucket::new(now) }
    }

    fn holds(&self, tariff: Tariff, size: u32, now: Instant) -> bool {
        self.messages.holds(tariff.messages, 1, now) && self.bytes.holds(tariff.bytes, size, now)
    }

    fn charge(&mut self, tariff: Tariff, messages: u32, size: u32, now: Instant) {
        self.messages.charge(tariff.messages, messages, now);
        self.bytes.charge(tariff.bytes, size, now);
    }
}

/// A connected peer.
#[derive(Clone, Copy, Debug)]
struct Peer {
    share: Account,
    sent: Account,
    faults: Bucket,
    flooding: bool,
}

/// A message that came, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel {
    pub(super) id: MessageId,
    pub(super) source: PeerId,
    pub(super) size: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Load {
    /// No more than there are connected peers.
    peers: HashMap<PeerId, Peer>,
    sources: Recent<PeerId, Account>,
    all: Account,
    own: Account,
    seen: Recent<MessageId, ()>,
    /// When what was seen ages next.
    aging: Instant,
}

impl Load {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            peers: HashMap::new(),
            sources: Recent::new(SOURCES),
            all: Account::new(now),
            own: Account::new(now),
            seen: Recent::new(SEEN),
            aging: now,
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId, now: Instant) {
        let fresh =
            Peer { share: Account::new(now), sent: Account::new(now), faults: Bucket::new(now), flooding: false };
        self.peers.entry(peer).or_insert(fresh);
    }

    pub(super) fn disconnected(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Whether nothing of a peer is taken any more.
    pub(super) fn is_flooding(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_none_or(|peer| peer.flooding)
    }

    /// A frame came, of so many items and bytes. Tells whether it is the one that is too much.
    #[must_use]
    pub(super) fn frame(&mut self, peer: &PeerId, items: u32, size: u32, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(peer) else { return false };
        let held =
            peer.sent.messages.holds(FLOOD.messages, items, now) && peer.sent.bytes.holds(FLOOD.bytes, size, now);
        peer.sent.charge(FLOOD, items, size, now);
        !held && !std::mem::replace(&mut peer.flooding, true)
    }

    /// A peer sent what no honest one does. Tells whether that is too much now.
    #[must_use]
    pub(super) fn fault(&mut self, peer: &PeerId, weight: u32, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(peer) else { return false };
        !peer.faults.take(FAULTS, weight, now) && !std::mem::replace(&mut peer.flooding, true)
    }

    /// A message of this publisher was rejected.
    pub(super) fn rejected(&mut self, source: PeerId, now: Instant) {
        self.sources.touch(source, || Account::new(now)).charge(SOURCE, REJECTED, 0, now);
    }

    /// Whether a message that a peer sent is new and not too much; if so, it is counted and remembered.
    #[must_use]
    pub(super) fn take(&mut self, from: &PeerId, parcel: Parcel, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(from) else { return false };
        if self.seen.contains(&parcel.id) {
            return false;
        }
        let source = self.sources.touch(parcel.source, || Account::new(now));
        let may = self.all.holds(ALL, parcel.size, now)
            && peer.share.holds(SHARE, parcel.size, now)
            && source.holds(SOURCE, parcel.size, now);
        if may {
            self.all.charge(ALL, 1, parcel.size, now);
            peer.share.charge(SHARE, 1, parcel.size, now);
            source.charge(SOURCE, 1, parcel.size, now);
            self.remember(parcel.id, now);
        }
        may
    }

    /// Whether a message was published or came within the last minutes.
    pub(super) fn has(&self, id: &MessageId) -> bool {
        self.seen.contains(id)
    }

    /// Whether we may publish so much; if so, it is counted.
    #[must_use]
    pub(super) fn publish(&mut self, size: u32, now: Instant) -> bool {
        let may = self.own.holds(OWN, size, now);
        if may {
            self.own.charge(OWN, 1, size, now);
        }
        may
    }

    /// A message was published, or came.
    pub(super) fn remember(&mut self, id: MessageId, now: Instant) {
        // It is gone when it was not touched between two agings.
        if now >= self.aging {
            self.seen.age();
            self.aging = now.checked_add(MEMORY).unwrap_or(now);
        }
        self.seen.touch(id, || ());
    }

    /// Publishers and peers of which something is remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (usize, usize) {
        (self.sources.len(), self.peers.len())
    }
}
