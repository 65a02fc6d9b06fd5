//! What follows from the machine `relay`, and what it is told.

use std::sync::Arc;

use bitcoin::Wtxid;
use yap_chain::transaction::Transaction;

use crate::io::{Event, Judged, Output, Reply, Ticket};
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

    /// Has a transaction and its parent judged together; their verdicts go to two tickets.
    pub(super) fn submit_pair(
        &mut self,
        child: Arc<Transaction>,
        parent: Arc<Transaction>,
        (ticket, parent_ticket): (Ticket, Ticket),
        turn: &mut Turn<'_>,
    ) {
        let busy = self.requests.transaction(parent.wtxid(), parent_ticket);
        let busy = busy.or_else(|| self.requests.transaction(child.wtxid(), ticket));
        if let Some(reply) = busy {
            // Neither waits: the parent is not judged either.
            self.requests.forget(parent.wtxid(), parent_ticket);
            for ticket in [parent_ticket, ticket] {
                self.outputs.push_back(Output::Reply { ticket, reply: reply.clone() });
            }
            return;
        }
        let outcomes = self.relay.submit_pair(child, parent, turn.now);
        self.relay_outcomes(outcomes, turn);
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
