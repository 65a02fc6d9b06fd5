//! Who is let in, and who makes room.

use std::time::Duration;

use crate::address::{Group, Host, Identity, Scope};
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

/// A connection that lasted so long was worth something: its address may be dialled again at once.
const WORTHWHILE: Duration = Duration::from_secs(60);

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
                if link.direction == Direction::Outbound {
                    // The place that was kept for it is free again.
                    let gone = Peer::new(link, super::score::Score::default(), now);
                    self.vacate(&gone, false, now);
                }
                return Verdict::Refuse(reason);
            }
        };
        if let Some((other, _)) = instead
            && let Some(other) = self.peers.get_mut(&other)
        {
            other.stage = Stage::Parting;
        }
        let targets = super::ban::Target::of(&link.address, link.identity);
        let mut state = Peer::new(link, self.grudges.take(&targets, now), now);
        state.stage = stage;
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
            let other = double.ok_or(Reason::Duplicate)?;
            if link.direction == Direction::Outbound {
                self.judge_outbound(link)?;
            }
            return Ok((Some((other, Reason::Duplicate)), Stage::Greeting));
        }
        match link.direction {
            Direction::Outbound => self.judge_outbound(link),
            Direction::Inbound if unconditional => Ok((None, Stage::Greeting)),
            Direction::Inbound => self.judge_inbound(link),
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

    fn judge_inbound(&self, link: &Link) -> Result<(Option<(PeerId, Reason)>, Stage), Reason> {
        let seated = || self.peers.values().filter(|peer| peer.is_inbound() && peer.is_seated() && !peer.unconditional);
        let group = link.address.endpoint.source_group();
        // On a LAN or one machine there are no strangers to keep apart.
        let public = link.address.scope() == Some(Scope::Public);
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

    /// Another connection with the same peer: `Some(None)` if that one stays, `Some(other)` if it gives way.
    ///
    /// Of two that were dialled from both ends, both ends keep the one that the smaller key dialled. Of two that were
    /// dialled from the other end, the newer stays, since whoever dials again has lost the older; of our own the older.
    fn double(&self, link: &Link, identity: Option<Identity>) -> Option<Option<PeerId>> {
        let outbound = |direction| direction == Direction::Outbound;
        let (id, other) = self.peers.iter().find(|(_, other)| {
            let same_key = identity.is_some() && other.identity == identity;
            let same_place = outbound(link.direction) && !other.is_inbound() && other.address == link.address;
            (same_key || same_place) && other.is_seated()
        })?;
        let newer_stays = if other.direction == link.direction {
            !outbound(link.direction)
        } else {
            match (self.config.identity, identity) {
                (Some(ours), Some(theirs)) => (ours < theirs) == outbound(link.direction),
                _ => false,
            }
        };
        Some(newer_stays.then_some(*id))
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
        match state.stage {
            Stage::Ready | Stage::Parting => return out,
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
            Some(Purpose::Full | Purpose::Manual) => {
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
