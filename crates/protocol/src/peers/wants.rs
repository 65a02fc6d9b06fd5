//! Whom to dial, when, and why.
//!
//! Places are filled in this order: peers that the user named (apart from all limits, again and again for ever), anchors,
//! peers for everything, peers for blocks alone, and seeds when nobody else can be tried. One peer of each group (see
//! [`crate::address::Group`]) has a place; those that the user named and short visits don't count, as in Core. Where no other
//! group is known, as in a small network of one provider, or behind one relay, up to half of the places for everything
//! go to peers of groups that have one already: whoever owns a group has half of them at most.
//! Each address rests after it was dialled, longer with every failure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::address::{Address, Group};
use crate::link::{PeerId, Purpose};
use crate::message::Services;
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::Time;

use super::ban::Target;
use super::book::{Among, Entry};
use super::outcome::{AddError, Outcome};
use super::timers::{Timer, around};
use super::{State, session::Peer};

/// Most peers that the user can name.
pub const MAX_MANUAL: usize = 64;

/// After this, a dial counts as failed even if nobody said so.
pub(super) const DIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Wait after a dial that failed, before the next takes its place. Bitcoin Core's.
const RETRY: Duration = Duration::from_millis(500);

/// First and longest wait before a named peer, a seed, or the book when it had nobody, is tried again. A peer that the
/// user named is back within a minute, as with Bitcoin Core, however long the network was parted; seeds serve everybody.
/// Nodes that are started together name one another before all of them listen, so the first tries come soon.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const FIRST_MANUAL: Duration = Duration::from_millis(125);
const LONGEST_MANUAL: Duration = Duration::from_secs(60);
const LONGEST_SEED: Duration = Duration::from_secs(10 * 60);
const LONGEST_REFILL: Duration = Duration::from_secs(30);

/// A wait that doubles, with up to a quarter added so that not everybody comes at once.
#[derive(Clone, Copy, Debug, Default)]
struct Backoff {
    tries: u32,
}

impl Backoff {
    fn next(&mut self, (first, longest): (Duration, Duration), random: &mut Random) -> Duration {
        let factor = 1_u32.checked_shl(self.tries).unwrap_or(u32::MAX);
        let wait = first.saturating_mul(factor).min(longest);
        self.tries = self.tries.saturating_add(1).min(16);
        wait.saturating_add(random.up_to(wait.checked_div(4).unwrap_or_default()))
    }
}

/// A peer that the user named.
#[derive(Clone, Debug)]
struct Manual {
    purpose: Purpose,
    backoff: Backoff,
}

/// What is dialled and what waits to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Wants {
    dials: BTreeMap<Address, Purpose>,
    manual: BTreeMap<Address, Manual>,
    /// Anchors of the last run that were not dialled yet.
    anchors: Vec<Address>,
    refill: Backoff,
    seeds: Backoff,
    seeds_rest: Time,
}

impl Wants {
    pub(super) fn new(anchors: Vec<Address>) -> Self {
        Self { anchors, ..Self::default() }
    }

    /// Dials under way, and named peers.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn len(&self) -> usize {
        self.dials.len().saturating_add(self.manual.len())
    }
}

/// What is taken already.
#[derive(Default)]
struct Taken {
    groups: BTreeMap<Group, usize>,
    addresses: BTreeSet<Address>,
}

impl Taken {
    fn seat(&mut self, group: Group) {
        let count = self.groups.entry(group).or_default();
        *count = count.saturating_add(1);
    }

    /// Places of peers whose group has another.
    fn crowded(&self) -> usize {
        self.groups.values().map(|count| count.saturating_sub(1)).sum()
    }
}

/// Which groups may have another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    /// Those that have none.
    Apart,
    /// All.
    Any,
}

impl State {
    /// Connects to a peer, and again whenever the connection is lost. With [`Purpose::Seed`], asks it for addresses once.
    ///
    /// # Errors
    /// If it was added before, or too many were.
    pub fn add_peer(&mut self, address: Address, purpose: Purpose, now: Time) -> Result<Vec<Outcome>, AddError> {
        if self.wants.manual.contains_key(&address) || self.wants.dials.get(&address) == Some(&Purpose::Seed) {
            return Err(AddError::Known);
        }
        let asking = self.wants.dials.values().filter(|purpose| **purpose == Purpose::Seed).count();
        if self.wants.manual.len().saturating_add(asking) >= MAX_MANUAL {
            return Err(AddError::Full(MAX_MANUAL));
        }
        let mut out = Vec::new();
        if purpose == Purpose::Seed {
            self.dial(address, purpose, now, &mut out);
        } else {
            // One that is for blocks alone stays so; any other is named, which is what no limit counts.
            let purpose = if purpose == Purpose::BlockOnly { purpose } else { Purpose::Manual };
            self.wants.manual.insert(address.clone(), Manual { purpose, backoff: Backoff::default() });
            for peer in self.peers.values_mut().filter(|peer| leads_to(peer, &address)) {
                peer.manual = true;
            }
            self.dial_manual(&address, now, &mut out);
        }
        Ok(self.finish(out, now))
    }

    /// Forgets a peer that was added, and parts. `None` if it was not added.
    pub fn remove_peer(&mut self, address: &Address, now: Time) -> Option<Vec<Outcome>> {
        self.wants.manual.remove(address)?;
        self.timers.clear(&Timer::Manual(address.clone()));
        let mut out = Vec::new();
        let theirs: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| leads_to(peer, address)).map(|(id, _)| *id).collect();
        for peer in theirs {
            self.part(peer, Reason::Asked, &mut out);
        }
        Some(self.finish(out, now))
    }

    /// Takes addresses that something other than a peer found: mDNS, DNS, the DHT, the user.
    pub fn learn(&mut self, addresses: &[Address], now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        for address in addresses {
            let source = (address.endpoint.source_group(), Duration::ZERO);
            self.hear_of(address, Services::NONE, self.wall(now), source, now);
            self.tell_batch(&mut out);
        }
        self.refill(now, &mut out);
        self.finish(out, now)
    }

    /// A dialled address could not be reached.
    pub fn dial_failed(&mut self, address: &Address, now: Time) -> Vec<Outcome> {
        self.dial_ended(address, now);
        self.finish(Vec::new(), now)
    }

    pub(super) fn dial_ended(&mut self, address: &Address, now: Time) {
        self.timers.clear(&Timer::Dial(address.clone()));
        if self.wants.dials.remove(address).is_none() {
            return;
        }
        self.redial(address, now);
        self.timers.at_latest(Timer::Refill, now.after(RETRY));
    }

    /// A dial led to a connection.
    pub(super) fn dial_done(&mut self, address: &Address) {
        self.timers.clear(&Timer::Dial(address.clone()));
        self.wants.dials.remove(address);
    }

    /// Sets when a named peer is dialled next.
    fn redial(&mut self, address: &Address, now: Time) {
        if let Some(manual) = self.wants.manual.get_mut(address) {
            let wait = manual.backoff.next((FIRST_MANUAL, LONGEST_MANUAL), &mut self.random);
            self.timers.set(Timer::Manual(address.clone()), now.after(wait));
        }
    }

    /// A connection is gone: sees to it that its place is filled again. `lasted` says whether it was worth something.
    pub(super) fn vacate(&mut self, gone: &Peer, lasted: bool, now: Time) {
        let named: Vec<Address> = self.wants.manual.keys().filter(|address| leads_to(gone, address)).cloned().collect();
        for address in named {
            if lasted && let Some(manual) = self.wants.manual.get_mut(&address) {
                manual.backoff = Backoff::default();
            }
            self.redial(&address, now);
        }
        if lasted {
            self.wants.refill = Backoff::default();
        }
        self.timers.at_latest(Timer::Refill, now.after(RETRY));
    }

    pub(super) fn is_manual(&self, peer: &Peer) -> bool {
        self.wants.manual.keys().any(|address| leads_to(peer, address))
    }

    pub(super) fn dial_manual(&mut self, address: &Address, now: Time, out: &mut Vec<Outcome>) {
        let Some(purpose) = self.wants.manual.get(address).map(|manual| manual.purpose) else { return };
        let connected = self.peers.values().any(|peer| leads_to(peer, address));
        if !connected && !self.wants.dials.contains_key(address) {
            self.dial(address.clone(), purpose, now, out);
        }
    }

    fn dial(&mut self, address: Address, purpose: Purpose, now: Time, out: &mut Vec<Outcome>) {
        let online = self.peers.values().any(|peer| peer.is_ready() && !peer.is_inbound());
        let wall = self.wall(now);
        self.book.attempt(&address, online, wall, (now, &mut self.random));
        self.wants.dials.insert(address.clone(), purpose);
        self.timers.set(Timer::Dial(address.clone()), now.after(DIAL_TIMEOUT));
        out.push(Outcome::Dial { address, purpose });
    }

    /// Connections of a purpose that have a place, the named ones apart.
    pub(super) fn seated(&self, purpose: Purpose) -> usize {
        let counts = |peer: &&Peer| peer.is_seated() && peer.purpose == Some(purpose) && !peer.manual;
        self.peers.values().filter(counts).count()
    }

    fn dialled(&self, purpose: Purpose) -> usize {
        let counts = |(address, dialled): &(&Address, &Purpose)| {
            **dialled == purpose && !self.wants.manual.contains_key(*address)
        };
        self.wants.dials.iter().filter(counts).count()
    }

    const fn places(&self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Full => self.config.full,
            Purpose::BlockOnly => self.config.block_only,
            Purpose::Feeler | Purpose::Seed => 1,
            Purpose::Manual => MAX_MANUAL,
        }
    }

    fn free(&self, purpose: Purpose) -> usize {
        self.places(purpose).saturating_sub(self.seated(purpose).saturating_add(self.dialled(purpose)))
    }

    fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        let counts = |purpose| matches!(purpose, Some(Purpose::Full | Purpose::BlockOnly));
        for peer in self.peers.values() {
            if counts(peer.purpose) && peer.is_seated() {
                taken.seat(peer.group());
            }
            taken.addresses.insert(peer.address.clone());
        }
        for (address, purpose) in &self.wants.dials {
            if counts(Some(*purpose)) {
                taken.seat(address.group());
            }
            taken.addresses.insert(address.clone());
        }
        taken
    }

    /// Whether an address can be dialled now for a place.
    fn fits(&self, entry: &Entry, taken: &Taken, now: Time) -> bool {
        let address = &entry.address;
        entry.is_rested(now)
            && serves(entry.known.services)
            && !taken.addresses.contains(address)
            && address.identity.is_none_or(|key| !taken.addresses.iter().any(|other| other.identity == Some(key)))
            && !self.is_connected(address)
            && !self.bans.any(&Target::matching(address, None), self.wall(now))
            && !self.exchange.is_own(address, self.config.identity)
    }

    fn is_connected(&self, address: &Address) -> bool {
        address.identity.is_some() && self.peers.values().any(|peer| peer.identity == address.identity)
    }

    fn choose(&mut self, among: Among, spread: Spread, taken: &Taken, now: Time) -> Option<Address> {
        let wall = self.wall(now);
        let mut random = self.random.clone();
        let fits = |entry: &Entry| {
            let apart = spread == Spread::Any || !taken.groups.contains_key(&entry.address.group());
            apart && self.fits(entry, taken, now)
        };
        let found = self.book.select(among, wall, &mut random, &fits).map(|entry| entry.address.clone());
        self.random = random;
        found
    }

    /// Fills free places.
    pub(super) fn refill(&mut self, now: Time, out: &mut Vec<Outcome>) {
        let mut taken = self.taken();
        while self.free(Purpose::BlockOnly) > 0 {
            let Some(anchor) = self.wants.anchors.pop() else { break };
            if !taken.addresses.contains(&anchor) && !self.is_connected(&anchor) {
                taken.seat(anchor.group());
                taken.addresses.insert(anchor.clone());
                self.dial(anchor, Purpose::BlockOnly, now, out);
            }
        }
        let mut lacking = false;
        for purpose in [Purpose::Full, Purpose::BlockOnly] {
            for _ in 0..self.free(purpose) {
                let Some(address) = self.choose_for(purpose, &taken, now) else {
                    lacking = true;
                    break;
                };
                taken.seat(address.group());
                taken.addresses.insert(address.clone());
                self.dial(address, purpose, now, out);
            }
        }
        if lacking {
            self.ask_seed(now, out);
            let wait = self.wants.refill.next((FIRST_WAIT, LONGEST_REFILL), &mut self.random);
            self.timers.at_latest(Timer::Refill, now.after(wait));
        }
    }

    /// An address for a place: of a group that has none, or else of any, within the bound.
    fn choose_for(&mut self, purpose: Purpose, taken: &Taken, now: Time) -> Option<Address> {
        let apart = self.choose(Among::All, Spread::Apart, taken, now);
        if apart.is_some() || purpose != Purpose::Full || taken.crowded().saturating_add(1) >= self.config.full / 2 {
            return apart;
        }
        self.choose(Among::All, Spread::Any, taken, now)
    }

    /// Asks a seed, if nobody else is there and nobody else can be tried.
    fn ask_seed(&mut self, now: Time, out: &mut Vec<Outcome>) {
        let busy =
            !self.wants.dials.is_empty() || self.peers.values().any(|peer| peer.is_seated() && !peer.is_inbound());
        if busy || now < self.wants.seeds_rest {
            return;
        }
        let banned = |seed: &&Address| self.bans.any(&Target::matching(seed, None), self.wall(now));
        let seeds: Vec<Address> = self.config.seeds.iter().filter(|seed| !banned(seed)).cloned().collect();
        let Some(seed) = self.random.pick(&seeds).cloned() else { return };
        self.wants.seeds_rest = now.after(self.wants.seeds.next((FIRST_WAIT, LONGEST_SEED), &mut self.random));
        self.dial(seed, Purpose::Seed, now, out);
    }

    /// Peers are there: seeds may be asked at once when they are gone.
    pub(super) fn found_peers(&mut self) {
        self.wants.seeds = Backoff::default();
        self.wants.seeds_rest = Time::ZERO;
    }

    /// Tests an address when all places are filled: the holder of a contested place, or one that nobody connected to.
    pub(super) fn feel(&mut self, now: Time, out: &mut Vec<Outcome>) {
        let Some(mean) = self.config.feelers else { return };
        let wait = around(mean, &mut self.random);
        self.timers.set(Timer::Feeler, now.after(wait));
        let wall = self.wall(now);
        self.book.resolve(wall);
        if self.free(Purpose::Full) > 0 || self.free(Purpose::Feeler) == 0 {
            return;
        }
        let taken = self.taken();
        let contested = self.book.contested(&mut self.random).filter(|address| !taken.addresses.contains(address));
        let found = contested.or_else(|| self.choose(Among::New, Spread::Any, &taken, now));
        if let Some(address) = found {
            self.dial(address, Purpose::Feeler, now, out);
        }
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check_places(&self) {
        for purpose in [Purpose::Full, Purpose::BlockOnly] {
            assert!(self.seated(purpose) <= self.places(purpose), "{purpose:?}: {}", self.seated(purpose));
        }
        let inbound = self.peers.values().filter(|peer| peer.is_inbound() && peer.is_seated() && !peer.unconditional);
        // One that takes the place of an outbound connection with the same peer needs no room of its own.
        let outbound = self.config.full.saturating_add(self.config.block_only).saturating_add(MAX_MANUAL);
        assert!(inbound.count() <= self.config.inbound.saturating_add(outbound), "inbound peers have room");
        assert!(self.wants.manual.len() <= MAX_MANUAL, "named peers have a bound");
        let dials = self.places(Purpose::Full).saturating_add(self.places(Purpose::BlockOnly));
        assert!(self.wants.dials.len() <= dials.saturating_add(2).saturating_add(MAX_MANUAL), "dials have a bound");
    }
}

/// Whether a connection leads to an address: the same one, or the same key.
fn leads_to(peer: &Peer, address: &Address) -> bool {
    (address.identity.is_some() && peer.identity == address.identity)
        || (!peer.is_inbound() && peer.address == *address)
}

/// Whether what is offered is of use: blocks with witnesses, all or the newest. What is not known may be.
fn serves(services: Services) -> bool {
    services == Services::NONE
        || (services.contains(Services::WITNESS)
            && (services.contains(Services::NETWORK) || services.contains(Services::NETWORK_LIMITED)))
}
