//! Whatever blocks, forks, restarts and droppings come, the wallet has what a plain recomputation says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint};
use proptest::prelude::*;
use yap_chain::transaction::Transaction;

use super::town::*;
use crate::{Balance, Kind, Wallet};

#[derive(Clone, Debug)]
enum Step {
    /// Somebody pays the wallet, so much.
    Receive(u32),
    /// The wallet pays somebody.
    Pay(u32),
    /// So many of the pending transactions are mined; the wallet gets the reward or not.
    Mine(u8, bool),
    /// A branch from so far below the tip wins.
    Fork(u8),
    /// A pending transaction leaves the mempool.
    Drop(u8),
    /// The wallet is closed and opened.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_000u32..1_000_000).prop_map(Step::Receive),
        3 => (1_000u32..500_000).prop_map(Step::Pay),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(count, own)| Step::Mine(count, own)),
        2 => (0u8..6).prop_map(Step::Fork),
        1 => any::<u8>().prop_map(Step::Drop),
        1 => Just(Step::Restart),
    ]
}

/// The world: a chain, a mempool in order of arrival, and the wallet.
struct World {
    town: Town,
    pool: Vec<Arc<Transaction>>,
    wallet: Wallet,
    file: File,
    gifts: u32,
}

impl World {
    fn new() -> Self {
        let mut wallet = wallet(3);
        let mut file = File::default();
        file.keep(&mut wallet);
        Self { town: Town::new(), pool: Vec::new(), wallet, file, gifts: 0 }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Receive(amount) => {
                self.gifts += 1;
                let kind = [Kind::Taproot, Kind::Segwit, Kind::Legacy][usize::try_from(amount % 3).unwrap()];
                let script = address(&mut self.wallet, kind);
                self.pool.push(gift(self.gifts, &[(script, u64::from(*amount))]));
            }
            Step::Pay(amount) => {
                if let Ok(payment) = self.wallet.pay(&[pay_nobody(u64::from(*amount))], &usual()) {
                    self.pool.push(payment.transaction);
                }
            }
            Step::Mine(count, own) => {
                let taken = usize::from(*count) % (self.pool.len() + 1);
                let mined: Vec<_> = self.pool.drain(..taken).collect();
                let script = if *own { self.wallet.payout().unwrap() } else { nobody() };
                self.town.mine(&script, &mined);
            }
            Step::Fork(depth) => self.fork(u32::from(*depth)),
            Step::Drop(which) if !self.pool.is_empty() => {
                let dropped = self.pool.remove(usize::from(*which) % self.pool.len());
                self.drop_children(&dropped);
            }
            Step::Drop(_) => {}
            Step::Restart => {
                self.file.keep(&mut self.wallet);
                self.wallet = self.file.open();
            }
        }
        self.town.sync(&mut self.wallet);
        for transaction in &self.pool {
            self.wallet.pending(transaction, NOW);
        }
        let there: BTreeSet<_> = self.pool.iter().map(|transaction| transaction.txid()).collect();
        self.wallet.pool_is(&|txid| there.contains(txid));
        self.file.keep(&mut self.wallet);
    }

    /// What was mined above comes back to the mempool, but coinbases and what spends them.
    fn fork(&mut self, depth: u32) {
        let height = self.town.height().saturating_sub(depth);
        let lost = self.town.blocks.split_off(usize::try_from(height).unwrap());
        let mut back: Vec<_> =
            lost.iter().flat_map(|block| &block.transactions()[1..]).cloned().map(Arc::new).collect();
        back.append(&mut self.pool);
        self.pool = back;
        for block in &lost {
            self.drop_children(&Arc::new(block.transactions()[0].clone()));
        }
        self.town.mine_empty(depth + 1);
    }

    fn drop_children(&mut self, parent: &Arc<Transaction>) {
        let mut gone = BTreeSet::from([parent.txid()]);
        self.pool.retain(|transaction| {
            let spends = transaction.decoded().input.iter().any(|input| gone.contains(&input.previous_output.txid));
            if spends {
                gone.insert(transaction.txid());
            }
            !spends
        });
    }

    /// The balance as it follows from every transaction of the chain and the mempool.
    fn naive(&self) -> Balance {
        let mut coins: BTreeMap<OutPoint, (Amount, Option<u32>, bool, bool)> = BTreeMap::new();
        let chain = (1u32..).zip(&self.town.blocks).flat_map(|(height, block)| {
            block
                .transactions()
                .iter()
                .enumerate()
                .map(move |(index, transaction)| (transaction, Some(height), index == 0))
        });
        let pool = self.pool.iter().map(|transaction| (transaction.as_ref(), None, false));
        // Own payments that are nowhere keep their coins.
        let waiting = self.wallet.waiting();
        let held = waiting.iter().map(|transaction| (transaction.as_ref(), None, false));
        let mut held_txids: BTreeSet<_> = waiting.iter().map(|transaction| transaction.txid()).collect();
        for (transaction, height, coinbase) in chain.chain(pool).chain(held) {
            let txid = transaction.txid();
            let inputs = &transaction.decoded().input;
            let spent: Vec<_> = inputs.iter().map(|input| coins.remove(&input.previous_output)).collect();
            if height.is_none() && held_txids.remove(&txid) {
                continue;
            }
            let safe = height.is_some() || spent.iter().all(|coin| coin.is_some_and(|(.., safe)| safe));
            for (vout, output) in (0..).zip(&transaction.decoded().output) {
                if self.wallet.is_mine(&output.script_pubkey) {
                    coins.insert(OutPoint { txid, vout }, (output.value, height, coinbase, safe));
                }
            }
        }
        let mut balance = Balance::default();
        for (amount, height, coinbase, safe) in coins.into_values() {
            let immature = coinbase && self.town.height() < height.unwrap() + 100;
            let sum = match (immature, safe) {
                (true, _) => &mut balance.immature,
                (false, true) => &mut balance.trusted,
                (false, false) => &mut balance.pending,
            };
            *sum += amount;
        }
        balance
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn balance_is_what_chain_and_mempool_say(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.apply(step);
            let naive = world.naive();
            prop_assert_eq!(world.wallet.balance(), naive, "after {:?}", step);
        }
        let mut again = world.file.open();
        again.pool_is(&|txid| world.pool.iter().any(|transaction| transaction.txid() == *txid));
        prop_assert_eq!(again.balance(), world.wallet.balance());
        prop_assert_eq!(again.tip(), world.wallet.tip());
    }
}
