//! A chain whose blocks are made by hand, and the wallets on it.

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{Amount, BlockHash, CompactTarget, FeeRate, OutPoint, ScriptBuf, TxIn, TxMerkleNode, TxOut, transaction};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::policy;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;

use crate::{Changes, Entropy, Key, Kind, Opener, Options, Recipient, Wallet, Words};

/// The usual mnemonic of test vectors.
pub(super) const ABANDON: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// When tests take place.
pub(super) const NOW: u64 = 1_800_000_000;

/// What a block creates.
pub(super) const REWARD: Amount = Amount::ONE_BTC;

/// Numbers that nobody needs to guess (SplitMix64).
pub(super) fn entropy(seed: u64) -> Entropy {
    let mut state = seed;
    Box::new(move |buffer| {
        for chunk in buffer.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    })
}

pub(super) fn key_file() -> Key {
    Key::new([7; 32])
}

pub(super) fn spec() -> Arc<Spec> {
    Arc::new(Spec::local())
}

/// A wallet that was made at the genesis block.
pub(super) fn wallet(seed: u64) -> Wallet {
    let spec = spec();
    let tip = (0, spec.genesis.block_hash());
    Wallet::create(&spec, tip, &key_file(), entropy(seed), NOW)
}

/// The wallet of words, from the genesis block on.
pub(super) fn restored(spec: &Arc<Spec>, words: &str) -> Wallet {
    let words = Words::parse(words, "").unwrap();
    Wallet::from_words(spec, words, (0, spec.genesis.block_hash()), &key_file(), (entropy(99), NOW))
}

/// A file as a driver keeps it.
#[derive(Clone, Debug, Default)]
pub(super) struct File(pub(super) Vec<u8>);

impl File {
    /// Writes what a wallet has to write.
    pub(super) fn keep(&mut self, wallet: &mut Wallet) {
        match wallet.take_all_changes() {
            Some(Changes::Append(bytes)) => self.0.extend(bytes),
            Some(Changes::Replace(bytes)) => self.0 = bytes,
            None => {}
        }
    }

    pub(super) fn open(&self) -> Wallet {
        Wallet::open(&spec(), &self.0, Opener::KeyFile(&key_file()), entropy(5), NOW).unwrap().wallet
    }
}

/// The best chain.
#[derive(Clone, Debug)]
pub(super) struct Town {
    pub(super) blocks: Vec<Arc<Block>>,
    genesis: BlockHash,
    nonce: u32,
}

impl Town {
    pub(super) fn new() -> Self {
        Self { blocks: Vec::new(), genesis: spec().genesis.block_hash(), nonce: 0 }
    }

    pub(super) fn height(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap()
    }

    pub(super) fn tip(&self) -> BlockHash {
        self.blocks.last().map_or(self.genesis, |block| block.hash())
    }

    /// Mines a block of these transactions that pays its reward to a script.
    pub(super) fn mine(&mut self, to: &ScriptBuf, transactions: &[Arc<Transaction>]) -> Arc<Block> {
        let height = self.height() + 1;
        // No two blocks are the same, on any branch.
        self.nonce += 1;
        let input = TxIn {
            script_sig: Builder::new().push_int(i64::from(height)).push_int(i64::from(self.nonce)).into_script(),
            ..TxIn::default()
        };
        let output = TxOut { value: REWARD, script_pubkey: to.clone() };
        let coinbase = bitcoin::Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![output],
        };
        let rest = transactions.iter().map(|transaction| transaction.decoded().clone());
        let header = Header {
            version: Version::TWO,
            prev_blockhash: self.tip(),
            merkle_root: TxMerkleNode::all_zeros(),
            time: u32::try_from(NOW).unwrap() - 1_000_000 + height * 10,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: self.nonce,
        };
        let block = bitcoin::Block { header, txdata: [coinbase].into_iter().chain(rest).collect() };
        let block = Arc::new(Block::parse(serialize(&block)).unwrap());
        self.blocks.push(Arc::clone(&block));
        block
    }

    /// Mines empty blocks that pay nobody.
    pub(super) fn mine_empty(&mut self, count: u32) {
        for _ in 0..count {
            self.mine(&nobody(), &[]);
        }
    }

    /// Goes back to a height; what is mined from there on is another branch.
    pub(super) fn rewind(&mut self, height: u32) {
        self.blocks.truncate(usize::try_from(height).unwrap());
    }

    /// Brings a wallet to the tip, as a driver does.
    pub(super) fn sync(&self, wallet: &mut Wallet) {
        let hash_at = |height: u32| match height {
            0 => Some(self.genesis),
            _ => self.blocks.get(usize::try_from(height).unwrap() - 1).map(|block| block.hash()),
        };
        let fork = wallet.checkpoints().find(|(height, hash)| hash_at(*height) == Some(*hash)).unwrap();
        if fork != wallet.tip() {
            wallet.rewind(fork.0);
        }
        for block in &self.blocks[usize::try_from(fork.0).unwrap()..] {
            wallet.connect(block).unwrap();
        }
    }
}

/// A script that is nobody's.
pub(super) fn nobody() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&Hash::hash(b"nobody"))
}

/// A new address of a wallet.
pub(super) fn address(wallet: &mut Wallet, kind: Kind) -> ScriptBuf {
    wallet.new_address(kind).unwrap().script
}

/// A transaction of coins that are nobody's to these outputs.
pub(super) fn gift(number: u32, outputs: &[(ScriptBuf, u64)]) -> Arc<Transaction> {
    let previous_output = OutPoint { txid: Hash::hash(&number.to_le_bytes()), vout: 0 };
    from(&[previous_output], outputs)
}

/// An unsigned transaction.
pub(super) fn from(inputs: &[OutPoint], outputs: &[(ScriptBuf, u64)]) -> Arc<Transaction> {
    let input = inputs.iter().map(|outpoint| TxIn { previous_output: *outpoint, ..TxIn::default() });
    let output =
        outputs.iter().map(|(script, value)| TxOut { value: Amount::from_sat(*value), script_pubkey: script.clone() });
    let transaction = bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: input.collect(),
        output: output.collect(),
    };
    Arc::new(Transaction::parse(serialize(&transaction)).unwrap())
}

/// A wallet with coins in blocks, each of so many satoshis, of all kinds in turn.
pub(super) fn funded(seed: u64, coins: &[u64]) -> (Wallet, Town) {
    let (mut wallet, mut town) = (wallet(seed), Town::new());
    let kinds = [Kind::Taproot, Kind::Segwit, Kind::Legacy];
    for (number, (value, kind)) in (0..).zip(coins.iter().zip(kinds.into_iter().cycle())) {
        let script = address(&mut wallet, kind);
        town.mine(&nobody(), &[gift(number, &[(script, *value)])]);
    }
    town.sync(&mut wallet);
    (wallet, town)
}

pub(super) fn rate(sat_per_vb: u64) -> FeeRate {
    FeeRate::from_sat_per_vb(sat_per_vb).unwrap()
}

pub(super) fn usual() -> Options {
    Options::at(rate(2))
}

pub(super) fn pay_nobody(amount: u64) -> Recipient {
    Recipient { script: nobody(), amount: Amount::from_sat(amount), subtract_fee: false }
}

/// Verifies every script and every rule of relay; gives the fee.
pub(super) fn verify(transaction: &Transaction, wallet: &Wallet) -> u64 {
    let coin = |outpoint: &OutPoint| {
        let parent = wallet.transaction(&outpoint.txid).unwrap().transaction;
        let output = &parent.decoded().output[usize::try_from(outpoint.vout).unwrap()];
        Coin::new(output.value, &output.script_pubkey, 1, false)
    };
    let spent: Vec<Coin> = transaction.decoded().input.iter().map(|input| coin(&input.previous_output)).collect();
    policy::script::check_all(transaction, &spent).unwrap();
    policy::check(transaction, &spent, &policy::Rules::default()).unwrap();
    let inputs: u64 = spent.iter().map(|coin| coin.value.to_sat()).sum();
    inputs - transaction.decoded().output.iter().map(|output| output.value.to_sat()).sum::<u64>()
}
