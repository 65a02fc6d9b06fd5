//! One relay, whose peers are the test.

use std::sync::Arc;
use std::time::Duration;

use yap_chain::transaction::Transaction;

use super::net::Pool;
use crate::io::{Departure, Judged, PoolChange, Removed, TipChange};
use crate::link::PeerId;
use crate::message::{Announced, Inventory, Message};
use crate::random::Random;
use crate::relay::id::Key;
use crate::relay::{Config, Facts, Outcome, State};
use crate::time::Time;

pub(super) const ALICE: PeerId = PeerId(1);
pub(super) const BOB: PeerId = PeerId(2);
pub(super) const CAROL: PeerId = PeerId(3);

/// A relay with its mempool and clock.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) relay: State,
    pub(super) pool: Pool,
    pub(super) now: Time,
}

/// The key of a peer's short ids.
pub(super) fn key(peer: PeerId) -> [u64; 2] {
    [peer.0, 99]
}

/// A peer with our extensions, that we dialled.
pub(super) fn facts(peer: PeerId) -> Facts {
    Facts {
        outbound: true,
        announce: true,
        accept: true,
        wtxid: true,
        short_id_key: Some(key(peer)),
        push: true,
        latency: Some(Duration::from_millis(20)),
    }
}

/// A Bitcoin node that knows BIP-0339.
pub(super) fn bitcoin() -> Facts {
    Facts { short_id_key: None, push: false, ..facts(ALICE) }
}

impl Desk {
    pub(super) fn new(config: Config) -> Self {
        let relay = State::new(config, Random::new([9; 32]));
        Self { relay, pool: Pool::default(), now: Time::from_secs(10) }
    }

    /// With ALICE, BOB and CAROL, who know our extensions.
    pub(super) fn with_peers() -> Self {
        let mut desk = Self::new(Config::default());
        for peer in [ALICE, BOB, CAROL] {
            desk.ready(peer, facts(peer));
        }
        desk
    }

    pub(super) fn ready(&mut self, peer: PeerId, facts: Facts) -> Vec<Outcome> {
        let outcomes = self.relay.ready(peer, facts, self.now, &self.pool);
        self.relay.check();
        outcomes
    }

    /// Our short id of a transaction.
    pub(super) fn id(&self, transaction: &Transaction) -> Announced {
        Key(self.relay.short_id_key()).wtxid(&transaction.wtxid()).announced()
    }

    /// A peer announces transactions by short id.
    pub(super) fn announce(&mut self, peer: PeerId, transactions: &[Arc<Transaction>]) -> Vec<Outcome> {
        let ids: Vec<Announced> = transactions.iter().map(|transaction| self.id(transaction)).collect();
        let outcomes = self.relay.on_announce(peer, &ids, self.now);
        self.relay.check();
        outcomes
    }

    pub(super) fn inv(&mut self, peer: PeerId, inventory: &[Inventory]) -> Vec<Outcome> {
        let outcomes = self.relay.on_inv(peer, inventory, self.now, &self.pool);
        self.relay.check();
        outcomes
    }

    pub(super) fn give(&mut self, peer: PeerId, transaction: &Arc<Transaction>) -> Vec<Outcome> {
        let outcomes = self.relay.on_tx(peer, Arc::clone(transaction), self.now);
        self.relay.check();
        outcomes
    }

    pub(super) fn judged(&mut self, transaction: &Transaction, verdict: &Judged) -> Vec<Outcome> {
        let outcomes = self.relay.judged(&transaction.wtxid(), verdict, self.now);
        self.relay.check();
        outcomes
    }

    /// A transaction becomes pending.
    pub(super) fn pend(&mut self, transaction: &Arc<Transaction>, fee: u64) -> Vec<Outcome> {
        self.pool.insert(transaction, fee);
        let change = PoolChange { added: vec![Arc::clone(transaction)], removed: Vec::new() };
        let outcomes = self.relay.pool(&change, self.now, &self.pool);
        self.relay.check();
        outcomes
    }

    /// A transaction that was judged is accepted.
    pub(super) fn accept(&mut self, transaction: &Arc<Transaction>) -> Vec<Outcome> {
        let mut outcomes = self.pend(transaction, 1_000);
        outcomes.extend(self.judged(transaction, &Judged::Accepted));
        outcomes
    }

    pub(super) fn remove(&mut self, transaction: &Arc<Transaction>, why: Departure) -> Vec<Outcome> {
        self.pool.remove(&transaction.wtxid());
        let removed = vec![Removed { transaction: Arc::clone(transaction), why }];
        let outcomes = self.relay.pool(&PoolChange { added: Vec::new(), removed }, self.now, &self.pool);
        self.relay.check();
        outcomes
    }

    pub(super) fn tip(&mut self, change: &TipChange) -> Vec<Outcome> {
        let outcomes = self.relay.tip(change, self.now);
        self.relay.check();
        outcomes
    }

    /// Lets time pass, with every deadline at its time.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<Outcome> {
        let end = self.now.after(time);
        let mut outcomes = Vec::new();
        while let Some(at) = self.relay.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            outcomes.extend(self.relay.deadline(self.now, &self.pool));
            self.relay.check();
        }
        self.now = end;
        outcomes
    }

    pub(super) fn millis(&mut self, millis: u64) -> Vec<Outcome> {
        self.wait(Duration::from_millis(millis))
    }
}

/// What was sent to `peer`.
pub(super) fn to(outcomes: &[Outcome], peer: PeerId) -> Vec<Message> {
    let mine = |outcome: &Outcome| match outcome {
        Outcome::Send(to, message) if *to == peer => Some(message.clone()),
        _ => None,
    };
    outcomes.iter().filter_map(mine).collect()
}

/// Who was asked for `id` by short id, in order.
pub(super) fn asked(outcomes: &[Outcome], id: Announced) -> Vec<PeerId> {
    let who = |outcome: &Outcome| match outcome {
        Outcome::Send(to, Message::Request(ids)) if ids.contains(&id) => Some(*to),
        _ => None,
    };
    outcomes.iter().filter_map(who).collect()
}

/// What goes out to be judged.
pub(super) fn judges(outcomes: &[Outcome]) -> Vec<(Arc<Transaction>, Option<Arc<Transaction>>)> {
    let what = |outcome: &Outcome| match outcome {
        Outcome::Judge { transaction, parent } => Some((Arc::clone(transaction), parent.clone())),
        _ => None,
    };
    outcomes.iter().filter_map(what).collect()
}

/// A transaction's short id for a peer.
pub(super) fn theirs(peer: PeerId, transaction: &Transaction) -> Announced {
    Key(key(peer)).wtxid(&transaction.wtxid()).announced()
}
