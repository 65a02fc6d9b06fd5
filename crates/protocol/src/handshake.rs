//! The handshake: who is there, what each side can do, and whether the two have anything to say to each other.
//!
//! Owns every connection whose handshake is not done, and our nonces on them. As Bitcoin Core's, with one message more
//! (`yapgreeting`) where the carrier has room for it:
//!
//! ```text
//!  dialler                                    answerer
//!     │ version ───────────────────────────────▶ │
//!     │ ◀─────────────────────────────── version │
//!     │ ◀─ wtxidrelay, sendaddrv2, yapgreeting ─ │
//!     │ ◀──────────────────────────────── verack │
//!     │ ─ wtxidrelay, sendaddrv2, yapgreeting ─▶ │
//!     │ verack ────────────────────────────────▶ │
//! ```
//!
//! Not its job: which addresses are worth a connection and whether there is room for one (`peers`), what the greeting's
//! chain is worth (`compare`, `headers`). Invariants: at most [`MAX_PENDING`] handshakes at a time, each ends by its
//! deadline, and a nonce lives exactly as long as its handshake.

mod clock;
mod duplicate;
mod exchange;
mod fault;
mod standing;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::link::{Carrier, Direction, Link, PeerId, Purpose};
use crate::message::{Features, Greeting, Message, NetworkId, PROTOCOL_VERSION, Services, Version};
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::Time;

pub use self::clock::{ClockOffset, MAX_OFFSETS, MIN_OFFSETS, Offsets, TOLERANCE};
pub use self::duplicate::Precedence;
use self::exchange::Exchange;
pub use self::fault::Fault;
pub use self::standing::{LIMITED_DEPTH, Standing};

/// Time that a handshake may take, as Bitcoin Core's `-peertimeout`.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// The oldest version of the protocol that is spoken with, as in Bitcoin Core: the first with `getheaders`.
pub const MIN_VERSION: u32 = 31_800;

/// Most handshakes at a time, some 1 KiB each. Twice the inbound connections that a large node has.
pub const MAX_PENDING: usize = 256;

/// Of those, as many are kept for peers that we dial: else whoever dials us and says nothing could keep us from dialling.
pub const RESERVED_OUTBOUND: usize = 32;

/// What we say of ourselves on every connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Time that a handshake may take.
    pub timeout: Duration,
    /// What we offer.
    pub services: Services,
    /// Our program (BIP-0014), at most [`MAX_USER_AGENT`](crate::message::MAX_USER_AGENT) bytes.
    pub user_agent: Box<str>,
    /// The extensions that we offer.
    pub features: Features,
    /// Whether we want to hear of transactions at all.
    pub relay: bool,
    /// Whether peers may send us small transactions unasked.
    pub push: bool,
    /// The key that peers use for transactions that they announce to us by short id.
    pub short_id_key: [u64; 2],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: HANDSHAKE_TIMEOUT,
            services: Services::NETWORK.with(Services::WITNESS).with(Services::NETWORK_LIMITED),
            user_agent: concat!("/yap:", env!("CARGO_PKG_VERSION"), "/").into(),
            features: Features::ALL,
            relay: true,
            push: true,
            short_id_key: [0; 2],
        }
    }
}

/// A connection that is ready for everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Established {
    /// The version of the protocol that both speak.
    pub version: u32,
    /// What the peer offers.
    pub services: Services,
    /// The peer's program (BIP-0014), as it says.
    pub user_agent: Box<str>,
    /// The height of the peer's tip, as it says. Nothing is to be decided on it.
    pub start_height: i32,
    /// How the peer sees our address.
    pub seen_as: (NetworkId, u16),
    /// Whether the peer is told of transactions: it wants to be (BIP-0037), and the link is not for blocks alone.
    pub relay: bool,
    /// Whether the peer is told of transactions by `wtxid` (BIP-0339).
    pub wtxid_relay: bool,
    /// Whether the peer takes `addrv2` (BIP-0155).
    pub addrv2: bool,
    /// The extensions that both know.
    pub features: Features,
    /// The peer's greeting, if it sent one. Its chain is ours; its tip and work are claims.
    pub greeting: Option<Greeting>,
    /// Seconds by which the peer's clock is ahead of ours.
    pub clock_offset: i64,
    /// From our `version` to the first message that answers it.
    pub latency: Duration,
    /// Which of two connections between the same nodes stays.
    pub precedence: Precedence,
}

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome {
    /// Send a message.
    Send(PeerId, Message),
    /// The handshake is done.
    Done(PeerId, Box<Established>),
    /// End the connection. It is nobody's fault.
    Part(PeerId, Reason),
    /// The peer broke a rule. The handshake goes on, unless the penalty ends the connection.
    Fault(PeerId, Fault),
    /// Our clock disagrees with those of the peers that we dialled (`Some`), or does not any more.
    Clock(Option<ClockOffset>),
}

/// Every handshake that is not done.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
    pending: BTreeMap<PeerId, Exchange>,
    deadlines: BTreeSet<(Time, PeerId)>,
    /// Our nonces in `pending`: whoever sends us one of them is ourselves.
    nonces: BTreeSet<u64>,
    offsets: Offsets,
}

impl State {
    /// No connection.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        let (pending, deadlines, nonces) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { config, random, pending, deadlines, nonces, offsets: Offsets::default() }
    }

    /// Takes an open connection on which nothing was said. If we dialled it, we speak first.
    pub fn connected(&mut self, peer: PeerId, link: &Link, standing: &Standing, now: Time) -> Vec<Outcome> {
        let reserved = if link.direction == Direction::Inbound { RESERVED_OUTBOUND } else { 0 };
        if self.pending.len().saturating_add(reserved) >= MAX_PENDING {
            return vec![Outcome::Part(peer, Reason::Full)];
        }
        let nonce = self.random.next_u64();
        let deadline = now.after(self.config.timeout);
        let relay = self.config.relay && !matches!(link.purpose, Some(Purpose::BlockOnly | Purpose::Feeler));
        let mut exchange = Exchange::new(link, nonce, self.config.short_id_key, relay, deadline);
        let mut outcomes = Vec::new();
        if link.direction == Direction::Outbound {
            exchange.sent = Some(now);
            outcomes.push(Outcome::Send(peer, exchange.our_version(&self.config, standing)));
        }
        self.nonces.insert(nonce);
        self.deadlines.insert((deadline, peer));
        self.pending.insert(peer, exchange);
        outcomes
    }

    /// Forgets a connection.
    pub fn disconnected(&mut self, peer: PeerId) {
        let _ = self.end(peer);
    }

    /// Whether the handshake is not done: until then every message of the peer comes here. Afterwards those of the
    /// handshake still do: `version`, `verack`, `wtxidrelay`, `sendaddrv2`, `yapgreeting`.
    #[must_use]
    pub fn is_pending(&self, peer: PeerId) -> bool {
        self.pending.contains_key(&peer)
    }

    /// Takes a message. As in Bitcoin Core, what comes too early is passed over, and what must come before `verack` may
    /// not come after it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not of the handshake waits until it is done")]
    pub fn on_message(&mut self, peer: PeerId, message: &Message, standing: &Standing, now: Time) -> Vec<Outcome> {
        let Some(exchange) = self.pending.get_mut(&peer) else { return late(peer, message) };
        if exchange.theirs.is_none() && !matches!(message, Message::Version(_)) {
            return Vec::new();
        }
        match message {
            Message::Version(version) => self.on_version(peer, version, standing, now),
            Message::Verack => self.on_verack(peer, now),
            Message::WtxidRelay => {
                exchange.wtxid_relay = exchange.common_version() >= PROTOCOL_VERSION;
                Vec::new()
            }
            Message::SendAddrV2 => {
                exchange.addrv2 = true;
                Vec::new()
            }
            Message::Greeting(greeting) => self.on_greeting(peer, greeting, standing),
            _ => Vec::new(),
        }
    }

    fn on_version(&mut self, peer: PeerId, version: &Version, standing: &Standing, now: Time) -> Vec<Outcome> {
        let Some(exchange) = self.pending.get_mut(&peer) else { return Vec::new() };
        if exchange.theirs.is_some() {
            return vec![Outcome::Fault(peer, Fault::RepeatedVersion)];
        }
        if self.nonces.contains(&version.nonce) {
            return self.part(peer, Reason::Myself);
        }
        if !exchange.is_useful(version, standing) {
            return self.part(peer, Reason::Useless);
        }
        exchange.take(version, standing.wall, now);
        let mut outcomes = Vec::new();
        if exchange.direction == Direction::Inbound {
            exchange.sent = Some(now);
            outcomes.push(Outcome::Send(peer, exchange.our_version(&self.config, standing)));
        }
        let answer = exchange.our_features(&self.config, standing);
        outcomes.extend(answer.into_iter().map(|message| Outcome::Send(peer, message)));
        outcomes
    }

    fn on_greeting(&mut self, peer: PeerId, greeting: &Greeting, standing: &Standing) -> Vec<Outcome> {
        let Some(exchange) = self.pending.get_mut(&peer) else { return Vec::new() };
        // Nothing was said of extensions on this carrier, so the message means nothing on it.
        if exchange.carrier == Carrier::Bitcoin {
            return Vec::new();
        }
        if exchange.greeting.is_some() {
            return vec![Outcome::Fault(peer, Fault::RepeatedGreeting)];
        }
        if greeting.genesis != standing.genesis {
            return self.part(peer, Reason::WrongChain);
        }
        exchange.greeting = Some(*greeting);
        Vec::new()
    }

    fn on_verack(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        let Some(exchange) = self.end(peer) else { return Vec::new() };
        let outbound = exchange.direction == Direction::Outbound;
        let Some(established) = exchange.established(self.config.features, now) else { return Vec::new() };
        let mut outcomes = Vec::new();
        // Inbound peers choose us, and could so choose what we believe of our clock.
        if outbound && let Some(change) = self.offsets.add(established.clock_offset) {
            outcomes.push(Outcome::Clock(change));
        }
        outcomes.push(Outcome::Done(peer, Box::new(established)));
        outcomes
    }

    /// Ends the handshakes whose time is over.
    pub fn deadline(&mut self, now: Time) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while let Some((_, peer)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= now) {
            outcomes.extend(self.part(peer, Reason::Handshake));
        }
        outcomes
    }

    /// When the next handshake's time is over.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// What the peers that we dialled say of our clock.
    #[must_use]
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    fn part(&mut self, peer: PeerId, reason: Reason) -> Vec<Outcome> {
        let _ = self.end(peer);
        vec![Outcome::Part(peer, reason)]
    }

    fn end(&mut self, peer: PeerId) -> Option<Exchange> {
        let exchange = self.pending.remove(&peer)?;
        self.nonces.remove(&exchange.nonce);
        self.deadlines.remove(&(exchange.deadline, peer));
        Some(exchange)
    }

    /// Checks what always holds.
    ///
    /// # Panics
    /// If it does not.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        assert!(self.pending.len() <= MAX_PENDING, "{} handshakes", self.pending.len());
        assert_eq!(self.pending.len(), self.nonces.len(), "a nonce for each handshake");
        assert_eq!(self.pending.len(), self.deadlines.len(), "a deadline for each handshake");
        for (peer, exchange) in &self.pending {
            assert!(self.nonces.contains(&exchange.nonce), "{peer} has no nonce");
            assert!(self.deadlines.contains(&(exchange.deadline, *peer)), "{peer} has no deadline");
        }
        self.offsets.check();
    }
}

/// What a message of the handshake is worth after its end.
#[expect(clippy::wildcard_enum_match_arm, reason = "other messages are not of the handshake")]
fn late(peer: PeerId, message: &Message) -> Vec<Outcome> {
    let message = match message {
        Message::Version(_) => return vec![Outcome::Fault(peer, Fault::RepeatedVersion)],
        Message::WtxidRelay => "wtxidrelay",
        Message::SendAddrV2 => "sendaddrv2",
        Message::Greeting(_) => "yapgreeting",
        // Bitcoin Core passes over a second `verack`.
        _ => return Vec::new(),
    };
    vec![Outcome::Fault(peer, Fault::Late { message })]
}
