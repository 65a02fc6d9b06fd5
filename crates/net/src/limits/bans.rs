//! Who is refused, and until when.

use std::collections::HashMap;

use libp2p::PeerId;
use tokio::time::Instant;

use super::Ban;
use super::origin::Host;

/// Bans at one time. Beyond it, the one that would end first ends at once.
pub(super) const MOST: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Peer(PeerId),
    Host(Host),
}

impl From<Ban> for Who {
    fn from(ban: Ban) -> Self {
        match ban {
            Ban::Peer(peer) => Self::Peer(peer),
            Ban::Host(ip) => Self::Host(Host::new(ip)),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bans {
    until: HashMap<Who, Instant>,
}

impl Bans {
    /// Refuses whoever it is until then; a ban that lasts longer already stays.
    pub(super) fn insert(&mut self, who: Ban, until: Instant, now: Instant) {
        let who = Who::from(who);
        if !self.until.contains_key(&who) && self.until.len() >= MOST {
            self.until.retain(|_, until| *until > now);
            while self.until.len() >= MOST
                && let Some(first) = self.until.iter().min_by_key(|(_, until)| **until).map(|(who, _)| *who)
            {
                self.until.remove(&first);
            }
        }
        let end = self.until.entry(who).or_insert(until);
        *end = until.max(*end);
    }

    /// Ends a ban at once.
    pub(super) fn lift(&mut self, who: Ban) {
        self.until.remove(&Who::from(who));
    }

    pub(super) fn has_peer(&self, peer: &PeerId, now: Instant) -> bool {
        self.has(Who::Peer(*peer), now)
    }

    pub(super) fn has_host(&self, host: Host, now: Instant) -> bool {
        self.has(Who::Host(host), now)
    }

    fn has(&self, who: Who, now: Instant) -> bool {
        self.until.get(&who).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0b00_0000 + number).into()
    }

    #[test]
    fn a_ban_ends_when_it_was_said_to() {
        let now = Instant::now();
        let end = now + Duration::from_secs(9);
        let peer = PeerId::random();
        let mut bans = Bans::default();
        bans.insert(Ban::Peer(peer), end, now);
        bans.insert(Ban::Peer(peer), now + Duration::from_secs(1), now);
        assert!(bans.has_peer(&peer, end - Duration::from_nanos(1)));
        assert!(!bans.has_peer(&peer, end));
        assert!(!bans.has_peer(&PeerId::random(), now));
        bans.lift(Ban::Peer(peer));
        assert!(!bans.has_peer(&peer, now), "or when it is lifted");
    }

    #[test]
    fn one_ban_too_many_ends_the_shortest() {
        let now = Instant::now();
        let mut bans = Bans::default();
        for number in 0..1_024_u32 {
            bans.insert(Ban::Host(ip(number)), now + Duration::from_secs(60 + u64::from(number)), now);
        }
        assert_eq!(bans.until.len(), MOST);
        assert!(bans.has_host(Host::new(ip(0)), now));
        bans.insert(Ban::Host(ip(5_000)), now + Duration::from_secs(1_000_000), now);
        assert_eq!(bans.until.len(), MOST);
        assert!(!bans.has_host(Host::new(ip(0)), now));
        assert!(bans.has_host(Host::new(ip(1)), now) && bans.has_host(Host::new(ip(5_000)), now));
    }
}
