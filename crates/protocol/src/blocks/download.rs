//! What to ask of whom (E4): a window that moves along the chain of the most work that a peer has, divided among all good
//! peers.
//!
//! A block of the window is a [`Slot`](slots::Slot) until it comes. Slots are given out from the lowest up, to each peer
//! as many as it sends within two seconds at its speed; one of unknown speed gets two. A block that does not come when it
//! should, by the speed of whoever was asked, is asked of another, and both answers are fine. Peers that run out of work
//! because the start of the window is missing ask for it sooner.
//!
//! ```text
//! free ──asked──▶ asked ──came──▶ processing ──stored──▶ gone
//!  ▲                │late, refused, peer gone    │failed, mutated
//!  └────────────────┴────────────────────────────┘
//! ```
//!
//! Bounds: [`WINDOW`] slots, what was processed in vain, and [`MAX_SIDE`] of other branches; what is owed and processed together within
//! [`MAX_BYTES`], as estimated, and no request while [`MAX_PROCESSING`] blocks are processed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::header::tree;

use super::outcome::Turn;
use super::{Facts, Fault, Outcome};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::time::Time;

mod line;
mod plan;
mod slots;

#[cfg(test)]
mod tests;

use line::Line;
pub(super) use line::MAX_REFUSED;
#[cfg(test)]
pub(super) use line::REFUSAL;
use slots::Slots;

/// How far above the lowest missing block others are fetched, as in Bitcoin Core.
pub(super) const WINDOW: usize = 1024;

/// Most wanted blocks of branches beside the fetched one.
pub(super) const MAX_SIDE: usize = 64;

/// Most bytes that are on their way or processed, as estimated: sixteen of Bitcoin's largest blocks.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// While so many blocks are processed, none is asked for.
pub(super) const MAX_PROCESSING: usize = 256;

/// Lowest slots that idle peers are asked for though another was asked before.
const HEAD: usize = 64;

/// What a block is taken to have before any came.
const FIRST_AVERAGE: u64 = 20_000;

/// How long nothing is asked after a block could not be processed: the disk may be full.
const PAUSE: Duration = Duration::from_secs(10);

/// Most blocks between the tip and a block of another branch that is fetched for the work it has.
const MAX_BRANCH: u32 = 16;

/// How a block came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// Whole, from the peer that is to blame for it.
    Whole,
    /// As a compact block, forwarded before validation: nobody is to blame (BIP-0152).
    Compact,
}

/// A block that is processed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) peer: PeerId,
    pub(super) via: Via,
    pub(super) id: tree::Id,
    size: u64,
}

/// What an arrived block is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It was wanted; it is to be processed.
    Wanted,
    /// It was asked for, but came from another peer before.
    Late,
    /// It was not asked for.
    Unrequested,
}

/// What is fetched.
#[derive(Debug, Default)]
pub(super) struct State {
    lines: BTreeMap<PeerId, Line>,
    slots: Slots,
    /// When a peer that owes something may have been silent for too long.
    silences: BTreeSet<(Time, PeerId)>,
    processing: BTreeMap<BlockHash, Source>,
    processing_bytes: u64,
    /// The end of the chain that is fetched, and the last block of it that was looked at.
    target: Option<tree::Id>,
    top: Option<tree::Id>,
    /// Whether the target may have changed.
    stale: bool,
    average: u64,
    largest: u64,
    paused: Option<Time>,
    /// When [`plan`](Self::plan) has something to do without anything coming.
    plan_at: Option<Time>,
    /// Times that a peer owed blocks for too long.
    stalls: usize,
}

impl State {
    /// A peer's handshake is done.
    pub(super) fn ready(&mut self, peer: PeerId, facts: Facts, now: Time) {
        self.lines.insert(peer, Line::new(facts, now));
    }

    /// A peer is gone; what it owed is free again.
    pub(super) fn disconnected(&mut self, peer: PeerId, now: Time) {
        let Some(line) = self.lines.remove(&peer) else { return };
        self.silences.retain(|(_, other)| *other != peer);
        self.slots.release_all(peer, line.owed.keys().copied());
        self.stale = true;
        self.replan(now);
    }

    /// The peer sends compact blocks.
    pub(super) fn compact(&mut self, peer: PeerId) {
        if let Some(line) = self.lines.get_mut(&peer) {
            line.compact = true;
        }
    }

    /// Looks for work again, soon: first whoever gave the reason may say more.
    pub(super) fn replan(&mut self, now: Time) {
        self.plan_at = Some(self.plan_at.map_or(now, |at| at.min(now)));
    }

    /// A peer has a block and those before it.
    pub(super) fn has(&mut self, peer: PeerId, id: tree::Id, live: bool, now: Time, ledger: &dyn Ledger) {
        let Some(line) = self.lines.get_mut(&peer) else { return };
        let tree = ledger.tree();
        if line.best.is_none_or(|best| tree.work(id) > tree.work(best) || tree.status(best) != tree::Status::Valid) {
            line.best = Some(id);
            self.stale = true;
            self.replan(now);
        }
        if live && self.lines.get(&peer).is_some_and(Line::is_usable) {
            self.want_branch(id, ledger);
        }
    }

    /// Wants the blocks of a branch that has more work than the tip, though another has still more: that one may never
    /// come.
    fn want_branch(&mut self, id: tree::Id, ledger: &dyn Ledger) {
        let tree = ledger.tree();
        if self.is_wanted(id, ledger).is_none() || self.target.is_none_or(|target| tree.is_ancestor(id, target)) {
            return;
        }
        let fork = tree.fork_point(ledger.tip(), id);
        if tree.height(id).saturating_sub(tree.height(fork)) > MAX_BRANCH {
            return;
        }
        for id in tree.path(fork, id).connect {
            if self.slots.side() < MAX_SIDE && self.is_missing(id, ledger) {
                self.slots.insert((tree.height(id), id), true);
            }
        }
    }

    /// The block's height if it would become the tip and we lack it.
    fn is_wanted(&self, id: tree::Id, ledger: &dyn Ledger) -> Option<u32> {
        let tree = ledger.tree();
        let better = tree.status(id) == tree::Status::Valid && tree.work(id) > tree.work(ledger.tip());
        (better && self.is_missing(id, ledger)).then(|| tree.height(id))
    }

    /// Whether the block's data is neither at hand nor being processed.
    pub(super) fn is_missing(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        !ledger.has_block(id) && !self.processing.contains_key(&ledger.tree().hash(id))
    }

    /// Whether the block is being processed.
    pub(super) fn is_processing(&self, hash: &BlockHash) -> bool {
        self.processing.contains_key(hash)
    }

    /// Whether the peer owes the block.
    pub(super) fn owes(&self, peer: PeerId, id: tree::Id) -> bool {
        self.lines.get(&peer).is_some_and(|line| line.owed.contains_key(&id))
    }

    /// How far the tip is below the best block that a peer has.
    pub(super) fn behind(&self, ledger: &dyn Ledger) -> u32 {
        let tree = ledger.tree();
        self.target.map_or(0, |target| tree.height(target).saturating_sub(tree.height(ledger.tip())))
    }

    /// How many blocks the peer owes.
    pub(super) fn in_flight(&self, peer: PeerId) -> usize {
        self.lines.get(&peer).map_or(0, |line| line.owed.len())
    }

    /// Times that a peer owed blocks for too long.
    pub(super) fn stalls(&self) -> usize {
        self.stalls
    }

    /// Whether the peer is connected.
    pub(super) fn knows(&self, peer: PeerId) -> bool {
        self.lines.contains_key(&peer)
    }

    /// A block came from a peer, whole. If it is wanted, it is taken for processed from now on.
    pub(super) fn take(
        &mut self,
        peer: PeerId,
        id: tree::Id,
        block: &Arc<Block>,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Arrival {
        let size = u64::try_from(block.bytes().len()).unwrap_or(u64::MAX);
        self.weigh(size);
        let asked = self.answered(peer, id, Some(size), now)
            || self.lines.get_mut(&peer).is_some_and(|line| line.has_crossed(id));
        let key = (ledger.tree().height(id), id);
        // What was asked for may have left the window since, as when its last peer was taken for dead.
        let useful = if asked { self.is_wanted(id, ledger).is_some() } else { self.is_pushed(id, ledger) };
        let wanted = useful || self.slots.contains(key);
        if wanted {
            self.process(peer, id, block, Via::Whole);
            self.slots.remove(key);
            self.replan(now);
            return Arrival::Wanted;
        }
        if asked { Arrival::Late } else { Arrival::Unrequested }
    }

    /// Whether a block that nobody asked for is taken all the same: it would become the tip (Bitcoin Core does so too).
    fn is_pushed(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        let tip = ledger.tree().height(ledger.tip());
        self.processing.len() < MAX_PROCESSING
            && self.is_wanted(id, ledger).is_some_and(|height| height <= tip.saturating_add(MAX_BRANCH))
    }

    /// A block was rebuilt from a compact one.
    pub(super) fn rebuilt(&mut self, peer: PeerId, id: tree::Id, block: &Arc<Block>, now: Time, ledger: &dyn Ledger) {
        self.process(peer, id, block, Via::Compact);
        self.slots.remove((ledger.tree().height(id), id));
        self.replan(now);
    }

    fn process(&mut self, peer: PeerId, id: tree::Id, block: &Arc<Block>, via: Via) {
        let size = u64::try_from(block.bytes().len()).unwrap_or(u64::MAX);
        self.processing_bytes = self.processing_bytes.saturating_add(size);
        self.processing.insert(block.hash(), Source { peer, via, id, size });
    }

    /// Follows how large blocks are; quickly when they grow, so that no more are asked for than there is room.
    fn weigh(&mut self, size: u64) {
        let fade = if size > self.average { 2 } else { 4 };
        self.average = match self.average {
            0 => size,
            average => average.saturating_sub(average >> fade).saturating_add(size >> fade),
        };
        self.largest = self.largest.saturating_sub(self.largest >> 8).max(size);
    }

    fn average(&self) -> u64 {
        if self.average == 0 { FIRST_AVERAGE } else { self.average }
    }

    /// The peer answered for a block, with `size` bytes of it or otherwise. Says whether it owed it.
    fn answered(&mut self, peer: PeerId, id: tree::Id, size: Option<u64>, now: Time) -> bool {
        let Some(line) = self.lines.get_mut(&peer) else { return false };
        let Some(asked) = line.owed.remove(&id) else { return false };
        let returns = line.shunned;
        match size {
            Some(size) => line.delivered(size, asked, now),
            None => {
                line.heard(now);
                line.cross(id);
            }
        }
        self.stale |= returns;
        if returns && let Some(until) = line.patience(self.largest) {
            self.silences.insert((until, peer));
        }
        true
    }

    /// The peer does not have what it was asked for.
    pub(super) fn refused(&mut self, peer: PeerId, id: tree::Id, now: Time, ledger: &dyn Ledger) {
        if !self.answered(peer, id, None, now) {
            return;
        }
        if let Some(line) = self.lines.get_mut(&peer) {
            line.refuse(id, now);
            // What it says it has and what it gives differ too much; it may come back by giving.
            if line.refused.len() >= MAX_REFUSED {
                line.refused.clear();
                line.shunned = true;
                self.stale = true;
            }
        }
        self.slots.release((ledger.tree().height(id), id), Some(peer));
        self.replan(now);
    }

    /// The peer answered, with a compact form that is of no use.
    pub(super) fn settled(&mut self, peer: PeerId, id: tree::Id, now: Time) {
        self.answered(peer, id, None, now);
    }

    /// A compact block came: until it is rebuilt or given up, nobody is asked for the whole one.
    /// Says whether there is room for it.
    pub(super) fn hold(&mut self, peer: PeerId, id: tree::Id, now: Time, ledger: &dyn Ledger) -> bool {
        self.answered(peer, id, None, now);
        let key = (ledger.tree().height(id), id);
        let room = self.slots.contains(key) || self.slots.side() < MAX_SIDE;
        if room {
            self.slots.hold(key, self.is_target(id, ledger));
        }
        room
    }

    fn is_target(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        self.target.is_some_and(|target| ledger.tree().is_ancestor(id, target))
    }

    /// A compact block was given up: the whole one is wanted.
    pub(super) fn unhold(&mut self, id: tree::Id, now: Time, ledger: &dyn Ledger) {
        self.slots.unhold((ledger.tree().height(id), id));
        self.replan(now);
    }

    /// What went out to be processed came back. Gives where it was from.
    pub(super) fn processed(&mut self, hash: &BlockHash, now: Time, ledger: &dyn Ledger) -> Option<Source> {
        let source = self.processing.remove(hash)?;
        self.processing_bytes = self.processing_bytes.saturating_sub(source.size);
        self.stale |= ledger.tree().status(source.id) != tree::Status::Valid;
        self.replan(now);
        Some(source)
    }

    /// A block that came was not the one that its header commits to, or was not processed: it is wanted again, and not
    /// of `except`.
    pub(super) fn want_again(&mut self, id: tree::Id, except: Option<PeerId>, now: Time, ledger: &dyn Ledger) {
        if let Some(line) = except.and_then(|peer| self.lines.get_mut(&peer))
            && line.refused.len() < MAX_REFUSED
        {
            line.refuse(id, now);
        }
        let key = (ledger.tree().height(id), id);
        if self.is_missing(id, ledger) && ledger.tree().status(id) == tree::Status::Valid {
            let side = !self.is_target(id, ledger);
            if !side || self.slots.side() < MAX_SIDE {
                self.slots.insert(key, side);
                self.slots.whole(key);
            }
        }
        self.replan(now);
    }

    /// A block could not be processed.
    pub(super) fn pause(&mut self, now: Time) {
        self.paused = Some(now.after(PAUSE));
    }

    /// The connected chain has changed, by the blocks `new`.
    pub(super) fn tip(&mut self, new: &[tree::Id], now: Time, ledger: &dyn Ledger) {
        for id in new {
            // It may be our own, or have come some other way.
            self.slots.remove((ledger.tree().height(*id), *id));
            for line in self.lines.values_mut() {
                line.refused.remove(id);
            }
        }
        let height = ledger.tree().height(ledger.tip());
        self.slots.drop_side_below(height.saturating_sub(MAX_BRANCH));
        // While the tip moves towards the target, what is fetched stays as it is.
        let on_the_way = |target| target != ledger.tip() && ledger.tree().is_ancestor(ledger.tip(), target);
        self.stale |= !self.target.is_some_and(on_the_way);
        self.replan(now);
    }

    /// Does what is due.
    pub(super) fn deadline(&mut self, live: bool, turn: &mut Turn<'_>) {
        let now = turn.now;
        while let Some((key, peer, asked)) = self.slots.pop_due(now) {
            let others = self.lines.values().any(|line| line.is_proven() && !line.late);
            if let Some(line) = self.lines.get_mut(&peer)
                && line.is_late(asked)
                && others
            {
                Self::stalled(peer, line, turn);
                self.stalls = self.stalls.saturating_add(1);
                self.stale = true;
            }
            self.slots.release(key, None);
            self.replan(now);
        }
        while let Some((at, peer)) = self.silences.first().copied()
            && at <= now
        {
            self.silences.remove(&(at, peer));
            self.look_at_silence(peer, turn);
        }
        if self.plan_at.is_some_and(|at| at <= now) {
            self.plan(live, turn);
        }
    }

    /// Blocks that nobody is waiting for any more are forgotten with whoever does not send them.
    fn stalled(peer: PeerId, line: &mut Line, turn: &mut Turn<'_>) {
        line.shunned = true;
        if line.is_outbound() {
            turn.out.push(Outcome::Fault(peer, Fault::Stalled { owed: line.owed.len() }));
        }
    }

    fn look_at_silence(&mut self, peer: PeerId, turn: &mut Turn<'_>) {
        let now = turn.now;
        let Some(line) = self.lines.get_mut(&peer) else { return };
        match line.patience(self.largest) {
            Some(until) if until > now => {
                self.silences.insert((until, peer));
            }
            Some(_) => {
                Self::stalled(peer, line, turn);
                self.stalls = self.stalls.saturating_add(1);
                self.slots.release_all(peer, line.owed.keys().copied());
                self.stale = true;
                self.replan(now);
            }
            None => {}
        }
    }

    /// When [`deadline`](Self::deadline) has something to do.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let silence = self.silences.first().map(|(at, _)| *at);
        [self.slots.next_due(), silence, self.plan_at].into_iter().flatten().min()
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(in crate::blocks) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.lines.keys().copied()
    }

    /// Panics if an invariant or a bound does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        self.slots.check();
        assert!(self.slots.side() <= MAX_SIDE, "{} slots of side branches", self.slots.side());
        let most = WINDOW.saturating_mul(2).saturating_add(MAX_SIDE);
        assert!(self.slots.len() <= most, "{} slots", self.slots.len());
        let bytes: u64 = self.processing.values().map(|source| source.size).sum();
        assert_eq!(bytes, self.processing_bytes, "bytes that are processed");
        for (peer, line) in &self.lines {
            assert!(line.owed.len() <= line::MAX_OWED, "{peer} owes {}", line.owed.len());
            assert!(
                line.crossed.len() <= line::MAX_CROSSED,
                "{} answers of {peer} may have crossed",
                line.crossed.len()
            );
            assert!(line.refused.len() <= MAX_REFUSED, "{peer} refused {}", line.refused.len());
            if !line.owed.is_empty() && !line.shunned {
                assert!(self.silences.iter().any(|(_, other)| other == peer), "nobody waits for {peer}");
            }
        }
        for (_, peer) in self.silences.iter() {
            assert!(self.lines.contains_key(peer), "{peer} is gone and waited for");
        }
    }
}
