//! Every rule, broken alone: the reason that is given, and a state that is as it was.

use yap_chain::bitcoin::consensus::serialize;
use yap_sim::builder::Builder;
use yap_sim::mutation::{Expected, Mutation};
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::Ledger;

#[test]
fn a_block_that_breaks_one_rule_is_refused_for_it_and_changes_nothing() {
    let mut builder = Builder::regtest(21);
    builder.prepare(8);
    (0..3).for_each(|_| drop(builder.random_block()));
    let mut ledger = Ledger::regtest();
    for block in builder.blocks() {
        assert_eq!(ledger.submit(&serialize(block)), Verdict::Accepted);
    }
    let (tip, totals) = (ledger.tip(), ledger.totals());
    let mut refused = 0;
    for mutation in Mutation::all() {
        let mut branch = builder.fork_at(builder.height());
        let Some(case) = mutation.apply(&mut branch) else { panic!("{mutation:?} cannot be applied") };
        if !matches!(case.expected, Expected::Invalid(..)) {
            continue;
        }
        let verdict = ledger.submit(&case.raw);
        assert!(case.expected.allows(&verdict), "{mutation:?}: {verdict}, expected {:?}", case.expected);
        assert_eq!(ledger.tip(), tip, "{mutation:?}");
        assert_eq!(ledger.totals(), totals, "{mutation:?}");
        refused += 1;
    }
    assert!(refused > 80, "only {refused} rules were broken");
    // Whatever the refused blocks left behind, the chain goes on.
    let next = builder.random_block();
    assert_eq!(ledger.restart().submit(&serialize(&next)), Verdict::Accepted);
    assert_eq!(ledger.tip().0, next.block_hash());
}
