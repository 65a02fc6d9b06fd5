//! One node's chain and mempool: what it has, what it believes best, and how it moves its tip.
//!
//! The same steps as the disk-based ledger: a block is *held* once its data came, *linked* once every ancestor is held,
//! and the linked block of the most work, nothing being known against it, becomes the tip. The rules are judged by
//! [`World`], once for all nodes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bitcoin::block::Header;
use bitcoin::{BlockHash, Txid, Wtxid};
use yap_chain::block::Block;
use yap_chain::header;
use yap_chain::header::tree::{self, Candidate, Id, Status, Tree};
use yap_chain::transaction::Transaction;
use yap_protocol::io::{Judged, PoolChange, Processed, TipChange};
use yap_protocol::ledger::Pooled;

use super::pool::{At, Pool};
use super::world::World;

/// What a node keeps of a block beside its header.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    /// Whether the data is here.
    stored: bool,
    /// Its turn in the order of linking; 0 until then.
    sequence: u32,
}

/// What came of a block.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) outcome: Processed,
    pub(super) tip: Option<TipChange>,
    pub(super) pool: PoolChange,
}

/// One node's chain and mempool.
#[derive(Debug)]
pub struct Ledger {
    tree: Tree,
    /// By the header's place in the tree.
    held: Vec<Held>,
    candidates: BTreeSet<Candidate>,
    unlinked: BTreeMap<Id, Vec<Id>>,
    sequence: u32,
    tip: Id,
    pool: Pool,
}

impl Ledger {
    /// A node that has every block of the world's chain up to `tip`.
    #[must_use]
    pub fn new(world: &World, tip: Id) -> Self {
        let mut tree = Tree::new(Arc::new(world.spec().clone()), 0);
        let mut chain: Vec<Id> = std::iter::successors(Some(tip), |id| world.tree().parent(*id)).collect();
        chain.reverse();
        for id in chain.iter().skip(1) {
            tree.insert_trusted(&world.tree().header(*id)).expect("parents come first");
        }
        Self::with_tree(tree)
    }

    /// As [`new`](Self::new), with the tree made before: headers of one branch, all of whose blocks are here.
    pub(super) fn with_tree(tree: Tree) -> Self {
        let held = (0..tree.len() as u32).map(|sequence| Held { stored: true, sequence: sequence + 1 }).collect();
        let (tip, sequence) = (tree.best(), tree.len() as u32);
        let candidates = BTreeSet::from([tree.candidate(tip, u64::from(sequence))]);
        Self { tree, held, candidates, unlinked: BTreeMap::new(), sequence, tip, pool: Pool::default() }
    }

    /// What is left after a crash: the chain, but not the mempool.
    pub(super) fn restart(&mut self) {
        self.pool = Pool::default();
    }

    /// The hash of the block whose chain is connected.
    #[must_use]
    pub fn tip_hash(&self) -> BlockHash {
        self.tree.hash(self.tip)
    }

    /// The height of the tip.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.tree.height(self.tip)
    }

    /// The pending transactions.
    #[must_use]
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    fn entry(&self, id: Id) -> Held {
        self.held.get(id.index()).copied().unwrap_or_default()
    }

    fn entry_mut(&mut self, id: Id) -> &mut Held {
        if self.held.len() <= id.index() {
            self.held.resize(id.index() + 1, Held::default());
        }
        &mut self.held[id.index()]
    }

    /// A stored block.
    pub(super) fn read(&self, hash: &BlockHash, world: &World) -> Option<Arc<Block>> {
        let id = self.tree.get(hash).filter(|id| self.entry(*id).stored)?;
        if id == self.tree.genesis() {
            let genesis = Block::parse(bitcoin::consensus::serialize(&world.spec().genesis));
            return Some(Arc::new(genesis.expect("the genesis block is one")));
        }
        world.block(hash).cloned()
    }

    /// Takes in a block; `now` is the wall clock as headers carry it.
    pub(super) fn process(&mut self, block: &Arc<Block>, world: &mut World, now: u32) -> Step {
        let mut step = Step { outcome: Processed::Stored, tip: None, pool: PoolChange::default() };
        step.outcome = match self.store(block, world, now) {
            Ok(id) => {
                self.activate(world, now, &mut step);
                match self.tree.status(id) {
                    // Nothing is fixed here: blocks are not signed.
                    Status::Valid | Status::Forked => Processed::Stored,
                    Status::Descends => Processed::Invalid { reason: "bad-prevblk", mutated: false },
                    // What it breaks was found when it was connected, so its header is to blame.
                    Status::Invalid => {
                        let reason = world.connect(&block.hash()).err().map_or("duplicate-invalid", |why| why.reason);
                        Processed::Invalid { reason, mutated: false }
                    }
                }
            }
            Err(outcome) => outcome,
        };
        step
    }

    fn store(&mut self, block: &Arc<Block>, world: &mut World, now: u32) -> Result<Id, Processed> {
        let id = match self.tree.accept_hashed(block.header(), block.hash(), now) {
            Ok(accepted) => accepted.id(),
            // Nothing is known of a block whose parent is not.
            Err(header::Error::UnknownParent { .. }) => return Err(Processed::Failed),
            Err(error) => return Err(Processed::Invalid { reason: constant(error.reason()), mutated: false }),
        };
        if self.entry(id).stored {
            return Err(Processed::Known);
        }
        self.share_headers(id, world);
        if let Err(broken) = world.check(block) {
            if !broken.mutated {
                self.invalidate(id);
            }
            return Err(Processed::Invalid { reason: broken.reason, mutated: broken.mutated });
        }
        self.entry_mut(id).stored = true;
        match self.tree.parent(id).filter(|parent| self.entry(*parent).sequence == 0) {
            Some(parent) => self.unlinked.entry(parent).or_default().push(id),
            None => self.link(id),
        }
        Ok(id)
    }

    /// Tells the world of a block's headers, from the first that it lacks.
    fn share_headers(&self, id: Id, world: &mut World) {
        let lacking = |id: &Id| !world.tree().contains(&self.tree.hash(*id));
        let mut new: Vec<Id> =
            std::iter::successors(Some(id), |id| self.tree.parent(*id)).take_while(lacking).collect();
        while let Some(id) = new.pop() {
            world.header(&self.tree.header(id));
        }
    }

    fn link(&mut self, id: Id) {
        let mut queue = VecDeque::from([id]);
        while let Some(id) = queue.pop_front() {
            self.sequence += 1;
            self.entry_mut(id).sequence = self.sequence;
            if self.tree.work(id) >= self.tree.work(self.tip) && self.tree.status(id) == Status::Valid {
                self.candidates.insert(self.tree.candidate(id, u64::from(self.sequence)));
            }
            queue.extend(self.unlinked.remove(&id).unwrap_or_default());
        }
    }

    fn invalidate(&mut self, id: Id) {
        self.tree.invalidate(&self.tree.hash(id));
        let tree = &self.tree;
        self.candidates.retain(|candidate| tree.status(candidate.id) == Status::Valid);
    }

    /// Moves the tip to the best linked block that is not known to be invalid.
    fn activate(&mut self, world: &mut World, now: u32, step: &mut Step) {
        let start = self.tip;
        let mut returned: Vec<Arc<Transaction>> = Vec::new();
        let mut connected: Vec<Arc<Block>> = Vec::new();
        while let Some(best) = self.candidates.last().map(|candidate| candidate.id).filter(|best| *best != self.tip) {
            let path = self.tree.path(self.tip, best);
            for id in path.disconnect {
                let block = world.block(&self.tree.hash(id)).expect("what was connected is known");
                let back = block.transactions().iter().skip(1).cloned().map(Arc::new);
                returned.splice(0..0, back);
                connected.retain(|other| other.hash() != block.hash());
            }
            self.tip = path.fork;
            for id in path.connect {
                let hash = self.tree.hash(id);
                if world.connect(&hash).is_err() {
                    self.invalidate(id);
                    self.readmit_tip();
                    break;
                }
                self.tip = id;
                connected.push(Arc::clone(world.block(&hash).expect("it was connected")));
            }
        }
        let work = self.tree.work(self.tip);
        self.candidates.retain(|candidate| candidate.work >= work);
        if self.tip != start {
            self.tell((start, &connected, &returned), world, now, step);
        }
    }

    /// A block on the way was refused: what was connected so far competes with the branches that are left.
    fn readmit_tip(&mut self) {
        let sequence = self.entry(self.tip).sequence;
        self.candidates.insert(self.tree.candidate(self.tip, u64::from(sequence)));
    }

    fn tell(
        &mut self,
        (start, connected, returned): (Id, &[Arc<Block>], &[Arc<Transaction>]),
        world: &mut World,
        now: u32,
        step: &mut Step,
    ) {
        let path = self.tree.path(start, self.tip);
        let change = TipChange {
            disconnected: path.disconnect.iter().map(|id| self.tree.hash(*id)).collect(),
            connected: path
                .connect
                .iter()
                .map(|id| self.tree.hash(*id))
                .map(|hash| (hash, world.block(&hash).cloned()))
                .collect(),
        };
        for block in connected {
            self.pool.connect(block, now.into(), &mut step.pool);
        }
        if !change.disconnected.is_empty() {
            let tip = world.tree().get(&self.tree.hash(self.tip)).expect("it is connected");
            let (fork, at) = (self.tree.height(path.fork), At { tip, now: now.into() });
            self.pool.reorganise(fork, returned, world, at, &mut step.pool);
        }
        step.tip = Some(change);
    }

    /// Judges a transaction, and adds it to the mempool if it is good.
    pub(super) fn judge(
        &mut self,
        transaction: &Arc<Transaction>,
        parent: Option<&Arc<Transaction>>,
        world: &mut World,
        now: u32,
    ) -> (Vec<(Wtxid, Judged)>, PoolChange) {
        let tip = world.tree().get(&self.tree.hash(self.tip)).expect("what is connected is known");
        self.pool.judge(transaction, parent, world, At { tip, now: now.into() })
    }
}

/// The reasons of rules that any header may break are constants; that of an old version carries the number.
fn constant(reason: Cow<'static, str>) -> &'static str {
    match reason {
        Cow::Borrowed(reason) => reason,
        Cow::Owned(_) => "bad-version",
    }
}

impl yap_protocol::Ledger for Ledger {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn accept_header(&mut self, header: &Header, now: u32) -> Result<tree::Accepted, header::Error> {
        self.tree.accept(header, now)
    }

    fn tip(&self) -> Id {
        self.tip
    }

    fn has_block(&self, id: Id) -> bool {
        self.entry(id).stored
    }

    fn pooled(&self, wtxid: &Wtxid) -> Option<Pooled> {
        self.pool.get(wtxid)
    }

    fn pooled_by_txid(&self, txid: &Txid) -> Option<Pooled> {
        self.pool.get_by_txid(txid)
    }

    fn pool_len(&self) -> usize {
        self.pool.len()
    }

    fn pool_by_age(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.pool.by_age())
    }

    fn pool_by_feerate(&self) -> Box<dyn Iterator<Item = Pooled> + '_> {
        Box::new(self.pool.by_feerate())
    }

    fn min_feerate(&self) -> u64 {
        self.pool.min_feerate()
    }
}

#[cfg(test)]
mod tests;
