//! Each rule by the smallest transaction that breaks it alone, and limits at the bound and one past it.

mod lock;
mod parse;
mod vectors;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut};

use super::{Error, Transaction, check, fee};
use crate::coin::Coin;
use crate::fixture::{coinbase, input, outpoint, output, parsed, spend};

const MAX_MONEY: u64 = 2_100_000_000_000_000;

fn verdict(transaction: &bitcoin::Transaction) -> Result<(), &'static str> {
    check(&parsed(transaction)).map_err(|error| error.reason())
}

#[test]
fn smallest_transactions_are_valid() {
    assert_eq!(verdict(&spend(&[outpoint(1)], &[0])), Ok(()));
    assert_eq!(verdict(&coinbase(1, &[0])), Ok(()));
}

#[test]
fn something_must_be_spent() {
    let nothing = Transaction::parse(vec![2, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    let error = check(&nothing).unwrap_err();
    assert_eq!((error, error.reason()), (Error::NoInputs, "bad-txns-vin-empty"));
}

#[test]
fn something_must_be_paid() {
    assert_eq!(verdict(&spend(&[outpoint(1)], &[])), Err("bad-txns-vout-empty"));
}

#[test]
fn size_without_witness_is_limited_to_a_million_bytes() {
    let mut transaction = spend(&[outpoint(1)], &[0]);
    // Its script takes what 1,000,000 bytes leave, with four bytes more for its length.
    let rest = 1_000_000 - transaction.base_size() - 4;
    transaction.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; rest + 1]);
    transaction.input[0].witness.push([0; 100]);
    assert_eq!(transaction.base_size(), 1_000_000);
    assert_eq!(verdict(&transaction), Ok(()));
    transaction.output[0].script_pubkey = ScriptBuf::from_bytes(vec![0; rest + 2]);
    assert_eq!(verdict(&transaction), Err("bad-txns-oversize"));
}

#[test]
fn outputs_are_worth_no_less_than_nothing_and_no_more_than_all_the_money() {
    let pays = |values: &[u64]| verdict(&spend(&[outpoint(1)], values));
    assert_eq!(pays(&[MAX_MONEY]), Ok(()));
    assert_eq!(pays(&[MAX_MONEY + 1]), Err("bad-txns-vout-toolarge"));
    assert_eq!(pays(&[i64::MAX.cast_unsigned()]), Err("bad-txns-vout-toolarge"));
    assert_eq!(pays(&[i64::MIN.cast_unsigned()]), Err("bad-txns-vout-negative"));
    assert_eq!(pays(&[u64::MAX]), Err("bad-txns-vout-negative"));
    let minus_one = check(&parsed(&spend(&[outpoint(1)], &[7, u64::MAX])));
    assert_eq!(minus_one, Err(Error::NegativeOutput { output: 1, value: -1 }));
}

#[test]
fn outputs_together_are_worth_no_more_than_all_the_money() {
    let pays = |values: &[u64]| verdict(&spend(&[outpoint(1)], values));
    assert_eq!(pays(&[MAX_MONEY - 1, 1]), Ok(()));
    assert_eq!(pays(&[MAX_MONEY, 1]), Err("bad-txns-txouttotal-toolarge"));
    // CVE-2010-5139: the sum of many would come round to a small number.
    assert_eq!(pays(&[MAX_MONEY; 8_785]), Err("bad-txns-txouttotal-toolarge"));
}

#[test]
fn an_output_is_spent_once() {
    // Up to 16 inputs are compared with each other, more are sorted; the pair may stand anywhere.
    for count in [2_u32, 3, 16, 17, 100] {
        let distinct: Vec<OutPoint> = (0..count).map(outpoint).collect();
        assert_eq!(verdict(&spend(&distinct, &[0])), Ok(()), "{count} inputs");
        let last = distinct.len() - 1;
        for (from, to) in [(0, 1), (0, last), (last, 0), (last - 1, last)] {
            let mut repeated = distinct.clone();
            repeated[to] = repeated[from];
            let error = check(&parsed(&spend(&repeated, &[0])));
            assert_eq!(error, Err(Error::RepeatedInput { outpoint: repeated[from] }), "{count} inputs");
        }
    }
    let one = outpoint(1);
    let two = OutPoint { vout: 1, ..one };
    assert_eq!(verdict(&spend(&[one, two], &[0])), Ok(()), "two outputs of one transaction");
    assert_eq!(Error::RepeatedInput { outpoint: one }.reason(), "bad-txns-inputs-duplicate");
}

#[test]
fn script_of_a_coinbase_has_2_to_100_bytes() {
    for (length, expected) in [(0, false), (1, false), (2, true), (100, true), (101, false)] {
        let mut transaction = coinbase(1, &[0]);
        transaction.input[0].script_sig = ScriptBuf::from_bytes(vec![0; length]);
        let expected = if expected { Ok(()) } else { Err("bad-cb-length") };
        assert_eq!(verdict(&transaction), expected, "{length} bytes");
    }
}

#[test]
fn only_a_coinbase_spends_nothing() {
    assert_eq!(verdict(&spend(&[outpoint(1), OutPoint::null()], &[0])), Err("bad-txns-prevout-null"));
    // Null is both: no hash and the last index.
    let almost = [OutPoint { vout: 0, ..OutPoint::null() }, OutPoint { vout: u32::MAX, ..outpoint(1) }];
    assert_eq!(verdict(&spend(&almost, &[0])), Ok(()));
}

#[test]
fn first_broken_rule_is_reported() {
    // As in Bitcoin Core: outputs before inputs, repeated inputs before empty ones.
    let null = OutPoint::null();
    assert_eq!(verdict(&spend(&[null, null], &[u64::MAX])), Err("bad-txns-vout-negative"));
    assert_eq!(verdict(&spend(&[null, null], &[0])), Err("bad-txns-inputs-duplicate"));
}

fn coin(value: u64, height: u32, coinbase: bool) -> Coin {
    let TxOut { script_pubkey, .. } = output(0);
    Coin::new(Amount::from_sat(value), &script_pubkey, height, coinbase)
}

#[test]
fn fee_is_what_the_outputs_leave() {
    let transaction = parsed(&spend(&[outpoint(1), outpoint(2)], &[30, 4]));
    let spent = |values: [u64; 2]| values.map(|value| coin(value, 1, false));
    assert_eq!(fee(&transaction, &spent([30, 10]), 2), Ok(Amount::from_sat(6)));
    assert_eq!(fee(&transaction, &spent([30, 4]), 2), Ok(Amount::ZERO));
    let overspent = fee(&transaction, &spent([30, 3]), 2).unwrap_err();
    assert_eq!(overspent, Error::Overspent { spent: Amount::from_sat(33), paid: Amount::from_sat(34) });
    assert_eq!(overspent.reason(), "bad-txns-in-belowout");
}

#[test]
fn inputs_are_worth_no_more_than_all_the_money() {
    let transaction = parsed(&spend(&[outpoint(1), outpoint(2)], &[0]));
    let spent = |values: [u64; 2]| values.map(|value| coin(value, 1, false));
    assert!(fee(&transaction, &spent([MAX_MONEY - 1, 1]), 2).is_ok());
    let error = fee(&transaction, &spent([MAX_MONEY, 1]), 2).unwrap_err();
    assert_eq!((error, error.reason()), (Error::InputsTooLarge { input: 1 }, "bad-txns-inputvalues-outofrange"));
    assert_eq!(fee(&transaction, &spent([u64::MAX, u64::MAX]), 2), Err(Error::InputsTooLarge { input: 0 }));
}

#[test]
fn coinbase_matures_in_100_blocks() {
    let transaction = parsed(&spend(&[outpoint(1)], &[0]));
    let at = |height| fee(&transaction, &[coin(1, 50, true)], height);
    let error = at(149).unwrap_err();
    assert_eq!(error, Error::Immature { outpoint: outpoint(1), depth: 99 });
    assert_eq!(error.reason(), "bad-txns-premature-spend-of-coinbase");
    assert_eq!(at(150), Ok(Amount::ONE_SAT));
    assert_eq!(fee(&transaction, &[coin(1, 149, false)], 149), Ok(Amount::ONE_SAT), "no coinbase");
}

#[test]
fn a_coinbase_has_exactly_one_null_input() {
    assert!(parsed(&coinbase(1, &[0])).is_coinbase());
    let mut two = coinbase(1, &[0]);
    two.input.push(input(outpoint(1)));
    assert!(!parsed(&two).is_coinbase());
    let zero = OutPoint { txid: bitcoin::Txid::all_zeros(), vout: 0 };
    assert!(!parsed(&spend(&[zero], &[0])).is_coinbase());
}
