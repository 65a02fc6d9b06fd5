//! Rules about how coins are spent.

use bitcoin::hashes::{Hash, hash160};
use bitcoin::{OutPoint, Witness};

use super::{ANCHOR, coin, key, p2sh, p2tr, p2wpkh, p2wsh, paying, push};
use crate::coin::Coin;
use crate::fixture::{input, outpoint, parsed};
use crate::policy::{
    MAX_LEGACY_SIGOPS, MAX_P2SH_SIGOPS, MAX_P2WSH_ITEM_SIZE, MAX_P2WSH_ITEMS, MAX_P2WSH_SCRIPT_SIZE, MAX_SIGOPS_COST,
    MAX_TAPSCRIPT_ITEM_SIZE, NonStandard, Rules, check, check_spent,
};

fn judge_by(rules: &Rules, script_sig: &[u8], script: &[u8], witness: &[Vec<u8>]) -> Result<(), NonStandard> {
    let mut transaction = paying(&[&p2wpkh()]);
    transaction.input[0].script_sig = script_sig.to_vec().into();
    transaction.input[0].witness = Witness::from_slice(witness);
    let verdict = check(&parsed(&transaction), &[coin(script)], rules);
    if let Err(error) = verdict {
        assert_eq!(error.blames_witness(), error.reason() == "bad-witness-nonstandard");
    }
    verdict
}

fn judge(script_sig: &[u8], script: &[u8], witness: &[Vec<u8>]) -> Result<(), NonStandard> {
    judge_by(&Rules::default(), script_sig, script, witness)
}

fn behind(redeem: &[u8]) -> Vec<u8> {
    p2sh(&hash160::Hash::hash(redeem).to_byte_array())
}

#[test]
fn there_is_a_coin_for_each_input() {
    let transaction = parsed(&paying(&[&p2wpkh()]));
    for (coins, expected) in [
        (&[][..], Err(NonStandard::Coins { inputs: 1, spent: 0 })),
        (&[coin(&p2wpkh())], Ok(())),
        (&[coin(&p2wpkh()), coin(&p2wpkh())], Err(NonStandard::Coins { inputs: 1, spent: 2 })),
    ] {
        assert_eq!(check_spent(&transaction, coins, &Rules::default()), expected);
    }
}

#[test]
fn what_is_spent_is_of_a_known_kind() {
    assert_eq!(judge(&[], &[0x51], &[]), Err(NonStandard::SpentScript { input: 0 }));
    assert_eq!(judge(&[], &[0x52, 2, 7, 7], &[]), Err(NonStandard::SpentWitness { input: 0, version: 2 }));
    for error in [NonStandard::SpentScript { input: 0 }, NonStandard::SpentWitness { input: 0, version: 2 }] {
        assert_eq!(error.reason(), "bad-txns-nonstandard-inputs");
    }
    let lenient = Rules { require_standard: false, ..Rules::default() };
    assert_eq!(judge_by(&lenient, &[], &[0x51], &[]), Ok(()));
    assert_eq!(judge(&[], &ANCHOR, &[]), Ok(()));
}

#[test]
fn the_script_behind_p2sh_has_15_signature_operations_at_most() {
    let most = usize::try_from(MAX_P2SH_SIGOPS).unwrap();
    let spend = |operations: usize| {
        let redeem = vec![0xac; operations];
        judge(&push(&redeem), &behind(&redeem), &[])
    };
    assert_eq!(spend(most), Ok(()));
    assert_eq!(spend(most + 1), Err(NonStandard::P2shSigops { input: 0, sigops: 16 }));
    // A multi-signature counts the keys that a small number says, or 20.
    assert_eq!(judge(&push(&[0x5f, 0xae]), &behind(&[]), &[]), Ok(()));
    assert_eq!(judge(&push(&[0x60, 0xae]), &behind(&[]), &[]), Err(NonStandard::P2shSigops { input: 0, sigops: 16 }));
}

#[test]
fn an_input_that_spends_p2sh_pushes_its_script() {
    let script = behind(&[]);
    let malformed = Err(NonStandard::ScriptSigMalformed { input: 0 });
    assert_eq!(judge(&[], &script, &[]), Err(NonStandard::RedeemScriptMissing { input: 0 }));
    assert_eq!(judge(&[0x50], &script, &[]), malformed, "reserved, though it passes for a push");
    assert_eq!(judge(&push(&[7; 520]), &script, &[]), Ok(()));
    assert_eq!(judge(&push(&[7; 521]), &script, &[]), malformed, "no item has 521 bytes");
    assert_eq!(judge(&[0; 1000], &script, &[]), Ok(()));
    assert_eq!(judge(&[0; 1001], &script, &[]), malformed, "nor a stack 1001 items");
    // OP_1NEGATE and numbers push a byte, which is a script: OP_RIGHT, and a push of sixteen bytes that aren't there.
    assert_eq!(judge(&[0x4f], &script, &[]), Ok(()));
    assert_eq!(judge(&[0x60], &script, &[]), Ok(()));
    assert_eq!(NonStandard::RedeemScriptMissing { input: 0 }.reason(), "bad-txns-nonstandard-inputs");
}

#[test]
fn a_transaction_runs_2500_legacy_signature_operations_at_most() {
    // Each input has 15 behind P2SH; 166 of them 2,490, and a last one the rest.
    let redeem = |operations: usize| vec![0xac; operations];
    let judge = |last: usize| {
        let mut transaction = paying(&[&p2wpkh()]);
        let scripts: Vec<Vec<u8>> = (0..167).map(|index| redeem(if index < 166 { 15 } else { last })).collect();
        let inputs = (0..).zip(&scripts).map(|(vout, redeem)| {
            let mut input = input(OutPoint { vout, ..outpoint(1) });
            input.script_sig = push(redeem).into();
            input
        });
        transaction.input = inputs.collect();
        let coins: Vec<Coin> = scripts.iter().map(|redeem| coin(&behind(redeem))).collect();
        check(&parsed(&transaction), &coins, &Rules::default())
    };
    assert_eq!(judge(10), Ok(()));
    assert_eq!(judge(11), Err(NonStandard::LegacySigops { sigops: MAX_LEGACY_SIGOPS + 1 }));
    assert_eq!(NonStandard::LegacySigops { sigops: 2501 }.reason(), "bad-txns-nonstandard-inputs");
}

#[test]
fn bare_scripts_count_where_they_are_run() {
    // One each: P2PK; a P2PKH output of its own counts for the block that spends it.
    let p2pk = [push(&key()), vec![0xac]].concat();
    let judge = |inputs: u32| {
        let mut transaction = paying(&[&p2wpkh()]);
        transaction.input = (0..inputs).map(|vout| input(OutPoint { vout, ..outpoint(1) })).collect();
        let coins = vec![coin(&p2pk); transaction.input.len()];
        // They weigh too much for a standard transaction, which is not asked here.
        check_spent(&parsed(&transaction), &coins, &Rules::default())
    };
    assert_eq!(judge(MAX_LEGACY_SIGOPS), Ok(()));
    assert_eq!(judge(MAX_LEGACY_SIGOPS + 1), Err(NonStandard::LegacySigops { sigops: MAX_LEGACY_SIGOPS + 1 }));
}

#[test]
fn signature_operations_cost_16000_at_most() {
    // An operation in a witness costs one.
    let spend = |operations: usize| {
        let mut transaction = paying(&[&p2wpkh()]);
        let mut left = operations;
        transaction.input.clear();
        let mut vout = 0;
        while left > 0 {
            let here = left.min(MAX_P2WSH_SCRIPT_SIZE);
            let mut input = input(OutPoint { vout, ..outpoint(1) });
            input.witness.push(vec![0xac; here]);
            transaction.input.push(input);
            left -= here;
            vout += 1;
        }
        let coins = vec![coin(&p2wsh()); transaction.input.len()];
        (parsed(&transaction), coins)
    };
    let lenient = Rules { require_standard: false, ..Rules::default() };
    for rules in [Rules::default(), lenient] {
        let (transaction, coins) = spend(MAX_SIGOPS_COST);
        assert_eq!(check(&transaction, &coins, &rules), Ok(()));
        let (transaction, coins) = spend(MAX_SIGOPS_COST + 1);
        let error = check(&transaction, &coins, &rules).unwrap_err();
        assert_eq!(error, NonStandard::SigopsCost { cost: MAX_SIGOPS_COST + 1 });
        assert_eq!(error.reason(), "bad-txns-too-many-sigops");
    }
}

#[test]
fn a_witness_is_where_it_is_looked_at() {
    let witness = [vec![7]];
    let unexpected = Err(NonStandard::WitnessUnexpected { input: 0 });
    let p2pk = [push(&key()), vec![0xac]].concat();
    assert_eq!(judge(&[], &p2pk, &witness), unexpected);
    assert_eq!(judge(&[], &ANCHOR, &witness), unexpected);
    assert_eq!(judge(&push(&[0x51]), &behind(&[0x51]), &witness), unexpected);
    assert_eq!(judge(&[], &p2wpkh(), &witness), Ok(()));
    assert_eq!(judge(&push(&p2wpkh()), &behind(&p2wpkh()), &witness), Ok(()));
    let lenient = Rules { require_standard: false, ..Rules::default() };
    assert_eq!(judge_by(&lenient, &[], &ANCHOR, &witness), Ok(()));
}

#[test]
fn a_p2wsh_witness_has_limits() {
    let items = |count: usize, size: usize, script: usize| {
        let mut items = vec![vec![7; size]; count];
        items.push(vec![0x61; script]);
        items
    };
    for (script_sig, script) in [(Vec::new(), p2wsh()), (push(&p2wsh()), behind(&p2wsh()))] {
        let judge = |count, size, length| judge(&script_sig, &script, &items(count, size, length));
        assert_eq!(judge(MAX_P2WSH_ITEMS, MAX_P2WSH_ITEM_SIZE, MAX_P2WSH_SCRIPT_SIZE), Ok(()));
        assert_eq!(judge(101, 80, 3600), Err(NonStandard::WitnessItems { input: 0, items: 101 }));
        assert_eq!(judge(100, 81, 3600), Err(NonStandard::WitnessItemSize { input: 0, item: 0, size: 81 }));
        assert_eq!(judge(100, 80, 3601), Err(NonStandard::WitnessScriptSize { input: 0, size: 3601 }));
    }
}

#[test]
fn a_taproot_witness_has_limits() {
    let control = |version: u8| [&[version], &[9; 32][..]].concat();
    let spend = |size: usize, last: Vec<u8>| judge(&[], &p2tr(), &[vec![7; size], vec![0x51; 5000], last]);
    assert_eq!(spend(MAX_TAPSCRIPT_ITEM_SIZE, control(0xc1)), Ok(()));
    assert_eq!(spend(81, control(0xc1)), Err(NonStandard::WitnessItemSize { input: 0, item: 0, size: 81 }));
    assert_eq!(spend(81, control(0xc2)), Ok(()), "of other leaves nothing is known");
    assert_eq!(spend(1, Vec::new()), Err(NonStandard::ControlBlockMissing { input: 0 }));
    assert_eq!(spend(1, vec![0x50, 1]), Err(NonStandard::Annex { input: 0 }));
    assert_eq!(judge(&[], &p2tr(), &[vec![7; 64]]), Ok(()));
    assert_eq!(judge(&[], &p2tr(), &[vec![7; 64], vec![0x50]]), Err(NonStandard::Annex { input: 0 }));
    assert_eq!(judge(&[], &p2tr(), &[vec![0x50]]), Ok(()), "alone it is the signature");
    // Behind P2SH it is no taproot (BIP-0341).
    assert_eq!(judge(&push(&p2tr()), &behind(&p2tr()), &[vec![7; 64], vec![0x50]]), Ok(()));
    for error in [NonStandard::Annex { input: 0 }, NonStandard::ControlBlockMissing { input: 0 }] {
        assert_eq!(error.reason(), "bad-witness-nonstandard");
    }
}
