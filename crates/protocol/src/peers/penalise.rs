//! What faults lead to: points, the end of the connection, a ban.

use crate::link::{PeerId, Purpose};
use crate::penalty::{Penalty, Reason};
use crate::time::{Time, Timestamp};

use super::State;
use super::ban::{Ban, Target};
use super::outcome::Outcome;
use super::timers::Timer;

impl State {
    /// A peer broke a rule of any machine's. Peers that the user named, or that are let in always, are parted from at
    /// most, and the latter not for their score.
    pub fn fault(&mut self, peer: PeerId, penalty: Penalty, now: Time) -> Vec<Outcome> {
        let Some(state) = self.peers.get_mut(&peer) else { return Vec::new() };
        let spared = state.manual || state.unconditional || state.purpose == Some(Purpose::Manual);
        let ban = match penalty {
            Penalty::Score(points) => {
                if !state.score.add(points, now) || state.unconditional {
                    return Vec::new();
                }
                true
            }
            Penalty::Disconnect => false,
            Penalty::Ban => true,
        };
        let mut out = Vec::new();
        let targets = state.targets();
        self.part(peer, Reason::Misbehaved, &mut out);
        if ban && !spared {
            let until = self.wall(now).after(self.config.ban);
            for target in targets {
                self.insert_ban(target, until, now);
            }
        }
        self.finish(out, now)
    }

    fn insert_ban(&mut self, target: Target, until: Timestamp, now: Time) {
        if let Some(gone) = self.bans.ban(target.clone(), Ban { since: self.wall(now), until }) {
            self.changes.bans.insert(gone, None);
        }
        let ban = self.bans.of(&target);
        self.changes.bans.insert(target, ban);
    }

    /// Bans someone for the user, and parts from whoever that is.
    pub fn ban(&mut self, target: Target, until: Timestamp, now: Time) -> Vec<Outcome> {
        let target = match target {
            Target::Host(host) => Target::host(host),
            Target::Identity(_) => target,
        };
        let theirs = |address: &_, identity: Option<_>| match &target {
            Target::Identity(key) => identity == Some(*key),
            Target::Host(_) => Target::hosted(address) == Some(target.clone()),
        };
        let banned: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| theirs(&peer.address, peer.identity) && !peer.unconditional && !peer.manual)
            .map(|(id, _)| *id)
            .collect();
        self.insert_ban(target, until, now);
        let mut out = Vec::new();
        for peer in banned {
            self.part(peer, Reason::Banned, &mut out);
        }
        self.finish(out, now)
    }

    /// Lifts a ban. `None` if there was none.
    pub fn unban(&mut self, target: &Target, now: Time) -> Option<Vec<Outcome>> {
        if !self.bans.lift(target) {
            return None;
        }
        self.changes.bans.insert(target.clone(), None);
        // Whoever was banned may be the one that is missing.
        self.timers.at_latest(Timer::Refill, now);
        Some(self.finish(Vec::new(), now))
    }
}
