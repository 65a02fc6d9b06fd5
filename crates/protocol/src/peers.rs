//! The peers that are known, wanted and connected.
//!
//! Owns the address book, the places for outbound and inbound peers, scores and bans, and the telling of addresses. It
//! opens and closes nothing itself: the router turns its [`Outcome`]s into outputs.
//!
//! ```text
//!  learn, on_addresses, on_records ──▶ book ──▶ wants ──Dial──▶ connected ──▶ ready ──▶ disconnected
//!                                       ▲                         │  ▲          │
//!                    on_get_addresses ◀─┴── ChangeSet             │  │          ├── useful, latency ─▶ eviction
//!                                                          Refuse ┘  └ bans ◀── └── fault ─▶ score
//! ```
//!
//! | submodule | owns |
//! |---|---|
//! | `book` | addresses: new and tried, by secret buckets |
//! | `wants` | whom to dial, when, and why |
//! | `admit` | who is let in, who is parted from |
//! | `eviction` | which inbound peer gives way |
//! | `score`, [`ban`] | what faults lead to |
//! | `exchange` | telling and hearing of addresses |
//! | `change` | what is kept across restarts |
//!
//! Invariants, which `State::check` asserts: no kind of peer has more places than the configuration gives it; every
//! table is within its bound; all changes merged are the [`snapshot`](State::snapshot).
//!
//! Not its job: what makes a fault (each machine has its own), the handshake, and finding addresses outside the
//! protocol (mDNS, DNS, DHT), which come in by [`State::learn`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::{Address, Identity};
use crate::link::{PeerId, Purpose};
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::{Time, Timestamp};

mod admit;
pub mod ban;
mod book;
mod change;
mod config;
mod eviction;
mod exchange;
mod outcome;
mod penalise;
mod score;
mod session;
#[cfg(test)]
mod tests;
mod timers;
mod wants;

pub use change::{ChangeSet, DecodeError, Known, Place};
pub use config::{BAN, BLOCK_ONLY, Config, FEELER_INTERVAL, FULL, INBOUND, INBOUND_PER_GROUP};
pub use outcome::{AddError, Facts, Fault, Outcome, Status, Useful, Verdict};
pub use score::HALF_LIFE;
pub use wants::MAX_MANUAL;

use book::{Book, Key};
use change::MAX_ANCHORS;
use session::{Peer, Stage};
use timers::{Timer, Timers};

/// Longest that a change waits to be told.
pub const FLUSH_INTERVAL: Duration = Duration::from_secs(60);

/// So many changes are told without waiting. What one message of a peer adds may come on top: a few thousand at most.
pub const MAX_BATCH: usize = 1000;

/// How often bans that have ended are let go of.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Timers that one call handles. More than are ever due; those left over are due again at once.
const MAX_DUE: usize = 10_000;

/// The wall clock, as it was set last.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    wall: Timestamp,
    at: Time,
}

/// Every peer that is known, wanted or connected.
#[derive(Clone, Debug)]
pub struct State {
    config: Config,
    random: Random,
    clock: Clock,
    book: Book,
    bans: ban::Bans,
    grudges: score::Grudges,
    peers: BTreeMap<PeerId, Peer>,
    wants: wants::Wants,
    exchange: exchange::Exchange,
    timers: Timers,
    /// What was told last about being alone.
    alone: Option<bool>,
    anchors: Vec<Address>,
    /// Addresses that were new since the start: all of them, and those that peers told of.
    learned: (u64, u64),
    /// Changes other than the book's that were not told yet.
    changes: ChangeSet,
}

impl State {
    /// A machine that knows nobody. It wants a deadline at once.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        Self::restore(config, random, &ChangeSet::default())
    }

    /// The machine that changes led to, without its connections. They are merged before.
    #[must_use]
    pub fn restore(config: Config, mut random: Random, changes: &ChangeSet) -> Self {
        let key = changes.key.unwrap_or_else(|| [random.next_u64(), random.next_u64()]);
        let mut bans = ban::Bans::default();
        for (target, ban) in &changes.bans {
            if let Some(ban) = ban {
                let _ = bans.ban(target.clone(), *ban);
            }
        }
        let anchors: Vec<Address> = changes.anchors.iter().flatten().take(MAX_ANCHORS).cloned().collect();
        let mut timers = Timers::default();
        timers.set(Timer::Refill, Time::ZERO);
        timers.set(Timer::Sweep, Time::ZERO);
        if let Some(mean) = config.feelers {
            timers.set(Timer::Feeler, Time::ZERO.after(mean));
        }
        Self {
            book: Book::restore(Key(key), changes),
            wants: wants::Wants::new(anchors.clone()),
            exchange: exchange::Exchange::default(),
            grudges: score::Grudges::default(),
            clock: Clock::default(),
            changes: ChangeSet { key: changes.key.is_none().then_some(key), ..ChangeSet::default() },
            peers: BTreeMap::new(),
            alone: None,
            learned: (0, 0),
            config,
            random,
            bans,
            timers,
            anchors,
        }
    }

    /// The wall clock was set.
    pub fn clock(&mut self, wall: Timestamp, now: Time) {
        self.clock = Clock { wall, at: now };
    }

    /// Does what is due; harmless when nothing is.
    pub fn deadline(&mut self, now: Time) -> Vec<Outcome> {
        let mut out = Vec::new();
        for _ in 0..MAX_DUE {
            let Some(timer) = self.timers.due(now) else { break };
            match timer {
                Timer::Refill => self.refill(now, &mut out),
                Timer::Feeler => self.feel(now, &mut out),
                Timer::Sweep => self.sweep(now),
                Timer::Flush => out.extend(self.take_changes().map(Outcome::Persist)),
                Timer::Dial(address) => self.dial_ended(&address, now),
                Timer::Manual(address) => self.dial_manual(&address, now, &mut out),
                Timer::Tell(peer) => self.tell(peer, &mut out),
                Timer::Advertise(peer) => self.advertise(peer, now, &mut out),
                Timer::Seed(peer) => self.part(peer, Reason::Done, &mut out),
            }
        }
        self.finish(out, now)
    }

    /// When [`deadline`](Self::deadline) is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Changes that were not told by [`Outcome::Persist`] yet: for the shutdown.
    pub fn take_changes(&mut self) -> Option<ChangeSet> {
        self.timers.clear(&Timer::Flush);
        let mut changes = std::mem::take(&mut self.changes);
        self.book.take_changes(&mut changes);
        (!changes.is_empty()).then_some(changes)
    }

    /// Everything that is kept across restarts.
    #[must_use]
    pub fn snapshot(&self) -> ChangeSet {
        let mut all = ChangeSet::default();
        self.book.snapshot(&mut all);
        all.bans.extend(self.bans.iter().map(|(target, ban)| (target.clone(), Some(ban))));
        all.anchors = (!self.anchors.is_empty()).then(|| self.anchors.clone());
        all
    }

    /// Why we dialled the peer; `None` if we did not, or it is gone.
    #[must_use]
    pub fn purpose(&self, peer: PeerId) -> Option<Purpose> {
        self.peers.get(&peer)?.purpose
    }

    /// Every connection.
    pub fn peers(&self, now: Time) -> impl Iterator<Item = Status> + '_ {
        self.peers.iter().map(move |(id, peer)| peer.status(*id, now))
    }

    /// Every ban.
    pub fn bans(&self) -> impl Iterator<Item = (&ban::Target, ban::Ban)> {
        self.bans.iter()
    }

    /// Every known address, and what is known of it.
    pub fn known(&self) -> impl Iterator<Item = (&Address, &Known)> {
        self.book.iter().map(|entry| (&entry.address, &entry.known))
    }

    /// Addresses that were new since the start: those that no peer told of, and those that peers did.
    #[must_use]
    pub fn learned(&self) -> (u64, u64) {
        let (all, told) = self.learned;
        (all.saturating_sub(told), told)
    }

    /// How many addresses are known.
    #[must_use]
    pub fn known_len(&self) -> usize {
        self.book.len()
    }

    fn wall(&self, now: Time) -> Timestamp {
        self.clock.wall.after(now.since(self.clock.at))
    }

    fn is_listed(list: &[Address], address: &Address, identity: Option<Identity>) -> bool {
        let identity = identity.or(address.identity);
        list.iter().any(|listed| match listed.identity {
            Some(_) => listed.identity == identity,
            None => {
                let host = listed.endpoint.host();
                listed.endpoint == address.endpoint || (host.is_some() && host == address.endpoint.host())
            }
        })
    }

    /// Tells the peer to go, once.
    fn part(&mut self, peer: PeerId, why: Reason, out: &mut Vec<Outcome>) {
        if let Some(state) = self.peers.get_mut(&peer)
            && state.stage != Stage::Parting
        {
            state.stage = Stage::Parting;
            out.push(Outcome::Part(peer, why));
        }
    }

    fn sweep(&mut self, now: Time) {
        let wall = self.wall(now);
        while let Some(target) = self.bans.ended(wall) {
            self.changes.bans.insert(target, None);
        }
        self.timers.set(Timer::Sweep, now.after(SWEEP_INTERVAL));
    }

    /// Ends every call: says whether we are alone, and sees to the changes.
    fn finish(&mut self, mut out: Vec<Outcome>, now: Time) -> Vec<Outcome> {
        let alone = !self.peers.values().any(|peer| peer.is_ready() && peer.is_lasting());
        if self.alone != Some(alone) {
            self.alone = Some(alone);
            out.push(Outcome::Alone(alone));
        }
        self.keep_anchors();
        self.tell_batch(&mut out);
        if self.book.changes() > 0 || !self.changes.is_empty() {
            self.timers.at_latest(Timer::Flush, now.after(FLUSH_INTERVAL));
        }
        out
    }

    /// Tells the changes if there are many.
    fn tell_batch(&mut self, out: &mut Vec<Outcome>) {
        if self.changes.len().saturating_add(self.book.changes()) >= MAX_BATCH {
            out.extend(self.take_changes().map(Outcome::Persist));
        }
    }

    /// The peers for blocks alone are the next start's first: whoever gets us to restart gains nothing by it. The last
    /// ones stand until others take their places, so that none is lost while connections end at the shutdown.
    fn keep_anchors(&mut self) {
        let most = self.config.block_only.min(MAX_ANCHORS);
        let block_only = |peer: &&Peer| peer.is_ready() && peer.purpose == Some(Purpose::BlockOnly);
        let mut anchors: Vec<Address> = Vec::new();
        for peer in self.peers.values().filter(block_only).take(most) {
            anchors.push(peer.address.clone());
        }
        if anchors.iter().all(|anchor| self.anchors.contains(anchor)) {
            return;
        }
        let last = self.anchors.iter().filter(|last| !anchors.contains(last)).cloned().collect::<Vec<_>>();
        anchors.extend(last);
        anchors.truncate(most);
        self.changes.anchors = Some(anchors.clone());
        self.anchors = anchors;
    }

    /// Checks the invariants and bounds.
    ///
    /// # Panics
    /// If one is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        self.book.check();
        self.bans.check();
        self.grudges.check();
        self.check_places();
        self.exchange.check();
        let bound = self.peers.len().saturating_mul(3).saturating_add(self.wants.len()).saturating_add(4);
        assert!(self.timers.len() <= bound, "{} timers for {} peers", self.timers.len(), self.peers.len());
        assert!(self.changes.len().saturating_add(self.book.changes()) < MAX_BATCH, "changes are told in time");
        for peer in self.peers.values() {
            peer.talk.iter().for_each(|talk| exchange::check_talk(talk));
        }
    }
}
