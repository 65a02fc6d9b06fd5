//! Rules that need nothing but the transaction.

use bitcoin::{Amount, OutPoint, Sequence, Witness};

use super::{ANCHOR, multisig, p2tr, p2wpkh, p2wsh, paying, push};
use crate::fixture::{coinbase, outpoint, parsed, spend};
use crate::policy::{
    MAX_DUST_OUTPUTS, MAX_SCRIPT_SIG_SIZE, MAX_VERSION, MAX_WEIGHT, MIN_BASE_SIZE, NonStandard, Rules, check_alone,
};

fn judge(transaction: &bitcoin::Transaction) -> Result<(), NonStandard> {
    check_alone(&parsed(transaction), &Rules::default())
}

fn reason(transaction: &bitcoin::Transaction) -> &'static str {
    judge(transaction).map_or_else(|error| error.reason(), |()| "")
}

/// Rules under which anything valid is relayed, as on a chain for tests.
fn lenient() -> Rules {
    Rules { require_standard: false, ..Rules::default() }
}

#[test]
fn a_usual_payment_is_standard() {
    assert_eq!(judge(&paying(&[&p2wpkh(), &p2tr(), &ANCHOR])), Ok(()));
}

#[test]
fn a_coinbase_is_not_relayed() {
    let alone = coinbase(7, &[5_000_000_000]);
    assert_eq!(reason(&alone), "coinbase");
    assert_eq!(check_alone(&parsed(&alone), &lenient()), Err(NonStandard::Coinbase));
}

#[test]
fn versions_1_to_3_are_standard() {
    let highest = i32::try_from(MAX_VERSION).unwrap();
    for (version, expected) in [(0, "version"), (1, ""), (highest, ""), (highest + 1, "version"), (-1, "version")] {
        let mut transaction = paying(&[&p2wpkh()]);
        transaction.version.0 = version;
        assert_eq!(reason(&transaction), expected, "{version}");
        assert_eq!(check_alone(&parsed(&transaction), &lenient()), Ok(()));
    }
}

#[test]
fn a_transaction_weighs_400000_at_most() {
    // An output of 31 bytes weighs 124; a witness of one item takes what is left.
    let mut transaction = paying(&vec![&p2wpkh()[..]; 3000]);
    let empty = parsed(&transaction).weight();
    for (weight, expected) in [(MAX_WEIGHT, ""), (MAX_WEIGHT + 1, "tx-size")] {
        // Marker and flag, the number of items, the item's length.
        let item = vec![0; weight - empty - 2 - 1 - 3];
        transaction.input[0].witness = Witness::from_slice(&[item]);
        assert_eq!(parsed(&transaction).weight(), weight);
        assert_eq!(reason(&transaction), expected);
    }
    assert_eq!(judge(&transaction), Err(NonStandard::Weight { weight: MAX_WEIGHT + 1 }));
}

#[test]
fn a_transaction_has_65_bytes_at_least() {
    // Ten bytes, an input of 41, an output of nine: 60 with an empty script. OP_RETURN may carry any pushes.
    let sized = |size: usize| {
        let mut script = vec![0x6a];
        script.resize(size - 60, 0);
        paying(&[&script])
    };
    let transaction = sized(MIN_BASE_SIZE);
    assert_eq!(parsed(&transaction).base_size(), MIN_BASE_SIZE);
    assert_eq!(judge(&transaction), Ok(()));
    let small = sized(MIN_BASE_SIZE - 1);
    assert_eq!(judge(&small), Err(NonStandard::TooSmall { size: 64 }));
    assert_eq!(reason(&small), "tx-size-small");
    assert_eq!(check_alone(&parsed(&small), &lenient()), Err(NonStandard::TooSmall { size: 64 }));
}

#[test]
fn the_script_of_an_input_has_1650_bytes_at_most() {
    let mut transaction = paying(&[&p2wpkh()]);
    for (size, expected) in [(MAX_SCRIPT_SIG_SIZE, ""), (MAX_SCRIPT_SIG_SIZE + 1, "scriptsig-size")] {
        transaction.input[0].script_sig = vec![0; size].into();
        assert_eq!(reason(&transaction), expected);
    }
}

#[test]
fn the_script_of_an_input_only_pushes() {
    let mut transaction = paying(&[&p2wpkh()]);
    for (script, expected) in [
        (&[0x60, 0x4f, 0x50, 2, 7, 7][..], ""),
        (&[0x61], "scriptsig-not-pushonly"),
        (&[2, 7], "scriptsig-not-pushonly"),
        (&[0x4d, 1], "scriptsig-not-pushonly"),
    ] {
        transaction.input[0].script_sig = script.to_vec().into();
        assert_eq!(reason(&transaction), expected, "{script:?}");
    }
}

#[test]
fn outputs_are_of_known_kinds() {
    assert_eq!(judge(&paying(&[&p2wpkh(), &[0x51]])), Err(NonStandard::ScriptPubKey { output: 1 }));
    assert_eq!(reason(&paying(&[&[0x51], &p2wpkh()])), "scriptpubkey");
    assert_eq!(reason(&paying(&[&multisig(1, 3)])), "");
    assert_eq!(reason(&paying(&[&multisig(1, 4)])), "scriptpubkey");
    assert_eq!(reason(&paying(&[&[0x52, 2, 7, 7], &p2wsh()])), "", "versions to come may be paid to");
}

#[test]
fn bare_multi_signatures_are_as_the_operator_wants() {
    let transaction = parsed(&paying(&[&multisig(2, 2)]));
    assert_eq!(check_alone(&transaction, &Rules::default()), Ok(()));
    let error = check_alone(&transaction, &Rules { bare_multisig: false, ..Rules::default() }).unwrap_err();
    assert_eq!((error, error.reason()), (NonStandard::BareMultisig { output: 0 }, "bare-multisig"));
}

#[test]
fn data_has_a_limit_for_all_outputs_together() {
    let carrier = |bytes: usize| [&[0x6a][..], &push(&vec![7; bytes])].concat();
    let (first, second) = (carrier(40), carrier(38));
    assert_eq!(first.len() + second.len(), 82);
    let transaction = parsed(&paying(&[&first, &p2wpkh(), &second]));
    let judge = |datacarrier| check_alone(&transaction, &Rules { datacarrier, ..Rules::default() });
    assert_eq!(judge(Some(82)), Ok(()));
    assert_eq!(judge(Some(81)), Err(NonStandard::DataCarrier { output: 2, size: 40, left: 39 }));
    let none = judge(None).unwrap_err();
    assert_eq!((none, none.reason()), (NonStandard::DataCarrier { output: 0, size: 42, left: 0 }, "datacarrier"));
    assert_eq!(Rules::default().datacarrier, Some(100_000));
}

#[test]
fn one_output_may_be_dust_for_a_child_to_spend() {
    let dusty = |outputs: usize| {
        let mut transaction = paying(&vec![&p2wpkh()[..]; outputs + 1]);
        for output in transaction.output.iter_mut().skip(1) {
            output.value = Amount::from_sat(293);
        }
        transaction
    };
    assert_eq!(judge(&dusty(MAX_DUST_OUTPUTS)), Ok(()));
    assert_eq!(judge(&dusty(MAX_DUST_OUTPUTS + 1)), Err(NonStandard::Dust { outputs: 2 }));
    assert_eq!(reason(&dusty(2)), "dust");
    let free = Rules { dust_rate: Amount::ZERO, ..Rules::default() };
    assert_eq!(check_alone(&parsed(&dusty(2)), &free), Ok(()));
}

#[test]
fn the_first_rule_broken_is_bitcoin_cores() {
    let mut transaction = spend(&[outpoint(1), OutPoint { vout: 1, ..outpoint(2) }], &[1, 1]);
    transaction.version.0 = 4;
    transaction.input[1].script_sig = vec![0x61].into();
    transaction.input[1].sequence = Sequence::ZERO;
    assert_eq!(reason(&transaction), "version");
    transaction.version.0 = 2;
    assert_eq!(reason(&transaction), "scriptsig-not-pushonly");
    transaction.input[1].script_sig = vec![].into();
    assert_eq!(reason(&transaction), "scriptpubkey");
    transaction.output.iter_mut().for_each(|output| output.script_pubkey = p2wpkh().into());
    assert_eq!(reason(&transaction), "dust");
}
