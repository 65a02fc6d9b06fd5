//! What must never happen in a network, whatever its adversaries do, and how a failure is told.

use std::collections::BTreeMap;
use std::fmt;

use bitcoin::{Amount, BlockHash};
use yap_protocol::Time;
use yap_protocol::penalty::Reason;

use super::{Network, NodeId};

/// Bytes that may wait to be sent on one connection. Nodes are told when they pile up, long before.
pub(super) const MAX_SEND_QUEUE: u64 = 64 << 20;

/// How often the nodes' own invariants are checked, which takes time in proportion to their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// After every input of every node.
    #[default]
    Always,
    /// After one input of that many.
    Sometimes(u32),
}

/// What must never happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Honest nodes never part for a reason that lays blame.
    #[error("node {node:?} left honest node {peer:?}: {why}")]
    HonestBlamed {
        /// Who left.
        node: NodeId,
        /// Who was left.
        peer: NodeId,
        /// The reason.
        why: Reason,
    },
    /// A node sends on and on to a peer that does not read.
    #[error("node {node:?} has {bytes} bytes waiting for one peer")]
    SendQueue {
        /// The node.
        node: NodeId,
        /// What waits.
        bytes: u64,
    },
    /// A node sends on a connection that it was told is closed, or never was open.
    #[error("node {node:?} sends on connection {connection}, which is not open")]
    SentUnopened {
        /// The node.
        node: NodeId,
        /// The connection.
        connection: u64,
    },
    /// Something was asked of a node's host and never answered, or answered twice.
    #[error("node {node:?} waits for {waiting} answers of its host")]
    Unanswered {
        /// The node.
        node: NodeId,
        /// How many are missing.
        waiting: i64,
    },
    /// The coins at a tip are not the subsidies up to there.
    #[error("at {tip} there are {coins}, where {made} were made")]
    Supply {
        /// The tip.
        tip: BlockHash,
        /// What all coins are worth.
        coins: Amount,
        /// What may have been made.
        made: Amount,
    },
    /// Honest nodes that can reach each other have tips of different work.
    #[error("{count} tips among honest nodes, such as {first:?} at {first_tip} and {second:?} at {second_tip}")]
    Tips {
        /// How many different tips.
        count: usize,
        /// One node.
        first: NodeId,
        /// Its tip.
        first_tip: BlockHash,
        /// Another one.
        second: NodeId,
        /// Its tip.
        second_tip: BlockHash,
    },
    /// What a scenario expects did not come about.
    #[error("{what}: {found} where {expected} was expected")]
    Expected {
        /// What.
        what: &'static str,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
}

/// A violation, with what it takes to see it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SIM_SEED={seed} scenario={scenario} at {} µs after {events} events: {violation}", .at.as_micros())]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// What was run.
    pub scenario: String,
    /// When it happened.
    pub at: Time,
    /// How many events had happened.
    pub events: u64,
    /// What happened.
    pub violation: Box<Violation>,
    /// The last inputs and outputs before it, if they were wanted.
    pub trace: Vec<String>,
}

/// Why nodes closed connections: how often to honest nodes, and how often to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partings(BTreeMap<u8, (Reason, u64, u64)>);

impl Partings {
    pub(super) fn add(&mut self, why: Reason, honest: bool) {
        let (_, from_honest, from_others) = self.0.entry(why as u8).or_insert((why, 0, 0));
        *if honest { from_honest } else { from_others } += 1;
    }

    /// How often nodes left honest nodes for this reason.
    #[must_use]
    pub fn from_honest(&self, why: Reason) -> u64 {
        self.0.get(&(why as u8)).map_or(0, |(_, honest, _)| *honest)
    }

    /// How often nodes left others, for whatever reason.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.0.values().map(|(_, _, others)| others).sum()
    }

    /// How often nodes left others for this reason.
    #[must_use]
    pub fn from_others(&self, why: Reason) -> u64 {
        self.0.get(&(why as u8)).map_or(0, |(_, _, others)| *others)
    }
}

impl fmt::Display for Partings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (why, honest, others) in self.0.values() {
            writeln!(f, "{why}: {honest} honest, {others} others")?;
        }
        Ok(())
    }
}

/// Whether a reason says that the peer did something that no honest one does.
fn blames(why: Reason) -> bool {
    matches!(
        why,
        Reason::WrongChain
            | Reason::Forked
            | Reason::Useless
            | Reason::Malformed
            | Reason::Misbehaved
            | Reason::Banned
            | Reason::Invalid
    )
}

impl Network {
    /// Keeps the first violation; the run ends with it.
    pub(super) fn violated(&mut self, violation: Violation) {
        if self.failure.is_none() {
            self.failure = Some(self.failed(violation));
        }
    }

    /// A violation, with what it takes to see it again.
    #[must_use]
    pub fn failed(&self, violation: Violation) -> Failure {
        Failure {
            seed: self.seed,
            scenario: self.name.clone(),
            at: self.now,
            events: self.transcript.events(),
            violation: Box::new(violation),
            trace: self.trace.iter().cloned().collect(),
        }
    }

    /// Fails unless `found` is `expected`.
    ///
    /// # Errors
    /// With [`Violation::Expected`].
    pub fn expect<T: PartialEq + fmt::Debug>(&self, what: &'static str, found: T, expected: T) -> Result<(), Failure> {
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        Err(self.failed(Violation::Expected { what, found, expected }))
    }

    pub(super) fn parted(&mut self, node: NodeId, peer: NodeId, why: Reason) {
        let honest = self.is_honest(peer);
        self.partings.add(why, honest);
        if honest && blames(why) {
            self.violated(Violation::HonestBlamed { node, peer, why });
        }
    }

    /// Looks at everything that must hold when nothing has happened for a while: one tip, and the coins at it.
    ///
    /// # Errors
    /// What does not hold.
    pub fn settled(&self) -> Result<(), Failure> {
        self.one_tip()?;
        self.supply()?;
        for node in self.nodes() {
            let waiting = self.waiting(node);
            if waiting != 0 {
                return Err(self.failed(Violation::Unanswered { node, waiting }));
            }
        }
        Ok(())
    }

    /// That all honest nodes' tips have the same work, unless the network is divided. Of two blocks found at the same
    /// height, each node keeps the one that it had first.
    fn one_tip(&self) -> Result<(), Failure> {
        if self.divided {
            return Ok(());
        }
        let mut tips: BTreeMap<BlockHash, NodeId> = BTreeMap::new();
        for node in self.nodes() {
            tips.entry(self.ledger(node).tip_hash()).or_insert(node);
        }
        let work = |hash: &BlockHash| self.world.tree().get(hash).map(|id| self.world.tree().work(id));
        let mut sides = tips.iter();
        let Some((first_tip, first)) = sides.next() else { return Ok(()) };
        match sides.find(|(tip, _)| work(tip) != work(first_tip)) {
            None => Ok(()),
            Some((second_tip, second)) => Err(self.failed(Violation::Tips {
                count: tips.len(),
                first: *first,
                first_tip: *first_tip,
                second: *second,
                second_tip: *second_tip,
            })),
        }
    }

    /// That no coin was made or lost, at every honest node's tip.
    fn supply(&self) -> Result<(), Failure> {
        let tips: std::collections::BTreeSet<BlockHash> =
            self.nodes().map(|node| self.ledger(node).tip_hash()).collect();
        for tip in tips {
            let id = self.world.tree().get(&tip).expect("every tip is known");
            let (coins, made) = self.world.supply(id);
            if coins != made {
                return Err(self.failed(Violation::Supply { tip, coins, made }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
