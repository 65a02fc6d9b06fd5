//! Transactions among peers: who has which, what is asked of whom, and what is told to whom.
//!
//! Owns, for every peer, what it has ([`State::has`]) and what was offered to it; the requests under way; orphans; what
//! was refused or confirmed lately; transactions of our own that nobody took yet. It judges nothing: a transaction that
//! came leaves as [`Outcome::Judge`] and returns as [`State::judged`], and what the mempool gained or lost, for whatever
//! reason, comes as [`State::pool`]. Penalties are `peers`' job, blocks are `blocks`'.
//!
//! Two vocabularies: `inv`, `getdata`, `tx`, `notfound` by `wtxid` (BIP-0339) or by `txid` for older peers; and, among
//! peers that know the extension, `yaptxinv`, `yapgettx`, `tx`, `yapnotx` by 8-byte short ids, which are the SipHash-2-4
//! of the `wtxid` under the receiver's key. A node keys everything that it files by short ids of its own, so that what
//! it is told needs no index. Two transactions of one short id are taken for one until the first is forgotten; other
//! peers' keys differ, and tell them apart for everybody else.
//!
//! How a transaction spreads ([`Push`]):
//!
//! ```text
//!                 small, link is a branch            `tx`
//! accepted ──┬──────────────────────────────────────────────────▶ peer
//!            └── otherwise, after `batch` ── announce ──▶ peer
//!                                                          │ at once, or after `push_wait`
//!                                                          │ if it may still be pushed
//!                                             request ◀────┘
//! ```
//!
//! The branches form a tree that grows by itself: whoever gives a transaction first becomes a branch (`yappush` on), who
//! pushes what we have already stops being one (`yappush` off). Announcements on all other links mend it, and shorten
//! it: a transaction that is announced long before its branch brings it is asked for, and so moves the branch.
//!
//! Invariants: at most [`MAX_IN_FLIGHT`] requests to a peer, each with a deadline; a peer is never told of, or sent
//! unasked, what it has; all that is kept is bounded (`State::check`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Txid, Wtxid};
use yap_chain::transaction::Transaction;

use crate::io::{Departure, Judged, PoolChange, Removed, TipChange};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Announced, Inventory, PoolSummary};
use crate::random::Random;
use crate::tally::Tally;
use crate::time::Time;

mod config;
mod fees;
mod id;
mod known;
mod orphans;
mod outcome;
mod own;
mod peer;
mod requests;
mod serve;
mod sync;
mod take;
mod tell;
mod timers;
mod verdict;

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "numbers of a test are small, and it looks for one kind of message"
)]
mod tests;

pub use config::{Config, Facts, PUSH_BYTES, Push, Reconcile};
pub use fees::{FEE_CHANGE, FEE_INTERVAL};
pub use known::{CONFIRMED_GENERATION, MAX_LOW, MAX_LOW_WEIGHT, MAX_RECENT, REJECTED_GENERATION};
pub use orphans::{EXPIRY, MAX_ANNOUNCERS, MAX_ORPHAN_WEIGHT, MAX_ORPHANS, MAX_WEIGHT};
pub use outcome::{Fault, Outcome};
pub use own::{MAX_OWN, TELL_AGAIN, TELL_SPREAD};
pub use peer::{HAS_GENERATION, MAX_BATCH, MAX_JUDGING, MAX_OWED, OFFER_GENERATION};
pub use requests::{FIRST_WAIT, MAX_ANNOUNCED, MAX_IN_FLIGHT, MAX_WAIT, MIN_WAIT};
pub use serve::{SERVE_BYTES, SERVE_PAUSE};
pub use sync::{FIRST_LOOK, MAX_SYNC, SYNC_AGAIN, SYNC_PAUSE};
pub use tell::{MAX_FETCHED, MAX_PUSH_WAIT};
pub use verdict::MAX_PARENTS;

use id::{Id, Key};
use known::{Judging, Known};
use orphans::Orphans;
use own::Own;
use peer::{Owed, Peer};
use requests::Requests;
use sync::Sums;
use timers::{Timer, Timers};

/// Transactions among peers.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
    key: Key,
    catching_up: bool,
    peers: BTreeMap<PeerId, Peer>,
    /// How many of them are branches.
    branches: usize,
    /// How long they are waited for.
    push_wait: Duration,
    /// What was asked for and came lately: when, and how long after we had heard of it.
    fetched: VecDeque<(Id, Time, Duration)>,
    requests: Requests,
    known: Known,
    orphans: Orphans,
    sums: Sums,
    own: Own,
    timers: Timers,
    /// The feerate that peers were last looked at for.
    fee_seen: Option<u64>,
    counts: Counts,
    out: Vec<Outcome>,
}

/// What came of what peers sent, since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Transactions that were not known.
    new: u64,
    /// Transactions that were known already.
    known: u64,
    /// Transactions that a peer gave and that became pending.
    accepted: u64,
    /// Summaries of mempools that differed from ours.
    differing: u64,
    /// Transactions that were announced to peers that were met, since they may lack them.
    announced: u64,
}

impl State {
    /// Knows nobody, and an empty mempool.
    #[must_use]
    pub fn new(config: Config, mut random: Random) -> Self {
        Self {
            config,
            key: Key([random.next_u64(), random.next_u64()]),
            catching_up: false,
            peers: BTreeMap::new(),
            branches: 0,
            push_wait: config.push_wait,
            fetched: VecDeque::new(),
            requests: Requests::new(random.next_u64()),
            known: Known::new(&mut random),
            orphans: Orphans::default(),
            sums: Sums::default(),
            own: Own::default(),
            timers: Timers::default(),
            fee_seen: None,
            counts: Counts::default(),
            out: Vec::new(),
            random,
        }
    }

    /// The key to announce transactions to us with, for our `yapgreeting`.
    #[must_use]
    pub fn short_id_key(&self) -> [u64; 2] {
        self.key.0
    }

    /// Takes in what is pending at the start. Whatever changes later must be told by [`pool`](Self::pool).
    pub fn load(&mut self, ledger: &dyn Ledger) {
        for pooled in ledger.pool_by_age() {
            self.add(&pooled.transaction.wtxid());
        }
    }

    /// A peer's handshake is done.
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let seed = self.random.next_u64();
        self.peers.insert(peer, Peer::new(facts, seed));
        self.requests.join(peer, facts.outbound, facts.latency);
        self.tell_filter(peer, now, ledger);
        self.meet(peer, now);
        if !self.config.relay {
            let own = self.own.ids();
            self.announce_own(peer, &own, ledger);
        }
        self.done()
    }

    /// A peer is gone. What was asked of it is asked of others.
    pub fn disconnected(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        if let Some(gone) = self.peers.remove(&peer) {
            self.fell(&gone);
        }
        self.timers.leave(peer);
        self.orphans.leave(peer);
        self.requests.leave(peer, now);
        self.ask(now);
        self.done()
    }

    /// A round trip to a peer was measured.
    pub fn latency(&mut self, peer: PeerId, round_trip: Duration) {
        self.requests.latency(peer, round_trip);
    }

    /// What was sent to a peer piles up, or has drained.
    pub fn congested(&mut self, peer: PeerId, congested: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.congested = congested;
        }
        self.serve(peer, now, ledger);
        self.done()
    }

    /// Whether blocks are being caught up with: then no transaction is asked for. What peers announce is kept for the
    /// end of that, since nobody announces it twice; and then mempools are compared.
    pub fn set_catching_up(&mut self, catching_up: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        if self.catching_up != catching_up {
            self.catching_up = catching_up;
            let peers: Vec<PeerId> = self.peers.keys().copied().collect();
            for peer in peers {
                self.tell_filter(peer, now, ledger);
                self.meet(peer, now);
            }
            self.ask(now);
        }
        self.done()
    }

    /// A transaction of ours: judged, and told to peers until one of them has it.
    pub fn submit(&mut self, transaction: Arc<Transaction>, now: Time) -> Vec<Outcome> {
        self.ours_if_new(&transaction, now);
        self.judge_ours(transaction, None);
        self.done()
    }

    /// A transaction of ours and a parent of it, which pays too little by itself: judged together, and told to peers until
    /// one of them has them.
    pub fn submit_pair(&mut self, child: Arc<Transaction>, parent: Arc<Transaction>, now: Time) -> Vec<Outcome> {
        self.ours_if_new(&parent, now);
        self.ours_if_new(&child, now);
        self.known.judge(self.ids(&parent), Judging::ours(&parent));
        self.judge_ours(child, Some(parent));
        self.done()
    }

    /// Transactions of ours that are pending already, such as those of before a restart: told again until a peer has them.
    pub fn tell_until_taken(&mut self, transactions: &[Arc<Transaction>], now: Time) -> Vec<Outcome> {
        for transaction in transactions {
            if self.known.pool.contains_key(&self.ids(transaction).0) {
                self.ours(transaction, now);
            }
        }
        self.done()
    }

    /// Our own transactions that no peer was given, asked for or showed yet; [`MAX_OWN`] at most. Some may be judged still.
    pub fn untaken(&self) -> impl Iterator<Item = Txid> {
        self.own.txids()
    }

    /// What is pending already was told when it came, or is among our own: a peer that took it does not take it again.
    fn ours_if_new(&mut self, transaction: &Transaction, now: Time) {
        if !self.known.pool.contains_key(&self.ids(transaction).0) {
            self.ours(transaction, now);
        }
    }

    fn ours(&mut self, transaction: &Transaction, now: Time) {
        if self.own.next().is_none() {
            self.own.wind(now, &mut self.random);
        }
        let ids = self.ids(transaction);
        self.own.insert(ids.0, transaction.txid());
        self.requests.finish(ids.0);
        self.requests.finish(ids.1);
    }

    fn judge_ours(&mut self, transaction: Arc<Transaction>, parent: Option<Arc<Transaction>>) {
        if !self.judge(self.ids(&transaction), Judging::ours(&transaction), parent.clone()) {
            // A peer gave it, and it is judged already; whoever submits it wants to know what becomes of it all the same.
            self.out.push(Outcome::Judge { transaction, parent });
        }
    }

    /// `yaptxinv`.
    pub fn on_announce(&mut self, peer: PeerId, announced: &[Announced], now: Time) -> Vec<Outcome> {
        self.announced(peer, announced, now);
        self.done()
    }

    /// `inv`, of which only transactions are read here.
    pub fn on_inv(&mut self, peer: PeerId, inventory: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        self.inventory(peer, inventory, now, ledger);
        self.done()
    }

    /// `yapgettx`.
    pub fn on_request(&mut self, peer: PeerId, wanted: &[Announced], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        self.asked(peer, wanted.iter().copied().map(Owed::Short), now, ledger);
        self.done()
    }

    /// `getdata`, of which only transactions are read here.
    pub fn on_getdata(&mut self, peer: PeerId, wanted: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let transactions = wanted.iter().copied().filter(is_transaction);
        self.asked(peer, transactions.map(Owed::Hash), now, ledger);
        self.done()
    }

    /// `tx`.
    pub fn on_tx(&mut self, peer: PeerId, transaction: Arc<Transaction>, now: Time) -> Vec<Outcome> {
        self.transaction(peer, transaction, now);
        self.done()
    }

    /// `notfound`, of which only transactions are read here.
    pub fn on_notfound(&mut self, peer: PeerId, inventory: &[Inventory], now: Time) -> Vec<Outcome> {
        let id = |item: &Inventory| match item {
            Inventory::Wtx(wtxid) => Some(self.key.wtxid(wtxid)),
            Inventory::Tx(txid) | Inventory::WitnessTx(txid) => Some(self.key.txid(txid)),
            Inventory::Block(_)
            | Inventory::WitnessBlock(_)
            | Inventory::CompactBlock(_)
            | Inventory::Unknown { .. } => None,
        };
        let ids: Vec<Id> = inventory.iter().filter_map(id).collect();
        self.refused(peer, &ids, now);
        self.done()
    }

    /// `yapnotx`.
    pub fn on_gone(&mut self, peer: PeerId, gone: &[Announced], now: Time) -> Vec<Outcome> {
        let ids: Vec<Id> = gone.iter().map(|Announced(id)| Id(*id)).collect();
        self.refused(peer, &ids, now);
        self.done()
    }

    /// `feefilter` (BIP-0133).
    pub fn on_feefilter(&mut self, peer: PeerId, feerate: u64) {
        self.filtered(peer, feerate);
    }

    /// `mempool` (BIP-0035). Passed over unless the configuration allows it.
    pub fn on_mempool(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        if self.config.serve_mempool {
            self.start_sync(peer, Vec::new(), now);
        }
        self.done()
    }

    /// `yappush`.
    pub fn on_push(&mut self, peer: PeerId, push: bool) -> Vec<Outcome> {
        self.branch_told(peer, push);
        self.done()
    }

    /// `yappool`.
    pub fn on_pool_summary(&mut self, peer: PeerId, summary: &PoolSummary, now: Time) -> Vec<Outcome> {
        self.compare(peer, summary, now);
        self.done()
    }

    /// What became of a transaction of [`Outcome::Judge`]. Whether this or [`pool`](Self::pool) comes first is all the
    /// same.
    pub fn judged(&mut self, wtxid: &Wtxid, outcome: &Judged, now: Time) -> Vec<Outcome> {
        self.verdict(wtxid, outcome, now);
        self.done()
    }

    /// The mempool has changed.
    pub fn pool(&mut self, change: &PoolChange, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        for removed in &change.removed {
            self.removed(removed);
        }
        for transaction in &change.added {
            self.added(transaction, now, ledger);
        }
        self.fees_changed(now, ledger);
        self.ask(now);
        self.done()
    }

    /// The chain has changed.
    pub fn tip(&mut self, change: &TipChange, now: Time) -> Vec<Outcome> {
        self.chain_changed(change, now);
        self.done()
    }

    /// Does what is due.
    pub fn deadline(&mut self, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        self.ask(now);
        // Ends: each timer that is set again lies later.
        while let Some((peer, timer)) = self.timers.due(now) {
            match timer {
                Timer::Batch => self.flush(peer, now, ledger),
                Timer::Owed => self.serve(peer, now, ledger),
                Timer::Sync => self.sync(peer, now, ledger),
                Timer::Fee => self.tell_filter(peer, now, ledger),
            }
        }
        self.orphans.expire(now);
        let own = self.own.due(now, &mut self.random);
        if !own.is_empty() {
            let peers: Vec<PeerId> = self.peers.keys().copied().collect();
            peers.into_iter().for_each(|peer| self.announce_own(peer, &own, ledger));
        }
        self.done()
    }

    /// When [`deadline`](Self::deadline) is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let requests = self.requests.next().filter(|_| !self.catching_up);
        [requests, self.timers.next(), self.orphans.next(), self.own.next()].into_iter().flatten().min()
    }

    /// Whether a peer has a transaction, or was told of it.
    #[must_use]
    pub fn has(&self, peer: PeerId, transaction: &Transaction) -> bool {
        let ids = self.ids(transaction);
        self.peers.get(&peer).is_some_and(|peer| peer.has.contains(if peer.by_txid() { ids.1 } else { ids.0 }))
    }

    /// Satoshis per thousand virtual bytes below which a peer wants to hear of nothing; 0 if it did not say so.
    #[must_use]
    pub fn least_feerate(&self, peer: PeerId) -> u64 {
        self.peers.get(&peer).map_or(0, |peer| peer.filter)
    }

    /// Whether small transactions go over the link to a peer at once.
    #[must_use]
    pub fn is_branch(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.branch)
    }

    /// Adds what was counted here.
    pub(crate) fn tally(&self, tally: &mut Tally) {
        let Counts { new, known, accepted, differing, announced } = self.counts;
        let transactions = &mut tally.transactions;
        (transactions.received_new, transactions.received_known, transactions.accepted) = (new, known, accepted);
        (tally.pools.differing, tally.pools.announced) = (differing, announced);
    }

    /// Panics if a bound or an invariant is broken.
    ///
    /// # Panics
    /// Then.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        self.requests.check();
        self.known.check();
        self.orphans.check();
        self.own.check();
        self.timers.check();
        assert_eq!(self.branches, self.peers.values().filter(|peer| peer.branch).count(), "branches are counted");
        for (name, peer) in &self.peers {
            let judging = self.requests.judging(*name);
            assert_eq!(judging, self.known.judging_of(*name), "what {name} has judged is counted");
            assert!(judging <= MAX_JUDGING, "too much of {name}'s is judged");
            peer.check();
        }
        assert!(self.fetched.len() <= MAX_FETCHED, "too much is remembered of what was asked for");
        assert!(self.out.is_empty(), "what was to be done has been told");
    }

    fn done(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.out)
    }

    fn add(&mut self, wtxid: &Wtxid) {
        if self.known.pool.insert(self.key.wtxid(wtxid), *wtxid).is_none() {
            self.sums.add(wtxid);
        }
    }

    /// A transaction is pending now, whoever it came from.
    fn added(&mut self, transaction: &Arc<Transaction>, now: Time, ledger: &dyn Ledger) {
        let ids = self.ids(transaction);
        self.add(&transaction.wtxid());
        self.known.came(ids.1);
        self.requests.finish(ids.0);
        self.requests.finish(ids.1);
        if let Some(pooled) = ledger.pooled(&transaction.wtxid()) {
            self.tell(transaction, pooled.feerate(), now, ledger);
        }
        self.adopt(transaction.txid());
    }

    /// A transaction is not pending any more.
    fn removed(&mut self, removed: &Removed) {
        let wtxid = removed.transaction.wtxid();
        let id = self.key.wtxid(&wtxid);
        if self.known.pool.remove(&id).is_some() {
            self.sums.take(&wtxid);
        }
        self.own.seen(id);
        match removed.why {
            // A block may have the one that we took out for another.
            Departure::Replaced | Departure::Evicted => {
                self.out.push(Outcome::Extra(Arc::clone(&removed.transaction)));
            }
            Departure::Confirmed | Departure::Conflicted | Departure::Expired | Departure::Reorganised => {}
        }
    }
}

/// Whether it names a transaction.
fn is_transaction(item: &Inventory) -> bool {
    matches!(item, Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_))
}
