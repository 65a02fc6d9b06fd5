//! Counts as Bitcoin Core makes them, with the corners where others count differently.

use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{Amount, ScriptBuf};

use super::*;
use crate::fixture::{Random, coinbase, outpoint, parsed, spend};

const SEGWIT: Flags = Flags::P2SH.with(Flags::WITNESS);

/// `1 <key> <key> 2 OP_CHECKMULTISIGVERIFY`: 2 operations if counted accurately, 20 otherwise.
fn multisig() -> Vec<u8> {
    let builder = Builder::new().push_int(1).push_slice([2; 33]).push_slice([3; 33]).push_int(2);
    builder.push_opcode(bitcoin::opcodes::all::OP_CHECKMULTISIGVERIFY).into_bytes()
}

fn push(bytes: &[u8]) -> Vec<u8> {
    Builder::new().push_slice(PushBytesBuf::try_from(bytes.to_vec()).unwrap()).into_bytes()
}

fn p2sh() -> Vec<u8> {
    [&[OP_HASH160, 20][..], &[9; 20], &[OP_EQUAL]].concat()
}

fn program(version: u8, length: u8) -> Vec<u8> {
    [vec![version, length], vec![9; usize::from(length)]].concat()
}

/// The cost of a transaction with one input that spends `script` by `script_sig` and `witness`.
fn spending(script: &[u8], script_sig: &[u8], witness: &[&[u8]], flags: Flags) -> usize {
    let mut transaction = spend(&[outpoint(1)], &[0]);
    transaction.input[0].script_sig = ScriptBuf::from_bytes(script_sig.to_vec());
    transaction.input[0].witness = Witness::from_slice(witness);
    let coin = Coin::new(Amount::ONE_SAT, Script::from_bytes(script), 1, false);
    cost(&parsed(&transaction), &[coin], flags)
}

#[test]
fn checksig_counts_one_and_multisig_twenty_or_its_keys() {
    let both = |script: &[u8]| (count(script, false), count(script, true));
    assert_eq!(both(&[]), (0, 0));
    assert_eq!(both(&[OP_CHECKSIG, OP_CHECKSIGVERIFY]), (2, 2));
    assert_eq!(both(&multisig()), (20, 2));
    assert_eq!(both(&[OP_CHECKMULTISIG]), (20, 20));
    for keys in OP_1..=OP_16 {
        assert_eq!(both(&[keys, OP_CHECKMULTISIG]), (20, u32::from(keys - OP_1 + 1)));
    }
    assert_eq!(both(&[OP_0, OP_CHECKMULTISIG]), (20, 20));
    assert_eq!(both(&[0x4f, OP_CHECKMULTISIG]), (20, 20), "OP_1NEGATE");
    assert_eq!(both(&[1, 2, OP_CHECKMULTISIG]), (20, 20), "2, but as bytes");
}

#[test]
fn only_the_operation_right_before_says_how_many_keys() {
    // `bitcoin` 0.32 counts 3, 4 and 4 here.
    assert_eq!(count(&[0x52, OP_CHECKSIG, OP_CHECKMULTISIG], true), 21);
    assert_eq!(count(&[0x52, OP_CHECKMULTISIG, OP_CHECKMULTISIG], true), 22);
    assert_eq!(count(&[0x52, OP_CHECKMULTISIGVERIFY, OP_CHECKMULTISIG], true), 22);
}

#[test]
fn counting_ends_where_a_push_reaches_past_the_end() {
    for cut in
        [&[2, OP_CHECKSIG][..], &[OP_PUSHDATA1], &[OP_PUSHDATA1, 1], &[OP_PUSHDATA2, 0], &[OP_PUSHDATA4, 0, 0, 0]]
    {
        assert_eq!(count(&[&[OP_CHECKSIG][..], cut].concat(), false), 1, "{cut:x?}");
    }
    for whole in
        [&[1, OP_CHECKSIG][..], &[OP_PUSHDATA1, 0], &[OP_PUSHDATA2, 1, 0, 0], &[OP_PUSHDATA4, 1, 0, 0, 0, OP_CHECKSIG]]
    {
        assert_eq!(count(&[whole, &[OP_CHECKSIG]].concat(), false), 1, "{whole:x?}");
    }
    assert_eq!(count(&[OP_PUSHDATA4, 255, 255, 255, 255, OP_CHECKSIG], false), 0);
}

#[test]
fn templates_are_counted_like_any_script() {
    let p2pkh = [&[OP_DUP, OP_HASH160, 20][..], &[OP_CHECKSIG; 20], &[OP_EQUALVERIFY, OP_CHECKSIG]].concat();
    let full_of_checksig = |head: &[u8], length: usize| {
        let mut script = head.to_vec();
        script.resize(length, OP_CHECKSIG);
        script
    };
    let mut scripts = vec![p2pkh, p2sh(), multisig(), program(OP_0, 20), program(OP_0, 32), program(OP_1, 32)];
    for head in [&[OP_0, 20][..], &[OP_HASH160, 20], &[OP_DUP, OP_HASH160, 20], &[OP_0, 32], &[OP_1, 32]] {
        scripts.extend((20..=36).map(|length| full_of_checksig(head, length)));
        scripts.extend((20..=36).map(|length| [full_of_checksig(head, length), vec![OP_EQUAL]].concat()));
    }
    for script in scripts {
        assert_eq!(count(&script, false), count_any(&script, false), "{script:02x?}");
    }
}

#[test]
fn own_scripts_cost_four_each() {
    let mut transaction = spend(&[outpoint(1)], &[0, 0]);
    transaction.input[0].script_sig = ScriptBuf::from_bytes(vec![OP_CHECKSIG]);
    transaction.output[0].script_pubkey = ScriptBuf::from_bytes(multisig());
    transaction.output[1].script_pubkey = ScriptBuf::from_bytes(p2sh());
    let transaction = parsed(&transaction);
    assert_eq!(transaction.legacy_sigops(), 21);
    let coin = Coin::new(Amount::ONE_SAT, Script::from_bytes(&multisig()), 1, false);
    assert_eq!(cost(&transaction, &[coin], SEGWIT), 84, "what it spends does not count");
}

#[test]
fn redeem_script_costs_four_each_since_bip16() {
    let script_sig = [&[OP_0, OP_0][..], &push(&multisig())].concat();
    assert_eq!(spending(&p2sh(), &script_sig, &[], SEGWIT), 8);
    assert_eq!(spending(&p2sh(), &script_sig, &[], Flags::NONE), 0);
    assert_eq!(spending(&multisig(), &script_sig, &[], SEGWIT), 0, "no P2SH");
}

#[test]
fn redeem_script_is_what_the_last_operation_pushes() {
    let redeem = push(&multisig());
    assert_eq!(spending(&p2sh(), &[], &[], SEGWIT), 0);
    assert_eq!(spending(&p2sh(), &[&redeem[..], &push(&[OP_CHECKSIG])].concat(), &[], SEGWIT), 4);
    // A small number pushes no bytes of the script, and anything else ends the input's being one of pushes.
    for last in [OP_0, 0x4f, 0x50, OP_1, OP_16, 0x61] {
        assert_eq!(spending(&p2sh(), &[&redeem[..], &[last]].concat(), &[], SEGWIT), 0, "{last:#x}");
    }
    assert_eq!(spending(&p2sh(), &[&[0x61][..], &redeem].concat(), &[], SEGWIT), 0, "an operation before");
    assert_eq!(spending(&p2sh(), &[&redeem[..], &[5, 0]].concat(), &[], SEGWIT), 0, "a push past the end");
}

#[test]
fn witness_programs_of_version_0_cost_one_each() {
    let multisig = multisig();
    assert_eq!(spending(&program(OP_0, 20), &[], &[&[], &[]], SEGWIT), 1);
    assert_eq!(spending(&program(OP_0, 20), &[], &[], SEGWIT), 1);
    assert_eq!(spending(&program(OP_0, 32), &[], &[&[], &multisig], SEGWIT), 2);
    assert_eq!(spending(&program(OP_0, 32), &[], &[&multisig, &[]], SEGWIT), 0, "only the last item");
    assert_eq!(spending(&program(OP_0, 32), &[], &[], SEGWIT), 0);
    for other in [program(OP_0, 21), program(OP_1, 20), program(OP_1, 32), program(OP_16, 40)] {
        assert_eq!(spending(&other, &[], &[&multisig], SEGWIT), 0);
    }
    assert_eq!(spending(&program(OP_0, 20), &[], &[], Flags::P2SH), 0);
    assert_eq!(spending(&program(OP_0, 32), &[], &[&multisig], Flags::P2SH), 0);
}

#[test]
fn nested_witness_programs_cost_the_same() {
    let multisig = multisig();
    let (key, script) = (push(&program(OP_0, 20)), push(&program(OP_0, 32)));
    assert_eq!(spending(&p2sh(), &key, &[&[], &[]], SEGWIT), 1);
    assert_eq!(spending(&p2sh(), &script, &[&multisig], SEGWIT), 2);
    assert_eq!(spending(&p2sh(), &key, &[], Flags::P2SH), 0);
    assert_eq!(spending(&p2sh(), &[&[0x61][..], &key].concat(), &[], SEGWIT), 0, "more than pushes");
    assert_eq!(spending(&program(OP_0, 20), &push(&multisig), &[], SEGWIT), 1, "native: the script is not looked at");
}

#[test]
fn witness_of_a_coinbase_costs_nothing() {
    let mut transaction = coinbase(1, &[0]);
    transaction.input[0].script_sig = ScriptBuf::from_bytes(vec![OP_CHECKSIG, OP_CHECKSIG]);
    transaction.input[0].witness.push([OP_CHECKSIG]);
    let coin = Coin::new(Amount::ONE_SAT, Script::from_bytes(&program(OP_0, 20)), 1, false);
    assert_eq!(cost(&parsed(&transaction), &[coin], SEGWIT), 8);
}

#[test]
fn legacy_counts_agree_with_the_bitcoin_crate_where_it_is_right() {
    let interesting = [1, 2, OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4, OP_CHECKSIG, OP_CHECKMULTISIG, OP_1, 0x61, 0xff];
    let mut random = Random(3);
    for _ in 0..20_000 {
        let length = random.below(40);
        let script: Vec<u8> = (0..length).map(|_| interesting[random.below(interesting.len())]).collect();
        let expected = Script::from_bytes(&script).count_sigops_legacy();
        assert_eq!(usize::try_from(count(&script, false)).unwrap(), expected, "{script:02x?}");
    }
}
