//! Where a wallet learns of blocks and of the mempool: it asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::{BlockHash, Txid};
use yap_api::Backend;
use yap_api::backend::{ReadError, Unavailable, View};
use yap_chain::block::Block;
use yap_chain::transaction::Transaction;

/// Blocks that are given at once, at most.
const MAX_BLOCKS: usize = 32;

/// Bytes of blocks that are given at once, at most, but at least one block.
const MAX_BYTES: usize = 4 << 20;

/// New transactions of the mempool that are given at once, at most.
const MAX_ADDED: usize = 2_000;

/// What a wallet asks of its node. Each call waits for its answer.
pub trait Source: Send {
    /// The blocks after the newest of `known` (newest first) that is on the best chain: `MAX_BLOCKS` at most.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn blocks(&mut self, known: Vec<(u32, BlockHash)>) -> Result<Next, Unavailable>;

    /// The newest block of the best chain whose time, and that of no later one, is before `time`: nobody had the keys of
    /// a wallet that was made then.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn before(&mut self, time: u64) -> Result<(u32, BlockHash), Unavailable>;

    /// What came to the mempool after the transaction with that sequence number, and which of `known` it has.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn pool(&mut self, sequence: u64, known: Vec<Txid>) -> Result<Pool, Unavailable>;

    /// Offers a transaction to the mempool and to peers. Nobody waits for what becomes of it.
    fn offer(&mut self, transaction: Arc<Transaction>);
}

/// What comes after the blocks that a wallet has.
#[derive(Clone, Debug)]
pub struct Next {
    /// The newest block that both have.
    pub fork: (u32, BlockHash),
    /// The blocks after it, as far as they are given at once.
    pub blocks: Vec<Arc<Block>>,
    /// Height of the best chain's tip.
    pub tip: u32,
    /// Why there is no further block, although the tip is not reached.
    pub missing: Option<ReadError>,
}

/// What is new in the mempool.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Sequence number of the last of `added`, or the one that was asked with.
    pub sequence: u64,
    /// What came, and when (Unix time).
    pub added: Vec<(Arc<Transaction>, u64)>,
    /// Whether more came.
    pub more: bool,
    /// Those of the transactions that were asked for which the mempool has.
    pub there: BTreeSet<Txid>,
    /// How many transactions the mempool has.
    pub size: usize,
    /// Whether no peer is connected.
    pub alone: bool,
}

/// A running node as the source of its wallet.
#[derive(Clone, Debug)]
pub struct Node(pub Arc<dyn Backend>);

impl Node {
    fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut dyn View) -> T + Send + 'static) -> Result<T, Unavailable> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        self.0.look(Box::new(move |view| {
            // The wallet waits; if it does not, it has stopped.
            let _ = answer.send(job(view));
        }))?;
        // A job that is dropped hangs up.
        answered.recv().map_err(|_| Unavailable::Stopped)
    }
}

impl Source for Node {
    fn blocks(&mut self, known: Vec<(u32, BlockHash)>) -> Result<Next, Unavailable> {
        self.ask(move |view| next(view, &known))
    }

    fn before(&mut self, time: u64) -> Result<(u32, BlockHash), Unavailable> {
        self.ask(move |view| {
            let tree = view.tree();
            let mut id = view.tip();
            while u64::from(tree.time(id)) >= time {
                let Some(parent) = tree.parent(id) else { break };
                id = parent;
            }
            (tree.height(id), tree.hash(id))
        })
    }

    fn pool(&mut self, sequence: u64, known: Vec<Txid>) -> Result<Pool, Unavailable> {
        self.ask(move |view| {
            let alone = view.standing().alone;
            let pool = view.pool();
            let newer = pool.newer_than(sequence);
            let more = newer.len() > MAX_ADDED;
            let taken = newer.iter().take(MAX_ADDED);
            Pool {
                sequence: taken.clone().next_back().map_or(sequence, |entry| entry.sequence()),
                added: taken.map(|entry| (Arc::clone(entry.transaction()), entry.time())).collect(),
                more,
                there: known.into_iter().filter(|txid| pool.contains_txid(txid)).collect(),
                size: pool.len(),
                alone,
            }
        })
    }

    fn offer(&mut self, transaction: Arc<Transaction>) {
        // The answer comes to whoever waits for it; nobody does. What was asked is done all the same.
        drop(self.0.submit(transaction));
    }
}

fn next(view: &mut dyn View, known: &[(u32, BlockHash)]) -> Next {
    let (tree, tip) = (view.tree(), view.tip());
    let height = tree.height(tip);
    let on_chain = |(at, hash): &&(u32, BlockHash)| tree.ancestor(tip, *at).is_some_and(|id| tree.hash(id) == *hash);
    let fork = known.iter().find(on_chain).copied().unwrap_or_else(|| (0, tree.hash(tree.genesis())));
    let (mut blocks, mut bytes, mut missing) = (Vec::new(), 0usize, None);
    for at in (fork.0.saturating_add(1)..=height).take(MAX_BLOCKS) {
        let Some(id) = tree.ancestor(tip, at) else { break };
        match view.block(id) {
            Ok(block) => {
                bytes = bytes.saturating_add(block.bytes().len());
                blocks.push(block);
            }
            Err(error) => {
                missing = Some(error);
                break;
            }
        }
        if bytes >= MAX_BYTES {
            break;
        }
    }
    Next { fork, blocks, tip: height, missing }
}
