//! Merkle trees as Bitcoin builds them: the last node of an odd level is paired with itself.
//!
//! That pairing lets a list and the same list with its end repeated have one root (CVE-2012-2459), so a [`Root`] also
//! says whether two equal nodes were paired.

use bitcoin::hashes::{Hash, HashEngine, sha256d};

/// What a list of leaves comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The root; zeros if there is no leaf.
    pub hash: sha256d::Hash,
    /// Two neighbours are equal, so that a shorter list has the same root (CVE-2012-2459).
    pub repeated: bool,
}

/// The root of `leaves`, which are overwritten level by level.
#[must_use]
pub fn root(mut leaves: Vec<sha256d::Hash>) -> Root {
    let mut repeated = false;
    while leaves.len() > 1 {
        repeated |= leaves.chunks_exact(2).any(|pair| matches!(pair, [left, right] if left == right));
        let parents = leaves.len().div_ceil(2);
        for parent in 0..parents {
            // Node `parent` of the next level is written where no later pair reads.
            let left = parent.saturating_mul(2);
            let Some((left, right)) = leaves.get(left).map(|first| (first, leaves.get(left.saturating_add(1)))) else {
                break;
            };
            let hash = node(left, right.unwrap_or(left));
            if let Some(slot) = leaves.get_mut(parent) {
                *slot = hash;
            }
        }
        leaves.truncate(parents);
    }
    Root { hash: leaves.first().copied().unwrap_or_else(sha256d::Hash::all_zeros), repeated }
}

fn node(left: &sha256d::Hash, right: &sha256d::Hash) -> sha256d::Hash {
    let mut engine = sha256d::Hash::engine();
    engine.input(left.as_byte_array());
    engine.input(right.as_byte_array());
    sha256d::Hash::from_engine(engine)
}

/// What the first leaf is hashed with on its way to the root, from the bottom up, whatever that leaf is; `others` are the
/// leaves behind it. So a coinbase can change without hashing the other transactions again.
#[must_use]
pub fn branch(others: Vec<sha256d::Hash>) -> Vec<sha256d::Hash> {
    let mut branch = Vec::new();
    let mut level = others;
    while let Some((sibling, rest)) = level.split_first() {
        branch.push(*sibling);
        let parent = |pair: &[sha256d::Hash]| match pair {
            [left, right] => Some(node(left, right)),
            [only] => Some(node(only, only)),
            _ => None,
        };
        level = rest.chunks(2).filter_map(parent).collect();
    }
    branch
}

/// The root over a first leaf and its [`branch`].
#[must_use]
pub fn climb(first: sha256d::Hash, branch: &[sha256d::Hash]) -> sha256d::Hash {
    branch.iter().fold(first, |hash, sibling| node(&hash, sibling))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<sha256d::Hash> {
        (0..count).map(|i| sha256d::Hash::hash(&[i])).collect()
    }

    /// The definition, written as one would say it.
    fn naive(level: &[sha256d::Hash]) -> sha256d::Hash {
        match level {
            [] => sha256d::Hash::all_zeros(),
            [only] => *only,
            _ => {
                let parents: Vec<_> =
                    level.chunks(2).map(|pair| node(&pair[0], pair.last().expect("a chunk is not empty"))).collect();
                naive(&parents)
            }
        }
    }

    #[test]
    fn root_is_that_of_the_definition() {
        for count in 0..=70 {
            let leaves = leaves(count);
            assert_eq!(root(leaves.clone()), Root { hash: naive(&leaves), repeated: false }, "{count} leaves");
        }
    }

    #[test]
    fn the_first_leaf_climbs_to_the_root() {
        for count in 1..=70 {
            let all = leaves(count);
            assert_eq!(climb(all[0], &branch(all[1..].to_vec())), naive(&all), "{count} leaves");
        }
    }

    #[test]
    fn repeating_the_end_keeps_the_root_and_is_noticed() {
        for count in 1..=40_usize {
            let honest = leaves(u8::try_from(count).unwrap());
            // The widths by which the end can be repeated: where the level of that width has an odd number of nodes,
            // and is not the root.
            for width in [1, 2, 4, 8, 16, 32] {
                if count == width || count % width != 0 || (count / width) % 2 == 0 {
                    continue;
                }
                let mut mutated = honest.clone();
                mutated.extend_from_slice(&honest[count - width..]);
                let expected = root(honest.clone());
                assert!(!expected.repeated);
                assert_eq!(
                    root(mutated),
                    Root { hash: expected.hash, repeated: true },
                    "{count} leaves, {width} repeated"
                );
            }
        }
    }

    #[test]
    fn equal_neighbours_anywhere_are_noticed() {
        let mut list = leaves(8);
        list[3] = list[2];
        assert!(root(list).repeated);
        let mut list = leaves(8);
        list[2] = list[1];
        assert!(!root(list).repeated, "they are not siblings");
    }
}
