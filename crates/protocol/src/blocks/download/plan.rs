//! What to fetch, and of whom: the aim, the window, and who gets which part of it.

use std::cmp::Reverse;

use yap_chain::header::tree;

use super::super::Outcome;
use super::super::outcome::Turn;
use super::line::Line;
use super::slots::{self, Key};
use super::{HEAD, MAX_BYTES, MAX_PROCESSING, State, WINDOW};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Inventory, Message};
use crate::time::Time;

impl State {
    pub(super) fn plan(&mut self, live: bool, turn: &mut Turn<'_>) {
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
    pub(super) fn allowance(&self) -> usize {
        if self.processing.len() >= MAX_PROCESSING {
            return 0;
        }
        // What peers owe that don't send would hold up the others.
        let owed = self.lines.values().filter(|line| !line.late && !line.shunned).map(|line| line.owed.len());
        let owed = u64::try_from(owed.sum::<usize>()).unwrap_or(u64::MAX).saturating_mul(self.average());
        let left = MAX_BYTES.saturating_sub(owed.saturating_add(self.processing_bytes));
        let blocks = usize::try_from(left.checked_div(self.average()).unwrap_or(0)).unwrap_or(usize::MAX);
        // One is always possible, however large.
        if owed == 0 && self.processing_bytes == 0 { blocks.max(1) } else { blocks }
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
        hungry.sort_by_key(|(_, speed, peer)| (Reverse(*speed), *peer));
        let mut allowance = self.allowance();
        let mut only = None;
        if allowance == 0 {
            // Whoever processes may wait for the one block below all that it has: then there is no room until it comes.
            only = self.slots.lowest().filter(|height| self.is_below_all_processed(*height, ledger));
            allowance = usize::from(only.is_some());
        }
        for (room, _, peer) in hungry {
            let room = room.min(allowance);
            if room == 0 {
                continue;
            }
            let mut keys = self.free_for(peer, room, now, ledger);
            if keys.is_empty() {
                keys = self.overdue_for(peer, room, now, ledger);
            }
            keys.retain(|(height, _)| only.is_none_or(|only| only == *height));
            allowance = allowance.saturating_sub(keys.len());
            self.ask(peer, &keys, live, turn);
        }
        self.look_again_at_refused(now);
    }

    /// What nobody is asked for may be there to ask of a peer that refused it, a little later.
    fn look_again_at_refused(&mut self, now: Time) {
        if self.slots.free().next().is_none() {
            return;
        }
        let until = self.lines.values().filter(|line| line.is_usable()).flat_map(|line| line.refused.values());
        if let Some(again) = until.filter(|until| **until > now).min().copied() {
            self.replan(again);
        }
    }

    fn is_below_all_processed(&self, height: u32, ledger: &dyn Ledger) -> bool {
        self.processing.values().all(|source| ledger.tree().height(source.id) > height)
    }

    /// Whether the peer can be asked for a block.
    fn can_ask(line: &Line, (key, side): (Key, bool), now: Time, ledger: &dyn Ledger) -> bool {
        let (height, id) = key;
        let Some(best) = line.best else { return false };
        let tree = ledger.tree();
        let has = if side { tree.is_ancestor(id, best) } else { line.serves(height, tree.height(best)) };
        has && !line.owed.contains_key(&id) && !line.refuses(id, now)
    }

    /// The lowest blocks that nobody is asked for and the peer has.
    fn free_for(&self, peer: PeerId, most: usize, now: Time, ledger: &dyn Ledger) -> Vec<Key> {
        let Some(line) = self.lines.get(&peer) else { return Vec::new() };
        self.slots
            .free()
            .filter(|(key, side)| Self::can_ask(line, (*key, *side), now, ledger))
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
            if !Self::can_ask(line, (key, side), now, ledger) {
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
}
