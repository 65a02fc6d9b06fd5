//! The whole ledger against Bitcoin Core's validation: the same blocks to both, the same verdict and the same tip.

use std::env;

use yap_chain::bitcoin::BlockHash;
use yap_sim::differential::{self, Report};
use yap_sim::oracle::Oracle;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::Ledger;

/// Runs, each on a chain of its own: Core looks through its whole block index at each step, so that many short runs
/// are quicker than a long one. `YAP_DIFFERENTIAL_RUNS` asks for more.
const RUNS: u64 = 12;

/// Cases in one run.
const CASES: usize = 250;

fn number(name: &str, usual: u64) -> u64 {
    env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// `YAP_SEED` replays a run.
#[test]
fn mutations_and_orders_of_arrival_get_cores_verdict_tip_and_coins() {
    let seed = number("YAP_SEED", 1);
    let mut all = Report::default();
    for seed in seed..seed + number("YAP_DIFFERENTIAL_RUNS", RUNS) {
        let (mut ledger, mut oracle) = (Ledger::regtest(), Oracle::regtest().unwrap());
        let report = differential::run(&mut ledger, &mut oracle, seed, CASES);
        assert!(report.is_clean(), "YAP_SEED={seed}: {report}");
        // What was agreed on is also what is on disk after a restart.
        let tip = ledger.tip();
        assert_eq!(ledger.restart().tip(), tip, "YAP_SEED={seed}");
        all.merge(report);
    }
    println!("{all}");
    assert!(all.reorganisations > 5, "too few reorganisations to mean anything: {all}");
}

#[test]
fn children_of_mutated_blocks_get_cores_verdict() {
    let seed = number("YAP_SEED", 2);
    let (mut ledger, mut oracle) = (Ledger::regtest(), Oracle::regtest().unwrap());
    let report = differential::mutated_parents(&mut ledger, &mut oracle, seed, 100);
    assert!(report.is_clean(), "YAP_SEED={seed}: {report}");
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
    assert!(!report.is_clean());
}
