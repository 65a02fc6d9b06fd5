//! Which block nobody can take back.

use std::collections::BTreeSet;

use crate::header::tree::{Id, Tree};

/// Blocks looked at from the tip down. On a healthy chain two thirds of the producers take a few more blocks than two thirds
/// of their number; while too few sign, nothing becomes irreversible however far one looks.
pub const MAX_WALK: u32 = 4096;

/// The newest block below `tip` on which more than two thirds of `producers` have built, if it is above `floor`, the one that
/// was found before. `signer` says who signed a block.
///
/// Never moves back or aside: where `tip` does not have `floor` below it, nothing is found.
#[must_use]
pub fn irreversible(
    tree: &Tree,
    (floor, tip): (Id, Id),
    producers: u16,
    signer: impl Fn(Id) -> Option<u16>,
) -> Option<Id> {
    if producers == 0 || !tree.is_ancestor(floor, tip) {
        return None;
    }
    let mut builders = BTreeSet::new();
    let mut block = tip;
    for _ in 0..MAX_WALK {
        if block == floor {
            return None;
        }
        builders.extend(signer(block).filter(|producer| *producer < producers));
        block = tree.parent(block)?;
        // MUST: more than two thirds, of those who built on the block.
        if builders.len().saturating_mul(3) > usize::from(producers).saturating_mul(2) {
            return (block != floor).then_some(block);
        }
    }
    None
}
