//! What was announced to us, and what is asked of whom.
//!
//! A transaction that several peers announced is asked of one of them at a time: of the one that fails least, of those
//! that we dialled, of the one that answers soonest, of the first. The others are kept to fall back on.
//!
//! ```text
//! announced ──▶ Waiting ──ready──▶ Asked ──answer──▶ (finish)
//!                  ▲  ╲ no room      │
//!                  │   ╲─▶ Stuck     │ deadline, refused, gone
//!                  └──── room ◀──────┘ next announcer; none left: forgotten
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::link::PeerId;
use crate::message::Inventory;
use crate::time::Time;

use super::id::Id;

/// Most requests under way to one peer (Bitcoin Core's number).
pub const MAX_IN_FLIGHT: usize = 100;

/// Most announcements of one peer that are remembered while they are not had (Bitcoin Core's number). More are dropped.
pub const MAX_ANNOUNCED: usize = 5000;

/// Shortest wait for an answer: for the longest pauses of an honest program.
pub const MIN_WAIT: Duration = Duration::from_millis(250);

/// Longest wait for an answer (Bitcoin Core's only one).
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// Wait for an answer of a peer that was never measured.
pub const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Longest that others are not asked for a `txid` while the body that one gave for it is judged.
const HELD: Duration = Duration::from_secs(2);

/// Failures in a row that are still told apart.
const MAX_FAILURES: u32 = 8;

/// What to ask a peer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// By the short id that it announced.
    Short(Id),
    /// By hash.
    Hash(Inventory),
}

/// What a body is the answer to.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Whether it was asked of who sent it.
    pub(super) requested: bool,
    /// Who announced it.
    pub(super) announcers: Vec<PeerId>,
    /// For how long we had heard of it.
    pub(super) waited: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Announcer {
    peer: PeerId,
    /// Whether it announced by short id, and is asked so.
    short: bool,
    tried: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting(Time),
    Asked { peer: PeerId, sent: Time, deadline: Time },
    Stuck,
}

#[derive(Debug)]
struct Candidate {
    /// Its turn in the order of announcement: parents come before children.
    turn: u64,
    /// When we first heard of it.
    since: Time,
    hash: Option<Inventory>,
    announcers: Vec<Announcer>,
    stage: Stage,
}

/// What is known of a peer that is asked.
#[derive(Debug)]
struct Line {
    outbound: bool,
    latency: Option<Duration>,
    failures: u32,
    in_flight: usize,
    /// How many of its transactions are judged. They take room, too: what can't be judged soon need not be fetched.
    judging: usize,
    /// Candidates that it announced.
    open: BTreeSet<Id>,
    /// Those of them that found no peer with room.
    stuck: BTreeSet<(u64, Id)>,
    /// What was asked of it and is not waited for any more, but may still come; as many as may be asked at once.
    late: BTreeSet<Id>,
}

impl Line {
    fn has_room(&self) -> bool {
        self.in_flight.saturating_add(self.judging) < MAX_IN_FLIGHT
    }

    fn wait(&self) -> Duration {
        let base = self.latency.map_or(FIRST_WAIT, |latency| latency.saturating_mul(4).max(MIN_WAIT));
        base.saturating_mul(1 << self.failures.min(MAX_FAILURES)).min(MAX_WAIT)
    }
}

/// A measure with a new one in it, one part of eight.
fn smooth(before: Duration, sample: Duration) -> Duration {
    let sum = before.as_micros().saturating_mul(7).saturating_add(sample.as_micros());
    Duration::from_micros(u64::try_from(sum >> 3).unwrap_or(u64::MAX))
}

/// Candidates, and how they are fetched.
#[derive(Debug)]
pub(super) struct Requests {
    candidates: HashMap<Id, Candidate, FixedState>,
    lines: BTreeMap<PeerId, Line>,
    timers: BTreeSet<(Time, u64, Id)>,
    turns: u64,
}

impl Requests {
    pub(super) fn new(seed: u64) -> Self {
        let candidates = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { candidates, lines: BTreeMap::new(), timers: BTreeSet::new(), turns: 0 }
    }

    pub(super) fn join(&mut self, peer: PeerId, outbound: bool, latency: Option<Duration>) {
        let (open, stuck, late) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        self.lines.insert(peer, Line { outbound, latency, failures: 0, in_flight: 0, judging: 0, open, stuck, late });
    }

    /// Forgets a peer; what was asked of it is asked of the next.
    pub(super) fn leave(&mut self, peer: PeerId, now: Time) {
        let Some(line) = self.lines.remove(&peer) else { return };
        for id in line.open {
            let Some(candidate) = self.candidates.get_mut(&id) else { continue };
            candidate.announcers.retain(|announcer| announcer.peer != peer);
            let next = match candidate.stage {
                Stage::Asked { peer: asked, .. } => asked == peer,
                Stage::Stuck => true,
                Stage::Waiting(_) => false,
            };
            if candidate.announcers.is_empty() {
                self.finish(id);
            } else if next {
                self.stage(id, Stage::Waiting(now));
            }
        }
    }

    /// A round trip was measured.
    pub(super) fn latency(&mut self, peer: PeerId, latency: Duration) {
        if let Some(line) = self.lines.get_mut(&peer) {
            line.latency = Some(latency);
        }
    }

    /// `peer` says now that it has `id`. It may be asked for from `ready` on; `hash` names it where the peer told (else it is asked for by
    /// short id).
    pub(super) fn announced(&mut self, peer: PeerId, id: Id, hash: Option<Inventory>, (now, ready): (Time, Time)) {
        let Some(line) = self.lines.get_mut(&peer) else { return };
        let full = line.open.len() >= MAX_ANNOUNCED;
        if full || !line.open.insert(id) {
            return;
        }
        let announcer = Announcer { peer, short: hash.is_none(), tried: false };
        let Some(candidate) = self.candidates.get_mut(&id) else {
            self.turns = self.turns.saturating_add(1);
            let stage = Stage::Waiting(ready);
            self.timers.insert((ready, self.turns, id));
            let announcers = vec![announcer];
            self.candidates.insert(id, Candidate { turn: self.turns, since: now, hash, announcers, stage });
            return;
        };
        candidate.announcers.push(announcer);
        candidate.hash = candidate.hash.or(hash);
        match candidate.stage {
            Stage::Waiting(until) if until <= ready => {}
            Stage::Waiting(_) | Stage::Stuck => self.stage(id, Stage::Waiting(ready)),
            Stage::Asked { .. } => {}
        }
    }

    /// A body came from `peer`: it is asked of nobody any more.
    pub(super) fn received(&mut self, peer: PeerId, id: Id, now: Time) -> Received {
        let waited = self.candidates.get(&id).map_or(Duration::ZERO, |candidate| now.since(candidate.since));
        self.measure(peer, id, now);
        let announcers = self.finish(id);
        Received { requested: self.on_time(peer, id), announcers, waited }
    }

    /// A body came from `peer` that has the `txid` of this id, but perhaps not the witness that makes it valid: anyone on
    /// the way can change that. Others are asked if it turns out so ([`resume`](Self::resume)); [`finish`](Self::finish)
    /// ends the search if it was good.
    pub(super) fn answered(&mut self, peer: PeerId, id: Id, now: Time) -> Received {
        self.measure(peer, id, now);
        let mut received = Received::default();
        if let Some(candidate) = self.candidates.get_mut(&id) {
            for announcer in candidate.announcers.iter_mut().filter(|announcer| announcer.peer == peer) {
                announcer.tried = true;
            }
            received.announcers = candidate.announcers.iter().map(|announcer| announcer.peer).collect();
            received.waited = now.since(candidate.since);
            // What was not asked of this peer goes on as it would: it may be why the peer sends this.
            if matches!(candidate.stage, Stage::Asked { peer: asked, .. } if asked == peer) {
                self.stage(id, Stage::Waiting(now.after(HELD)));
            }
        }
        received.requested = self.on_time(peer, id);
        received
    }

    /// What came for `id` was not it: who comes next need not wait.
    pub(super) fn resume(&mut self, id: Id, now: Time) {
        if let Some(Stage::Waiting(until)) = self.candidates.get(&id).map(|candidate| candidate.stage)
            && until > now
        {
            self.stage(id, Stage::Waiting(now));
        }
    }

    /// Takes the time from a request to its answer.
    fn measure(&mut self, peer: PeerId, id: Id, now: Time) {
        if let Some(Stage::Asked { peer: asked, sent, .. }) = self.candidates.get(&id).map(|candidate| candidate.stage)
            && asked == peer
            && let Some(line) = self.lines.get_mut(&peer)
        {
            let sample = now.since(sent);
            line.failures = 0;
            // Smoothed as TCP does its round trips.
            line.latency = Some(line.latency.map_or(sample, |before| smooth(before, sample)));
        }
    }

    /// Forgets a candidate that is had, or not wanted any more; gives those who announced it.
    pub(super) fn finish(&mut self, id: Id) -> Vec<PeerId> {
        if !self.candidates.contains_key(&id) {
            return Vec::new();
        }
        self.stage(id, Stage::Stuck);
        let Some(candidate) = self.candidates.remove(&id) else { return Vec::new() };
        let peers: Vec<PeerId> = candidate.announcers.iter().map(|announcer| announcer.peer).collect();
        for peer in &peers {
            if let Some(line) = self.lines.get_mut(peer) {
                line.open.remove(&id);
                line.stuck.remove(&(candidate.turn, id));
            }
        }
        peers
    }

    /// `peer` does not have what it announced: the next is asked.
    pub(super) fn refused(&mut self, peer: PeerId, id: Id, now: Time) {
        let Some(candidate) = self.candidates.get_mut(&id) else { return };
        for announcer in candidate.announcers.iter_mut().filter(|announcer| announcer.peer == peer) {
            announcer.tried = true;
        }
        match candidate.stage {
            Stage::Asked { peer: asked, .. } if asked == peer => {
                self.stage(id, Stage::Waiting(now));
                self.on_time(peer, id);
            }
            Stage::Asked { .. } => {}
            Stage::Waiting(_) | Stage::Stuck => {
                if candidate.announcers.iter().all(|announcer| announcer.tried) {
                    self.finish(id);
                }
            }
        }
    }

    /// Whether `id` was asked of `peer` and has not come.
    pub(super) fn asked(&self, peer: PeerId, id: Id) -> bool {
        let stage = self.candidates.get(&id).map(|candidate| candidate.stage);
        let now = matches!(stage, Some(Stage::Asked { peer: asked, .. }) if asked == peer);
        now || self.lines.get(&peer).is_some_and(|line| line.late.contains(&id))
    }

    /// Whether `id` is waited for.
    pub(super) fn contains(&self, id: Id) -> bool {
        self.candidates.contains_key(&id)
    }

    /// What is to be asked now, in the order of announcement.
    pub(super) fn due(&mut self, now: Time) -> Vec<(PeerId, Ask)> {
        let mut asks = Vec::new();
        // Ends: each turn takes away a timer, and adds one only if it asks a peer that has not been tried or lets a
        // waiting candidate into room that was made.
        while let Some(&(at, _, id)) = self.timers.first() {
            if at > now {
                break;
            }
            let Some(candidate) = self.candidates.get_mut(&id) else {
                self.timers.pop_first();
                continue;
            };
            if let Stage::Asked { peer, .. } = candidate.stage
                && let Some(line) = self.lines.get_mut(&peer)
            {
                line.failures = line.failures.saturating_add(1).min(MAX_FAILURES);
            }
            asks.extend(self.ask(id, now));
        }
        asks
    }

    /// When [`due`](Self::due) is wanted.
    pub(super) fn next(&self) -> Option<Time> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Asks the best announcer that is left.
    fn ask(&mut self, id: Id, now: Time) -> Option<(PeerId, Ask)> {
        self.stage(id, Stage::Stuck);
        let candidate = self.candidates.get_mut(&id)?;
        let lines = &self.lines;
        let rank = |line: &Line| (line.failures, !line.outbound, line.latency.unwrap_or(FIRST_WAIT));
        let best = candidate
            .announcers
            .iter_mut()
            .filter(|announcer| !announcer.tried)
            .filter_map(|announcer| lines.get(&announcer.peer).map(|line| (announcer, line)))
            .filter(|(_, line)| line.has_room())
            .min_by_key(|(_, line)| rank(line));
        if let Some((announcer, line)) = best {
            announcer.tried = true;
            let peer = announcer.peer;
            let hash = candidate.hash.filter(|_| !announcer.short);
            let ask = hash.map_or(Ask::Short(id), Ask::Hash);
            let deadline = now.after(line.wait());
            self.stage(id, Stage::Asked { peer, sent: now, deadline });
            return Some((peer, ask));
        }
        let left: Vec<PeerId> = candidate.announcers.iter().filter(|one| !one.tried).map(|one| one.peer).collect();
        let turn = candidate.turn;
        for peer in &left {
            if let Some(line) = self.lines.get_mut(peer) {
                line.stuck.insert((turn, id));
            }
        }
        if left.is_empty() {
            self.finish(id);
        }
        None
    }

    /// Moves a candidate to another stage, with its timer and the room that it takes.
    fn stage(&mut self, id: Id, stage: Stage) {
        let Some(candidate) = self.candidates.get_mut(&id) else { return };
        let turn = candidate.turn;
        let before = std::mem::replace(&mut candidate.stage, stage);
        if before == stage {
            return;
        }
        match before {
            Stage::Waiting(until) => {
                self.timers.remove(&(until, turn, id));
            }
            Stage::Asked { deadline, .. } => {
                self.timers.remove(&(deadline, turn, id));
            }
            Stage::Stuck => {
                for announcer in &candidate.announcers {
                    if let Some(line) = self.lines.get_mut(&announcer.peer) {
                        line.stuck.remove(&(turn, id));
                    }
                }
            }
        }
        match stage {
            Stage::Waiting(until) => {
                self.timers.insert((until, turn, id));
            }
            Stage::Asked { peer, deadline, .. } => {
                self.timers.insert((deadline, turn, id));
                if let Some(line) = self.lines.get_mut(&peer) {
                    line.in_flight = line.in_flight.saturating_add(1);
                }
            }
            Stage::Stuck => {}
        }
        if let Stage::Asked { peer, .. } = before {
            self.vacate(peer, id);
        }
    }

    /// A request to `peer` is over.
    fn vacate(&mut self, peer: PeerId, id: Id) {
        let Some(line) = self.lines.get_mut(&peer) else { return };
        line.in_flight = line.in_flight.saturating_sub(1);
        if line.late.len() >= MAX_IN_FLIGHT {
            line.late.pop_first();
        }
        line.late.insert(id);
        self.go_on(peer);
    }

    /// If there is room with `peer`, the candidate that waits longest for it goes on.
    fn go_on(&mut self, peer: PeerId) {
        let Some(line) = self.lines.get_mut(&peer).filter(|line| line.has_room()) else { return };
        if let Some((_, stuck)) = line.stuck.pop_first() {
            // Its time has come long ago.
            self.stage(stuck, Stage::Waiting(Time::ZERO));
        }
    }

    /// How many transactions of `peer` are judged.
    pub(super) fn judging(&self, peer: PeerId) -> usize {
        self.lines.get(&peer).map_or(0, |line| line.judging)
    }

    /// One more transaction of `peer` is judged.
    pub(super) fn judge(&mut self, peer: PeerId) {
        if let Some(line) = self.lines.get_mut(&peer) {
            line.judging = line.judging.saturating_add(1);
        }
    }

    /// One less is.
    pub(super) fn judged(&mut self, peer: PeerId) {
        if let Some(line) = self.lines.get_mut(&peer) {
            line.judging = line.judging.saturating_sub(1);
            self.go_on(peer);
        }
    }

    /// `peer` has answered: nothing comes late. Says whether it was asked.
    fn on_time(&mut self, peer: PeerId, id: Id) -> bool {
        self.lines.get_mut(&peer).is_some_and(|line| line.late.remove(&id))
    }

    /// Panics if a bound or an invariant is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        let mut in_flight: BTreeMap<PeerId, usize> = BTreeMap::new();
        for (at, turn, id) in &self.timers {
            let candidate = self.candidates.get(id).expect("a timer has a candidate");
            assert_eq!(candidate.turn, *turn, "a timer is its candidate's");
            match candidate.stage {
                Stage::Waiting(until) => assert_eq!(until, *at),
                Stage::Asked { peer, deadline, .. } => {
                    assert_eq!(deadline, *at, "a request has a deadline");
                    let count = in_flight.entry(peer).or_default();
                    *count = count.saturating_add(1);
                }
                Stage::Stuck => panic!("a candidate without room has no timer"),
            }
        }
        for (peer, line) in &self.lines {
            assert_eq!(line.in_flight, in_flight.remove(peer).unwrap_or(0), "requests to {peer} are counted");
            assert!(line.in_flight <= MAX_IN_FLIGHT, "too much is asked of {peer}");
            assert!(line.open.len() <= MAX_ANNOUNCED, "too much is remembered of {peer}");
            assert!(line.late.len() <= MAX_IN_FLIGHT, "too much is late from {peer}");
            for id in &line.open {
                let candidate = self.candidates.get(id).expect("an announcement has a candidate");
                assert!(candidate.announcers.iter().any(|announcer| announcer.peer == *peer));
            }
            for (_, id) in &line.stuck {
                let candidate = self.candidates.get(id).expect("who waits for room is a candidate");
                assert_eq!(candidate.stage, Stage::Stuck);
            }
        }
        assert!(in_flight.is_empty(), "nothing is asked of peers that are gone");
    }
}
