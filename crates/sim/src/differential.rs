//! Runs a subject against a reference: the same blocks to both, the same verdict and the same tip expected after each.
//!
//! One run is one chain: both must be fresh (nothing but the genesis block of regtest). It grows by whatever valid
//! blocks the cases bring; everything follows from the seed, so a [`Difference`] is replayed by its seed alone.
//!
//! A case is one of:
//! - a [`Mutation`](crate::Mutation) on the tip, perhaps submitted again, with a child, or followed by the unchanged
//!   block;
//! - two mutations in one block, so that the order of the rules shows;
//! - a mutation on an earlier block, which is only judged as far as a side branch is;
//! - a block that is known already;
//! - a tree of blocks in a random order of arrival.
//!
//! Where the subject gives its UTXO set, that is compared now and then with what the chain's blocks alone make.
//!
//! Core checks its whole block tree at each step on regtest: many runs of a few hundred cases are faster than one long
//! run.

mod report;
mod run;

use crate::random::Random;
use crate::verdict::Subject;

pub use report::{Answer, Difference, Report, StateDifference};
use run::Run;

/// After so many differences a run ends.
pub const MAX_DIFFERENCES: usize = 8;

/// Cases between two comparisons of the subject's UTXO set with what the blocks make.
const STATE_INTERVAL: usize = 25;

/// Gives both `cases` seeded cases, and reports where they differ.
///
/// Core remembers the header of a block whose witnesses don't match their commitment, and takes children of it before
/// the right transactions come: see [`mutated_parents`], which is apart because a node may as well refuse them.
#[must_use]
pub fn run(subject: &mut dyn Subject, reference: &mut dyn Subject, seed: u64, cases: usize) -> Report {
    let mut run = Run::new(subject, reference, seed);
    let mut random = Random::new(seed).fork("differential");
    run.begin();
    for case in 0..cases {
        if run.is_over() {
            break;
        }
        run.case(case);
        match random.below(20) {
            0..=9 => run.mutation_on_tip(&mut random),
            10..=12 => run.mutations_together(&mut random),
            13 | 14 => run.mutation_below_tip(&mut random),
            15 => run.known(&mut random),
            _ => run.tree(&mut random),
        }
        if case % STATE_INTERVAL == STATE_INTERVAL - 1 {
            run.compare_state();
        }
    }
    run.compare_state();
    run.report()
}

/// Gives both children of blocks whose witnesses were changed, and then the unchanged blocks.
#[must_use]
pub fn mutated_parents(subject: &mut dyn Subject, reference: &mut dyn Subject, seed: u64, cases: usize) -> Report {
    let mut run = Run::new(subject, reference, seed);
    let mut random = Random::new(seed).fork("mutated parents");
    run.begin();
    for case in 0..cases {
        if run.is_over() {
            break;
        }
        run.case(case);
        run.child_of_mutated(&mut random);
    }
    run.report()
}
