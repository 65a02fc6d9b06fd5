//! Each rule by the smallest block that breaks it alone, and limits at the bound and one past it.

use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Sequence};

use crate::block::Error;
use crate::coin::Coin;
use crate::connect::{Coins, Context, Effect, Failure, connect, is_unspendable};
use crate::fixture::{EveryTenMinutes, Set, block, coinbase, context, deployments, outpoint, output, place, spend};
use crate::spec::Deployments;
use crate::transaction;
use crate::verify::Flags;

const MAX_MONEY: u64 = 2_100_000_000_000_000;
const SUBSIDY: u64 = 5_000_000_000;
/// Height of the blocks under test.
const HEIGHT: u32 = 200;

fn coin(value: u64, height: u32, coinbase: bool) -> Coin {
    Coin::new(Amount::from_sat(value), &output(0).script_pubkey, height, coinbase)
}

/// A set with `values` at `outpoint(0)` and so on, made at height 1.
fn set(values: &[u64]) -> Set {
    Set::with((0..).zip(values).map(|(n, value)| (outpoint(n), coin(*value, 1, false))))
}

fn connected(transactions: &[bitcoin::Transaction], set: &mut Set) -> Result<Effect, Error> {
    connected_with(transactions, set, &context(HEIGHT, &deployments()))
}

fn connected_with(
    transactions: &[bitcoin::Transaction],
    set: &mut Set,
    context: &Context<'_, EveryTenMinutes>,
) -> Result<Effect, Error> {
    connect(&block(transactions), context, set).map_err(|Failure::Rule(error)| error)
}

/// The reason why a block with `transactions` behind its coinbase is refused.
fn reason(transactions: &[bitcoin::Transaction], set: &mut Set) -> &'static str {
    let all = [&[coinbase(HEIGHT, &[0])], transactions].concat();
    connected(&all, set).unwrap_err().reason()
}

fn first_output(transaction: &bitcoin::Transaction) -> OutPoint {
    OutPoint { txid: transaction.compute_txid(), vout: 0 }
}

#[test]
fn effect_is_what_the_block_does() {
    let mut set = set(&[10, 20]);
    let first = coinbase(HEIGHT, &[SUBSIDY + 3]);
    let second = spend(&[outpoint(0), outpoint(1)], &[25, 2]);
    let effect = connected(&[first.clone(), second.clone()], &mut set).unwrap();
    assert_eq!(effect.fees, Amount::from_sat(3));
    assert_eq!(effect.changes.removed, [outpoint(0), outpoint(1)]);
    let made = |transaction, vout| OutPoint { vout, ..first_output(transaction) };
    let expected = [
        (made(&first, 0), coin(SUBSIDY + 3, HEIGHT, true)),
        (made(&second, 0), coin(25, HEIGHT, false)),
        (made(&second, 1), coin(2, HEIGHT, false)),
    ];
    assert_eq!(effect.changes.created, expected);
    assert_eq!(effect.undo.transactions, [[coin(10, 1, false), coin(20, 1, false)].into()]);
    assert_eq!(effect.jobs.len(), 1);
    assert_eq!(effect.jobs[0].transaction.as_slice(), bitcoin::consensus::serialize(&second));
    assert_eq!(effect.jobs[0].flags, Flags::ALL);
    assert!(std::sync::Arc::ptr_eq(&effect.jobs[0].spent, &effect.undo.transactions[0]));
    assert_eq!(set.asked, [outpoint(0), outpoint(1)], "each outpoint once");
}

#[test]
fn outcome_does_not_depend_on_the_seed() {
    let transactions = [coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[10]), spend(&[outpoint(1)], &[20])];
    let deployments = deployments();
    let with = |seed| {
        let context = Context { seed, ..context(HEIGHT, &deployments) };
        connected_with(&transactions, &mut set(&[10, 20]), &context).unwrap().changes
    };
    assert_eq!(with(1), with(2));
}

#[test]
fn assumed_valid_scripts_give_no_jobs() {
    let deployments = deployments();
    let context = Context { scripts: false, ..context(HEIGHT, &deployments) };
    let transactions = [coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[10])];
    let effect = connected_with(&transactions, &mut set(&[10]), &context).unwrap();
    assert!(effect.jobs.is_empty());
    assert_eq!(effect.undo.transactions.len(), 1);
}

#[test]
fn genesis_block_has_no_effect() {
    let deployments = deployments();
    let context =
        Context { place: crate::block::Context { height: 0, ..place(1, &deployments) }, ..context(1, &deployments) };
    let effect = connected_with(&[coinbase(0, &[SUBSIDY])], &mut Set::default(), &context).unwrap();
    assert_eq!((effect.changes, effect.fees), (crate::connect::Changes::default(), Amount::ZERO));
}

#[test]
fn coin_must_exist() {
    let error = connected(&[coinbase(HEIGHT, &[0]), spend(&[outpoint(9)], &[0])], &mut set(&[10])).unwrap_err();
    assert!(
        matches!(error, Error::Transaction { index: 1, cause: transaction::Error::Missing { outpoint: o }, .. } if o == outpoint(9))
    );
    assert_eq!((error.reason(), error.is_mutation()), ("bad-txns-inputs-missingorspent", false));
}

#[test]
fn coin_of_the_set_is_spent_once_in_a_block() {
    let mut set = set(&[10]);
    let twice = [spend(&[outpoint(0)], &[1]), spend(&[outpoint(0)], &[2])];
    assert_eq!(reason(&twice, &mut set), "bad-txns-inputs-missingorspent");
    assert_eq!(set.asked.len(), 1);
}

#[test]
fn coin_made_in_the_block_is_spent_in_it_and_seen_by_nobody() {
    let parent = spend(&[outpoint(0)], &[9]);
    let child = spend(&[first_output(&parent)], &[8]);
    let mut set = set(&[10]);
    let effect = connected(&[coinbase(HEIGHT, &[0]), parent.clone(), child.clone()], &mut set).unwrap();
    assert_eq!(effect.changes.removed, [outpoint(0)]);
    let created: Vec<_> = effect.changes.created.iter().map(|(outpoint, _)| outpoint.txid).collect();
    assert_eq!(created[1..], [child.compute_txid()]);
    assert_eq!(*effect.undo.transactions[1], [coin(9, HEIGHT, false)], "but the undo data has it");
    assert_eq!(effect.fees, Amount::from_sat(2));
    assert_eq!(set.asked, [outpoint(0)], "the set is not asked");
}

#[test]
fn coin_made_in_the_block_is_spent_once_and_not_before() {
    let parent = spend(&[outpoint(0)], &[9]);
    let child = |value| spend(&[first_output(&parent)], &[value]);
    let missing = "bad-txns-inputs-missingorspent";
    assert_eq!(reason(&[parent.clone(), child(1), child(2)], &mut set(&[10])), missing);
    assert_eq!(reason(&[child(1), parent.clone()], &mut set(&[10])), missing);
    let beyond = OutPoint { vout: 1, ..first_output(&parent) };
    assert_eq!(reason(&[parent.clone(), spend(&[beyond], &[0])], &mut set(&[10])), missing);
    let last = OutPoint { vout: u32::MAX, ..first_output(&parent) };
    assert_eq!(reason(&[parent, spend(&[last], &[0])], &mut set(&[10])), missing);
}

#[test]
fn coinbase_matures_in_100_blocks() {
    let spending = [coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[0])];
    let made_at = |height| connected(&spending, &mut Set::with([(outpoint(0), coin(1, height, true))]));
    assert!(made_at(HEIGHT - 100).is_ok());
    assert_eq!(made_at(HEIGHT - 99).unwrap_err().reason(), "bad-txns-premature-spend-of-coinbase");
    let first = coinbase(HEIGHT, &[5]);
    let error = connected(&[first.clone(), spend(&[first_output(&first)], &[5])], &mut Set::default()).unwrap_err();
    assert!(matches!(error, Error::Transaction { cause: transaction::Error::Immature { depth: 0, .. }, .. }));
}

#[test]
fn nothing_is_paid_that_was_not_spent() {
    assert!(connected(&[coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[10])], &mut set(&[10])).is_ok());
    assert_eq!(reason(&[spend(&[outpoint(0)], &[11])], &mut set(&[10])), "bad-txns-in-belowout");
}

#[test]
fn worth_of_inputs_and_fees_is_limited_by_all_the_money() {
    let both = spend(&[outpoint(0), outpoint(1)], &[0]);
    assert_eq!(reason(&[both], &mut set(&[MAX_MONEY, 1])), "bad-txns-inputvalues-outofrange");
    let each = [coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[0]), spend(&[outpoint(1)], &[0])];
    assert!(connected(&each, &mut set(&[MAX_MONEY - 1, 1])).is_ok());
    let error = connected(&each, &mut set(&[MAX_MONEY, 1])).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Fees { index: 2 }, "bad-txns-accumulated-fee-outofrange"));
}

#[test]
fn coinbase_takes_no_more_than_subsidy_and_fees() {
    let takes = |values: &[u64]| connected(&[coinbase(HEIGHT, values), spend(&[outpoint(0)], &[4])], &mut set(&[10]));
    assert!(takes(&[SUBSIDY + 6]).is_ok());
    assert!(takes(&[SUBSIDY, 6]).is_ok());
    assert!(takes(&[0]).is_ok(), "what it leaves is lost");
    let error = takes(&[SUBSIDY, 7]).unwrap_err();
    let (taken, allowed) = (Amount::from_sat(SUBSIDY + 7), Amount::from_sat(SUBSIDY + 6));
    assert_eq!((error, error.reason()), (Error::CoinbaseAmount { taken, allowed }, "bad-cb-amount"));
}

#[test]
fn relative_locks_hold_since_bip68() {
    let mut locked = spend(&[outpoint(0)], &[0]);
    locked.input[0].sequence = Sequence::from_height(10);
    let transactions = [coinbase(HEIGHT, &[0]), locked];
    let verdict = |csv, made| {
        let deployments = Deployments { csv, ..deployments() };
        let mut set = Set::with([(outpoint(0), coin(1, made, false))]);
        connected_with(&transactions, &mut set, &context(HEIGHT, &deployments)).map(|effect| effect.fees)
    };
    assert!(verdict(HEIGHT, HEIGHT - 10).is_ok());
    assert_eq!(verdict(HEIGHT, HEIGHT - 9).unwrap_err().reason(), "bad-txns-nonfinal");
    assert!(verdict(HEIGHT + 1, HEIGHT - 9).is_ok(), "not yet in force");
}

#[test]
fn coin_made_in_the_block_has_the_blocks_height_for_relative_locks() {
    let parent = spend(&[outpoint(0)], &[9]);
    let child = |sequence| {
        let mut child = spend(&[first_output(&parent)], &[0]);
        child.input[0].sequence = sequence;
        connected(&[coinbase(HEIGHT, &[0]), parent.clone(), child], &mut set(&[10])).map(|effect| effect.fees)
    };
    assert!(child(Sequence::ZERO).is_ok());
    assert!(child(Sequence::from_height(1)).is_err());
    assert!(child(Sequence::from_512_second_intervals(0)).is_ok());
    assert!(child(Sequence::from_512_second_intervals(1)).is_err());
}

#[test]
fn signature_operations_may_cost_80_000() {
    // Two P2WSH inputs cost their witness scripts' operations, one each, the rest is in the coinbase at four each.
    let program = Script::from_bytes(&[&[0, 32][..], &[9; 32]].concat()).to_owned();
    let mut set = Set::with((0..2).map(|n| (outpoint(n), Coin::new(Amount::ONE_SAT, &program, 1, false))));
    let verdict = |operations: usize, flags, set: &mut Set| {
        let mut first = coinbase(HEIGHT, &[0]);
        first.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; 19_000]);
        let mut spending = [spend(&[outpoint(0)], &[0]), spend(&[outpoint(1)], &[0])];
        spending[0].input[0].witness.push(vec![0xac; 2_000]);
        spending[1].input[0].witness.push(vec![0xac; operations - 78_000]);
        let deployments = deployments();
        let context = Context { flags, ..context(HEIGHT, &deployments) };
        connected_with(&[vec![first], spending.to_vec()].concat(), set, &context).map(|effect| effect.fees)
    };
    assert!(verdict(80_000, Flags::ALL, &mut set).is_ok());
    let error = verdict(80_001, Flags::ALL, &mut set).unwrap_err();
    assert_eq!((error, error.reason()), (Error::Sigops { index: 2, cost: 80_001 }, "bad-blk-sigops"));
    assert!(verdict(80_001, Flags::P2SH, &mut set).is_ok(), "witnesses count where their rules hold");
}

#[test]
fn outputs_that_nobody_can_spend_never_enter_the_set() {
    let script = |bytes: Vec<u8>| ScriptBuf::from_bytes(bytes);
    for (bytes, unspendable) in [
        (vec![], false),
        (vec![0x6a], true),
        (vec![0x51, 0x6a], false),
        (vec![0x51; 10_000], false),
        (vec![0x51; 10_001], true),
    ] {
        assert_eq!(is_unspendable(&script(bytes.clone())), unspendable);
        let mut parent = spend(&[outpoint(0)], &[5, 4]);
        parent.output[0].script_pubkey = script(bytes);
        let effect = connected(&[coinbase(HEIGHT, &[0]), parent.clone()], &mut set(&[10])).unwrap();
        let created: Vec<_> = effect.changes.created.iter().map(|(outpoint, _)| *outpoint).collect();
        assert_eq!(created.contains(&first_output(&parent)), !unspendable);
        assert!(created.contains(&OutPoint { vout: 1, ..first_output(&parent) }), "its neighbour does");
        let child = spend(&[first_output(&parent)], &[0]);
        let spent = connected(&[coinbase(HEIGHT, &[0]), parent, child], &mut set(&[10]));
        assert_eq!(spent.is_err(), unspendable, "nor can the same block spend one");
    }
}

#[test]
fn first_broken_rule_is_reported() {
    // As in Bitcoin Core: all inputs are looked for before any is checked, and the coinbase's amount comes last.
    let immature = || Set::with([(outpoint(0), coin(1, HEIGHT, true))]);
    let both = spend(&[outpoint(0), outpoint(9)], &[99]);
    assert_eq!(reason(&[both], &mut immature()), "bad-txns-inputs-missingorspent");
    assert_eq!(reason(&[spend(&[outpoint(0)], &[99])], &mut immature()), "bad-txns-premature-spend-of-coinbase");
    let mut locked = spend(&[outpoint(0)], &[99]);
    locked.input[0].sequence = Sequence::from_height(9_999);
    assert_eq!(reason(&[locked.clone()], &mut set(&[10])), "bad-txns-in-belowout");
    locked.output[0].value = Amount::ZERO;
    locked.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0xac; 20_001]);
    assert_eq!(reason(&[locked], &mut set(&[10])), "bad-txns-nonfinal");
    let greedy = [coinbase(HEIGHT, &[MAX_MONEY]), spend(&[outpoint(9)], &[0])];
    let error = connected(&greedy, &mut Set::default()).unwrap_err();
    assert_eq!(error.reason(), "bad-txns-inputs-missingorspent");
}

#[test]
fn a_set_that_can_not_be_read_says_nothing_of_the_block() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    impl Coins for Broken {
        type Error = &'static str;
        fn coin(&mut self, _: &OutPoint) -> Result<Option<Coin>, Self::Error> {
            Err("disk")
        }
    }
    let block = block(&[coinbase(HEIGHT, &[0]), spend(&[outpoint(0)], &[0])]);
    let failure = connect(&block, &context(HEIGHT, &deployments()), &mut Broken).unwrap_err();
    assert_eq!(failure, Failure::Coins("disk"));
}

#[test]
fn block_without_transactions_is_refused() {
    assert_eq!(connected(&[], &mut Set::default()).unwrap_err().reason(), "bad-cb-missing");
}
