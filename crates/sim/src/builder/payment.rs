//! Transactions: what they spend, when they may, what they pay.

use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, transaction};

use super::{Builder, Coin, Draft};
use crate::lock::{Kind, LOCK_TIME_THRESHOLD, SEQUENCE_TIME, Signing};

/// Coins that are looked at to find one to spend.
const SEARCHED: usize = 64;

/// A transaction before it is signed.
#[derive(Clone, Debug)]
pub struct Payment {
    /// What it spends.
    pub inputs: Vec<(OutPoint, Coin)>,
    /// The inputs' sequences, in the same order.
    pub sequences: Vec<Sequence>,
    /// What it pays.
    pub outputs: Vec<TxOut>,
    /// Version; from 2 on sequences are relative lock times (BIP-0068).
    pub version: i32,
    /// Lock time.
    pub lock_time: u32,
}

impl Payment {
    /// Spends those coins with what their locks ask for, and pays nothing yet.
    #[must_use]
    pub fn of(inputs: Vec<(OutPoint, Coin)>) -> Self {
        let lock_time = inputs.iter().filter_map(|(_, coin)| coin.lock.lock_time()).max().unwrap_or(0);
        let sequences: Vec<_> = inputs
            .iter()
            .map(|(_, coin)| match (coin.lock.sequence(), coin.lock.lock_time()) {
                (Some(sequence), _) => Sequence(sequence),
                (None, Some(_)) => Sequence::ENABLE_LOCKTIME_NO_RBF, // BIP-0065: a final input fails.
                (None, None) => Sequence::MAX,
            })
            .collect();
        Self { inputs, sequences, outputs: Vec::new(), version: 2, lock_time }
    }

    /// What the inputs hold.
    #[must_use]
    pub fn value(&self) -> Amount {
        self.inputs.iter().map(|(_, coin)| coin.output.value).sum()
    }

    /// What is left for the miner.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.value() - self.outputs.iter().map(|output| output.value).sum::<Amount>()
    }
}

impl Builder {
    /// Signs a payment.
    pub fn sign(&mut self, payment: &Payment) -> Transaction {
        let input = payment
            .inputs
            .iter()
            .zip(&payment.sequences)
            .map(|((outpoint, _), &sequence)| TxIn {
                previous_output: *outpoint,
                script_sig: ScriptBuf::new(),
                sequence,
                witness: Witness::new(),
            })
            .collect();
        let mut transaction = Transaction {
            version: transaction::Version(payment.version),
            lock_time: absolute::LockTime::from_consensus(payment.lock_time),
            input,
            output: payment.outputs.clone(),
        };
        self.resign(&mut transaction, payment);
        transaction
    }

    /// Signs a transaction that spends what `payment` does, after a change to it.
    pub fn resign(&mut self, transaction: &mut Transaction, payment: &Payment) {
        let outputs: Vec<_> = payment.inputs.iter().map(|(_, coin)| coin.output.clone()).collect();
        let locks: Vec<_> = payment.inputs.iter().map(|(_, coin)| coin.lock).collect();
        let signing = Signing { outputs: &outputs, locks: &locks, annexes: true };
        self.wallet.sign(transaction, &signing, &mut self.random);
    }

    /// A payment of one coin of that kind to a P2WPKH output, without fee.
    pub fn payment_of(&mut self, kind: Kind) -> Option<Payment> {
        self.payment_where(kind, |_, _| true)
    }

    /// The same, of a coin that meets a condition.
    pub fn payment_where(&mut self, kind: Kind, wanted: impl Fn(&OutPoint, &Coin) -> bool) -> Option<Payment> {
        let coin = self.coin_where(kind, wanted)?;
        let mut payment = Payment::of(vec![coin]);
        payment.outputs = vec![self.output(Kind::Wpkh, payment.value())];
        Some(payment)
    }

    /// Adds a random transaction to a draft, if there is anything to spend.
    pub fn random_transaction(&mut self, draft: &mut Draft) {
        let inputs = self.random_inputs(draft);
        if inputs.is_empty() {
            return;
        }
        let mut payment = Payment::of(inputs);
        self.pay_randomly(&mut payment);
        self.lock_randomly(&mut payment);
        let transaction = self.sign(&payment);
        if !self.random.one_in(8) {
            draft.claim(payment.fee());
        }
        self.push_spendable(draft, transaction);
    }

    /// Up to four coins that one transaction can spend together.
    fn random_inputs(&mut self, draft: &Draft) -> Vec<(OutPoint, Coin)> {
        let wanted = 1 + self.random.index(4);
        let mut inputs: Vec<(OutPoint, Coin)> = Vec::new();
        // Lock times are either heights or seconds, for the whole transaction.
        let mut seconds = None;
        for _ in 0..wanted * 4 {
            let Some((outpoint, coin)) = self.random_coin(draft) else { break };
            let taken = draft.spent.contains(&outpoint) || inputs.iter().any(|(other, _)| *other == outpoint);
            let unit = coin.lock.lock_time().map(|time| time >= LOCK_TIME_THRESHOLD);
            if taken || unit.is_some_and(|unit| seconds.is_some_and(|seconds| seconds != unit)) {
                continue;
            }
            seconds = seconds.or(unit);
            inputs.push((outpoint, coin));
            if inputs.len() == wanted {
                break;
            }
        }
        inputs
    }

    fn random_coin(&mut self, draft: &Draft) -> Option<(OutPoint, Coin)> {
        if self.random.one_in(5)
            && let Some((outpoint, coin)) = self.random.pick(&draft.created)
        {
            return Some((*outpoint, coin.clone()));
        }
        // Coins of one transaction are neighbours: a few steps on, so that not always the first is taken.
        let start = OutPoint { txid: Txid::from_byte_array(self.random.bytes()), vout: 0 };
        let steps = self.random.index(SEARCHED);
        let around = self.coins.range(start..).chain(self.coins.range(..start));
        let found = around.skip(steps).take(SEARCHED).find(|(_, coin)| self.can_spend(coin));
        found.map(|(outpoint, coin)| (*outpoint, coin.clone()))
    }

    /// Splits the payment's value, less a fee, over outputs of random kinds.
    fn pay_randomly(&mut self, payment: &mut Payment) {
        let mut left = payment.value().to_sat();
        left -= self.random.below(left.min(10_000) + 1);
        let count = 1 + self.random.below(5);
        for index in 0..count {
            let value = if index + 1 == count { left } else { self.random.below(left + 1) };
            left -= value;
            let kind = if self.random.one_in(40) {
                Kind::Oversized
            } else {
                Kind::ALL[self.random.index(Kind::ALL.len() - 1)] // All but the big one.
            };
            // What nobody can spend gets nothing, or the chain would run dry.
            let value = if kind.is_spendable() { value } else { 0 };
            let output = self.output(kind, Amount::from_sat(value));
            payment.outputs.push(output);
        }
    }

    /// Random versions, lock times and sequences that leave the transaction valid.
    fn lock_randomly(&mut self, payment: &mut Payment) {
        let has_sequence = payment.inputs.iter().any(|(_, coin)| coin.lock.sequence().is_some());
        if !has_sequence {
            // BIP-0068 compares versions as unsigned: -1 is above 2.
            payment.version = *self.random.pick(&[1, 2, 2, 2, 3, 0, -1, i32::MAX]).expect("not empty");
        }
        if payment.lock_time == 0 && self.random.one_in(3) {
            payment.lock_time =
                if self.random.one_in(2) { self.random.small(self.height() + 1) } else { self.median_time() - 1 };
        }
        let (height, median) = (self.height() + 1, self.median_time());
        for ((_, coin), sequence) in payment.inputs.iter().zip(&mut payment.sequences) {
            if coin.lock.sequence().is_some() || !self.random.one_in(3) {
                continue;
            }
            let blocks = (height - coin.height).min(0xffff);
            let units = (median - coin.median.min(median)) >> 9;
            *sequence = match self.random.below(4) {
                0 => Sequence(self.random.small(blocks + 1)),
                1 => Sequence(SEQUENCE_TIME | self.random.small(units.min(0xffff) + 1)),
                2 => Sequence(1 << 31 | self.random.small(1 << 31)), // Bit 31: no relative lock time.
                _ => Sequence::ENABLE_LOCKTIME_NO_RBF,
            };
            // A lock time needs an input that isn't final, which 1 << 31 | all ones would be.
            if coin.lock.lock_time().is_some() && *sequence == Sequence::MAX {
                *sequence = Sequence::ENABLE_LOCKTIME_NO_RBF;
            }
        }
    }
}
