//! A new block on its way through a network of a thousand nodes, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::*;

const NODES: usize = 1000;
const OUTBOUND: usize = 8;
const MEAN: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Event {
    Message { from: usize, to: usize, message: Message },
    Processed { at: usize, block: Arc<Block> },
}

struct Network {
    nodes: Vec<World>,
    /// Microseconds of each link, by its two ends.
    latency: BTreeMap<(usize, usize), Duration>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    now: Time,
    arrived: Vec<Option<Time>>,
    /// Compact blocks and whole blocks on the way.
    compact: usize,
    whole: usize,
    /// Who sent what to whom.
    pushed: BTreeSet<(usize, usize)>,
}

fn name(node: usize) -> PeerId {
    PeerId(node as u64)
}

impl Network {
    fn new(seed: u8, config: Config, chain: &Chain) -> Self {
        let mut random = Random::new([seed; 32]);
        let mut latency = BTreeMap::new();
        let mut dialled = Vec::new();
        for node in 0..NODES {
            let mut count = 0;
            while count < OUTBOUND {
                let other = random.index(NODES);
                // Between a fifth of the mean and nine fifths.
                let wait = MEAN / 5 + random.up_to(MEAN * 8 / 5);
                if other != node && !latency.contains_key(&(node, other)) {
                    latency.insert((node, other), wait);
                    latency.insert((other, node), wait);
                    dialled.push((node, other));
                    count += 1;
                }
            }
        }
        let world = |node| {
            let mut world = World::with(chain.clone(), config);
            world.state = State::new(config, random.fork(&format!("{node}")));
            world
        };
        let mut network = Self {
            nodes: (0..NODES).map(world).collect(),
            latency,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            now: Time::from_secs(1000),
            arrived: vec![None; NODES],
            compact: 0,
            whole: 0,
            pushed: BTreeSet::new(),
        };
        for (node, other) in dialled {
            network.connect(node, other, Direction::Outbound);
            network.connect(other, node, Direction::Inbound);
        }
        network.run();
        network
    }

    fn connect(&mut self, node: usize, other: usize, direction: Direction) {
        let facts = Facts { direction, carrier: Carrier::Libp2p, serves: Serves::All };
        let World { state, chain, now } = &mut self.nodes[node];
        let out = state.ready(name(other), facts, *now, chain);
        state.on_sendheaders(name(other));
        state.has(name(other), chain.tip, *now, chain);
        self.handle(node, out);
    }

    fn at(&mut self, time: Time, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((time, self.sequence)));
        self.events.insert(self.sequence, event);
    }

    fn handle(&mut self, node: usize, out: Vec<Outcome>) {
        for outcome in out {
            match outcome {
                Outcome::Send(PeerId(peer), message) => {
                    let to = usize::try_from(peer).unwrap();
                    match message {
                        Message::CompactBlock(_) => {
                            self.compact += 1;
                            assert!(self.pushed.insert((node, to)), "{node} sent the block to {to} twice");
                        }
                        Message::Block(_) => self.whole += 1,
                        _ => {}
                    }
                    let latency = self.latency[&(node, to)];
                    self.at(self.now.after(latency), Event::Message { from: node, to, message });
                }
                Outcome::Process(block) => {
                    assert!(self.arrived[node].replace(self.now).is_none(), "{node} processes it twice");
                    self.at(self.now.after(Duration::from_millis(20)), Event::Processed { at: node, block });
                }
                Outcome::Fault(peer, fault) => panic!("{peer} is blamed: {fault}"),
                Outcome::Read { .. }
                | Outcome::Behind(_)
                | Outcome::CaughtUp
                | Outcome::Useful(_)
                | Outcome::Relayed(_) => {}
            }
        }
        // What is due at once.
        let World { state, chain, now } = &mut self.nodes[node];
        *now = self.now;
        if state.next_deadline().is_some_and(|due| due <= *now) {
            let more = state.deadline(*now, chain);
            self.handle(node, more);
        }
    }

    fn run(&mut self) {
        while let Some(Reverse((now, sequence))) = self.queue.pop() {
            self.now = now;
            let (node, out) = match self.events.remove(&sequence).unwrap() {
                Event::Processed { at, block } => {
                    self.nodes[at].now = now;
                    (at, self.nodes[at].connect(&block))
                }
                Event::Message { from, to, message } => {
                    self.nodes[to].now = now;
                    (to, self.receive(to, name(from), message))
                }
            };
            self.handle(node, out);
        }
    }

    fn receive(&mut self, node: usize, from: PeerId, message: Message) -> Vec<Outcome> {
        let World { state, chain, now } = &mut self.nodes[node];
        match message {
            Message::SendCompact(message) => {
                state.on_sendcmpct(from, message);
                Vec::new()
            }
            Message::CompactBlock(message) => {
                let _ = chain.tree.accept(&message.header, u32::MAX).unwrap();
                state.on_compact_block(from, &message, *now, chain)
            }
            Message::Headers(headers) => {
                for header in &headers {
                    let id = chain.tree.accept(header, u32::MAX).unwrap().id();
                    state.has(from, id, *now, chain);
                }
                Vec::new()
            }
            Message::GetData(items) => state.on_getdata(from, &items, *now, chain),
            Message::GetBlockTransactions(message) => state.on_getblocktxn(from, message, *now, chain),
            Message::BlockTransactions(message) => state.on_blocktxn(from, &message, *now, chain),
            Message::Block(block) => state.on_block(from, block, *now, chain),
            other => panic!("{from} sent {other:?}"),
        }
    }

    /// When so many of a hundred nodes had the block, in hundredths of the mean latency.
    fn reached(&self, percent: usize, start: Time) -> u128 {
        let mut times: Vec<_> = self.arrived.iter().flatten().map(|time| time.since(start)).collect();
        times.sort_unstable();
        let waited = times[times.len() * percent / 100 - 1];
        waited.as_micros() * 100 / MEAN.as_micros()
    }
}

/// Spreads one block of known transactions from node 0.
fn spread(seed: u8, config: Config) -> (Network, Time) {
    let mut chain = Chain::of(5);
    let transactions: Vec<_> = (0..20).map(|salt| chain.pend(salt, 200, 1000)).collect();
    let mut network = Network::new(seed, config, &chain);
    let start = network.now;
    network.nodes[0].now = start;
    let block = network.nodes[0].mine(chain.tip, 0, &transactions);
    let out = network.nodes[0].connect(&block);
    network.arrived[0] = Some(start);
    network.handle(0, out);
    network.run();
    assert!(network.arrived.iter().all(Option::is_some), "everybody has it");
    for world in &network.nodes {
        world.state.check();
        assert_eq!(world.chain.tree.hash(world.chain.tip), block.hash());
    }
    (network, start)
}

#[test]
fn block_of_known_transactions_reaches_a_thousand_nodes_within_three_and_a_half_latencies() {
    let config = Config { max_tip_age: None, ..Config::default() };
    for seed in [1, 2, 3] {
        let (network, start) = spread(seed, config);
        let (half, most) = (network.reached(50, start), network.reached(99, start));
        println!("seed {seed}: 50 % {half}, 99 % {most} hundredths; {} compact blocks", network.compact);
        assert!(most <= 350, "seed {seed}: {most} hundredths of the mean latency");
        assert_eq!(network.whole, 0, "no whole block is sent");
    }
}

#[test]
fn fewer_peers_of_high_bandwidth_take_longer_but_reach_everybody() {
    let config = Config { max_tip_age: None, high_bandwidth_libp2p: 3, ..Config::default() };
    let (network, start) = spread(4, config);
    println!("3 of high bandwidth: 99 % {} hundredths, {} compact blocks", network.reached(99, start), network.compact);
    assert!(network.compact < 4500, "{} compact blocks", network.compact);
    let none = Config { high_bandwidth_libp2p: 0, ..config };
    let (network, _) = spread(5, none);
    println!("none: {} compact blocks", network.compact);
    assert_eq!(network.compact, NODES - 1, "each is asked for once");
}
