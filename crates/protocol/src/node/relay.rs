//! What follows from the machine `relay`, and what it is told.

use bitcoin::Wtxid;

use crate::io::{Event, Judged, Output, Reply};
use crate::peers::Useful;
use crate::relay;

use super::{Node, Turn};

impl Node {
    pub(super) fn relay_outcomes(&mut self, outcomes: Vec<relay::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                relay::Outcome::Send(peer, message) => self.send(peer, message),
                relay::Outcome::Judge { transaction, parent } => {
                    self.outputs.push_back(Output::Judge { transaction, parent });
                }
                relay::Outcome::Fault(peer, fault) => self.fault(peer, fault.into(), turn),
                relay::Outcome::Useful(peer) => self.peers.useful(peer, Useful::Transaction, turn.now),
                relay::Outcome::Extra(transaction) => self.blocks.extra(transaction),
                relay::Outcome::Relayed(txid) => self.event(Event::TransactionRelayed(txid)),
            }
        }
    }

    pub(super) fn reply_judged(&mut self, wtxid: Wtxid, outcome: &Judged) {
        for ticket in self.requests.judged(wtxid) {
            let reply = Reply::Transaction(outcome.clone());
            self.outputs.push_back(Output::Reply { ticket, reply });
        }
    }

    pub(super) fn judged(&mut self, wtxid: &Wtxid, outcome: &Judged, turn: &mut Turn<'_>) {
        self.reply_judged(*wtxid, outcome);
        let outcomes = self.relay.judged(wtxid, outcome, turn.now);
        self.relay_outcomes(outcomes, turn);
    }
}
