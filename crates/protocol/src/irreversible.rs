//! On chains of signed blocks: which blocks nobody can take back any more (design D1, E5).
//!
//! A block is irreversible once more than two thirds of the producers have signed blocks after it on our verified chain.
//! As long as fewer than a third of them sign on two branches, by fraud or by changing sides, no two nodes can find different ones;
//! so whoever contradicts one of ours keeps another chain for good, is told so and left. On chains of proof of work nothing
//! is irreversible, and this machine does nothing.
//!
//! Owns our newest irreversible block and what peers said of theirs. Not its job: the rule itself ([`producer`]); keeping
//! the chain from leaving an irreversible block, which the ledger does ([`Tree::fix`](tree::Tree::fix)). Blocks of branches that
//! [`State::allows`] forbids are not asked for.
//!
//! Invariants: our irreversible block only moves to a descendant; a peer is told of one block at most once; one claim is
//! kept per peer.

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;

use std::collections::BTreeMap;

use yap_chain::header::tree;
use yap_chain::producer;

use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Features, Irreversible, Message};
use crate::penalty::Reason;

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Outcome {
    /// Send a message.
    Send(PeerId, Message),
    /// End the connection.
    Part(PeerId, Reason),
    /// Another block of ours is irreversible.
    New(Irreversible),
}

/// Our newest irreversible block, and what peers know.
#[derive(Debug, Default)]
pub struct State {
    newest: Option<Fixed>,
    peers: BTreeMap<PeerId, Peer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fixed {
    id: tree::Id,
    said: Irreversible,
}

#[derive(Debug)]
struct Peer {
    /// Whether it knows the message.
    speaks: bool,
    /// The newest that it was told or told us: nothing older is sent to it.
    knows: Option<Irreversible>,
    /// What it claims and we can't place yet.
    claim: Option<Irreversible>,
}

/// How a peer's irreversible block stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Consistent,
    Contradicts,
    /// It is higher than ours, and its header is not known.
    Unknown,
}

impl State {
    /// Nothing is irreversible but the genesis block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Our newest irreversible block.
    #[must_use]
    pub fn newest(&self) -> Option<Irreversible> {
        self.newest.map(|fixed| fixed.said)
    }

    /// A block that a peer holds to be irreversible and that the ledger's tip does not stand on, though nothing of ours speaks
    /// against it: the ledger may follow a branch that most producers have left. Only of headers that are known.
    #[must_use]
    pub fn elsewhere(&self, ledger: &dyn Ledger) -> Option<Irreversible> {
        let (tree, tip) = (ledger.tree(), ledger.tip());
        let aside = |claim: &Irreversible| {
            let id = tree.get(&claim.hash);
            id.is_some_and(|id| !tree.is_ancestor(id, tip) && !tree.is_ancestor(tip, id) && self.allows(tree, id))
        };
        let told = self.peers.values().filter_map(|peer| peer.knows);
        told.filter(|_| ledger.producers() > 0).filter(aside).max()
    }

    /// Whether the branch of `id` keeps our newest irreversible block.
    #[must_use]
    pub fn allows(&self, tree: &tree::Tree, id: tree::Id) -> bool {
        self.newest.is_none_or(|fixed| tree.is_ancestor(fixed.id, id) || tree.is_ancestor(id, fixed.id))
    }

    /// Takes a peer whose handshake is done, with the extensions that both know and what its greeting claims.
    pub fn ready(
        &mut self,
        peer: PeerId,
        features: Features,
        claim: Option<Irreversible>,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        let speaks = features.contains(Features::IRREVERSIBLE);
        self.peers.insert(peer, Peer { speaks, knows: None, claim: None });
        let mut outcomes = claim.map_or_else(Vec::new, |claim| self.on_irreversible(peer, claim, ledger));
        if outcomes.is_empty() {
            outcomes.extend(self.tell(peer));
        }
        outcomes
    }

    /// Forgets a peer.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Takes what a peer says is irreversible, in its greeting or later.
    pub fn on_irreversible(&mut self, peer: PeerId, claim: Irreversible, ledger: &dyn Ledger) -> Vec<Outcome> {
        if ledger.producers() == 0 {
            return Vec::new();
        }
        let relation = self.relation(claim, ledger);
        let Some(entry) = self.peers.get_mut(&peer) else { return Vec::new() };
        entry.knows = entry.knows.max(Some(claim));
        match relation {
            Relation::Contradicts => return vec![Outcome::Part(peer, Reason::Forked)],
            Relation::Consistent => entry.claim = None,
            Relation::Unknown => entry.claim = Some(claim),
        }
        Vec::new()
    }

    /// The chain that is connected and verified has changed: looks what became irreversible, and tells the peers.
    pub fn tip_changed(&mut self, ledger: &dyn Ledger) -> Vec<Outcome> {
        let Some(id) = self.search(ledger) else { return Vec::new() };
        let tree = ledger.tree();
        let said = Irreversible { height: tree.height(id), hash: tree.hash(id) };
        self.newest = Some(Fixed { id, said });
        let mut outcomes = vec![Outcome::New(said)];
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            let claim = self.peers.get_mut(&peer).and_then(|entry| entry.claim.take());
            let placed = claim.map_or_else(Vec::new, |claim| self.on_irreversible(peer, claim, ledger));
            outcomes.extend(if placed.is_empty() { self.tell(peer) } else { placed });
        }
        outcomes
    }

    /// Tells a peer of our newest, unless it knows that or a newer one.
    fn tell(&mut self, peer: PeerId) -> Vec<Outcome> {
        let (Some(fixed), Some(entry)) = (self.newest, self.peers.get_mut(&peer)) else { return Vec::new() };
        if !entry.speaks || entry.knows >= Some(fixed.said) {
            return Vec::new();
        }
        entry.knows = Some(fixed.said);
        vec![Outcome::Send(peer, Message::Irreversible(fixed.said))]
    }

    /// The newest irreversible block, if it is newer than ours.
    fn search(&self, ledger: &dyn Ledger) -> Option<tree::Id> {
        let tree = ledger.tree();
        let floor = self.newest.map_or_else(|| tree.genesis(), |fixed| fixed.id);
        producer::irreversible(tree, (floor, ledger.tip()), ledger.producers(), |id| ledger.producer(id))
    }

    fn relation(&self, claim: Irreversible, ledger: &dyn Ledger) -> Relation {
        let tree = ledger.tree();
        let genesis = Fixed { id: tree.genesis(), said: Irreversible { height: 0, hash: tree.hash(tree.genesis()) } };
        let ours = self.newest.unwrap_or(genesis);
        let consistent = if claim.height <= ours.said.height {
            // Of the heights up to ours, every irreversible block is known: it is on the branch of ours.
            tree.ancestor(ours.id, claim.height).is_some_and(|id| tree.hash(id) == claim.hash)
        } else {
            let Some(theirs) = tree.get(&claim.hash) else { return Relation::Unknown };
            tree.height(theirs) == claim.height && tree.is_ancestor(ours.id, theirs)
        };
        if consistent { Relation::Consistent } else { Relation::Contradicts }
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    /// Checks what always holds.
    ///
    /// # Panics
    /// If it does not.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self, ledger: &dyn Ledger) {
        let Some(fixed) = self.newest else { return };
        assert_eq!(ledger.tree().hash(fixed.id), fixed.said.hash, "what is irreversible is in the tree");
        assert_eq!(ledger.tree().height(fixed.id), fixed.said.height);
        assert!(ledger.producers() > 0, "work alone makes nothing irreversible");
    }
}
