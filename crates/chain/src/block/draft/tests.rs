use bitcoin::Txid;
use bitcoin::hashes::Hash;

use super::*;
use crate::block::{Context, check, check_in_context};
use crate::fixture;
use crate::header::pow;
use crate::spec::Spec;

const NOW: u32 = 1_800_000_000;

/// Transactions that look real enough for a block; every other one has a witness.
fn transactions(count: u32) -> Vec<Arc<Transaction>> {
    let transaction = |n: u32| {
        let mut input = fixture::input(OutPoint { txid: Txid::hash(&n.to_le_bytes()), vout: n });
        if n.is_multiple_of(2) {
            input.witness.push([7; 20]);
        }
        let transaction = bitcoin::Transaction {
            version: transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![fixture::output(u64::from(n))],
        };
        Arc::new(Transaction::parse(serialize(&transaction)).unwrap())
    };
    (0..count).map(transaction).collect()
}

fn draft(tree: &Tree, parent: Id, count: u32) -> Draft {
    let payout = ScriptBuf::from_bytes(vec![0x51]);
    Draft::new(tree, parent, Contents { transactions: transactions(count), fees: Amount::from_sat(7), payout }, NOW)
}

fn found(draft: &Draft, extra: u64) -> Block {
    let header = draft.header(extra);
    let target = pow::target(header.bits, &Spec::local().work.limit).unwrap();
    let nonce = (0..1_000_000).find(|&nonce| target.is_met_by(Header { nonce, ..header }.block_hash())).unwrap();
    draft.seal(extra, header.time, nonce)
}

#[test]
fn a_draft_that_is_found_keeps_every_rule() {
    for spec in [Spec::local(), Spec::regtest()] {
        let spec = Arc::new(spec);
        let mut tree = Tree::new(Arc::clone(&spec), 1);
        let mut tip = tree.genesis();
        for count in [0, 1, 2, 3, 4, 5, 17, 100] {
            let draft = draft(&tree, tip, count);
            let block = found(&draft, u64::from(count) << 40);
            check(&block).unwrap();
            assert_eq!(block.header().time, NOW.max(tree.earliest_time(tip)));
            let (height, median_time_past) = (tree.height(tip) + 1, tree.median_time_past(tip));
            assert_eq!(draft.height(), height);
            check_in_context(&block, &Context { height, median_time_past, deployments: &spec.deployments }).unwrap();
            tip = tree.accept(block.header(), NOW).unwrap().id();
            assert_eq!(block.transactions().len(), count as usize + 1);
            let coinbase = block.transactions()[0].decoded();
            assert_eq!(coinbase.output[0].value, spec.subsidy_at(height) + Amount::from_sat(7));
            assert_eq!(Block::parse(block.bytes().to_vec()).unwrap(), block);
        }
    }
}

#[test]
fn another_extra_nonce_is_another_block() {
    let tree = Tree::new(Arc::new(Spec::regtest()), 1);
    let draft = draft(&tree, tree.genesis(), 3);
    let roots = [0, 1, 1 << 63].map(|extra| draft.header(extra).merkle_root);
    assert!(roots[0] != roots[1] && roots[1] != roots[2] && roots[0] != roots[2]);
    assert_eq!(found(&draft, 1).header().merkle_root, roots[1]);
}

#[test]
fn before_segwit_nothing_is_committed_to() {
    let mut spec = Spec::regtest();
    spec.deployments.segwit = 2;
    let mut tree = Tree::new(Arc::new(spec), 1);
    let first = found(&draft(&tree, tree.genesis(), 0), 0);
    assert!(!first.transactions()[0].has_witness() && first.transactions()[0].decoded().output.len() == 1);
    let tip = tree.accept(first.header(), NOW).unwrap().id();
    assert!(found(&draft(&tree, tip, 0), 0).transactions()[0].has_witness());
}

#[test]
fn a_time_is_not_before_the_parents_where_times_go_forward() {
    let mut tree = Tree::new(Arc::new(Spec::local()), 1);
    let first = found(&draft(&tree, tree.genesis(), 0), 0);
    let tip = tree.accept(first.header(), NOW).unwrap().id();
    let late = Draft::new(&tree, tip, Contents::default(), NOW - 1_000);
    assert!(late.header(0).time >= NOW);
}
