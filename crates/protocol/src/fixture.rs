//! A ledger in memory, for tests of the machines: a regtest chain of small blocks and a pool without rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::transaction::Version as TransactionVersion;
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Txid, Witness, Wtxid};
use bitcoin::{consensus, merkle_tree};
use yap_chain::block::Block;
use yap_chain::header::{self, tree};
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;

use crate::ledger::{Ledger, Pooled};

/// A chain whose tip is wherever a test puts it, and a pool that takes everything.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) tree: tree::Tree,
    pub(crate) tip: tree::Id,
    pub(crate) blocks: BTreeMap<BlockHash, Arc<Block>>,
    pub(crate) pruned: BTreeSet<BlockHash>,
    pub(crate) pool: Vec<Pooled>,
    pub(crate) min_feerate: u64,
    /// How many producers sign its blocks in turn; 0 if work alone counts.
    pub(crate) producers: u16,
}

impl Chain {
    /// A chain of the genesis block alone.
    pub(crate) fn new() -> Self {
        let tree = tree::Tree::new(Arc::new(Spec::regtest()), 7);
        let tip = tree.genesis();
        Self {
            tree,
            tip,
            blocks: BTreeMap::new(),
            pruned: BTreeSet::new(),
            pool: Vec::new(),
            min_feerate: 100,
            producers: 0,
        }
    }

    /// A chain of `height` blocks above the genesis block, all stored and connected.
    pub(crate) fn of(height: u32) -> Self {
        let mut chain = Self::new();
        for _ in 0..height {
            let block = chain.mine(chain.tip, 0, &[]);
            chain.store(&block);
        }
        chain
    }

    /// A block on `parent`; `salt` tells siblings apart. It joins nothing.
    pub(crate) fn mine(&self, parent: tree::Id, salt: u64, transactions: &[Arc<Transaction>]) -> Arc<Block> {
        let height = self.tree.height(parent) + 1;
        let input = TxIn {
            previous_output: OutPoint::null(),
            script_sig: Builder::new().push_int(i64::from(height)).push_slice(salt.to_le_bytes()).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        };
        let coinbase = bitcoin::Transaction {
            version: TransactionVersion::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![TxOut { value: Amount::from_sat(5_000_000_000), script_pubkey: ScriptBuf::from(vec![0x51]) }],
        };
        let mut all = vec![coinbase];
        all.extend(transactions.iter().map(|transaction| transaction.decoded().clone()));
        let root = merkle_tree::calculate_root(all.iter().map(|transaction| transaction.compute_txid().to_raw_hash()));
        let time = self.tree.median_time_past(parent) + 600;
        let mut header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: self.tree.hash(parent),
            merkle_root: TxMerkleNode::from_raw_hash(root.expect("there is a coinbase")),
            time,
            bits: self.tree.next_bits(parent, time),
            nonce: 0,
        };
        while header.validate_pow(header.target()).is_err() {
            header.nonce += 1;
        }
        let block = bitcoin::Block { header, txdata: all };
        Arc::new(Block::parse(consensus::serialize(&block)).expect("it was serialised"))
    }

    /// A block with the header of `block` whose transactions can't be read, as the codec takes it.
    pub(crate) fn rubbish(block: &Block) -> Arc<Block> {
        let mut bytes = block.bytes().to_vec();
        bytes.truncate(bytes.len().saturating_sub(1));
        Arc::new(Block::unread(bytes).expect("its header and count are whole"))
    }

    /// Takes a block: header, data, and as tip if it has the most work.
    pub(crate) fn store(&mut self, block: &Arc<Block>) -> tree::Id {
        let id = self.tree.accept(block.header(), u32::MAX).expect("it was mined by the rules").id();
        self.blocks.insert(block.hash(), Arc::clone(block));
        if self.tree.work(id) > self.tree.work(self.tip) {
            self.tip = id;
        }
        id
    }

    /// Adds a pending transaction of about `size` bytes that nothing is known of.
    pub(crate) fn pend(&mut self, salt: u64, size: usize, fee: u64) -> Arc<Transaction> {
        let transaction = transaction(salt, size);
        let sequence = self.pool.len() as u64;
        let vsize = transaction.weight().div_ceil(4) as u64;
        let fee = Amount::from_sat(fee);
        self.pool.push(Pooled { transaction: Arc::clone(&transaction), fee, vsize, sequence });
        transaction
    }
}

/// A transaction of about `size` bytes; `salt` tells them apart.
pub(crate) fn transaction(salt: u64, size: usize) -> Arc<Transaction> {
    let mut txid = [0; 32];
    txid[..8].copy_from_slice(&salt.to_le_bytes());
    spend(OutPoint { txid: Txid::from_byte_array(txid), vout: 0 }, size)
}

/// A transaction of about `size` bytes that spends `outpoint`.
pub(crate) fn spend(outpoint: OutPoint, size: usize) -> Arc<Transaction> {
    let script = vec![0x51; size.saturating_sub(61).max(1)];
    let inner = bitcoin::Transaction {
        version: TransactionVersion::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn { previous_output: outpoint, ..TxIn::default() }],
        output: vec![TxOut { value: Amount::from_sat(1000), script_pubkey: ScriptBuf::from(script) }],
    };
    Arc::new(Transaction::parse(consensus::serialize(&inner)).expect("it was serialised"))
}

impl Ledger for Chain {
    fn tree(&self) -> &tree::Tree {
        &self.tree
    }

    fn accept_header(&mut self, header: &Header, now: u32) -> Result<tree::Accepted, header::Error> {
        self.tree.accept(header, now)
    }

    fn tip(&self) -> tree::Id {
        self.tip
    }

    fn has_block(&self, id: tree::Id) -> bool {
        let hash = self.tree.hash(id);
        (id == self.tree.genesis() || self.blocks.contains_key(&hash)) && !self.pruned.contains(&hash)
    }

    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.pool.iter().find(|pooled| pooled.transaction.wtxid() == *wtxid).cloned()
    }

    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.pool.iter().find(|pooled| pooled.transaction.txid() == *txid).cloned()
    }

    fn pool_len(&self) -> usize {
        self.pool.len()
    }

    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.pool.iter().cloned())
    }

    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        let mut pool = self.pool.clone();
        pool.sort_by_key(|pooled| std::cmp::Reverse(pooled.feerate()));
        Box::new(pool.into_iter())
    }

    fn min_feerate(&self) -> u64 {
        self.min_feerate
    }

    fn producers(&self) -> u16 {
        self.producers
    }

    fn producer(&self, id: tree::Id) -> Option<u16> {
        let turn = self.tree.height(id).checked_rem(u32::from(self.producers))?;
        u16::try_from(turn).ok()
    }
}

#[test]
fn a_mined_chain_is_followed() {
    let mut chain = Chain::of(5);
    assert_eq!(chain.tree.height(chain.tip), 5);
    let fork = chain.mine(chain.tree.genesis(), 1, &[]);
    chain.store(&fork);
    assert_eq!(chain.tree.height(chain.tip), 5);
}
