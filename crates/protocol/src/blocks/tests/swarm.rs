//! A whole chain from peers of every kind, in virtual time: each has a latency and a bandwidth, some never answer, some lie.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use bitcoin::consensus;

use super::*;
use crate::penalty::Penalty;

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Honest,
    /// Never sends a block.
    Silent,
    /// Sends so many blocks, then none.
    Stops(usize),
    /// Sends blocks whose contents are others than the header's.
    Mutates,
    /// Sends the first block of the chain whatever it is asked for.
    Repeats,
    /// Says that it has none.
    Refuses,
}

#[derive(Clone, Copy, Debug)]
struct Model {
    kind: Kind,
    latency: Duration,
    /// Bytes per second.
    bandwidth: u64,
    direction: Direction,
}

const HONEST: Model = Model {
    kind: Kind::Honest,
    latency: Duration::from_millis(50),
    bandwidth: 100_000,
    direction: Direction::Outbound,
};

#[derive(Debug)]
enum Event {
    /// A request reaches the peer.
    Asked(PeerId, Vec<Inventory>),
    /// An answer reaches us.
    Answer(PeerId, Message),
    Processed(BlockHash),
}

struct Peer {
    model: Model,
    free_at: Time,
    sent: usize,
}

/// One run.
struct Run {
    world: World,
    source: Vec<Arc<Block>>,
    index: BTreeMap<BlockHash, usize>,
    peers: BTreeMap<PeerId, Peer>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    mutated: BTreeMap<BlockHash, bool>,
    /// What was asked of all peers together.
    requests: usize,
    banned: Vec<PeerId>,
    parted: Vec<PeerId>,
    caught_up: bool,
}

/// What a run came to.
struct Result {
    took: Duration,
    requests: usize,
    banned: Vec<PeerId>,
    parted: Vec<PeerId>,
}

impl Run {
    fn new(chain: &Chain, source: &[Arc<Block>], models: &[Model]) -> Self {
        let mut chain = chain.clone();
        chain.tip = chain.tree.genesis();
        let mut run = Self {
            world: World::with(chain, Config { max_tip_age: None, ..Config::default() }),
            source: source.to_vec(),
            index: source.iter().enumerate().map(|(at, block)| (block.hash(), at)).collect(),
            peers: BTreeMap::new(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            mutated: BTreeMap::new(),
            requests: 0,
            banned: Vec::new(),
            parted: Vec::new(),
            caught_up: false,
        };
        let best = run.world.chain.tree.best();
        for (id, model) in (1..).map(PeerId).zip(models) {
            run.peers.insert(id, Peer { model: *model, free_at: Time::ZERO, sent: 0 });
            let out = run.world.step(|state, now, chain| state.ready(id, facts(model.direction), now, chain));
            run.handle(out);
            run.world.state.has(id, best, run.world.now, &run.world.chain);
        }
        run
    }

    fn at(&mut self, time: Time, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((time, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    fn finish(mut self) -> Result {
        let start = self.world.now;
        let end = self.world.id(self.source.last().unwrap());
        for _ in 0..5_000_000 {
            if self.world.chain.tip == end {
                assert!(self.caught_up, "it noticed that it caught up");
                let took = self.world.now.since(start);
                return Result { took, requests: self.requests, banned: self.banned, parted: self.parted };
            }
            let due = self.world.state.next_deadline();
            let next = self.queue.peek().map(|Reverse((at, _))| *at);
            let now = [due, next].into_iter().flatten().min().expect("something is under way");
            self.world.now = self.world.now.max(now);
            if due.is_some_and(|due| due <= now) {
                let out = self.world.state.deadline(self.world.now, &self.world.chain);
                self.handle(out);
            } else {
                let Reverse((_, sequence)) = self.queue.pop().unwrap();
                let event = self.events.remove(&sequence).unwrap();
                self.happen(event);
            }
            if self.sequence % 1024 == 0 {
                self.world.state.check();
            }
        }
        panic!("it does not come to an end");
    }

    fn happen(&mut self, event: Event) {
        let World { state, chain, now } = &mut self.world;
        let out = match event {
            Event::Asked(peer, items) => return self.answer(peer, &items),
            Event::Answer(peer, _) if !self.peers.contains_key(&peer) => return,
            Event::Answer(peer, Message::Block(block)) => state.on_block(peer, block, *now, chain),
            Event::Answer(peer, Message::NotFound(items)) => state.on_notfound(peer, &items, *now, chain),
            Event::Answer(_, message) => panic!("no peer sends {message:?}"),
            Event::Processed(hash) => {
                let mutated = self.mutated.remove(&hash).unwrap_or(false);
                let outcome = if mutated {
                    Processed::Invalid { reason: "bad-txnmrklroot", mutated }
                } else {
                    let block = &self.source[self.index[&hash]];
                    chain.blocks.insert(hash, Arc::clone(block));
                    Processed::Stored
                };
                let mut out = state.processed(hash, &outcome, *now, chain);
                let mut change = TipChange::default();
                while let Some(next) = self.source.get(chain.tree.height(chain.tip) as usize)
                    && chain.blocks.contains_key(&next.hash())
                {
                    chain.tip = chain.tree.get(&next.hash()).unwrap();
                    change.connected.push((next.hash(), None));
                }
                if !change.connected.is_empty() {
                    out.extend(state.tip(&change, *now, chain));
                }
                out
            }
        };
        self.handle(out);
    }

    fn handle(&mut self, out: Vec<Outcome>) {
        let now = self.world.now;
        for outcome in out {
            match outcome {
                Outcome::Send(peer, Message::GetData(items)) => {
                    self.requests += items.len();
                    let latency = self.peers[&peer].model.latency;
                    self.at(now.after(latency), Event::Asked(peer, items));
                }
                Outcome::Process(block) => {
                    let good = compact::is_genuine(&block, true);
                    self.mutated.insert(block.hash(), !good);
                    self.at(now.after(Duration::from_millis(5)), Event::Processed(block.hash()));
                }
                Outcome::Fault(peer, fault) => {
                    match fault.penalty() {
                        Penalty::Ban => self.banned.push(peer),
                        Penalty::Disconnect => self.parted.push(peer),
                        Penalty::Score(_) => continue,
                    }
                    self.peers.remove(&peer);
                    let more = self.world.state.disconnected(peer, now, &self.world.chain);
                    self.handle(more);
                }
                Outcome::CaughtUp => self.caught_up = true,
                Outcome::Send(..)
                | Outcome::Read { .. }
                | Outcome::Behind(_)
                | Outcome::Relayed(_)
                | Outcome::Useful(_) => {}
            }
        }
    }

    fn answer(&mut self, id: PeerId, items: &[Inventory]) {
        for item in items {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            let Inventory::WitnessBlock(hash) = item else { panic!("asked for {item:?}") };
            let block = &self.source[self.index[hash]];
            let message = match peer.model.kind {
                Kind::Silent => continue,
                Kind::Stops(after) if peer.sent >= after => continue,
                Kind::Honest | Kind::Stops(_) => Message::Block(Arc::clone(block)),
                Kind::Mutates => Message::Block(mutate(block)),
                Kind::Repeats => Message::Block(Arc::clone(&self.source[0])),
                Kind::Refuses => Message::NotFound(vec![*item]),
            };
            peer.sent += 1;
            let size = block.bytes().len() as u64;
            let takes = Duration::from_micros(size * 1_000_000 / peer.model.bandwidth);
            peer.free_at = peer.free_at.max(self.world.now).after(takes);
            let arrives = peer.free_at.after(peer.model.latency);
            self.at(arrives, Event::Answer(id, message));
        }
    }
}

/// The block with another coinbase.
fn mutate(block: &Block) -> Arc<Block> {
    let mut txdata = vec![block.transactions()[0].decoded().clone()];
    txdata[0].output[0].value = bitcoin::Amount::from_sat(1);
    Arc::new(Block::parse(consensus::serialize(&bitcoin::Block { header: *block.header(), txdata })).unwrap())
}

/// A chain of which only headers are known, and its blocks.
fn chain(length: usize) -> (Chain, Vec<Arc<Block>>) {
    let mut chain = Chain::new();
    let mut source = Vec::with_capacity(length);
    let mut parent = chain.tree.genesis();
    for _ in 0..length {
        let block = chain.mine(parent, 0, &[]);
        parent = chain.tree.accept(block.header(), u32::MAX).unwrap().id();
        source.push(block);
    }
    (chain, source)
}

fn of(kind: Kind) -> Model {
    Model { kind, ..HONEST }
}

/// `took / reference`, in hundredths.
fn percent(took: Duration, reference: Duration) -> u128 {
    took.as_micros() * 100 / reference.as_micros()
}

#[test]
fn stallers_and_a_liar_cost_almost_nothing() {
    let (chain, source) = chain(20_000);
    let reference = Run::new(&chain, &source, &[HONEST; 4]).finish();
    let mut models = vec![of(Kind::Silent); 3];
    models.push(of(Kind::Mutates));
    models.extend([HONEST; 4]);
    let result = Run::new(&chain, &source, &models).finish();
    println!("4 honest: {:?}; with 3 silent and 1 liar: {:?}", reference.took, result.took);
    assert!(percent(result.took, reference.took) <= 120, "{:?} against {:?}", result.took, reference.took);
    assert_eq!(result.banned, [PeerId(4)], "the liar, and nobody else");
    assert!(result.parted.iter().all(|peer| peer.0 <= 3), "{:?}", result.parted);
}

#[test]
fn four_peers_are_four_times_as_fast_as_one() {
    let (chain, source) = chain(5_000);
    let one = Run::new(&chain, &source, &[HONEST]).finish();
    let four = Run::new(&chain, &source, &[HONEST; 4]).finish();
    println!("1: {:?}, {} requests; 4: {:?}, {} requests", one.took, one.requests, four.took, four.requests);
    assert!(percent(one.took, four.took) >= 330, "{:?} against {:?}", one.took, four.took);
    // The bandwidth of one is used nearly in full.
    let bytes: u64 = source.iter().map(|block| block.bytes().len() as u64).sum();
    let floor = Duration::from_micros(bytes * 1_000_000 / HONEST.bandwidth);
    assert!(percent(one.took, floor) <= 110, "{:?} against {floor:?}", one.took);
}

#[test]
fn honest_peers_are_asked_for_each_block_once() {
    let (chain, source) = chain(5_000);
    let result = Run::new(&chain, &source, &[HONEST; 8]).finish();
    assert!(result.requests <= 5_050, "{} requests", result.requests);
    assert!(result.banned.is_empty() && result.parted.is_empty());
}

#[test]
fn slow_peers_hold_up_nothing_and_are_not_punished() {
    let (chain, source) = chain(10_000);
    let reference = Run::new(&chain, &source, &[HONEST; 4]).finish();
    let slow = Model { latency: Duration::from_millis(800), bandwidth: 2_000, ..HONEST };
    let models = [HONEST, HONEST, HONEST, HONEST, slow, slow, slow, slow];
    let result = Run::new(&chain, &source, &models).finish();
    println!("4 fast: {:?}; with 4 slow: {:?}, {} requests", reference.took, result.took, result.requests);
    assert!(percent(result.took, reference.took) <= 115, "{:?} against {:?}", result.took, reference.took);
    assert!(result.banned.is_empty() && result.parted.is_empty(), "{:?}", result.parted);
}

#[test]
fn peers_that_stop_midway_are_replaced() {
    let (chain, source) = chain(10_000);
    let reference = Run::new(&chain, &source, &[HONEST; 4]).finish();
    let mut models = vec![of(Kind::Stops(300)); 3];
    models.push(of(Kind::Stops(1000)));
    models.extend([HONEST; 4]);
    let result = Run::new(&chain, &source, &models).finish();
    println!("4 honest: {:?}; with 4 that stop: {:?}", reference.took, result.took);
    assert!(percent(result.took, reference.took) <= 120, "{:?} against {:?}", result.took, reference.took);
    assert!(result.banned.is_empty());
    assert!(result.parted.iter().all(|peer| peer.0 <= 4), "{:?}", result.parted);
}

#[test]
fn one_honest_peer_among_liars_is_enough() {
    let (chain, source) = chain(2_000);
    let reference = Run::new(&chain, &source, &[HONEST]).finish();
    let models = [Kind::Mutates, Kind::Repeats, Kind::Refuses, Kind::Silent, Kind::Mutates, Kind::Honest].map(of);
    let result = Run::new(&chain, &source, &models).finish();
    println!("1 honest: {:?}; with 5 liars: {:?}, {} requests", reference.took, result.took, result.requests);
    assert!(percent(result.took, reference.took) <= 150, "{:?} against {:?}", result.took, reference.took);
    assert!(!result.banned.contains(&PeerId(6)) && !result.parted.contains(&PeerId(6)));
    assert!(result.banned.contains(&PeerId(1)) && result.banned.contains(&PeerId(5)));
}

#[test]
fn silent_inbound_peers_are_passed_over_for_good() {
    let (chain, source) = chain(2_000);
    let reference = Run::new(&chain, &source, &[HONEST]).finish();
    let silent = Model { direction: Direction::Inbound, ..of(Kind::Silent) };
    let mut models = vec![silent; 20];
    models.push(HONEST);
    let result = Run::new(&chain, &source, &models).finish();
    println!("1 honest: {:?}; with 20 silent: {:?}", reference.took, result.took);
    assert!(percent(result.took, reference.took) <= 160, "{:?} against {:?}", result.took, reference.took);
    assert!(result.parted.is_empty(), "whoever connected to us does no harm by being silent");
}
