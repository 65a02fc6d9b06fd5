//! Trees of blocks, and the orders in which they may arrive.
//!
//! A [`Tree`] grows from the tip of a builder's branch: forks of varied depth, blocks that break a rule only when they
//! are connected, and blocks on top of those. [`Tree::order`] lets blocks come before their parents and again: every
//! block comes at least once after its parent.

use bitcoin::consensus::encode;
use bitcoin::{Block, BlockHash};

use crate::builder::Builder;
use crate::lock::Kind;
use crate::mutation::{Coinbase, Context, Limit, Mutation, Script};
use crate::random::Random;

/// How far below the tip a fork may begin; in one tree of eight the second figure.
const MAX_DEPTH: [u64; 2] = [6, 24];

/// Invalid blocks that others can be built on: they spend coins of the branch, and pass for valid until the coins or
/// the branch's times are looked at.
const SLEEPERS: [Mutation; 8] = [
    Mutation::Coinbase(Coinbase::ClaimsOneMore),
    Mutation::Script(Script::Signature(Kind::Wpkh)),
    Mutation::Script(Script::Signature(Kind::TrKey)),
    Mutation::Context(Context::AgeBlocks),
    Mutation::Context(Context::PaysOneMore),
    Mutation::Context(Context::CoinbaseImmature),
    Mutation::Context(Context::LockHeight),
    Mutation::Limit(Limit::SigopsWitnessExceeded),
];

/// One block of a tree.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The block.
    pub block: Block,
    /// Which entry it builds on; `None`: on a block that was there before the tree.
    pub parent: Option<usize>,
    /// What is wrong with it itself.
    pub broken: Option<Mutation>,
}

/// A tree of blocks.
#[derive(Clone, Debug)]
pub struct Tree {
    entries: Vec<Entry>,
    branches: Vec<Builder>,
}

impl Tree {
    /// A random tree of `size` blocks that grows from the branch's last blocks.
    #[must_use]
    pub fn random(trunk: &mut Builder, size: usize) -> Self {
        let mut random = trunk.random().fork("tree");
        let mut tree = Self { entries: Vec::new(), branches: vec![trunk.fork_at(trunk.height())] };
        let depth = MAX_DEPTH[usize::from(random.one_in(8))];
        while tree.entries.len() < size {
            if random.one_in(4) {
                tree.fork(depth, &mut random);
            }
            let index = random.index(tree.branches.len());
            tree.grow(index, &mut random);
        }
        tree
    }

    fn fork(&mut self, depth: u64, random: &mut Random) {
        let index = random.index(self.branches.len());
        let branch = &mut self.branches[index];
        let height = u64::from(branch.height()).saturating_sub(random.below(depth + 1));
        let fork = branch.fork_at(u32::try_from(height).expect("not above the branch's own height"));
        self.branches.push(fork);
    }

    fn grow(&mut self, branch: usize, random: &mut Random) {
        let builder = &mut self.branches[branch];
        let parent = builder.tip();
        let sleeper = random.pick(&SLEEPERS).copied().filter(|_| random.one_in(10));
        let broken = sleeper.and_then(|mutation| mutation.apply(builder)).and_then(|case| {
            builder.adopt(case.block?);
            Some(case.mutation)
        });
        if broken.is_none() {
            builder.random_block();
        }
        let block = builder.block(builder.height()).expect("the block that was just adopted").clone();
        let parent = self.entries.iter().position(|entry| entry.block.block_hash() == parent);
        self.entries.push(Entry { block, parent, broken });
    }

    /// The blocks, parents before children.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// An order of arrival, as indexes of entries.
    #[must_use]
    pub fn order(&self, random: &mut Random) -> Vec<usize> {
        let mut order = Vec::new();
        let mut waiting: Vec<usize> = (0..self.entries.len()).collect();
        let mut arrived = vec![false; self.entries.len()];
        let hurry = random.one_in(3);
        while !waiting.is_empty() {
            // In a hurry: mostly as mined. Else any block whose parent is there.
            let position = if hurry && !random.one_in(4) { 0 } else { random.index(waiting.len()) };
            let index = waiting[position];
            let ready = self.entries[index].parent.is_none_or(|parent| arrived[parent]);
            if !ready && !random.one_in(32) {
                continue;
            }
            order.push(index);
            if ready {
                arrived[index] = true;
                waiting.remove(position);
            }
            if random.one_in(10) {
                order.push(order[random.index(order.len())]);
            }
        }
        order
    }

    /// The serialised block of an entry.
    #[must_use]
    pub fn raw(&self, index: usize) -> Vec<u8> {
        encode::serialize(&self.entries[index].block)
    }

    /// The branch that ends at a block, if it is of the tree or of one of its branches.
    #[must_use]
    pub fn branch_at(&mut self, tip: BlockHash) -> Option<Builder> {
        self.branches.iter_mut().find_map(|branch| {
            let at = |height: &u32| branch.block(*height).is_some_and(|block| block.block_hash() == tip);
            let height = (0..=branch.height()).rev().find(at)?;
            Some(branch.fork_at(height))
        })
    }
}
