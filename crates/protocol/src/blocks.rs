//! Blocks: fetching those that we lack, serving those that we have, and making new ones known.
//!
//! One [`State`] in front of four parts, so that the router has little to decide:
//!
//! | part | owns |
//! |---|---|
//! | `download` | what to ask of whom: a moving window over all good peers |
//! | `serve` | what peers asked for: queues, reads, fairness |
//! | `announce` | who is told of a new block, and how |
//! | [`compact`](crate::compact) | compact blocks (BIP-0152): made, rebuilt, completed |
//!
//! ```text
//! headers ──has──▶ download ──getdata──▶ peer ──block──▶ Process ──▶ processed ──▶ tip ──▶ announce
//!                      ▲                  │cmpctblock                 ▲
//!                      └──full block──── compact ──complete───────────┴──▶ announce, before validation
//! ```
//!
//! Not its job: headers (`headers` accepts them first and says who [`has`](State::has) them), rules of blocks (the
//! driver processes them), transactions that are not in blocks (`relay`).

use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::header::tree;
use yap_chain::transaction::Transaction;

use crate::io::{Processed, Ticket, TipChange};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{BlockTransactions, CompactBlock, GetBlockTransactions, Inventory, Locate, SendCompact};
use crate::random::Random;
use crate::time::{Time, Timestamp};

mod outcome;

pub use outcome::{Facts, Fault, Outcome, Serves};

/// What is told when the node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The tip may be so old, and no older, for the node to be caught up. `None` for chains that are mined on demand.
    pub max_tip_age: Option<Duration>,
    /// How many peers of Bitcoin's carrier are asked to send new blocks unasked (BIP-0152 says at most three).
    pub high_bandwidth: usize,
    /// How many peers of our own carrier are, in place of that. More of them make blocks spread in fewer steps, and each
    /// costs a compact block that we may have already.
    pub high_bandwidth_libp2p: usize,
}

/// [`Config::max_tip_age`] unless told otherwise: a day, as in Bitcoin Core.
pub const MAX_TIP_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// [`Config::high_bandwidth`] unless told otherwise.
pub const HIGH_BANDWIDTH: usize = 3;

/// [`Config::high_bandwidth_libp2p`] unless told otherwise: as many peers as are dialled by habit.
pub const HIGH_BANDWIDTH_LIBP2P: usize = 8;

impl Default for Config {
    fn default() -> Self {
        Self {
            max_tip_age: Some(MAX_TIP_AGE),
            high_bandwidth: HIGH_BANDWIDTH,
            high_bandwidth_libp2p: HIGH_BANDWIDTH_LIBP2P,
        }
    }
}

/// Everything that has to do with blocks and peers.
#[derive(Debug)]
pub struct State {
    config: Config,
    random: Random,
}

impl State {
    /// A machine that knows nobody.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        Self { config, random }
    }

    /// Takes the wall clock, which tells whether the tip is recent.
    pub fn clock(&mut self, timestamp: Timestamp, now: Time) {}

    /// Transactions are not to be asked for: the chain is behind (E6).
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        true
    }

    /// A peer's handshake is done.
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// A peer is gone. What it owed is asked of others.
    pub fn disconnected(&mut self, peer: PeerId, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// A peer showed that it has a block and those before it. The header is in the tree.
    pub fn has(&mut self, peer: PeerId, id: tree::Id, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// What was sent to a peer piles up, or has drained.
    pub fn congested(&mut self, peer: PeerId, congested: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// `sendheaders` (BIP-0130).
    pub fn on_sendheaders(&mut self, peer: PeerId) {}

    /// `sendcmpct` (BIP-0152).
    pub fn on_sendcmpct(&mut self, peer: PeerId, message: SendCompact) {}

    /// `getdata`: answers what it asks of blocks, and passes over the rest, which is `relay`'s.
    pub fn on_getdata(&mut self, peer: PeerId, items: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// `getblocks`.
    pub fn on_getblocks(&mut self, peer: PeerId, message: &Locate, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// `notfound`: looks at blocks, and passes over the rest, which is `relay`'s.
    pub fn on_notfound(&mut self, peer: PeerId, items: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// `block`.
    pub fn on_block(&mut self, peer: PeerId, block: Arc<Block>, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// `cmpctblock`, after `headers` has accepted its header (or known it) and said who [`has`](Self::has) it. One whose
    /// header is not in the tree is passed over.
    pub fn on_compact_block(
        &mut self,
        peer: PeerId,
        message: &CompactBlock,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        Vec::new()
    }

    /// `getblocktxn`.
    pub fn on_getblocktxn(
        &mut self,
        peer: PeerId,
        message: GetBlockTransactions,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        Vec::new()
    }

    /// `blocktxn`.
    pub fn on_blocktxn(
        &mut self,
        peer: PeerId,
        message: BlockTransactions,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        Vec::new()
    }

    /// The answer to [`Outcome::Read`].
    pub fn block_read(
        &mut self,
        ticket: Ticket,
        block: Option<Arc<Block>>,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        Vec::new()
    }

    /// The answer to [`Outcome::Process`]. The tree knows already which headers are invalid. Blocks of our own that were
    /// processed without coming from here may be told too; they are passed over.
    pub fn processed(&mut self, hash: BlockHash, outcome: &Processed, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// The chain that is connected has changed, by whatever block: peers that lack it are told.
    pub fn tip(&mut self, change: &TipChange, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// A transaction that a block may well have though it is not in the mempool: refused, replaced, or an orphan.
    pub fn extra(&mut self, transaction: Arc<Transaction>) {}

    /// Does what is due.
    pub fn deadline(&mut self, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        Vec::new()
    }

    /// When [`deadline`](Self::deadline) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// Panics if an invariant or a bound does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {}
}
