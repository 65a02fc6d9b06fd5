//! Which of the addresses that peers tell are candidates.

use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::time::Instant;
use yap_protocol::address::{Group, Scope};

use super::{own, place};

/// Candidates at one time: QUIC and TCP, as observed and with our own port, of IPv4 and IPv6.
pub(crate) const MAX: usize = 8;

/// Candidates at one time of which peers of one network group told first: those of one address family.
pub(crate) const MAX_PER_GROUP: usize = 4;

/// How long a candidate is kept that nobody sees any more. Identify asks every 5 minutes.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Different candidates that can be told at once. AutoNAT keeps each for ever, and pays up to 100 kB to test it.
pub(crate) const BURST: u32 = 32;

/// How long it takes until one more can be told. Peers that lie all the time make us keep 50,000 in a year: 10 MB.
pub(crate) const REFILL: Duration = Duration::from_secs(10 * 60);

/// How long after it was told a candidate that is seen again is told again, so that hole punching, which keeps the 20
/// last told, keeps it.
const AGAIN: Duration = Duration::from_secs(60);

/// Network groups that are kept for each candidate; more make no difference.
const MAX_GROUPS: usize = 2;

/// One peer's view of us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation<'a> {
    /// Where it sees us.
    pub(super) address: &'a Multiaddr,
    /// Where it is.
    pub(super) observer: &'a Multiaddr,
    /// Whether the port that it sees can be that of our listener.
    pub(super) reuses: bool,
    /// Where we listen, circuits aside.
    pub(super) listeners: &'a [&'a Multiaddr],
}

#[derive(Clone, Debug)]
struct Candidate {
    address: Multiaddr,
    /// Whence it was observed, the first observer first. Never empty.
    groups: Vec<Group>,
    seen: Instant,
    told: Instant,
}

/// The candidates.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    candidates: Vec<Candidate>,
    budget: u32,
    refilled: Instant,
}

impl Seen {
    /// None.
    pub(super) fn new(now: Instant) -> Self {
        Self { candidates: Vec::new(), budget: BURST, refilled: now }
    }

    /// What to tell the swarm after a peer told how it sees us.
    pub(super) fn observe(&mut self, now: Instant, observation: &Observation<'_>) -> Vec<Multiaddr> {
        self.candidates.retain(|candidate| now.saturating_duration_since(candidate.seen) < LIFETIME);
        self.refill(now);
        let group = place::group(observation.observer);
        let mut addresses = variants(observation);
        addresses.retain(|address| self.admit(now, address, group));
        addresses
    }

    fn refill(&mut self, now: Instant) {
        while self.budget < BURST && now.saturating_duration_since(self.refilled) >= REFILL {
            self.budget = self.budget.saturating_add(1);
            self.refilled = self.refilled.checked_add(REFILL).unwrap_or(now);
        }
        if self.budget >= BURST {
            self.refilled = now;
        }
    }

    /// Whether the address is to be told.
    fn admit(&mut self, now: Instant, address: &Multiaddr, group: Group) -> bool {
        if let Some(known) = self.candidates.iter_mut().find(|candidate| candidate.address == *address) {
            known.seen = now;
            if known.groups.len() < MAX_GROUPS && !known.groups.contains(&group) {
                known.groups.push(group);
            }
            let again = now.saturating_duration_since(known.told) >= AGAIN;
            if again {
                known.told = now;
            }
            return again;
        }
        let from_group = |candidate: &&Candidate| candidate.groups.first() == Some(&group);
        if self.budget == 0 {
            return false;
        }
        if self.candidates.iter().filter(from_group).count() >= MAX_PER_GROUP {
            // Its older ones make room, unless others see them too: a NAT may have given us another port.
            if !self.evict(|candidate| candidate.groups.first() == Some(&group)) {
                return false;
            }
        } else if self.candidates.len() >= MAX && !self.evict(|_| true) {
            return false;
        }
        self.budget = self.budget.saturating_sub(1);
        self.candidates.push(Candidate { address: address.clone(), groups: vec![group], seen: now, told: now });
        true
    }

    /// Drops the candidate that was not seen for the longest time, of those that only one group sees.
    fn evict(&mut self, of: impl Fn(&Candidate) -> bool) -> bool {
        let oldest = self
            .candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| candidate.groups.len() < MAX_GROUPS && of(candidate))
            .min_by_key(|(_, candidate)| candidate.seen)
            .map(|(place, _)| place);
        oldest.is_some_and(|place| {
            self.candidates.remove(place);
            true
        })
    }

    #[cfg(test)]
    pub(super) fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.candidates.iter().map(|candidate| &candidate.address)
    }
}

/// The transports that can be punched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Quic,
    Tcp,
}

fn parse(address: &Multiaddr) -> Option<(Transport, u16)> {
    let mut parts = address.iter();
    if !matches!(parts.next()?, Protocol::Ip4(_) | Protocol::Ip6(_)) {
        return None;
    }
    let found = match (parts.next()?, parts.next()) {
        (Protocol::Udp(port), Some(Protocol::QuicV1)) => (Transport::Quic, port),
        (Protocol::Tcp(port), None) => (Transport::Tcp, port),
        _ => return None,
    };
    (parts.next().is_none() && found.1 != 0).then_some(found)
}

/// The candidates that an observation makes, best first.
fn variants(observation: &Observation<'_>) -> Vec<Multiaddr> {
    let observed = place::bare(observation.address);
    let Some((transport, port)) = parse(&observed) else { return Vec::new() };
    match (place::scope(&observed), place::scope(observation.observer)) {
        (Some(Scope::Public), _) | (Some(Scope::Private), Some(Scope::Private)) => {}
        (Some(Scope::Private | Scope::Loopback) | None, _) => return Vec::new(),
    }
    let ours = place::ip(&observed).is_some_and(|ip| own(observation.listeners).any(|own| own == ip));
    let mut ports: Vec<u16> = observation
        .listeners
        .iter()
        .filter_map(|address| parse(address))
        .filter(|(of, _)| *of == transport)
        .map(|(_, port)| port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    let listens = ports.contains(&port);
    let mut variants = Vec::new();
    // On an address of our own, nothing translates ports: one on which we don't listen is that of a dial.
    if listens || (observation.reuses && !ours) {
        variants.push(observed.clone());
    }
    if !listens && let Some(port) = ports.first() {
        variants.extend(observed.replace(1, |_| {
            Some(match transport {
                Transport::Quic => Protocol::Udp(*port),
                Transport::Tcp => Protocol::Tcp(*port),
            })
        }));
    }
    variants
}
