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
use crate::message::{Inventory, Message};
use crate::time::Time;

mod line;
mod slots;

pub(super) use line::Line;
use slots::{Key, Slots};

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

    /// Whether the peer owes the block.
    pub(super) fn owes(&self, peer: PeerId, id: tree::Id) -> bool {
        self.lines.get(&peer).is_some_and(|line| line.owed.contains_key(&id))
    }

    /// How far the tip is below the best block that a peer has.
    pub(super) fn behind(&self, ledger: &dyn Ledger) -> u32 {
        let tree = ledger.tree();
        self.target.map_or(0, |target| tree.height(target).saturating_sub(tree.height(ledger.tip())))
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
        let asked = self.answered(peer, id, Some(size), now);
        let key = (ledger.tree().height(id), id);
        let wanted = self.slots.contains(key) || (!asked && self.is_pushed(id, ledger));
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

    /// Follows how large blocks are.
    fn weigh(&mut self, size: u64) {
        self.average = match self.average {
            0 => size,
            average => average.saturating_sub(average >> 4).saturating_add(size >> 4),
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
        self.stale |= line.shunned;
        match size {
            Some(size) => line.delivered(size, asked, now),
            None => line.heard(now),
        }
        true
    }

    /// The peer does not have what it was asked for.
    pub(super) fn refused(&mut self, peer: PeerId, id: tree::Id, now: Time, ledger: &dyn Ledger) {
        if !self.answered(peer, id, None, now) {
            return;
        }
        if let Some(line) = self.lines.get_mut(&peer) {
            line.refused.insert(id);
            // What it says it has and what it gives differ too much; it may come back by giving.
            if line.refused.len() >= line::MAX_REFUSED {
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
            && line.refused.len() < line::MAX_REFUSED
        {
            line.refused.insert(id);
        }
        let key = (ledger.tree().height(id), id);
        if self.is_missing(id, ledger) && ledger.tree().status(id) == tree::Status::Valid {
            let side = !self.is_target(id, ledger);
            self.slots.insert(key, side);
            self.slots.whole(key);
        }
        self.replan(now);
    }

    /// A block could not be processed.
    pub(super) fn pause(&mut self, now: Time) {
        self.paused = Some(now.after(PAUSE));
    }

    /// The connected chain has changed.
    pub(super) fn tip(&mut self, now: Time, ledger: &dyn Ledger) {
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
}

/// Planning: what to fetch, and of whom.
impl State {
    fn plan(&mut self, live: bool, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        self.plan_at = None;
        if std::mem::take(&mut self.stale) {
            self.aim(ledger);
        }
        self.extend(ledger);
        if let Some(until) = self.paused.filter(|until| *until > now) {
            self.plan_at = Some(until);
            return;
        }
        self.assign(live, turn);
    }

    /// Chooses the chain to fetch: of those that a usable peer has, the one with the most work.
    fn aim(&mut self, ledger: &dyn Ledger) {
        let tree = ledger.tree();
        for best in self.lines.values_mut().filter_map(|line| line.best.as_mut()) {
            // Of a chain that turned out to be invalid, the blocks before that are as good as any.
            while tree.status(*best) != tree::Status::Valid {
                *best = tree.parent(*best).unwrap_or_else(|| tree.genesis());
            }
        }
        let candidates = self.lines.values().filter(|line| line.is_usable()).filter_map(|line| line.best);
        let better = candidates
            .filter(|id| tree.status(*id) == tree::Status::Valid && tree.work(*id) > tree.work(ledger.tip()))
            .chain(self.target.filter(|id| self.is_aimed_at(*id, ledger)));
        let target = better.max_by(|a, b| tree.work(*a).cmp(&tree.work(*b)));
        if target != self.target {
            self.target = target;
            self.slots.retain(|(_, id), side| {
                tree.status(id) == tree::Status::Valid
                    && (side || target.is_some_and(|target| tree.is_ancestor(id, target)))
            });
        }
        let Some(target) = target else {
            self.top = None;
            return;
        };
        let fork = tree.fork_point(ledger.tip(), target);
        let top = self.top.map_or(fork, |top| tree.fork_point(top, target));
        self.top = Some(if tree.height(top) > tree.height(fork) { top } else { fork });
        for line in self.lines.values_mut() {
            line.limit = line.best.map_or(0, |best| tree.height(tree.fork_point(best, target)));
        }
    }

    /// Whether the target stays one: it is still better than the tip, and somebody has it or we have all of it.
    fn is_aimed_at(&self, target: tree::Id, ledger: &dyn Ledger) -> bool {
        let tree = ledger.tree();
        tree.status(target) == tree::Status::Valid
            && tree.work(target) > tree.work(ledger.tip())
            && self
                .lines
                .values()
                .any(|line| line.is_usable() && line.best.is_some_and(|best| tree.is_ancestor(target, best)))
    }

    /// Moves the window's end on.
    fn extend(&mut self, ledger: &dyn Ledger) {
        let (Some(target), Some(mut top)) = (self.target, self.top) else { return };
        let tree = ledger.tree();
        let window = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        while top != target {
            let height = tree.height(top).saturating_add(1);
            let start = self.slots.lowest().unwrap_or(height);
            if height.saturating_sub(start) >= window {
                break;
            }
            let Some(next) = tree.ancestor(target, height) else { break };
            if self.is_missing(next, ledger) {
                self.slots.insert((height, next), false);
            }
            top = next;
        }
        self.top = Some(top);
    }

    /// How many more blocks may be asked for.
    fn allowance(&self) -> usize {
        if self.processing.len() >= MAX_PROCESSING {
            return 0;
        }
        // What peers owe that don't send would hold up the others.
        let owed = self.lines.values().filter(|line| !line.late && !line.shunned).map(|line| line.owed.len());
        let owed = u64::try_from(owed.sum::<usize>()).unwrap_or(u64::MAX).saturating_mul(self.average());
        let left = MAX_BYTES.saturating_sub(owed.saturating_add(self.processing_bytes));
        let blocks = usize::try_from(left.checked_div(self.average()).unwrap_or(0)).unwrap_or(usize::MAX);
        // One is always possible, however large.
        if owed == 0 && self.processing.is_empty() { blocks.max(1) } else { blocks }
    }

    fn assign(&mut self, live: bool, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        if self.slots.is_empty() {
            return;
        }
        let average = self.average();
        let mut hungry: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, line)| line.is_usable() && line.best.is_some())
            .map(|(peer, line)| (line.room(average), line.speed(), *peer))
            .filter(|(room, ..)| *room > 0)
            .collect();
        // The fastest first: what is lowest is needed first.
        hungry.sort_by_key(|(_, speed, peer)| (std::cmp::Reverse(*speed), *peer));
        let mut allowance = self.allowance();
        for (room, _, peer) in hungry {
            let room = room.min(allowance);
            if room == 0 {
                continue;
            }
            let mut keys = self.free_for(peer, room, ledger);
            if keys.is_empty() {
                keys = self.overdue_for(peer, room, now, ledger);
            }
            allowance = allowance.saturating_sub(keys.len());
            self.ask(peer, &keys, live, turn);
        }
    }

    /// Whether the peer can be asked for a block.
    fn can_ask(line: &Line, key: Key, side: bool, ledger: &dyn Ledger) -> bool {
        let (height, id) = key;
        let Some(best) = line.best else { return false };
        let tree = ledger.tree();
        let has = if side { tree.is_ancestor(id, best) } else { line.serves(height, tree.height(best)) };
        has && !line.owed.contains_key(&id) && !line.refused.contains(&id)
    }

    /// The lowest blocks that nobody is asked for and the peer has.
    fn free_for(&self, peer: PeerId, most: usize, ledger: &dyn Ledger) -> Vec<Key> {
        let Some(line) = self.lines.get(&peer) else { return Vec::new() };
        self.slots
            .free()
            .filter(|(key, side)| Self::can_ask(line, *key, *side, ledger))
            .map(|(key, _)| key)
            .take(most)
            .collect()
    }

    /// The lowest blocks that others should have sent by now, or will send much later than the peer would, which has nothing
    /// else to do. Sets when to look again.
    fn overdue_for(&mut self, peer: PeerId, most: usize, now: Time, ledger: &dyn Ledger) -> Vec<Key> {
        let Some(line) = self.lines.get(&peer).filter(|line| line.is_proven()) else { return Vec::new() };
        // What it would send long before the other is not waited for: the window's start may wait for a slow peer.
        let sooner = now.after(line.expected(self.average()).saturating_add(slots::MARGIN).saturating_mul(3));
        let mut keys = Vec::new();
        let mut again: Option<Time> = None;
        for (key, side, expected) in self.slots.asked().take(HEAD) {
            if !Self::can_ask(line, key, side, ledger) {
                continue;
            }
            if expected <= now || expected > sooner {
                keys.push(key);
            } else {
                again = Some(again.map_or(expected, |again| again.min(expected)));
            }
        }
        keys.truncate(most);
        if let Some(again) = again {
            self.plan_at = Some(self.plan_at.map_or(again, |at| at.min(again)));
        }
        keys
    }

    fn ask(&mut self, peer: PeerId, keys: &[Key], live: bool, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        let (average, largest) = (self.average(), self.largest);
        let Some(line) = self.lines.get_mut(&peer) else { return };
        if keys.is_empty() {
            return;
        }
        let quiet = line.owed.is_empty();
        let tree = ledger.tree();
        let mut items = Vec::with_capacity(keys.len());
        for key in keys {
            let expected = line.expected(average);
            self.slots.ask(*key, peer, now, expected);
            line.asked(key.1, now);
            let hash = tree.hash(key.1);
            // BIP-0152: the compact form is for blocks that follow what we have, whose transactions we likely know.
            let next = tree.parent(key.1) == Some(ledger.tip());
            let compact = live && line.compact && next && !self.slots.is_whole(*key);
            items.push(if compact { Inventory::CompactBlock(hash) } else { Inventory::WitnessBlock(hash) });
        }
        if quiet && let Some(until) = line.patience(largest) {
            self.silences.retain(|(_, other)| *other != peer);
            self.silences.insert((until, peer));
        }
        turn.out.push(Outcome::Send(peer, Message::GetData(items)));
    }

    /// Panics if an invariant or a bound does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        self.slots.check();
        let most = WINDOW.saturating_mul(2).saturating_add(MAX_SIDE);
        assert!(self.slots.len() <= most, "{} slots", self.slots.len());
        let bytes: u64 = self.processing.values().map(|source| source.size).sum();
        assert_eq!(bytes, self.processing_bytes, "bytes that are processed");
        for (peer, line) in &self.lines {
            assert!(line.owed.len() <= line::MAX_OWED, "{peer} owes {}", line.owed.len());
            assert!(line.refused.len() <= line::MAX_REFUSED, "{peer} refused {}", line.refused.len());
            if !line.owed.is_empty() && !line.shunned {
                assert!(self.silences.iter().any(|(_, other)| other == peer), "nobody waits for {peer}");
            }
        }
        for (_, peer) in self.silences.iter() {
            assert!(self.lines.contains_key(peer), "{peer} is gone and waited for");
        }
    }
}
