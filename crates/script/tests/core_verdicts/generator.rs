//! Random blocks whose scripts hold, each with some defects or none.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, CompactTarget, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxIn, TxMerkleNode, TxOut, Txid,
    Witness, transaction,
};
use yap_chain::block::{self, MAX_SIGOPS_COST, MAX_WEIGHT, merkle, witness};
use yap_chain::coin::Coin;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::transaction::sigops;
use yap_chain::verify::Flags;

use crate::ours;

/// How a block differs from a valid one. Some of them are not wrong by themselves, such as a lock that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    MerkleRoot,
    RepeatedEnd,
    NoCoinbase,
    Node64,
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

const DEFECTS: [Defect; 30] = [
    Defect::MerkleRoot,
    Defect::RepeatedEnd,
    Defect::NoCoinbase,
    Defect::Node64,
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

const MAX_MONEY: u64 = 2_100_000_000_000_000;

pub(crate) struct Generator {
    state: u64,
    /// What satisfies a script hash.
    redeem: BTreeMap<ScriptBuf, Vec<u8>>,
}

/// A coin that a transaction may spend.
#[derive(Clone)]
struct Spendable {
    outpoint: OutPoint,
    value: u64,
    height: u32,
    script: ScriptBuf,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, redeem: BTreeMap::new() }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A valid block with a coinbase only.
    pub(crate) fn empty(&mut self, chain: &ours::Chain) -> Vec<u8> {
        let coinbase = self.coinbase(chain, chain.subsidy());
        self.seal(chain, &[coinbase], TxMerkleNode::from_raw_hash)
    }

    /// A block with transactions, and what is wrong with it.
    pub(crate) fn next(&mut self, chain: &ours::Chain) -> (Vec<u8>, Vec<Defect>) {
        let count = self.pick(&[0, 1, 1, 1, 2]);
        let defects: Vec<Defect> = (0..count).map(|_| self.pick(&DEFECTS)).collect();
        let has = |defect| defects.contains(&defect);
        let mut transactions = vec![self.coinbase(chain, 0)];
        let mut pool = self.pool(chain, has(Defect::AnyCoin));
        let mut fees = 0;
        for _ in 0..1 + self.below(6) {
            let (transaction, fee) = self.spend(chain, &mut pool, &defects);
            fees += fee;
            transactions.push(transaction);
        }
        transactions[0].output[0].value = Amount::from_sat(chain.subsidy() + fees);
        for defect in &defects {
            self.spoil_transactions(*defect, chain, &mut transactions);
        }
        for defect in &defects {
            self.fill(*defect, chain, &mut transactions);
        }
        if !has(Defect::CommitmentMissing) {
            commit(&mut transactions);
        }
        for defect in &defects {
            self.spoil_block(*defect, &mut transactions);
        }
        let wrong_root = has(Defect::MerkleRoot);
        let block = self.seal(chain, &transactions, |root| {
            if wrong_root { TxMerkleNode::all_zeros() } else { TxMerkleNode::from_raw_hash(root) }
        });
        (block, defects)
    }

    fn coinbase(&mut self, chain: &ours::Chain, value: u64) -> Transaction {
        let nonce = i64::try_from(self.below(1 << 40)).unwrap();
        let script_sig = Builder::new().push_int(chain.height().into()).push_int(nonce).into_script();
        let input = TxIn { previous_output: OutPoint::null(), script_sig, ..TxIn::default() };
        let output = TxOut { value: Amount::from_sat(value), script_pubkey: self.script() };
        Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn { sequence: Sequence::MAX, ..input }],
            output: vec![output],
        }
    }

    /// Coins that can be spent; with `any`, immature ones too.
    fn pool(&mut self, chain: &ours::Chain, any: bool) -> Vec<Spendable> {
        let matured = |coin: &Coin| any || !coin.coinbase || coin.height + 100 <= chain.height();
        let coins = chain.set.0.iter().filter(|(_, coin)| matured(coin));
        coins
            .map(|(outpoint, coin)| Spendable {
                outpoint: *outpoint,
                value: coin.value.to_sat(),
                height: coin.height,
                script: coin.script().to_owned(),
            })
            .collect()
    }

    /// A transaction that spends some of `pool`, and its fee.
    fn spend(&mut self, chain: &ours::Chain, pool: &mut Vec<Spendable>, defects: &[Defect]) -> (Transaction, u64) {
        let spent: Vec<Spendable> = (0..1 + self.below(if self.state % 9 == 0 { 24 } else { 3 }))
            .filter_map(|_| (!pool.is_empty()).then(|| pool.swap_remove(self.below(pool.len()))))
            .collect();
        let worth: u64 = spent.iter().map(|coin| coin.value).sum();
        let fee = u64::try_from(self.below(1_000)).unwrap().min(worth);
        let count = 1 + self.below(5);
        let each = (worth - fee) / u64::try_from(count).unwrap();
        let version = self.pick(&[1, 2, 2]);
        let mut input: Vec<TxIn> = spent.iter().map(|coin| self.input(coin)).collect();
        if defects.contains(&Defect::Sequence) {
            for (input, coin) in input.iter_mut().zip(&spent) {
                input.sequence = self.sequence(chain, coin.height);
            }
        }
        let output: Vec<TxOut> =
            (0..count).map(|_| TxOut { value: Amount::from_sat(each), script_pubkey: self.script() }).collect();
        let transaction =
            Transaction { version: transaction::Version(version), lock_time: LockTime::ZERO, input, output };
        let txid = transaction.compute_txid();
        for (vout, output) in (0..).zip(&transaction.output) {
            let script = output.script_pubkey.clone();
            let outpoint = OutPoint { txid, vout };
            // The fields that later defects change would give another id: then the children miss their parent.
            if !script.is_op_return() || defects.contains(&Defect::Unspendable) {
                pool.push(Spendable { outpoint, value: each, height: chain.height(), script });
            }
        }
        (transaction, worth - each * u64::try_from(count).unwrap())
    }

    fn input(&mut self, coin: &Spendable) -> TxIn {
        let mut input = TxIn { previous_output: coin.outpoint, sequence: Sequence::MAX, ..TxIn::default() };
        let redeem = self.redeem.get(&coin.script).cloned();
        match redeem {
            Some(redeem) if coin.script.is_p2sh() => {
                let nested = self.redeem.get(&ScriptBuf::from_bytes(redeem.clone())).cloned();
                if let Some(inner) = nested {
                    input.witness.push(inner);
                } else if self.below(3) == 0 {
                    input.script_sig = ScriptBuf::from_bytes(vec![0x51, 0x00, 0x4f]);
                }
                let push = Builder::new().push_slice(PushBytesBuf::try_from(redeem).unwrap());
                input.script_sig = [input.script_sig.as_bytes(), push.as_bytes()].concat().into();
            }
            Some(redeem) => input.witness.push(redeem),
            None if coin.script.is_witness_program() => input.witness.push(vec![0; self.below(600)]),
            None => {}
        }
        input
    }

    /// A script that anyone can satisfy, perhaps with many signature operations that are never executed.
    fn script(&mut self) -> ScriptBuf {
        let redeem = self.redeem_script();
        let kind = self.below(8);
        let script = match kind {
            0 => ScriptBuf::from_bytes(redeem.clone()),
            1 => ScriptBuf::new_p2sh(&ScriptBuf::from_bytes(redeem.clone()).script_hash()),
            2 => ScriptBuf::new_p2wsh(&ScriptBuf::from_bytes(redeem.clone()).wscript_hash()),
            3 => {
                let program = ScriptBuf::new_p2wsh(&ScriptBuf::from_bytes(redeem.clone()).wscript_hash());
                self.redeem.insert(program.clone(), redeem);
                let nested = ScriptBuf::new_p2sh(&program.script_hash());
                self.redeem.insert(nested.clone(), program.into_bytes());
                return nested;
            }
            4 => return ScriptBuf::from_bytes([&[0x52, 32][..], &[7; 32]].concat()),
            5 => return ScriptBuf::from_bytes(vec![0x6a, 0xac, 0xae]),
            _ => return ScriptBuf::from_bytes(vec![0x51]),
        };
        if kind > 0 {
            self.redeem.insert(script.clone(), redeem);
        }
        script
    }

    /// `0 IF … ENDIF 1`, with up to 190 operations that count in ways of their own.
    fn redeem_script(&mut self) -> Vec<u8> {
        let mut script = vec![0x00, 0x63];
        let most = self.pick(&[2, 60, 150]);
        for _ in 0..self.below(most) {
            let operation: &[u8] = self.pick(&[
                &[0xac],
                &[0xad],
                &[0xae],
                &[0xaf],
                &[0x51, 0xae],
                &[0x60, 0xaf],
                &[0x4f, 0xae],
                &[0x52, 0x61, 0xae],
                &[0x02, 0xac, 0xae],
            ]);
            script.extend_from_slice(operation);
        }
        script.extend_from_slice(&[0x68, 0x51]);
        script
    }

    /// A relative lock that opens about now.
    fn sequence(&mut self, chain: &ours::Chain, made: u32) -> Sequence {
        let height = chain.height();
        let nudge = u32::try_from(self.below(3)).unwrap();
        let blocks = (height - made + nudge).saturating_sub(1);
        let now = chain.headers.median_time_past(height - 1);
        let since = chain.headers.median_time_past(made.saturating_sub(1));
        let units = ((now - since) / 512 + nudge).saturating_sub(1);
        let high = self.pick(&[0, 0, 1 << 31, 1 << 30]);
        Sequence::from_consensus(high | self.pick(&[blocks & 0xffff, (1 << 22) | (units & 0xffff)]))
    }

    fn spoil_transactions(&mut self, defect: Defect, chain: &ours::Chain, transactions: &mut Vec<Transaction>) {
        let last = transactions.len() - 1;
        let at = 1 + self.below(last);
        match defect {
            Defect::NoCoinbase => drop(transactions.remove(0)),
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
                transactions[0].output[0].value = Amount::from_sat(self.pick(&[value + 1, value - 1, 0]));
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
                let vout = self.pick(&[0, 1, 99, u32::MAX]);
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
                transactions[at].output[0].value = Amount::from_sat(value + self.pick(&[1, 10, 1_000]));
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
    fn fill(&mut self, defect: Defect, chain: &ours::Chain, transactions: &mut Vec<Transaction>) {
        let padding = |length: usize, byte: u8| TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from_bytes([vec![0x6a], vec![byte; length]].concat()),
        };
        match defect {
            Defect::Node64 => {
                for transaction in transactions {
                    transaction.input.truncate(1);
                    transaction.input[0].script_sig = ScriptBuf::new();
                    transaction.input[0].witness.clear();
                    let script_pubkey = ScriptBuf::from_bytes(vec![0; 4]);
                    transaction.output = vec![TxOut { value: Amount::ZERO, script_pubkey }];
                }
            }
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
                let mut committed = transactions.clone();
                commit(&mut committed);
                let rest = 1_000_000 - base_size(&committed).min(1_000_000);
                transactions[0].output.pop();
                transactions[0].output.push(padding(100_000 + rest + self.below(3) - 1, 0x61));
            }
            Defect::Weight => {
                let Some((at, input)) = witness_to_grow(transactions) else { return };
                transactions[at].input[input].witness = Witness::from_slice(&[vec![0; 2_000_000]]);
                let mut committed = transactions.clone();
                commit(&mut committed);
                let rest = MAX_WEIGHT - weight(&committed).min(MAX_WEIGHT);
                let length = 2_000_000 + rest + self.below(3) - 1;
                transactions[at].input[input].witness = Witness::from_slice(&[vec![0; length]]);
            }
            _ => {}
        }
    }

    /// Defects of a block that has its commitment.
    fn spoil_block(&mut self, defect: Defect, transactions: &mut Vec<Transaction>) {
        match defect {
            Defect::RepeatedEnd => {
                let width = self.pick(&[1, 2]).min(transactions.len());
                transactions.extend_from_within(transactions.len() - width..);
            }
            Defect::Commitment => {
                let Some(output) = transactions[0].output.last_mut() else { return };
                let mut script = output.script_pubkey.as_bytes().to_vec();
                let at = self.below(script.len().max(1)).min(script.len().saturating_sub(1));
                if let Some(byte) = script.get_mut(at) {
                    *byte ^= 1;
                }
                output.script_pubkey = script.into();
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

    /// A header for `transactions` with work.
    fn seal(
        &mut self,
        chain: &ours::Chain,
        transactions: &[Transaction],
        root: impl Fn(bitcoin::hashes::sha256d::Hash) -> TxMerkleNode,
    ) -> Vec<u8> {
        let ids = transactions.iter().map(|transaction| transaction.compute_txid().to_raw_hash()).collect();
        let last = chain.headers.median_time_past(chain.height() - 1);
        let mut header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: chain.tip(),
            merkle_root: root(merkle::root(ids).hash),
            time: last + 1 + u32::try_from(self.below(2_000)).unwrap(),
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        while !Target::from_compact(header.bits).is_met_by(header.block_hash()) {
            header.nonce += 1;
        }
        serialize(&bitcoin::Block { header, txdata: transactions.to_vec() })
    }
}

/// Adds a commitment to the witnesses to the coinbase.
fn commit(transactions: &mut [Transaction]) {
    let commitment = witness::commitment_of(&parsed(transactions), [7; 32]);
    let script = [&witness::COMMITMENT_HEADER[..], &commitment].concat();
    transactions[0].input[0].witness = Witness::from_slice(&[[7_u8; 32]]);
    transactions[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: script.into() });
}

fn parsed(transactions: &[Transaction]) -> block::Block {
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let block = bitcoin::Block { header: genesis.header, txdata: transactions.to_vec() };
    block::Block::parse(serialize(&block)).unwrap()
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
