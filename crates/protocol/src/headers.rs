//! Headers first: learns every branch of work that peers have, and serves ours.
//!
//! Owns what each peer has shown to have, the one question that each may be asked at a time, and who may be asked on and
//! on. Tells [`Outcome::Has`] and [`Outcome::New`]; which blocks to fetch is not its job (`blocks`), nor announcing our
//! own tip (`compact`).
//!
//! ```text
//!           ready / inv / header without parent
//! Idle ──────────────getheaders──────────────▶ Asked ──not full──▶ Idle, the next are asked
//!   ▲                                            │ full
//!   └───── deadline: another takes over ─────────┤ may it go on? (at most MAX_SYNCS do)
//!                                                ├─ enough work ─▶ tree, getheaders
//!                                                └─ too little ──▶ counted, then fetched again ─▶ tree
//! ```
//!
//! Until one peer has answered to its end, one at a time is asked, of those we dialled who promises most; then all others
//! are, so that every branch becomes known.
//!
//! No header enters the tree before its chain claims at least [`threshold`]'s work: headers are kept for ever, and else
//! anybody could fill our memory with a billion that cost nothing. A chain that starts with less is fetched twice, as by
//! Bitcoin Core's `HeadersSyncState`: first only counting, then keeping.
//!
//! Bounds: of each peer one question, one hash and one header; of at most [`MAX_SYNCS`] peers, [`MAX_PRESYNC`] bytes.

mod fault;
mod peer;
mod presync;
mod receive;
mod serve;

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test may overflow or panic: it fails"
)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::{BlockHash, Work};
use yap_chain::header::tree;

use self::peer::{Peer, Turn};
use crate::ledger::Ledger;
use crate::link::{Link, PeerId};
use crate::message::{Locate, MAX_HEADERS, Message};
use crate::penalty::Reason;
use crate::random::Random;
use crate::time::{Time, Timestamp};

pub use self::fault::Fault;
pub use self::presync::{COMMITMENT_PERIOD, LOOKAHEAD, MAX_COMMITMENTS, MAX_PRESYNC};

/// Peers that may be asked on and on at a time. It bounds presyncs, and traffic that brings everything again.
pub const MAX_SYNCS: usize = 4;

/// Of those, peers that dialled us: whoever attacks by dialling must not take every place.
pub const MAX_INBOUND_SYNCS: usize = 2;

/// Time that any answer may take. A quarter of Bitcoin Core's, since all that is lost is a turn.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Time that an answer may take more for each header that may come: a line of 16 kB/s is quick enough.
pub const ANSWER_TIMEOUT_PER_HEADER: Duration = Duration::from_millis(5);

/// Time for which one peer may be asked on while others wait, as Bitcoin Core's `HEADERS_DOWNLOAD_TIMEOUT_BASE`.
pub const SYNC_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Time more for each header that should exist by the clock, likewise.
pub const SYNC_TIMEOUT_PER_HEADER: Duration = Duration::from_millis(1);

/// Questions left unanswered in a row after which a peer is not asked unless it announces something; if we dialled it, it
/// is left.
pub const MAX_STALLS: u8 = 3;

/// Announcements in a row whose headers the peer does not give when asked, before it is a fault. A peer whose chain
/// changes between the two is honest.
pub const MAX_UNCONNECTING: u8 = 10;

/// Times that a chain may change while it is fetched twice, as by a reorganisation, before the peer is asked no more.
pub const MAX_RESTARTS: u8 = 3;

/// Headers that one announcement has at most, as Bitcoin Core's `MAX_BLOCKS_TO_ANNOUNCE`. More are an answer.
pub const MAX_ANNOUNCED: usize = 8;

/// Blocks of our tip's difficulty by which a branch may have less work than our tip, as in Bitcoin Core: one that left
/// ours a day ago is worth knowing.
pub const WORK_MARGIN: u32 = 144;

/// How patient and how careful we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Time that any answer may take.
    pub answer: Duration,
    /// Time that it may take more for each header that may come.
    pub answer_per_header: Duration,
    /// Time for which one peer may be asked on while others wait.
    pub sync: Duration,
    /// Time more for each header that should exist by the clock.
    pub sync_per_header: Duration,
    /// Headers between those of which a bit is remembered while counting; 0 counts as 1.
    pub commitment_period: u32,
    /// Headers held back while fetching again, at most [`LOOKAHEAD`].
    pub lookahead: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            answer: ANSWER_TIMEOUT,
            answer_per_header: ANSWER_TIMEOUT_PER_HEADER,
            sync: SYNC_TIMEOUT,
            sync_per_header: SYNC_TIMEOUT_PER_HEADER,
            commitment_period: COMMITMENT_PERIOD,
            lookahead: LOOKAHEAD,
        }
    }
}

/// The time, on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By which waits are measured.
    pub now: Time,
    /// By which headers are judged.
    pub wall: Timestamp,
}

/// What a peer claims of its chain when it greets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its tip.
    pub tip: BlockHash,
    /// The work of its chain.
    pub work: Work,
}

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome {
    /// Send a message.
    Send(PeerId, Message),
    /// The peer showed that it has the block, and every one before it.
    Has {
        /// Who.
        peer: PeerId,
        /// The block.
        id: tree::Id,
    },
    /// Headers joined the tree, each following the one before.
    New {
        /// Who sent them.
        peer: PeerId,
        /// The last one.
        tip: tree::Id,
        /// How many.
        count: u32,
    },
    /// End the connection. It is nobody's fault.
    Part(PeerId, Reason),
    /// The peer broke a rule.
    Fault(PeerId, Fault),
}

/// What became of a header that came by itself, as with a compact block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Place {
    /// It is in the tree; `new` if it was not before.
    Accepted {
        /// The header.
        id: tree::Id,
        /// Whether it was not known before.
        new: bool,
    },
    /// Its parent is not known. The peer is asked for what lies between.
    Orphan,
    /// Its chain has too little work to be kept.
    LowWork,
    /// Its time is too far ahead of our clock. It may be taken later.
    Early,
    /// It, or one before it, is invalid.
    Invalid,
    /// The tree takes no more.
    Full,
}

/// What every peer has, and who is asked.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
    peers: BTreeMap<PeerId, Peer>,
    /// Deadlines of the questions that are not answered.
    deadlines: BTreeSet<(Time, PeerId)>,
    /// Whether a peer has answered to its end.
    caught_up: bool,
    /// The newest block whose announcer was asked although another was being asked on and on.
    helped: Option<BlockHash>,
}

/// The work that a chain must have for its headers to be kept: what the spec demands, or about that of our tip.
#[must_use]
pub fn threshold(ledger: &dyn Ledger) -> Work {
    let tree = ledger.tree();
    tree.work_less(ledger.tip(), WORK_MARGIN).max(tree.spec().minimum_work)
}

impl State {
    /// Nobody is connected.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        Self { config, random, peers: BTreeMap::new(), deadlines: BTreeSet::new(), caught_up: false, helped: None }
    }

    /// Takes a peer whose handshake is done.
    pub fn ready(
        &mut self,
        peer: PeerId,
        link: &Link,
        claim: Option<Claim>,
        ledger: &dyn Ledger,
        at: Moment,
    ) -> Vec<Outcome> {
        self.remove(peer);
        // What a peer says it lacks need not be asked for. It will announce what it gets.
        let asked = claim.is_none_or(|claim| claim.work >= threshold(ledger) || ledger.tree().contains(&claim.tip));
        let turn = if asked { Turn::New } else { Turn::Idle };
        self.peers.insert(peer, Peer::new(link, claim, turn, self.random.next_u64()));
        self.advance(ledger, at)
    }

    /// Forgets a peer; another takes its turn.
    pub fn disconnected(&mut self, peer: PeerId, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        self.remove(peer);
        self.advance(ledger, at)
    }

    /// Takes the announcement of a block by its hash.
    pub fn on_inv(&mut self, peer: PeerId, hash: BlockHash, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        let tree = ledger.tree();
        let Some(id) = tree.get(&hash) else { return self.want(peer, hash, ledger, at) };
        if tree.status(id) == tree::Status::Valid { self.shown(peer, id, tree) } else { Vec::new() }
    }

    /// Answers `getheaders`; with the last header of our chain that whoever asked has then, if that can be told.
    #[must_use]
    pub fn on_getheaders(&self, locate: &Locate, ledger: &dyn Ledger) -> (Message, Option<tree::Id>) {
        serve::answer(locate, ledger)
    }

    /// Gives the turns of those who did not answer to others.
    pub fn deadline(&mut self, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut expired = false;
        // No question is asked before all that are due are looked at, so each is looked at once.
        while let Some((_, peer)) = self.deadlines.first().copied().filter(|(deadline, _)| *deadline <= at.now) {
            self.deadlines.pop_first();
            expired = true;
            let Some(entry) = self.peers.get_mut(&peer) else { continue };
            entry.question = None;
            entry.presync = None;
            entry.stalls = entry.stalls.saturating_add(1);
            entry.turn = Turn::New;
            if entry.stalls >= MAX_STALLS {
                entry.turn = Turn::Idle;
                // Whoever dialled us may be learning the chain from us: Bitcoin Core before 24 then answered nobody.
                if !entry.inbound {
                    outcomes.push(Outcome::Part(peer, Reason::TooSlow));
                }
            }
        }
        if expired {
            outcomes.extend(self.advance(ledger, at));
        }
        outcomes
    }

    /// When the next question has waited for too long.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The header of the most work that a peer has shown to have.
    #[must_use]
    pub fn best(&self, peer: PeerId) -> Option<tree::Id> {
        self.peers.get(&peer).and_then(|entry| entry.best)
    }

    /// Whether a peer is asked on and on.
    #[must_use]
    pub fn is_syncing(&self) -> bool {
        self.peers.values().any(Peer::is_syncing)
    }

    /// Whether somebody is asked on and on for the whole chain, so that others need not be. Whoever dialled us and still
    /// has to show that its chain has work holds nobody up.
    fn is_held(&self) -> bool {
        self.peers.values().any(|entry| entry.is_syncing() && !(entry.inbound && entry.presync.is_some()))
    }

    /// Asks whoever is to be asked next.
    fn advance(&mut self, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        let tree = ledger.tree();
        let mut outcomes = Vec::new();
        let mut next: Vec<_> =
            self.peers.iter().filter(|(_, entry)| entry.is_next()).map(|(peer, entry)| (entry.rank(), *peer)).collect();
        next.sort_unstable();
        for (_, peer) in next {
            if let Some(id) = self.peers.get_mut(&peer).and_then(|entry| entry.settled(tree)) {
                outcomes.extend(self.shown(peer, id, tree));
                continue;
            }
            let Some(entry) = self.peers.get(&peer) else { continue };
            let (waits, wanted) = (entry.turn == Turn::Waiting, entry.wanted);
            let free = !self.caught_up && !self.is_held();
            if free || (waits && (self.caught_up || wanted.is_some())) {
                if !self.take_turn(peer, ledger, at) {
                    continue;
                }
            } else if self.caught_up {
                self.set_turn(peer, Turn::Asked);
            } else if !waits && wanted.is_some() && wanted != self.helped {
                // Whoever is asked on and on may be giving nothing worth keeping. So for each block that is announced
                // one more is asked, as in Bitcoin Core.
                self.helped = wanted;
                self.set_turn(peer, Turn::Asked);
            } else {
                continue;
            }
            outcomes.push(self.ask(peer, locator(tree), at.now));
        }
        outcomes
    }

    /// Lets a peer be asked on and on if there is room.
    fn take_turn(&mut self, peer: PeerId, ledger: &dyn Ledger, at: Moment) -> bool {
        let syncing = || self.peers.values().filter(|entry| entry.is_syncing());
        let inbound = self.peers.get(&peer).is_none_or(|entry| entry.inbound);
        let full = syncing().count() >= MAX_SYNCS
            || (inbound && syncing().filter(|entry| entry.inbound).count() >= MAX_INBOUND_SYNCS);
        if full {
            return false;
        }
        let tree = ledger.tree();
        let behind = at.wall.0.saturating_sub(u64::from(tree.time(tree.best())));
        let expected = behind.checked_div(u64::from(tree.spec().work.spacing)).unwrap_or(0);
        let expected = u32::try_from(expected).unwrap_or(u32::MAX);
        let wait = self.config.sync.saturating_add(self.config.sync_per_header.saturating_mul(expected));
        self.set_turn(peer, Turn::Syncing { until: at.now.after(wait) });
        true
    }

    fn set_turn(&mut self, peer: PeerId, turn: Turn) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.turn = turn;
        }
    }

    /// Asks a peer for what follows `locator`. A question that was not answered is taken back.
    fn ask(&mut self, peer: PeerId, locator: Vec<BlockHash>, now: Time) -> Outcome {
        let headers = u32::try_from(MAX_HEADERS).unwrap_or(u32::MAX);
        let wait = self.config.answer.saturating_add(self.config.answer_per_header.saturating_mul(headers));
        let deadline = now.after(wait.max(Duration::from_micros(1)));
        if let Some(entry) = self.peers.get_mut(&peer) {
            if let Some(old) = entry.question.replace(deadline) {
                self.deadlines.remove(&(old, peer));
            }
            entry.asked_for = entry.wanted;
            entry.again = false;
            self.deadlines.insert((deadline, peer));
        }
        Outcome::Send(peer, serve::ask(locator))
    }

    /// Remembers the newest block that a peer has announced and that we don't know, and asks for it if we may.
    fn want(&mut self, peer: PeerId, hash: BlockHash, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        let Some(entry) = self.peers.get_mut(&peer) else { return Vec::new() };
        entry.announced(hash);
        if entry.question.is_none() && entry.turn == Turn::Idle {
            entry.turn = Turn::New;
        }
        self.advance(ledger, at)
    }

    /// A peer has shown to have a header that is in the tree and valid.
    fn shown(&mut self, peer: PeerId, id: tree::Id, tree: &tree::Tree) -> Vec<Outcome> {
        let Some(entry) = self.peers.get_mut(&peer) else { return Vec::new() };
        let valid = |best: &tree::Id| tree.status(*best) == tree::Status::Valid;
        if entry.best.filter(valid).is_some_and(|best| best == id || tree.work(best) > tree.work(id)) {
            return Vec::new();
        }
        entry.best = Some(id);
        vec![Outcome::Has { peer, id }]
    }

    fn remove(&mut self, peer: PeerId) {
        if let Some(deadline) = self.peers.remove(&peer).and_then(|entry| entry.question) {
            self.deadlines.remove(&(deadline, peer));
        }
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
        let syncing: Vec<&Peer> = self.peers.values().filter(|entry| entry.is_syncing()).collect();
        assert!(syncing.len() <= MAX_SYNCS, "{} peers are asked on", syncing.len());
        let inbound = syncing.iter().filter(|entry| entry.inbound).count();
        assert!(inbound <= MAX_INBOUND_SYNCS, "{inbound} of them dialled us");
        let questions = self.peers.values().filter(|entry| entry.question.is_some()).count();
        assert_eq!(questions, self.deadlines.len(), "a deadline for each question");
        for (peer, entry) in &self.peers {
            let timed = entry.question.is_none_or(|deadline| self.deadlines.contains(&(deadline, *peer)));
            assert!(timed, "the question to {peer} has no deadline");
            assert!(!entry.is_syncing() || entry.question.is_some(), "{peer} has a turn and is asked nothing");
            let Some(presync) = &entry.presync else { continue };
            assert!(entry.is_syncing(), "{peer} is counted without a turn");
            assert!(presync.bytes() <= MAX_PRESYNC, "{peer} takes {} bytes", presync.bytes());
        }
    }
}

/// A locator from the header before the best one: so whoever has our best one too shows it.
fn locator(tree: &tree::Tree) -> Vec<BlockHash> {
    tree.locator(tree.parent(tree.best()).unwrap_or_else(|| tree.best()))
}
