//! Random trees against a model that walks parents one by one.

use proptest::prelude::*;

use super::*;

/// What the model keeps of a header: its parent's place, its work, whether its own block is invalid.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: usize,
    height: u32,
    work: u64,
    failed: bool,
}

#[derive(Debug)]
struct Model(Vec<Node>);

impl Model {
    fn line(&self, node: usize) -> Vec<usize> {
        let mut line = vec![node];
        while let Some(&last) = line.last().filter(|last| **last != 0) {
            line.push(self.0[last].parent);
        }
        line
    }

    fn status(&self, node: usize) -> Status {
        if self.0[node].failed {
            Status::Invalid
        } else if self.line(node).iter().any(|node| self.0[*node].failed) {
            Status::Descends
        } else {
            Status::Valid
        }
    }

    fn best(&self) -> usize {
        let valid = (0..self.0.len()).filter(|node| self.status(*node) == Status::Valid);
        valid.rev().max_by_key(|node| self.0[*node].work).unwrap()
    }

    fn reconsider(&mut self, node: usize) {
        let related = |other: &usize| self.line(node).contains(other) || self.line(*other).contains(&node);
        for other in (0..self.0.len()).filter(related).collect::<Vec<_>>() {
            self.0[other].failed = false;
        }
    }
}

/// Targets of two, four and 512 hashes.
const BITS: [(u32, u64); 3] = [(0x207f_ffff, 2), (0x203f_ffff, 4), (0x1f7f_ffff, 512)];

/// A tree in which each header follows the best, or any, of those before.
fn grown(choices: &[(bool, prop::sample::Index, usize)]) -> (Tree, Model) {
    let mut tree = tree(Spec::regtest());
    let mut model = Model(vec![Node { parent: 0, height: 0, work: 2, failed: false }]);
    for (salt, (follow, any, bits)) in (0..).zip(choices) {
        let parent = if *follow { model.0.len() - 1 } else { any.index(model.0.len()) };
        let (bits, work) = BITS[*bits];
        let header = Header { bits: CompactTarget::from_consensus(bits), ..child(&tree, id(parent), salt) };
        assert_eq!(tree.insert_trusted(&header), Ok(id(model.0.len())));
        let Node { height, work: before, .. } = model.0[parent];
        model.0.push(Node { parent, height: height + 1, work: before + work, failed: false });
    }
    (tree, model)
}

fn id(node: usize) -> Id {
    Id(u32::try_from(node).unwrap())
}

fn choices(most: usize) -> impl Strategy<Value = Vec<(bool, prop::sample::Index, usize)>> {
    let follow = prop::bool::weighted(0.9);
    prop::collection::vec((follow, any::<prop::sample::Index>(), 0..BITS.len()), 1..most)
}

proptest! {
    #[test]
    fn ways_through_the_tree_equal_the_models(
        choices in choices(300), pairs in prop::collection::vec(any::<[prop::sample::Index; 2]>(), 20)
    ) {
        let (tree, model) = grown(&choices);
        for pair in pairs {
            let [a, b] = pair.map(|index| index.index(model.0.len()));
            let (from, to) = (model.line(a), model.line(b));
            for node in &from {
                prop_assert_eq!(tree.ancestor(id(a), model.0[*node].height), Some(id(*node)));
            }
            prop_assert_eq!(tree.ancestor(id(a), model.0[a].height + 1), None);
            prop_assert_eq!(tree.is_ancestor(id(b), id(a)), from.contains(&b));
            let fork = *from.iter().find(|node| to.contains(node)).unwrap();
            prop_assert_eq!(tree.fork_point(id(a), id(b)), id(fork));
            let above = |line: &[usize]| line.iter().take_while(|node| **node != fork).map(|node| id(*node)).collect::<Vec<_>>();
            let path = tree.path(id(a), id(b));
            let mut connect = above(&to);
            connect.reverse();
            prop_assert_eq!(path, Path { fork: id(fork), disconnect: above(&from), connect });
            // A peer on b's branch finds where a's leaves it, at most one step of the locator too low.
            let locator = tree.locator(id(b));
            let found = tree.find_fork(id(a), &locator);
            prop_assert!(tree.is_ancestor(found, id(fork)));
            let highest = to.iter().filter(|node| locator.contains(&tree.hash(id(**node)))).find(|node| from.contains(node));
            let known = if to.contains(&a) { a } else { *highest.unwrap() };
            prop_assert_eq!(found, id(known));
        }
    }

    #[test]
    fn judgements_equal_the_models(
        choices in choices(80),
        judgements in prop::collection::vec((prop::bool::weighted(0.6), any::<prop::sample::Index>()), 1..12)
    ) {
        let (mut tree, mut model) = grown(&choices);
        for (invalid, at) in judgements {
            let node = at.index(model.0.len());
            let hash = tree.hash(id(node));
            if invalid {
                prop_assert_eq!(tree.invalidate(&hash), (node != 0).then_some(id(node)));
                model.0[node].failed = node != 0;
            } else {
                prop_assert_eq!(tree.reconsider(&hash), Some(id(node)));
                model.reconsider(node);
            }
            for node in 0..model.0.len() {
                prop_assert_eq!(tree.status(id(node)), model.status(node), "{}", node);
            }
            prop_assert_eq!(tree.best(), id(model.best()));
        }
        let parents: Vec<usize> = model.0.iter().skip(1).map(|node| node.parent).collect();
        let tips: Vec<Id> = (0..model.0.len()).filter(|node| !parents.contains(node)).map(id).collect();
        prop_assert_eq!(tree.tips(), tips);
    }

    #[test]
    fn many_judgements_at_once_equal_one_after_the_other(
        choices in choices(80), judged in prop::collection::vec(any::<prop::sample::Index>(), 0..12)
    ) {
        let (mut at_once, model) = grown(&choices);
        let mut one_by_one = at_once.clone();
        let judged: Vec<Id> = judged.iter().map(|at| id(at.index(model.0.len()))).collect();
        at_once.invalidate_all(judged.iter().copied());
        for id in judged {
            one_by_one.invalidate(&one_by_one.hash(id));
        }
        for id in at_once.iter() {
            prop_assert_eq!(at_once.status(id), one_by_one.status(id));
        }
        prop_assert_eq!(at_once.best(), one_by_one.best());
    }

    #[test]
    fn the_best_header_is_the_first_of_the_most_work(choices in choices(200)) {
        let (tree, model) = grown(&choices);
        prop_assert_eq!(tree.best(), id(model.best()));
        let work = tree.work(tree.best()).to_string().parse::<u64>().unwrap();
        prop_assert_eq!(work, model.0[model.best()].work);
    }
}

#[test]
fn unknown_blocks_are_not_judged() {
    let mut tree = tree(Spec::regtest());
    assert_eq!(tree.invalidate(&BlockHash::all_zeros()), None);
    assert_eq!(tree.reconsider(&BlockHash::all_zeros()), None);
}

#[test]
fn a_candidate_with_more_work_wins_and_then_the_one_whose_block_came_first() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let one = grow(&mut tree, genesis, 1, 1);
    let other = grow(&mut tree, genesis, 1, 2);
    let longer = grow(&mut tree, other, 1, 3);
    assert!(tree.candidate(one, 5) > tree.candidate(other, 6));
    assert!(tree.candidate(other, 5) > tree.candidate(one, 6));
    assert!(tree.candidate(longer, 7) > tree.candidate(one, 1));
    assert!(tree.candidate(one, 5) > tree.candidate(other, 5), "the header that came first");
}

/// As Bitcoin Core, `src/test/skiplist_tests.cpp`, `getlocator_test`: twelve hashes in a row, then steps that double.
#[test]
fn a_locator_is_dense_at_the_tip_and_sparse_below() {
    let mut tree = tree(Spec::regtest());
    for salt in 0..1_000 {
        let header = child(&tree, tree.best(), salt);
        tree.insert_trusted(&header).unwrap();
    }
    let heights: Vec<u32> = tree.locator(tree.best()).iter().map(|hash| tree.height(tree.get(hash).unwrap())).collect();
    let expected =
        [1000, 999, 998, 997, 996, 995, 994, 993, 992, 991, 990, 989, 987, 983, 975, 959, 927, 863, 735, 479, 0];
    assert_eq!(heights, expected);
    assert_eq!(tree.locator(tree.genesis()), [tree.hash(tree.genesis())]);
    assert_eq!(tree.find_fork(tree.best(), &[]), tree.genesis());
    assert_eq!(tree.find_fork(tree.best(), &[BlockHash::all_zeros()]), tree.genesis());
}

#[test]
fn an_ancestor_is_few_steps_away() {
    let mut tree = tree(Spec::regtest());
    for salt in 0..70_000 {
        let header = child(&tree, tree.best(), salt);
        tree.insert_trusted(&header).unwrap();
    }
    let tip = tree.best();
    for height in (0..70_000).step_by(997) {
        assert_eq!(tree.ancestor(tip, height).map(|id| tree.height(id)), Some(height));
        // Skips alone lead to the genesis header in as many steps as the height has bits.
        let mut steps = 0;
        let mut walk = tree.ancestor(tip, height).unwrap();
        while walk != tree.genesis() {
            walk = Id(tree.entry(walk).skip);
            steps += 1;
        }
        assert!(steps <= 2 * 17, "{steps}");
    }
}
