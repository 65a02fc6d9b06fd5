//! What peers know: the chain that the node begins with and goes on with, another one from the genesis block, and their
//! transactions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bitcoin::consensus::serialize;
use bitcoin::{BlockHash, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::header::Tree;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;

use crate::Builder;
use crate::fuzz::samples;

/// Blocks that the node has when it starts.
pub(super) const KNOWN: usize = 150;

/// Blocks of the other chain: more than the first one has, so that it is the better one.
const OTHER: u32 = 164;

/// Seconds that the wall clock is ahead of the newest block.
const AHEAD: u32 = 60;

#[derive(Debug)]
pub(super) struct Fixture {
    /// The headers that the node has when it starts.
    pub(super) tree: Tree,
    /// Two chains without their genesis block.
    pub(super) chains: [Vec<Arc<Block>>; 2],
    pub(super) blocks: BTreeMap<BlockHash, Arc<Block>>,
    pub(super) transactions: Vec<Arc<Transaction>>,
    pub(super) by_wtxid: BTreeMap<Wtxid, Arc<Transaction>>,
    pub(super) by_txid: BTreeMap<Txid, Arc<Transaction>>,
    /// The wall clock at the start.
    pub(super) wall: u32,
}

impl Fixture {
    /// The same for all runs: a node changes nothing of it.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Fixture> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    fn new() -> Self {
        let own: Vec<_> = samples::chain().into_iter().map(Arc::new).collect();
        let mut builder = Builder::regtest(7);
        builder.mine_empty(OTHER);
        let parse = |block: &bitcoin::Block| Arc::new(Block::parse(serialize(block)).expect("it was serialised"));
        let other: Vec<_> = builder.blocks().map(parse).collect();
        let mut tree = Tree::new(Arc::new(Spec::regtest()), 0);
        for block in own.iter().take(KNOWN) {
            tree.insert_trusted(block.header()).expect("parents come first");
        }
        let chains = [own, other];
        let all = || chains.iter().flatten();
        let transactions: Vec<_> =
            all().flat_map(|block| block.transactions().iter().skip(1)).cloned().map(Arc::new).collect();
        Self {
            tree,
            wall: all().map(|block| block.header().time).max().expect("there are blocks") + AHEAD,
            blocks: all().map(|block| (block.hash(), Arc::clone(block))).collect(),
            by_wtxid: transactions.iter().map(|one| (one.wtxid(), Arc::clone(one))).collect(),
            by_txid: transactions.iter().map(|one| (one.txid(), Arc::clone(one))).collect(),
            transactions,
            chains,
        }
    }

    /// One of all blocks.
    pub(super) fn block(&self, chain: u8, at: u8) -> &Arc<Block> {
        let chain = &self.chains[usize::from(chain) % 2];
        // The newest ones come first: nodes ask for those most often.
        &chain[chain.len() - 1 - usize::from(at) % chain.len()]
    }

    /// One of all transactions.
    pub(super) fn transaction(&self, at: u8) -> &Arc<Transaction> {
        &self.transactions[usize::from(at) % self.transactions.len()]
    }
}
