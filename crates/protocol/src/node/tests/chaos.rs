//! A node among peers that say anything at any time, over a ledger and a driver that answer when they like: nothing
//! panics, every invariant holds after every step, nobody who is gone is spoken to, and one seed gives one history.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash};
use foldhash::fast::FixedState;
use yap_chain::block::Block;
use yap_chain::header::tree;
use yap_chain::transaction::Transaction;

use super::line::{address, change, confirm};
use crate::arbitrary;
use crate::compact;
use crate::fixture::{self, Chain};
use crate::io::{Command, Event, Input, Judged, Output, PoolChange, Processed, Ticket};
use crate::ledger::{Ledger, Pooled};
use crate::link::{Carrier, Direction, Link, PeerId, Purpose};
use crate::message::*;
use crate::node::{Config, MAX_REQUESTS, Node, Role};
use crate::random::Random;
use crate::time::{Time, Timestamp};

const STEPS: usize = 4000;

const WALL: u64 = 2_000_000_000;

/// Outputs of one step: an answer or two to each of a few dozen peers.
const MAX_OUTPUTS: usize = 4000;

struct Chaos {
    node: Node,
    chain: Chain,
    now: Time,
    random: Random,
    open: BTreeMap<PeerId, Link>,
    /// Connections that were to be closed, and have not been yet.
    closing: BTreeSet<PeerId>,
    dialled: Vec<(crate::Address, Purpose)>,
    next: u64,
    tickets: u64,
    /// Inputs that are on their way, and come in any order.
    due: Vec<Input>,
    /// Blocks that somebody has: all connect to the genesis block.
    blocks: Vec<Arc<Block>>,
    headers: tree::Tree,
    transactions: Vec<Arc<Transaction>>,
    history: u64,
    kinds: BTreeMap<String, usize>,
}

impl Chaos {
    fn new(seed: u8) -> Self {
        let chain = Chain::of(30);
        let mut config = Config::of(if seed % 4 == 3 { Role::Pruned } else { Role::Full });
        config.peers.identity = address(250).identity;
        config.peers.inbound = 20;
        (config.peers.full, config.peers.block_only) = (3, 1);
        // Else everybody is banned soon.
        config.peers.ban = Duration::from_secs(2);
        if seed.is_multiple_of(2) {
            config.blocks.max_tip_age = None;
        }
        let mut blocks: Vec<_> = chain.blocks.values().cloned().collect();
        blocks.sort_by_key(|block| chain.tree.height(chain.tree.get(&block.hash()).expect("it is stored")));
        let mut chaos = Self {
            node: Node::new(config, [seed; 32]),
            headers: chain.tree.clone(),
            chain,
            now: Time::from_secs(1),
            random: Random::new([seed; 32]).fork("chaos"),
            open: BTreeMap::new(),
            closing: BTreeSet::new(),
            dialled: Vec::new(),
            next: 1,
            tickets: 0,
            due: Vec::new(),
            blocks,
            transactions: (0..60).map(|salt| fixture::transaction(salt, 150)).collect(),
            history: u64::from(seed),
            kinds: BTreeMap::new(),
        };
        chaos.input(Input::Clock(Timestamp(WALL)));
        chaos
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.random.below(count) == 0
    }

    fn block(&mut self) -> Arc<Block> {
        let newest = self.random.below(3) > 0;
        let count = self.blocks.len();
        let at = if newest { count - 1 - self.random.index(count.min(6)) } else { self.random.index(count) };
        Arc::clone(&self.blocks[at])
    }

    fn hash(&mut self) -> BlockHash {
        if self.one_in(15) { BlockHash::from_byte_array([9; 32]) } else { self.block().hash() }
    }

    fn transaction(&mut self) -> Arc<Transaction> {
        Arc::clone(&self.transactions[self.random.index(self.transactions.len())])
    }

    /// A block that nobody has seen, on any other.
    fn mine(&mut self) -> Arc<Block> {
        let parent = if self.one_in(4) {
            let hash = self.block().hash();
            self.headers.get(&hash).expect("it was mined")
        } else {
            self.headers.best()
        };
        let valid = self.headers.status(parent) == tree::Status::Valid;
        let parent = if valid { parent } else { self.headers.best() };
        let mut miner = Chain::new();
        miner.tree = self.headers.clone();
        let transactions: Vec<_> = (0..self.random.below(5)).map(|_| self.transaction()).collect();
        let block = miner.mine(parent, self.random.next_u64(), &transactions);
        let _ = self.headers.accept(block.header(), u32::MAX).expect("it was mined by the rules");
        self.blocks.push(Arc::clone(&block));
        block
    }

    fn handle(&mut self, input: Input) {
        let note = match &input {
            Input::Message { message, .. } => format!("< {}", message.name()),
            other => name(other),
        };
        *self.kinds.entry(note).or_default() += 1;
        self.node.handle(self.now, input, &mut self.chain);
        self.node.check(&self.chain);
    }

    fn input(&mut self, input: Input) {
        match &input {
            Input::Connected { peer, link } => {
                self.open.insert(*peer, link.clone());
            }
            Input::Disconnected { peer } => {
                self.open.remove(peer);
                self.closing.remove(peer);
            }
            _ => {}
        }
        self.handle(input);
        self.drain();
        // What is due at this moment is done at this moment.
        for _ in 0..4 {
            if self.node.next_deadline().is_none_or(|next| next > self.now) {
                return;
            }
            self.handle(Input::Deadline);
            self.drain();
        }
        panic!("the node never does what is due at {:?}", self.now);
    }

    fn drain(&mut self) {
        for count in 0.. {
            let Some(output) = self.node.poll() else { return };
            assert!(count < MAX_OUTPUTS, "too much at once: {output:?}");
            let text = format!("{output:?}");
            let mut hasher = FixedState::with_seed(self.history).build_hasher();
            hasher.write(text.as_bytes());
            self.history = hasher.finish();
            let note = match &output {
                Output::Send { message, .. } => format!("> {}", message.name()),
                other => name(other),
            };
            *self.kinds.entry(note).or_default() += 1;
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send { peer, message } => {
                assert!(self.open.contains_key(&peer), "{peer} is gone and told {message:?}");
                assert!(!self.closing.contains(&peer), "{peer} is parted from and told {message:?}");
                self.answer(peer, message);
            }
            Output::Disconnect { peer, .. } => {
                assert!(self.open.contains_key(&peer), "{peer} is gone and parted from");
                assert!(self.closing.insert(peer), "{peer} is parted from twice");
                self.due.push(Input::Disconnected { peer });
            }
            Output::Dial { address, purpose } => {
                self.dialled.push((address.clone(), purpose));
                if self.one_in(2) {
                    self.due.push(Input::DialFailed { address });
                } else {
                    let link = Link {
                        direction: Direction::Outbound,
                        carrier: Carrier::Libp2p,
                        identity: address.identity,
                        address,
                        purpose: Some(purpose),
                    };
                    self.come(link);
                }
            }
            Output::ReadBlock { ticket, hash } => {
                let gone = self.one_in(10);
                let block = self.chain.blocks.get(&hash).filter(|_| !gone).cloned();
                self.due.push(Input::BlockRead { ticket, block });
            }
            Output::Process(block) => self.process(&block),
            Output::Judge { transaction, .. } => self.judge(&transaction),
            Output::Event(Event::Irreversible(_)) => panic!("work alone makes nothing irreversible"),
            Output::Event(_) | Output::Reply { .. } | Output::Persist(_) => {}
        }
    }

    /// What an honest peer would say, most of the time.
    fn answer(&mut self, peer: PeerId, message: Message) {
        if self.one_in(5) {
            return;
        }
        let answers = match message {
            Message::Ping(nonce) => vec![Message::Pong(nonce)],
            Message::GetHeaders(locate) => vec![Message::Headers(self.headers_after(&locate))],
            Message::GetData(items) => items.into_iter().map(|item| self.item(item)).collect(),
            Message::GetBlockTransactions(ask) => self.parts(&ask).into_iter().collect(),
            Message::Request(_) => vec![Message::Transaction(self.transaction())],
            _ => Vec::new(),
        };
        for message in answers {
            self.due.push(Input::Message { peer, message, size: 100 });
        }
    }

    fn headers_after(&mut self, locate: &Locate) -> Vec<Header> {
        let hash = self.block().hash();
        let tip = if self.one_in(3) { self.headers.get(&hash).expect("it was mined") } else { self.headers.best() };
        let fork = self.headers.find_fork(tip, &locate.locator);
        self.headers.path(fork, tip).connect.iter().map(|id| self.headers.header(*id)).collect()
    }

    fn item(&mut self, item: Inventory) -> Message {
        let hash = match item {
            Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => hash,
            Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. } => {
                return Message::Transaction(self.transaction());
            }
        };
        match self.blocks.iter().find(|block| block.hash() == hash).cloned() {
            Some(block) if self.random.below(8) > 0 => match item {
                Inventory::CompactBlock(_) => {
                    Message::CompactBlock(Arc::new(compact::make(&block, 1, &BTreeSet::new())))
                }
                _ => Message::Block(block),
            },
            _ => Message::NotFound(vec![item]),
        }
    }

    fn parts(&mut self, ask: &GetBlockTransactions) -> Option<Message> {
        let block = self.blocks.iter().find(|block| block.hash() == ask.block).cloned()?;
        let at = |index: &u16| block.transactions().get(usize::from(*index)).cloned().map(Arc::new);
        let transactions = ask.indexes.iter().filter_map(at).collect();
        Some(Message::BlockTransactions(BlockTransactions { block: ask.block, transactions }))
    }

    fn process(&mut self, block: &Arc<Block>) {
        let hash = block.hash();
        let outcome = match self.random.below(40) {
            _ if block.read().is_err() => Processed::Invalid { reason: "bad-blk-malformed", mutated: true },
            0 => Processed::Failed,
            1 => Processed::Invalid { reason: "bad-txns", mutated: true },
            2 => {
                // Not what is connected, which was valid.
                if let Some(id) = self.chain.tree.get(&hash)
                    && !self.chain.tree.is_ancestor(id, self.chain.tip)
                {
                    self.chain.tree.invalidate(&hash);
                    // Nobody mines on it.
                    self.headers.invalidate(&hash);
                }
                Processed::Invalid { reason: "bad-cb-amount", mutated: false }
            }
            // It never comes.
            3 if self.one_in(4) => {
                self.headers.invalidate(&hash);
                return;
            }
            _ if self.chain.blocks.contains_key(&hash) => Processed::Known,
            _ if self.chain.tree.accept(block.header(), u32::MAX).is_err() => {
                Processed::Invalid { reason: "prev-blk-not-found", mutated: false }
            }
            _ => {
                self.chain.blocks.insert(hash, Arc::clone(block));
                Processed::Stored
            }
        };
        self.due.push(Input::Processed { hash, outcome });
        self.connect();
    }

    /// Moves the ledger's tip to the best stored block.
    fn connect(&mut self) {
        let before = self.chain.tip;
        let chain = &mut self.chain;
        let better = |id: &tree::Id| {
            chain.tree.work(*id) > chain.tree.work(before) && chain.tree.status(*id) == tree::Status::Valid
        };
        let mut ids: Vec<_> = chain.tree.iter().filter(better).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(chain.tree.work(*id)));
        let whole = |id: &tree::Id| chain.tree.path(before, *id).connect.iter().all(|id| chain.has_block(*id));
        let Some(best) = ids.into_iter().find(whole) else { return };
        chain.tip = best;
        let change = change(chain, before, best);
        let pool = confirm(chain, &change);
        self.due.push(Input::Tip(change));
        self.due.push(Input::Pool(pool));
    }

    fn judge(&mut self, transaction: &Arc<Transaction>) {
        let wtxid = transaction.wtxid();
        let outcome = match self.random.below(20) {
            0 => Judged::MissingInputs(transaction.decoded().input.iter().map(|input| input.previous_output).collect()),
            1 => Judged::LowFee { reason: "min relay fee not met" },
            2 => Judged::Policy { reason: "dust", witness: self.one_in(2) },
            3 => Judged::Invalid { reason: "bad-txns", witness: self.one_in(2) },
            4 => Judged::Failed,
            5 => return,
            _ if self.chain.pooled(&wtxid).is_some() => Judged::Known,
            _ => {
                let sequence = self.tickets;
                self.tickets += 1;
                let (fee, vsize) = (Amount::from_sat(10_000), transaction.weight().div_ceil(4) as u64);
                self.chain.pool.push(Pooled { transaction: Arc::clone(transaction), fee, vsize, sequence });
                self.due.push(Input::Pool(PoolChange { added: vec![Arc::clone(transaction)], removed: Vec::new() }));
                Judged::Accepted
            }
        };
        self.due.push(Input::Judged { wtxid, outcome });
    }

    fn come(&mut self, link: Link) {
        let peer = PeerId(self.next);
        self.next += 1;
        self.due.push(Input::Connected { peer, link });
    }

    fn visitor(&mut self) -> Link {
        let at = address(self.random.index(40));
        let carrier = if self.one_in(3) { Carrier::Bitcoin } else { Carrier::Libp2p };
        let inbound = self.random.below(3) > 0;
        let purposes = [Purpose::Full, Purpose::BlockOnly, Purpose::Feeler, Purpose::Seed, Purpose::Manual];
        Link {
            direction: if inbound { Direction::Inbound } else { Direction::Outbound },
            carrier,
            identity: at.identity.filter(|_| carrier == Carrier::Libp2p),
            address: at,
            purpose: (!inbound).then(|| purposes[self.random.index(5)]),
        }
    }

    /// A whole handshake, as a peer would have it.
    fn greet(&mut self, peer: PeerId) -> Vec<Message> {
        let any = arbitrary::message_of(crate::codec::Kind::Version, &mut self.random);
        let Message::Version(mut version) = any else { panic!("a version was asked for") };
        version.version = PROTOCOL_VERSION;
        version.services = Services::NETWORK.with(Services::WITNESS).with(Services::NETWORK_LIMITED);
        version.timestamp = Timestamp(WALL);
        let mut messages = vec![Message::Version(version), Message::WtxidRelay, Message::SendAddrV2];
        if self.open.get(&peer).is_some_and(|link| link.carrier == Carrier::Libp2p) {
            let tip = self.block().hash();
            let id = self.headers.get(&tip).expect("it was mined");
            messages.push(Message::Greeting(Greeting {
                features: Features::ALL,
                genesis: self.headers.hash(self.headers.genesis()),
                tip,
                work: self.headers.work(id).to_be_bytes(),
                irreversible: None,
                short_id_key: [1, self.random.next_u64()],
                push: self.one_in(2),
            }));
        }
        messages.extend([Message::Verack, Message::SendHeaders]);
        let high_bandwidth = self.one_in(2);
        messages.push(Message::SendCompact(SendCompact { high_bandwidth, version: compact::VERSION }));
        messages
    }

    fn message(&mut self) -> Message {
        let block = self.block();
        match self.random.below(23) {
            0 if self.one_in(3) => arbitrary::message(&mut self.random),
            0..=5 => Message::Inv(vec![Inventory::Block(self.hash())]),
            6 => Message::Inv(vec![Inventory::Wtx(self.transaction().wtxid()), Inventory::Block(self.hash())]),
            7 => Message::Headers(vec![*block.header()]),
            8 => Message::Headers(self.headers_after(&Locate { locator: vec![], stop: block.hash() })),
            9 | 10 => {
                let likely = (0..self.random.below(3)).map(|_| self.random.below(5) as u16).collect();
                Message::CompactBlock(Arc::new(compact::make(&block, self.random.next_u64(), &likely)))
            }
            11 => Message::Block(block),
            12 => {
                let kinds = [Inventory::Block, Inventory::WitnessBlock, Inventory::CompactBlock];
                let items = (0..self.random.below(30)).map(|_| kinds[self.random.index(3)](self.hash()));
                Message::GetData(items.collect())
            }
            13 => {
                let most = if self.one_in(10) { 9 } else { block.transactions().len() as u64 };
                let indexes = (0..1 + self.random.below(most) as u16).collect();
                Message::GetBlockTransactions(GetBlockTransactions { block: block.hash(), indexes })
            }
            14 => Message::GetHeaders(Locate { locator: vec![self.hash()], stop: BlockHash::all_zeros() }),
            15 => Message::GetBlocks(Locate { locator: vec![self.hash()], stop: BlockHash::all_zeros() }),
            16 => Message::NotFound(vec![Inventory::WitnessBlock(block.hash()), Inventory::CompactBlock(block.hash())]),
            17 | 18 => Message::Transaction(self.transaction()),
            19 => Message::GetData(vec![Inventory::Wtx(self.transaction().wtxid())]),
            20 => {
                let transactions = (0..self.random.below(4)).map(|_| self.transaction()).collect();
                Message::BlockTransactions(BlockTransactions { block: block.hash(), transactions })
            }
            21 if self.one_in(4) => {
                // The right header with other transactions, or what is none.
                let other = self.block();
                if self.one_in(2) {
                    return Message::Block(Chain::rubbish(&block));
                }
                Message::Block(Arc::new(Block::assemble(*block.header(), other.transactions().to_vec())))
            }
            _ => Message::GetData(vec![Inventory::CompactBlock(block.hash())]),
        }
    }

    fn command(&mut self) -> Command {
        match self.random.below(9) {
            0 | 1 => Command::Submit(self.transaction()),
            2 | 3 => Command::SubmitBlock(self.mine()),
            4 => Command::AddPeer(address(self.random.index(40)), Purpose::Manual),
            5 => Command::RemovePeer(address(self.random.index(40))),
            6 => Command::Learn((0..5).map(|_| address(self.random.index(40))).collect()),
            7 => Command::Advertise(None, vec![address(250).endpoint]),
            _ => Command::Disconnect(PeerId(self.random.below(self.next))),
        }
    }

    fn pass(&mut self) {
        let most = match self.random.below(200) {
            0 => Duration::from_secs(4000),
            1..=4 => Duration::from_secs(60),
            _ => Duration::from_millis(200),
        };
        self.now = self.now.after(self.random.up_to(most));
    }

    /// Most peers greet at once, and as they should.
    fn opened(&mut self, peer: PeerId) {
        if self.one_in(6) {
            return;
        }
        for message in self.greet(peer) {
            self.input(Input::Message { peer, message, size: 100 });
        }
    }

    fn step(&mut self) {
        self.pass();
        match self.random.below(40) {
            0..=20 if !self.due.is_empty() => {
                let at = self.random.index(self.due.len());
                let input = self.due.swap_remove(at);
                let opened = if let Input::Connected { peer, .. } = input { Some(peer) } else { None };
                self.input(input);
                if let Some(peer) = opened {
                    self.opened(peer);
                }
            }
            21 => {
                let link = self.visitor();
                self.come(link);
            }
            22 | 23 => {
                if let Some(next) = self.node.next_deadline() {
                    self.now = self.now.max(next);
                }
                self.input(Input::Deadline);
            }
            24 => {
                self.tickets += 1;
                let (ticket, command) = (Ticket(self.tickets), self.command());
                self.input(Input::Command { ticket, command });
            }
            25 => {
                self.mine();
            }
            _ => self.peer_speaks(),
        }
        // A line that breaks loses what is on it.
        if self.due.len() > 400 {
            self.due.truncate(300);
            let gone: Vec<_> = self.open.keys().copied().collect();
            for peer in gone {
                self.input(Input::Disconnected { peer });
            }
            let open = &self.open;
            self.due.retain(|input| !matches!(input, Input::Disconnected { peer } if !open.contains_key(peer)));
        }
    }

    fn peer_speaks(&mut self) {
        let peers: Vec<_> = self.open.keys().copied().collect();
        let Some(peer) = self.random.pick(&peers).copied() else { return };
        match self.random.below(60) {
            0 => self.input(Input::Disconnected { peer }),
            1 => self.input(Input::Congested { peer, congested: true }),
            2 | 3 => self.input(Input::Congested { peer, congested: false }),
            4 => {
                let wall = Timestamp(WALL + self.random.below(9000));
                self.input(Input::Clock(wall));
            }
            5 => {
                for message in self.greet(peer) {
                    self.input(Input::Message { peer, message, size: 100 });
                }
            }
            _ => {
                let message = self.message();
                self.input(Input::Message { peer, message, size: 100 });
            }
        }
    }
}

/// The first word of how something prints.
fn name(of: &dyn std::fmt::Debug) -> String {
    let text = format!("{of:?}");
    text.split(|letter: char| !letter.is_alphanumeric() && letter != ' ').next().unwrap_or_default().to_owned()
}

fn run(seed: u8) -> Chaos {
    let mut chaos = Chaos::new(seed);
    for _ in 0..STEPS {
        chaos.step();
    }
    chaos
}

#[test]
fn anything_at_any_time_breaks_nothing() {
    for seed in 0..6 {
        // The seed is shown where something fails.
        println!("seed {seed}");
        let mut chaos = run(seed);
        if seed.is_multiple_of(2) {
            assert!(chaos.kinds.contains_key("> cmpctblock"), "no block was sent on: {:#?}", chaos.kinds);
        }
        for wanted in ["> headers", "> getdata", "> block", "> inv", "Process", "Tip"] {
            assert!(chaos.kinds.contains_key(wanted), "{wanted} never came: {:#?}", chaos.kinds);
        }
        let height = chaos.chain.tree.height(chaos.chain.tip);
        assert!(height > 34, "the chain stands still at {height}: {:#?}", chaos.kinds);
        // Whoever stops is quiet.
        let ticket = Ticket(MAX_REQUESTS as u64 * 100);
        chaos.input(Input::Command { ticket, command: Command::Shutdown });
        for _ in 0..300 {
            chaos.step();
        }
        assert_eq!(chaos.node.next_deadline(), None);
    }
}

#[test]
fn one_seed_gives_one_history() {
    let (once, again, other) = (run(7), run(7), run(8));
    assert_eq!((once.history, &once.kinds), (again.history, &again.kinds));
    assert_ne!(once.history, other.history);
}
