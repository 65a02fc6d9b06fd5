//! Who provides what: the peers that said of a key that they have what it stands for.
//!
//! Each says so itself, so nobody fills another's share. Of a key's providers the closest to it stay; when there is no
//! room at all, the key that is farthest from this node loses one. Our own never give way.

use std::collections::BTreeMap;

use libp2p::PeerId;
use libp2p::kad::{KBucketDistance, KBucketKey, RecordKey};

use super::index::{Distance, Full};
use super::limits::{Limits, MAX_KEYS_PER_PROVIDER, MAX_PROVIDERS_PER_KEY};
use super::shelf::Place;

/// A provider of a key.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) peer: PeerId,
    /// Wall clock, in seconds; [`u64::MAX`] for never.
    pub(super) expires: u64,
    /// If we are the provider: when the closest peers were told last, wall clock in seconds.
    pub(super) announced: Option<u64>,
    pub(super) place: Place,
    pub(super) size: u64,
}

/// A key that is provided.
#[derive(Debug)]
pub(super) struct Provided {
    pub(super) key: RecordKey,
    /// Not empty.
    pub(super) peers: Vec<Held>,
}

/// All providers.
#[derive(Debug)]
pub(super) struct Providers {
    keys: BTreeMap<Distance, Provided>,
    /// How many keys each peer provides.
    counts: BTreeMap<PeerId, usize>,
    total: usize,
    bytes: u64,
    most: usize,
}

impl Providers {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { keys: BTreeMap::new(), counts: BTreeMap::new(), total: 0, bytes: 0, most: limits.providers }
    }

    /// Bytes of all providers.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.total
    }

    /// The providers of the key at a distance.
    pub(super) fn get(&self, distance: &Distance) -> &[Held] {
        self.keys.get(distance).map_or(&[], |provided| &provided.peers)
    }

    /// One provider of the key at a distance.
    pub(super) fn get_mut(&mut self, distance: &Distance, peer: &PeerId) -> Option<&mut Held> {
        self.keys.get_mut(distance)?.peers.iter_mut().find(|held| held.peer == *peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Distance, &Provided)> {
        self.keys.iter()
    }

    /// The provider that must give way so that `peer` has room at `distance`, where it may be already.
    pub(super) fn admit(
        &self,
        distance: &Distance,
        key: &RecordKey,
        peer: &PeerId,
        ours: bool,
    ) -> Result<Option<(Distance, PeerId)>, Full> {
        let there = self.get(distance);
        if there.iter().any(|held| held.peer == *peer) {
            return Ok(None);
        }
        if self.counts.get(peer).is_some_and(|count| *count >= MAX_KEYS_PER_PROVIDER) {
            return Err(Full);
        }
        if there.len() >= MAX_PROVIDERS_PER_KEY {
            let key = KBucketKey::new(key.clone());
            let far = |peer: &PeerId| -> KBucketDistance { KBucketKey::from(*peer).distance(&key) };
            let others = there.iter().filter(|held| held.announced.is_none());
            let farthest = others.map(|held| (far(&held.peer), held.peer)).max_by_key(|(far, _)| *far).ok_or(Full)?;
            return if ours || far(peer) < farthest.0 { Ok(Some((*distance, farthest.1))) } else { Err(Full) };
        }
        if self.total < self.most {
            return Ok(None);
        }
        let mut farthest = self.keys.iter().rev();
        let (at, held) = farthest
            .find_map(|(at, provided)| Some((at, provided.peers.iter().find(|held| held.announced.is_none())?)))
            .ok_or(Full)?;
        if ours || at > distance { Ok(Some((*at, held.peer))) } else { Err(Full) }
    }

    /// Puts a provider in, for which there is room, in place of what was there of it.
    pub(super) fn insert(&mut self, distance: Distance, key: RecordKey, held: Held) {
        self.remove(&distance, &held.peer);
        let count = self.counts.entry(held.peer).or_default();
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
        self.bytes = self.bytes.saturating_add(held.size);
        self.keys.entry(distance).or_insert_with(|| Provided { key, peers: Vec::new() }).peers.push(held);
    }

    pub(super) fn remove(&mut self, distance: &Distance, peer: &PeerId) -> Option<Held> {
        let provided = self.keys.get_mut(distance)?;
        let position = provided.peers.iter().position(|held| held.peer == *peer)?;
        let held = provided.peers.swap_remove(position);
        if provided.peers.is_empty() {
            self.keys.remove(distance);
        }
        if let Some(count) = self.counts.get_mut(peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(peer);
            }
        }
        self.total = self.total.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(held.size);
        Some(held)
    }
}
