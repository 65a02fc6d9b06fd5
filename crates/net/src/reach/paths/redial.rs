//! Peers that are dialled again after this machine changed networks.
//!
//! The first time at once; but where an address is gone there may be no other yet, or no route from it. So it is tried
//! a few times, and from the first again when a new address comes.

use std::time::Duration;

use libp2p::PeerId;
use yap_protocol::Time;

/// Peers that are dialled again at one time. Of more, those that are known of otherwise come back as any peer does.
pub(crate) const MAX: usize = 128;

/// How long after each attempt the next follows, as long as the peer is not connected.
pub(crate) const WAITS: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

#[derive(Clone, Copy, Debug)]
struct Redial {
    peer: PeerId,
    tried: usize,
    at: Time,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Redials(Vec<Redial>);

impl Redials {
    /// To be dialled at once.
    pub(super) fn add(&mut self, now: Time, peer: PeerId) {
        self.done(&peer);
        if self.0.len() < MAX {
            self.0.push(Redial { peer, tried: 0, at: now });
        }
    }

    /// The peer is connected.
    pub(super) fn done(&mut self, peer: &PeerId) {
        self.0.retain(|redial| redial.peer != *peer);
    }

    /// There is a new address to dial from.
    pub(super) fn hurry(&mut self, now: Time) {
        for redial in &mut self.0 {
            redial.tried = 0;
            redial.at = now;
        }
    }

    /// Those to be dialled now.
    pub(super) fn due(&mut self, now: Time) -> Vec<PeerId> {
        let mut due = Vec::new();
        self.0.retain_mut(|redial| {
            if redial.at > now {
                return true;
            }
            due.push(redial.peer);
            let wait = WAITS.get(redial.tried);
            redial.tried = redial.tried.saturating_add(1);
            wait.is_some_and(|wait| {
                redial.at = now.after(*wait);
                true
            })
        });
        due
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.0.iter().map(|redial| redial.at).min()
    }
}
