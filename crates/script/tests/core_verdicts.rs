//! Random blocks, valid ones and such that break a rule or two, shown to Bitcoin Core and to our rules: both must
//! say the same, with the same reason and the same view of whether the block could be someone's mutation.
//!
//! `YAP_BLOCKS` sets how many blocks are tried and `YAP_SEED` where to begin; a failure prints its seed.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test, with small numbers of its own making"
)]

#[path = "core_verdicts/core.rs"]
mod core;
#[path = "core_verdicts/defect.rs"]
mod defect;
#[path = "core_verdicts/generator.rs"]
mod generator;
#[path = "core_verdicts/ours.rs"]
mod ours;

use std::collections::BTreeMap;

use generator::Generator;

/// Blocks tried by default.
const BLOCKS: u64 = 400;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn verdicts_are_those_of_bitcoin_core() {
    let seed = number("YAP_SEED", 1);
    let mut generator = Generator::new(seed);
    let mut ours = ours::Chain::new();
    let core = core::Chain::new(seed);
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..120 {
        let block = generator.empty(&ours);
        assert_eq!(core.judge(&block), None);
        assert_eq!(ours.judge(block), None);
    }
    for trial in 0..number("YAP_BLOCKS", BLOCKS) {
        let (block, defects) = generator.next(&ours);
        let theirs = core.judge(&block);
        let verdict = ours.judge(block);
        assert_eq!(verdict, theirs, "YAP_SEED={seed}, trial {trial}, defects {defects:?} (left: ours, right: Core's)");
        let reason = verdict.map_or_else(|| "valid".to_owned(), |verdict| verdict.reason);
        *reasons.entry(reason).or_default() += 1;
    }
    println!("{reasons:#?}");
    assert!(reasons["valid"] > 10, "too few valid blocks to mean anything: {reasons:?}");
}
