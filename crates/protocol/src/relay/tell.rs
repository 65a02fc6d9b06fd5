//! Telling peers: pushing, gathering announcements, and the branches of the tree that pushes follow.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::Wtxid;
use yap_chain::transaction::Transaction;

use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Inventory, Message};
use crate::time::Time;

use super::id::Id;
use super::peer::{MAX_BATCH, Peer};
use super::timers::Timer;
use super::{Outcome, Push, State};

/// Longest wait for a branch.
pub const MAX_PUSH_WAIT: Duration = Duration::from_secs(1);

/// Most transactions that were asked for and of which it is remembered how long they took.
pub const MAX_FETCHED: usize = 64;

impl State {
    /// Tells everybody who lacks and wants it of a transaction that is pending now.
    pub(super) fn tell(&mut self, transaction: &Arc<Transaction>, feerate: u64, now: Time, ledger: &dyn Ledger) {
        let id = self.key.wtxid(&transaction.wtxid());
        if !self.config.relay && !self.own.contains(id) {
            return;
        }
        let txid = self.key.txid(&transaction.txid());
        let small = transaction.total_size() <= self.config.push_bytes;
        let mut told = false;
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for name in peers {
            let Some(peer) = self.peers.get_mut(&name) else { continue };
            let known = peer.has.contains(if peer.by_txid() { txid } else { id });
            if !peer.facts.announce || known || feerate < peer.filter {
                continue;
            }
            told = true;
            let push = match self.config.push {
                Push::Never => false,
                Push::Tree { .. } => peer.branch,
                Push::Always => peer.pushable(),
            };
            // E2: at once if it fits into a few packets. Nothing is pushed on top of what a slow reader has not read.
            if push && small && !peer.congested {
                peer.has.insert(id);
                self.own.seen(id);
                self.out.push(Outcome::Send(name, Message::Transaction(Arc::clone(transaction))));
                continue;
            }
            peer.batch.push(id);
            if peer.batch.len() >= MAX_BATCH {
                self.flush(name, now, ledger);
            } else {
                // Where pushes go ahead, an announcement only mends, and can wait for others. Elsewhere it leads: the
                // first goes at once, and what follows closely is gathered.
                let leads = self.branches == 0 || !peer.pushable();
                let at =
                    if leads { peer.flushed.after(self.config.batch).max(now) } else { now.after(self.config.batch) };
                self.timers.start(name, Timer::Batch, at);
            }
        }
        if told {
            self.out.push(Outcome::Relayed(transaction.txid()));
        }
    }

    /// Sends what was gathered for a peer, without what it got in the meantime.
    pub(super) fn flush(&mut self, name: PeerId, now: Time, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.flushed = now;
        let mut batch = std::mem::take(&mut peer.batch);
        if !peer.by_txid() {
            batch.retain(|id| !peer.has.contains(*id));
        }
        self.announce(name, &batch, ledger);
    }

    /// Announces what is still pending, whether the peer was told before or not.
    pub(super) fn announce(&mut self, name: PeerId, ids: &[Id], ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let pool = &self.known.pool;
        let pending = ids.iter().filter_map(|id| pool.get(id).map(|wtxid| (*id, *wtxid)));
        let message = if let Some(key) = peer.key() {
            let mut announced = Vec::with_capacity(ids.len());
            for (id, wtxid) in pending {
                let theirs = key.wtxid(&wtxid).announced();
                peer.has.insert(id);
                peer.offers.insert(theirs, id);
                announced.push(theirs);
            }
            if announced.is_empty() {
                return;
            }
            Message::Announce(announced)
        } else {
            let mut inventory = Vec::with_capacity(ids.len());
            for (id, wtxid) in pending {
                inventory.extend(named(peer, self.key, id, &wtxid, ledger));
            }
            if inventory.is_empty() {
                return;
            }
            Message::Inv(inventory)
        };
        self.out.push(Outcome::Send(name, message));
    }

    /// Announces what is ours to a peer that may be told and does not show that it has it.
    pub(super) fn announce_own(&mut self, name: PeerId, own: &[Id], ledger: &dyn Ledger) {
        if self.peers.get(&name).is_some_and(|peer| peer.facts.announce && !peer.congested) {
            self.announce(name, own, ledger);
        }
    }

    /// Whether `name` may become a branch.
    fn may_branch(&self, name: PeerId) -> bool {
        let Push::Tree { most, .. } = self.config.push else { return false };
        self.branches < most && self.peers.get(&name).is_some_and(Peer::pushable)
    }

    /// Makes a link a branch or ends that, on this side alone.
    fn set_branch(&mut self, name: PeerId, branch: bool) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        if peer.branch == branch {
            return;
        }
        peer.branch = branch;
        peer.copies = 0;
        self.branches = if branch { self.branches.saturating_add(1) } else { self.branches.saturating_sub(1) };
    }

    /// A peer says whether its link is a branch.
    pub(super) fn branch_told(&mut self, name: PeerId, branch: bool) {
        let known = self.peers.get(&name).is_some_and(|peer| peer.branch);
        if branch && !known && !self.may_branch(name) {
            self.out.push(Outcome::Send(name, Message::Push(false)));
            return;
        }
        self.set_branch(name, branch);
    }

    /// Whether nobody who is a branch has a small transaction that came from elsewhere. If one has it, it announced it,
    /// as branches do with what is old, and is not at fault. Asked before we tell anybody ourselves.
    pub(super) fn branches_lack(&self, id: Id, transaction: &Transaction) -> bool {
        let small = transaction.total_size() <= self.config.push_bytes;
        let few = matches!(self.config.push, Push::Tree { least, .. } if self.branches < least);
        small && (few || !self.peers.values().any(|peer| peer.branch && peer.has.contains(id)))
    }

    /// `announcer` has something that we lack: it becomes a branch if there are some, but fewer than wanted.
    pub(super) fn enlist(&mut self, announcer: PeerId) {
        if let Push::Tree { least, .. } = self.config.push
            && (1..least).contains(&self.branches)
        {
            self.graft(announcer);
        }
    }

    /// `giver` was first to give a transaction that [branches lacked](Self::branches_lack): it becomes a branch.
    pub(super) fn graft(&mut self, giver: PeerId) {
        let branch = self.peers.get(&giver).is_some_and(|peer| peer.branch);
        if !branch && self.may_branch(giver) {
            self.set_branch(giver, true);
            self.out.push(Outcome::Send(giver, Message::Push(true)));
        }
    }

    /// `giver` pushed what we had: its link is no branch any more, unless there would be too few.
    pub(super) fn prune(&mut self, giver: PeerId) {
        let Push::Tree { least, .. } = self.config.push else { return };
        let Some(peer) = self.peers.get_mut(&giver) else { return };
        peer.copies = peer.copies.saturating_add(1);
        let spared = self.branches <= least || peer.copies < self.config.patience;
        if !peer.pushable() || (peer.branch && spared) {
            return;
        }
        self.set_branch(giver, false);
        self.out.push(Outcome::Send(giver, Message::Push(false)));
    }

    /// A peer pushed a transaction that was new, and of which we had heard for so long.
    pub(super) fn pushed(&mut self, name: PeerId, waited: Duration) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.copies = 0;
        if peer.branch {
            self.learn_wait(waited);
        }
    }

    /// A transaction of which we had heard for so long was asked for, and came.
    pub(super) fn fetched(&mut self, id: Id, waited: Duration, now: Time) {
        if self.fetched.len() >= MAX_FETCHED {
            self.fetched.pop_front();
        }
        self.fetched.push_back((id, now, waited));
    }

    /// A peer pushed what we had. If we had asked for it, and the peer is a branch, we asked too soon.
    pub(super) fn copied(&mut self, name: PeerId, id: Id, now: Time) {
        let branch = self.peers.get(&name).is_some_and(|peer| peer.branch);
        let fetched = self.fetched.iter().find(|(fetched, ..)| *fetched == id).filter(|_| branch);
        if let Some((_, at, waited)) = fetched {
            self.learn_wait(waited.saturating_add(now.since(*at)));
        }
    }

    /// As with round trips, the wait for branches follows what was seen, up at once and down slowly, so that slow branches
    /// are not taken for broken ones.
    fn learn_wait(&mut self, seen: Duration) {
        let decayed = self.push_wait.saturating_sub(part(self.push_wait, 5));
        let least = self.config.push_wait;
        self.push_wait = decayed.max(seen.saturating_add(part(seen, 2))).clamp(least, MAX_PUSH_WAIT.max(least));
    }

    /// A peer is gone: what was its branch is gone, too.
    pub(super) fn fell(&mut self, peer: &Peer) {
        if peer.branch {
            self.branches = self.branches.saturating_sub(1);
        }
    }

    /// Whether an announced transaction may still be pushed by somebody.
    pub(super) fn push_expected(&self, announcer: PeerId) -> bool {
        self.branches > 0 && !self.peers.get(&announcer).is_some_and(|peer| peer.branch)
    }
}

/// How a transaction is named to a peer that knows no short ids; `None` if it knows of it or it is gone.
fn named(peer: &mut Peer, key: super::id::Key, id: Id, wtxid: &Wtxid, ledger: &dyn Ledger) -> Option<Inventory> {
    if peer.by_txid() {
        let txid = ledger.pooled(wtxid)?.transaction.txid();
        peer.has.insert(key.txid(&txid));
        return Some(Inventory::Tx(txid));
    }
    peer.has.insert(id);
    Some(Inventory::Wtx(*wtxid))
}

/// `time` / 2^`shift`.
fn part(time: Duration, shift: u32) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros() >> shift).unwrap_or(u64::MAX))
}
