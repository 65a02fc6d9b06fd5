//! Random blocks whose scripts hold, each with some defects or none.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{
    Amount, CompactTarget, OutPoint, ScriptBuf, Sequence, Target, Transaction, TxIn, TxMerkleNode, TxOut, Witness,
    transaction,
};
use yap_chain::block::{self, merkle, witness};
use yap_chain::coin::Coin;
use yap_chain::transaction::lock::Ancestors;

use crate::defect::{DEFECTS, Defect};
use crate::ours;

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

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
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
            if !pool.is_empty() {
                let (transaction, fee) = self.spend(chain, &mut pool, &defects);
                fees += fee;
                transactions.push(transaction);
            }
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

    pub(crate) fn coinbase(&mut self, chain: &ours::Chain, value: u64) -> Transaction {
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
        // Now and then many, whose signature operations together come near the limit.
        let most = self.pick(&[3, 3, 3, 3, 3, 3, 3, 24]);
        let inputs = (1 + self.below(most)).min(pool.len());
        let spent: Vec<Spendable> = (0..inputs).map(|_| pool.swap_remove(self.below(pool.len()))).collect();
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
            // A later defect may change the id: then what spends this misses its coin.
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
pub(crate) fn commit(transactions: &mut [Transaction]) {
    let commitment = witness::commitment_of(&parsed(transactions), [7; 32]);
    let script = [&witness::COMMITMENT_HEADER[..], &commitment].concat();
    transactions[0].input[0].witness = Witness::from_slice(&[[7_u8; 32]]);
    transactions[0].output.push(TxOut { value: Amount::ZERO, script_pubkey: script.into() });
}

pub(crate) fn parsed(transactions: &[Transaction]) -> block::Block {
    let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    let block = bitcoin::Block { header: genesis.header, txdata: transactions.to_vec() };
    block::Block::parse(serialize(&block)).unwrap()
}
