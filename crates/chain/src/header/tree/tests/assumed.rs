//! When scripts are taken as valid without a look.

use super::*;

/// Headers of equal work over which two weeks pass.
const TWO_WEEKS: u32 = 2016;

/// A regtest chain of `length` headers that assumes the block at height 50 to be valid.
fn chain(length: u32) -> Tree {
    let mut sketch = tree(Spec::regtest());
    let mut headers = Vec::new();
    for _ in 0..length {
        let header = child(&sketch, sketch.best(), 0);
        sketch.insert_trusted(&header).unwrap();
        headers.push(header);
    }
    let assumed = sketch.hash(at(&sketch, 50));
    let mut tree = tree(Spec { assume_valid: Some(assumed), ..Spec::regtest() });
    for header in headers {
        tree.insert_trusted(&header).unwrap();
    }
    tree
}

fn at(tree: &Tree, height: u32) -> Id {
    tree.ancestor(tree.best(), height).unwrap()
}

#[test]
fn a_block_up_to_the_assumed_one_is_taken_on_trust() {
    let tree = chain(TWO_WEEKS + 60);
    for height in [0, 1, 49, 50] {
        assert!(tree.assumed_valid(at(&tree, height)), "{height}");
    }
    assert!(!tree.assumed_valid(at(&tree, 51)));
    assert!(!tree.assumed_valid(tree.best()));
}

#[test]
fn two_weeks_of_work_must_lie_on_it() {
    let tree = chain(TWO_WEEKS + 50);
    assert!(!tree.assumed_valid(at(&tree, 50)), "two weeks and not more");
    assert!(tree.assumed_valid(at(&tree, 49)));
}

#[test]
fn nothing_is_taken_on_trust_unless_told() {
    let tree = chain(TWO_WEEKS + 60);
    let mut told_nothing = Tree::new(Arc::new(Spec::regtest()), 7);
    let mut told_unknown =
        Tree::new(Arc::new(Spec { assume_valid: Some(BlockHash::all_zeros()), ..Spec::regtest() }), 7);
    for id in tree.iter() {
        told_nothing.insert_trusted(&tree.header(id)).unwrap();
        told_unknown.insert_trusted(&tree.header(id)).unwrap();
    }
    assert!(!told_nothing.assumed_valid(at(&told_nothing, 1)));
    assert!(!told_unknown.assumed_valid(at(&told_unknown, 1)));
}

#[test]
fn a_weak_chain_is_not_taken_on_trust() {
    let tree = chain(TWO_WEEKS + 60);
    let work = tree.work(tree.best());
    let more = Wide::from(work).plus(Wide::from(pow::work(CompactTarget::from_consensus(0x207f_ffff)))).to_work();
    for (minimum_work, trusted) in [(work, true), (more, false)] {
        let spec = Spec { minimum_work, ..tree.spec().clone() };
        let mut demanding = Tree::new(Arc::new(spec), 7);
        for id in tree.iter() {
            demanding.insert_trusted(&tree.header(id)).unwrap();
        }
        assert_eq!(demanding.assumed_valid(at(&demanding, 50)), trusted);
    }
}

#[test]
fn another_branch_is_not_taken_on_trust() {
    let mut tree = chain(TWO_WEEKS + 60);
    let fork = at(&tree, 30);
    let header = child(&tree, fork, 1);
    let side = tree.insert_trusted(&header).unwrap();
    assert!(!tree.assumed_valid(side), "not before the assumed block");
    assert!(tree.assumed_valid(fork));
    // The best header moves to a branch that leaves below the assumed block.
    tree.invalidate(&tree.hash(at(&tree, 40)));
    assert!(!tree.assumed_valid(at(&tree, 39)), "too little work on it");
    for salt in 0..u64::from(TWO_WEEKS) + 30 {
        let header = child(&tree, tree.best(), 2 + salt);
        tree.insert_trusted(&header).unwrap();
    }
    let assumed = tree.get(&tree.spec().assume_valid.unwrap()).unwrap();
    assert!(!tree.assumed_valid(tree.ancestor(assumed, 45).unwrap()), "not on the best branch");
    assert!(tree.assumed_valid(tree.ancestor(assumed, 35).unwrap()));
}
