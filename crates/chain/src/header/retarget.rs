//! The bits that the next header must have.
//!
//! As `GetNextWorkRequired` and `CalculateNextWorkRequired` of Bitcoin Core, and for chains that ask for it aserti3-2d, or its
//! arithmetic relative to the parent.

use bitcoin::block::Header;
use bitcoin::{CompactTarget, Target};

use super::asert::Schedule;
use super::pow;
use super::tree::{Id, Tree};
use super::wide::Wide;
use crate::spec::{ProofOfWork, Retarget, Spec};

/// The bits of a header after `parent` with the given time.
#[must_use]
pub fn next_bits(tree: &Tree, parent: Id, time: u32) -> CompactTarget {
    let work = &tree.spec().work;
    match work.retarget {
        Retarget::None => tree.bits(parent),
        Retarget::Asert { half_life } => scheduled(tree.spec(), half_life, tree.time(parent), tree.height(parent)),
        Retarget::Relative { half_life } => {
            let before = tree.parent(parent).map(|before| tree.time(before));
            relative(work, half_life, tree.bits(parent), took(tree.time(parent), before))
        }
        Retarget::Bitcoin { interval, min_difficulty_blocks, bip94 } => {
            let height = tree.height(parent).saturating_add(1);
            if height.checked_rem(interval) == Some(0) {
                let first = tree.ancestor(parent, height.saturating_sub(interval)).unwrap_or_else(|| tree.genesis());
                let timespan = i64::from(tree.time(parent)).saturating_sub(i64::from(tree.time(first)));
                // BIP-0094: the first block of a period can't be a minimum-difficulty block, so its target is the real
                // one.
                let bits = tree.bits(if bip94 { first } else { parent });
                adjusted(bits, timespan, work, interval)
            } else if min_difficulty_blocks {
                relaxed(tree, parent, time, interval)
            } else {
                tree.bits(parent)
            }
        }
    }
}

/// Bitcoin's adjustment: the target times what the period took over what it should take, at most fourfold either way.
///
/// As Bitcoin Core, but for what its chains can't come to: of a period below four seconds a quarter counts as a second,
/// and no target is below one. Core's arithmetic would give zero, after which no block could follow.
#[must_use]
pub fn adjusted(bits: CompactTarget, timespan: i64, work: &ProofOfWork, interval: u32) -> CompactTarget {
    let period = u64::from(interval).saturating_mul(u64::from(work.spacing)).max(1);
    let timespan = u64::try_from(timespan).unwrap_or(0).clamp((period >> 2).max(1), period.saturating_mul(4));
    let target = pow::target(bits, &work.limit).unwrap_or(work.limit);
    let next = Wide::from(target).times(timespan).over(period).to_target();
    next.max(pow::hardest()).min(work.limit).to_compact_lossy()
}

/// Test networks: a block more than twice the spacing after its parent has the easiest target, another one that of the
/// last block which was not excused so.
fn relaxed(tree: &Tree, parent: Id, time: u32, interval: u32) -> CompactTarget {
    let work = &tree.spec().work;
    let easiest = work.limit.to_compact_lossy();
    let late = u64::from(tree.time(parent)).saturating_add(u64::from(work.spacing).saturating_mul(2));
    if u64::from(time) > late {
        return easiest;
    }
    let mut block = parent;
    // At most `interval` steps.
    while tree.bits(block) == easiest && tree.height(block).checked_rem(interval) != Some(0) {
        match tree.parent(block) {
            Some(before) => block = before,
            None => break,
        }
    }
    tree.bits(block)
}

/// Whether a header at `height` may have these bits, as far as its parent alone shows. What is refused breaks a rule;
/// what passes may still break one that needs more headers. For chains of headers that are not kept.
///
/// As `PermittedDifficultyTransition` of Bitcoin Core: between adjustments nothing changes, at one at most fourfold, and
/// networks with blocks of minimum difficulty can't be told. ASERT needs no more than the parent, and the relative rule the
/// time of the header before the parent, `before`, so there it is exact.
#[must_use]
pub fn permits(spec: &Spec, height: u32, parent: &Header, before: Option<u32>, bits: CompactTarget) -> bool {
    let work = &spec.work;
    match work.retarget {
        Retarget::None => bits == parent.bits,
        Retarget::Asert { half_life } => bits == scheduled(spec, half_life, parent.time, height.saturating_sub(1)),
        Retarget::Relative { half_life } => bits == relative(work, half_life, parent.bits, took(parent.time, before)),
        Retarget::Bitcoin { min_difficulty_blocks: true, .. } => true,
        Retarget::Bitcoin { interval, .. } if height.checked_rem(interval) == Some(0) => {
            let (easiest, hardest) =
                (adjusted(parent.bits, i64::MAX, work, interval), adjusted(parent.bits, 0, work, interval));
            let targets = [hardest, bits, easiest].map(|bits| pow::target(bits, &work.limit));
            matches!(targets, [Some(hardest), Some(target), Some(easiest)] if hardest <= target && target <= easiest)
        }
        Retarget::Bitcoin { .. } => bits == parent.bits,
    }
}

/// aserti3-2d after a block of the given time and height, anchored at the genesis block. That has no parent whose time
/// could start the schedule, so it counts as on time: as one spacing after its parent.
fn scheduled(spec: &Spec, half_life: u32, time: u32, height: u32) -> CompactTarget {
    let ProofOfWork { limit, spacing, .. } = spec.work;
    let genesis = &spec.genesis.header;
    let anchor: Target = pow::target(genesis.bits, &limit).unwrap_or(limit);
    let start = i64::from(genesis.time).saturating_sub(i64::from(spacing));
    Schedule { anchor, limit, spacing, half_life }
        .next(i64::from(time).saturating_sub(start), height)
        .to_compact_lossy()
}

/// Seconds that a block took, if it is known when the one before it was made.
fn took(time: u32, before: Option<u32>) -> Option<i64> {
    before.map(|before| i64::from(time).saturating_sub(i64::from(before)))
}

/// The bits after a block of the given bits that took so many seconds: times 2^((seconds − spacing) ÷ half-life), with
/// aserti3-2d's arithmetic and rounding, the block being its own anchor. The bits alone hold the state, so each block's are
/// rounded down to what bits can tell: by less than 2^−15, which makes blocks 0.1 % rarer at 24 blocks to the half-life.
///
/// More seconds than spacing and half-life together count as these: the next block is at most twice as easy, however long
/// nobody mined. After the genesis block, which took no time that is known, nothing changes.
#[must_use]
pub fn relative(work: &ProofOfWork, half_life: u32, bits: CompactTarget, took: Option<i64>) -> CompactTarget {
    let ProofOfWork { limit, spacing, .. } = *work;
    let anchor = pow::target(bits, &limit).unwrap_or(limit);
    let most = i64::from(spacing).saturating_add(i64::from(half_life));
    let took = took.unwrap_or_else(|| i64::from(spacing)).min(most);
    Schedule { anchor, limit, spacing, half_life }.next(took, 0).to_compact_lossy()
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it fails")]
mod tests;
