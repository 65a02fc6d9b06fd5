use bitcoin::hashes::Hash;

use super::*;
use crate::fixture::Chain;

#[test]
fn known_tips_are_placed_by_the_tree() {
    let mut chain = Chain::of(5);
    let (tree, tip) = (&chain.tree, chain.tip);
    let at = |height| tree.ancestor(tip, height).unwrap();
    let of = |chain: &Chain, id| compare(chain, &chain.tree.hash(id), chain.tree.work(id));
    assert_eq!(of(&chain, tip), Comparison::Same);
    assert_eq!(of(&chain, at(3)), Comparison::Ahead);
    assert_eq!(of(&chain, tree.genesis()), Comparison::Ahead);
    let block = chain.mine(at(3), 1, &[]);
    let fork = chain.store(&block);
    assert_eq!(of(&chain, fork), Comparison::Forked);
    chain.tip = chain.tree.parent(tip).unwrap();
    assert_eq!(of(&chain, tip), Comparison::Behind);
}

#[test]
fn an_unknown_tip_is_judged_by_its_work() {
    let chain = Chain::of(5);
    let unknown = BlockHash::from_byte_array([7; 32]);
    let (ours, before) = (chain.tree.work(chain.tip), chain.tree.work(chain.tree.parent(chain.tip).unwrap()));
    assert_eq!(compare(&chain, &unknown, ours + before), Comparison::Behind);
    assert_eq!(compare(&chain, &unknown, ours), Comparison::Forked, "what has no more work can't follow our tip");
    assert_eq!(compare(&chain, &unknown, before), Comparison::Forked);
}

/// Two nodes that compare with each other agree: if one is behind the other is ahead.
#[test]
fn both_sides_see_the_same() {
    let long = Chain::of(9);
    let mut short = long.clone();
    for height in 0..=9 {
        short.tip = long.tree.ancestor(long.tip, height).unwrap();
        let seen = |by: &Chain, of: &Chain| compare(by, &of.tree.hash(of.tip), of.tree.work(of.tip));
        let expected = match height {
            9 => (Comparison::Same, Comparison::Same),
            _ => (Comparison::Behind, Comparison::Ahead),
        };
        assert_eq!((seen(&short, &long), seen(&long, &short)), expected, "{height}");
    }
}
