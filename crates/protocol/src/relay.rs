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
//! pushes one that we have already stops being one (`yappush` off). Announcements on all other links mend it, and shorten
//! it: a transaction that is announced `push_wait` before its branch brings it is asked for, and so moves the branch.
//!
//! Invariants: at most [`MAX_IN_FLIGHT`] requests to a peer, each with a deadline; a peer is never told of, or sent
//! unasked, what it has; all that is kept is bounded ([`State::check`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::{Txid, Wtxid};
use yap_chain::transaction::Transaction;

use crate::io::{Judged, PoolChange, TipChange};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{Announced, Inventory, Message, PoolSummary};
use crate::penalty::Penalty;
use crate::random::Random;
use crate::time::Time;

/// How transactions travel that fit into [`Config::push_bytes`], among peers that know short ids (E2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// Everything is announced first. Three latencies for each hop, one copy.
    Never,
    /// Along a tree, as the module says.
    Tree {
        /// Branches that are kept even where they bring copies. 1 is a tree; more buys speed with copies.
        least: usize,
        /// Most branches of this node.
        most: usize,
    },
    /// To everybody who does not have it. One latency for each hop, as many copies as there are links.
    Always,
}

/// How peers that meet learn what the other's mempool has and theirs lacks (P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconcile {
    /// Sums over parts of the mempool are compared; what is in parts that differ is announced.
    Announce,
}

/// What relay is told when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether others' transactions are relayed. Without, only [`State::submit`]'s are announced and nothing is asked for.
    pub relay: bool,
    /// How small transactions travel.
    pub push: Push,
    /// Bytes up to which a transaction is small.
    pub push_bytes: usize,
    /// How long an announced transaction may still be pushed before it is asked for.
    pub push_wait: Duration,
    /// How long announcements are gathered for one message. Longer saves bytes and, in minutes, hides where a
    /// transaction came from.
    pub batch: Duration,
    /// By how much peers that dialled us are asked later than those that we dialled.
    pub inbound_wait: Duration,
    /// Whether `mempool` (BIP-0035) is answered.
    pub serve_mempool: bool,
    /// How mempools are compared.
    pub reconcile: Reconcile,
}

/// About three packets of 1,400 bytes.
pub const PUSH_BYTES: usize = 4_200;

impl Default for Config {
    fn default() -> Self {
        Self {
            relay: true,
            push: Push::Tree { least: 1, most: 24 },
            push_bytes: PUSH_BYTES,
            push_wait: Duration::from_millis(150),
            batch: Duration::from_millis(10),
            inbound_wait: Duration::ZERO,
            serve_mempool: false,
            reconcile: Reconcile::Announce,
        }
    }
}

/// What the handshake found about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether we dialled it.
    pub outbound: bool,
    /// Whether transactions may be announced to it: its `version` says so, and the link is not for blocks alone.
    pub announce: bool,
    /// Whether it may announce to us: the link is not for blocks alone, and our `version` said so.
    pub accept: bool,
    /// Whether both sent `wtxidrelay` (BIP-0339).
    pub wtxid: bool,
    /// The key of its `yapgreeting`, if both know short ids.
    pub short_id_key: Option<[u64; 2]>,
    /// Whether its `yapgreeting` lets small transactions be pushed.
    pub push: bool,
    /// A round trip to it, if one was measured.
    pub latency: Option<Duration>,
}

/// What the router must do.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// Send this.
    Send(PeerId, Message),
    /// Judge this; ends in [`State::judged`], once for each of the two.
    Judge {
        /// The transaction.
        transaction: Arc<Transaction>,
        /// Its parent that pays too little alone.
        parent: Option<Arc<Transaction>>,
    },
    /// The peer broke a rule.
    Fault(PeerId, Fault),
    /// The peer was first to give a transaction that was accepted.
    Useful(PeerId),
    /// Not pending, but a block may have it: compact blocks keep a few of these.
    Extra(Arc<Transaction>),
    /// A transaction is on its way to peers that lacked it.
    Relayed(Txid),
}

/// A rule that a peer broke.
///
/// An invalid transaction is none, as in Bitcoin Core since version 30: who sends it gains nothing, and peers that miss
/// a soft fork are not cut off. What a peer may have judged at once is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A transaction, or its announcement, on a link that was told to be without (BIP-0037, BIP-0060).
    #[error("transaction on a link for blocks alone")]
    Unwanted,
}

impl Fault {
    /// What it costs.
    #[must_use]
    pub const fn penalty(&self) -> Penalty {
        match self {
            // As Bitcoin Core does.
            Self::Unwanted => Penalty::Disconnect,
        }
    }
}
/// Most requests under way to one peer, as in Bitcoin Core.
pub const MAX_IN_FLIGHT: usize = 100;
/// Transactions among peers.
#[derive(Debug)]
pub struct State {
    config: Config,
}
#[allow(unused_variables, clippy::unused_self, missing_docs, reason = "the signatures first")]
impl State {
    /// Knows nobody, and an empty mempool.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        let _ = random;
        Self { config }
    }
    /// The key to announce transactions to us with, for our `yapgreeting`.
    #[must_use]
    pub fn short_id_key(&self) -> [u64; 2] {
        [0; 2]
    }
    /// Takes in what is pending at the start.
    pub fn load(&mut self, ledger: &dyn Ledger) {}
    /// A peer's handshake is done.
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// A peer is gone.
    pub fn disconnected(&mut self, peer: PeerId, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// A round trip to a peer was measured.
    pub fn latency(&mut self, peer: PeerId, round_trip: Duration) {}
    /// What was sent to a peer piles up, or has drained.
    pub fn congested(&mut self, peer: PeerId, congested: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// Whether blocks are being caught up with: then no transaction is asked for.
    pub fn set_catching_up(&mut self, catching_up: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// A transaction of ours: judged, and told to peers until one of them has it.
    pub fn submit(&mut self, transaction: Arc<Transaction>) -> Vec<Outcome> {
        Vec::new()
    }
    /// `yaptxinv`.
    pub fn on_announce(&mut self, peer: PeerId, announced: &[Announced], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// `inv`, of which only transactions are read here.
    pub fn on_inv(&mut self, peer: PeerId, inventory: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// `yapgettx`.
    pub fn on_request(&mut self, peer: PeerId, wanted: &[Announced], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// `getdata`, of which only transactions are read here.
    pub fn on_getdata(&mut self, peer: PeerId, wanted: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// `tx`.
    pub fn on_tx(&mut self, peer: PeerId, transaction: Arc<Transaction>, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// `notfound`, of which only transactions are read here.
    pub fn on_notfound(&mut self, peer: PeerId, inventory: &[Inventory], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// `yapnotx`.
    pub fn on_gone(&mut self, peer: PeerId, gone: &[Announced], now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// `feefilter` (BIP-0133).
    pub fn on_feefilter(&mut self, peer: PeerId, feerate: u64) {}
    /// `mempool` (BIP-0035).
    pub fn on_mempool(&mut self, peer: PeerId, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// `yappush`.
    pub fn on_push(&mut self, peer: PeerId, push: bool) -> Vec<Outcome> {
        Vec::new()
    }
    /// `yappool`.
    pub fn on_pool_summary(
        &mut self,
        peer: PeerId,
        summary: &PoolSummary,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        Vec::new()
    }
    /// What became of a transaction of [`Outcome::Judge`].
    pub fn judged(&mut self, wtxid: &Wtxid, outcome: &Judged, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// The mempool has changed.
    pub fn pool(&mut self, change: &PoolChange, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// The chain has changed.
    pub fn tip(&mut self, change: &TipChange, now: Time) -> Vec<Outcome> {
        Vec::new()
    }
    /// Does what is due.
    pub fn deadline(&mut self, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }
    /// When [`deadline`](Self::deadline) is wanted.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }
    /// Whether a peer is known to have a transaction.
    #[must_use]
    pub fn has(&self, peer: PeerId, wtxid: &Wtxid) -> bool {
        false
    }
    /// Panics if a bound or an invariant is broken.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {}
}
