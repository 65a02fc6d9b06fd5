//! A map that forgets what was not touched for long, so that strangers can't fill it.
//!
//! Two generations: what is touched moves into the young one, and when that has half of the entries that there may be, it
//! becomes the old one, and the old one goes. Every step takes constant time, and whatever was touched since half as many
//! others came is still there.

use std::collections::HashMap;
use std::hash::Hash;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// An empty one for at most `most` entries, which is 2 or more.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (most / 2).max(1) }
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len().saturating_add(self.old.len())
    }

    /// Whether it is there. This does not touch it.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// What is there for `key`, or was made now.
    pub(crate) fn touch(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let mut kept = None;
        if !self.young.contains_key(&key) {
            kept = self.old.remove(&key);
            if self.young.len() >= self.half {
                self.age();
            }
        }
        self.young.entry(key).or_insert_with(|| kept.unwrap_or_else(make))
    }

    /// Forgets what was not touched since it aged last.
    pub(crate) fn age(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_no_more_entries_than_it_may() {
        let mut recent = Recent::new(8);
        for key in 0..1_000 {
            recent.touch(key, || ());
            assert!(recent.len() <= 8);
        }
        assert!((996..1_000).all(|key| recent.contains(&key)));
        assert!(!recent.contains(&991));
    }

    #[test]
    fn what_is_touched_stays_as_it_was() {
        let mut recent = Recent::new(8);
        *recent.touch(1_000, || 0) = 7;
        for key in 0..500 {
            recent.touch(key, || 0);
            assert_eq!(*recent.touch(1_000, || 0), 7);
        }
    }

    #[test]
    fn what_was_not_touched_between_two_agings_is_gone() {
        let mut recent = Recent::new(8);
        recent.touch('a', || ());
        recent.touch('b', || ());
        recent.age();
        recent.touch('a', || ());
        recent.age();
        assert!(recent.contains(&'a') && !recent.contains(&'b'));
        recent.age();
        assert_eq!(recent.len(), 0);
    }
}
