//! What is remembered of one connection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, Group, Identity, Scope};
use crate::link::{Direction, Link, PeerId, Purpose};
use crate::message::{Features, KnownAddress, PeerRecord, Services};
use crate::time::Time;

use super::ban::Target;
use super::outcome::{Facts, Status, Useful};
use super::score::Score;

/// Hashes of addresses that one generation of [`Recent`] holds.
pub(super) const RECENT: usize = 1000;

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its handshake goes on.
    Greeting,
    /// Its handshake goes on, and there is no room: it will be told of others.
    Overflow,
    /// Its handshake goes on, beside another connection with the same peer: it takes that one's place once it is done.
    Rival,
    /// Its handshake is done.
    Ready,
    /// It was told to go.
    Parting,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: Address,
    pub(super) identity: Option<Identity>,
    pub(super) direction: Direction,
    pub(super) purpose: Option<Purpose>,
    pub(super) since: Time,
    pub(super) stage: Stage,
    pub(super) facts: Option<Facts>,
    pub(super) score: Score,
    pub(super) latency: Option<Duration>,
    pub(super) useful: [u32; 3],
    pub(super) last_block: Option<Time>,
    pub(super) last_transaction: Option<Time>,
    pub(super) manual: bool,
    pub(super) unconditional: bool,
    /// What was said about addresses; `None` for whoever is not told of any.
    pub(super) talk: Option<Box<Talk>>,
}

impl Peer {
    pub(super) fn new(link: &Link, score: Score, now: Time) -> Self {
        Self {
            address: link.address.clone(),
            identity: link.identity.or(link.address.identity),
            direction: link.direction,
            purpose: link.purpose,
            since: now,
            stage: Stage::Greeting,
            facts: None,
            score,
            latency: None,
            useful: [0; 3],
            last_block: None,
            last_transaction: None,
            manual: link.purpose == Some(Purpose::Manual),
            unconditional: false,
            talk: None,
        }
    }

    pub(super) fn is_inbound(&self) -> bool {
        self.direction == Direction::Inbound
    }

    /// Whether it takes a place: it was not told to go, there is room, and it does not wait for the place of another.
    pub(super) fn is_seated(&self) -> bool {
        matches!(self.stage, Stage::Greeting | Stage::Ready)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Whether it stays when nothing goes wrong.
    pub(super) fn is_lasting(&self) -> bool {
        !matches!(self.purpose, Some(Purpose::Feeler | Purpose::Seed))
    }

    pub(super) fn group(&self) -> Group {
        match self.direction {
            Direction::Inbound => self.address.endpoint.source_group(),
            Direction::Outbound => self.address.group(),
        }
    }

    /// How far away it is. What it tells of reaches at least as far, or means nothing to us.
    pub(super) fn scope(&self) -> Scope {
        self.address.scope().unwrap_or(Scope::Public)
    }

    pub(super) fn targets(&self) -> Vec<Target> {
        Target::of(&self.address, self.identity)
    }

    pub(super) fn knows_records(&self) -> bool {
        self.facts.is_some_and(|facts| facts.features.contains(Features::PEER_RECORDS))
    }

    pub(super) fn help(&mut self, useful: Useful, now: Time) {
        let [blocks, transactions, headers] = &mut self.useful;
        let count = match useful {
            Useful::Block => {
                self.last_block = Some(now);
                blocks
            }
            Useful::Transaction => {
                self.last_transaction = Some(now);
                transactions
            }
            Useful::Headers => headers,
        };
        *count = count.saturating_add(1);
    }

    pub(super) fn status(&self, peer: PeerId, now: Time) -> Status {
        Status {
            peer,
            address: self.address.clone(),
            direction: self.direction,
            purpose: self.purpose,
            ready: self.is_ready(),
            since: self.since,
            score: self.score.points(now),
            services: self.facts.map_or(Services::NONE, |facts| facts.services),
            latency: self.latency,
            useful: self.useful,
            last_block: self.last_block,
            last_transaction: self.last_transaction,
            manual: self.manual,
            unconditional: self.unconditional,
        }
    }
}

/// What was said to a peer about addresses, and by it.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    /// Thousandths of addresses that are still taken from it.
    pub(super) tokens: u64,
    /// When they were counted last.
    pub(super) counted: Time,
    /// Whether we asked and were not answered.
    pub(super) asked: bool,
    /// Whether it asked: it is answered once.
    pub(super) answered: bool,
    /// Whether it is told of fresh addresses: it shows that it takes part, or we dialled it.
    pub(super) takes_part: bool,
    /// What both of us know.
    pub(super) recent: Recent,
    /// What it will be told of.
    pub(super) queue: Vec<KnownAddress>,
    /// Records that it will be told.
    pub(super) records: Vec<Arc<PeerRecord>>,
}

/// A set of hashes that forgets the oldest: between [`RECENT`] and twice as many are held.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    young: BTreeSet<u32>,
    old: BTreeSet<u32>,
}

impl Recent {
    /// Adds a hash. Says whether it was not there.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let [a, b, c, d, ..] = hash.to_le_bytes();
        let hash = u32::from_le_bytes([a, b, c, d]);
        let fresh = !self.young.contains(&hash) && !self.old.contains(&hash);
        if self.young.len() >= RECENT {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash);
        fresh
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.young.len() <= RECENT && self.old.len() <= RECENT, "recent addresses have a bound");
    }
}
