//! What follows from the machines `headers` and `blocks`, and what they are told of the ledger.

use bitcoin::BlockHash;

use crate::io::{Event, Output, Processed, Reply, TipChange};
use crate::link::PeerId;
use crate::message::{Inventory, Locate, Message};
use crate::peers::Useful;
use crate::penalty::Reason;
use crate::{blocks, headers, tally};

use super::{Node, Turn};

impl Node {
    pub(super) fn headers_outcomes(&mut self, outcomes: Vec<headers::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                headers::Outcome::Send(peer, message) => self.send(peer, message),
                headers::Outcome::Has { peer, id } => {
                    // A branch that leaves an irreversible block is not fetched. Whoever has one stays: it may not have
                    // heard of the block yet.
                    if self.irreversible.allows(turn.ledger.tree(), id) {
                        self.blocks.has(peer, id, turn.now, turn.ledger);
                    }
                }
                headers::Outcome::New { peer, count, .. } => {
                    tally::count(&mut self.tally.sync.headers, usize::try_from(count).unwrap_or(usize::MAX));
                    self.peers.useful(peer, Useful::Headers, turn.now);
                }
                headers::Outcome::Part(peer, why) => {
                    if why == Reason::TooSlow {
                        tally::count(&mut self.tally.sync.stalls, 1);
                    }
                    self.part(peer, why, turn);
                }
                headers::Outcome::Fault(peer, fault) => self.fault(peer, fault.into(), turn),
            }
        }
    }

    pub(super) fn blocks_outcomes(&mut self, outcomes: Vec<blocks::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                blocks::Outcome::Send(peer, message) => {
                    if let Message::Block(block) = &message {
                        self.keepalive.sends(peer, block.bytes().len(), turn.now);
                    } else if asks_for_block(&message) {
                        self.keepalive.awaits(peer, turn.now);
                    }
                    self.send(peer, message);
                }
                blocks::Outcome::Process(block) => self.outputs.push_back(Output::Process(block)),
                blocks::Outcome::Read { ticket, hash } => self.outputs.push_back(Output::ReadBlock { ticket, hash }),
                blocks::Outcome::Fault(peer, fault) => self.fault(peer, fault.into(), turn),
                blocks::Outcome::Useful(peer) => self.peers.useful(peer, Useful::Block, turn.now),
                blocks::Outcome::Behind(behind) => {
                    self.event(Event::Syncing { behind });
                    self.catching_up(turn);
                }
                blocks::Outcome::CaughtUp => {
                    self.event(Event::Syncing { behind: 0 });
                    self.catching_up(turn);
                }
                blocks::Outcome::Relayed(hash) => self.event(Event::BlockRelayed(hash)),
            }
        }
    }

    /// A peer has answered for a block: with the last of them, its silence means something again.
    pub(super) fn block_answered(&mut self, peer: PeerId, turn: &Turn<'_>) {
        if self.blocks.in_flight(peer) == 0 {
            self.keepalive.delivered(peer, turn.now);
        }
    }

    /// Tells `relay` how it is now: what an outcome says may be over, as when an earlier one of them ended a connection.
    fn catching_up(&mut self, turn: &mut Turn<'_>) {
        let outcomes = self.relay.set_catching_up(self.blocks.is_catching_up(), turn.now, turn.ledger);
        self.relay_outcomes(outcomes, turn);
    }

    pub(super) fn reply_processed(&mut self, hash: BlockHash, outcome: &Processed) {
        for ticket in self.requests.processed(hash) {
            self.outputs.push_back(Output::Reply { ticket, reply: Reply::Block(outcome.clone()) });
        }
    }

    pub(super) fn processed(&mut self, hash: BlockHash, outcome: &Processed, turn: &mut Turn<'_>) {
        self.reply_processed(hash, outcome);
        let outcomes = self.blocks.processed(hash, outcome, turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
    }

    pub(super) fn tip(&mut self, change: &TipChange, turn: &mut Turn<'_>) {
        let outcomes = self.blocks.tip(change, turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
        let outcomes = self.relay.tip(change, turn.now);
        self.relay_outcomes(outcomes, turn);
        let outcomes = self.irreversible.tip_changed(turn.ledger);
        self.irreversible_outcomes(outcomes, turn);
    }

    /// Answers, and remembers what the peer has then: a new block on top of that can be told in the shortest form.
    pub(super) fn getheaders(&mut self, peer: PeerId, locate: &Locate, turn: &Turn<'_>) {
        let (answer, known) = self.headers.on_getheaders(locate, turn.ledger);
        if let Some(last) = known {
            self.blocks.told(peer, last, turn.ledger);
        }
        self.send(peer, answer);
    }

    pub(super) fn congested(&mut self, peer: PeerId, congested: bool, turn: &mut Turn<'_>) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        session.congested = congested;
        if let Some(locate) = session.asked.take_if(|_| !congested) {
            self.getheaders(peer, &locate, turn);
        }
        self.keepalive.congested(peer, congested, turn.now);
        let outcomes = self.blocks.congested(peer, congested, turn.now, turn.ledger);
        self.blocks_outcomes(outcomes, turn);
        let outcomes = self.relay.congested(peer, congested, turn.now, turn.ledger);
        self.relay_outcomes(outcomes, turn);
    }
}

/// Whether the message asks for a whole block.
fn asks_for_block(message: &Message) -> bool {
    let is_block = |item: &Inventory| matches!(item, Inventory::WitnessBlock(_) | Inventory::Block(_));
    matches!(message, Message::GetData(items) if items.iter().any(is_block))
}
