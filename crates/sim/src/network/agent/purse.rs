//! Keys, the coins they own, and payments with real signatures.

use std::collections::VecDeque;
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::serialize;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Witness};
use yap_chain::transaction::Transaction;

use crate::Random;
use crate::lock::{Kind, Lock, Signing, Wallet};

/// Virtual bytes of a payment, near enough: one input, two outputs.
const SIZE: u64 = 150;

/// Feerates, in satoshis per virtual byte.
const FEERATES: std::ops::Range<u64> = 1..30;

/// An output that the purse can spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::network) struct Coin {
    outpoint: OutPoint,
    output: TxOut,
    lock: Lock,
}

/// A payment, and what it spends.
#[derive(Clone, Debug)]
pub struct Payment {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// What it pays to the miner.
    pub fee: Amount,
    pub(in crate::network) coin: Coin,
}

/// Keys and coins. Half of the outputs are P2WPKH, half P2TR.
#[derive(Debug)]
pub struct Purse {
    wallet: Arc<Wallet>,
    random: Random,
    coins: VecDeque<Coin>,
    /// Locks of outputs that were asked for and have no coin yet.
    expected: Vec<(ScriptBuf, Lock)>,
}

impl Purse {
    /// Empty; keys and everything else follow from the seed.
    #[must_use]
    pub fn new(mut random: Random) -> Self {
        Self { wallet: Arc::new(Wallet::new(random.next())), random, coins: VecDeque::new(), expected: Vec::new() }
    }

    fn lock(&mut self) -> (ScriptBuf, Lock) {
        let kind = if self.random.one_in(2) { Kind::Wpkh } else { Kind::TrKey };
        let lock = Wallet::lock(kind, 0, 0, &mut self.random);
        (self.wallet.script_pubkey(&lock), lock)
    }

    /// A script to be paid to. What a transaction pays to it is a coin once [`receive`](Self::receive) sees it.
    pub fn script(&mut self) -> ScriptBuf {
        let (script, lock) = self.lock();
        self.expected.push((script.clone(), lock));
        script
    }

    /// Takes the outputs of a transaction that pay to scripts which were asked for.
    pub fn receive(&mut self, transaction: &Transaction) {
        for (vout, output) in (0..).zip(&transaction.decoded().output) {
            let Some(at) = self.expected.iter().position(|(script, _)| *script == output.script_pubkey) else {
                continue;
            };
            let (_, lock) = self.expected.swap_remove(at);
            let outpoint = OutPoint { txid: transaction.txid(), vout };
            self.coins.push_back(Coin { outpoint, output: output.clone(), lock });
        }
    }

    /// Coins that can be spent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coins.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coins.is_empty()
    }

    /// Halves the purse: the other one has every second coin, and the same keys.
    #[must_use]
    pub fn split(&mut self, seed: u64) -> Self {
        let mut other = Self {
            wallet: Arc::clone(&self.wallet),
            random: Random::new(seed).fork("purse"),
            coins: VecDeque::new(),
            expected: Vec::new(),
        };
        for coin in std::mem::take(&mut self.coins) {
            let side = if other.len() < self.len() { &mut other } else { &mut *self };
            side.coins.push_back(coin);
        }
        other
    }

    /// Pays from the oldest coin to two new ones, which can be spent at once, at some feerate.
    pub fn pay(&mut self) -> Option<Payment> {
        let rate = FEERATES.start + self.random.below(FEERATES.end - FEERATES.start);
        self.pay_at(rate)
    }

    /// The same, at `rate` satoshis per virtual byte.
    pub fn pay_at(&mut self, rate: u64) -> Option<Payment> {
        let coin = self.coins.pop_front()?;
        Some(self.spend(coin, Amount::from_sat(rate * SIZE), true))
    }

    /// Pays from the oldest coin to somebody else: nothing of it can be spent from this purse.
    pub fn give(&mut self) -> Option<Payment> {
        let coin = self.coins.pop_front()?;
        Some(self.spend(coin, Amount::from_sat(10 * SIZE), false))
    }

    /// Spends a payment's coin again, for a fee that is greater by `more`: a replacement, or a double spend.
    pub fn again(&mut self, payment: &Payment, more: Amount) -> Payment {
        self.spend(payment.coin.clone(), payment.fee + more, false)
    }

    /// Spends the payment's first output: a child that needs it.
    pub fn child(&mut self, payment: &Payment) -> Option<Payment> {
        let txid = payment.transaction.txid();
        let at = self.coins.iter().position(|coin| coin.outpoint.txid == txid)?;
        let coin = self.coins.remove(at)?;
        Some(self.spend(coin, Amount::from_sat(5 * SIZE), true))
    }

    fn spend(&mut self, coin: Coin, fee: Amount, keep: bool) -> Payment {
        let value = coin.output.value - fee;
        let half = value / 2;
        let outputs = [half, value - half].map(|value| (value, self.lock()));
        let mut transaction = bitcoin::Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: coin.outpoint,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output: outputs
                .iter()
                .map(|(value, (script, _))| TxOut { value: *value, script_pubkey: script.clone() })
                .collect(),
        };
        let (spent, locks) = (std::slice::from_ref(&coin.output), std::slice::from_ref(&coin.lock));
        let signing = Signing { outputs: spent, locks, annexes: false };
        self.wallet.sign(&mut transaction, &signing, &mut self.random);
        let parsed = Transaction::parse(serialize(&transaction)).expect("it was serialised");
        if keep {
            for (vout, (value, (script_pubkey, lock))) in (0..).zip(outputs) {
                let outpoint = OutPoint { txid: parsed.txid(), vout };
                self.coins.push_back(Coin { outpoint, output: TxOut { value, script_pubkey }, lock });
            }
        }
        Payment { transaction: Arc::new(parsed), fee, coin }
    }
}

#[cfg(test)]
mod tests {
    use yap_chain::coin;
    use yap_chain::policy::{self, Rules};

    use super::*;
    use crate::network::{self, Network};

    fn is_relayed(payment: &Payment) -> bool {
        let output = &payment.coin.output;
        let spent = [coin::Coin::new(output.value, &output.script_pubkey, 1, false)];
        policy::check(&payment.transaction, &spent, &Rules::default()).is_ok()
            && policy::script::check_all(&payment.transaction, &spent).is_ok()
    }

    #[test]
    fn payments_are_what_nodes_relay() {
        let mut network = Network::new("purse", network::Config::default(), 1);
        let mut purse = Purse::new(network.random("purse"));
        network.prepare(101, 20, &mut purse);
        for _ in 0..10 {
            let payment = purse.pay().unwrap();
            let again = purse.again(&payment, Amount::from_sat(1000));
            let child = purse.child(&payment).unwrap();
            let given = purse.give().unwrap();
            for payment in [payment, again, child, given] {
                assert!(is_relayed(&payment), "{payment:?}");
            }
        }
    }
}
