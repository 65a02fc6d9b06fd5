//! What follows from the machine `peers`, and from `irreversible` and `keepalive`.

use crate::io::{Event, Output};
use crate::{irreversible, keepalive, peers, tally};

use super::{Node, Turn};

impl Node {
    pub(super) fn peers_outcomes(&mut self, outcomes: Vec<peers::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            self.peers_outcome(outcome, turn);
        }
    }

    pub(super) fn peers_outcome(&mut self, outcome: peers::Outcome, turn: &mut Turn<'_>) {
        match outcome {
            peers::Outcome::Dial { address, purpose } => {
                tally::count(&mut self.tally.discovery.dials, 1);
                self.outputs.push_back(Output::Dial { address, purpose });
            }
            peers::Outcome::Send(peer, message) => self.send(peer, message),
            peers::Outcome::Part(peer, why) => self.part(peer, why, turn),
            peers::Outcome::Fault(peer, fault) => self.fault(peer, fault.into(), turn),
            peers::Outcome::Alone(alone) => self.event(Event::Alone(alone)),
            peers::Outcome::Persist(changes) => self.outputs.push_back(Output::Persist(changes)),
        }
    }

    pub(super) fn irreversible_outcomes(&mut self, outcomes: Vec<irreversible::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                irreversible::Outcome::Send(peer, message) => self.send(peer, message),
                irreversible::Outcome::Part(peer, why) => self.part(peer, why, turn),
                irreversible::Outcome::New(block) => self.event(Event::Irreversible(block)),
            }
        }
    }

    pub(super) fn keepalive_outcomes(&mut self, outcomes: Vec<keepalive::Outcome>, turn: &mut Turn<'_>) {
        for outcome in outcomes {
            match outcome {
                keepalive::Outcome::Send(peer, message) => self.send(peer, message),
                keepalive::Outcome::Part(peer, why) => self.part(peer, why, turn),
            }
        }
    }
}
