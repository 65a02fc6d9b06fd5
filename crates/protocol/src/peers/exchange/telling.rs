//! Telling of addresses: answers, news, and our own.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, Endpoint, Host, Scope};
use crate::link::PeerId;
use crate::message::{KnownAddress, MAX_ADDRESSES, MAX_ENDPOINTS, MAX_PEER_RECORDS, Message, NetworkId, PeerRecord};
use crate::peers::State;
use crate::peers::book::Entry;
use crate::peers::outcome::Outcome;
use crate::peers::session::Peer;
use crate::peers::timers::{Timer, around};
use crate::penalty::Reason;
use crate::time::{Time, Timestamp};

use super::{identity_hash, reach};

/// The share of the book that one answer tells, in percent. Bitcoin Core's: whoever asks everybody learns less.
const SHARE: usize = 23;
/// An answer tells at least so many, if there are: the share of a LAN's book would be nobody.
const FEW: usize = 16;
/// Up to so many addresses, the book grows with every newcomer, and answers are made afresh after [`SOON`].
const SMALL: usize = 64;
const SOON: Duration = Duration::from_secs(60);
/// Otherwise everybody gets the same answer for about a day, so that it does not show what we learn when. Bitcoin
/// Core's: 21 to 27 hours.
const ANSWER: Duration = Duration::from_secs(21 * 60 * 60);
const ANSWER_MORE: Duration = Duration::from_secs(6 * 60 * 60);
/// Mean wait until our own addresses are told again. Bitcoin Core's.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses that a peer is told when there is no room for it (G3).
const OTHERS: usize = 8;
/// Mean wait until news is passed on. Bitcoin Core's.
const NEWS_WAIT: Duration = Duration::from_secs(30);
/// The same for records. Who signed one wants it known, so there is nothing to hide; and peers behind NAT meet no sooner
/// than it has come.
const RECORD_WAIT: Duration = Duration::from_secs(2);
/// How many peers news is passed on to. Bitcoin Core's.
const NEWS_PEERS: usize = 2;

/// What is told at once.
#[derive(Clone, Debug, Default)]
struct Told {
    addresses: Vec<KnownAddress>,
    records: Vec<Arc<PeerRecord>>,
}

/// An answer, for everybody who asks until then.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    until: Time,
    told: Arc<Told>,
}

impl Cache {
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        let told = self.told.addresses.len().saturating_add(self.told.records.len());
        assert!(told <= MAX_ADDRESSES, "an answer tells of {told}");
    }
}

impl Told {
    /// The messages, for a peer that takes `addrv2` or not. `addr` has room for IP alone.
    fn send(&self, peer: PeerId, addrv2: bool, out: &mut Vec<Outcome>) {
        for records in self.records.chunks(MAX_PEER_RECORDS) {
            out.push(Outcome::Send(peer, Message::PeerRecords(records.to_vec())));
        }
        let message = if addrv2 {
            Message::AddrV2(self.addresses.clone())
        } else {
            let ip = |known: &&KnownAddress| matches!(known.host, NetworkId::Known(Host::Ipv4(_) | Host::Ipv6(_)));
            Message::Addr(self.addresses.iter().filter(ip).cloned().collect())
        };
        if let Message::Addr(list) | Message::AddrV2(list) = &message
            && !list.is_empty()
        {
            out.push(Outcome::Send(peer, message));
        }
    }
}

fn address_of(known: &KnownAddress) -> Option<Address> {
    let NetworkId::Known(host) = &known.host else { return None };
    Some(Address { identity: None, endpoint: Endpoint::Bitcoin { host: *host, port: known.port } })
}

impl State {
    /// `getaddr` came.
    pub fn on_get_addresses(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        let Some(state) = self.talker(peer) else { return out };
        // Only those that dialled us are answered, and once: else whoever plants addresses could know a node again by
        // asking for them on each of its networks (as Bitcoin Core, `net_processing.cpp`, GETADDR).
        let inbound = state.is_inbound();
        let (scope, records, addrv2) =
            (state.scope(), state.knows_records(), state.facts.is_some_and(|facts| facts.addrv2));
        let first = state.talk.as_mut().is_some_and(|talk| !std::mem::replace(&mut talk.answered, true));
        if !inbound || !first {
            return out;
        }
        self.takes_part(peer, now, &mut out);
        let told = self.answer(scope, records, now);
        told.send(peer, addrv2, &mut out);
        if self.config.seed {
            self.part(peer, Reason::Done, &mut out);
        }
        self.finish(out, now)
    }

    /// The answer of the day for peers of one scope.
    fn answer(&mut self, scope: Scope, records: bool, now: Time) -> Arc<Told> {
        if let Some(cache) = self.exchange.caches.get(&(scope, records))
            && now < cache.until
        {
            return Arc::clone(&cache.told);
        }
        let known = self.book.len();
        let most = (known.saturating_mul(SHARE) / 100).clamp(FEW, MAX_ADDRESSES);
        let told = Arc::new(self.gather(most, scope, records, now));
        let life = if known <= SMALL { SOON } else { ANSWER.saturating_add(self.random.up_to(ANSWER_MORE)) };
        let cache = Cache { until: now.after(life), told: Arc::clone(&told) };
        self.exchange.caches.insert((scope, records), cache);
        told
    }

    /// Up to `most` addresses for a peer of `scope`: none that reaches less far.
    fn gather(&mut self, most: usize, scope: Scope, records: bool, now: Time) -> Told {
        let wall = self.wall(now);
        let fits = |entry: &Entry| {
            entry.address.scope().is_some_and(|far| far >= scope)
                && match &entry.address.endpoint {
                    Endpoint::Bitcoin { .. } => true,
                    Endpoint::Libp2p(_) => {
                        let record = entry.address.identity.as_ref().and_then(|key| self.book.record(key));
                        records && record.and_then(|record| reach(record)).is_some_and(|far| far >= scope)
                    }
                }
        };
        let mut random = self.random.clone();
        let mut told = Told::default();
        let mut people = BTreeSet::new();
        for entry in self.book.sample(most, wall, &mut random, &fits) {
            match (&entry.address.endpoint, entry.address.identity) {
                (Endpoint::Bitcoin { host, port }, _) => told.addresses.push(KnownAddress {
                    seen: entry.known.seen,
                    services: entry.known.services,
                    host: NetworkId::Known(*host),
                    port: *port,
                }),
                (Endpoint::Libp2p(_), Some(identity)) => {
                    if people.insert(identity)
                        && let Some(record) = self.book.record(&identity)
                    {
                        told.records.push(Arc::clone(record));
                    }
                }
                (Endpoint::Libp2p(_), None) => {}
            }
        }
        self.random = random;
        told
    }

    /// Tells a peer for which there is no room where else to go.
    pub(in crate::peers) fn tell_of_others(&mut self, peer: PeerId, now: Time, out: &mut Vec<Outcome>) {
        let Some(state) = self.peers.get(&peer) else { return };
        let (scope, records) = (state.scope(), state.knows_records());
        let addrv2 = state.facts.is_some_and(|facts| facts.addrv2);
        self.gather(OTHERS, scope, records, now).send(peer, addrv2, out);
    }

    /// Two peers, other than `from`, that news with `hash` is passed on to: the same ones for a day, so that whoever
    /// tells it again makes no more noise.
    fn listeners(&self, from: PeerId, hash: u64, now: Time, fits: &dyn Fn(&Peer) -> bool) -> Vec<PeerId> {
        // The day begins at another time for each piece of news.
        const SECONDS: u64 = DAY.as_secs();
        let day = self.wall(now).0.saturating_add(hash % SECONDS) / SECONDS;
        let takes_part = |peer: &Peer| peer.talk.as_ref().is_some_and(|talk| talk.takes_part);
        let mut peers: Vec<(Reverse<u64>, PeerId)> = self
            .peers
            .iter()
            .filter(|(id, peer)| **id != from && peer.is_ready() && takes_part(peer) && fits(peer))
            .map(|(id, _)| (Reverse(self.book.key().hash(10, &[hash, day, id.0], None)), *id))
            .collect();
        peers.sort_unstable();
        peers.into_iter().take(NEWS_PEERS).map(|(_, peer)| peer).collect()
    }

    pub(super) fn pass_on(&mut self, from: PeerId, known: &KnownAddress, address: &Address, now: Time) {
        let hash = self.book.key().hash(8, &[], Some(address));
        let Some(far) = address.scope() else { return };
        let takes = |peer: &Peer| {
            let ip = matches!(known.host, NetworkId::Known(Host::Ipv4(_) | Host::Ipv6(_)));
            far >= peer.scope() && (ip || peer.facts.is_some_and(|facts| facts.addrv2))
        };
        for id in self.listeners(from, hash, now, &takes) {
            let pick = self.random.index(MAX_ADDRESSES);
            let Some(talk) = self.talker(id).and_then(|peer| peer.talk.as_mut()) else { continue };
            if !talk.recent.insert(hash) {
                continue;
            }
            if talk.queue.len() < MAX_ADDRESSES {
                talk.queue.push(known.clone());
            } else if let Some(other) = talk.queue.get_mut(pick) {
                *other = known.clone();
            }
            self.tell_soon(id, NEWS_WAIT, now);
        }
    }

    pub(super) fn pass_on_record(&mut self, from: PeerId, record: &Arc<PeerRecord>, now: Time) {
        let hash = self.book.key().hash(9, &[record.sequence], None) ^ identity_hash(record.identity);
        let Some(far) = reach(record) else { return };
        let takes = |peer: &Peer| far >= peer.scope() && peer.knows_records();
        for id in self.listeners(from, hash, now, &takes) {
            let pick = self.random.index(MAX_PEER_RECORDS);
            let Some(talk) = self.talker(id).and_then(|peer| peer.talk.as_mut()) else { continue };
            if !talk.recent.insert(hash) {
                continue;
            }
            if talk.records.len() < MAX_PEER_RECORDS {
                talk.records.push(Arc::clone(record));
            } else if let Some(other) = talk.records.get_mut(pick) {
                *other = Arc::clone(record);
            }
            self.tell_soon(id, RECORD_WAIT, now);
        }
    }

    fn tell_soon(&mut self, peer: PeerId, mean: Duration, now: Time) {
        let wait = around(mean, &mut self.random);
        self.timers.at_latest(Timer::Tell(peer), now.after(wait));
    }

    /// Sends what a peer is to be told of.
    pub(in crate::peers) fn tell(&mut self, peer: PeerId, out: &mut Vec<Outcome>) {
        let Some(state) = self.talker(peer) else { return };
        let addrv2 = state.facts.is_some_and(|facts| facts.addrv2);
        let Some(talk) = state.talk.as_mut() else { return };
        let told = Told { addresses: std::mem::take(&mut talk.queue), records: std::mem::take(&mut talk.records) };
        told.send(peer, addrv2, out);
    }

    /// Tells a peer our own addresses, and does so again in a day.
    pub(in crate::peers) fn advertise(&mut self, peer: PeerId, now: Time, out: &mut Vec<Outcome>) {
        let wall = self.wall(now);
        let Some(state) = self.peers.get(&peer).filter(|peer| peer.is_ready()) else { return };
        let Some(talk) = &state.talk else { return };
        let (scope, services) = (state.scope(), self.config.services);
        let mut told = Told::default();
        // Whoever takes a record needs no address of Bitcoin's transport: it would take that for another peer, and dial it.
        let record = self.exchange.records.range(scope..).next().filter(|_| state.knows_records());
        if let Some((_, record)) = record {
            told.records.push(Arc::clone(record));
        } else if talk.takes_part {
            told.addresses = self.own_addresses(scope, services, wall);
        }
        let addrv2 = state.facts.is_some_and(|facts| facts.addrv2);
        told.send(peer, addrv2, out);
        let own: Vec<Address> = told.addresses.iter().filter_map(address_of).collect();
        for address in own {
            self.note_recent(peer, &address);
        }
        let wait = around(DAY, &mut self.random);
        self.timers.set(Timer::Advertise(peer), now.after(wait));
    }

    fn own_addresses(&self, scope: Scope, services: crate::message::Services, seen: Timestamp) -> Vec<KnownAddress> {
        let far = |endpoint: &&Endpoint| endpoint.scope().is_some_and(|far| far >= scope);
        let own = self.exchange.endpoints.iter().filter(far).filter_map(|endpoint| match endpoint {
            Endpoint::Bitcoin { host, port } => {
                Some(KnownAddress { seen, services, host: NetworkId::Known(*host), port: *port })
            }
            Endpoint::Libp2p(_) => None,
        });
        own.collect()
    }

    /// Says of ourselves to peers that know records, now and to those that come. One record goes to peers that are as
    /// near as its nearest endpoint: a node with private and public endpoints gives two, with equal sequences, the one
    /// for strangers naming public endpoints alone.
    pub fn set_own_record(&mut self, record: Arc<PeerRecord>, now: Time) -> Vec<Outcome> {
        // Records of other scopes that say something older would only confuse.
        self.exchange.records.retain(|_, other| other.sequence == record.sequence);
        let Some(far) = reach(&record) else { return Vec::new() };
        self.exchange.records.insert(far, record);
        self.advertise_all(now)
    }

    /// Says where we are reached by Bitcoin's transport, now and to peers that come. The first [`MAX_ENDPOINTS`] count.
    pub fn set_own_endpoints(&mut self, mut endpoints: Vec<Endpoint>, now: Time) -> Vec<Outcome> {
        endpoints.truncate(MAX_ENDPOINTS);
        self.exchange.endpoints = endpoints;
        self.advertise_all(now)
    }

    fn advertise_all(&mut self, now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        for peer in self.peers.keys().copied().collect::<Vec<_>>() {
            self.advertise(peer, now, &mut out);
        }
        self.finish(out, now)
    }
}
