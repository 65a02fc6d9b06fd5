//! Opens a ledger where its last commit left it.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;

use yap_chain::bitcoin::BlockHash;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::block::Block;
use yap_chain::header::tree::{Id, Tree};
use yap_chain::spec::Spec;
use yap_script::{Cache, Kernel, Pool, pool};
use yap_store::{BLOCK_FILE_SIZE, DEFAULT_CACHE, Record, Status, Store};

use super::filters::Filters;
use super::flight::Flight;
use super::index::{Entry, Index};
use super::recent::Recent;
use super::signed::Signed;
use super::{AT_ONCE, Chainstate, Error};

/// Whose word is taken for the scripts of old blocks. Every other rule is checked in any case.
///
/// A block that was connected on somebody's word counts as verified from then on, as in Bitcoin Core: opening the ledger
/// with less trust later does not verify it again. To have every script verified, start with an empty directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's: every script is verified.
    Nobody,
    /// The chain's [`assume_valid`](Spec::assume_valid), under Bitcoin Core's conditions.
    #[default]
    Spec,
    /// The user's, for this block and its ancestors.
    Block(BlockHash),
}

/// How a ledger is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that verify scripts; 0: one per core.
    pub threads: usize,
    /// Bytes for unspent outputs in memory.
    pub cache_bytes: usize,
    /// Bytes of block and undo files to keep; `None`: all.
    pub prune_bytes: Option<u64>,
    /// Bytes from which a block file takes no more blocks; pruning deletes whole files.
    pub block_file_bytes: u32,
    /// Whose word is taken for old scripts.
    pub trust: Trust,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 0,
            cache_bytes: DEFAULT_CACHE,
            prune_bytes: None,
            block_file_bytes: BLOCK_FILE_SIZE,
            trust: Trust::default(),
        }
    }
}

/// Numbers that nobody else knows, from the system's randomness.
fn secret() -> [u8; 32] {
    let random = RandomState::new();
    let mut secret = [0; 32];
    for (number, bytes) in (0_u8..).zip(secret.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&random.hash_one(number).to_le_bytes());
    }
    secret
}

impl Chainstate {
    /// Opens the ledger in `directory`, or starts one there.
    ///
    /// # Errors
    /// If the directory is in use, belongs to another chain or cannot be read.
    pub fn open(directory: &Path, spec: Arc<Spec>, options: Options) -> Result<Self, Error> {
        let mut settings = yap_store::Options::new(&spec);
        settings.cache = options.cache_bytes;
        settings.block_file_size = options.block_file_bytes;
        let store = Store::open(directory, &settings)?;
        let seed = RandomState::new().hash_one(0_u8);
        let tree = Tree::new(Arc::clone(&spec), seed);
        let cache = Arc::new(Cache::default_size(secret()));
        let scripts =
            pool::Options { threads: options.threads, cache: Some(Arc::clone(&cache)), ..pool::Options::default() };
        let (pool, verdicts) = Pool::new(Kernel::new(), scripts);
        let signed = spec.producers().map(Signed::new);
        let mut chainstate = Self {
            tip: tree.genesis(),
            spec,
            tree,
            store,
            index: Index::default(),
            in_flight: Flight::default(),
            pool,
            verdicts,
            cache,
            early: VecDeque::new(),
            batches: 0,
            filters: Filters::start().map_err(|_| Error::Worker("block filters"))?,
            unfiltered: BTreeSet::new(),
            filter_headers: std::collections::BTreeMap::new(),
            committed_at: std::time::Instant::now(),
            dirty: BTreeSet::new(),
            recent: Recent::default(),
            signed,
            events: VecDeque::new(),
            stopped: false,
            seed,
            trusted: options.trust,
            prune_bytes: options.prune_bytes,
        };
        let records = chainstate.store.reader().records()?;
        if records.is_empty() {
            chainstate.begin()?;
        } else {
            chainstate.restore(&records)?;
        }
        Ok(chainstate)
    }

    /// Stores the first block, whose coins nobody can spend.
    fn begin(&mut self) -> Result<(), Error> {
        let hash = self.spec.genesis.block_hash();
        let genesis = serialize(&self.spec.genesis);
        let block = Arc::new(Block::parse(genesis).map_err(|cause| Error::Block { hash, cause })?);
        let id = self.tree.genesis();
        let position = self.store.write_block(&block, 0)?;
        self.index.stored(id, position, &block, &self.tree);
        self.index.entry_mut(id).verified = true;
        self.filters.request(id, &block, &Arc::default());
        self.unfiltered.insert(id);
        self.dirty.insert(id);
        Ok(())
    }

    /// Takes over what was committed.
    fn restore(&mut self, records: &[Record]) -> Result<(), Error> {
        for record in records {
            let id = self.tree.insert_trusted(&record.header).map_err(|_| Error::Index("a header has no parent"))?;
            if u32::try_from(id.index()).ok() != Some(record.sequence) {
                return Err(Error::Index("headers are not in the order in which they came"));
            }
            *self.index.entry_mut(id) = Entry::from(record);
        }
        let failed = records.iter().filter(|record| record.status.contains(Status::FAILED));
        let failed: Vec<Id> = failed.filter_map(|record| self.tree.get(&record.hash)).collect();
        self.tree.invalidate_all(failed);
        if let Some(tip) = self.store.tip() {
            self.tip = self.tree.get(&tip.hash).ok_or(Error::Index("the tip has no header"))?;
        }
        // Before any other branch has a chance.
        self.restore_signers()?;
        // The chain that was the best one goes on as such among branches of equal work.
        let active = self.active_chain();
        self.index.link_restored(&active, &self.tree);
        self.index.drop_worse_than(self.tip, &self.tree);
        // A crash may have come between storing a better branch and connecting it. What is told of that is nobody's news:
        // whoever opens the ledger looks at its tip.
        while !self.go(AT_ONCE)? {
            self.events.clear();
        }
        self.events.clear();
        Ok(())
    }

    /// The best chain from the first block to the tip.
    fn active_chain(&self) -> Vec<Id> {
        let mut chain: Vec<Id> = std::iter::successors(Some(self.tip), |&id| self.tree.parent(id)).collect();
        chain.reverse();
        chain
    }
}
