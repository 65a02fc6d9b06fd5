//! Anything that may happen to a pool, in any order: after each step all must hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::OutPoint;
use bitcoin::absolute::LockTime;

use super::audit;
use super::limits::small;
use super::town::{Town, padded, version_3, waiting};
use crate::coin::Coin;
use crate::fixture::{self, Random, Set};
use crate::mempool::{Limits, Reason, Refusal, Removed, Template};
use crate::transaction::Transaction;
use crate::{block, connect};

/// Says which seed failed.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("SEED={}", self.0);
        }
    }
}

/// A block that was mined, and what it spent.
struct Mined {
    transactions: Vec<Arc<Transaction>>,
    spent: Vec<(OutPoint, Coin)>,
}

struct Play {
    town: Town,
    random: Random,
    blocks: Vec<Mined>,
    /// Outputs ever made, for payments to spend, whether they can or not.
    outputs: Vec<(OutPoint, u64)>,
    taken: u64,
    refused: BTreeMap<&'static str, u64>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let limits = match random.below(3) {
            0 => small(8 + random.below(20)),
            1 => Limits { cluster_count: 2 + random.below(6), ..small(40) },
            _ => Limits { cluster_vsize: 1500, ..Limits::default() },
        };
        let mut town = Town::with_seed(limits, seed);
        let outputs = (0..12).map(|_| (town.coin(1_000_000), 1_000_000)).collect();
        Self { town, random, blocks: Vec::new(), outputs, taken: 0, refused: BTreeMap::new() }
    }

    /// A coin, or a coinbase that is about to be old enough.
    fn coin(&mut self) -> OutPoint {
        if self.random.below(4) > 0 {
            return self.town.coin(1_000_000);
        }
        let height = self.town.height - 100 + u32::try_from(self.random.below(4)).unwrap();
        self.town.coin_at(1_000_000, height, true)
    }

    /// Locks that open about now, most often none: of the whole payment, and of its first input.
    fn locks(&mut self) -> impl FnOnce(&mut bitcoin::Transaction) + use<> {
        let height = self.town.height + u32::try_from(self.random.below(4)).unwrap() - 2;
        let (absolute, relative) = (self.random.below(6) == 0, self.random.below(6) == 0);
        let blocks = u16::try_from(self.random.below(4)).unwrap();
        move |transaction| {
            if absolute {
                transaction.lock_time = LockTime::from_height(height).unwrap();
                transaction.input[0].sequence = bitcoin::Sequence::ENABLE_LOCKTIME_NO_RBF;
            }
            if relative {
                waiting(blocks)(transaction);
            }
        }
    }

    fn payment(&mut self) -> Arc<Transaction> {
        if self.random.below(3) == 0 {
            let coin = self.coin();
            self.outputs.push((coin, 1_000_000));
        }
        let mut inputs: Vec<(OutPoint, u64)> = Vec::new();
        for _ in 0..=self.random.below(3) {
            let recent = self.outputs.len().min(12);
            let at = match self.random.below(3) {
                0 => self.random.below(self.outputs.len()),
                _ => self.outputs.len() - 1 - self.random.below(recent),
            };
            let (outpoint, _) = self.outputs[at];
            let known = self.town.coins.contains_key(&outpoint) || self.town.pool.contains_txid(&outpoint.txid);
            if !inputs.iter().any(|(other, _)| *other == outpoint) && (known || self.random.below(10) == 0) {
                inputs.push(self.outputs[at]);
            }
        }
        if inputs.is_empty() {
            inputs.push((self.town.coin(1_000_000), 1_000_000));
        }
        let total: u64 = inputs.iter().map(|(_, value)| value).sum();
        let most_fee = [1, 30, 1000, 20_000][self.random.below(4)];
        let fee = u64::try_from(self.random.below(most_fee)).unwrap().min(total / 2);
        let count = 1 + u64::try_from(self.random.below(3)).unwrap();
        let values = vec![(total - fee) / count; usize::try_from(count).unwrap()];
        let outpoints: Vec<OutPoint> = inputs.iter().map(|(outpoint, _)| *outpoint).collect();
        let (restricted, extra) = (self.random.below(6) == 0, self.random.below(4) * self.random.below(300));
        let locks = self.locks();
        let payment = self.town.pay_with(&outpoints, &values, |tx| {
            locks(tx);
            if restricted {
                version_3(tx);
            }
            if extra > 0 && tx.output.len() > 1 {
                padded(extra)(tx);
            }
        });
        let outputs = (0..).zip(&payment.decoded().output);
        self.outputs.extend(
            outputs
                .filter(|(_, output)| !output.script_pubkey.is_op_return())
                .map(|(vout, output)| (OutPoint { txid: payment.txid(), vout }, output.value.to_sat())),
        );
        payment
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0 => self.mine(),
            1 => self.reorganise(),
            2 => {
                self.town.now += u64::try_from(self.random.below(3 * 24 * 3600)).unwrap();
                let removed = self.town.pool.expire(self.town.now);
                self.assert_gone(&removed);
            }
            3 => {
                let txid = self.outputs[self.random.below(self.outputs.len())].0.txid;
                let delta = i64::try_from(self.random.below(4000)).unwrap() - 2000;
                assert!(self.town.pool.prioritise(txid, delta).is_some());
            }
            4 | 5 => self.pair(),
            _ => self.single(),
        }
        audit::sound(&self.town.pool);
    }

    fn single(&mut self) {
        let before = self.outputs.len();
        let payment = self.payment();
        match self.town.offer(&payment) {
            Ok(inserted) => {
                self.taken += 1;
                assert!(self.town.has(&payment));
                self.assert_gone(&inserted.replaced);
                self.assert_gone(&inserted.evicted);
            }
            Err(refusal) => {
                assert!(!self.town.has(&payment) || refusal == Refusal::Present);
                self.forget(before);
                *self.refused.entry(refusal.reason()).or_default() += 1;
                if let Refusal::Full { removed } = refusal {
                    self.assert_gone(&removed);
                }
            }
        }
    }

    /// Most outputs of payments that were refused are not spent later: a few orphans are enough.
    fn forget(&mut self, before: usize) {
        if self.random.below(10) > 0 {
            self.outputs.truncate(before);
        }
    }

    fn pair(&mut self) {
        let before = self.outputs.len();
        let parent = self.payment();
        let child = self.payment();
        let both = self.town.offer_pair(&parent, &child);
        match both {
            Ok(inserted) => {
                self.taken += 2;
                assert!(self.town.has(&parent) && self.town.has(&child));
                self.assert_gone(&inserted.replaced);
            }
            Err(refusal) => {
                *self.refused.entry(refusal.reason()).or_default() += 1;
                self.forget(before);
            }
        }
    }

    /// What the pool would have mined is a valid block, whatever came before.
    fn assert_valid(&self, template: &Template) {
        let height = self.town.height + 1;
        let mut all = vec![fixture::coinbase(height, &[5_000_000_000 + template.fees.to_sat()])];
        all.extend(template.entries.iter().map(|entry| entry.transaction().decoded().clone()));
        let (block, deployments) = (fixture::block(&all), fixture::deployments());
        block::check(&block).unwrap();
        block::check_in_context(&block, &fixture::place(height, &deployments)).unwrap();
        let mut coins = Set::with(self.town.coins.clone());
        connect::connect(&block, &fixture::context(height, &deployments), &mut coins).unwrap();
    }

    fn assert_gone(&self, removed: &[Removed]) {
        for Removed { entry, .. } in removed {
            assert!(!self.town.pool.contains(&entry.wtxid()));
        }
    }

    /// A block of some of the pool, and perhaps of a payment that the pool does not have.
    fn mine(&mut self) {
        let template = self.town.pool.template(&self.town.room());
        self.assert_valid(&template);
        let count = self.random.below(template.entries.len() + 1);
        let mut block: Vec<Arc<Transaction>> =
            template.entries.iter().take(count).map(|entry| entry.transaction().clone()).collect();
        let before = self.outputs.len();
        let stranger = self.payment();
        let fits = |tx: &Arc<Transaction>| {
            tx.decoded().input.iter().all(|input| {
                let taken = block.iter().flat_map(|tx| &tx.decoded().input);
                self.town.coins.contains_key(&input.previous_output)
                    && !taken.into_iter().any(|other| other.previous_output == input.previous_output)
            })
        };
        if fits(&stranger) {
            block.push(stranger);
        } else {
            self.forget(before);
        }
        let spent = block.iter().flat_map(|tx| &tx.decoded().input).map(|input| input.previous_output);
        let spent: Vec<_> =
            spent.filter_map(|outpoint| Some((outpoint, self.town.coins.get(&outpoint)?.clone()))).collect();
        let removed = self.town.mine(&block);
        assert!(removed.iter().all(|removed| matches!(removed.reason, Reason::Confirmed | Reason::Conflict { .. })));
        self.assert_gone(&removed);
        self.blocks.push(Mined { transactions: block, spent });
    }

    /// Takes some blocks back, perhaps mines others, and offers what they had.
    fn reorganise(&mut self) {
        let count = self.random.below(3).min(self.blocks.len());
        let mut returned = Vec::new();
        for _ in 0..count {
            let Mined { transactions, spent } = self.blocks.pop().unwrap();
            self.town.unmine(&transactions, &spent);
            returned.splice(0..0, transactions);
        }
        let fork = self.town.height;
        for payment in &returned {
            if self.random.below(8) > 0 {
                let _ = self.town.offer_returned(payment);
            }
        }
        let removed = self.town.reorganised(fork);
        self.assert_gone(&removed);
    }
}

#[test]
fn all_holds_after_every_step() {
    let mut taken = 0;
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..120 {
        let _printed = Seed(seed);
        let mut play = Play::new(seed);
        for _ in 0..150 {
            play.step();
        }
        taken += play.taken;
        play.refused.into_iter().for_each(|(reason, count)| *refused.entry(reason).or_default() += count);
    }
    assert!(taken > 3000, "only {taken} were taken: {refused:?}");
    for reason in [
        "bad-txns-inputs-missingorspent",
        "insufficient fee",
        "mempool full",
        "mempool min fee not met",
        "min relay fee not met",
        "replacement-failed",
        "too-large-cluster",
        "TRUC-violation",
        "bad-txns-spends-conflicting-tx",
        "bad-txns-premature-spend-of-coinbase",
        "non-final",
        "non-BIP68-final",
        "package-parent-suffices",
    ] {
        assert!(refused.contains_key(reason), "nothing was refused for {reason}: {refused:?}");
    }
}

#[test]
fn the_same_happens_with_every_seed_of_the_tables() {
    let run = |tables| {
        let mut play = Play::new(3);
        play.town.pool = crate::mempool::Mempool::new(*play.town.pool.limits(), tables);
        for _ in 0..300 {
            play.step();
        }
        play.town.pool.by_feerate().map(|entry| entry.wtxid()).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(99));
}
