//! Keep-alive: finds dead peers, and those too slow to be of use, by `ping` and `pong` with a nonce (BIP-0031).
//!
//! Owns for every connected peer when it was last heard and how long its answers take. Whatever a peer says counts as
//! life. Not its job: how fast it delivers blocks (`blocks`).
//!
//! ```text
//! Idle ──silent for interval, or unmeasured for long──▶ Waiting ──pong──▶ Idle
//!                          silent for `timeout`, or no pong for `patience` ─┴──▶ part: too slow
//! ```
//!
//! Invariant: each peer has exactly one timer. Hearing a peer does not move it (there are thousands of messages between
//! two pings); a timer that is due looks at what was heard since and is set anew.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::link::{Carrier, PeerId};
use crate::message::Message;
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::Time;

/// Silence after which a peer is pinged whose connection has signs of life of its own, as libp2p's have: there this finds
/// those that are connected and don't answer. Shorter than common NAT idle timeouts (3 min).
pub const PING_INTERVAL: Duration = Duration::from_secs(120);

/// Silence after which a peer is pinged on Bitcoin's transport, where nothing else tells that it is there. One that is gone is
/// noticed within [`PING_TIMEOUT`] of that: a status that still shows it is wrong for 40 seconds, where Bitcoin Core's
/// would be for 20 minutes.
pub const BARE_INTERVAL: Duration = Duration::from_secs(10);

/// Time after which a peer that is not silent is pinged too, so that its latency stays known.
pub const MEASURE_INTERVAL: Duration = Duration::from_secs(600);

/// Silence after a ping that means death. A node that writes its coins to the disk may say nothing for so long.
pub const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that a pong may take while other messages come, or while something large is on its way either way. As Bitcoin
/// Core's `TIMEOUT_INTERVAL`.
pub const PONG_PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Smoothed latency above which a peer is too slow. Tor and satellites stay below a third of it.
pub const MAX_LATENCY: Duration = Duration::from_secs(10);

/// Pongs in a row after which a latency above [`MAX_LATENCY`] costs the connection.
pub const SLOW_ROUNDS: u8 = 3;

/// Silence that a peer is excused for when it was asked for a block: one of 4 MB takes as long at [`SLOWEST`].
pub const BLOCK_PATIENCE: Duration = Duration::from_secs(120);

/// The slowest link on which blocks are of use: bytes per second.
pub const SLOWEST: u64 = 35_000;

/// How patient we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Silence after which a peer is pinged whose connection has signs of life of its own.
    pub interval: Duration,
    /// The same on Bitcoin's transport.
    pub bare_interval: Duration,
    /// Time after which a peer that is not silent is pinged too.
    pub measure: Duration,
    /// Silence after a ping that means death.
    pub timeout: Duration,
    /// Time that a pong may take on a link that is not silent.
    pub patience: Duration,
    /// Smoothed latency above which a peer is too slow.
    pub max_latency: Duration,
    /// Pongs in a row that must be so.
    pub slow_rounds: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: PING_INTERVAL,
            bare_interval: BARE_INTERVAL,
            measure: MEASURE_INTERVAL,
            timeout: PING_TIMEOUT,
            patience: PONG_PATIENCE,
            max_latency: MAX_LATENCY,
            slow_rounds: SLOW_ROUNDS,
        }
    }
}

/// How long a peer's answers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The shortest.
    pub min: Duration,
    /// The newest.
    pub last: Duration,
    /// Seven eighths of what it was and one of the newest, each time (RFC 6298).
    pub smoothed: Duration,
}

impl Latency {
    fn new(first: Duration) -> Self {
        Self { min: first, last: first, smoothed: first }
    }

    fn add(&mut self, last: Duration) {
        let old = self.smoothed.saturating_mul(7);
        let smoothed = old.saturating_add(last).checked_div(8).unwrap_or(last);
        *self = Self { min: self.min.min(last), last, smoothed };
    }
}

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome {
    /// Send a message.
    Send(PeerId, Message),
    /// End the connection. It is nobody's fault.
    Part(PeerId, Reason),
}

/// Every connected peer.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
    peers: BTreeMap<PeerId, Peer>,
    timers: BTreeSet<(Time, PeerId)>,
}

#[derive(Debug)]
struct Peer {
    timer: Time,
    /// Silence after which it is pinged.
    interval: Duration,
    heard: Time,
    /// When the newest ping left, or the connection opened.
    pinged: Time,
    /// The nonce that a pong must bring.
    waiting: Option<u64>,
    latency: Latency,
    /// Pongs in a row after which the smoothed latency was too long.
    slow: u8,
    /// Until then a block is on its way to us, and silence means nothing.
    awaited: Time,
    /// Until then what we sent may be on its way.
    sending: Time,
    congested: bool,
}

impl State {
    /// Nobody is connected.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        Self { config, random, peers: BTreeMap::new(), timers: BTreeSet::new() }
    }

    /// Takes a peer whose handshake is done and took `latency` per answer.
    pub fn ready(&mut self, peer: PeerId, carrier: Carrier, latency: Duration, now: Time) {
        self.disconnected(peer);
        let interval = match carrier {
            Carrier::Libp2p => self.config.interval,
            Carrier::Bitcoin => self.config.bare_interval,
        };
        let timer = now.after(interval);
        let latency = Latency::new(latency);
        let entry = Peer {
            timer,
            interval,
            heard: now,
            pinged: now,
            waiting: None,
            latency,
            slow: 0,
            awaited: Time::ZERO,
            sending: Time::ZERO,
            congested: false,
        };
        self.peers.insert(peer, entry);
        self.timers.insert((timer, peer));
    }

    /// Forgets a peer.
    pub fn disconnected(&mut self, peer: PeerId) {
        if let Some(entry) = self.peers.remove(&peer) {
            self.timers.remove(&(entry.timer, peer));
        }
    }

    /// A message came, whichever.
    pub fn heard(&mut self, peer: PeerId, now: Time) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.heard = entry.heard.max(now);
        }
    }

    /// A block was asked for. It holds up what comes behind it, so that silence means nothing until it is here.
    pub fn awaits(&mut self, peer: PeerId, now: Time) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.awaited = entry.awaited.max(now.after(BLOCK_PATIENCE));
        }
    }

    /// Nothing is awaited any more.
    pub fn delivered(&mut self, peer: PeerId, now: Time) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.awaited = entry.awaited.min(now);
        }
    }

    /// So many bytes were sent: our pings wait behind them.
    pub fn sends(&mut self, peer: PeerId, bytes: usize, now: Time) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / SLOWEST;
            entry.sending = entry.sending.max(now).after(Duration::from_micros(micros));
        }
    }

    /// What we send piles up, or does not any more. While it does, our pings wait in the pile, and pongs are left out:
    /// else a peer that pings without reading would make the pile grow.
    pub fn congested(&mut self, peer: PeerId, congested: bool, now: Time) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.congested = congested;
            entry.heard = entry.heard.max(now);
        }
    }

    /// Answers a `ping`.
    pub fn on_ping(&mut self, peer: PeerId, nonce: u64) -> Vec<Outcome> {
        let answers = self.peers.get(&peer).is_some_and(|entry| !entry.congested);
        if answers { vec![Outcome::Send(peer, Message::Pong(nonce))] } else { Vec::new() }
    }

    /// Takes a `pong`. One with another nonce may belong to an older ping: as in Bitcoin Core it is passed over.
    pub fn on_pong(&mut self, peer: PeerId, nonce: u64, now: Time) -> Vec<Outcome> {
        let Some(entry) = self.peers.get_mut(&peer) else { return Vec::new() };
        if entry.waiting != Some(nonce) {
            return Vec::new();
        }
        entry.waiting = None;
        entry.heard = entry.heard.max(now);
        let excused = entry.excused() >= entry.pinged || entry.congested;
        if !excused {
            entry.latency.add(now.since(entry.pinged));
        }
        if entry.latency.smoothed <= self.config.max_latency {
            entry.slow = 0;
        } else if !excused {
            entry.slow = entry.slow.saturating_add(1);
        }
        if entry.slow >= self.config.slow_rounds {
            return vec![Outcome::Part(peer, Reason::TooSlow)];
        }
        Vec::new()
    }

    /// Pings who was silent, and gives up who did not answer.
    pub fn deadline(&mut self, now: Time) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        // Every timer is set to a later moment than `now`, so each peer is looked at once.
        while let Some((_, peer)) = self.timers.first().copied().filter(|(timer, _)| *timer <= now) {
            self.timers.pop_first();
            let Some(entry) = self.peers.get_mut(&peer) else { continue };
            let due = entry.due(&self.config);
            if due > now {
                entry.timer = due;
            } else if entry.waiting.is_some() {
                outcomes.push(Outcome::Part(peer, Reason::TooSlow));
                // The router parts; if it does not, it is asked again later.
                entry.timer = now.after(self.config.timeout);
            } else {
                let nonce = self.random.next_u64();
                entry.waiting = Some(nonce);
                entry.pinged = now;
                entry.timer = now.after(self.config.timeout);
                outcomes.push(Outcome::Send(peer, Message::Ping(nonce)));
            }
            // A configuration of zeros must not spin.
            entry.timer = entry.timer.max(now.after(Duration::from_micros(1)));
            self.timers.insert((entry.timer, peer));
        }
        outcomes
    }

    /// Pings everybody of whom no pong is waited for, whether it is due or not.
    pub fn ping(&mut self, now: Time) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (peer, entry) in &mut self.peers {
            if entry.waiting.is_some() {
                continue;
            }
            let nonce = self.random.next_u64();
            entry.waiting = Some(nonce);
            entry.pinged = now;
            self.timers.remove(&(entry.timer, *peer));
            entry.timer = now.after(self.config.timeout).max(now.after(Duration::from_micros(1)));
            self.timers.insert((entry.timer, *peer));
            outcomes.push(Outcome::Send(*peer, Message::Ping(nonce)));
        }
        outcomes
    }

    /// When somebody must be looked at next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.first().map(|(timer, _)| *timer)
    }

    /// How long a peer's answers take.
    #[must_use]
    pub fn latency(&self, peer: PeerId) -> Option<Latency> {
        self.peers.get(&peer).map(|entry| entry.latency)
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    /// Checks what always holds.
    ///
    /// # Panics
    /// If it does not.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        assert_eq!(self.peers.len(), self.timers.len(), "one timer for each peer");
        for (peer, entry) in &self.peers {
            assert!(self.timers.contains(&(entry.timer, *peer)), "{peer} has no timer");
            assert!(entry.latency.min <= entry.latency.last, "{peer} was faster than its fastest");
        }
    }
}

impl Peer {
    /// Until then something large may be on its way, one way or the other.
    fn excused(&self) -> Time {
        self.awaited.max(self.sending)
    }

    /// When the next thing is due: a ping, or while one is waited for, the end of the connection.
    fn due(&self, config: &Config) -> Time {
        if self.waiting.is_none() {
            return self.heard.after(self.interval).min(self.pinged.after(config.measure));
        }
        let limit = self.pinged.after(config.patience);
        let silent = self.heard.max(self.pinged).max(self.excused()).after(config.timeout);
        if self.congested { limit } else { silent.min(limit) }
    }
}
