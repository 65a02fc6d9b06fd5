//! Takes headers: in answers, in announcements, with compact blocks.

use bitcoin::block::Header;
use bitcoin::{BlockHash, Work};
use yap_chain::header::{self, pow, tree};
use yap_chain::spec::Spec;

use super::peer::Turn;
use super::presync::{After, Presync, Progress};
use super::{Fault, MAX_ANNOUNCED, MAX_RESTARTS, MAX_UNCONNECTING, Moment, Outcome, Place, State, threshold};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::MAX_HEADERS;
use crate::penalty::Reason;

/// How it goes on after a message.
#[derive(Debug)]
enum Step {
    /// As before: it was an announcement beside an answer that is still to come.
    Aside(BlockHash),
    /// The headers follow one that we don't know.
    Orphan(BlockHash),
    /// There is more: ask for it by this locator.
    More(Vec<BlockHash>),
    /// There is nothing more.
    End(Ending),
    /// A rule was broken.
    Fault(Fault),
}

/// Why there is nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The peer has told all.
    Complete,
    /// Its chain has too little work, as far as it told.
    LowWork,
    /// Its chain is another than the one that was counted, as after a reorganisation.
    Changed,
    /// What follows can't be taken now: the clock, or the tree's room.
    NotNow,
}

/// Headers that follow one another and meet their own targets.
#[derive(Clone, Copy, Debug)]
struct Batch<'a> {
    headers: &'a [Header],
    hashes: &'a [BlockHash],
    parent: BlockHash,
    last: BlockHash,
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.headers.len() >= MAX_HEADERS
    }
}

impl State {
    /// Takes a `headers` message.
    pub fn on_headers(
        &mut self,
        peer: PeerId,
        headers: &[Header],
        ledger: &mut dyn Ledger,
        at: Moment,
    ) -> Vec<Outcome> {
        if !self.peers.contains_key(&peer) {
            return Vec::new();
        }
        let mut outcomes = Vec::new();
        let step = match hashed(headers, ledger.tree().spec()) {
            Err(fault) => Step::Fault(fault),
            Ok(hashes) => match (headers.first(), hashes.last()) {
                (Some(first), Some(last)) => {
                    let batch = Batch { headers, hashes: &hashes, parent: first.prev_blockhash, last: *last };
                    self.take(peer, batch, ledger, at, &mut outcomes)
                }
                _ => Step::End(Ending::Complete),
            },
        };
        outcomes.extend(self.follow(peer, step, ledger, at));
        outcomes
    }

    /// Takes a header that came by itself, as with a compact block. BIP-0152 lets those be passed on before they are
    /// validated, so that the peer is not to blame for a header that merely follows or repeats an invalid one.
    pub fn on_header(
        &mut self,
        peer: PeerId,
        header: &Header,
        ledger: &mut dyn Ledger,
        at: Moment,
    ) -> (Place, Vec<Outcome>) {
        let hash = header.block_hash();
        if !ledger.tree().contains(&hash) {
            if let Err(error) = pow::check(header, &hash, &ledger.tree().spec().work.limit) {
                return (Place::Invalid, vec![Outcome::Fault(peer, error.into())]);
            }
            let Some(parent) = ledger.tree().get(&header.prev_blockhash) else {
                return (Place::Orphan, self.want(peer, hash, ledger, at));
            };
            if claimed(ledger.tree(), parent, std::slice::from_ref(header)) < threshold(ledger) {
                return (Place::LowWork, Vec::new());
            }
        }
        match ledger.accept_header(header, at.wall.header_time()) {
            Ok(accepted) => {
                let (id, new) = (accepted.id(), matches!(accepted, tree::Accepted::New(_)));
                let outcomes = self.learned(peer, id, u32::from(new), ledger.tree());
                (Place::Accepted { id, new }, outcomes)
            }
            Err(header::Error::TimeTooNew { .. }) => (Place::Early, Vec::new()),
            Err(header::Error::Full { .. }) => (Place::Full, Vec::new()),
            Err(header::Error::KnownInvalid { .. } | header::Error::InvalidParent { .. }) => {
                (Place::Invalid, Vec::new())
            }
            Err(error) => (Place::Invalid, vec![Outcome::Fault(peer, error.into())]),
        }
    }

    fn take(
        &mut self,
        peer: PeerId,
        batch: Batch<'_>,
        ledger: &mut dyn Ledger,
        at: Moment,
        outcomes: &mut Vec<Outcome>,
    ) -> Step {
        if let Some(presync) = self.peers.get(&peer).and_then(|entry| entry.presync.as_deref()) {
            // A block may be announced while the peer counts up its chain.
            if !presync.expects(&batch.parent) && batch.headers.len() <= MAX_ANNOUNCED {
                return Step::Aside(batch.last);
            }
            return self.feed(peer, batch, ledger, at, outcomes);
        }
        let tree = ledger.tree();
        let Some(parent) = tree.get(&batch.parent) else { return Step::Orphan(batch.last) };
        // What we have on our best chains takes no memory, so it needs no proof.
        let on_best = |id| tree.is_ancestor(id, tree.best()) || tree.is_ancestor(id, ledger.tip());
        let known = tree.get(&batch.last).is_some_and(on_best);
        let demanded = threshold(ledger);
        if !known && claimed(tree, parent, batch.headers) < demanded {
            if !batch.is_full() {
                return Step::End(Ending::LowWork);
            }
            if !self.goes_on(peer, ledger, at) {
                return Step::More(Vec::new());
            }
            let presync = Presync::new(parent, demanded, tree, &self.config, &mut self.random, at.wall);
            self.put(peer, Box::new(presync));
            return self.feed(peer, batch, ledger, at, outcomes);
        }
        match self.accept(peer, batch.headers, ledger, at, outcomes) {
            Ok(Some(last)) if batch.is_full() => Step::More(ledger.tree().locator(last)),
            Ok(_) => Step::End(Ending::Complete),
            Err(step) => step,
        }
    }

    /// Goes on with a chain that is fetched twice.
    fn feed(
        &mut self,
        peer: PeerId,
        batch: Batch<'_>,
        ledger: &mut dyn Ledger,
        at: Moment,
        outcomes: &mut Vec<Outcome>,
    ) -> Step {
        let presync = self.peers.get_mut(&peer).and_then(|entry| entry.presync.take());
        let Some(mut presync) = presync else { return Step::End(Ending::LowWork) };
        let (headers, after) = match presync.feed(ledger.tree(), batch.headers, batch.hashes, batch.is_full()) {
            Err(fault) => return Step::Fault(fault),
            Ok(Progress::TooLittle) => return Step::End(Ending::LowWork),
            Ok(Progress::Changed) => return Step::End(Ending::Changed),
            Ok(Progress::More) => (Vec::new(), After::More),
            Ok(Progress::Release(headers, after)) => (headers, after),
        };
        let last = match self.accept(peer, &headers, ledger, at, outcomes) {
            Ok(last) => last,
            Err(step) => return step,
        };
        match (after, last) {
            (After::More, _) => {
                let locator = presync.locator(ledger.tree());
                self.put(peer, presync);
                Step::More(locator)
            }
            (After::Done, Some(last)) if batch.is_full() => Step::More(ledger.tree().locator(last)),
            (After::Done, _) => Step::End(Ending::Complete),
            (After::Changed, _) => Step::End(Ending::Changed),
        }
    }

    fn put(&mut self, peer: PeerId, presync: Box<Presync>) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.presync = Some(presync);
        }
    }

    /// Adds headers to the tree, up to the first that breaks a rule. Gives the last one.
    fn accept(
        &mut self,
        peer: PeerId,
        headers: &[Header],
        ledger: &mut dyn Ledger,
        at: Moment,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Option<tree::Id>, Step> {
        let (mut last, mut count, mut refused) = (None, 0_u32, None);
        for header in headers {
            match ledger.accept_header(header, at.wall.header_time()) {
                Ok(accepted) => {
                    count = count.saturating_add(u32::from(matches!(accepted, tree::Accepted::New(_))));
                    last = Some(accepted.id());
                }
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        if let Some(last) = last {
            outcomes.extend(self.learned(peer, last, count, ledger.tree()));
        }
        let inbound = self.peers.get(&peer).is_some_and(|entry| entry.inbound);
        match refused {
            None => Ok(last),
            // No fault: our clock may be wrong, and the tree's bound is ours alone.
            Some(header::Error::TimeTooNew { .. } | header::Error::Full { .. }) => Err(Step::End(Ending::NotNow)),
            // As in Bitcoin Core: whom we dialled should know better. Whoever dialled us may be on an old version, and is
            // worth more connected, where it can learn.
            Some(header::Error::KnownInvalid { .. }) if inbound => Err(Step::End(Ending::NotNow)),
            Some(error) => Err(Step::Fault(error.into())),
        }
    }

    /// A peer has shown a header, `count` of which and of those before it are new to the tree.
    fn learned(&mut self, peer: PeerId, last: tree::Id, count: u32, tree: &tree::Tree) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if count > 0 {
            outcomes.push(Outcome::New { peer, tip: last, count });
        }
        outcomes.extend(self.shown(peer, last, tree));
        if count > 0 {
            let wanted = |entry: &super::Peer| entry.wanted.and_then(|hash| tree.get(&hash));
            let found: Vec<(PeerId, tree::Id)> =
                self.peers.iter().filter_map(|(peer, entry)| wanted(entry).map(|id| (*peer, id))).collect();
            for (other, id) in found {
                if let Some(entry) = self.peers.get_mut(&other) {
                    entry.learned();
                }
                outcomes.extend(self.shown(other, id, tree));
            }
        }
        outcomes
    }

    /// Whether a peer whose answer was full may be asked on.
    fn goes_on(&mut self, peer: PeerId, ledger: &dyn Ledger, at: Moment) -> bool {
        let Some(entry) = self.peers.get(&peer) else { return false };
        match entry.turn {
            Turn::Syncing { until } => {
                // Whoever takes for ever gives way, but not to nobody, nor one that we dialled to one that dialled us.
                let waits = |other: &super::Peer| other.is_next() && (entry.inbound || !other.inbound);
                at.now <= until || !self.peers.values().any(waits)
            }
            Turn::New | Turn::Asked | Turn::Waiting | Turn::Idle => self.take_turn(peer, ledger, at),
        }
    }

    fn follow(&mut self, peer: PeerId, step: Step, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        match step {
            Step::Aside(hash) => {
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.announced(hash);
                }
                Vec::new()
            }
            Step::Orphan(hash) => self.want(peer, hash, ledger, at),
            Step::More(locator) => {
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.answered();
                }
                if !locator.is_empty() && self.goes_on(peer, ledger, at) {
                    return vec![self.ask(peer, locator, at.now)];
                }
                if let Some(entry) = self.peers.get_mut(&peer).filter(|entry| entry.is_syncing()) {
                    // It took for ever: whoever waits comes first now.
                    entry.stalls = 1;
                }
                self.rest(peer, Turn::Waiting);
                self.advance(ledger, at)
            }
            Step::End(ending) => self.ended(peer, ending, ledger, at),
            Step::Fault(fault) => {
                self.rest(peer, Turn::Idle);
                let mut outcomes = vec![Outcome::Fault(peer, fault)];
                outcomes.extend(self.advance(ledger, at));
                outcomes
            }
        }
    }

    /// Ends a peer's question and turn.
    fn rest(&mut self, peer: PeerId, turn: Turn) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        entry.turn = turn;
        entry.presync = None;
        if let Some(deadline) = entry.question.take() {
            self.deadlines.remove(&(deadline, peer));
        }
    }

    /// A peer's answer, or announcement, came to its end.
    fn ended(&mut self, peer: PeerId, ending: Ending, ledger: &dyn Ledger, at: Moment) -> Vec<Outcome> {
        let Some(entry) = self.peers.get_mut(&peer) else { return Vec::new() };
        if entry.question.is_none() && !entry.is_syncing() {
            // Nobody asks any more: it was an announcement, or an answer that came too late. What the peer announced
            // before and did not give is asked for again.
            if ending != Ending::Complete || entry.wanted.is_none() || entry.turn != Turn::Idle {
                return Vec::new();
            }
            entry.turn = Turn::New;
            return self.advance(ledger, at);
        }
        entry.answered();
        let mut outcomes = Vec::new();
        let mut turn = Turn::Idle;
        match (ending, entry.wanted) {
            (Ending::Changed, _) => {
                entry.restarts = entry.restarts.saturating_add(1);
                turn = if entry.restarts < MAX_RESTARTS { Turn::New } else { Turn::Idle };
            }
            // What came after the question may not be in the answer.
            (Ending::Complete | Ending::LowWork | Ending::NotNow, _) if entry.again => turn = Turn::New,
            // What was announced is not worth knowing, or not now; it is no fault of the peer's.
            (Ending::LowWork | Ending::NotNow, _) => entry.wanted = None,
            (Ending::Complete, Some(wanted)) if entry.asked_for == Some(wanted) => {
                entry.wanted = None;
                entry.unconnecting = entry.unconnecting.saturating_add(1);
                if entry.unconnecting > MAX_UNCONNECTING {
                    outcomes.push(Outcome::Fault(peer, Fault::Unconnecting { count: entry.unconnecting }));
                }
            }
            (Ending::Complete, Some(_)) => turn = Turn::New,
            (Ending::Complete, None) => {}
        }
        let tree = ledger.tree();
        if ending == Ending::LowWork && entry.expendable && tree.work(tree.best()) < tree.spec().minimum_work {
            // As in Bitcoin Core: before we have the chain that the spec demands, who lacks it only takes a better
            // one's place.
            outcomes.push(Outcome::Part(peer, Reason::Useless));
        }
        if ending == Ending::Complete {
            entry.restarts = 0;
        }
        self.caught_up |= ending == Ending::Complete;
        self.rest(peer, turn);
        outcomes.extend(self.advance(ledger, at));
        outcomes
    }
}

/// The hashes of headers that follow one another and meet their own targets.
fn hashed(headers: &[Header], spec: &Spec) -> Result<Vec<BlockHash>, Fault> {
    let count = headers.len();
    if count > MAX_HEADERS {
        return Err(Fault::TooMany { count });
    }
    let mut hashes: Vec<BlockHash> = Vec::with_capacity(count);
    for header in headers {
        let hash = header.block_hash();
        pow::check(header, &hash, &spec.work.limit)?;
        if hashes.last().is_some_and(|before| *before != header.prev_blockhash) {
            return Err(Fault::NotContinuous { hash });
        }
        hashes.push(hash);
    }
    Ok(hashes)
}

/// The work that headers after `parent` claim with it.
fn claimed(tree: &tree::Tree, parent: tree::Id, headers: &[Header]) -> Work {
    headers.iter().fold(tree.work(parent), |work, header| pow::sum(work, pow::work(header.bits)))
}
