//! One deadline over the machines' own.

use crate::time::Time;

use super::{Node, Turn};

impl Node {
    /// When the node wants [`Input::Deadline`](crate::Input::Deadline): `None` while nothing is due ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        if self.stopped {
            return None;
        }
        let deadlines = [
            self.handshake.next_deadline(),
            self.keepalive.next_deadline(),
            self.peers.next_deadline(),
            self.headers.next_deadline(),
            self.blocks.next_deadline(),
            self.relay.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Has every machine do what is due.
    pub(super) fn deadline(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        // Each is asked in its turn: what one does may give another something to do at once.
        if due(self.handshake.next_deadline()) {
            let outcomes = self.handshake.deadline(now);
            self.handshake_outcomes(outcomes, turn);
        }
        if due(self.keepalive.next_deadline()) {
            let outcomes = self.keepalive.deadline(now);
            self.keepalive_outcomes(outcomes, turn);
        }
        if due(self.peers.next_deadline()) {
            let outcomes = self.peers.deadline(now);
            self.peers_outcomes(outcomes, turn);
        }
        if due(self.headers.next_deadline()) {
            let outcomes = self.headers.deadline(turn.ledger, turn.moment());
            self.headers_outcomes(outcomes, turn);
        }
        if due(self.blocks.next_deadline()) {
            let outcomes = self.blocks.deadline(now, turn.ledger);
            self.blocks_outcomes(outcomes, turn);
        }
        if due(self.relay.next_deadline()) {
            let outcomes = self.relay.deadline(now, turn.ledger);
            self.relay_outcomes(outcomes, turn);
        }
    }

    /// Checks what always holds, of every machine. The simulator calls it after every step.
    ///
    /// # Panics
    /// If it does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self, ledger: &dyn crate::Ledger) {
        if self.stopped {
            assert!(self.sessions.is_empty(), "everybody was told to go");
            return;
        }
        self.handshake.check();
        self.keepalive.check();
        self.peers.check();
        self.headers.check();
        self.blocks.check();
        self.relay.check();
        self.irreversible.check(ledger);
        let ready = |peer| self.sessions.get(&peer).is_some_and(|session| session.established.is_some());
        let known = self.keepalive.known().chain(self.headers.known()).chain(self.irreversible.known());
        for peer in known.chain(self.blocks.known()) {
            assert!(ready(peer), "{peer} is gone and remembered");
        }
        for (peer, session) in &self.sessions {
            assert_ne!(
                self.handshake.is_pending(*peer),
                session.established.is_some(),
                "{peer} is in its handshake or past it"
            );
        }
    }
}
