//! The whole ledger against Bitcoin Core's validation: the same blocks to both, the same verdict and the same tip.

use std::env;

use yap_chain::bitcoin::BlockHash;
use yap_sim::differential;
use yap_sim::oracle::Oracle;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::Ledger;

/// Cases in the usual run; `YAP_DIFFERENTIAL_CASES` asks for more.
const CASES: usize = 3_000;

fn cases() -> usize {
    env::var("YAP_DIFFERENTIAL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES)
}

/// `YAP_SEED` replays a run.
fn seed(usual: u64) -> u64 {
    env::var("YAP_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(usual)
}

#[test]
fn mutations_and_orders_of_arrival_get_cores_verdict_and_tip() {
    let (mut ledger, mut oracle) = (Ledger::regtest(), Oracle::regtest().unwrap());
    let report = differential::run(&mut ledger, &mut oracle, seed(1), cases());
    println!("{report}");
    assert!(report.differences.is_empty(), "YAP_SEED={}: {report}", seed(1));
    assert!(report.reorganisations > 20, "too few reorganisations to mean anything: {report}");
    // What was agreed on is also what is on disk after a restart.
    let tip = ledger.tip();
    assert_eq!(ledger.restart().tip(), tip);
}

#[test]
fn children_of_mutated_blocks_get_cores_verdict() {
    let (mut ledger, mut oracle) = (Ledger::regtest(), Oracle::regtest().unwrap());
    let report = differential::mutated_parents(&mut ledger, &mut oracle, seed(2), 100);
    assert!(report.differences.is_empty(), "YAP_SEED={}: {report}", seed(2));
}

/// Agrees with everything, so that the harness itself is seen to notice a difference.
struct Gullible(BlockHash);

impl Subject for Gullible {
    fn submit(&mut self, _raw: &[u8]) -> Verdict {
        Verdict::Accepted
    }

    fn tip(&self) -> (BlockHash, u32) {
        (self.0, 0)
    }
}

#[test]
fn a_ledger_that_takes_everything_is_found_out() {
    let mut oracle = Oracle::regtest().unwrap();
    let report = differential::run(&mut Gullible(oracle.tip().0), &mut oracle, 3, 10);
    assert!(!report.differences.is_empty());
}
