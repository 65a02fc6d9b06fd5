//! The rules one by one, and each limit at its bound and one past it.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, Script, ScriptBuf, Witness};

use super::notation;
use crate::coin::Coin;
use crate::fixture::{outpoint, parsed, spend};
use crate::policy::script::{
    Error, MAX_ELEMENT_SIZE, MAX_MULTISIG_KEYS, MAX_OPERATIONS, MAX_SCRIPT_SIZE, MAX_STACK_SIZE, check, check_all,
};

/// A signature by its encoding: R and S are 1, the hash type is ALL.
const SIGNATURE: &str = "0x09 0x300602010102010101";
/// A compressed key by its encoding.
const KEY: &str = "0x21 0x020101010101010101010101010101010101010101010101010101010101010101";

fn judge(script_sig: &[u8], script: &[u8], witness: &[&[u8]]) -> Result<(), Error> {
    let mut transaction = spend(&[outpoint(1)], &[1000]);
    transaction.input[0].script_sig = ScriptBuf::from_bytes(script_sig.to_vec());
    transaction.input[0].witness = Witness::from_slice(witness);
    check(&parsed(&transaction), 0, &[Coin::new(Amount::ONE_SAT, Script::from_bytes(script), 1, false)])
}

/// A bare script, spent by another.
fn bare(script_sig: &str, script: &str) -> Result<(), Error> {
    judge(notation::parse(script_sig).as_bytes(), notation::parse(script).as_bytes(), &[])
}

/// A script in a witness of version 0.
fn witness(items: &[&[u8]], script: &[u8]) -> Result<(), Error> {
    let program = [&[0, 32], &sha256::Hash::hash(script).to_byte_array()[..]].concat();
    judge(&[], &program, &[items, &[script]].concat())
}

/// A script in a taproot leaf of that version.
fn leaf(version: u8, items: &[&[u8]], script: &[u8]) -> Result<(), Error> {
    let program = [&[0x51, 32], &[7; 32][..]].concat();
    let control = [&[version], &[9; 32][..]].concat();
    judge(&[], &program, &[items, &[script, &control]].concat())
}

fn tapscript(items: &[&[u8]], script: &[u8]) -> Result<(), Error> {
    leaf(0xc0, items, script)
}

fn code(text: &str) -> Vec<u8> {
    notation::parse(text).into_bytes()
}

#[test]
fn what_a_signature_needs_is_a_defined_encoding() {
    let spend = |signature: &str| bare(&format!("{signature} {KEY}"), "CHECKSIG");
    assert_eq!(spend(SIGNATURE), Ok(()));
    for (signature, error) in [
        // A length of R that is none, a negative R, an R with a zero too many, and no hash type.
        ("0x09 0x300602000102010101", Error::SigDer),
        ("0x09 0x300602018102010101", Error::SigDer),
        ("0x0a 0x30070202000102010101", Error::SigDer),
        ("0x08 0x3006020101020101", Error::SigDer),
        ("0x09 0x300602010102010100", Error::SigHashtype),
        ("0x09 0x300602010102010104", Error::SigHashtype),
        ("0", Error::EvalFalse),
    ] {
        assert_eq!(spend(signature), Err(error), "{signature}");
    }
    for hash_type in ["01", "02", "03", "81", "82", "83"] {
        assert_eq!(spend(&format!("0x09 0x3006020101020101{hash_type}")), Ok(()));
    }
}

#[test]
fn the_higher_of_two_signatures_is_refused() {
    let half = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20";
    let with_s = |s: &str| {
        let (length, total) = (s.len() / 2, s.len() / 2 + 5);
        let push = total + 3;
        bare(&format!("0x{push:02x} 0x30{total:02x}02010102{length:02x}{s}01 {KEY}"), "CHECKSIG")
    };
    assert_eq!(with_s(&format!("{half}a0")), Ok(()), "half of the order");
    assert_eq!(with_s(&format!("{half}a1")), Err(Error::SigHighS));
    let order = "00fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd03641";
    assert_eq!(with_s(&format!("{order}40")), Err(Error::SigHighS), "minus one");
    // From the order on it is no S at all, which is for the engine to find.
    assert_eq!(with_s(&format!("{order}41")), Ok(()));
}

#[test]
fn keys_are_compressed_or_not_and_nothing_else() {
    let body = "01".repeat(32);
    for (key, bare_verdict, witness_verdict) in [
        (format!("0x21 0x03{body}"), Ok(()), Ok(())),
        (format!("0x41 0x04{body}{body}"), Ok(()), Err(Error::WitnessPubkeyType)),
        (format!("0x41 0x06{body}{body}"), Err(Error::PubkeyType), Err(Error::PubkeyType)),
        (format!("0x21 0x04{body}"), Err(Error::PubkeyType), Err(Error::PubkeyType)),
        (format!("0x20 0x{body}"), Err(Error::PubkeyType), Err(Error::PubkeyType)),
    ] {
        assert_eq!(bare(SIGNATURE, &format!("{key} CHECKSIG")), bare_verdict, "{key}");
        let script = code(&format!("{key} CHECKSIG"));
        assert_eq!(witness(&[&code(SIGNATURE)[1..]], &script), witness_verdict, "{key}");
    }
}

#[test]
fn a_wrong_signature_is_found_where_the_engine_would_miss_it() {
    // Nothing else of the script depends on it.
    assert_eq!(bare(SIGNATURE, &format!("{KEY} CHECKSIG DROP 1")), Err(Error::NullFail));
    assert_eq!(bare("0", &format!("{KEY} CHECKSIG DROP 1")), Ok(()));
    assert_eq!(bare(SIGNATURE, &format!("{KEY} CHECKSIG NOT")), Err(Error::NullFail));
    assert_eq!(bare("0", &format!("{KEY} CHECKSIG NOT")), Ok(()));
    assert_eq!(bare(&format!("0 {SIGNATURE}"), &format!("1 {KEY} 1 CHECKMULTISIG DROP 1")), Err(Error::NullFail));
    assert_eq!(bare(&format!("{SIGNATURE} {KEY} CHECKSIG"), "DROP 1"), Err(Error::SigFindAndDelete));
    // The engine sees these.
    assert_eq!(bare(SIGNATURE, &format!("{KEY} CHECKSIG")), Ok(()));
    assert_eq!(bare(SIGNATURE, &format!("{KEY} CHECKSIGVERIFY 1")), Ok(()));
}

#[test]
fn pushes_and_numbers_are_as_short_as_can_be() {
    for (long, short) in [("0x01 0x05", "5"), ("0x4c 0x01 0x20", "32"), ("0x01 0x81", "-1"), ("0x4d 0x0000", "0")] {
        assert_eq!(bare(long, "DROP 1"), Err(Error::MinimalData), "{long}");
        assert_eq!(bare(short, "DROP 1"), Ok(()), "{short}");
    }
    assert_eq!(bare("0x02 0x0500", "5 NUMEQUAL"), Err(Error::ScriptNumber));
    // Not run, not looked at.
    assert_eq!(bare("0", "IF 0x01 0x05 ENDIF 1"), Ok(()));
}

#[test]
fn what_is_reserved_for_soft_forks_is_refused() {
    assert_eq!(bare("", "NOP4 1"), Err(Error::DiscourageUpgradableNops));
    assert_eq!(bare("", "NOP 1"), Ok(()));
    assert_eq!(bare("", "0 IF NOP10 ENDIF 1"), Ok(()), "where it is not run");
    let unknown = [&[0x52, 32], &[7; 32][..]].concat();
    assert_eq!(judge(&[], &unknown, &[]), Err(Error::DiscourageUpgradableWitnessProgram));
    assert_eq!(judge(&[], &[0x51, 2, 0x4e, 0x73], &[]), Ok(()), "anyone may spend an anchor");
    assert_eq!(leaf(0xc2, &[], &code("1")), Err(Error::DiscourageUpgradableTaprootVersion));
    assert_eq!(tapscript(&[], &[0x50, 0x6a]), Err(Error::DiscourageOpSuccess));
    let (signature, key) = ([1; 64], [2; 33]);
    let script = [&[33], &key[..], &[0xac]].concat();
    assert_eq!(tapscript(&[&signature], &script), Err(Error::DiscourageUpgradablePubkeyType));
}

#[test]
fn nothing_is_left_on_the_stack() {
    assert_eq!(bare("1", "1"), Err(Error::CleanStack));
    assert_eq!(bare("", "1"), Ok(()));
    assert_eq!(bare("", "0"), Err(Error::EvalFalse));
}

#[test]
fn a_condition_in_a_witness_is_nothing_or_one() {
    let script = code("IF 1 ELSE 1 ENDIF");
    for (item, bare_verdict) in
        [(&[][..], Ok(())), (&[1], Ok(())), (&[2], Err(())), (&[0], Err(())), (&[1, 0], Err(()))]
    {
        assert_eq!(witness(&[item], &script), bare_verdict.map_err(|()| Error::MinimalIf), "{item:?}");
        assert_eq!(tapscript(&[item], &script), bare_verdict.map_err(|()| Error::TapscriptMinimalIf), "{item:?}");
    }
    assert_eq!(bare("0x02 0x0100", "IF 1 ELSE 1 ENDIF"), Ok(()), "outside of a witness it may be anything");
}

#[test]
fn nothing_changes_what_is_signed_outside_of_a_witness() {
    assert_eq!(bare("", "0 IF CODESEPARATOR ENDIF 1"), Err(Error::OpCodeSeparator));
    assert_eq!(witness(&[], &code("CODESEPARATOR 1")), Ok(()));
    let script = format!("{SIGNATURE} DROP {KEY} CHECKSIG");
    assert_eq!(bare(SIGNATURE, &script), Err(Error::SigFindAndDelete));
    assert_eq!(witness(&[&code(SIGNATURE)[1..]], &code(&script)), Ok(()));
}

#[test]
fn the_usual_inputs_are_told_by_their_form() {
    let (signature, key) = (&code(SIGNATURE)[1..], &code(KEY)[1..]);
    let uncompressed = [4; 65];
    let hash = bitcoin::hashes::hash160::Hash::hash(key).to_byte_array();
    let p2wpkh = [&[0, 20], &hash[..]].concat();
    assert_eq!(judge(&[], &p2wpkh, &[signature, key]), Ok(()));
    assert_eq!(judge(&[], &p2wpkh, &[&signature[..8], key]), Err(Error::SigDer));
    assert_eq!(judge(&[1], &p2wpkh, &[signature, key]), Err(Error::BadOpcode));
    assert_eq!(judge(&[0x51], &p2wpkh, &[signature, key]), Err(Error::WitnessMalleated));
    assert_eq!(judge(&[], &p2wpkh, &[signature, &uncompressed]), Err(Error::EqualVerify));
    assert_eq!(judge(&[], &p2wpkh, &[signature]), Err(Error::WitnessProgramMismatch));
    let p2pkh = [&[0x76, 0xa9, 20], &hash[..], &[0x88, 0xac]].concat();
    let script_sig = code(&format!("{SIGNATURE} {KEY}"));
    assert_eq!(judge(&script_sig, &p2pkh, &[]), Ok(()));
    assert_eq!(judge(&script_sig, &p2pkh, &[&[]]), Err(Error::WitnessUnexpected));
    assert_eq!(judge(&code(&format!("1 {SIGNATURE} {KEY}")), &p2pkh, &[]), Err(Error::CleanStack));
    let p2tr = [&[0x51, 32], &[7; 32][..]].concat();
    assert_eq!(judge(&[], &p2tr, &[&[1; 64]]), Ok(()));
    assert_eq!(judge(&[], &p2tr, &[&[1; 65]]), Ok(()));
    assert_eq!(judge(&[], &p2tr, &[&[1; 63]]), Err(Error::SchnorrSigSize));
    assert_eq!(judge(&[], &p2tr, &[&[0; 65]]), Err(Error::SchnorrSigHashtype));
    assert_eq!(judge(&[], &p2tr, &[]), Err(Error::WitnessProgramWitnessEmpty));
    let nested = bitcoin::hashes::hash160::Hash::hash(&p2wpkh).to_byte_array();
    let p2sh = [&[0xa9, 20], &nested[..], &[0x87]].concat();
    let push = [&[22], &p2wpkh[..]].concat();
    assert_eq!(judge(&push, &p2sh, &[signature, key]), Ok(()));
    assert_eq!(judge(&[&[0x51], &push[..]].concat(), &p2sh, &[signature, key]), Err(Error::WitnessMalleatedP2sh));
    assert_eq!(judge(&push, &p2sh, &[&[], key]), Err(Error::EvalFalse));
}

#[test]
fn items_have_520_bytes_at_most() {
    let push = |size: usize| {
        let length = u16::try_from(size).unwrap().to_le_bytes();
        [&[0x4d], &length[..], &vec![7; size]].concat()
    };
    let script = code("DROP 1");
    assert_eq!(judge(&push(MAX_ELEMENT_SIZE), &script, &[]), Ok(()));
    assert_eq!(judge(&push(MAX_ELEMENT_SIZE + 1), &script, &[]), Err(Error::PushSize));
    for run in [witness, tapscript] {
        assert_eq!(run(&[&[7; MAX_ELEMENT_SIZE]], &script), Ok(()));
        assert_eq!(run(&[&[7; MAX_ELEMENT_SIZE + 1]], &script), Err(Error::PushSize));
    }
}

#[test]
fn scripts_have_201_operations_at_most_but_for_tapscripts() {
    let script = |operations| [&vec![0x61; operations][..], &[0x51]].concat();
    for (operations, verdict) in [(MAX_OPERATIONS, Ok(())), (MAX_OPERATIONS + 1, Err(Error::OpCount))] {
        assert_eq!(judge(&[], &script(operations), &[]), verdict);
        assert_eq!(witness(&[], &script(operations)), verdict);
        assert_eq!(tapscript(&[], &script(operations)), Ok(()));
    }
    // The keys of a multi-signature count as operations, and so does itself.
    let keys = vec![0; MAX_MULTISIG_KEYS];
    let script = |others| [&vec![0x61; others][..], &[0, 0], &keys, &code("20 CHECKMULTISIG")].concat();
    let encoded = |others| judge(&[], &script(others), &[]);
    assert_eq!(encoded(MAX_OPERATIONS - 21), Ok(()), "no signature is asked for, no key looked at");
    assert_eq!(encoded(MAX_OPERATIONS - 20), Err(Error::OpCount));
}

#[test]
fn scripts_have_10000_bytes_at_most_but_for_tapscripts() {
    // Pushes of 256 to 519 bytes, each dropped.
    let script = |size: usize| {
        let mut script = Vec::new();
        let mut drop = |data: usize| {
            let length = u16::try_from(data).unwrap().to_le_bytes();
            script.extend([&[0x4d], &length[..], &vec![7; data], &[0x75]].concat());
        };
        let mut left = size - 1;
        while left > 1043 {
            drop(519);
            left -= 523;
        }
        drop(left / 2 - 4);
        drop(left - left / 2 - 4);
        script.push(0x51);
        assert_eq!(script.len(), size);
        script
    };
    assert_eq!(judge(&[], &script(MAX_SCRIPT_SIZE), &[]), Ok(()));
    assert_eq!(judge(&[], &script(MAX_SCRIPT_SIZE + 1), &[]), Err(Error::ScriptSize));
    assert_eq!(witness(&[], &script(MAX_SCRIPT_SIZE + 1)), Err(Error::ScriptSize));
    assert_eq!(tapscript(&[], &script(MAX_SCRIPT_SIZE + 1)), Ok(()));
}

#[test]
fn stacks_have_1000_items_at_most() {
    // One is on the other stack.
    let script = |items: usize| [&[0x51, 0x6b], &vec![0x51; items - 1][..]].concat();
    let verdict = |items| judge(&[], &script(items), &[]);
    assert_eq!(verdict(MAX_STACK_SIZE), Err(Error::CleanStack), "they fit, and stay");
    assert_eq!(verdict(MAX_STACK_SIZE + 1), Err(Error::StackSize));
    let drop = vec![0x6d; MAX_STACK_SIZE / 2 - 1];
    let script = [&drop[..], &[0x75]].concat();
    let items = vec![&[1_u8][..]; MAX_STACK_SIZE + 1];
    assert_eq!(tapscript(&items[1..], &script), Ok(()));
    assert_eq!(tapscript(&items, &script), Err(Error::StackSize));
}

#[test]
fn multi_signatures_have_20_keys_at_most() {
    let verdict = |keys: usize| {
        let script = [&[0, 0][..], &vec![0; keys], &[1, u8::try_from(keys).unwrap(), 0xae]].concat();
        judge(&[], &script, &[])
    };
    assert_eq!(verdict(MAX_MULTISIG_KEYS), Ok(()));
    assert_eq!(verdict(MAX_MULTISIG_KEYS + 1), Err(Error::PubkeyCount));
    assert_eq!(bare("0", "0 -1 CHECKMULTISIG"), Err(Error::PubkeyCount));
    assert_eq!(bare("0 0 0", "2 0 1 CHECKMULTISIG"), Err(Error::SigCount));
    assert_eq!(bare("1", "0 0 CHECKMULTISIG"), Err(Error::SigNullDummy));
}

#[test]
fn a_tapscript_weighs_50_for_each_signature() {
    // Each checks the same signature for the same key.
    let (signature, key) = ([1; 64], [2; 32]);
    let script = |checks: usize| {
        let check = [&[0x76, 32], &key[..], &[0xad]].concat();
        [check.repeat(checks), vec![0x75, 0x51]].concat()
    };
    // Checks of 35 bytes weigh less than they need: it takes what is around them.
    let weight = |checks: usize| {
        let control = [0xc0; 33];
        Witness::from_slice(&[&signature[..], &script(checks), &control]).size() + 50
    };
    let most = (1..20).take_while(|checks| weight(*checks) >= 50 * checks).last().unwrap();
    assert!(most > 5 && weight(most + 1) < 50 * (most + 1));
    assert_eq!(tapscript(&[&signature], &script(most)), Ok(()));
    assert_eq!(tapscript(&[&signature], &script(most + 1)), Err(Error::TapscriptValidationWeight));
}

#[test]
fn tapscripts_add_up_signatures() {
    let (signature, key) = ([1; 64], [2; 32]);
    let add = [&[32], &key[..], &[0xba]].concat();
    let script = |sum: u8| [&[0x00], &add[..], &add, &[0x50 + sum, 0x9c]].concat();
    assert_eq!(tapscript(&[&[], &signature], &script(1)), Ok(()));
    assert_eq!(tapscript(&[&signature, &signature], &script(2)), Ok(()));
    assert_eq!(tapscript(&[&signature, &signature], &script(1)), Err(Error::EvalFalse));
    assert_eq!(tapscript(&[&signature[..9]], &script(1)), Err(Error::SchnorrSigSize));
    assert_eq!(witness(&[&[], &[]], &script(1)), Err(Error::BadOpcode));
    assert_eq!(tapscript(&[], &code("0 0 0 CHECKMULTISIG")), Err(Error::TapscriptCheckMultisig));
}

#[test]
fn lock_times_are_asked_for_by_scripts() {
    let judge = |script: &str, version: i32, lock_time: u32, sequence: u32| {
        let mut transaction = spend(&[outpoint(1)], &[1000]);
        transaction.version.0 = version;
        transaction.lock_time = bitcoin::absolute::LockTime::from_consensus(lock_time);
        transaction.input[0].sequence = bitcoin::Sequence(sequence);
        check(&parsed(&transaction), 0, &[Coin::new(Amount::ONE_SAT, &notation::parse(script), 1, false)])
    };
    let lock = "100 CHECKLOCKTIMEVERIFY";
    assert_eq!(judge(lock, 2, 100, 0), Ok(()));
    assert_eq!(judge(lock, 2, 99, 0), Err(Error::UnsatisfiedLocktime));
    assert_eq!(judge(lock, 2, 500_000_000, 0), Err(Error::UnsatisfiedLocktime), "a time is no height");
    assert_eq!(judge(lock, 2, 100, u32::MAX), Err(Error::UnsatisfiedLocktime), "a final input heeds none");
    assert_eq!(judge("-1 CHECKLOCKTIMEVERIFY", 2, 100, 0), Err(Error::NegativeLocktime));
    let sequence = "100 CHECKSEQUENCEVERIFY";
    assert_eq!(judge(sequence, 2, 0, 100), Ok(()));
    assert_eq!(judge(sequence, 2, 0, 99), Err(Error::UnsatisfiedLocktime));
    assert_eq!(judge(sequence, 1, 0, 100), Err(Error::UnsatisfiedLocktime));
    assert_eq!(judge(sequence, 2, 0, 100 | 1 << 22), Err(Error::UnsatisfiedLocktime), "seconds are no blocks");
    assert_eq!(judge(sequence, 2, 0, 100 | 1 << 31), Err(Error::UnsatisfiedLocktime));
    assert_eq!(judge("0x05 0x0000008000 CHECKSEQUENCEVERIFY", 1, 0, 0), Ok(()), "asks for nothing");
}

#[test]
fn the_first_bad_input_is_named() {
    let transaction = parsed(&spend(&[outpoint(1), outpoint(2)], &[1000]));
    let coin = |script: &str| Coin::new(Amount::ONE_SAT, &notation::parse(script), 1, false);
    assert_eq!(check_all(&transaction, &[coin("1"), coin("1")]), Ok(()));
    assert_eq!(check_all(&transaction, &[coin("1"), coin("0")]), Err((1, Error::EvalFalse)));
    assert_eq!(check_all(&transaction, &[coin("1")]), Err((1, Error::NoSuchInput { index: 1 })));
    assert_eq!(check(&transaction, 2, &[coin("1"), coin("1")]), Err(Error::NoSuchInput { index: 2 }));
}
