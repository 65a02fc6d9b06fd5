use std::sync::Arc;

use yap_chain::bitcoin::consensus::serialize;
use yap_chain::spec::Spec;

use super::*;

/// Headers of a trunk of `trunk` blocks and of a branch of `side` blocks that leaves it at the first block. All stored,
/// the trunk first, each of the branch in a file of its own.
struct Chains {
    tree: Tree,
    index: Index,
    trunk: Vec<Id>,
    side: Vec<Id>,
}

impl Chains {
    fn new(trunk: usize, side: usize) -> Self {
        let mut tree = Tree::new(Arc::new(Spec::regtest()), 7);
        let trunk = grow(&mut tree, trunk, 1);
        let side = grow(&mut tree, side, 2);
        let mut index = Index::default();
        store(&mut index, &tree, &[tree.genesis()]);
        store(&mut index, &tree, &trunk);
        Self { tree, index, trunk, side }
    }

    fn best(&self) -> Option<Id> {
        self.index.best()
    }
}

/// Headers after the genesis header; `salt` tells branches apart.
fn grow(tree: &mut Tree, count: usize, salt: u32) -> Vec<Id> {
    let mut parent = tree.genesis();
    let mut ids = Vec::new();
    for _ in 0..count {
        let mut header = Spec::regtest().genesis.header;
        (header.prev_blockhash, header.nonce) = (tree.hash(parent), salt);
        parent = tree.insert_trusted(&header).unwrap();
        ids.push(parent);
    }
    ids
}

/// Each block is in a file of its own.
fn file(id: Id) -> u32 {
    u32::try_from(id.index()).unwrap()
}

fn store(index: &mut Index, tree: &Tree, ids: &[Id]) {
    let block = Block::parse(serialize(&Spec::regtest().genesis)).unwrap();
    for &id in ids {
        index.stored(id, FilePosition { file: file(id), offset: 8 }, &block, tree);
    }
}

#[test]
fn blocks_after_a_pruned_one_beside_the_best_chain_can_not_be_the_tip() {
    let Chains { tree, mut index, trunk, side } = Chains::new(3, 4);
    store(&mut index, &tree, &side[..3]);
    assert_eq!(index.best(), trunk.last().copied());
    let gone = index.prune(&[file(side[0])], *trunk.last().unwrap(), &tree);
    assert_eq!(gone, [side[0]]);
    // The branch gets longer than the trunk, but its first block is gone.
    store(&mut index, &tree, &side[3..]);
    assert_eq!(index.best(), trunk.last().copied());
    assert!(side.iter().all(|&id| !index.is_linked(id)));
    // When it comes again, the branch is whole.
    store(&mut index, &tree, &side[..1]);
    assert_eq!(index.best(), side.last().copied());
}

#[test]
fn a_block_that_was_pruned_while_it_waited_for_its_parent_is_not_linked() {
    let mut chains = Chains::new(1, 3);
    let (tree, side) = (chains.tree.clone(), chains.side.clone());
    store(&mut chains.index, &tree, &side[1..]);
    chains.index.prune(&[file(side[1])], *chains.trunk.last().unwrap(), &tree);
    store(&mut chains.index, &tree, &side[..1]);
    assert_eq!(chains.best(), chains.trunk.last().copied(), "the branch goes no further than its first block");
    store(&mut chains.index, &tree, &side[1..2]);
    assert_eq!(chains.best(), side.last().copied());
}

#[test]
fn pruning_the_best_chain_unlinks_nothing() {
    let Chains { tree, mut index, trunk, side } = Chains::new(3, 4);
    let gone = index.prune(&[file(trunk[0])], *trunk.last().unwrap(), &tree);
    assert_eq!(gone, [trunk[0]]);
    assert_eq!(index.best(), trunk.last().copied());
    store(&mut index, &tree, &side);
    assert_eq!(index.best(), side.last().copied());
}

#[test]
fn transactions_up_to_any_block_of_a_long_chain_are_known_without_a_walk() {
    const HEADERS: usize = 100_000;
    let Chains { tree, index, trunk, side } = Chains::new(HEADERS, 2);
    let begun = std::time::Instant::now();
    // Each block of this test has one transaction, and the genesis block comes before them.
    for (height, id) in (1..).zip(&trunk) {
        assert_eq!(index.entry(*id).total, height + 1);
    }
    // A walk for each would take ten thousand times as long.
    assert!(begun.elapsed() < std::time::Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(index.entry(side[1]).total, 0, "its data never was here");

    // So it is after a restart, in whatever order the blocks came.
    let mut restored = Index::default();
    for id in tree.iter() {
        *restored.entry_mut(id) = Entry { total: 0, sequence: 0, ..index.entry(id) };
    }
    let active: Vec<Id> = std::iter::once(tree.genesis()).chain(trunk.iter().copied()).collect();
    restored.link_restored(&active, &tree);
    let total = u64::try_from(HEADERS).unwrap() + 1;
    assert_eq!(trunk.last().map(|id| restored.entry(*id).total), Some(total));
}
