//! Five peers that mine on demand and hear of each other's payments and blocks a moment later.
//!
//! The figures are those of `docs/adr/0012-relative-retarget.md`; `cargo nextest run -p yap-node --no-capture peers`
//! prints them.

#![expect(clippy::cast_precision_loss, reason = "figures are not exact")]

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Target;
use yap_chain::header::{pow, retarget};
use yap_chain::spec::{Retarget, Spec};

use super::*;

const PEERS: usize = 5;
/// Hashes a second of each peer.
const RATE: f64 = 3e6;

/// A block as peers see it.
#[derive(Clone, Debug)]
struct Block {
    parent: usize,
    height: u32,
    work: f64,
    bits: bitcoin::CompactTarget,
    time: i64,
    /// Payments in it and in those before it.
    paid: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    Pay,
    Payment(usize),
    Block(usize),
    Found(WorkId),
    Deadline,
}

#[derive(Debug)]
struct Peer {
    plan: Plan,
    tip: usize,
    known: BTreeSet<usize>,
    own: BTreeSet<usize>,
    /// What it works on: payments.
    working: BTreeSet<usize>,
}

/// Everybody, and what is under way to whom.
#[derive(Debug)]
struct World {
    spec: Spec,
    random: Random,
    now: Time,
    peers: Vec<Peer>,
    blocks: Vec<Block>,
    queue: BTreeMap<(Time, u64), (usize, News)>,
    sequence: u64,
    payments: usize,
    /// When each payment was made, and when it was in a block for its maker.
    made: Vec<(Time, Option<Time>)>,
}

/// What came of it.
#[derive(Debug)]
struct Figures {
    blocks: u32,
    stale: usize,
    /// Mean wait of a payment for its block, in seconds.
    wait: f64,
}

impl Figures {
    fn stale_share(&self) -> f64 {
        self.stale as f64 / (f64::from(self.blocks) + self.stale as f64)
    }
}

impl World {
    fn new(seed: u8) -> Self {
        let spec = Spec::local();
        let (bits, time) = (spec.genesis.header.bits, i64::from(spec.genesis.header.time));
        let genesis = Block { parent: 0, height: 0, work: 0.0, bits, time, paid: BTreeSet::new() };
        let random = random(seed);
        let peer = |index: usize| {
            let mut plan = Plan::new(config(), Mining::OnDemand, random.fork(&format!("peer {index}")));
            plan.tip(at(0), tip(0));
            plan.catching_up(at(0), false);
            let (known, own, working) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
            Peer { plan, tip: 0, known, own, working }
        };
        let (peers, blocks) = ((0..PEERS).map(peer).collect(), vec![genesis]);
        let (queue, made) = (BTreeMap::new(), Vec::new());
        Self { spec, random, now: at(0), peers, blocks, queue, sequence: 0, payments: 0, made }
    }

    fn after(&mut self, wait: Duration, peer: usize, news: News) {
        self.sequence += 1;
        self.queue.insert((self.now.after(wait), self.sequence), (peer, news));
    }

    fn exponential(&mut self, mean: f64) -> Duration {
        let part = self.random.below(1 << 40) as f64 / (1_u64 << 40) as f64;
        Duration::from_secs_f64(-(1.0 - part).ln() * mean)
    }

    /// Tells the others, each after 50 to 200 ms.
    fn spread(&mut self, from: usize, news: News) {
        for peer in (0..PEERS).filter(|peer| *peer != from) {
            let wait = Duration::from_millis(50) + self.random.up_to(Duration::from_millis(150));
            self.after(wait, peer, news);
        }
    }

    /// Payments at all peers, one every `every` seconds on average, for so many seconds.
    fn run(mut self, every: f64, seconds: u64) -> Figures {
        let first = self.exponential(every);
        self.after(first, 0, News::Pay);
        while let Some(((when, _), (peer, news))) = self.queue.pop_first() {
            if when > Time::from_secs(seconds) {
                break;
            }
            self.now = when;
            match news {
                News::Pay => {
                    let next = self.exponential(every);
                    self.after(next, 0, News::Pay);
                    self.pay();
                }
                News::Payment(payment) => {
                    self.peers[peer].known.insert(payment);
                    self.refresh(peer);
                }
                News::Block(block) => self.hear(peer, block),
                News::Found(work) => self.find(peer, work),
                News::Deadline => self.drain(peer),
            }
        }
        let height = self.peers.iter().map(|peer| self.blocks[peer.tip].height).max().unwrap();
        let waits = self.made.iter().filter_map(|(made, paid)| paid.map(|paid| paid.since(*made).as_secs_f64()));
        let waits: Vec<f64> = waits.collect();
        Figures {
            blocks: height,
            stale: self.blocks.len() - 1 - height as usize,
            wait: waits.iter().sum::<f64>() / waits.len() as f64,
        }
    }

    fn pay(&mut self) {
        let payment = self.payments;
        self.payments += 1;
        self.made.push((self.now, None));
        let peer = self.random.index(PEERS);
        self.peers[peer].known.insert(payment);
        self.peers[peer].own.insert(payment);
        self.refresh(peer);
        self.spread(peer, News::Payment(payment));
    }

    /// Tells a peer's plan what waits there.
    fn refresh(&mut self, peer: usize) {
        let Peer { plan, tip, known, own, .. } = &mut self.peers[peer];
        let paid = &self.blocks[*tip].paid;
        let waiting = known.difference(paid).count();
        plan.pool(self.now, Pool { waiting, own: own.difference(paid).count(), fees: waiting as u64 });
        self.drain(peer);
    }

    fn hear(&mut self, peer: usize, block: usize) {
        // Most work wins; the first among equals. Parents have come before, for they are told of sooner.
        if self.blocks[block].work > self.blocks[self.peers[peer].tip].work {
            self.peers[peer].tip = block;
            for payment in self.peers[peer].own.intersection(&self.blocks[block].paid) {
                self.made[*payment].1.get_or_insert(self.now);
            }
            self.peers[peer].plan.tip(self.now, tip(block as u64));
            self.refresh(peer);
        }
    }

    fn find(&mut self, peer: usize, work: WorkId) {
        let block = self.blocks.len();
        if !self.peers[peer].plan.found(self.now, work, hash(block as u64), 1) {
            return;
        }
        let parent = self.peers[peer].tip;
        let bits = self.bits(parent);
        let time = (i64::from(self.spec.genesis.header.time) + 86_400 + (self.now.as_micros() / 1_000_000) as i64)
            .max(self.blocks[parent].time);
        let (height, work) = (self.blocks[parent].height + 1, self.blocks[parent].work + hashes(bits));
        let paid = &self.blocks[parent].paid | &self.peers[peer].working;
        self.blocks.push(Block { parent, height, work, bits, time, paid });
        self.peers[peer].plan.judged(self.now, hash(block as u64), Ok(()));
        self.hear(peer, block);
        self.spread(peer, News::Block(block));
        self.drain(peer);
    }

    /// The bits of a block after `parent`.
    fn bits(&self, parent: usize) -> bitcoin::CompactTarget {
        let Retarget::Relative { half_life } = self.spec.work.retarget else { panic!("it is local's rule") };
        let block = &self.blocks[parent];
        let took = (parent != 0).then(|| block.time - self.blocks[block.parent].time);
        retarget::relative(&self.spec.work, half_life, block.bits, took)
    }

    fn drain(&mut self, peer: usize) {
        while let Some(action) = self.peers[peer].plan.poll(self.now) {
            match action {
                Action::Build(build) => {
                    let tip = self.peers[peer].tip;
                    let paid = &self.blocks[tip].paid;
                    self.peers[peer].working = self.peers[peer].known.difference(paid).copied().collect();
                    let wait = self.exponential(hashes(self.bits(tip)) / RATE);
                    self.after(wait, peer, News::Found(build.work));
                    self.peers[peer].plan.built(self.now, build.work, Built::Started);
                }
                // What is found for it will not be wanted.
                Action::Cancel => {}
                Action::Done(..) => panic!("nobody ordered"),
            }
        }
        if let Some(when) = self.peers[peer].plan.next_deadline() {
            self.after(when.since(self.now), peer, News::Deadline);
        }
    }
}

fn hashes(bits: bitcoin::CompactTarget) -> f64 {
    let target: Target = pow::target(bits, &Spec::local().work.limit).unwrap();
    target.to_be_bytes().iter().rev().fold(0.0, |sum, byte| (sum + f64::from(*byte)) / 256.0).recip()
}

#[test]
fn peers_that_mine_on_demand_seldom_find_rivals() {
    // Seconds between payments, and for how long; what a payment may wait, and the share of blocks that may be for nothing.
    for (every, seconds, wait, share) in
        [(120.0, 14_400, 2.0, 0.01), (20.0, 7_200, 4.0, 0.02), (3.0, 1_800, 5.0, 0.04), (1.0, 1_200, 5.0, 0.05)]
    {
        let runs: Vec<Figures> = (1..=3).map(|seed| World::new(seed).run(every, seconds)).collect();
        let figures = Figures {
            blocks: runs.iter().map(|run| run.blocks).sum(),
            stale: runs.iter().map(|run| run.stale).sum(),
            wait: runs.iter().map(|run| run.wait).sum::<f64>() / runs.len() as f64,
        };
        let stale = figures.stale_share();
        eprintln!(
            "a payment every {every} s: {} blocks, {} stale ({:.2} %), a payment waits {:.1} s",
            figures.blocks,
            figures.stale,
            stale * 100.0,
            figures.wait
        );
        assert!(stale < share && figures.wait < wait && figures.blocks > 100, "{every}: {figures:?}");
    }
}
