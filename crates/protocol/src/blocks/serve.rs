//! What peers asked for: queues, reads, and whose turn it is.
//!
//! A peer may ask for as many blocks as one `getdata` names. They wait as header ids (a few bytes each), are read one by
//! one from wherever the driver keeps them, round robin among peers, and not while a peer reads slower than we send.
//! Served are blocks of the connected chain, and those that were on it within the last month: what else we hold would
//! tell a stranger who we are (Bitcoin Core's rule against fingerprinting).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_chain::header::tree;

use super::download;
use super::outcome::Turn;
use super::recent::Recent;
use super::{Fault, Outcome};
use crate::compact;
use crate::io::Ticket;
use crate::ledger::Ledger;
use crate::link::PeerId;
use crate::message::{BlockTransactions, GetBlockTransactions, Inventory, Locate, MAX_INVENTORY, Message};
use crate::random::Random;
use crate::time::Time;

mod form;

use form::{stripped, transactions};

/// Most blocks that wait for a peer: what one `getdata` may name. What is asked beyond is not found.
pub(super) const MAX_QUEUE: usize = MAX_INVENTORY;

/// Most `getblocktxn` that wait for a peer; those beyond are answered by the whole block, as deep ones are.
pub(super) const MAX_PARTS: usize = 8;

/// Most reads at a time, in all and for one peer.
pub(super) const MAX_READS: usize = 8;
pub(super) const MAX_READS_OF_PEER: usize = 2;

/// Most blocks that are sent to a peer from memory before the driver had a turn to say that it is congested.
const BURST: usize = 16;

/// And most bytes.
const BURST_BYTES: usize = 4 << 20;

/// The driver's turn.
const TURN: Duration = Duration::from_millis(1);

/// Blocks on top of one whose transactions are sent singly, as in Bitcoin Core.
pub(super) const MAX_PARTS_DEPTH: u32 = 10;

/// Blocks on top of one that is sent in compact form, as in Bitcoin Core.
pub(super) const MAX_COMPACT_DEPTH: u32 = 5;

/// Most hashes in answer to `getblocks`.
pub(super) const MAX_HASHES: usize = 500;

/// How old a block may be that was connected once and is served: a month, as in Bitcoin Core.
const STALE_AGE: u32 = 30 * 24 * 60 * 60;

/// How many blocks are remembered that were connected once.
const MAX_STALE: usize = 64;

/// How long a block that is still being validated is waited for, before it is not found.
pub(super) const VALIDATION: Duration = Duration::from_secs(20);

/// Most requests that wait for a block to be validated.
pub(super) const MAX_WAITING: usize = 256;

/// How a block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Whole,
    /// Without witnesses.
    Stripped,
    Compact,
}

/// Where blocks are that peers may know of before they are connected here.
#[derive(Debug)]
pub(super) struct Coming<'a> {
    pub(super) recent: &'a Recent,
    pub(super) download: &'a download::State,
}

impl Coming<'_> {
    /// Whether a block may be connected in a moment. Many can be validated at a time, more than are
    /// [`recent`](Recent), and peers heard of each of them (BIP-0152).
    fn has(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        let tree = ledger.tree();
        let next = || tree.status(id) == tree::Status::Valid && tree.is_ancestor(ledger.tip(), id);
        self.recent.contains(id) || self.download.is_processing(&tree.hash(id)) || (ledger.has_block(id) && next())
    }
}

#[derive(Debug, Default)]
struct Queue {
    blocks: VecDeque<(tree::Id, Form)>,
    parts: VecDeque<(tree::Id, Vec<u16>)>,
    congested: bool,
    /// The newest `getblocks` that came while it was congested.
    locate: Option<Locate>,
    reads: usize,
    /// After this block was sent, the tip is announced, so that the peer asks for the hashes that follow.
    continue_at: Option<tree::Id>,
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.blocks.is_empty() && self.parts.is_empty()
    }
}

/// What a read is for.
#[derive(Debug)]
struct Read {
    peer: PeerId,
    id: tree::Id,
    what: What,
}

#[derive(Debug)]
enum What {
    Block(Form),
    Parts(Vec<u16>),
}

/// All that is asked of us.
#[derive(Debug)]
pub(super) struct State {
    queues: BTreeMap<PeerId, Queue>,
    reads: BTreeMap<Ticket, Read>,
    next_ticket: u64,
    /// Whose turn was last.
    turn: PeerId,
    waiting: VecDeque<(Time, PeerId, tree::Id, Form)>,
    stale: VecDeque<tree::Id>,
    again: Option<Time>,
    random: Random,
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            queues: BTreeMap::new(),
            reads: BTreeMap::new(),
            next_ticket: 0,
            turn: PeerId(0),
            waiting: VecDeque::new(),
            stale: VecDeque::new(),
            again: None,
            random,
        }
    }

    pub(super) fn ready(&mut self, peer: PeerId) {
        self.queues.insert(peer, Queue::default());
    }

    pub(super) fn disconnected(&mut self, peer: PeerId) {
        self.queues.remove(&peer);
        self.waiting.retain(|(_, other, ..)| *other != peer);
    }

    pub(super) fn congested(&mut self, peer: PeerId, congested: bool, turn: &mut Turn<'_>) {
        let Some(queue) = self.queues.get_mut(&peer) else { return };
        queue.congested = congested;
        if let Some(locate) = queue.locate.take_if(|_| !congested) {
            self.getblocks(peer, &locate, turn);
        }
    }

    /// Remembers blocks that were connected.
    pub(super) fn disconnected_blocks(&mut self, ids: impl Iterator<Item = tree::Id>) {
        self.stale.extend(ids);
        while self.stale.len() > MAX_STALE {
            self.stale.pop_front();
        }
    }

    /// Whether a block may be served.
    fn is_served(&self, id: tree::Id, ledger: &dyn Ledger) -> bool {
        let tree = ledger.tree();
        if tree.is_ancestor(id, ledger.tip()) {
            return true;
        }
        let best = tree.best();
        let age = tree.time(best).saturating_sub(tree.time(id));
        let blocks = tree.height(best).saturating_sub(tree.height(id));
        // Time can be lied about, work less so.
        let by_work = blocks.saturating_mul(tree.spec().work.spacing);
        self.stale.contains(&id) && tree.status(id) == tree::Status::Valid && age < STALE_AGE && by_work < STALE_AGE
    }

    pub(super) fn getdata(&mut self, peer: PeerId, items: &[Inventory], coming: &Coming<'_>, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        let Some(queue) = self.queues.get(&peer) else { return };
        let mut room = MAX_QUEUE.saturating_sub(queue.blocks.len());
        let mut absent = Vec::new();
        for item in items {
            let (hash, form) = match item {
                Inventory::Block(hash) => (hash, Form::Stripped),
                Inventory::WitnessBlock(hash) => (hash, Form::Whole),
                Inventory::CompactBlock(hash) => (hash, Form::Compact),
                Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. } => continue,
            };
            let Some(id) = ledger.tree().get(hash).filter(|_| room > 0) else {
                absent.push(*item);
                continue;
            };
            let served = self.is_served(id, ledger) && (ledger.has_block(id) || coming.recent.contains(id));
            // BIP-0152: the compact form may go out before the block is validated.
            if served || (form == Form::Compact && coming.recent.contains(id)) {
                room = room.saturating_sub(1);
                if let Some(queue) = self.queues.get_mut(&peer) {
                    queue.blocks.push_back((id, form));
                }
            } else if coming.has(id, ledger) && self.waiting.len() < MAX_WAITING {
                self.waiting.push_back((now.after(VALIDATION), peer, id, form));
            } else {
                absent.push(*item);
            }
        }
        // One that reads too slowly hears of it by silence.
        if !absent.is_empty() && !self.queues.get(&peer).is_some_and(|queue| queue.congested) {
            turn.out.push(Outcome::Send(peer, Message::NotFound(absent)));
        }
    }

    /// `getblocktxn`.
    pub(super) fn getblocktxn(
        &mut self,
        peer: PeerId,
        message: GetBlockTransactions,
        recent: &Recent,
        turn: &mut Turn<'_>,
    ) {
        let ledger = turn.ledger;
        let tree = ledger.tree();
        let Some(id) = tree.get(&message.block) else { return };
        let Some(queue) = self.queues.get(&peer) else { return };
        if let Some(block) = recent.block(id)
            && !queue.congested
        {
            turn.out.push(parts(peer, block, &message.indexes));
            return;
        }
        if !self.is_served(id, ledger) || !ledger.has_block(id) {
            return;
        }
        let depth = tree.height(ledger.tip()).saturating_sub(tree.height(id));
        let shallow = depth <= MAX_PARTS_DEPTH && queue.parts.len() < MAX_PARTS;
        let Some(queue) = self.queues.get_mut(&peer) else { return };
        if shallow {
            queue.parts.push_back((id, message.indexes));
        } else if queue.blocks.len() < MAX_QUEUE {
            queue.blocks.push_back((id, Form::Whole));
        }
    }

    /// `getblocks`: hashes of the connected chain after the peer's last block on it.
    pub(super) fn getblocks(&mut self, peer: PeerId, message: &Locate, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        let Some(queue) = self.queues.get_mut(&peer) else { return };
        if queue.congested {
            // Whoever asks without reading must not make the pile grow.
            queue.locate = Some(message.clone());
            return;
        }
        let tree = ledger.tree();
        let tip = ledger.tip();
        let locator = message.locator.get(..message.locator.len().min(crate::message::MAX_LOCATOR)).unwrap_or_default();
        let from = tree.height(tree.find_fork(tip, locator)).saturating_add(1);
        let mut items = Vec::new();
        queue.continue_at = None;
        for height in from..=tree.height(tip) {
            let Some(id) = tree.ancestor(tip, height) else { break };
            let hash = tree.hash(id);
            if hash == message.stop || !ledger.has_block(id) {
                break;
            }
            items.push(Inventory::Block(hash));
            if items.len() >= MAX_HASHES {
                queue.continue_at = Some(id);
                break;
            }
        }
        if !items.is_empty() {
            turn.out.push(Outcome::Send(peer, Message::Inv(items)));
        }
    }

    /// Takes a block that was read.
    pub(super) fn read(&mut self, ticket: Ticket, block: Option<Arc<Block>>, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        let Some(Read { peer, id, what }) = self.reads.remove(&ticket) else { return };
        let Some(queue) = self.queues.get_mut(&peer) else { return };
        queue.reads = queue.reads.saturating_sub(1);
        // A whole block is sent as it is. For any other form its transactions are needed: if it was damaged since it was
        // stored, it is not there any more.
        let block = block.filter(|block| matches!(what, What::Block(Form::Whole)) || block.read().is_ok());
        match (block, what) {
            (Some(block), What::Block(form)) => self.send(peer, id, form, &block, turn),
            (Some(block), What::Parts(indexes)) => turn.out.push(parts(peer, &block, &indexes)),
            (None, What::Block(form)) => {
                let item = inventory(ledger.tree().hash(id), form);
                turn.out.push(Outcome::Send(peer, Message::NotFound(vec![item])));
            }
            (None, What::Parts(_)) => {
                let item = Inventory::WitnessBlock(ledger.tree().hash(id));
                turn.out.push(Outcome::Send(peer, Message::NotFound(vec![item])));
            }
        }
    }

    /// Sends a block that was read or is recent.
    fn send(&mut self, peer: PeerId, id: tree::Id, form: Form, block: &Arc<Block>, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        let message = match form {
            Form::Whole => Message::Block(Arc::clone(block)),
            Form::Stripped => Message::Block(stripped(block)),
            Form::Compact => {
                let compact = compact::make(block, self.random.next_u64(), &std::collections::BTreeSet::new());
                Message::CompactBlock(Arc::new(compact))
            }
        };
        turn.out.push(Outcome::Send(peer, message));
        if let Some(queue) = self.queues.get_mut(&peer)
            && queue.continue_at == Some(id)
        {
            queue.continue_at = None;
            let tip = Inventory::Block(ledger.tree().hash(ledger.tip()));
            turn.out.push(Outcome::Send(peer, Message::Inv(vec![tip])));
        }
    }

    /// Lets each peer have its turn while reads are left.
    pub(super) fn pump(&mut self, recent: &mut Recent, turn: &mut Turn<'_>) {
        let now = turn.now;
        self.again = self.again.filter(|again| *again > now);
        let mut bursts: BTreeMap<PeerId, (usize, usize)> = BTreeMap::new();
        loop {
            let may = |(peer, queue): (&PeerId, &Queue)| {
                let (blocks, bytes) = bursts.get(peer).copied().unwrap_or_default();
                let fresh = blocks < BURST && bytes < BURST_BYTES;
                let can = !queue.is_idle() && !queue.congested && queue.reads < MAX_READS_OF_PEER;
                (can && fresh).then_some(*peer)
            };
            let after = (std::ops::Bound::Excluded(self.turn), std::ops::Bound::Unbounded);
            let next = self.queues.range(after).find_map(may);
            let Some(peer) = next.or_else(|| self.queues.range(..=self.turn).find_map(may)) else { break };
            if self.reads.len() >= MAX_READS {
                return;
            }
            self.turn = peer;
            let bytes = self.serve_next(peer, recent, turn);
            let burst = bursts.entry(peer).or_default();
            *burst = (burst.0.saturating_add(1), burst.1.saturating_add(bytes));
        }
        let more = |(peer, queue): (&PeerId, &Queue)| {
            bursts.contains_key(peer) && !queue.is_idle() && !queue.congested && queue.reads < MAX_READS_OF_PEER
        };
        if self.queues.iter().any(more) {
            self.again = Some(now.after(TURN));
        }
    }

    /// Sends a peer's next block if it is recent, or has it read. Gives the bytes that were sent.
    fn serve_next(&mut self, peer: PeerId, recent: &mut Recent, turn: &mut Turn<'_>) -> usize {
        let ledger = turn.ledger;
        let Some(queue) = self.queues.get_mut(&peer) else { return 0 };
        if let Some((id, indexes)) = queue.parts.pop_front() {
            if let Some(block) = recent.block(id) {
                turn.out.push(parts(peer, block, &indexes));
                return block.bytes().len();
            }
            self.start_read(peer, id, What::Parts(indexes), turn);
            return 0;
        }
        let Some((id, form)) = queue.blocks.pop_front() else { return 0 };
        let depth = ledger.tree().height(ledger.tip()).saturating_sub(ledger.tree().height(id));
        let form = if form == Form::Compact && depth > MAX_COMPACT_DEPTH { Form::Whole } else { form };
        if form == Form::Compact
            && let Some(compact) = recent.compact(id, self.random.next_u64())
        {
            turn.out.push(Outcome::Send(peer, Message::CompactBlock(compact)));
            return 0;
        }
        if let Some(block) = recent.block(id).map(Arc::clone) {
            self.send(peer, id, form, &block, turn);
            return block.bytes().len();
        }
        if ledger.has_block(id) {
            self.start_read(peer, id, What::Block(form), turn);
        } else {
            let item = inventory(ledger.tree().hash(id), form);
            turn.out.push(Outcome::Send(peer, Message::NotFound(vec![item])));
        }
        0
    }

    fn start_read(&mut self, peer: PeerId, id: tree::Id, what: What, turn: &mut Turn<'_>) {
        let ledger = turn.ledger;
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = Ticket(self.next_ticket);
        self.reads.insert(ticket, Read { peer, id, what });
        if let Some(queue) = self.queues.get_mut(&peer) {
            queue.reads = queue.reads.saturating_add(1);
        }
        turn.out.push(Outcome::Read { ticket, hash: ledger.tree().hash(id) });
    }

    /// Looks again at what waits for a block to be validated.
    pub(super) fn settle(&mut self, coming: &Coming<'_>, turn: &mut Turn<'_>) {
        let (now, ledger) = (turn.now, turn.ledger);
        for (until, peer, id, form) in std::mem::take(&mut self.waiting) {
            if self.is_served(id, ledger) {
                if let Some(queue) = self.queues.get_mut(&peer).filter(|queue| queue.blocks.len() < MAX_QUEUE) {
                    queue.blocks.push_back((id, form));
                }
            } else if coming.has(id, ledger) && now < until {
                self.waiting.push_back((until, peer, id, form));
            } else {
                let item = inventory(ledger.tree().hash(id), form);
                turn.out.push(Outcome::Send(peer, Message::NotFound(vec![item])));
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        let waiting = self.waiting.front().map(|(until, ..)| *until);
        [waiting, self.again].into_iter().flatten().min()
    }

    /// Every peer of which something is kept.
    #[cfg(any(test, feature = "test-util"))]
    pub(in crate::blocks) fn known(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.queues.keys().copied()
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn check(&self) {
        assert!(self.reads.len() <= MAX_READS, "{} reads", self.reads.len());
        assert!(self.waiting.len() <= MAX_WAITING, "{} requests wait", self.waiting.len());
        assert!(self.stale.len() <= MAX_STALE, "{} stale blocks", self.stale.len());
        for (peer, queue) in &self.queues {
            assert!(queue.blocks.len() <= MAX_QUEUE, "{} blocks wait for {peer}", queue.blocks.len());
            assert!(queue.parts.len() <= MAX_PARTS, "{} parts wait for {peer}", queue.parts.len());
            assert!(queue.reads <= MAX_READS_OF_PEER, "{} reads for {peer}", queue.reads);
        }
    }
}

fn inventory(hash: BlockHash, form: Form) -> Inventory {
    match form {
        Form::Whole => Inventory::WitnessBlock(hash),
        Form::Stripped => Inventory::Block(hash),
        Form::Compact => Inventory::CompactBlock(hash),
    }
}

/// The answer to `getblocktxn`.
fn parts(peer: PeerId, block: &Block, indexes: &[u16]) -> Outcome {
    match transactions(block, indexes) {
        Ok(transactions) => {
            let message = BlockTransactions { block: block.hash(), transactions };
            Outcome::Send(peer, Message::BlockTransactions(message))
        }
        Err(index) => {
            let fault = Fault::GetBlockTransactions { hash: block.hash(), index, length: block.transactions().len() };
            Outcome::Fault(peer, fault)
        }
    }
}
