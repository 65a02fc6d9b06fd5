//! Peers that are gone, perhaps: a connection ends because it was idle, or because its peer has died. After a moment
//! the peer is dialled; if that fails, it is taken to be dead.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

use super::Kad;
use super::task::later;
use super::upkeep::settle;
use crate::config;

/// Most peers that are missed at one time. Any more are noticed when they are needed.
const MAX_MISSED: usize = 256;

/// How long a peer that was dialled is not dialled again for this: one that lets its connections go when they are idle
/// would have us connect for ever.
const PAUSE: Duration = Duration::from_secs(600);

/// Peers that are gone, perhaps.
#[derive(Debug)]
pub(super) struct Absent {
    /// When each is dialled.
    missed: BTreeMap<PeerId, Instant>,
    /// When each was dialled.
    dialled: BTreeMap<PeerId, Instant>,
    settle: Duration,
}

impl Absent {
    pub(super) fn new(config: &config::Records) -> Self {
        Self { missed: BTreeMap::new(), dialled: BTreeMap::new(), settle: settle(config) }
    }

    pub(super) fn lost(&mut self, peer: PeerId, now: Instant) {
        if self.missed.len() < MAX_MISSED || self.missed.contains_key(&peer) {
            let again = self.dialled.get(&peer).map(|dialled| later(*dialled, PAUSE));
            self.missed.insert(peer, again.unwrap_or(now).max(later(now, self.settle)));
        }
    }

    pub(super) fn came(&mut self, peer: &PeerId) {
        self.missed.remove(peer);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.missed.values().min().copied()
    }

    pub(super) fn deadline(&mut self, kad: &mut Kad, now: Instant) {
        self.dialled.retain(|_, dialled| later(*dialled, PAUSE) > now);
        let due: Vec<PeerId> = self.missed.iter().filter(|(_, due)| **due <= now).map(|(peer, _)| *peer).collect();
        for peer in due {
            self.missed.remove(&peer);
            // One that is not in the routing table holds nothing.
            if kad.addresses(&peer).is_some() && !kad.is_connected(&peer) {
                kad.probe(peer);
                if self.dialled.len() < MAX_MISSED {
                    self.dialled.insert(peer, now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_missed_than_the_bound() {
        let (mut absent, now) = (Absent::new(&config::Records::default()), Instant::now());
        for _ in 0..=MAX_MISSED {
            absent.lost(PeerId::random(), now);
        }
        assert_eq!(absent.missed.len(), MAX_MISSED);
        let (peer, _) = absent.missed.pop_first().unwrap();
        absent.lost(peer, now);
        assert!(absent.missed.contains_key(&peer));
    }

    #[test]
    fn a_peer_that_comes_back_is_not_missed() {
        let (mut absent, now, peer) = (Absent::new(&config::Records::default()), Instant::now(), PeerId::random());
        absent.lost(peer, now);
        assert!(absent.next_deadline().is_some_and(|deadline| deadline > now));
        absent.came(&peer);
        assert_eq!(absent.next_deadline(), None);
    }

    #[test]
    fn a_peer_that_was_dialled_is_left_alone_for_a_while() {
        let (mut absent, now, peer) = (Absent::new(&config::Records::default()), Instant::now(), PeerId::random());
        absent.dialled.insert(peer, now);
        absent.lost(peer, now);
        assert_eq!(absent.next_deadline(), Some(now + PAUSE));
    }
}
