//! How our chain compares with a peer's, by work (P2).
//!
//! Whoever greets says its tip and its work. A known tip has a place in the tree; of an unknown one, its work says what
//! can be said before its headers came. Nothing is decided on a claim but what users are told and whom is asked first.

#[cfg(test)]
mod tests;

use bitcoin::{BlockHash, Work};

use crate::io::Comparison;
use crate::ledger::Ledger;

/// Compares our tip with theirs.
///
/// An unknown tip with more work than ours most likely follows ours: [`Comparison::Behind`] until its headers show
/// otherwise. One with no more work can't follow our tip, and every block before our tip is known to us: it is on
/// another branch, or the claim is false; [`Comparison::Forked`] either way.
#[must_use]
pub fn compare(ledger: &dyn Ledger, tip: &BlockHash, work: Work) -> Comparison {
    let (tree, ours) = (ledger.tree(), ledger.tip());
    match tree.get(tip) {
        Some(theirs) if theirs == ours => Comparison::Same,
        Some(theirs) if tree.is_ancestor(theirs, ours) => Comparison::Ahead,
        Some(theirs) if tree.is_ancestor(ours, theirs) => Comparison::Behind,
        None if work > tree.work(ours) => Comparison::Behind,
        Some(_) | None => Comparison::Forked,
    }
}
