//! What is told of the chain, held against the chain: in random orders, with blocks of bad scripts, across what users do.

use std::collections::BTreeMap;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use tempfile::TempDir;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::{self, Amount};
use yap_chain::block::Block;
use yap_chain::spec::Spec;
use yap_protocol::Ledger as _;
use yap_sim::Builder;
use yap_sim::builder::Payment;
use yap_sim::lock::Kind;
use yap_sim::mutation::Mutation;
use yap_sim::random::Random;

use super::*;

/// After all blocks.
const NOW: u32 = 2_000_000_000;

/// What anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A ledger, and what it has told.
struct Town {
    ledger: Ledger,
    rung: Receiver<()>,
    /// The chain as it was told, without the first block.
    told: Vec<BlockHash>,
    processed: BTreeMap<BlockHash, Vec<Processed>>,
    refused: BTreeMap<BlockHash, String>,
    judged: BTreeMap<Txid, bool>,
    busy: bool,
    directory: TempDir,
}

impl Town {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(directory: TempDir) -> Self {
        let (ledger, rung) = open(&directory);
        let tree = ledger.tree();
        let mut told: Vec<_> = std::iter::successors(Some(ledger.tip()), |&id| tree.parent(id)).collect();
        told.pop();
        let told = told.into_iter().rev().map(|id| tree.hash(id)).collect();
        Self {
            ledger,
            rung,
            told,
            processed: BTreeMap::new(),
            refused: BTreeMap::new(),
            judged: BTreeMap::new(),
            busy: true,
            directory,
        }
    }

    /// With these blocks, all of them settled.
    fn with<'a>(blocks: impl IntoIterator<Item = &'a bitcoin::Block>) -> Self {
        let mut town = Self::new();
        town.give(blocks);
        town.settle();
        town
    }

    /// Ends without a word, as a program that is killed, after what there was to commit was.
    fn restart(self) -> Self {
        let Self { mut ledger, directory, .. } = self;
        ledger.chain_mut().commit().unwrap();
        drop(ledger);
        Self::open(directory)
    }

    fn give<'a>(&mut self, blocks: impl IntoIterator<Item = &'a bitcoin::Block>) {
        for block in blocks {
            self.process(Block::parse(serialize(block)).unwrap());
        }
    }

    fn process(&mut self, block: Block) {
        let prepared = Prepared::new(block, self.ledger.chain().spec());
        let happened = self.ledger.process(prepared, NOW).unwrap();
        self.hear(happened);
        self.busy = true;
    }

    /// One step; gives how many things happened.
    fn step(&mut self) -> usize {
        let (happened, busy) = self.ledger.step(NOW.into()).unwrap();
        self.busy = busy;
        let count = happened.len();
        self.hear(happened);
        count
    }

    /// Goes on until there is nothing left to do.
    fn settle(&mut self) {
        loop {
            self.step();
            let chain = self.ledger.chain();
            let flying = chain.tip() != chain.verified_tip() || self.ledger.admission().on_the_way() > 0;
            if !self.busy && flying {
                self.rung.recv_timeout(PATIENCE).expect("whoever waits for a verdict hears the bell");
            } else if !self.busy {
                break;
            }
        }
        assert!(self.ledger.held.is_empty(), "everybody has an answer");
        assert_eq!(self.told.last().copied(), Some(self.tip()).filter(|_| self.height() > 0));
    }

    fn hear(&mut self, happened: Vec<Happening>) {
        for happening in happened {
            match happening {
                Happening::Processed(hash, outcome) => self.processed.entry(hash).or_default().push(outcome),
                Happening::Tip(change) => {
                    assert!(!change.connected.is_empty() || !change.disconnected.is_empty());
                    for hash in change.disconnected {
                        assert_eq!(self.told.pop(), Some(hash), "what is taken back was the tip");
                    }
                    for (hash, block) in change.connected {
                        let parent = block.unwrap().header().prev_blockhash;
                        let genesis = Spec::regtest().genesis.block_hash();
                        assert_eq!(self.told.last().copied().unwrap_or(genesis), parent, "it goes on where the tip is");
                        self.told.push(hash);
                    }
                }
                Happening::Refused(hash, why) => {
                    assert_eq!(self.refused.insert(hash, why.into_owned()), None, "{hash} is refused once");
                }
                Happening::Judged(transaction, outcome) => {
                    self.judged.insert(transaction.txid(), outcome.is_ok());
                }
                Happening::Pool(..) | Happening::Restored(_) => {}
            }
        }
    }

    fn tip(&self) -> BlockHash {
        let chain = self.ledger.chain();
        chain.tree().hash(chain.verified_tip())
    }

    fn height(&self) -> u32 {
        let chain = self.ledger.chain();
        chain.tree().height(chain.verified_tip())
    }

    fn id(&self, hash: BlockHash) -> Id {
        self.ledger.chain().tree().get(&hash).unwrap()
    }

    fn answers(&self) -> usize {
        self.processed.values().map(Vec::len).sum()
    }
}

fn open(directory: &TempDir) -> (Ledger, Receiver<()>) {
    let options = chainstate::Options { threads: 1, ..chainstate::Options::default() };
    let chain = Chainstate::open(directory.path(), Arc::new(Spec::regtest()), options).unwrap();
    let admission = Admission::new(&chain, admission::Options { threads: 1, ..admission::Options::default() });
    let mut ledger = Ledger::new(chain, admission);
    let (ring, rung) = bounded(1);
    let bell = || {
        let ring = ring.clone();
        Box::new(move || {
            let _ = ring.try_send(());
        })
    };
    ledger.chain().ring(bell());
    ledger.admission_mut().ring(bell());
    (ledger, rung)
}

/// A chain with scripts of every kind.
fn chain(seed: u64) -> Builder {
    let mut builder = Builder::regtest(seed);
    builder.prepare(3);
    (0..6).for_each(|_| drop(builder.random_block()));
    builder
}

fn above(builder: &Builder, height: u32) -> Vec<bitcoin::Block> {
    builder.blocks().skip(height as usize).cloned().collect()
}

/// A block on top of these that keeps every rule but that of scripts.
fn bad(builder: &mut Builder) -> bitcoin::Block {
    let scripts = Mutation::all().into_iter().filter(|mutation| matches!(mutation, Mutation::Script(_)));
    scripts.into_iter().find_map(|mutation| mutation.apply(builder)?.block).unwrap()
}

const BAD_SCRIPT: &str = "block-script-verify-flag-failed";

#[test]
fn whatever_the_order_what_is_told_is_the_chain_and_every_block_has_one_answer() {
    for seed in 0..4 {
        let mut trunk = chain(seed);
        let fork = trunk.height() - 3;
        let mut better = trunk.fork_at(fork);
        better.mine_empty(6);
        let mut wrong = trunk.fork_at(fork + 1);
        let bad = bad(&mut wrong);
        wrong.adopt(bad.clone());
        wrong.mine_empty(12);
        let common = trunk.blocks().take(fork as usize - 5).cloned().collect::<Vec<_>>();
        let mut town = Town::with(&common);
        town.processed.clear();
        let mut blocks = above(&trunk, fork - 5);
        blocks.extend(above(&better, fork));
        blocks.extend(above(&wrong, fork + 1));
        for block in &blocks {
            let _ = town.ledger.accept_header(&block.header, NOW).unwrap();
        }
        let mut random = Random::new(seed);
        random.shuffle(&mut blocks);
        for block in &blocks {
            town.give([block]);
            for _ in 0..random.index(3) {
                town.step();
            }
        }
        town.settle();
        assert_eq!(town.tip(), better.tip(), "seed {seed}");
        for block in &blocks {
            let answers = &town.processed[&block.block_hash()];
            assert_eq!(answers.len(), 1, "seed {seed}: {answers:?}");
        }
        assert_eq!(town.refused.get(&bad.block_hash()).map(String::as_str), Some(BAD_SCRIPT), "seed {seed}");
    }
}

#[test]
fn a_block_with_a_bad_script_on_top_of_the_tip_is_answered_when_that_is_known() {
    let mut builder = chain(10);
    let mut town = Town::with(builder.blocks());
    let bad = bad(&mut builder);
    town.give([&bad]);
    assert_eq!(town.processed.get(&bad.block_hash()), None);
    // Who sends it again meanwhile is not answered twice.
    town.give([&bad]);
    town.settle();
    let refused = [Processed::Invalid { reason: BAD_SCRIPT, mutated: false }];
    assert_eq!(town.processed[&bad.block_hash()], refused);
    assert_eq!(town.tip(), builder.tip());
    // Nor is it news that it is bad.
    town.give([&bad]);
    town.settle();
    assert_eq!(
        town.processed[&bad.block_hash()][1],
        Processed::Invalid { reason: "duplicate-invalid", mutated: false }
    );
}

#[test]
fn answers_wait_for_scripts_up_to_the_bound_and_not_beyond() {
    let mut builder = Builder::regtest(11);
    let most = u32::try_from(MOST_HELD).unwrap();
    builder.mine_empty(2 * most + 1);
    let blocks = above(&builder, 0);
    let mut town = Town::new();
    town.give(&blocks[..MOST_HELD]);
    town.step();
    assert_eq!(town.answers(), STEP, "at the bound those that are connected are answered");
    town.settle();
    assert_eq!(town.answers(), MOST_HELD);
    town.give(&blocks[MOST_HELD..]);
    town.step();
    assert_eq!(town.answers(), blocks.len(), "one past it all that are stored are");
    town.settle();
    assert_eq!(town.tip(), builder.tip());
}

#[test]
fn on_the_way_to_a_better_branch_nobody_is_shown_a_worse_tip() {
    let mut first = Builder::regtest(12);
    first.mine_empty(30);
    let mut second = first.fork_at(10);
    second.mine_empty(28);
    let mut town = Town::with(first.blocks());
    let before = town.height();
    town.give(&above(&second, 10));
    let mut steps = 0;
    while town.busy {
        town.step();
        steps += 1;
        assert!(town.height() >= before, "step {steps}: {} after {before}", town.height());
    }
    assert!(steps > 1, "the rest of the way is gone in steps");
    town.settle();
    assert_eq!(town.tip(), second.tip());
}

#[test]
fn a_block_beside_the_best_chain_and_one_without_its_parent_are_answered() {
    let mut builder = Builder::regtest(13);
    builder.mine_empty(5);
    let mut side = builder.fork_at(3);
    side.mine_empty(1);
    let mut town = Town::with(builder.blocks());
    builder.mine_empty(2);
    let [parent, child] = &above(&builder, 5)[..] else { panic!("there are two") };
    let _ = town.ledger.accept_header(&parent.header, NOW).unwrap();
    for block in [side.blocks().last().unwrap(), child] {
        town.give([block]);
        town.settle();
        assert_eq!(town.processed[&block.block_hash()], [Processed::Stored]);
    }
    town.give([parent]);
    town.settle();
    assert_eq!(town.tip(), builder.tip());
}

/// A signed payment to the builder itself, and what it spends.
fn pay(builder: &mut Builder) -> bitcoin::Transaction {
    let coin = builder.coin_where(Kind::Wpkh, |_, _| true).unwrap();
    pay_with(builder, Payment::of(vec![coin]))
}

fn pay_with(builder: &mut Builder, mut payment: Payment) -> bitcoin::Transaction {
    let value = payment.value() - Amount::from_sat(10_000);
    payment.outputs = vec![builder.output(Kind::Wpkh, value)];
    builder.sign(&payment)
}

fn read(transaction: &bitcoin::Transaction) -> Arc<Transaction> {
    Arc::new(Transaction::parse(serialize(transaction)).unwrap())
}

#[test]
fn an_invalidated_block_gives_its_payments_back_and_takes_them_again() {
    let mut builder = chain(14);
    let mut town = Town::with(builder.blocks());
    let payment = pay(&mut builder);
    let txid = payment.compute_txid();
    let before = builder.tip();
    let with = builder.mine(&[payment]).block_hash();
    builder.mine_empty(2);
    town.give(&above(&builder, builder.height() - 3));
    town.settle();
    assert_eq!(town.tip(), builder.tip());

    let id = town.id(with);
    town.ledger.chain_mut().invalidate(id).unwrap();
    town.settle();
    assert_eq!(town.tip(), before);
    assert!(town.ledger.pooled_by_txid(&txid).is_some(), "it waits again");
    town.ledger.chain_mut().reconsider(id).unwrap();
    town.settle();
    assert_eq!(town.tip(), builder.tip());
    assert!(town.ledger.pooled_by_txid(&txid).is_none(), "it is confirmed again");
    assert_eq!(town.refused, BTreeMap::new(), "the user's word is no broken rule");
}

#[test]
fn a_branch_takes_over_from_an_invalidated_one_until_that_is_reconsidered() {
    let mut first = Builder::regtest(15);
    first.mine_empty(10);
    let mut second = first.fork_at(4);
    second.mine_empty(5);
    let mut town = Town::with(first.blocks());
    town.give(&above(&second, 4));
    town.settle();
    assert_eq!(town.tip(), first.tip());
    let id = town.id(first.block(7).unwrap().block_hash());
    town.ledger.chain_mut().invalidate(id).unwrap();
    town.settle();
    assert_eq!(town.tip(), second.tip(), "it has more work than what is left");
    // It holds after a restart, until it is taken back; and so does that, by whichever block of the branch.
    let mut town = town.restart();
    town.settle();
    assert_eq!(town.tip(), second.tip());
    let last = town.id(first.tip());
    town.ledger.chain_mut().reconsider(last).unwrap();
    town.settle();
    assert_eq!(town.tip(), first.tip());
    let mut town = town.restart();
    town.settle();
    assert_eq!(town.tip(), first.tip());
    let tree = town.ledger.tree();
    assert!(tree.iter().all(|id| tree.status(id) == Status::Valid));
}

#[test]
fn a_chain_of_two_payments_is_tried_and_leaves_no_trace() {
    let mut builder = chain(16);
    let mut town = Town::with(builder.blocks());
    let parent = pay(&mut builder);
    let lock = builder.known_lock(&parent.output[0].script_pubkey).unwrap();
    let (height, median) = (builder.height() + 1, builder.median_time());
    let coin = yap_sim::builder::Coin { output: parent.output[0].clone(), lock, height, median, coinbase: false };
    let outpoint = bitcoin::OutPoint::new(parent.compute_txid(), 0);
    let child = pay_with(&mut builder, Payment::of(vec![(outpoint, coin)]));
    let (chain, admission) = town.ledger.both();
    let mut tried = |transactions: &[&bitcoin::Transaction]| {
        let trials = admission.try_all(chain, transactions.iter().map(|one| read(one)).collect(), NOW.into());
        trials.into_iter().map(|trial| trial.verify()).map(|(_, pays, outcome)| (pays, outcome)).collect::<Vec<_>>()
    };
    let both = tried(&[&parent, &child]);
    assert!(both.iter().all(|(pays, outcome)| outcome.is_ok() && pays.unwrap().0 == 10_000), "{both:?}");
    let [(None, Err(why))] = &tried(&[&child])[..] else { panic!("without its parent it has no coin") };
    assert!(matches!(why, Why::Refused(yap_chain::mempool::Refusal::MissingInputs(_))), "{why:?}");
    // A signature is looked at too.
    let mut forged = parent.clone();
    forged.output[0].value -= Amount::ONE_SAT;
    let [(Some(_), Err(Why::Script { .. }))] = &tried(&[&forged])[..] else { panic!("it is not signed") };
    let [(Some(_), Ok(())), (None, Err(_))] = &tried(&[&parent, &parent])[..] else { panic!("a coin is spent once") };
    let many = vec![&parent; admission::MOST_TRIED];
    assert_eq!(tried(&many).len(), admission::MOST_TRIED, "at the bound");
    assert_eq!(tried(&[&many[..], &[&parent]].concat()).len(), admission::MOST_TRIED, "what is past it is left out");
    assert_eq!(town.ledger.pool_len(), 0);
}
