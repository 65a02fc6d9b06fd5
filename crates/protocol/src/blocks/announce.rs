//! Who is told of a new block, and how; and who is asked to tell us at once.
//!
//! Peers that asked for it (BIP-0152, high bandwidth) get the compact block as soon as its proof of work and its
//! transactions are known to be right, before it is validated. The others are told once it is connected: by header where
//! they asked for that (BIP-0130) and know the block before, else by `inv`. Nobody is told what they are known to have, or
//! were told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use yap_chain::header::tree;

use super::outcome::Turn;
use super::{Config, Facts, Outcome, Serves};
use crate::compact;
use crate::ledger::Ledger;
use crate::link::{Carrier, Direction, PeerId};
use crate::message::{CompactBlock, Inventory, Message, SendCompact};

/// Most headers that are announced at once; of a longer reorganisation only the tip is told, as in Bitcoin Core.
pub(super) const MAX_HEADERS: usize = 8;

/// How many blocks are kept that a peer was told of or told us, beside the best ones.
const MAX_TOLD: usize = 8;

/// What a peer knows and wants.
#[derive(Debug)]
struct Peer {
    facts: Facts,
    best: Option<tree::Id>,
    /// The last block that it was told of or given the header of, and whose parent it had.
    sent: Option<tree::Id>,
    told: VecDeque<tree::Id>,
    headers: bool,
    /// It takes compact blocks.
    compact: bool,
    /// It wants them unasked.
    high_bandwidth: bool,
    congested: bool,
}

impl Peer {
    fn knows(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        let tree = ledger.tree();
        let before = |known: Option<tree::Id>| known.is_some_and(|known| tree.is_ancestor(id, known));
        self.told.contains(&id) || before(self.best) || before(self.sent)
    }

    /// Whether it can place a block: it knows the one before.
    fn places(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        ledger.tree().parent(id).is_some_and(|parent| parent == ledger.tree().genesis() || self.knows(parent, ledger))
    }

    fn note(&mut self, id: tree::Id) {
        if self.told.contains(&id) {
            return;
        }
        if self.told.len() == MAX_TOLD {
            self.told.pop_front();
        }
        self.told.push_back(id);
    }
}

/// All peers.
#[derive(Debug)]
pub(super) struct State {
    config: Config,
    peers: BTreeMap<PeerId, Peer>,
    /// Peers that were asked to send new blocks unasked, the most useful first.
    chosen: Vec<PeerId>,
}

impl State {
    pub(super) fn new(config: Config) -> Self {
        Self { config, peers: BTreeMap::new(), chosen: Vec::new() }
    }

    fn limit(&self, carrier: Carrier) -> usize {
        match carrier {
            Carrier::Bitcoin => self.config.high_bandwidth,
            Carrier::Libp2p => self.config.high_bandwidth_libp2p,
        }
    }

    /// How many of a carrier were chosen.
    fn count(&self, carrier: Carrier) -> usize {
        let of = |peer: &&PeerId| self.peers.get(peer).is_some_and(|peer| peer.facts.carrier == carrier);
        self.chosen.iter().filter(of).count()
    }

    pub(super) fn ready(&mut self, id: PeerId, facts: Facts, turn: &mut Turn<'_>) {
        let peer = Peer {
            facts,
            best: None,
            sent: None,
            told: VecDeque::new(),
            headers: false,
            compact: false,
            high_bandwidth: false,
            congested: false,
        };
        self.peers.insert(id, peer);
        if facts.direction == Direction::Outbound && facts.serves != Serves::Nothing && !self.may_choose(facts) {
            self.make_room(facts, turn);
        }
        let chosen = self.may_choose(facts);
        if chosen {
            self.chosen.push(id);
        }
        send_compact(id, chosen, turn);
    }

    /// Whether a peer is worth a trial before any block came: those that we dialled, and on our own carrier, where it may
    /// be more than three, others too while there is room.
    fn may_choose(&self, facts: Facts) -> bool {
        (facts.direction == Direction::Outbound || facts.carrier == Carrier::Libp2p)
            && facts.serves != Serves::Nothing
            && self.count(facts.carrier) < self.limit(facts.carrier)
    }

    /// Lets the last peer go that connected to us, in favour of one that we dialled.
    fn make_room(&mut self, facts: Facts, turn: &mut Turn<'_>) {
        let is_guest = |id: &PeerId| {
            let peer = self.peers.get(id);
            peer.is_some_and(|peer| peer.facts.carrier == facts.carrier && peer.facts.direction == Direction::Inbound)
        };
        if let Some(at) = self.chosen.iter().rposition(is_guest) {
            send_compact(self.chosen.remove(at), false, turn);
        }
    }

    pub(super) fn disconnected(&mut self, id: PeerId, turn: &mut Turn<'_>) {
        self.peers.remove(&id);
        let before = self.chosen.len();
        self.chosen.retain(|other| *other != id);
        if self.chosen.len() == before {
            return;
        }
        let next = self.peers.iter().find(|(id, peer)| !self.chosen.contains(id) && self.may_choose(peer.facts));
        if let Some((next, _)) = next {
            let next = *next;
            self.chosen.push(next);
            send_compact(next, true, turn);
        }
    }

    pub(super) fn congested(&mut self, id: PeerId, congested: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.congested = congested;
        }
    }

    /// Whether new blocks go to the peer unasked, and whether they come from it so.
    pub(super) fn high_bandwidth(&self, id: PeerId) -> (bool, bool) {
        (self.peers.get(&id).is_some_and(|peer| peer.high_bandwidth), self.chosen.contains(&id))
    }

    pub(super) fn sendheaders(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.headers = true;
        }
    }

    /// Says whether the peer takes, and so sends, compact blocks.
    pub(super) fn sendcmpct(&mut self, id: PeerId, message: SendCompact) -> bool {
        // BIP-0152: other versions are passed over.
        let Some(peer) = self.peers.get_mut(&id).filter(|_| message.version == compact::VERSION) else { return false };
        peer.compact = true;
        peer.high_bandwidth = message.high_bandwidth;
        true
    }

    pub(super) fn has(&mut self, id: PeerId, block: tree::Id, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.best = Some(better(peer.best, block, ledger));
        peer.note(block);
    }

    /// Takes that a peer was given all headers up to one of the connected chain.
    pub(super) fn told(&mut self, id: PeerId, last: tree::Id, ledger: &dyn Ledger) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.sent = Some(better(peer.sent, last, ledger));
    }

    /// The last header that a peer was given or told of, and could place.
    pub(super) fn last_told(&self, id: PeerId) -> Option<tree::Id> {
        self.peers.get(&id).and_then(|peer| peer.sent)
    }

    /// A peer gave us a new block first, and it was good: it is asked for the next one unasked, in place of whichever
    /// did so longest ago.
    pub(super) fn gave(&mut self, id: PeerId, turn: &mut Turn<'_>) {
        let Some(facts) = self.peers.get(&id).map(|peer| peer.facts) else { return };
        let limit = self.limit(facts.carrier);
        if limit == 0 {
            return;
        }
        if let Some(at) = self.chosen.iter().position(|other| *other == id) {
            if let Some(first) = self.chosen.get_mut(..=at) {
                first.rotate_right(1);
            }
            return;
        }
        if self.count(facts.carrier) >= limit {
            let Some(at) = self.least_useful(facts) else { return };
            send_compact(self.chosen.remove(at), false, turn);
        }
        self.chosen.insert(0, id);
        send_compact(id, true, turn);
    }

    /// The place of the one that has to leave for another. Whoever connects to us could push out all that we chose, so
    /// the last of those stays (as in Bitcoin Core).
    fn least_useful(&self, newcomer: Facts) -> Option<usize> {
        let facts = |id: &PeerId| self.peers.get(id).map(|peer| peer.facts);
        let same: Vec<_> = (0..self.chosen.len())
            .filter(|at| self.chosen.get(*at).and_then(facts).is_some_and(|facts| facts.carrier == newcomer.carrier))
            .collect();
        let is_ours = |at: &usize| {
            self.chosen.get(*at).and_then(facts).is_some_and(|facts| facts.direction == Direction::Outbound)
        };
        let only_ours = same.iter().filter(|at| is_ours(at)).count() == 1;
        let mut from_last = same.iter().rev();
        if newcomer.direction == Direction::Inbound && only_ours {
            return from_last.find(|at| !is_ours(at)).copied();
        }
        from_last.next().copied()
    }

    /// Whether some peer wants the block before it is validated.
    pub(super) fn is_awaited(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        self.peers.values().any(|peer| peer.takes_unasked(id, ledger))
    }

    /// Sends a compact block on before it is validated (BIP-0152).
    pub(super) fn forward(&mut self, id: tree::Id, compact: &Arc<CompactBlock>, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        for (peer, state) in &mut self.peers {
            if state.takes_unasked(id, ledger) {
                turn.out.push(Outcome::Send(*peer, Message::CompactBlock(Arc::clone(compact))));
                state.note(id);
            }
        }
    }

    /// Tells of the connected chain up to `tip`, of which the blocks `new`, oldest first, are new to us. `compact` is the
    /// compact form of the tip.
    pub(super) fn tip(
        &mut self,
        tip: tree::Id,
        new: &[tree::Id],
        compact: Option<&Arc<CompactBlock>>,
        turn: &mut Turn<'_>,
    ) {
        let ledger = turn.ledger;
        let tree = ledger.tree();
        for (id, peer) in &mut self.peers {
            if peer.knows(tip, ledger) {
                continue;
            }
            let first = new.iter().position(|block| !peer.knows(*block, ledger)).unwrap_or(0);
            let unknown = new.get(first..).unwrap_or_default();
            let placed = unknown.first().is_some_and(|first| peer.places(*first, ledger));
            let message = match (compact, unknown) {
                (Some(compact), [_]) if peer.high_bandwidth && placed && !peer.congested => {
                    Message::CompactBlock(Arc::clone(compact))
                }
                _ if peer.headers && placed && unknown.len() <= MAX_HEADERS => {
                    Message::Headers(unknown.iter().map(|block| tree.header(*block)).collect())
                }
                _ => Message::Inv(vec![Inventory::Block(tree.hash(tip))]),
            };
            turn.out.push(Outcome::Send(*id, message));
            // An `inv` of a block whose parent it lacks does not make it know the blocks between.
            if placed {
                peer.sent = Some(tip);
            }
            peer.note(tip);
        }
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(in crate::blocks) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.keys().copied()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        for carrier in [Carrier::Bitcoin, Carrier::Libp2p] {
            assert!(self.count(carrier) <= self.limit(carrier), "too many {carrier:?} peers were chosen");
        }
        assert!(self.chosen.iter().all(|id| self.peers.contains_key(id)), "a peer that is gone was chosen");
        assert!(self.peers.values().all(|peer| peer.told.len() <= MAX_TOLD), "too much is kept of a peer");
    }

    #[cfg(test)]
    pub(super) fn chosen(&self) -> &[PeerId] {
        &self.chosen
    }
}

impl Peer {
    fn takes_unasked(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        self.high_bandwidth && !self.congested && !self.knows(id, ledger) && self.places(id, ledger)
    }
}

/// Whichever has more work, the new one if the other became invalid.
fn better(old: Option<tree::Id>, new: tree::Id, ledger: &dyn Ledger) -> tree::Id {
    let tree = ledger.tree();
    old.filter(|old| tree.work(*old) >= tree.work(new) && tree.status(*old) == tree::Status::Valid).unwrap_or(new)
}

fn send_compact(peer: PeerId, high_bandwidth: bool, turn: &mut Turn<'_>) {
    let message = SendCompact { high_bandwidth, version: compact::VERSION };
    turn.out.push(Outcome::Send(peer, Message::SendCompact(message)));
}
