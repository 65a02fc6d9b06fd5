//! Kinds of outputs, and when they are dust.

use bitcoin::{Amount, FeeRate, Script, ScriptBuf, TxOut};

use super::{ANCHOR, key, multisig, p2sh, p2tr, p2wpkh, p2wsh, push};
use crate::fixture::{Random, parsed};
use crate::policy::dust;
use crate::policy::dust::{RATE, threshold};
use crate::policy::output::Kind;

fn kind(script: &[u8]) -> Kind {
    Kind::of(Script::from_bytes(script))
}

fn p2pkh() -> Vec<u8> {
    [&[0x76, 0xa9, 20], &[7; 20][..], &[0x88, 0xac]].concat()
}

/// Each kind: a script, Bitcoin Core's name for it, and the least value that is no dust at its default rate.
fn examples() -> Vec<(Kind, Vec<u8>, &'static str, u64)> {
    let uncompressed = [&[4], &[1; 64][..]].concat();
    vec![
        (Kind::P2pk, [push(&key()), vec![0xac]].concat(), "pubkey", 576),
        (Kind::P2pk, [push(&uncompressed), vec![0xac]].concat(), "pubkey", 672),
        (Kind::P2pkh, p2pkh(), "pubkeyhash", 546),
        (Kind::P2sh, p2sh(&[7; 20]), "scripthash", 540),
        (Kind::Multisig { required: 1, keys: 2 }, multisig(1, 2), "multisig", 684),
        (Kind::NullData, [&[0x6a], &push(b"data")[..]].concat(), "nulldata", 0),
        (Kind::P2wpkh, p2wpkh(), "witness_v0_keyhash", 294),
        (Kind::P2wsh, p2wsh(), "witness_v0_scripthash", 330),
        (Kind::P2tr, p2tr(), "witness_v1_taproot", 330),
        (Kind::Anchor, ANCHOR.to_vec(), "anchor", 240),
        (Kind::WitnessUnknown { version: 16 }, [&[0x60, 40], &[7; 40][..]].concat(), "witness_unknown", 354),
        (Kind::WitnessUnknown { version: 1 }, vec![0x51, 2, 0x4e, 0x74], "witness_unknown", 240),
        (Kind::NonStandard, vec![0x51], "nonstandard", 474),
        (Kind::NonStandard, Vec::new(), "nonstandard", 471),
    ]
}

#[test]
fn every_kind_is_told() {
    for (expected, script, name, _) in examples() {
        assert_eq!(kind(&script), expected, "{name}");
        assert_eq!(expected.name(), name);
    }
}

#[test]
fn what_is_almost_a_kind_is_none() {
    for script in [
        [push(&[2; 32]), vec![0xac]].concat(),
        [push(&[5; 33]), vec![0xac]].concat(),
        [push(&[2; 65]), vec![0xac]].concat(),
        [p2pkh(), vec![0x61]].concat(),
        // Version 0 is defined for 20 and 32 bytes.
        [&[0, 21], &[7; 21][..]].concat(),
        [&[0x51, 41], &[7; 41][..]].concat(),
        vec![0x51, 1, 7],
        vec![0x50, 2, 7, 7],
        // Data that reaches past the end, and an operation among it.
        vec![0x6a, 5, 1],
        vec![0x6a, 0x61],
        vec![0xae],
        vec![0x51, 0xae],
    ] {
        assert_eq!(kind(&script), Kind::NonStandard, "{script:02x?}");
    }
    // OP_RESERVED counts as a push.
    assert_eq!(kind(&[0x6a, 0x50]), Kind::NullData);
    assert_eq!(kind(&[0x6a]), Kind::NullData);
}

#[test]
fn multi_signatures_count_as_bitcoin_core_counts() {
    let keys = |count: usize| push(&key()).repeat(count);
    assert_eq!(kind(&multisig(16, 16)), Kind::Multisig { required: 16, keys: 16 });
    // From 17 on the number is pushed as a byte; 20 is the most.
    let many = |required: &[u8], count: usize, pushed: &[u8]| kind(&[required, &keys(count), pushed, &[0xae]].concat());
    assert_eq!(many(&[1, 17], 20, &[1, 20]), Kind::Multisig { required: 17, keys: 20 });
    assert_eq!(many(&[0x51], 21, &[1, 21]), Kind::NonStandard);
    for (required, count, pushed) in [
        // Pushed the long way; not as many as said; more signatures than keys; none of them; keys that are none.
        (&[1, 2][..], 2, &[0x52][..]),
        (&[0x51], 17, &[2, 17, 0]),
        (&[0x51], 2, &[0x53]),
        (&[0x53], 2, &[0x52]),
        (&[0], 2, &[0x52]),
        (&[0x51], 0, &[0]),
        (&[0x51, 1, 7], 1, &[0x52]),
    ] {
        assert_eq!(many(required, count, pushed), Kind::NonStandard, "{required:?} {count} {pushed:?}");
    }
    assert!(multisig(1, 3).ends_with(&[0x53, 0xae]));
    assert!(kind(&multisig(1, 3)).is_standard());
    assert!(!kind(&multisig(1, 4)).is_standard());
}

#[test]
fn an_output_is_dust_below_what_it_costs_to_spend() {
    for (_, script, name, least) in examples() {
        let output = |value| TxOut { value: Amount::from_sat(value), script_pubkey: script.clone().into() };
        assert_eq!(threshold(&output(0), RATE), Amount::from_sat(least), "{name}");
        let mut transaction = super::paying(&[]);
        transaction.output = vec![output(least), output(least.saturating_sub(1))];
        let expected = if least == 0 { vec![] } else { vec![1] };
        assert_eq!(dust(&parsed(&transaction), RATE).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn what_can_never_be_spent_is_no_dust() {
    let output = |size: usize| TxOut { value: Amount::ZERO, script_pubkey: vec![0x51; size].into() };
    assert!(threshold(&output(10_000), RATE) > Amount::ZERO);
    assert_eq!(threshold(&output(10_001), RATE), Amount::ZERO);
}

#[test]
fn a_threshold_is_rounded_up_and_knows_no_overflow() {
    let output = TxOut { value: Amount::ZERO, script_pubkey: p2wpkh().into() };
    assert_eq!(threshold(&output, Amount::from_sat(1)), Amount::from_sat(1));
    assert_eq!(threshold(&output, Amount::ZERO), Amount::ZERO);
    assert!(threshold(&output, Amount::from_sat(u64::MAX)) > Amount::MAX_MONEY);
}

/// A second opinion, by `bitcoin`, on what it knows.
#[test]
fn kinds_and_thresholds_are_those_that_bitcoin_tells() {
    let mut scripts: Vec<Vec<u8>> = examples().into_iter().map(|(_, script, ..)| script).collect();
    let mut random = Random(7);
    for _ in 0..20_000 {
        let mut script = scripts[random.below(14)].clone();
        if !script.is_empty() {
            let at = random.below(script.len());
            script[at] = u8::try_from(random.below(256)).unwrap();
        }
        script.truncate(random.below(80));
        scripts.push(script);
    }
    for script in scripts.into_iter().map(ScriptBuf::from_bytes) {
        let kind = Kind::of(&script);
        assert_eq!(kind == Kind::P2tr, script.is_p2tr(), "{script}");
        assert_eq!(kind == Kind::P2wpkh, script.is_p2wpkh(), "{script}");
        assert_eq!(kind == Kind::P2wsh, script.is_p2wsh(), "{script}");
        assert_eq!(kind == Kind::P2sh, script.is_p2sh(), "{script}");
        assert_eq!(kind == Kind::P2pkh, script.is_p2pkh(), "{script}");
        let rate = RATE.to_sat() / 4;
        let expected = script.minimal_non_dust_custom(FeeRate::from_sat_per_kwu(rate));
        assert_eq!(script.minimal_non_dust(), expected);
        let output = TxOut { value: Amount::ZERO, script_pubkey: script };
        assert_eq!(threshold(&output, RATE), expected, "{}", output.script_pubkey);
    }
}
