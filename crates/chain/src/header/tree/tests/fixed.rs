//! Branches that leave a fixed block.

use super::*;

#[test]
fn branches_that_leave_a_fixed_block_are_kept_and_not_followed() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let common = grow(&mut tree, genesis, 3, 0);
    let ours = grow(&mut tree, common, 3, 1);
    let rival = grow(&mut tree, common, 5, 2);
    assert_eq!(tree.best(), rival);

    assert!(tree.fix(tree.ancestor(ours, 5).unwrap()));
    assert_eq!(tree.best(), ours, "less work, and the only one to follow");
    assert_eq!(
        (tree.status(ours), tree.status(common), tree.status(genesis)),
        (Status::Valid, Status::Valid, Status::Valid)
    );
    let first = tree.ancestor(rival, 4).unwrap();
    assert_eq!((tree.status(first), tree.status(rival)), (Status::Forked, Status::Forked));

    // Whoever sends more of it broke no rule.
    let more = grow(&mut tree, rival, 2, 2);
    assert_eq!((tree.status(more), tree.best()), (Status::Forked, ours));
    let again = tree.header(more);
    assert_eq!(tree.accept(&again, LATE), Ok(Accepted::Known(more)));
    let below = tree.ancestor(ours, 4).unwrap();
    let late = grow(&mut tree, below, 1, 9);
    assert_eq!(tree.status(late), Status::Forked, "it leaves just below");
    let next = grow(&mut tree, ours, 1, 1);
    assert_eq!((tree.status(next), tree.best()), (Status::Valid, next));
}

#[test]
fn what_is_fixed_moves_to_descendants_alone() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let ours = grow(&mut tree, genesis, 4, 1);
    let rival = grow(&mut tree, genesis, 6, 2);
    assert_eq!(tree.fixed(), genesis);
    assert!(!tree.fix(genesis), "it always is");
    let (low, high) = (tree.ancestor(ours, 2).unwrap(), tree.ancestor(ours, 3).unwrap());
    assert!(tree.fix(low) && tree.fix(high));
    assert!(!tree.fix(low) && !tree.fix(high) && !tree.fix(rival));
    assert_eq!((tree.fixed(), tree.best()), (high, ours));
}

#[test]
fn an_invalid_branch_stays_so_whatever_is_fixed() {
    let mut tree = tree(Spec::regtest());
    let genesis = tree.genesis();
    let ours = grow(&mut tree, genesis, 2, 1);
    let rival = grow(&mut tree, genesis, 3, 2);
    let bad = tree.hash(tree.ancestor(rival, 2).unwrap());
    tree.fix(ours);
    tree.invalidate(&bad);
    let status = |tree: &Tree, height| tree.status(tree.ancestor(rival, height).unwrap());
    assert_eq!([1, 2, 3].map(|height| status(&tree, height)), [Status::Forked, Status::Invalid, Status::Descends]);
    let header = child(&tree, rival, 2);
    let refused = tree.accept(&mined(header), LATE);
    assert!(matches!(refused, Err(Error::InvalidParent { .. })), "{refused:?}");
    tree.reconsider(&bad);
    assert_eq!([1, 2, 3].map(|height| status(&tree, height)), [Status::Forked; 3]);
    assert_eq!(tree.best(), ours);
}
