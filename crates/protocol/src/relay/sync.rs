//! Mempools of peers that meet (P5): what one has and the other lacks is announced, not what both have.
//!
//! ```text
//! A ── yappool: count, sums ──▶ B      both at once; each compares
//! A ◀── yaptxinv ── B                  of the parts that differ: whoever has fewer, first
//! A ── yapgettx ──▶ B                  what it lacks; while it asks, B waits with the next part
//! ```
//!
//! The sums are as many as pay off: one for each 16 transactions. So the cost is that of the summary, and of announcing
//! 16 transactions (in large mempools more) for each that differs. Peers that know no summary are told of the oldest and
//! best [`FIRST_LOOK`] without comparison.

use std::collections::VecDeque;
use std::time::Duration;

use bitcoin::Wtxid;
use bitcoin::hashes::Hash;

use crate::ledger::{Ledger, Pooled};
use crate::link::PeerId;
use crate::message::{MAX_POOL_SUMS, Message, PoolSummary};
use crate::tally::count;
use crate::time::Time;

use super::id::Id;
use super::peer::MAX_BATCH;
use super::timers::Timer;
use super::{Outcome, Reconcile, State};

/// Most ids of the mempool that are lined up for a peer at a time; then the next are looked up.
pub const MAX_SYNC: usize = 20_000;

/// Most that a peer is told which can't compare: as many as Bitcoin Core remembers of a peer.
pub const FIRST_LOOK: usize = 5_000;

/// Silence after which a peer, having asked for what it lacks of one part, is told of the next. So it is told of 4,000
/// transactions a second at most.
pub const SYNC_PAUSE: Duration = Duration::from_millis(250);

/// A peer's summaries are compared no more often.
pub const SYNC_AGAIN: Duration = Duration::from_secs(10);

/// Transactions for each sum of a summary.
const PER_SUM: usize = 16;

/// The sums of the mempool, in the finest parts; nothing while it is empty.
#[derive(Debug, Default)]
pub(super) struct Sums {
    count: u32,
    sums: Vec<u64>,
}

/// The part of the finest division that a transaction falls in, and what it counts.
fn place(wtxid: &Wtxid) -> (usize, u64) {
    let (part, rest) = wtxid.as_byte_array().split_at(8);
    let number = |bytes: &[u8]| bytes.iter().take(8).rev().fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
    let part = number(part).checked_rem(MAX_POOL_SUMS as u64).unwrap_or(0);
    (usize::try_from(part).unwrap_or(0), number(rest))
}

impl Sums {
    /// A transaction is pending now.
    pub(super) fn add(&mut self, wtxid: &Wtxid) {
        self.sums.resize(MAX_POOL_SUMS, 0);
        let (part, value) = place(wtxid);
        if let Some(sum) = self.sums.get_mut(part) {
            *sum = sum.wrapping_add(value);
        }
        self.count = self.count.saturating_add(1);
    }

    /// A transaction is not pending any more.
    pub(super) fn take(&mut self, wtxid: &Wtxid) {
        let (part, value) = place(wtxid);
        if let Some(sum) = self.sums.get_mut(part) {
            *sum = sum.wrapping_sub(value);
        }
        self.count = self.count.saturating_sub(1);
    }

    /// The sums of `parts` parts, a power of two.
    fn fold(&self, parts: usize) -> Vec<u64> {
        let mut folded = vec![0_u64; parts];
        for chunk in self.sums.chunks(parts) {
            folded.iter_mut().zip(chunk).for_each(|(sum, more)| *sum = sum.wrapping_add(*more));
        }
        folded
    }

    /// The summary to send: as fine as pays off.
    pub(super) fn summary(&self) -> PoolSummary {
        let parts = usize::try_from(self.count).unwrap_or(0) / PER_SUM;
        let parts = parts.clamp(1, MAX_POOL_SUMS).next_power_of_two();
        PoolSummary { count: self.count, sums: self.fold(parts) }
    }

    /// Which parts of a peer's summary differ from ours; none where it is not one.
    pub(super) fn differing(&self, summary: &PoolSummary) -> Vec<bool> {
        let parts = summary.sums.len();
        if !parts.is_power_of_two() || parts > MAX_POOL_SUMS {
            return Vec::new();
        }
        self.fold(parts).iter().zip(&summary.sums).map(|(ours, theirs)| ours != theirs).collect()
    }

    /// How many transactions are pending.
    pub(super) fn count(&self) -> u32 {
        self.count
    }
}

/// How far a peer was told of the mempool.
#[derive(Debug, Default)]
pub(super) struct Sync {
    /// When it was last started.
    pub(super) started: Option<Time>,
    /// Whether it is under way.
    running: bool,
    /// Which parts are told; all if empty.
    parts: Vec<bool>,
    queue: VecDeque<Id>,
    /// Whether anything was looked up yet, and the turn of the last transaction (by age) that was.
    cursor: Option<u64>,
    /// Whether there is more to look up.
    more: bool,
}

impl Sync {
    /// Panics if a bound is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(
            self.queue.len() <= MAX_SYNC && self.parts.len() <= MAX_POOL_SUMS,
            "too much of the mempool is lined up"
        );
    }

    /// Whether it is under way, and not only put off.
    fn begun(&self) -> bool {
        self.running && self.cursor.is_some()
    }

    fn wants(&self, wtxid: &Wtxid) -> bool {
        let (part, _) = place(wtxid);
        let part = part.checked_rem(self.parts.len()).unwrap_or(0);
        self.parts.get(part).copied().unwrap_or(true)
    }
}

impl State {
    /// A peer is there, or we have caught up: compares mempools with it, or tells it of ours if it can't compare.
    pub(super) fn meet(&mut self, name: PeerId, now: Time) {
        let Reconcile::Announce = self.config.reconcile;
        let Some(peer) = self.peers.get_mut(&name) else { return };
        if self.catching_up || !self.config.relay {
            return;
        }
        if peer.facts.short_id_key.is_none() {
            // Its `feefilter` is on its way.
            self.start_sync(name, Vec::new(), now.after(SYNC_PAUSE));
        } else if peer.facts.announce && peer.facts.accept {
            self.out.push(Outcome::Send(name, Message::PoolSummary(self.sums.summary())));
        }
    }

    /// A peer's summary came: what differs is announced, first by whoever has fewer.
    pub(super) fn compare(&mut self, name: PeerId, summary: &PoolSummary, now: Time) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let parts = self.sums.differing(summary);
        count(&mut self.counts.differing, usize::from(parts.contains(&true)));
        if peer.sync.begun() || !self.config.relay || !parts.contains(&true) {
            return;
        }
        let ours = (self.sums.count(), peer.facts.outbound);
        let first = summary.count == 0 || ours < (summary.count, !peer.facts.outbound);
        let at = if first { now } else { now.after(SYNC_PAUSE) };
        // Put off rather than passed over: the peer may have caught up in the meantime, and asks nobody else.
        let at = match peer.sync.started {
            Some(before) if peer.sync.running => before.max(at),
            Some(before) => before.after(SYNC_AGAIN).max(at),
            None => at,
        };
        self.start_sync(name, parts, at);
    }

    /// Starts to tell a peer of the mempool.
    pub(super) fn start_sync(&mut self, name: PeerId, parts: Vec<bool>, at: Time) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        if !peer.facts.announce || peer.sync.begun() || self.sums.count() == 0 {
            return;
        }
        let (queue, more) = (VecDeque::new(), true);
        peer.sync = Sync { started: Some(at), running: true, parts, queue, cursor: None, more };
        self.timers.set(name, Timer::Sync, at);
    }

    /// Tells a peer of the next part, unless it is still busy with the last.
    pub(super) fn sync(&mut self, name: PeerId, now: Time, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let quiet = peer.asked.after(SYNC_PAUSE);
        let busy = peer.congested || !peer.owed.is_empty() || (peer.asked > Time::ZERO && quiet > now);
        if busy {
            let at = if quiet > now { quiet } else { now.after(SYNC_PAUSE) };
            self.timers.set(name, Timer::Sync, at);
            return;
        }
        if peer.sync.queue.is_empty() && peer.sync.more {
            let compared = peer.facts.short_id_key.is_some();
            self.look_up(name, compared, ledger);
        }
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let mut part = Vec::new();
        while part.len() < MAX_BATCH {
            let Some(id) = peer.sync.queue.pop_front() else { break };
            let Some(pooled) = self.known.pool.get(&id).and_then(|wtxid| ledger.pooled(wtxid)) else { continue };
            let named = if peer.by_txid() { self.key.txid(&pooled.transaction.txid()) } else { id };
            if pooled.feerate() >= peer.filter && !peer.has.contains(named) {
                part.push(id);
            }
        }
        if peer.sync.queue.is_empty() && !peer.sync.more {
            peer.sync = Sync { started: peer.sync.started, ..Sync::default() };
        } else {
            self.timers.set(name, Timer::Sync, now.after(SYNC_PAUSE));
        }
        count(&mut self.counts.announced, part.len());
        self.announce(name, &part, ledger);
    }

    /// Lines up what is told next: at first the oldest and the best by turns, then whatever follows by age.
    fn look_up(&mut self, name: PeerId, compared: bool, ledger: &dyn Ledger) {
        let key = self.key;
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let most = if compared { MAX_SYNC } else { FIRST_LOOK };
        let sync = &mut peer.sync;
        let id = |pooled: &Pooled| key.wtxid(&pooled.transaction.wtxid());
        let wanted = |pooled: &Pooled| sync.wants(&pooled.transaction.wtxid());
        let first = sync.cursor.is_none();
        let half = if first { most / 2 } else { most };
        let after = sync.cursor;
        let later = |pooled: &Pooled| after.is_none_or(|cursor| pooled.sequence > cursor);
        let oldest: Vec<(Id, u64)> = ledger
            .pool_by_age()
            .filter(|pooled| later(pooled) && wanted(pooled))
            .take(half)
            .map(|pooled| (id(&pooled), pooled.sequence))
            .collect();
        let best: Vec<Id> = if first && oldest.len() == half {
            ledger.pool_by_feerate().filter(wanted).take(half).map(|pooled| id(&pooled)).collect()
        } else {
            Vec::new()
        };
        sync.more = compared && oldest.len() == half;
        sync.cursor = oldest.last().map(|(_, sequence)| *sequence);
        let mut best = best.into_iter();
        for (old, _) in oldest {
            sync.queue.push_back(old);
            sync.queue.extend(best.next());
        }
        sync.queue.extend(best);
    }
}
