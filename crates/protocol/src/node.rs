//! The node: routes inputs to the machines and their outcomes to outputs.
//!
//! Drive it: feed [`handle`](Node::handle), drain [`poll`](Node::poll), sleep until
//! [`next_deadline`](Node::next_deadline).

use std::collections::VecDeque;

use crate::io::{Input, Output};
use crate::ledger::Ledger;
use crate::random::Random;
use crate::time::Time;

/// What the node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Every block, and transactions.
    Full,
    /// The newest blocks, and transactions.
    Pruned,
    /// Blocks alone: asks for no transactions, and relays none but its own.
    BlockOnly,
}

/// What a node is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it serves.
    pub role: Role,
}

/// One peer of the network.
#[derive(Debug)]
pub struct Node {
    config: Config,
    random: Random,
    outputs: VecDeque<Output>,
}

impl Node {
    /// A node that knows nobody.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self { config, random: Random::new(seed), outputs: VecDeque::new() }
    }

    /// Takes an input. Never fails, blocks or panics, whatever a peer sends.
    pub fn handle(&mut self, now: Time, input: Input, ledger: &mut dyn Ledger) {
        let _ = (now, input, ledger, &self.config, &self.random);
    }

    /// The next thing to be done; drain it after every input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the node wants [`Input::Deadline`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Looks at every invariant; for tests, after the outputs were drained.
    ///
    /// # Panics
    /// If one does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        assert!(self.outputs.is_empty(), "outputs were left undrained");
    }
}
