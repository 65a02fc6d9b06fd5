//! Blocks that are wanted and have not come, by height.
//!
//! A slot is free, asked of one peer (whoever was asked last), or held while a compact block is rebuilt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use yap_chain::header::tree;

use crate::link::PeerId;
use crate::time::Time;

/// A block by its height.
pub(crate) type Key = (u32, tree::Id);

/// Least wait after which a block that should have come is asked of an idle peer too.
pub(crate) const MARGIN: Duration = Duration::from_millis(100);

/// Least wait after which a block is asked of any other peer.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    Asked { peer: PeerId, at: Time, expected: Time, due: Time },
    Held,
}

/// A block that is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    phase: Phase,
    /// It is of another branch than the one that is fetched.
    side: bool,
    /// Its compact form was of no use.
    whole: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    all: BTreeMap<Key, Slot>,
    free: BTreeSet<Key>,
    due: BTreeSet<(Time, Key)>,
    side: usize,
}

impl Slots {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many are of other branches.
    pub(crate) fn side(&self) -> usize {
        self.side
    }

    pub(crate) fn contains(&self, key: Key) -> bool {
        self.all.contains_key(&key)
    }

    /// The height of the lowest one of the fetched chain.
    pub(crate) fn lowest(&self) -> Option<u32> {
        self.all.iter().find(|(_, slot)| !slot.side).map(|((height, _), _)| *height)
    }

    /// Wants a block, if it is not wanted. A block of a side branch that is fetched now is no side any more.
    pub(crate) fn insert(&mut self, key: Key, side: bool) {
        if let Some(slot) = self.all.get_mut(&key) {
            if slot.side && !side {
                slot.side = false;
                self.side = self.side.saturating_sub(1);
            }
            return;
        }
        self.all.insert(key, Slot { phase: Phase::Free, side, whole: false });
        self.side = self.side.saturating_add(usize::from(side));
        self.free.insert(key);
    }

    pub(crate) fn remove(&mut self, key: Key) {
        let Some(slot) = self.all.remove(&key) else { return };
        self.side = self.side.saturating_sub(usize::from(slot.side));
        self.free.remove(&key);
        if let Phase::Asked { due, .. } = slot.phase {
            self.due.remove(&(due, key));
        }
    }

    /// Keeps those of which `keep` says so, by key and whether it is of a side branch.
    pub(crate) fn retain(&mut self, keep: impl Fn(Key, bool) -> bool) {
        let gone: Vec<_> = self.all.iter().filter(|(key, slot)| !keep(**key, slot.side)).map(|(key, _)| *key).collect();
        for key in gone {
            self.remove(key);
        }
    }

    /// Forgets blocks of side branches below a height.
    pub(crate) fn drop_side_below(&mut self, height: u32) {
        if self.side > 0 {
            self.retain(|(at, _), side| !side || at >= height);
        }
    }

    fn set(&mut self, key: Key, phase: Phase) {
        let Some(slot) = self.all.get_mut(&key) else { return };
        match slot.phase {
            Phase::Free => {
                self.free.remove(&key);
            }
            Phase::Asked { due, .. } => {
                self.due.remove(&(due, key));
            }
            Phase::Held => {}
        }
        slot.phase = phase;
        match phase {
            Phase::Free => {
                self.free.insert(key);
            }
            Phase::Asked { due, .. } => {
                self.due.insert((due, key));
            }
            Phase::Held => {}
        }
    }

    /// It was asked of a peer whose answer is expected within some time.
    pub(crate) fn ask(&mut self, key: Key, peer: PeerId, now: Time, expected: Duration) {
        let due = now.after(expected.saturating_mul(3).saturating_add(GRACE));
        let expected =
            now.after(expected.saturating_add(expected.checked_div(2).unwrap_or_default()).saturating_add(MARGIN));
        self.set(key, Phase::Asked { peer, at: now, expected, due });
    }

    /// It may be asked again, if it was asked of `peer` last, or of anybody.
    pub(crate) fn release(&mut self, key: Key, peer: Option<PeerId>) {
        if let Some(Slot { phase: Phase::Asked { peer: asked, .. }, .. }) = self.all.get(&key)
            && peer.is_none_or(|peer| peer == *asked)
        {
            self.set(key, Phase::Free);
        }
    }

    /// Everything that was asked of a peer, among those that it owes, may be asked again.
    pub(crate) fn release_all(&mut self, peer: PeerId, owed: impl Iterator<Item = tree::Id>) {
        let owed: BTreeSet<_> = owed.collect();
        let keys: Vec<_> = self.all.keys().filter(|(_, id)| owed.contains(id)).copied().collect();
        for key in keys {
            self.release(key, Some(peer));
        }
    }

    /// A compact block came: nobody is asked. Wants the block if it is not wanted.
    pub(crate) fn hold(&mut self, key: Key, main: bool) {
        self.insert(key, !main);
        self.set(key, Phase::Held);
    }

    /// The compact block was given up.
    pub(crate) fn unhold(&mut self, key: Key) {
        if let Some(slot) = self.all.get_mut(&key) {
            slot.whole = true;
            if slot.phase == Phase::Held {
                self.set(key, Phase::Free);
            }
        }
    }

    /// The compact form is of no use.
    pub(crate) fn whole(&mut self, key: Key) {
        if let Some(slot) = self.all.get_mut(&key) {
            slot.whole = true;
        }
    }

    pub(crate) fn is_whole(&self, key: Key) -> bool {
        self.all.get(&key).is_some_and(|slot| slot.whole)
    }

    /// Those that nobody is asked for, from the lowest up, and whether they are of a side branch.
    pub(crate) fn free(&self) -> impl Iterator<Item = (Key, bool)> {
        self.free.iter().map(|key| (*key, self.all.get(key).is_some_and(|slot| slot.side)))
    }

    /// Those that somebody is asked for, from the lowest up, and when they should have come.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (Key, bool, Time)> {
        self.all.iter().filter_map(|(key, slot)| match slot.phase {
            Phase::Asked { expected, .. } => Some((*key, slot.side, expected)),
            Phase::Free | Phase::Held => None,
        })
    }

    /// One that has not come in time: of whom it was asked, and when. It stays as it is but is not told again.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Key, PeerId, Time)> {
        let (at, key) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, key));
        match self.all.get(&key)?.phase {
            Phase::Asked { peer, at, .. } => Some((key, peer, at)),
            Phase::Free | Phase::Held => None,
        }
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn check(&self) {
        let free = self.all.values().filter(|slot| slot.phase == Phase::Free).count();
        assert_eq!(free, self.free.len(), "free slots");
        assert_eq!(self.all.values().filter(|slot| slot.side).count(), self.side, "slots of side branches");
        for (key, slot) in &self.all {
            if let Phase::Asked { due, .. } = slot.phase {
                assert!(self.due.contains(&(due, *key)), "{key:?} has no deadline");
            }
        }
    }
}
