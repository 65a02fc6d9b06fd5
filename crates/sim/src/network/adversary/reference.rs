//! Plain ways to pass transactions on, to compare the nodes' way with: what a bare model gives on the same lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::Wtxid;
use bitcoin::hashes::Hash;
use yap_chain::transaction::Transaction;
use yap_protocol::message::Announced;
use yap_protocol::{Link, Message, PeerId};

use crate::network::actor::{Actor, Port};

/// How transactions are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gossip {
    /// To every peer that did not send it: soonest, and many times over.
    Push,
    /// Announced to every peer that did not announce it, and sent to whoever asks: once, after two more trips.
    Announce,
}

/// Passes transactions on, without rules and without a handshake.
#[derive(Debug)]
pub struct Reference {
    gossip: Gossip,
    peers: BTreeSet<PeerId>,
    known: BTreeMap<Announced, Arc<Transaction>>,
    asked: BTreeSet<Announced>,
}

impl Reference {
    /// Passes transactions on in this way.
    #[must_use]
    pub const fn new(gossip: Gossip) -> Self {
        Self { gossip, peers: BTreeSet::new(), known: BTreeMap::new(), asked: BTreeSet::new() }
    }

    fn take(&mut self, port: &mut Port<'_>, from: Option<PeerId>, transaction: &Arc<Transaction>) {
        let id = short(&transaction.wtxid());
        if self.known.insert(id, Arc::clone(transaction)).is_some() {
            return;
        }
        port.arrived(transaction.wtxid().to_byte_array());
        for peer in self.peers.iter().copied().filter(|peer| Some(*peer) != from) {
            port.send(
                peer,
                match self.gossip {
                    Gossip::Push => Message::Transaction(Arc::clone(transaction)),
                    Gossip::Announce => Message::Announce(vec![id]),
                },
            );
        }
    }
}

impl Actor for Reference {
    fn connected(&mut self, _: &mut Port<'_>, peer: PeerId, _: &Link) {
        self.peers.insert(peer);
    }

    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: Message) {
        match message {
            Message::Transaction(transaction) => self.take(port, Some(peer), &transaction),
            Message::Announce(ids) => {
                let wanted: Vec<_> = ids.into_iter().filter(|id| self.asked.insert(*id)).collect();
                let wanted: Vec<_> = wanted.into_iter().filter(|id| !self.known.contains_key(id)).collect();
                if !wanted.is_empty() {
                    port.send(peer, Message::Request(wanted));
                }
            }
            Message::Request(ids) => {
                for transaction in ids.iter().filter_map(|id| self.known.get(id)) {
                    port.send(peer, Message::Transaction(Arc::clone(transaction)));
                }
            }
            _ => {}
        }
    }

    fn disconnected(&mut self, _: &mut Port<'_>, peer: PeerId) {
        self.peers.remove(&peer);
    }

    fn submitted(&mut self, port: &mut Port<'_>, transaction: &Arc<Transaction>) {
        self.take(port, None, transaction);
    }
}

fn short(wtxid: &Wtxid) -> Announced {
    Announced(u64::from_le_bytes(*wtxid.as_byte_array().first_chunk().expect("32 bytes")))
}
