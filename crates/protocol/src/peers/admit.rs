//! Who is let in, and who makes room.

use std::time::Duration;

use crate::address::{Address, Group, Host, Identity, Scope};
use crate::link::{Direction, Link, PeerId, Purpose};
use crate::message::Services;
use crate::penalty::Reason;
use crate::time::Time;

use super::State;
use super::eviction::{self, Candidate};
use super::outcome::{Facts, Outcome, Useful, Verdict};
use super::session::{Peer, Stage};
use super::timers::Timer;

/// Inbound peers beyond the limit that get as far as being told of others (G3).
pub(super) const OVERFLOW: usize = 8;

/// Connections that wait for the place of another one with the same peer, at most: one for each peer, and these in all.
pub(super) const RIVALS: usize = 32;

/// A connection that lasted so long was worth something: its address may be dialled again at once.
const WORTHWHILE: Duration = Duration::from_secs(60);

/// What becomes of a new connection with a peer that is connected already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Double {
    /// The older stays.
    Refused,
    /// The newer takes its place once its handshake is done.
    Waits,
    /// The newer takes its place.
    Replaces(PeerId),
}

impl State {
    /// A connection is open. If it is refused, nothing is remembered of it.
    pub fn connected(&mut self, peer: PeerId, link: &Link, now: Time) -> Verdict {
        if link.direction == Direction::Outbound {
            self.dial_done(&link.address);
        }
        let verdict = self.judge(link, now);
        let (instead, stage) = match verdict {
            Ok(seat) => seat,
            Err(reason) => {
                if reason == Reason::Myself {
                    self.book.forget(&link.address);
                }
                if link.direction == Direction::Outbound {
                    // The place that was kept for it is free again.
                    let gone = Peer::new(link, super::score::Score::default(), now);
                    self.vacate(&gone, false, now);
                }
                return Verdict::Refuse(reason);
            }
        };
        let mut stays = false;
        if let Some((other, _)) = instead
            && let Some(other) = self.peers.get_mut(&other)
        {
            other.stage = Stage::Parting;
            stays = other.is_lasting();
        }
        let targets = super::ban::Target::of(&link.address, link.identity);
        let mut state = Peer::new(link, self.grudges.take(&targets, now), now);
        state.stage = stage;
        if stays && !state.is_lasting() {
            // Both ends keep this one, so the visit becomes a stay: else they would lose each other.
            state.purpose = None;
        }
        state.unconditional = Self::is_listed(&self.config.unconditional, &link.address, link.identity);
        state.manual |= self.is_manual(&state);
        self.peers.insert(peer, state);
        Verdict::Welcome { instead }
    }

    /// What a new connection gets, and in whose place; or why it gets nothing.
    fn judge(&self, link: &Link, now: Time) -> Result<(Option<(PeerId, Reason)>, Stage), Reason> {
        let identity = link.identity.or(link.address.identity);
        if identity.is_some() && identity == self.config.identity {
            return Err(Reason::Myself);
        }
        let unconditional = Self::is_listed(&self.config.unconditional, &link.address, identity);
        let targets = super::ban::Target::matching(&link.address, identity);
        let named = link.purpose == Some(Purpose::Manual);
        if !unconditional && !named && self.bans.any(&targets, self.wall(now)) {
            return Err(Reason::Banned);
        }
        if let Some(double) = self.double(link, identity) {
            return match double {
                Double::Refused => Err(Reason::Duplicate),
                Double::Waits => self.judge_rival(identity),
                Double::Replaces(other) => {
                    if link.direction == Direction::Outbound {
                        self.judge_outbound(link)?;
                    }
                    Ok((Some((other, Reason::Duplicate)), Stage::Greeting))
                }
            };
        }
        match link.direction {
            Direction::Outbound => self.judge_outbound(link),
            Direction::Inbound if unconditional => Ok((None, Stage::Greeting)),
            Direction::Inbound => self.judge_inbound(&link.address),
        }
    }

    fn judge_outbound(&self, link: &Link) -> Result<(Option<(PeerId, Reason)>, Stage), Reason> {
        let places = match link.purpose {
            Some(Purpose::Full) => self.config.full,
            Some(Purpose::BlockOnly) => self.config.block_only,
            Some(Purpose::Feeler | Purpose::Seed | Purpose::Manual) | None => usize::MAX,
        };
        let named = self.is_manual(&Peer::new(link, super::score::Score::default(), Time::ZERO));
        let seated = link.purpose.map_or(0, |purpose| self.seated(purpose));
        // A dial that had been given up may still come through.
        if seated >= places && !named { Err(Reason::Done) } else { Ok((None, Stage::Greeting)) }
    }

    /// Whoever dials once more may do so until its bound: what was lost is soon noticed, and that frees the place too.
    fn judge_rival(&self, identity: Option<Identity>) -> Result<(Option<(PeerId, Reason)>, Stage), Reason> {
        let rivals = || self.peers.values().filter(|peer| peer.stage == Stage::Rival);
        let another = rivals().any(|peer| peer.identity == identity);
        if another || rivals().count() >= RIVALS { Err(Reason::Duplicate) } else { Ok((None, Stage::Rival)) }
    }

    fn judge_inbound(&self, address: &Address) -> Result<(Option<(PeerId, Reason)>, Stage), Reason> {
        let seated = || self.peers.values().filter(|peer| peer.is_inbound() && peer.is_seated() && !peer.unconditional);
        let group = address.endpoint.source_group();
        // On a LAN or one machine there are no strangers to keep apart.
        let public = address.scope() == Some(Scope::Public);
        let crowded = public && seated().filter(|peer| peer.group() == group).count() >= self.config.inbound_per_group;
        if !crowded && seated().count() < self.config.inbound {
            return Ok((None, Stage::Greeting));
        }
        if let Some(evicted) = eviction::choose(self.candidates(), crowded.then_some(group)) {
            return Ok((Some((evicted, Reason::Evicted)), Stage::Greeting));
        }
        let waiting = self.peers.values().filter(|peer| peer.stage == Stage::Overflow).count();
        if waiting < OVERFLOW { Ok((None, Stage::Overflow)) } else { Err(Reason::Full) }
    }

    /// What becomes of a new connection that has a double; `None` if it has none.
    ///
    /// Of two that were dialled from both ends, both ends keep the one that the smaller key dialled. Of two that one end
    /// dialled, that end decides: it alone knows whether it has lost the older. If not, it closes the newer without a
    /// word, so to the other end the newer counts only once its handshake is done, in whatever order it saw the two.
    fn double(&self, link: &Link, identity: Option<Identity>) -> Option<Double> {
        let outbound = |direction| direction == Direction::Outbound;
        let (id, other) = self.peers.iter().find(|(_, other)| {
            let same_key = identity.is_some() && other.identity == identity;
            let same_place = outbound(link.direction) && !other.is_inbound() && other.address == link.address;
            (same_key || same_place) && other.is_seated()
        })?;
        Some(if other.direction == link.direction {
            if outbound(link.direction) { Double::Refused } else { Double::Waits }
        } else {
            let newer_stays = self.is_by_smaller(link.direction, identity);
            if newer_stays { Double::Replaces(*id) } else { Double::Refused }
        })
    }

    /// Whether the smaller of both keys dialled; not, if one is unknown.
    fn is_by_smaller(&self, direction: Direction, theirs: Option<Identity>) -> bool {
        match (self.config.identity, theirs) {
            (Some(ours), Some(theirs)) => (ours < theirs) == (direction == Direction::Outbound),
            _ => false,
        }
    }

    /// The handshake of a rival is done: it takes the place of its double, or what room there is if that one is gone.
    /// Gives its stage, and who makes way for it.
    fn promote(&self, peer: &Peer) -> (Stage, Option<(PeerId, Reason)>) {
        let same = |other: &&Peer| other.identity == peer.identity && other.is_seated();
        let double = self.peers.iter().find(|(_, other)| same(other));
        match double {
            // Meanwhile we dialled it too.
            Some((_, other)) if !other.is_inbound() && self.is_by_smaller(other.direction, other.identity) => {
                (Stage::Rival, None)
            }
            Some((id, _)) => (Stage::Greeting, Some((*id, Reason::Duplicate))),
            None if peer.unconditional => (Stage::Greeting, None),
            None => match self.judge_inbound(&peer.address) {
                Ok((instead, stage)) => (stage, instead),
                Err(_) => (Stage::Overflow, None),
            },
        }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let may_go = |peer: &&Peer| peer.is_inbound() && peer.is_seated() && !peer.unconditional && !peer.manual;
        let inbound = self.peers.iter().filter(|(_, peer)| may_go(peer));
        inbound.map(|(id, peer)| self.candidate(*id, peer)).collect()
    }

    fn candidate(&self, id: PeerId, peer: &Peer) -> Candidate {
        let group: Group = peer.group();
        let network = match peer.address.endpoint.host() {
            Some(Host::Tor(_)) => Some(0),
            Some(Host::I2p(_)) => Some(1),
            Some(Host::Cjdns(_)) => Some(2),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => None,
        };
        let local = (peer.address.scope() == Some(Scope::Loopback)).then_some(3);
        Candidate {
            peer: id,
            since: peer.since,
            latency: peer.latency,
            last_block: peer.last_block,
            last_transaction: peer.last_transaction,
            relay: peer.facts.is_some_and(|facts| facts.relay),
            serves: peer.facts.is_some_and(|facts| facts.services.contains(Services::NETWORK)),
            keyed: self.book.key().hash(7, &[group.number()], None),
            group,
            slow: network.or(local),
        }
    }

    /// The handshake is done.
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        let wall = self.wall(now);
        let Some(state) = self.peers.get_mut(&peer) else { return out };
        state.facts = Some(facts);
        state.latency = Some(state.latency.map_or(facts.latency, |latency| latency.min(facts.latency)));
        if state.stage == Stage::Rival {
            let rival = state.clone();
            let (stage, instead) = self.promote(&rival);
            if let Some((other, why)) = instead {
                self.part(other, why, &mut out);
            }
            if let Some(state) = self.peers.get_mut(&peer) {
                state.stage = stage;
            }
        }
        let Some(state) = self.peers.get_mut(&peer) else { return out };
        match state.stage {
            Stage::Ready | Stage::Parting => return out,
            Stage::Rival => {
                self.part(peer, Reason::Duplicate, &mut out);
                return self.finish(out, now);
            }
            Stage::Overflow => {
                self.tell_of_others(peer, now, &mut out);
                self.part(peer, Reason::Full, &mut out);
                return self.finish(out, now);
            }
            Stage::Greeting => state.stage = Stage::Ready,
        }
        let address = state.address.clone();
        match state.purpose {
            Some(Purpose::Feeler) => {
                self.book.succeed(&address, facts.services, wall);
                self.part(peer, Reason::Done, &mut out);
            }
            Some(Purpose::Seed) => {
                // A seed may be a peer like any other.
                let source = (address.group(), Duration::ZERO);
                self.hear_of(&address, facts.services, wall, source, now);
                self.book.succeed(&address, facts.services, wall);
                self.begin_talk(peer, now, &mut out);
            }
            Some(purpose @ (Purpose::Full | Purpose::Manual)) => {
                if purpose == Purpose::Manual {
                    // The user knew of it, and so does the next start, when he may not name it again.
                    let source = (address.group(), Duration::ZERO);
                    self.hear_of(&address, facts.services, wall, source, now);
                }
                self.book.succeed(&address, facts.services, wall);
                self.found_peers();
                self.begin_talk(peer, now, &mut out);
            }
            // No word about addresses is said: that is what makes it hard to find.
            Some(Purpose::BlockOnly) => self.book.succeed(&address, facts.services, wall),
            None => self.begin_talk(peer, now, &mut out),
        }
        self.finish(out, now)
    }

    /// A connection is gone, whoever closed it.
    pub fn disconnected(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        let Some(gone) = self.peers.remove(&peer) else { return Vec::new() };
        for timer in [Timer::Tell(peer), Timer::Advertise(peer), Timer::Seed(peer)] {
            self.timers.clear(&timer);
        }
        self.grudges.keep(gone.targets(), gone.score, now);
        let lasted = gone.facts.is_some() && now.since(gone.since) >= WORTHWHILE;
        if !gone.is_inbound() && lasted {
            self.book.rested(&gone.address);
            if gone.purpose == Some(Purpose::Full) {
                self.book.seen(&gone.address, self.wall(now));
            }
        }
        if !gone.is_inbound() || gone.manual {
            self.vacate(&gone, lasted, now);
        }
        self.finish(Vec::new(), now)
    }

    /// A peer helped us.
    pub fn useful(&mut self, peer: PeerId, useful: Useful, now: Time) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.help(useful, now);
        }
    }

    /// A peer answered within `latency`. The least counts.
    pub fn latency(&mut self, peer: PeerId, latency: Duration) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.latency = Some(peer.latency.map_or(latency, |least| least.min(latency)));
        }
    }
}
