//! Hearing of addresses (P8).
//!
//! `addr` and `addrv2` carry endpoints of Bitcoin's transport; those of libp2p come in records that their owner signed.
//! What a peer tells is taken at [`TOKENS_PER_SECOND`] after a burst, as Bitcoin Core does, so nobody fills the book by
//! telling more; what is fresh goes on to two peers that a secret of the day picks.
//!
//! What reaches less far than the teller does is passed over: the private address of a stranger's LAN means nothing here.
//! In turn, none of ours is told to strangers (`telling`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, Endpoint, Group, Identity, Scope};
use crate::link::{PeerId, Purpose};
use crate::message::{KnownAddress, MAX_ADDRESSES, NetworkId, PeerRecord, Services};
use crate::time::{Time, Timestamp};

use super::State;
use super::ban::Target;
use super::book::{Heard, MAX_PER_IDENTITY};
use super::outcome::{Fault, Outcome};
use super::session::{Peer, Talk};
use super::timers::Timer;

mod telling;

use telling::Cache;

/// Addresses per second that are taken from a peer: one in ten seconds. Bitcoin Core's, in thousandths.
const TOKENS_PER_SECOND: u64 = 100;
/// Most that are saved up, and what our question adds. Bitcoin Core's, in thousandths.
const TOKENS: u64 = 1000 * TOKEN;
const TOKEN: u64 = 1000;
/// What a peer begins with: enough to say where it is itself, by record and by `addr`, over IPv4 and IPv6.
const START: u64 = 3 * TOKEN;

/// So many beyond the tokens are a fault. Where there is much news, honest peers pass on dozens at once.
const EXCESS: usize = 100;
/// Up to so many addresses, a message is news rather than an answer: it is passed on. Bitcoin Core's.
const NEWS: usize = 10;
/// What is that old is no news.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Taken from what others say of when an address was seen. Bitcoin Core's.
const HEARSAY: Duration = Duration::from_secs(2 * 60 * 60);
/// How old an address is taken to be whose time can't be right. Bitcoin Core's.
const DOUBTFUL: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// What we say of ourselves, and what was answered of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    /// Our own records, by how far the nearest of their endpoints reaches.
    records: BTreeMap<Scope, Arc<PeerRecord>>,
    endpoints: Vec<Endpoint>,
    caches: BTreeMap<(Scope, bool), Cache>,
}

impl Exchange {
    pub(super) fn is_own(&self, address: &Address, identity: Option<Identity>) -> bool {
        (identity.is_some() && address.identity == identity) || self.endpoints.contains(&address.endpoint)
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.caches.len() <= 6, "one cache for each scope, with and without records");
        assert!(self.endpoints.len() <= crate::message::MAX_ENDPOINTS, "own endpoints have a bound");
        self.caches.values().for_each(Cache::check);
    }
}

/// How far the nearest of a record's endpoints reaches; `None` if it has none that leads anywhere.
fn reach(record: &PeerRecord) -> Option<Scope> {
    record.endpoints.iter().filter_map(|endpoint| Endpoint::Libp2p(endpoint.clone()).scope()).min()
}

impl Talk {
    /// Takes up to `wanted` tokens. Returns how many there were.
    fn take(&mut self, wanted: usize, now: Time) -> usize {
        let passed = u64::try_from(now.since(self.counted).as_millis()).unwrap_or(u64::MAX);
        self.counted = now;
        if self.tokens < TOKENS {
            let gained = passed.saturating_mul(TOKENS_PER_SECOND) / 1000;
            self.tokens = self.tokens.saturating_add(gained).min(TOKENS);
        }
        let taken = (self.tokens / TOKEN).min(u64::try_from(wanted).unwrap_or(u64::MAX));
        self.tokens = self.tokens.saturating_sub(taken.saturating_mul(TOKEN));
        usize::try_from(taken).unwrap_or(wanted)
    }
}

#[cfg(any(test, feature = "test-util"))]
pub(super) fn check_talk(talk: &Talk) {
    talk.recent.check();
    assert!(talk.queue.len() <= MAX_ADDRESSES, "what a peer is told of has a bound");
    assert!(talk.records.len() <= crate::message::MAX_PEER_RECORDS, "records that a peer is told have a bound");
    assert!(talk.tokens <= TOKENS.saturating_add(START), "tokens have a bound");
}

impl State {
    /// A peer is ready that addresses may be told to: asks it if we dialled it, and tells it our own.
    pub(super) fn begin_talk(&mut self, peer: PeerId, now: Time, out: &mut Vec<Outcome>) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let ask = !state.is_inbound();
        let tokens = if ask { TOKENS.saturating_add(START) } else { START };
        let talk = Talk { tokens, counted: now, asked: ask, takes_part: ask, ..Talk::default() };
        state.talk = Some(Box::new(talk));
        if state.purpose == Some(Purpose::Seed) {
            self.timers.set(Timer::Seed(peer), now.after(super::config::SEED_TIMEOUT));
        } else {
            self.advertise(peer, now, out);
        }
        if ask {
            out.push(Outcome::Send(peer, crate::message::Message::GetAddr));
        }
    }

    fn talker(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&peer).filter(|peer| peer.is_ready() && peer.talk.is_some())
    }

    /// What a message with `count` items may count for: how many of them are taken, and the fault if there is one.
    fn allow(&mut self, peer: PeerId, count: usize, now: Time) -> Option<Result<usize, Fault>> {
        let talk = self.talker(peer)?.talk.as_mut()?;
        if count > MAX_ADDRESSES {
            return Some(Err(Fault::TooMany(count)));
        }
        let taken = talk.take(count, now);
        let excess = count.saturating_sub(taken);
        let unasked = !talk.asked && excess > EXCESS;
        if count < MAX_ADDRESSES {
            talk.asked = false;
        }
        Some(if unasked { Err(Fault::Unasked(excess)) } else { Ok(taken) })
    }

    /// What was learned since all that was learned were `before`, a peer told.
    fn told_since(&mut self, before: u64) {
        let (all, told) = self.learned;
        self.learned.1 = told.saturating_add(all.saturating_sub(before));
    }

    /// Whether we asked a peer for addresses, and it has not answered yet.
    fn was_asked(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).and_then(|peer| peer.talk.as_ref()).is_some_and(|talk| talk.asked)
    }

    /// `addr` or `addrv2` came.
    pub fn on_addresses(&mut self, peer: PeerId, addresses: &[KnownAddress], now: Time) -> Vec<Outcome> {
        let before = self.learned.0;
        let mut out = Vec::new();
        let answer = self.was_asked(peer);
        let taken = match self.allow(peer, addresses.len(), now) {
            None => return out,
            Some(Err(fault)) => {
                out.push(Outcome::Fault(peer, fault));
                return out;
            }
            Some(Ok(taken)) => taken,
        };
        self.takes_part(peer, now, &mut out);
        let Some((source, scope)) = self.peers.get(&peer).map(|peer| (peer.group(), peer.scope())) else { return out };
        let wall = self.wall(now);
        // Which ones are taken must not depend on where the teller put them.
        let mut order: Vec<&KnownAddress> = addresses.iter().collect();
        self.random.shuffle(&mut order);
        for known in order.into_iter().take(taken) {
            let Some(address) = dialable(known, scope) else { continue };
            let seen = plausible(known.seen, wall);
            self.note_recent(peer, &address);
            let welcome = self.hear_of(&address, known.services, seen, (source, HEARSAY), now);
            let news = !answer && addresses.len() <= NEWS && wall.since(seen) < FRESH;
            if welcome && news {
                self.pass_on(peer, &KnownAddress { seen, ..known.clone() }, &address, now);
            }
        }
        self.told_since(before);
        self.answered(peer, addresses.len(), now);
        self.timers.at_latest(Timer::Refill, now.after(Duration::from_millis(100)));
        self.finish(out, now)
    }

    /// `yaprecord` came.
    pub fn on_records(&mut self, peer: PeerId, records: &[Arc<PeerRecord>], now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        let answer = self.was_asked(peer);
        let taken = match self.allow(peer, records.len(), now) {
            None => return out,
            Some(Err(fault)) => {
                out.push(Outcome::Fault(peer, fault));
                return out;
            }
            Some(Ok(taken)) => taken,
        };
        self.takes_part(peer, now, &mut out);
        for record in records.iter().take(taken) {
            let before = self.learned.0;
            let heard = self.hear_record(peer, record, now);
            self.told_since(before);
            match heard {
                Ok(fresh) if fresh && !answer && records.len() <= NEWS => self.pass_on_record(peer, record, now),
                Ok(_) => {}
                Err(fault) => {
                    out.push(Outcome::Fault(peer, fault));
                    return self.finish(out, now);
                }
            }
        }
        self.answered(peer, records.len(), now);
        self.timers.at_latest(Timer::Refill, now.after(Duration::from_millis(100)));
        self.finish(out, now)
    }

    /// Takes a record. Says whether it is news.
    fn hear_record(&mut self, peer: PeerId, record: &Arc<PeerRecord>, now: Time) -> Result<bool, Fault> {
        let Some(state) = self.peers.get_mut(&peer) else { return Ok(false) };
        let (source, scope, own) = (state.group(), state.scope(), state.identity == Some(record.identity));
        let hash = self.book.key().hash(9, &[record.sequence], None) ^ identity_hash(record.identity);
        if let Some(talk) = &mut state.talk {
            let _ = talk.recent.insert(hash);
        }
        let wall = self.wall(now);
        let known = self.book.record(&record.identity).map(|known| known.sequence);
        // Nothing is gained by an older one, and a signature takes its time to check.
        let stale = known.is_some_and(|known| known >= record.sequence);
        let ahead = record.sequence > wall.after(FRESH).0;
        if stale || ahead || Some(record.identity) == self.config.identity {
            return Ok(false);
        }
        record.verify().map_err(|_| Fault::Forged)?;
        let seen = Timestamp(record.sequence);
        let mut kept = false;
        let mut addresses = Vec::new();
        for endpoint in &record.endpoints {
            let address = Address { identity: Some(record.identity), endpoint: Endpoint::Libp2p(endpoint.clone()) };
            if address.scope().is_some_and(|reach| reach >= scope) && addresses.len() < MAX_PER_IDENTITY {
                addresses.push(address);
            }
        }
        // Where it was before, it is no more; unless somebody else says so, who may be in another network.
        if own {
            self.forget_others(record.identity, &addresses);
        }
        for address in &addresses {
            kept |= self.hear_of(address, record.services, seen, (source, Duration::ZERO), now);
        }
        let kept = kept && self.book.keep_record(record);
        Ok(kept && wall.since(seen) < FRESH)
    }

    /// Forgets libp2p addresses of `identity` that its own record does not name any more.
    fn forget_others(&mut self, identity: Identity, named: &[Address]) {
        for address in self.book.addresses_of(&identity) {
            let connected = self.peers.values().any(|peer| peer.address == address);
            let libp2p = matches!(address.endpoint, Endpoint::Libp2p(_));
            if libp2p && !connected && !named.contains(&address) {
                self.book.forget(&address);
            }
        }
    }

    /// Takes an address into the book, if it may be there. Says whether it may.
    pub(super) fn hear_of(
        &mut self,
        address: &Address,
        services: Services,
        seen: Timestamp,
        (source, penalty): (Group, Duration),
        now: Time,
    ) -> bool {
        let wall = self.wall(now);
        let unfit = address.scope().is_none()
            || self.exchange.is_own(address, self.config.identity)
            || Self::is_listed(&self.config.private, address, None)
            || self.bans.any(&Target::matching(address, None), wall);
        if unfit {
            return false;
        }
        let heard = Heard { address: address.clone(), services, seen, source, penalty };
        let known = self.book.get(address).is_some();
        let _ = self.book.hear(&heard, wall, &mut self.random);
        let kept = self.book.get(address).is_some();
        if kept && !known {
            self.learned.0 = self.learned.0.saturating_add(1);
        }
        kept
    }

    fn note_recent(&mut self, peer: PeerId, address: &Address) {
        let hash = self.book.key().hash(8, &[], Some(address));
        if let Some(talk) = self.talker(peer).and_then(|peer| peer.talk.as_mut()) {
            let _ = talk.recent.insert(hash);
        }
    }

    /// An inbound peer shows that it takes part in the exchange: it is told of news from now on.
    fn takes_part(&mut self, peer: PeerId, now: Time, out: &mut Vec<Outcome>) {
        let Some(talk) = self.talker(peer).and_then(|peer| peer.talk.as_mut()) else { return };
        if !std::mem::replace(&mut talk.takes_part, true) {
            self.advertise(peer, now, out);
        }
    }

    /// A seed is done when it has told anything more than its own address; what it sends at once may still come.
    fn answered(&mut self, peer: PeerId, count: usize, now: Time) {
        let seed = self.peers.get(&peer).is_some_and(|peer| peer.purpose == Some(Purpose::Seed));
        if seed && count > 1 {
            self.timers.at_latest(Timer::Seed(peer), now.after(Duration::from_secs(1)));
        }
    }
}

fn identity_hash(identity: Identity) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = identity.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The address that a peer at `scope` tells of, if it can mean anything to us and has blocks.
fn dialable(known: &KnownAddress, scope: Scope) -> Option<Address> {
    let NetworkId::Known(host) = &known.host else { return None };
    let useful = known.services.contains(Services::NETWORK) || known.services.contains(Services::NETWORK_LIMITED);
    let far = host.scope().is_some_and(|reach| reach >= scope);
    // I2P has no ports.
    let port = known.port != 0 || matches!(host, crate::address::Host::I2p(_));
    (useful && far && port)
        .then_some(Address { identity: None, endpoint: Endpoint::Bitcoin { host: *host, port: known.port } })
}

/// When an address was seen, as far as that can be.
fn plausible(seen: Timestamp, wall: Timestamp) -> Timestamp {
    let never = seen.0 <= 100_000_000;
    if never || seen > wall.after(FRESH) { Timestamp(wall.0.saturating_sub(DOUBTFUL.as_secs())) } else { seen }
}
