//! The harness itself: Core agrees with Core, and whoever deviates from it is found.

use std::collections::BTreeMap;
use std::iter::successors;

use bitcoin::consensus::encode;
use bitcoin::{Block, BlockHash};
use yap_sim::verdict::Kind;
use yap_sim::{Oracle, Subject, Verdict, differential, unspent};

/// Core, but for one rule that it doesn't know by that name.
struct Deviant {
    core: Oracle,
    rule: &'static str,
}

impl Subject for Deviant {
    fn submit(&mut self, raw: &[u8]) -> Verdict {
        let verdict = self.core.submit(raw);
        if verdict.rule() == Some(self.rule) { Verdict::invalid(Kind::Consensus, "another-rule") } else { verdict }
    }

    fn tip(&self) -> (BlockHash, u32) {
        self.core.tip()
    }
}

/// Core, but it misses every block after the first `blocks`.
struct Deaf {
    core: Oracle,
    blocks: usize,
}

impl Subject for Deaf {
    fn submit(&mut self, raw: &[u8]) -> Verdict {
        if self.blocks == 0 {
            return Verdict::Accepted;
        }
        self.blocks = self.blocks.saturating_sub(1);
        self.core.submit(raw)
    }

    fn tip(&self) -> (BlockHash, u32) {
        self.core.tip()
    }
}

/// Core, with a UTXO set that is always empty.
struct Forgetful(Oracle);

impl Subject for Forgetful {
    fn submit(&mut self, raw: &[u8]) -> Verdict {
        self.0.submit(raw)
    }

    fn tip(&self) -> (BlockHash, u32) {
        self.0.tip()
    }

    fn unspent(&mut self) -> Option<unspent::Set> {
        Some(unspent::Set::new())
    }
}

/// Core, with every block that it was given, to make the UTXO set from.
struct Recorder {
    core: Oracle,
    blocks: BTreeMap<BlockHash, Block>,
}

impl Subject for Recorder {
    fn submit(&mut self, raw: &[u8]) -> Verdict {
        let verdict = self.core.submit(raw);
        if verdict == Verdict::Accepted {
            let block: Block = encode::deserialize(raw).expect("Core read it");
            self.blocks.insert(block.block_hash(), block);
        }
        verdict
    }

    fn tip(&self) -> (BlockHash, u32) {
        self.core.tip()
    }

    fn unspent(&mut self) -> Option<unspent::Set> {
        let back = |block: &&Block| self.blocks.get(&block.header.prev_blockhash);
        let mut chain: Vec<_> = successors(self.blocks.get(&self.tip().0), back).collect();
        chain.reverse();
        Some(unspent::replay(chain))
    }
}

#[test]
fn core_agrees_with_core() {
    let mut all = differential::Report::default();
    for seed in 0..3 {
        let mut subject = Recorder { core: Oracle::regtest().unwrap(), blocks: BTreeMap::new() };
        let mut reference = Oracle::regtest().unwrap();
        let report = differential::run(&mut subject, &mut reference, seed, 300);
        assert!(report.is_clean(), "{report}");
        all.merge(report);
    }
    // The cases reach what they are meant to.
    assert!(all.reorganisations > 20 && all.states > 30, "{all}");
    for verdict in ["accepted", "duplicate", "unreadable", "duplicate-invalid", "bad-prevblk", "prev-blk-not-found"] {
        assert!(all.verdicts.contains_key(verdict), "no {verdict}: {all}");
    }
}

#[test]
fn core_agrees_with_core_on_children_of_mutated_blocks() {
    let (mut subject, mut reference) = (Oracle::regtest().unwrap(), Oracle::regtest().unwrap());
    let report = differential::mutated_parents(&mut subject, &mut reference, 1, 40);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.cases, 40, "{report}");
}

#[test]
fn another_reason_is_found() {
    let mut subject = Deviant { core: Oracle::regtest().unwrap(), rule: "block-script-verify-flag-failed" };
    let mut reference = Oracle::regtest().unwrap();
    let report = differential::run(&mut subject, &mut reference, 1, 100);
    let difference = report.differences.first().unwrap_or_else(|| panic!("nothing found: {report}"));
    assert_eq!(difference.reference.verdict.rule(), Some("block-script-verify-flag-failed"), "{difference}");
    assert_eq!(difference.subject.tip, difference.reference.tip, "{difference}");
}

#[test]
fn another_tip_is_found_and_ends_the_run() {
    let mut subject = Deaf { core: Oracle::regtest().unwrap(), blocks: 100 };
    let mut reference = Oracle::regtest().unwrap();
    let report = differential::run(&mut subject, &mut reference, 1, 100);
    assert_eq!(report.cases, 0, "{report}");
    assert_eq!(report.differences.first().unwrap().reference.tip.1, 101, "{report}");
}

#[test]
fn wrong_coins_are_found() {
    let mut subject = Forgetful(Oracle::regtest().unwrap());
    let mut reference = Oracle::regtest().unwrap();
    let report = differential::run(&mut subject, &mut reference, 1, 1);
    assert!(report.differences.is_empty() && !report.is_clean(), "{report}");
    assert!(report.state_differences.first().unwrap().difference.missing.len() > 500, "{report}");
}
