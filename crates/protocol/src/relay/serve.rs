//! Giving peers what they ask for, no faster than they read.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Witness, consensus};
use yap_chain::transaction::Transaction;

use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Announced, Inventory, Message};
use crate::time::Time;

use super::id::Key;
use super::peer::{MAX_OWED, Owed, Peer};
use super::timers::Timer;
use super::{Outcome, State};

/// Bytes of transactions after which a peer has to wait for the rest.
pub const SERVE_BYTES: usize = 1_000_000;

/// How long it waits.
pub const SERVE_PAUSE: Duration = Duration::from_millis(10);

impl State {
    /// A peer asks for transactions.
    pub(super) fn asked(&mut self, name: PeerId, wanted: impl Iterator<Item = Owed>, now: Time, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        peer.asked = now;
        let mut gone = Gone::default();
        for owed in wanted {
            if peer.facts.announce && peer.owed.len() < MAX_OWED {
                peer.owed.push_back(owed);
            } else {
                lacks(peer, self.key, owed);
                gone.add(owed);
            }
        }
        gone.send(name, &mut self.out);
        if self.timers.at(name, Timer::Owed).is_none() {
            self.serve(name, now, ledger);
        }
    }

    /// Sends what is owed, until it is enough for now.
    pub(super) fn serve(&mut self, name: PeerId, now: Time, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&name) else { return };
        let mut gone = Gone::default();
        let mut bytes = 0_usize;
        while !peer.congested && bytes < SERVE_BYTES {
            let Some(owed) = peer.owed.pop_front() else { break };
            let found = match owed {
                Owed::Short(theirs) => {
                    let wtxid = peer.offers.get(theirs).and_then(|id| self.known.pool.get(&id));
                    wtxid.and_then(|wtxid| ledger.pooled(wtxid))
                }
                Owed::Hash(Inventory::Wtx(wtxid)) => ledger.pooled(&wtxid),
                Owed::Hash(Inventory::Tx(txid) | Inventory::WitnessTx(txid)) => ledger.pooled_by_txid(&txid),
                Owed::Hash(_) => None,
            };
            let Some(pooled) = found else {
                lacks(peer, self.key, owed);
                gone.add(owed);
                continue;
            };
            let id = self.key.wtxid(&pooled.transaction.wtxid());
            self.own.seen(id);
            peer.has.insert(if peer.by_txid() { self.key.txid(&pooled.transaction.txid()) } else { id });
            bytes = bytes.saturating_add(pooled.transaction.total_size());
            // BIP-0144: without its witness if it is asked for as MSG_TX.
            let bare = matches!(owed, Owed::Hash(Inventory::Tx(_))) && pooled.transaction.has_witness();
            let transaction = if bare { stripped(&pooled.transaction) } else { Some(pooled.transaction) };
            self.out.extend(transaction.map(|body| Outcome::Send(name, Message::Transaction(body))));
        }
        if !peer.congested && !peer.owed.is_empty() {
            self.timers.set(name, Timer::Owed, now.after(SERVE_PAUSE));
        }
        gone.send(name, &mut self.out);
    }
}

/// A peer is not given what it was told of: if that becomes pending again, as when a block is taken back, it is told again.
fn lacks(peer: &mut Peer, key: Key, owed: Owed) {
    let id = match owed {
        Owed::Short(theirs) => peer.offers.get(theirs),
        Owed::Hash(Inventory::Wtx(wtxid)) => Some(key.wtxid(&wtxid)),
        Owed::Hash(Inventory::Tx(txid) | Inventory::WitnessTx(txid)) => Some(key.txid(&txid)),
        Owed::Hash(_) => None,
    };
    if let Some(id) = id {
        peer.has.remove(id);
    }
}

/// A transaction without its witness.
fn stripped(transaction: &Transaction) -> Option<Arc<Transaction>> {
    let mut inner = transaction.decoded().clone();
    for input in &mut inner.input {
        input.witness = Witness::new();
    }
    Transaction::parse(consensus::serialize(&inner)).ok().map(Arc::new)
}

/// What was asked for and is not there, for one message of each vocabulary.
#[derive(Default)]
struct Gone {
    short: Vec<Announced>,
    hashes: Vec<Inventory>,
}

impl Gone {
    fn add(&mut self, owed: Owed) {
        match owed {
            Owed::Short(id) => self.short.push(id),
            Owed::Hash(item) => self.hashes.push(item),
        }
    }

    fn send(self, name: PeerId, out: &mut Vec<Outcome>) {
        if !self.short.is_empty() {
            out.push(Outcome::Send(name, Message::Gone(self.short)));
        }
        if !self.hashes.is_empty() {
            out.push(Outcome::Send(name, Message::NotFound(self.hashes)));
        }
    }
}
