//! `script_tests.json`: pairs of scripts and what executing them gives.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::opcodes::OP_0;
use bitcoin::script::Builder;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, XOnlyPublicKey, absolute,
    transaction,
};
use serde_json::Value;

use super::verifier::Verifier;
use super::{flags_of, names, notation, with};
use crate::coin::Coin;
use crate::fixture::parsed;
use crate::policy::script::{Error, Spend, check, flags, verify};
use crate::verify::Flags;

/// The internal key of the vectors' taproot outputs: of the secret key 1.
const INTERNAL_KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

struct Case {
    transaction: Transaction,
    spent: Vec<Coin>,
    flags: Flags,
    expected: String,
    test: String,
}

impl Case {
    fn read(test: &Value) -> Option<Self> {
        let rest = test.as_array().unwrap();
        let (witness, rest) = match rest.as_slice() {
            [Value::Array(witness), rest @ ..] => (witness.as_slice(), rest),
            rest => (&[][..], rest),
        };
        let [script_sig, script, flags, expected, ..] = rest else { return None };
        let (amount, elements) =
            witness.split_last().map_or((0.0, &[][..]), |(last, all)| (last.as_f64().unwrap(), all));
        let (witness, taproot) = read_witness(elements);
        let script = match script.as_str().unwrap() {
            "0x51 0x20 #TAPROOTOUTPUT#" => taproot.unwrap(),
            text => notation::parse(text),
        };
        let amount = Amount::from_btc(amount).unwrap();
        // What needs another rule gets it, as in Bitcoin Core's test.
        let flags = with(flags_of(flags.as_str().unwrap()), Flags::NONE);
        Some(Self {
            transaction: spend(notation::parse(script_sig.as_str().unwrap()), &witness, amount, &script),
            spent: vec![Coin::new(amount, &script, 1, false)],
            flags,
            expected: expected.as_str().unwrap().to_owned(),
            test: test.to_string(),
        })
    }

    fn all() -> Vec<Self> {
        let json = include_str!("../../../../../../vectors/core/script_tests.json");
        let Value::Array(tests) = serde_json::from_str(json).unwrap() else { panic!("not a list") };
        tests.iter().filter_map(Self::read).collect()
    }

    /// What comes of it with `flags` and real signatures.
    fn verdict(&self, flags: Flags) -> Result<(), Error> {
        let spend = Spend::of(&self.transaction, 0, &self.spent).unwrap();
        verify::verify(&spend, flags, &Verifier(&spend))
    }
}

/// One transaction makes the coin, another spends it, exactly as Bitcoin Core's tests make them.
fn spend(script_sig: ScriptBuf, witness: &[Vec<u8>], value: Amount, script: &ScriptBuf) -> Transaction {
    let make = |previous_output, script_sig, witness, script_pubkey| Transaction {
        version: transaction::Version::ONE,
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn { previous_output, script_sig, sequence: Sequence::MAX, witness }],
        output: vec![TxOut { value, script_pubkey }],
    };
    let zeros = Builder::new().push_opcode(OP_0).push_opcode(OP_0).into_script();
    let credit = make(OutPoint::null(), zeros, Witness::new(), script.clone());
    let coin = OutPoint::new(Txid::from_byte_array(credit.compute_txid().to_byte_array()), 0);
    make(coin, script_sig, Witness::from_slice(witness), ScriptBuf::new())
}

/// The witness, and the output script of the taproot tree that it names.
fn read_witness(elements: &[Value]) -> (Vec<Vec<u8>>, Option<ScriptBuf>) {
    let (mut witness, mut output) = (Vec::<Vec<u8>>::new(), None);
    for element in elements.iter().map(|element| element.as_str().unwrap()) {
        if let Some(text) = element.strip_prefix("#SCRIPT#") {
            witness.push(notation::parse(text).into_bytes());
        } else if element == "#CONTROLBLOCK#" {
            let leaf = ScriptBuf::from_bytes(witness.last().unwrap().clone());
            let key: XOnlyPublicKey = INTERNAL_KEY.parse().unwrap();
            let tree = TaprootBuilder::new()
                .add_leaf(0, leaf.clone())
                .unwrap()
                .finalize(&Secp256k1::verification_only(), key)
                .unwrap();
            witness.push(tree.control_block(&(leaf, LeafVersion::TapScript)).unwrap().serialize());
            output = Some(ScriptBuf::new_p2tr_tweaked(tree.output_key()));
        } else {
            witness.push(Vec::from_hex(element).unwrap());
        }
    }
    (witness, output)
}

/// The name of a verdict in the vectors.
fn name(verdict: Result<(), Error>) -> &'static str {
    verdict.map_or_else(names::name, |()| "OK")
}

#[test]
fn with_real_signatures_each_script_gives_what_bitcoin_core_says() {
    let cases = Case::all();
    for case in &cases {
        assert_eq!(name(case.verdict(case.flags)), case.expected, "{}", case.test);
    }
    assert_eq!(cases.len(), 1222, "all of them");
}

/// What [`check`] says, with most signatures presumed valid, next to what Bitcoin Core's mempool says. They differ only
/// where the engine says no.
#[test]
fn policy_and_engine_together_relay_what_bitcoin_core_relays() {
    let (mut agreed, mut left) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
    for case in Case::all() {
        let truth = case.verdict(flags::STANDARD);
        match (check(&parsed(&case.transaction), 0, &case.spent), truth) {
            (Ok(()), Err(error)) => {
                assert!(case.verdict(Flags::ALL).is_err(), "{error} {}", case.test);
                *left.entry(names::name(error)).or_default() += 1;
            }
            (Err(error), Ok(())) => panic!("{error} {}", case.test),
            _ => *agreed.entry(name(truth)).or_default() += 1,
        }
    }
    // Wrong keys or signatures.
    assert_eq!(left.into_iter().collect::<Vec<_>>(), [("EQUALVERIFY", 1), ("NULLFAIL", 2)]);
    assert_eq!((agreed.values().sum::<usize>(), agreed.len()), (1219, 42), "{agreed:?}");
}

/// What holds by consensus and is forbidden by policy, as the vectors have it.
#[test]
fn rules_of_policy_are_broken_as_bitcoin_core_says() {
    let mut seen = BTreeMap::<String, usize>::new();
    for case in Case::all() {
        let by_consensus = case.verdict(with(Flags(case.flags.0 & Flags::ALL.0), Flags::NONE));
        if case.expected == "OK" || by_consensus.is_err() || !flags::STANDARD.contains(case.flags) {
            continue;
        }
        let verdict = check(&parsed(&case.transaction), 0, &case.spent);
        assert!(verdict.is_err(), "{}", case.test);
        *seen.entry(case.expected).or_default() += 1;
    }
    let seen: Vec<_> = seen.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let expected = [
        ("CLEANSTACK", 2),
        ("DISCOURAGE_UPGRADABLE_NOPS", 10),
        ("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", 1),
        ("MINIMALDATA", 21),
        ("MINIMALIF", 6),
        ("NULLFAIL", 3),
        ("PUBKEYTYPE", 4),
        ("SCRIPTNUM", 54),
        ("SIG_DER", 1),
        ("SIG_HASHTYPE", 2),
        ("SIG_HIGH_S", 1),
        ("WITNESS_PUBKEYTYPE", 10),
    ];
    assert_eq!(seen, expected, "those of 115 vectors");
}
