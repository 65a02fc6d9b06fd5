//! Peers that send anything at any time: nothing panics, every bound holds after every step, and one seed gives one history.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

use bitcoin::hashes::Hash;
use foldhash::fast::FixedState;

use super::*;
use crate::fixture::transaction;
use crate::message::{Prefilled, ShortId};

const STEPS: usize = 3000;

struct Chaos {
    world: World,
    random: Random,
    peers: Vec<PeerId>,
    next_peer: u64,
    /// Every block whose header is known.
    blocks: Vec<Arc<Block>>,
    processing: Vec<Arc<Block>>,
    reads: BTreeMap<Ticket, BlockHash>,
    history: u64,
    /// How often each kind of outcome came.
    kinds: BTreeMap<String, usize>,
}

impl Chaos {
    fn new(seed: u8) -> Self {
        let mut world = World::new(20);
        for salt in 0..30 {
            world.chain.pend(salt, 100, 500);
        }
        let mut blocks: Vec<_> = world.chain.blocks.values().cloned().collect();
        blocks.sort_by_key(|block| block.hash());
        Self {
            world,
            random: Random::new([seed; 32]),
            peers: Vec::new(),
            next_peer: 1,
            blocks,
            processing: Vec::new(),
            reads: BTreeMap::new(),
            history: u64::from(seed),
            kinds: BTreeMap::new(),
        }
    }

    fn block(&mut self) -> Arc<Block> {
        // Mostly a new one.
        let at = if self.random.below(3) > 0 {
            self.blocks.len() - 1 - self.random.index(self.blocks.len().min(5))
        } else {
            self.random.index(self.blocks.len())
        };
        Arc::clone(&self.blocks[at])
    }

    fn hash(&mut self) -> BlockHash {
        if self.random.below(20) == 0 { BlockHash::from_byte_array([9; 32]) } else { self.block().hash() }
    }

    fn mine(&mut self) {
        let block = self.block();
        let best = self.random.below(4) > 0;
        let parent = if best { self.world.chain.tree.best() } else { self.world.id(&block) };
        if self.world.chain.tree.status(parent) != tree::Status::Valid {
            return;
        }
        let count = self.random.below(6);
        let transactions: Vec<_> = (0..count).map(|_| transaction(self.random.below(60), 100)).collect();
        let salt = self.random.next_u64();
        let block = self.world.mine(parent, salt, &transactions);
        self.blocks.push(block);
    }

    fn items(&mut self) -> Vec<Inventory> {
        let kind: [fn(BlockHash) -> Inventory; 3] =
            [Inventory::Block, Inventory::WitnessBlock, Inventory::CompactBlock];
        (0..self.random.below(5)).map(|_| kind[self.random.index(3)](self.hash())).collect()
    }

    fn compact(&mut self) -> CompactBlock {
        let block = self.block();
        let likely = (0..self.random.below(3)).map(|_| self.random.below(6) as u16).collect();
        let mut message = compact::make(&block, self.random.next_u64(), &likely);
        match self.random.below(8) {
            0 => message.short_ids.push(ShortId([1; 6])),
            1 => message.short_ids.clear(),
            2 => message.prefilled.clear(),
            3 => {
                let index = self.random.below(8) as u16;
                message.prefilled.push(Prefilled { index, transaction: transaction(1, 100) });
            }
            4 => message.short_ids.extend(message.short_ids.clone()),
            _ => {}
        }
        message
    }

    fn indexes(&mut self) -> Vec<u16> {
        (0..self.random.below(4)).map(|_| self.random.below(7) as u16).collect()
    }

    fn step(&mut self) {
        let wait = self.random.up_to(Duration::from_millis(300));
        self.world.now = self.world.now.after(wait);
        let what = self.random.below(24);
        let peer = match self.random.pick(&self.peers) {
            Some(peer) if what > 1 => *peer,
            _ => return self.come(),
        };
        let out = match what {
            2 => self.part(peer),
            3 | 4 => {
                self.mine();
                return;
            }
            5..=7 => {
                let block = self.block();
                let id = self.world.id(&block);
                self.world.state.has(peer, id, self.world.now, &self.world.chain);
                Vec::new()
            }
            8 | 9 => {
                let block = self.block();
                self.world.block(peer, &block)
            }
            10 => {
                let (block, other) = (self.block(), self.block());
                let mutated = Block::assemble(*block.header(), other.transactions().to_vec());
                self.world.block(peer, &Arc::new(mutated))
            }
            11..=13 => {
                let message = self.compact();
                self.world.compact(peer, &message)
            }
            14 | 15 => self.ask(peer),
            16 => {
                let items = self.items();
                self.world.step(|state, now, chain| state.on_notfound(peer, &items, now, chain))
            }
            17 => {
                let transactions = (0..self.random.below(4)).map(|_| transaction(self.random.below(60), 100)).collect();
                let message = BlockTransactions { block: self.hash(), transactions };
                self.world.step(|state, now, chain| state.on_blocktxn(peer, &message, now, chain))
            }
            18 => {
                let congested = self.random.below(2) == 0;
                self.world.step(|state, now, chain| state.congested(peer, congested, now, chain))
            }
            19..=21 => self.process(),
            22 => self.read(),
            _ => self.world.wait(Duration::from_secs(1)),
        };
        self.note(out);
    }

    fn come(&mut self) {
        if self.peers.len() >= 12 {
            return;
        }
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        self.peers.push(peer);
        let direction = if self.random.below(2) == 0 { Direction::Inbound } else { Direction::Outbound };
        let carrier = if self.random.below(2) == 0 { Carrier::Bitcoin } else { Carrier::Libp2p };
        let serves = [Serves::All, Serves::All, Serves::Recent, Serves::Nothing][self.random.index(4)];
        let facts = Facts { direction, carrier, serves };
        let out = self.world.step(|state, now, chain| state.ready(peer, facts, now, chain));
        let high_bandwidth = self.random.below(2) == 0;
        let version = 1 + self.random.below(2);
        self.world.state.on_sendcmpct(peer, SendCompact { high_bandwidth, version });
        if self.random.below(2) == 0 {
            self.world.state.on_sendheaders(peer);
        }
        self.note(out);
    }

    fn part(&mut self, peer: PeerId) -> Vec<Outcome> {
        self.peers.retain(|other| *other != peer);
        self.world.step(|state, now, chain| state.disconnected(peer, now, chain))
    }

    fn ask(&mut self, peer: PeerId) -> Vec<Outcome> {
        match self.random.below(3) {
            0 => {
                let message = GetBlockTransactions { block: self.hash(), indexes: self.indexes() };
                self.world.step(|state, now, chain| state.on_getblocktxn(peer, message, now, chain))
            }
            1 => {
                let message = Locate { locator: vec![self.hash(), self.hash()], stop: self.hash() };
                self.world.step(|state, now, chain| state.on_getblocks(peer, &message, now, chain))
            }
            _ => {
                let items = self.items();
                self.world.step(|state, now, chain| state.on_getdata(peer, &items, now, chain))
            }
        }
    }

    fn process(&mut self) -> Vec<Outcome> {
        if self.processing.is_empty() {
            return Vec::new();
        }
        let block = self.processing.remove(self.random.index(self.processing.len()));
        let genuine = compact::is_genuine(&block, true);
        match self.random.below(10) {
            _ if !genuine => {
                let outcome = Processed::Invalid { reason: "bad-txnmrklroot", mutated: true };
                self.world.processed(block.hash(), &outcome)
            }
            0 => {
                self.world.chain.tree.invalidate(&block.hash());
                let outcome = Processed::Invalid { reason: "bad-cb-amount", mutated: false };
                self.world.processed(block.hash(), &outcome)
            }
            1 => self.world.processed(block.hash(), &Processed::Failed),
            _ if self.world.chain.tree.status(self.world.id(&block)) != tree::Status::Valid => {
                let outcome = Processed::Invalid { reason: "bad-prevblk", mutated: false };
                self.world.processed(block.hash(), &outcome)
            }
            _ => self.world.connect(&block),
        }
    }

    fn read(&mut self) -> Vec<Outcome> {
        let Some((ticket, hash)) = self.reads.pop_first() else { return Vec::new() };
        let block = self.world.chain.blocks.get(&hash).filter(|_| self.random.below(8) > 0).cloned();
        self.world.step(|state, now, chain| state.block_read(ticket, block, now, chain))
    }

    fn note(&mut self, out: Vec<Outcome>) {
        for outcome in out {
            let text = format!("{outcome:?}");
            let kind: String = match &outcome {
                Outcome::Send(_, message) => format!("{message:?}"),
                Outcome::Fault(_, fault) => format!("{fault:?}"),
                _ => text.clone(),
            };
            let kind = kind.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
            *self.kinds.entry(kind).or_insert(0) += 1;
            let mut hasher = FixedState::with_seed(self.history).build_hasher();
            hasher.write(text.as_bytes());
            self.history = hasher.finish();
            match outcome {
                Outcome::Process(block) => self.processing.push(block),
                Outcome::Read { ticket, hash } => {
                    self.reads.insert(ticket, hash);
                }
                Outcome::Send(peer, _) | Outcome::Fault(peer, _) => {
                    assert!(self.peers.contains(&peer), "{peer} is gone: {outcome:?}");
                }
                Outcome::Behind(_) | Outcome::CaughtUp | Outcome::Relayed(_) | Outcome::Useful(_) => {}
            }
        }
    }
}

#[test]
fn peers_that_send_anything_break_nothing() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..8 {
        println!("seed {seed}");
        let histories: Vec<_> = (0..2)
            .map(|_| {
                let mut chaos = Chaos::new(seed);
                for _ in 0..STEPS {
                    chaos.step();
                }
                for (kind, count) in chaos.kinds {
                    *kinds.entry(kind).or_insert(0) += count;
                }
                chaos.history
            })
            .collect();
        assert_eq!(histories[0], histories[1], "seed {seed} has two histories");
    }
    println!("{kinds:?}");
    for kind in ["Process", "GetData", "Block", "CompactBlock", "GetBlockTransactions", "BlockTransactions", "Mutated"]
    {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 20), "{kind} hardly came: {kinds:?}");
    }
}
