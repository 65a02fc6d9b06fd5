//! What follows from verdicts, and from blocks: orphans are kept, tried again or forgotten; refusals are remembered.

use std::sync::Arc;

use bitcoin::{OutPoint, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

use crate::io::{Judged, TipChange};
use crate::link::PeerId;
use crate::message::Inventory;
use crate::tally::count;
use crate::time::Time;

use super::id::Id;
use super::known::Judging;
use super::{Outcome, State};

/// Most missing parents of one orphan: one that has more can't be pending together with them, since no more
/// transactions than 64 may depend on each other (Bitcoin Core's limit of clusters).
pub const MAX_PARENTS: usize = 63;

impl State {
    /// A verdict came.
    pub(super) fn verdict(&mut self, wtxid: &Wtxid, verdict: &Judged, now: Time) {
        let id = self.key.wtxid(wtxid);
        let Some(txid) = self.known.judging(id).map(|judging| judging.transaction.txid()) else { return };
        let ids = (id, self.key.txid(&txid));
        let Some(judging) = self.known.judged(ids) else { return };
        if let Some(giver) = judging.giver {
            self.requests.judged(giver);
        }
        if judging.giver.is_none() && !matches!(verdict, Judged::Accepted | Judged::Known | Judged::Failed) {
            self.own.seen(id);
        }
        match verdict {
            Judged::Accepted => self.accepted(id, &judging),
            Judged::Known => self.orphans.remove(id),
            Judged::MissingInputs(missing) => self.orphaned(ids, &judging, missing, now),
            Judged::LowFee { .. } => self.underpaid(ids, &judging),
            Judged::Policy { witness, .. } | Judged::Invalid { witness, .. } => {
                self.orphans.remove(id);
                self.reject(ids, &judging.transaction, *witness);
                if matches!(verdict, Judged::Policy { .. }) {
                    self.out.push(Outcome::Extra(judging.transaction));
                }
            }
            Judged::Failed => {}
        }
        match verdict {
            Judged::MissingInputs(_)
            | Judged::Failed
            | Judged::Policy { witness: true, .. }
            | Judged::Invalid { witness: true, .. } => self.requests.resume(ids.1, now),
            Judged::Accepted
            | Judged::Known
            | Judged::LowFee { .. }
            | Judged::Policy { .. }
            | Judged::Invalid { .. } => {
                self.requests.finish(ids.1);
            }
        }
        self.ask(now);
    }

    fn accepted(&mut self, id: Id, judging: &Judging) {
        self.orphans.remove(id);
        if let Some(giver) = judging.giver {
            count(&mut self.counts.accepted, 1);
            self.out.push(Outcome::Useful(giver));
            if judging.graft {
                self.graft(giver);
            }
        }
    }

    /// Remembers a refusal. Where the witness alone is at fault, the same `txid` may come again with a good one; and
    /// without any witness, the `wtxid` is the `txid`.
    fn reject(&mut self, (wtxid, txid): (Id, Id), transaction: &Transaction, witness: bool) {
        if !witness {
            self.known.rejected.insert(txid);
        }
        if !witness || transaction.has_witness() {
            self.known.rejected.insert(wtxid);
        }
    }

    /// Its parents are not known: keeps it, and asks those who have it for them.
    fn orphaned(&mut self, ids: (Id, Id), judging: &Judging, missing: &[OutPoint], now: Time) {
        if judging.giver.is_none() {
            return;
        }
        // Who is gone can't be asked for parents, nor be blamed for the room that an orphan takes.
        let here = judging.announcers.iter().copied().filter(|name| self.peers.contains_key(name));
        let announcers: Vec<PeerId> = here.collect();
        let mut parents: Vec<Txid> = missing.iter().map(|outpoint| outpoint.txid).collect();
        parents.sort_unstable();
        parents.dedup();
        // Verdicts and new parents may cross: then none of what follows would look at it again.
        if !judging.again && parents.iter().any(|parent| self.known.just_came(self.key.txid(parent))) {
            let giver = announcers.first().copied();
            let transaction = Arc::clone(&judging.transaction);
            self.judge(ids, Judging { transaction, giver, announcers, again: true, graft: judging.graft }, None);
            return;
        }
        let hopeless = |parent: &Txid| self.known.rejected.contains(self.key.txid(parent));
        if parents.len() > MAX_PARENTS || parents.iter().any(hopeless) {
            self.orphans.remove(ids.0);
            self.reject(ids, &judging.transaction, false);
            return;
        }
        self.orphans.insert(ids.0, &judging.transaction, &announcers, now);
        if self.orphans.get(ids.0).is_none() {
            return;
        }
        self.out.push(Outcome::Extra(Arc::clone(&judging.transaction)));
        // Several may have one txid, of which all but one have a witness that does not hold.
        let low: Vec<_> = parents.iter().flat_map(|parent| self.known.low(*parent)).collect();
        if low.iter().any(|parent| self.together(parent, &judging.transaction)) {
            return;
        }
        for parent in parents {
            for announcer in &announcers {
                self.ask_parent(parent, *announcer, now);
            }
        }
    }

    /// Whoever has an orphan may have its parent.
    fn ask_parent(&mut self, parent: Txid, announcer: PeerId, now: Time) {
        let id = self.key.txid(&parent);
        // What pays too little alone is asked for again: its child may pay.
        if !self.known.at_hand(id) && !self.known.confirmed.contains(id) {
            self.requests.announced(announcer, id, Some(Inventory::WitnessTx(parent)), (now, now));
        }
    }

    /// Another peer announced an orphan: it can be asked for those parents that are still asked for.
    pub(super) fn ask_parents_again(&mut self, orphan: Id, announcer: PeerId, now: Time) {
        let Some((transaction, _)) = self.orphans.get(orphan) else { return };
        let mut parents: Vec<Txid> =
            transaction.decoded().input.iter().map(|input| input.previous_output.txid).collect();
        parents.sort_unstable();
        parents.dedup();
        for parent in parents {
            if self.requests.contains(self.key.txid(&parent)) {
                self.ask_parent(parent, announcer, now);
            }
        }
    }

    /// It pays too little alone: kept for a child that pays for both.
    fn underpaid(&mut self, ids: (Id, Id), judging: &Judging) {
        self.orphans.remove(ids.0);
        // Not by its txid: with less of a witness, it might pay enough.
        self.known.low_fee.insert(ids.0);
        self.known.keep_low(&judging.transaction);
        let children = self.orphans.children(judging.transaction.txid());
        let tried = children.iter().any(|child| self.together(&judging.transaction, child));
        if !tried {
            self.out.push(Outcome::Extra(Arc::clone(&judging.transaction)));
        }
    }

    /// Has an orphan and its parent judged together; says whether they are, for the first time.
    fn together(&mut self, parent: &Arc<Transaction>, child: &Arc<Transaction>) -> bool {
        let (parent_ids, child_ids) = (self.ids(parent), self.ids(child));
        let Some((_, announcers)) = self.orphans.get(child_ids.0) else { return false };
        let announcers = announcers.to_vec();
        let (Some(giver), true) = (announcers.first().copied(), self.known.pair(parent_ids.0, child_ids.0)) else {
            return false;
        };
        let judging = Judging {
            transaction: Arc::clone(child),
            giver: Some(giver),
            announcers: announcers.clone(),
            again: false,
            graft: false,
        };
        if !self.judge(child_ids, judging, Some(Arc::clone(parent))) {
            return false;
        }
        let judging = Judging { transaction: Arc::clone(parent), giver: None, announcers, again: false, graft: false };
        self.known.judge(parent_ids, judging);
        true
    }

    /// `parent` is there: its orphans are judged again. As many as there are orphans, at most.
    pub(super) fn adopt(&mut self, parent: Txid) {
        for child in self.orphans.children(parent) {
            let ids = self.ids(&child);
            let Some((_, announcers)) = self.orphans.get(ids.0) else { continue };
            let announcers = announcers.to_vec();
            let judging = |giver| Judging {
                transaction: Arc::clone(&child),
                giver,
                announcers: announcers.clone(),
                again: false,
                graft: false,
            };
            // Orphans are few: none waits because much of its giver's is judged.
            if !self.judge(ids, judging(announcers.first().copied()), None) {
                self.judge(ids, judging(None), None);
            }
        }
    }

    /// The chain has changed.
    pub(super) fn chain_changed(&mut self, change: &TipChange, now: Time) {
        self.known.forget_refusals();
        if !change.disconnected.is_empty() {
            self.known.confirmed.clear();
        }
        for block in change.connected.iter().filter_map(|(_, block)| block.as_deref()) {
            self.block(block);
        }
        self.ask(now);
    }

    fn block(&mut self, block: &Block) {
        self.orphans.confirmed(block);
        for transaction in block.transactions() {
            let ids = self.ids(transaction);
            for id in [ids.0, ids.1] {
                self.known.confirmed.insert(id);
                self.requests.finish(id);
            }
            self.own.seen(ids.0);
            self.adopt(transaction.txid());
        }
    }
}
