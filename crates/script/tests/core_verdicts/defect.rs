//! What can be wrong with a random block.

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, transaction};
use yap_chain::block::{MAX_SIGOPS_COST, MAX_WEIGHT};
use yap_chain::coin::Coin;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::transaction::sigops;
use yap_chain::verify::Flags;

use crate::generator::{Generator, commit, parsed};
use crate::ours;

/// How a block differs from a valid one. Some of them are not wrong by themselves, such as a lock that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    MerkleRoot,
    RepeatedEnd,
    NoCoinbase,
    SecondCoinbase,
    CoinbaseHeight,
    CoinbaseScript,
    CoinbaseAmount,
    NoOutputs,
    OutputValue,
    OutputSum,
    RepeatedInput,
    NullInput,
    MissingInput,
    DoubleSpend,
    AnyCoin,
    Overspend,
    LockTime,
    Sequence,
    Version,
    OutOfOrder,
    Unspendable,
    LegacySigops,
    Sigops,
    Commitment,
    CommitmentMissing,
    Reserved,
    WitnessAfter,
    Weight,
    BaseSize,
}

pub(crate) const DEFECTS: [Defect; 29] = [
    Defect::MerkleRoot,
    Defect::RepeatedEnd,
    Defect::NoCoinbase,
    Defect::SecondCoinbase,
    Defect::CoinbaseHeight,
    Defect::CoinbaseScript,
    Defect::CoinbaseAmount,
    Defect::NoOutputs,
    Defect::OutputValue,
    Defect::OutputSum,
    Defect::RepeatedInput,
    Defect::NullInput,
    Defect::MissingInput,
    Defect::DoubleSpend,
    Defect::AnyCoin,
    Defect::Overspend,
    Defect::LockTime,
    Defect::Sequence,
    Defect::Version,
    Defect::OutOfOrder,
    Defect::Unspendable,
    Defect::LegacySigops,
    Defect::Sigops,
    Defect::Commitment,
    Defect::CommitmentMissing,
    Defect::Reserved,
    Defect::WitnessAfter,
    Defect::Weight,
    Defect::BaseSize,
];

/// Satoshi of all the money.
const MAX_MONEY: u64 = 2_100_000_000_000_000;

impl Generator {
    /// Defects of transactions on their own.
    pub(crate) fn spoil_transactions(
        &mut self,
        defect: Defect,
        chain: &ours::Chain,
        transactions: &mut Vec<Transaction>,
    ) {
        let last = transactions.len() - 1;
        let at = last.min(1 + self.below(last));
        if transactions[at].output.is_empty() || last == 0 {
            // Another defect has left nothing to spoil.
            return;
        }
        match defect {
            Defect::NoCoinbase => {
                transactions.remove(0);
            }
            Defect::SecondCoinbase => {
                let coinbase = self.coinbase(chain, 0);
                transactions.push(coinbase);
            }
            Defect::CoinbaseHeight => {
                let other = self.coinbase(chain, 0).input[0].script_sig.as_bytes()[1..].to_vec();
                transactions[0].input[0].script_sig = other.into();
            }
            Defect::CoinbaseScript => {
                let mut script = transactions[0].input[0].script_sig.as_bytes().to_vec();
                script.resize(self.pick(&[1, 3, 99, 100, 101]), 0);
                transactions[0].input[0].script_sig = script.into();
            }
            Defect::CoinbaseAmount => {
                let value = transactions[0].output[0].value.to_sat();
                transactions[0].output[0].value =
                    Amount::from_sat(self.pick(&[value.wrapping_add(1), value.wrapping_sub(1), 0]));
            }
            Defect::NoOutputs => transactions[at].output.clear(),
            Defect::OutputValue => {
                let value = self.pick(&[MAX_MONEY, MAX_MONEY + 1, u64::MAX, 1 << 63, (1 << 63) - 1]);
                transactions[at].output[0].value = Amount::from_sat(value);
            }
            Defect::OutputSum => {
                let rest = self.pick(&[0, 1]);
                let output = TxOut { value: Amount::from_sat(MAX_MONEY), script_pubkey: ScriptBuf::new() };
                transactions[at].output = vec![TxOut { value: Amount::from_sat(rest), ..output.clone() }, output];
            }
            Defect::RepeatedInput => {
                let input = transactions[at].input[0].clone();
                transactions[at].input.push(input);
            }
            Defect::NullInput => {
                let input = TxIn { previous_output: OutPoint::null(), ..TxIn::default() };
                transactions[at].input.push(input);
            }
            Defect::MissingInput => {
                let vout = self.pick(&[99, u32::MAX]);
                let txid = self.pick(&[transactions[at].input[0].previous_output.txid, Txid::all_zeros()]);
                transactions[at].input[0].previous_output = OutPoint { txid, vout };
            }
            Defect::DoubleSpend => {
                let mut again = transactions[at].clone();
                again.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0x52]);
                transactions.push(again);
            }
            Defect::Overspend => {
                let value = transactions[at].output[0].value.to_sat();
                transactions[at].output[0].value = Amount::from_sat(value.wrapping_add(self.pick(&[1, 10, 1_000])));
            }
            Defect::LockTime => {
                let now = chain.headers.median_time_past(chain.height() - 1);
                let height = chain.height();
                let lock_time = self.pick(&[height - 1, height, height + 1, now - 1, now, now + 1]);
                let at = self.pick(&[0, at]);
                transactions[at].lock_time = LockTime::from_consensus(lock_time);
                transactions[at].input[0].sequence =
                    self.pick(&[Sequence::MAX, Sequence(u32::MAX - 1), Sequence(u32::MAX - 1)]);
            }
            Defect::Version => transactions[at].version = transaction::Version(self.pick(&[-1, 0, 1, i32::MIN])),
            Defect::OutOfOrder => transactions.swap(1, last),
            _ => {}
        }
    }

    /// Defects that depend on what else is in the block.
    pub(crate) fn fill(&mut self, defect: Defect, chain: &ours::Chain, transactions: &mut [Transaction]) {
        let padding = |length: usize, byte: u8| TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from_bytes([vec![0x6a], vec![byte; length]].concat()),
        };
        match defect {
            Defect::LegacySigops => {
                let operations = self.pick(&[19_000, 20_000, 20_001]);
                transactions[0].output.push(padding(operations, 0xac));
            }
            Defect::Sigops => {
                let cost = sigop_cost(chain, transactions);
                let operations = MAX_SIGOPS_COST.saturating_sub(cost) / 4 + self.below(2);
                transactions[0].output.push(padding(operations, 0xac));
            }
            Defect::BaseSize => {
                transactions[0].output.push(padding(100_000, 0x61));
                let mut committed = transactions.to_vec();
                commit(&mut committed);
                let rest = 1_000_000 - base_size(&committed).min(1_000_000);
                transactions[0].output.pop();
                transactions[0].output.push(padding(100_000 + rest + self.below(3) - 1, 0x61));
            }
            Defect::Weight => {
                let Some((at, input)) = witness_to_grow(transactions) else { return };
                transactions[at].input[input].witness = Witness::from_slice(&[vec![0; 2_000_000]]);
                let mut committed = transactions.to_vec();
                commit(&mut committed);
                let rest = MAX_WEIGHT - weight(&committed).min(MAX_WEIGHT);
                let length = 2_000_000 + rest + self.below(3) - 1;
                transactions[at].input[input].witness = Witness::from_slice(&[vec![0; length]]);
            }
            _ => {}
        }
    }

    /// Defects of a block that has its commitment.
    pub(crate) fn spoil_block(&mut self, defect: Defect, transactions: &mut Vec<Transaction>) {
        match defect {
            Defect::RepeatedEnd => {
                let width = self.pick(&[1, 2]).min(transactions.len());
                transactions.extend_from_within(transactions.len() - width..);
            }
            Defect::Commitment => {
                let commitment = transactions[0].output.last_mut().map(|output| &mut output.script_pubkey);
                let Some(script) = commitment.filter(|script| script.len() == 38) else { return };
                let mut bytes = script.as_bytes().to_vec();
                bytes[self.below(38)] ^= 1;
                *script = bytes.into();
            }
            Defect::Reserved => {
                let items = self.pick(&[&[][..], &[31], &[32], &[33], &[32, 0], &[32, 32]]);
                let items: Vec<Vec<u8>> = items.iter().map(|length| vec![7; *length]).collect();
                transactions[0].input[0].witness = Witness::from_slice(&items);
            }
            Defect::WitnessAfter => {
                let at = self.below(transactions.len());
                transactions[at].input[0].witness.push([1]);
            }
            _ => {}
        }
    }
}

fn base_size(transactions: &[Transaction]) -> usize {
    parsed(transactions).base_size()
}

fn weight(transactions: &[Transaction]) -> usize {
    parsed(transactions).weight()
}

/// An input that any witness satisfies: it has one, and it is none of a script hash.
fn witness_to_grow(transactions: &[Transaction]) -> Option<(usize, usize)> {
    let zeros = |witness: &Witness| witness.len() == 1 && witness.nth(0).is_some_and(|i| i.iter().all(|b| *b == 0));
    (1..transactions.len()).find_map(|at| {
        let input = transactions[at].input.iter().position(|input| zeros(&input.witness))?;
        Some((at, input))
    })
}

/// What the block costs so far.
fn sigop_cost(chain: &ours::Chain, transactions: &[Transaction]) -> usize {
    let block = parsed(transactions);
    let output = |outpoint: &OutPoint| {
        let made = transactions.iter().find(|t| t.compute_txid() == outpoint.txid);
        made.and_then(|t| t.output.get(usize::try_from(outpoint.vout).ok()?))
            .map(|output| Coin::new(output.value, &output.script_pubkey, 0, false))
    };
    let coin = |input: &TxIn| {
        let outpoint = &input.previous_output;
        let coin = chain.set.0.get(outpoint).cloned().or_else(|| output(outpoint));
        coin.unwrap_or_else(|| Coin::new(Amount::ZERO, &ScriptBuf::new(), 0, false))
    };
    let costs = block.transactions().iter().map(|transaction| {
        let spent: Vec<Coin> = transaction.decoded().input.iter().map(coin).collect();
        sigops::cost(transaction, &spent, Flags::ALL)
    });
    costs.sum()
}
