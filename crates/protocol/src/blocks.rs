//! Blocks: fetching those that we lack, serving those that we have, and making new ones known.
//!
//! One [`State`] in front of four parts, so that the router has little to decide:
//!
//! | part | owns |
//! |---|---|
//! | `download` | what to ask of whom: a moving window over all good peers |
//! | `serve` | what peers asked for: queues, reads, fairness |
//! | `announce` | who is told of a new block, and how |
//! | [`compact`] | compact blocks (BIP-0152): made, rebuilt, completed |
//!
//! ```text
//! headers ──has──▶ download ──getdata──▶ peer ──block──▶ Process ──▶ processed ──▶ tip ──▶ announce
//!                      ▲                  │cmpctblock                 ▲
//!                      └──full block──── compact ──complete───────────┴──▶ announce, before validation
//! ```
//!
//! Not its job: headers (`headers` accepts them first and says who [`has`](State::has) them), rules of blocks (the
//! driver processes them), transactions that are not in blocks (`relay`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::header::tree;
use yap_chain::transaction::Transaction;

use crate::compact::{self, Extras, Partial, Whole};
use crate::io::{Processed, Ticket, TipChange};
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{BlockTransactions, CompactBlock, GetBlockTransactions, Inventory, Locate, Message, SendCompact};
use crate::random::Random;
use crate::tally::{Tally, count};
use crate::time::{Time, Timestamp};

mod announce;
mod download;
mod outcome;
mod rebuild;
mod recent;
mod serve;

#[cfg(test)]
mod tests;

use self::download::{Arrival, Via};
use self::outcome::Turn;
pub use self::outcome::{Facts, Fault, Outcome, Serves};
use self::rebuild::{Answer, Step};
use self::recent::Recent;
use self::serve::Coming;

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

/// [`Config::high_bandwidth_libp2p`] unless told otherwise. In a network of a thousand nodes that dial eight each, a block
/// then reaches 99 % of them within three latencies.
pub const HIGH_BANDWIDTH_LIBP2P: usize = 12;

/// The chain counts as caught up so many blocks below the best one that a peer has.
const CAUGHT_UP: u32 = 2;

/// And not any more from here on: as after a network that was split has come together.
const FELL_BEHIND: u32 = 24;

/// How far above the tip a compact block is rebuilt, as in Bitcoin Core: the mempool likely has its transactions.
const MAX_AHEAD: u32 = 2;

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
    download: download::State,
    serve: serve::State,
    announce: announce::State,
    rebuild: rebuild::State,
    recent: Recent,
    extras: Extras,
    /// The wall clock, and when it was told.
    clock: Option<(Timestamp, Time)>,
    catching_up: bool,
    /// The chain grew while it was behind, and peers were not told.
    grown: bool,
    /// How far behind we said we were; 0 once we said that we caught up.
    told_behind: u32,
    /// The last block that was said to be on its way.
    relayed: Option<tree::Id>,
    counts: Counts,
}

/// How blocks came since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Whole, while catching up.
    fetched: u64,
    /// Whole, otherwise.
    whole: u64,
    /// From compact blocks, with what was at hand.
    rebuilt: u64,
    /// From compact blocks, with transactions that were asked for.
    completed: u64,
}

impl State {
    /// A machine that knows nobody.
    #[must_use]
    pub fn new(config: Config, random: Random) -> Self {
        Self {
            config,
            download: download::State::default(),
            serve: serve::State::new(random.fork("serve")),
            announce: announce::State::new(config),
            rebuild: rebuild::State::default(),
            recent: Recent::default(),
            extras: Extras::default(),
            clock: None,
            catching_up: true,
            grown: false,
            told_behind: 0,
            relayed: None,
            counts: Counts::default(),
            random,
        }
    }

    /// Takes the wall clock, which tells whether the tip is recent.
    pub fn clock(&mut self, timestamp: Timestamp, now: Time) {
        self.clock = Some((timestamp, now));
        self.download.replan(now);
    }

    /// Transactions are not to be asked for: the chain is behind (E6).
    #[must_use]
    pub fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// A peer's handshake is done. Compact blocks are negotiated with it (BIP-0152).
    pub fn ready(&mut self, peer: PeerId, facts: Facts, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.download.ready(peer, facts, now);
        self.serve.ready(peer);
        self.announce.ready(peer, facts, turn);
        self.work(turn);
        turn.finish()
    }

    /// A peer is gone. What it owed is asked of others.
    pub fn disconnected(&mut self, peer: PeerId, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.download.disconnected(peer, now);
        self.serve.disconnected(peer);
        self.announce.disconnected(peer, turn);
        for step in self.rebuild.gone(peer, None, now) {
            self.step(step, turn);
        }
        self.work(turn);
        turn.finish()
    }

    /// A peer showed that it has a block and those before it. The header is in the tree. What is to be fetched of it is
    /// asked for at the next [`deadline`](Self::deadline), which is due at once: a compact block may follow.
    pub fn has(&mut self, peer: PeerId, id: tree::Id, now: Time, ledger: &dyn Ledger) {
        self.announce.has(peer, id, ledger);
        self.download.has(peer, id, !self.catching_up, now, ledger);
    }

    /// A peer was given the headers of the connected chain up to `last`, so it can place a block that follows.
    pub fn told(&mut self, peer: PeerId, last: tree::Id, ledger: &dyn Ledger) {
        self.announce.told(peer, last, ledger);
    }

    /// What was sent to a peer piles up, or has drained.
    pub fn congested(&mut self, peer: PeerId, congested: bool, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.announce.congested(peer, congested);
        self.serve.congested(peer, congested, turn);
        self.work(turn);
        turn.finish()
    }

    /// `sendheaders` (BIP-0130).
    pub fn on_sendheaders(&mut self, peer: PeerId) {
        self.announce.sendheaders(peer);
    }

    /// `sendcmpct` (BIP-0152).
    pub fn on_sendcmpct(&mut self, peer: PeerId, message: SendCompact) {
        if self.announce.sendcmpct(peer, message) {
            self.download.compact(peer);
        }
    }

    /// `getdata`: answers what it asks of blocks, and passes over the rest, which is `relay`'s.
    pub fn on_getdata(&mut self, peer: PeerId, items: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        let coming = Coming { recent: &self.recent, download: &self.download };
        self.serve.getdata(peer, items, &coming, turn);
        self.work(turn);
        turn.finish()
    }

    /// `getblocks`.
    pub fn on_getblocks(&mut self, peer: PeerId, message: &Locate, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.serve.getblocks(peer, message, turn);
        turn.finish()
    }

    /// `notfound`: looks at blocks, and passes over the rest, which is `relay`'s.
    pub fn on_notfound(&mut self, peer: PeerId, items: &[Inventory], now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        for item in items {
            let hash = match item {
                Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => hash,
                Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. } => continue,
            };
            let Some(id) = ledger.tree().get(hash) else { continue };
            self.download.refused(peer, id, now, ledger);
            for step in self.rebuild.gone(peer, Some(id), now) {
                self.step(step, turn);
            }
        }
        self.work(turn);
        turn.finish()
    }

    /// `block`.
    pub fn on_block(&mut self, peer: PeerId, block: Arc<Block>, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let hash = block.hash();
        let Some(id) = ledger.tree().get(&hash) else {
            return vec![Outcome::Fault(peer, Fault::Unrequested { hash })];
        };
        let turn = &mut Turn::new(now, ledger);
        match self.download.take(peer, id, &block, now, ledger) {
            Arrival::Wanted => self.arrived(peer, id, &block, turn),
            // A deep `getblocktxn` is answered by the whole block, which may have come otherwise in the meantime.
            Arrival::Unrequested if !self.rebuild.asked(id, peer) => {
                turn.out.push(Outcome::Fault(peer, Fault::Useless { hash }));
            }
            Arrival::Late | Arrival::Unrequested => {}
        }
        self.work(turn);
        turn.finish()
    }

    /// `cmpctblock`, after `headers` has accepted its header (or known it). One whose header is not in the tree is passed
    /// over.
    pub fn on_compact_block(
        &mut self,
        peer: PeerId,
        message: &CompactBlock,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        let hash = message.header.block_hash();
        if let Some(id) = ledger.tree().get(&hash) {
            self.has(peer, id, now, ledger);
            self.compact_came(peer, id, message, turn);
            self.work(turn);
        }
        turn.finish()
    }

    /// `getblocktxn`.
    pub fn on_getblocktxn(
        &mut self,
        peer: PeerId,
        message: GetBlockTransactions,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.serve.getblocktxn(peer, message, &self.recent, turn);
        self.work(turn);
        turn.finish()
    }

    /// `blocktxn`. What nobody asked for is passed over.
    pub fn on_blocktxn(
        &mut self,
        peer: PeerId,
        message: &BlockTransactions,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        let Some(id) = ledger.tree().get(&message.block) else { return turn.finish() };
        let witnesses = has_witnesses(id, ledger);
        match self.rebuild.answer(peer, id, &message.transactions, witnesses, now) {
            Answer::Whole(id, whole) => {
                count(&mut self.counts.completed, 1);
                self.rebuilt(peer, id, whole, turn);
            }
            Answer::Broken { asked, sent, then } => {
                let fault = Fault::BlockTransactions { hash: message.block, asked, sent };
                turn.out.push(Outcome::Fault(peer, fault));
                self.steps(then, turn);
            }
            Answer::Failed(then) => self.steps(then, turn),
            Answer::Unneeded => {}
        }
        self.work(turn);
        turn.finish()
    }

    /// The answer to [`Outcome::Read`].
    pub fn block_read(
        &mut self,
        ticket: Ticket,
        block: Option<Arc<Block>>,
        now: Time,
        ledger: &dyn Ledger,
    ) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        self.serve.read(ticket, block, turn);
        self.work(turn);
        turn.finish()
    }

    /// The answer to [`Outcome::Process`]. The tree knows already which headers are invalid. Blocks of our own that were
    /// processed without coming from here may be told too; they are passed over.
    pub fn processed(&mut self, hash: BlockHash, outcome: &Processed, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        let Some(source) = self.download.processed(&hash, now, ledger) else { return turn.finish() };
        let id = source.id;
        match outcome {
            Processed::Stored | Processed::Known => {
                if *outcome == Processed::Stored && self.download.knows(source.peer) {
                    turn.out.push(Outcome::Useful(source.peer));
                }
                if !self.catching_up {
                    self.announce.gave(source.peer, turn);
                }
            }
            Processed::Invalid { reason, mutated } => {
                self.recent.remove(id);
                // BIP-0152: a compact block may be sent on before it is validated, so whoever did is not to blame.
                // Nor is whoever sent a block of a branch that became impossible while it was on its way.
                let forked = ledger.tree().status(id) == tree::Status::Forked;
                if source.via == Via::Whole && !forked && self.download.knows(source.peer) {
                    let fault = if *mutated { Fault::Mutated { hash } } else { Fault::Invalid { hash, reason } };
                    turn.out.push(Outcome::Fault(source.peer, fault));
                }
                if *mutated {
                    self.download.want_again(id, Some(source.peer), now, ledger);
                }
            }
            Processed::Failed => {
                self.recent.remove(id);
                self.download.pause(now);
                self.download.want_again(id, None, now, ledger);
            }
        }
        self.settle(turn);
        self.work(turn);
        turn.finish()
    }

    /// The chain that is connected has changed, by whatever block: peers that lack it are told.
    pub fn tip(&mut self, change: &TipChange, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        let tree = ledger.tree();
        for id in change.disconnected.iter().filter_map(|hash| tree.get(hash)) {
            let block = self.recent.block(id).into_iter();
            for transaction in block.flat_map(|block| block.transactions()).skip(1).take(compact::MAX_EXTRAS) {
                // Read anew, since its bytes are part of the block's: one would keep all of them.
                if let Ok(own) = Transaction::parse(transaction.raw().as_slice().to_vec()) {
                    self.extras.push(Arc::new(own));
                }
            }
        }
        self.serve.disconnected_blocks(change.disconnected.iter().filter_map(|hash| tree.get(hash)));
        let new: Vec<_> = change.connected.iter().filter_map(|(hash, _)| tree.get(hash)).collect();
        if let (Some(tip), Some((_, Some(block)))) = (new.last(), change.connected.last())
            && !self.catching_up
        {
            self.recent.push(*tip, block, BTreeSet::new());
        }
        self.download.tip(&new, now, ledger);
        let download = &self.download;
        self.rebuild.retain(|id| download.is_missing(id, ledger));
        self.look_at_distance(turn);
        if self.catching_up {
            self.grown = true;
        } else if !new.is_empty() {
            self.announce_tip(&new, turn);
        }
        self.settle(turn);
        self.work(turn);
        turn.finish()
    }

    /// A transaction that a block may well have though it is not in the mempool: refused, replaced, or an orphan.
    pub fn extra(&mut self, transaction: Arc<Transaction>) {
        self.extras.push(transaction);
    }

    /// Does what is due.
    pub fn deadline(&mut self, now: Time, ledger: &dyn Ledger) -> Vec<Outcome> {
        let turn = &mut Turn::new(now, ledger);
        for step in self.rebuild.deadline(now) {
            self.step(step, turn);
        }
        self.settle(turn);
        self.work(turn);
        turn.finish()
    }

    /// When [`deadline`](Self::deadline) has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let all = [self.download.next_deadline(), self.serve.next_deadline(), self.rebuild.next_deadline()];
        all.into_iter().flatten().min()
    }

    /// How many blocks were asked of a peer and did not come yet.
    #[must_use]
    pub fn in_flight(&self, peer: PeerId) -> usize {
        self.download.in_flight(peer)
    }

    /// The header of the most work that a peer was given or told of, and could place.
    #[must_use]
    pub fn last_told(&self, peer: PeerId) -> Option<tree::Id> {
        self.announce.last_told(peer)
    }

    /// Whether new blocks go to a peer as compact blocks and unasked (BIP-0152), and whether they come from it so.
    #[must_use]
    pub fn high_bandwidth(&self, peer: PeerId) -> (bool, bool) {
        self.announce.high_bandwidth(peer)
    }

    /// Adds what was counted here.
    pub(crate) fn tally(&self, tally: &mut Tally) {
        let Counts { fetched, whole, rebuilt, completed } = self.counts;
        count(&mut tally.sync.stalls, self.download.stalls());
        tally.sync.blocks = fetched;
        (tally.blocks.whole, tally.blocks.rebuilt, tally.blocks.completed) = (whole, rebuilt, completed);
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.download.known().chain(self.serve.known()).chain(self.announce.known())
    }

    /// For tests: looks at every invariant and bound.
    ///
    /// # Panics
    /// If one does not hold.
    #[cfg(any(test, feature = "test-util"))]
    pub fn check(&self) {
        self.download.check();
        self.serve.check();
        self.announce.check();
        self.rebuild.check();
        self.recent.check();
        assert!(self.extras.len() <= compact::MAX_EXTRAS, "{} extra transactions", self.extras.len());
        assert!(self.extras.bytes() <= compact::MAX_EXTRA_BYTES, "{} bytes of them", self.extras.bytes());
    }
}

/// What several of the above have in common.
impl State {
    /// What may have become possible: asking for blocks, sending blocks, being caught up.
    fn work(&mut self, turn: &mut Turn<'_>) {
        self.download.deadline(!self.catching_up, turn);
        self.look_at_distance(turn);
        self.serve.pump(&mut self.recent, turn);
    }

    /// Looks again at what peers wait for.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        let coming = Coming { recent: &self.recent, download: &self.download };
        self.serve.settle(&coming, turn);
    }

    /// A whole block came that was wanted.
    fn arrived(&mut self, peer: PeerId, id: tree::Id, block: &Arc<Block>, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        if !self.catching_up {
            // It is about to be sent on, so it is read here. Otherwise its contents are looked at when it is processed.
            if !compact::is_genuine(block, has_witnesses(id, ledger)) {
                let hash = block.hash();
                self.download.processed(&hash, now, ledger);
                self.download.want_again(id, Some(peer), now, ledger);
                turn.out.push(Outcome::Fault(peer, Fault::Mutated { hash }));
                return;
            }
            let unpooled = (0..=u16::MAX).zip(block.transactions()).skip(1);
            let unpooled = unpooled.filter(|(_, transaction)| ledger.pooled(&transaction.wtxid()).is_none());
            let unpooled = unpooled.map(|(index, _)| index).collect();
            self.send_on(id, block, unpooled, turn);
        }
        count(if self.catching_up { &mut self.counts.fetched } else { &mut self.counts.whole }, 1);
        self.rebuild.forget(id);
        turn.out.push(Outcome::Process(Arc::clone(block)));
    }

    fn compact_came(&mut self, peer: PeerId, id: tree::Id, message: &CompactBlock, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        let tree = ledger.tree();
        let asked = self.download.owes(peer, id);
        let near = tree.height(id) <= tree.height(ledger.tip()).saturating_add(MAX_AHEAD);
        let better = tree.status(id) == tree::Status::Valid && tree.work(id) > tree.work(ledger.tip());
        if !better || !self.download.is_missing(id, ledger) || !self.rebuild.has_room(id, peer) {
            self.download.settled(peer, id, now);
            return;
        }
        if !asked && (self.catching_up || !near) {
            return;
        }
        let partial = Partial::new(message, ledger, &self.extras, self.random.next_u64());
        if matches!(partial, Err(compact::Error::Malformed)) {
            self.download.refused(peer, id, now, ledger);
            turn.out.push(Outcome::Fault(peer, Fault::CompactBlock { hash: message.header.block_hash() }));
            return;
        }
        if !self.download.hold(peer, id, now, ledger) {
            return;
        }
        let Ok(partial) = partial else {
            self.download.unhold(id, now, ledger);
            return;
        };
        if partial.missing().is_empty() {
            match partial.complete(&[], has_witnesses(id, ledger)) {
                Ok(whole) => {
                    count(&mut self.counts.rebuilt, 1);
                    self.rebuilt(peer, id, whole, turn);
                }
                // Two transactions have one short id: no fault of whoever sent it.
                Err(_) => self.download.unhold(id, now, ledger),
            }
            return;
        }
        let step = self.rebuild.add(id, message.header.block_hash(), peer, partial, now);
        self.steps(step, turn);
    }

    fn steps(&mut self, step: Option<Step>, turn: &mut Turn<'_>) {
        if let Some(step) = step {
            self.step(step, turn);
        }
    }

    fn step(&mut self, step: Step, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        match step {
            Step::Ask(peer, block, indexes) => {
                let message = GetBlockTransactions { block, indexes };
                turn.out.push(Outcome::Send(peer, Message::GetBlockTransactions(message)));
            }
            Step::GiveUp(id) => self.download.unhold(id, now, ledger),
        }
    }

    /// A block was rebuilt from a compact one.
    fn rebuilt(&mut self, peer: PeerId, id: tree::Id, whole: Whole, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        self.rebuild.forget(id);
        if !self.download.is_missing(id, ledger) {
            return;
        }
        let Whole { block, unpooled } = whole;
        self.download.rebuilt(peer, id, &block, now, ledger);
        self.send_on(id, &block, unpooled, turn);
        turn.out.push(Outcome::Process(block));
    }

    /// Sends a block on before it is validated, if it is the next one (BIP-0152).
    fn send_on(&mut self, id: tree::Id, block: &Arc<Block>, unpooled: BTreeSet<u16>, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        let parent = ledger.tree().parent(id);
        let next = parent.is_some_and(|parent| parent == ledger.tip() || self.recent.contains(parent));
        self.recent.push(id, block, unpooled);
        if !next || !self.announce.is_awaited(id, ledger) {
            return;
        }
        if let Some(compact) = self.recent.compact(id, self.random.next_u64()) {
            self.announce.forward(id, &compact, turn);
            self.say_relayed(id, turn);
        }
    }

    /// Tells peers of the tip, with the blocks `new` that lead to it.
    fn announce_tip(&mut self, new: &[tree::Id], turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        let tip = ledger.tip();
        let compact = self.recent.compact(tip, self.random.next_u64());
        let before = turn.out.len();
        self.announce.tip(tip, new, compact.as_ref(), turn);
        if turn.out.len() > before {
            self.say_relayed(tip, turn);
        }
    }

    fn say_relayed(&mut self, id: tree::Id, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        if self.relayed != Some(id) {
            self.relayed = Some(id);
            turn.out.push(Outcome::Relayed(ledger.tree().hash(id)));
        }
    }

    fn is_recent(&self, now: Time, ledger: &dyn Ledger) -> bool {
        let Some(most) = self.config.max_tip_age else { return true };
        let tip = Timestamp(u64::from(ledger.tree().time(ledger.tip())));
        self.clock.is_some_and(|(timestamp, at)| timestamp.after(now.since(at)).since(tip) <= most)
    }

    /// Finds whether we are behind, or are not any more.
    fn look_at_distance(&mut self, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        let behind = self.download.behind(ledger);
        if self.catching_up && behind <= CAUGHT_UP && self.is_recent(now, ledger) {
            self.catching_up = false;
            self.told_behind = 0;
            turn.out.push(Outcome::CaughtUp);
            if std::mem::take(&mut self.grown) {
                self.announce_tip(&[ledger.tip()], turn);
            }
        } else if behind > FELL_BEHIND || (self.catching_up && behind > 0) {
            self.catching_up = true;
            if self.told_behind == 0 {
                self.told_behind = behind;
                turn.out.push(Outcome::Behind(behind));
            }
        }
    }
}

/// Whether BIP-0141 is in force for a block.
fn has_witnesses(id: tree::Id, ledger: &dyn Ledger) -> bool {
    let tree = ledger.tree();
    tree.height(id) >= tree.spec().deployments.segwit
}
