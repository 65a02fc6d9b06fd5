//! What we know of our own reachability, and what follows from it.
//!
//! Facts change the tables ([`Peers`], [`Evidence`], [`Relays`], the addresses of this machine); then what follows from
//! the tables is compared with what was asked for last, and the difference is asked for. So nothing is asked for twice,
//! and modes always fit what is known.
//!
//! ```text
//!            a public address is confirmed
//! Unknown ───────────────────────────────▶ Public     serves the DHT, relays, reserves nothing
//!    │  ▲                                   │  ▲
//!    │  │ this machine loses an address      │  │ confirmed after all
//!    │  └────────────────────────────────────┤  │
//!    └──────────────────────────────────▶ Private    asks the DHT only, reserves with two relays
//!      tests failed, or seen elsewhere and nothing for it in 30 s
//! ```
//!
//! Reservations are asked for as soon as peers see us at an address that is not ours, and given up when it turns out
//! that we are public. A node that has no peer outside of its own network serves the DHT there whatever it is elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};
use yap_protocol::Time;
use yap_protocol::address::Scope;

use super::interfaces::{Addresses, Change};
use super::{Action, Advertised, Fact, place};
use crate::status::Reach;

mod evidence;
mod learn;
mod peers;
mod relays;
#[cfg(test)]
mod tests;
mod told;

use evidence::{Evidence, PATIENCE, Source};
use peers::Peers;
use relays::Relays;

/// How long a router that forwards ports may take to answer before relays are asked.
pub(crate) const GATEWAY: Duration = Duration::from_secs(3);

/// How long after this machine's addresses changed a router is looked for: routes come after addresses.
pub(crate) const SETTLE: Duration = Duration::from_secs(1);

/// How long after the last search a router is looked for again, the first time; twice as long each further time.
pub(crate) const FIRST_SEARCH: Duration = Duration::from_secs(30);

/// How long at most.
pub(crate) const LONGEST_SEARCH: Duration = Duration::from_secs(60 * 60);

/// How long a node behind NAT that has no peer outside any more waits before it serves the DHT of its own network.
pub(crate) const ALONE: Duration = Duration::from_secs(60);

/// Addresses on which we listen that are kept in mind, circuits aside.
pub(crate) const MAX_LISTENING: usize = 128;

/// External addresses of the swarm that are kept in mind. The swarm's behaviours keep 20.
pub(crate) const MAX_EXTERNAL: usize = 64;

/// Relays through which a peer is looked for at one time.
pub(crate) const MAX_CIRCUITS: usize = 8;

/// What does not change while we run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where the user says that we are reached (`Listen::external`).
    pub(crate) external: Vec<Multiaddr>,
    /// Whether the router is asked to forward our port.
    pub(crate) upnp: bool,
    /// Whether we relay for others while we are publicly reachable.
    pub(crate) relay: bool,
}

/// Whether a router forwards ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gateway {
    /// Asked; since when.
    Asked(Time),
    /// It does.
    Found,
    /// There is none; when to look again, and how often that was done.
    Missing { again: Time, times: u32 },
    /// The user does not want it.
    Off,
}

/// What was asked for last.
#[derive(Clone, Debug, Default)]
struct Asked {
    dht: Option<bool>,
    relay: Option<bool>,
    reach: Reach,
    advertised: Advertised,
}

/// What we know of our own reachability.
#[derive(Debug)]
pub(crate) struct State {
    options: Options,
    /// This machine's addresses.
    own: Addresses,
    /// Where we listen, circuits aside, and how many listeners say so.
    listening: BTreeMap<Multiaddr, u32>,
    /// What the swarm holds for external, circuits among them, as far as it told or was told.
    external: Vec<Multiaddr>,
    peers: Peers,
    evidence: Evidence,
    relays: Relays,
    gateway: Gateway,
    /// When to look for a router anew.
    search: Option<Time>,
    /// Since when peers see us at an address that is not ours.
    translated: Option<Time>,
    /// Since when there is no peer outside.
    alone: Option<Time>,
    start: Time,
    /// The last input.
    now: Time,
    asked: Asked,
    actions: VecDeque<Action>,
}

impl State {
    /// A node that listens nowhere and knows nobody.
    pub(crate) fn new(options: Options, now: Time) -> Self {
        let gateway = if options.upnp { Gateway::Asked(now) } else { Gateway::Off };
        let mut state = Self {
            own: Addresses::default(),
            listening: BTreeMap::new(),
            external: Vec::new(),
            peers: Peers::default(),
            evidence: Evidence::default(),
            relays: Relays::default(),
            gateway,
            translated: None,
            search: None,
            alone: None,
            start: now,
            now,
            asked: Asked::default(),
            actions: VecDeque::new(),
            options,
        };
        for address in state.options.external.clone() {
            let address = place::bare(&address);
            state.confirm(&address, Source::Configured, true);
        }
        state.settle();
        state
    }

    /// Something happened.
    pub(crate) fn handle(&mut self, now: Time, fact: Fact) {
        self.now = now;
        self.learn(fact);
        self.settle();
    }

    /// What became of [`Action::Reserve`]: the listener that stands for the reservation, or `None` if the transport
    /// refused the address.
    pub(crate) fn reserving(&mut self, now: Time, relay: PeerId, listener: Option<ListenerId>) {
        self.now = now;
        match listener {
            Some(listener) => self.relays.listening(&relay, listener),
            None => self.relays.failed(now, &relay),
        }
        self.settle();
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Time has passed.
    pub(crate) fn deadline(&mut self, now: Time) {
        self.now = now;
        for late in self.relays.expire(now) {
            self.release(late.relay, late.listener);
        }
        if let Gateway::Missing { again, times } = self.gateway
            && again <= now
        {
            self.gateway = Gateway::Missing { again: now.after(search_wait(times)), times: times.saturating_add(1) };
            if self.wants_relays() {
                self.actions.push_back(Action::SearchGateway);
            }
        }
        if self.search.is_some_and(|time| time <= now) {
            self.search = None;
            self.gateway = Gateway::Asked(now);
            self.actions.push_back(Action::SearchGateway);
        }
        self.settle();
    }

    /// When [`deadline`](Self::deadline) is to be called.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let wants = self.wants_relays();
        let patience = self.translated.map(|since| since.after(PATIENCE));
        let answer = match self.gateway {
            Gateway::Asked(since) => self.translated.map(|_| since.after(GATEWAY)),
            Gateway::Missing { .. } | Gateway::Found | Gateway::Off => None,
        };
        let alone = self.alone.map(|since| since.after(ALONE));
        let later = [patience, answer, alone].into_iter().flatten().filter(|time| *time > self.now);
        let again = match self.gateway {
            Gateway::Missing { again, .. } => wants.then_some(again),
            Gateway::Asked(_) | Gateway::Found | Gateway::Off => None,
        };
        later.chain(again).chain(self.search).chain(self.relays.next_deadline(self.now, wants)).min()
    }

    /// How we are reached.
    pub(crate) fn reach(&self) -> Reach {
        self.asked.reach.clone()
    }

    /// Where a peer is that one of the relays that are connected relays for: an address through each, without the peer, at
    /// most [`MAX_CIRCUITS`]. A relay refuses at once if it does not.
    pub(crate) fn circuits(&self) -> Vec<Multiaddr> {
        self.known_relays().into_iter().take(MAX_CIRCUITS).map(peers::Relay::circuit).collect()
    }

    /// Those that are connected and lead further than to our own link.
    fn known_relays(&self) -> Vec<peers::Relay> {
        let near = |ip: IpAddr| self.own.iter().any(|own| place::is_near(own, ip));
        self.peers.relays(self.evidence.is_seen_publicly(), near)
    }

    fn confirm(&mut self, address: &Multiaddr, source: Source, far: bool) {
        self.evidence.confirm(self.now, address, source, far);
        let is_kept = self.evidence.has(address);
        if is_kept && !self.external.contains(address) && self.note_external(address) {
            self.actions.push_back(Action::AddExternal(address.clone()));
        }
    }

    /// Notes that the swarm has an external address. Returns whether there was room.
    fn note_external(&mut self, address: &Multiaddr) -> bool {
        let has_room = self.external.len() < MAX_EXTERNAL;
        if has_room && !self.external.contains(address) {
            self.external.push(address.clone());
        }
        has_room
    }

    fn remove_external(&mut self, address: &Multiaddr) {
        if let Some(place) = self.external.iter().position(|known| known == address) {
            self.external.swap_remove(place);
            self.actions.push_back(Action::RemoveExternal(address.clone()));
        }
    }

    fn is_public(&self) -> bool {
        self.evidence.confirmed(Scope::Public).next().is_some()
    }

    /// Whether we are held for unreachable from elsewhere.
    fn is_private(&self) -> bool {
        let waited = self.translated.is_some_and(|since| self.now.since(since) >= PATIENCE);
        !self.is_public() && (waited || self.evidence.is_refuted(self.translated.is_some()))
    }

    fn wants_relays(&self) -> bool {
        !self.is_public() && (self.translated.is_some() || self.is_private())
    }

    fn serves_dht(&self) -> bool {
        let alone = self.alone.is_some_and(|since| self.now.since(since) >= ALONE);
        self.is_public() || !self.is_private() || alone
    }

    fn serves_relay(&self) -> bool {
        // In a network without public addresses, whoever is reached from another link can join the two.
        let is_enclosed = !self.evidence.is_seen_publicly() && !self.peers.any_public();
        let joins = is_enclosed && self.evidence.confirmed(Scope::Private).any(|known| known.far);
        self.options.relay && (self.is_public() || joins)
    }

    /// Asks for what has changed.
    fn settle(&mut self) {
        let own = &self.own;
        let near = |ip: IpAddr| own.iter().any(|own| place::is_near(own, ip));
        let is_alone = !self.peers.any_outside(near);
        self.alone = is_alone.then(|| self.alone.unwrap_or(self.now));
        let is_translated = self.evidence.is_translated(|ip| own.has(ip));
        self.translated = is_translated.then(|| self.translated.unwrap_or(self.now));
        self.settle_relays();
        let (dht, relay) = (self.serves_dht(), self.serves_relay());
        if self.asked.dht.replace(dht) != Some(dht) {
            self.actions.push_back(Action::ServeDht(dht));
        }
        if self.asked.relay.replace(relay) != Some(relay) {
            self.actions.push_back(Action::ServeRelay(relay));
        }
        let advertised = self.advertised();
        if advertised != self.asked.advertised {
            self.asked.advertised = advertised.clone();
            self.actions.push_back(Action::Advertise(advertised));
        }
        let reach = self.standing();
        if reach != self.asked.reach {
            self.asked.reach = reach.clone();
            self.actions.push_back(Action::Changed(reach));
        }
    }

    fn settle_relays(&mut self) {
        if !self.wants_relays() {
            for reservation in self.relays.clear() {
                self.release(reservation.relay, reservation.listener);
            }
            return;
        }
        // A router that forwards our port makes relays needless, and mostly answers at once.
        if matches!(self.gateway, Gateway::Asked(since) if self.now.since(since) < GATEWAY) {
            return;
        }
        if self.relays.is_full() {
            return;
        }
        let known = self.known_relays();
        while let Some(relay) = self.relays.ask(self.now, known.clone()) {
            self.actions.push_back(Action::Reserve { relay: relay.peer, address: relay.circuit() });
        }
    }

    /// Closes a listener for a relay, and forgets the addresses that it gave us.
    fn release(&mut self, relay: PeerId, listener: Option<ListenerId>) {
        if let Some(listener) = listener {
            self.actions.push_back(Action::Unreserve { relay, listener });
        }
        let through: Vec<Multiaddr> =
            self.external.iter().filter(|address| place::relay(address) == Some(relay)).cloned().collect();
        for address in through {
            self.remove_external(&address);
        }
    }

    /// This machine's addresses have changed.
    fn moved(&mut self, change: Change) {
        match change {
            Change::None => return,
            Change::Gained(ip) => {
                self.actions.push_back(Action::Gained(ip));
                // libp2p looks for a router when it starts, which is when the first addresses come.
                if self.now.since(self.start) < GATEWAY {
                    return;
                }
            }
            Change::Lost(ip) => {
                let relays = self.relays.held().map(|reservation| reservation.relay).collect();
                self.actions.push_back(Action::Lost { ip, relays });
                let own = &self.own;
                let lost = self.evidence.lose(self.now, |ip| own.has(ip));
                for address in lost {
                    self.remove_external(&address);
                }
                self.relays.forgive();
                self.translated = None;
            }
        }
        if self.gateway != Gateway::Off {
            self.gateway = Gateway::Asked(self.now);
            self.search = Some(self.now.after(SETTLE));
        }
    }
}

fn search_wait(times: u32) -> Duration {
    FIRST_SEARCH.saturating_mul(2_u32.saturating_pow(times)).min(LONGEST_SEARCH)
}
