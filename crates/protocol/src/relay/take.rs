//! What peers tell us of: announcements become requests, and bodies go out to be judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use yap_chain::transaction::Transaction;

use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Announced, Inventory, Message};
use crate::tally::count;
use crate::time::Time;

use super::id::Id;
use super::known::Judging;
use super::peer::{MAX_JUDGING, Peer};
use super::requests::{Ask, MAX_IN_FLIGHT, Received};
use super::{Fault, Outcome, State};

impl State {
    /// Whether `name` may tell us of transactions; notes a fault if it was told not to.
    fn admitted(&mut self, name: PeerId) -> bool {
        let Some(peer) = self.peers.get(&name) else { return false };
        if !peer.facts.accept {
            self.out.push(Outcome::Fault(name, Fault::Unwanted));
        }
        peer.facts.accept
    }

    /// `name` has these, by short ids under our key.
    pub(super) fn announced(&mut self, name: PeerId, announced: &[Announced], now: Time) {
        if !self.admitted(name) {
            return;
        }
        let short = self.peers.get(&name).is_some_and(|peer| peer.facts.short_id_key.is_some());
        for Announced(id) in announced.iter().filter(|_| short) {
            self.heard(name, Id(*id), None, false, now);
        }
        self.ask(now);
    }

    /// `name` has these. Blocks among them are not looked at.
    pub(super) fn inventory(&mut self, name: PeerId, inventory: &[Inventory], now: Time, ledger: &dyn Ledger) {
        let named = |item: &Inventory| match item {
            Inventory::Wtx(wtxid) => Some((self.key.wtxid(wtxid), *item, false)),
            Inventory::Tx(txid) | Inventory::WitnessTx(txid) => {
                // BIP-0144: asked for with its witness.
                let pending = ledger.pooled_by_txid(txid).is_some();
                Some((self.key.txid(txid), Inventory::WitnessTx(*txid), pending))
            }
            Inventory::Block(_)
            | Inventory::WitnessBlock(_)
            | Inventory::CompactBlock(_)
            | Inventory::Unknown { .. } => None,
        };
        let named: Vec<(Id, Inventory, bool)> = inventory.iter().filter_map(named).collect();
        if named.is_empty() || !self.admitted(name) {
            return;
        }
        for (id, item, pending) in named {
            self.heard(name, id, Some(item), pending, now);
        }
        self.ask(now);
    }

    /// `name` has `id`.
    fn heard(&mut self, name: PeerId, id: Id, hash: Option<Inventory>, pending: bool, now: Time) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.has.insert(id);
        self.own.seen(id);
        if !self.config.relay || pending || self.known.contains(id) {
            return;
        }
        if self.orphans.get(id).is_some() {
            self.orphans.announced(id, name);
            self.ask_parents_again(id, name, now);
            return;
        }
        let ready = self.ready_at(name, now);
        self.requests.announced(name, id, hash, (now, ready));
        if !self.catching_up {
            self.enlist(name);
        }
    }

    /// When what `name` announced now may be asked for.
    fn ready_at(&self, name: PeerId, now: Time) -> Time {
        let mut ready = now;
        if self.push_expected(name) {
            ready = ready.after(self.push_wait);
        }
        if self.peers.get(&name).is_some_and(|peer| !peer.facts.outbound) {
            ready = ready.after(self.config.inbound_wait);
        }
        ready
    }

    /// Sends the requests that are due, one message for each peer and vocabulary.
    pub(super) fn ask(&mut self, now: Time) {
        if self.catching_up {
            return;
        }
        let mut short: BTreeMap<PeerId, Vec<Announced>> = BTreeMap::new();
        let mut hashes: BTreeMap<PeerId, Vec<Inventory>> = BTreeMap::new();
        for (peer, ask) in self.requests.due(now) {
            match ask {
                Ask::Short(id) => short.entry(peer).or_default().push(id.announced()),
                Ask::Hash(item) => hashes.entry(peer).or_default().push(item),
            }
        }
        self.out.extend(short.into_iter().map(|(peer, ids)| Outcome::Send(peer, Message::Request(ids))));
        self.out.extend(hashes.into_iter().map(|(peer, items)| Outcome::Send(peer, Message::GetData(items))));
    }

    /// A body came.
    pub(super) fn transaction(&mut self, name: PeerId, transaction: Arc<Transaction>, now: Time) {
        if !self.admitted(name) {
            return;
        }
        let ids = self.ids(&transaction);
        let asked = self.requests.asked(name, ids.0) || self.requests.asked(name, ids.1);
        if !asked && (self.catching_up || !self.config.relay) {
            self.offered(name, ids, &transaction, now);
            return;
        }
        // A body that can't be judged must not end the search for it.
        let judging = self.requests.judging(name);
        if judging >= if asked { MAX_JUDGING } else { MAX_IN_FLIGHT } {
            self.refused(name, &[ids.0, ids.1], now);
            return;
        }
        let by_wtxid = self.requests.received(name, ids.0, now);
        // Who asked for the txid may have got another witness than the one that holds.
        let by_txid = if ids.1 == ids.0 { Received::default() } else { self.requests.answered(name, ids.1, now) };
        let requested = by_wtxid.requested || by_txid.requested;
        let graft = self.branches_lack(ids.0, &transaction);
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.has.insert(if peer.by_txid() { ids.1 } else { ids.0 });
        self.own.seen(ids.0);
        let pending = self.known.at_hand(ids.0);
        let orphan = self.orphans.get(ids.0).is_some();
        if pending || orphan || self.known.refused_or_confirmed(ids.0, requested) {
            count(&mut self.counts.known, 1);
            if pending && !requested {
                self.copied(name, ids.0, now);
                self.prune(name);
            }
            if orphan || self.known.confirmed.contains(ids.0) {
                self.requests.finish(ids.1);
            } else if !pending {
                self.requests.resume(ids.1, now);
            }
            self.orphans.announced(ids.0, name);
            self.ask(now);
            return;
        }
        count(&mut self.counts.new, 1);
        if requested {
            self.fetched(ids.0, by_wtxid.waited, now);
        } else {
            self.pushed(name, by_wtxid.waited);
        }
        let mut announcers = vec![name];
        for announcer in by_wtxid.announcers.into_iter().chain(by_txid.announcers) {
            if !announcers.contains(&announcer) {
                announcers.push(announcer);
            }
        }
        self.judge(ids, Judging { transaction, giver: Some(name), announcers, again: false, graft }, None);
        self.ask(now);
    }

    /// A body came that is not wanted now. Who pushed it has it, and can be asked for it later.
    fn offered(&mut self, name: PeerId, ids: (Id, Id), transaction: &Transaction, now: Time) {
        self.own.seen(ids.0);
        let by_txid = self.peers.get(&name).is_some_and(Peer::by_txid);
        let (id, item) = match by_txid {
            true => (ids.1, Inventory::WitnessTx(transaction.txid())),
            false => (ids.0, Inventory::Wtx(transaction.wtxid())),
        };
        self.heard(name, id, Some(item), self.known.at_hand(ids.0), now);
    }

    /// Has a transaction judged, unless it is already or its giver has too many judged.
    pub(super) fn judge(&mut self, ids: (Id, Id), judging: Judging, parent: Option<Arc<Transaction>>) -> bool {
        let transaction = Arc::clone(&judging.transaction);
        let giver = judging.giver;
        let full = |name| !self.peers.contains_key(&name) || self.requests.judging(name) >= MAX_JUDGING;
        if giver.is_some_and(full) || !self.known.judge(ids, judging) {
            return false;
        }
        if let Some(name) = giver {
            self.requests.judge(name);
        }
        self.out.push(Outcome::Judge { transaction, parent });
        true
    }

    /// `name` does not have what it announced.
    pub(super) fn refused(&mut self, name: PeerId, ids: &[Id], now: Time) {
        for id in ids {
            self.requests.refused(name, *id, now);
        }
        self.ask(now);
    }

    /// The ids of a transaction: of its `wtxid`, and of its `txid`.
    pub(super) fn ids(&self, transaction: &Transaction) -> (Id, Id) {
        (self.key.wtxid(&transaction.wtxid()), self.key.txid(&transaction.txid()))
    }
}
