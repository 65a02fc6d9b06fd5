//! What all nodes of a run share, so that thousands fit into one process: blocks, their effects, verdicts on scripts.
//!
//! Whether a block is valid follows from the block and its parent alone. So the rules judge each block once per run, the
//! engine each transaction, and every node that meets them is told the same. A node's set of coins follows from its tip:
//! here each coin has a record of the blocks that made and that spent it, and a [`View`] sees those below one block. What
//! a node has, believes best, and takes for its tip is its own: see `ledger`.

use std::convert::Infallible;
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{Amount, BlockHash, OutPoint, Wtxid};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use yap_chain::block::{self, Block};
use yap_chain::coin::Coin;
use yap_chain::connect::{self, Changes, Effect, is_unspendable};
use yap_chain::header::tree::{Id, Tree};
use yap_chain::policy;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::verify::{Flags, Job};
use yap_script::Kernel;

/// A rule that a block breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Bitcoin Core's name of the rule.
    pub reason: &'static str,
    /// Whether another block may have the same hash and be valid.
    pub mutated: bool,
}

impl From<block::Error> for Broken {
    fn from(error: block::Error) -> Self {
        Self { reason: error.reason(), mutated: error.is_mutation() }
    }
}

/// A block whose transactions are the ones that its header commits to.
#[derive(Debug)]
struct Known {
    block: Arc<Block>,
    /// Whether the rules without coins hold.
    checked: Result<(), Broken>,
    /// Whether it connects onto its parent, once that was asked.
    connected: Option<Result<(), Broken>>,
}

/// The blocks that made a coin, and those that spent what they made.
#[derive(Debug)]
struct Life {
    coin: Coin,
    made: Id,
    spent: Vec<Id>,
}

/// What all nodes share.
#[derive(Debug)]
pub struct World {
    tree: Tree,
    blocks: HashMap<BlockHash, Known, FixedState>,
    coins: HashMap<OutPoint, Vec<Life>, FixedState>,
    scripts: HashMap<(Wtxid, u32), bool, FixedState>,
    /// Whether transactions' scripts are satisfied as policy asks.
    usual: HashMap<Wtxid, bool, FixedState>,
    /// What blocks left unclaimed, or paid to nobody.
    lost: HashMap<Id, Amount, FixedState>,
    engine: Kernel,
    seed: u64,
}

impl World {
    /// A world of the genesis block alone.
    #[must_use]
    pub fn new(spec: Arc<Spec>, seed: u64) -> Self {
        Self {
            tree: Tree::new(spec, seed),
            blocks: HashMap::default(),
            coins: HashMap::default(),
            scripts: HashMap::default(),
            usual: HashMap::default(),
            lost: HashMap::default(),
            engine: Kernel::new(),
            seed,
        }
    }

    /// Every header of a block that somebody was given, or mined.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The rules of the chain.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        self.tree.spec()
    }

    /// A block that somebody was given, or mined.
    #[must_use]
    pub fn block(&self, hash: &BlockHash) -> Option<&Arc<Block>> {
        self.blocks.get(hash).map(|known| &known.block)
    }

    /// Takes in a header that a node has accepted, so after its parent.
    pub(super) fn header(&mut self, header: &Header) -> Id {
        self.tree.insert_trusted(header).expect("the parent came first")
    }

    /// Checks a block by every rule that needs no coins, and keeps it if its header commits to it. Its header's parent
    /// is known.
    pub(super) fn check(&mut self, block: &Arc<Block>) -> Result<(), Broken> {
        if let Some(known) = self.blocks.get(&block.hash()) {
            let same = Arc::ptr_eq(&known.block, block) || known.block.bytes() == block.bytes();
            return if same { known.checked } else { self.rules(block) };
        }
        let checked = self.rules(block);
        if !checked.is_err_and(|broken| broken.mutated) {
            self.header(block.header());
            let known = Known { block: Arc::clone(block), checked, connected: None };
            self.blocks.insert(block.hash(), known);
            if checked.is_err() {
                self.tree.invalidate(&block.hash());
            }
        }
        checked
    }

    fn rules(&self, block: &Block) -> Result<(), Broken> {
        block::check(block)?;
        let parent = self.tree.get(&block.header().prev_blockhash).expect("the parent is known");
        let context = block::Context {
            height: self.tree.height(parent) + 1,
            median_time_past: self.tree.median_time_past(parent),
            deployments: &self.spec().deployments,
        };
        Ok(block::check_in_context(block, &context)?)
    }

    /// Connects a block that was checked onto its parent, which was connected before.
    pub(super) fn connect(&mut self, hash: &BlockHash) -> Result<(), Broken> {
        let known = &self.blocks[hash];
        if let Some(connected) = known.connected {
            return connected;
        }
        let block = Arc::clone(&known.block);
        let connected = self.connect_first(&block);
        self.blocks.get_mut(hash).expect("it is known").connected = Some(connected);
        if connected.is_err() {
            self.tree.invalidate(hash);
        }
        connected
    }

    fn connect_first(&mut self, block: &Arc<Block>) -> Result<(), Broken> {
        let id = self.tree.get(&block.hash()).expect("its header came with it");
        let parent = self.tree.parent(id).expect("the genesis block is never connected");
        let height = self.tree.height(id);
        let context = connect::Context {
            place: block::Context {
                height,
                median_time_past: self.tree.median_time_past(parent),
                deployments: &self.spec().deployments,
            },
            ancestors: &self.view(parent),
            subsidy: self.spec().subsidy_at(height),
            flags: self.spec().script_flags(height, &block.hash()),
            scripts: true,
            seed: self.seed,
        };
        let effect = match connect::connect(block, &context, &mut self.view(parent)) {
            Ok(effect) => effect,
            Err(connect::Failure::Rule(error)) => return Err(error.into()),
            Err(connect::Failure::Coins(never)) => match never {},
        };
        for (job, transaction) in effect.jobs.iter().zip(block.transactions().iter().skip(1)) {
            if !self.holds(&transaction.wtxid(), job) {
                return Err(Broken { reason: "block-script-verify-flag-failed", mutated: false });
            }
        }
        self.check_inverse(block, &effect, height);
        self.lose(block, &effect, id);
        self.apply(effect.changes, id);
        Ok(())
    }

    /// Taking the block back must undo exactly what connecting it does.
    fn check_inverse(&self, block: &Block, effect: &Effect, height: u32) {
        let back = connect::disconnect(block, &effect.undo, height, self.seed).expect("the undo data is the block's");
        let mut made: Vec<_> = effect.changes.created.iter().map(|(outpoint, _)| *outpoint).collect();
        let (mut gone, mut spent) = (back.removed, effect.changes.removed.clone());
        let mut returned: Vec<_> = back.created.iter().map(|(outpoint, _)| *outpoint).collect();
        [&mut made, &mut gone, &mut spent, &mut returned].into_iter().for_each(|list| list.sort_unstable());
        assert_eq!(made, gone, "block {} makes what taking it back removes", block.hash());
        assert_eq!(spent, returned, "block {} spends what taking it back returns", block.hash());
    }

    /// Notes what the block makes of its reward and its inputs, but no coins.
    fn lose(&mut self, block: &Block, effect: &Effect, id: Id) {
        let outputs = block.transactions().iter().flat_map(|transaction| &transaction.decoded().output);
        let nobody: Amount =
            outputs.filter(|output| is_unspendable(&output.script_pubkey)).map(|output| output.value).sum();
        let claimed: Amount = block.transactions()[0].decoded().output.iter().map(|output| output.value).sum();
        let allowed = self.spec().subsidy_at(self.tree.height(id)) + effect.fees;
        let lost = nobody + (allowed - claimed);
        if lost > Amount::ZERO {
            self.lost.insert(id, lost);
        }
    }

    fn apply(&mut self, changes: Changes, id: Id) {
        let parent = self.tree.parent(id).expect("above the genesis block");
        for outpoint in changes.removed {
            let lives = self.coins.get_mut(&outpoint).expect("it was found when the block was connected");
            let tree = &self.tree;
            let life = lives.iter_mut().find(|life| tree.is_ancestor(life.made, parent));
            life.expect("it was made below the block").spent.push(id);
        }
        for (outpoint, coin) in changes.created {
            self.coins.entry(outpoint).or_default().push(Life { coin, made: id, spent: Vec::new() });
        }
    }

    /// Whether a transaction's scripts hold. The engine is asked once per transaction and rules: its `wtxid` commits to
    /// the coins it spends, since those are named by hashes.
    pub(super) fn holds(&mut self, wtxid: &Wtxid, job: &Job) -> bool {
        let engine = &self.engine;
        *self.scripts.entry((*wtxid, job.flags.0)).or_insert_with(|| yap_script::check(engine, job).is_ok())
    }

    /// Whether a transaction, whose scripts hold, satisfies them as policy asks; found once per transaction.
    pub(super) fn is_relayed(&mut self, transaction: &Transaction, job: &Job) -> bool {
        let usual = || policy::script::check_all(transaction, &job.spent).is_ok();
        *self.usual.entry(transaction.wtxid()).or_insert_with(usual)
    }

    /// The script rules of the block after `tip`.
    pub(super) fn flags_after(&self, tip: Id) -> Flags {
        use bitcoin::hashes::Hash;
        self.spec().script_flags(self.tree.height(tip) + 1, &BlockHash::all_zeros())
    }

    /// The coins as they are once `tip` is connected.
    #[must_use]
    pub const fn view(&self, tip: Id) -> View<'_> {
        View { world: self, tip }
    }

    /// What all coins are worth at `tip`, and what was made up to there and not lost.
    #[must_use]
    pub fn supply(&self, tip: Id) -> (Amount, Amount) {
        let living = |lives: &Vec<Life>| lives.iter().find(|life| self.lives(life, tip)).map(|life| life.coin.value);
        let total = self.coins.values().filter_map(living).sum();
        let made: Amount = (1..=self.tree.height(tip)).map(|height| self.spec().subsidy_at(height)).sum();
        let chain = std::iter::successors(Some(tip), |id| self.tree.parent(*id));
        let lost: Amount = chain.filter_map(|id| self.lost.get(&id)).copied().sum();
        (total, made - lost)
    }

    /// Forgets one coin, which must never happen.
    #[cfg(test)]
    pub(super) fn lose_a_coin(&mut self) {
        let first = *self.coins.keys().next().expect("there are coins");
        self.coins.remove(&first);
    }

    fn lives(&self, life: &Life, tip: Id) -> bool {
        self.tree.is_ancestor(life.made, tip) && !life.spent.iter().any(|spent| self.tree.is_ancestor(*spent, tip))
    }

    /// Every transaction of the chain up to `tip` but the coinbases, oldest first.
    pub fn transactions(&self, tip: Id) -> impl Iterator<Item = &Transaction> {
        let mut chain: Vec<Id> = std::iter::successors(Some(tip), |id| self.tree.parent(*id)).collect();
        chain.reverse();
        chain
            .into_iter()
            .filter_map(|id| self.block(&self.tree.hash(id)))
            .flat_map(|block| block.transactions().iter().skip(1))
    }
}

/// The coins once one block is connected, and the headers up to it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    world: &'a World,
    tip: Id,
}

impl View<'_> {
    /// The coin at `outpoint`, if it is unspent.
    #[must_use]
    pub fn unspent(&self, outpoint: &OutPoint) -> Option<&Coin> {
        let lives = self.world.coins.get(outpoint)?;
        lives.iter().find(|life| self.world.lives(life, self.tip)).map(|life| &life.coin)
    }

    /// The height of the block.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.world.tree.height(self.tip)
    }

    /// The median time past of the block.
    #[must_use]
    pub fn median(&self) -> u32 {
        self.world.tree.median_time_past(self.tip)
    }
}

impl connect::Coins for View<'_> {
    type Error = Infallible;

    fn coin(&mut self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.unspent(outpoint).cloned())
    }
}

impl Ancestors for View<'_> {
    fn median_time_past(&self, height: u32) -> u32 {
        let tree = &self.world.tree;
        tree.median_time_past(tree.ancestor(self.tip, height).unwrap_or(self.tip))
    }

    fn hash(&self, height: u32) -> Option<BlockHash> {
        let tree = &self.world.tree;
        tree.ancestor(self.tip, height).map(|id| tree.hash(id))
    }
}
