//! `script_tests.json`: pairs of scripts and what executing them gives.
//!
//! The engine knows consensus rules only. A rule of policy can only make a script fail: so what holds with it must hold
//! without it, and a failure for another reason must fail without it. Only failures that come of policy are left out.

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
use yap_chain::verify::Flags;
use yap_script::{Kernel, Reason, check};

use crate::{coin, flags, job, notation, vectors};

/// What a script fails by, and the flags of policy that alone make it fail so.
const POLICY: [(&str, &[&str]); 13] = [
    ("CLEANSTACK", &["CLEANSTACK"]),
    ("DISCOURAGE_UPGRADABLE_NOPS", &["DISCOURAGE_UPGRADABLE_NOPS"]),
    ("DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM", &["DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM"]),
    ("MINIMALDATA", &["MINIMALDATA"]),
    ("MINIMALIF", &["MINIMALIF"]),
    ("NULLFAIL", &["NULLFAIL"]),
    ("PUBKEYTYPE", &["STRICTENC"]),
    ("SCRIPTNUM", &["MINIMALDATA"]),
    ("SIG_DER", &["STRICTENC", "LOW_S"]),
    ("SIG_HASHTYPE", &["STRICTENC"]),
    ("SIG_HIGH_S", &["LOW_S"]),
    ("SIG_PUSHONLY", &["SIGPUSHONLY"]),
    ("WITNESS_PUBKEYTYPE", &["WITNESS_PUBKEYTYPE"]),
];

/// The internal key of the vectors' taproot outputs: of the secret key 1.
const INTERNAL_KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

struct Case {
    witness: Vec<Vec<u8>>,
    amount: Amount,
    script_sig: ScriptBuf,
    script: ScriptBuf,
    flags: String,
    expected: String,
}

impl Case {
    fn read(test: &[Value]) -> Option<Self> {
        let (witness, rest) = match test {
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
        Some(Self {
            witness,
            amount: Amount::from_btc(amount).unwrap(),
            script_sig: notation::parse(script_sig.as_str().unwrap()),
            script,
            flags: flags.as_str().unwrap().to_owned(),
            expected: expected.as_str().unwrap().to_owned(),
        })
    }

    /// Whether only a rule of policy makes it fail.
    fn is_policy(&self) -> bool {
        let set = |flag: &&str| self.flags.split(',').any(|word| word == *flag);
        // A signature that is not DER breaks BIP-0066 as well, if that is in force.
        let consensus = self.expected == "SIG_DER" && set(&"DERSIG");
        !consensus && POLICY.iter().any(|(error, flags)| *error == self.expected && flags.iter().any(set))
    }

    /// One transaction makes the coin, another spends it, exactly as Core's tests make them.
    fn spend(&self) -> Transaction {
        let make = |previous_output, script_sig, witness, script_pubkey| Transaction {
            version: transaction::Version::ONE,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn { previous_output, script_sig, sequence: Sequence::MAX, witness }],
            output: vec![TxOut { value: self.amount, script_pubkey }],
        };
        let zeros = Builder::new().push_opcode(OP_0).push_opcode(OP_0).into_script();
        let credit = make(OutPoint::null(), zeros, Witness::new(), self.script.clone());
        let coin = OutPoint::new(Txid::from_byte_array(credit.compute_txid().to_byte_array()), 0);
        make(coin, self.script_sig.clone(), Witness::from_slice(&self.witness), ScriptBuf::new())
    }
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
            let tree = TaprootBuilder::new().add_leaf(0, leaf.clone()).unwrap();
            let tree = tree.finalize(&Secp256k1::verification_only(), key).unwrap();
            witness.push(tree.control_block(&(leaf, LeafVersion::TapScript)).unwrap().serialize());
            output = Some(ScriptBuf::new_p2tr_tweaked(tree.output_key()));
        } else {
            witness.push(Vec::from_hex(element).unwrap());
        }
    }
    (witness, output)
}

/// Whether Core gives this error where the engine gives that reason.
fn explains(reason: Reason, error: &str) -> bool {
    // The operand is missing, no number, negative, or too large.
    let lock_time = ["INVALID_STACK_OPERATION", "SCRIPTNUM", "NEGATIVE_LOCKTIME", "UNSATISFIED_LOCKTIME"];
    (reason == Reason::Unsatisfied && error != "OK")
        || (reason == Reason::NotDer && error == "SIG_DER")
        || (reason == Reason::Dummy && error == "SIG_NULLDUMMY")
        || ([Reason::LockTime, Reason::Sequence].contains(&reason) && lock_time.contains(&error))
}

#[test]
fn scripts_do_what_bitcoin_core_says() {
    let (mut checked, mut left_out, mut named) = (0, 0, 0);
    for test in vectors("script_tests.json") {
        let test = test.as_array().unwrap();
        let Some(case) = Case::read(test) else {
            assert_eq!(test.len(), 1, "only comments are no case: {test:?}");
            continue;
        };
        if case.is_policy() {
            left_out += 1;
            continue;
        }
        let (mut flags, _) = flags(&case.flags);
        if case.flags.split(',').any(|flag| flag == "CLEANSTACK") {
            // Core's test adds the rules without which this one cannot be.
            flags = flags.with(Flags::P2SH).with(Flags::WITNESS);
        }
        let job = job(&case.spend(), &[coin(case.amount, &case.script)], flags);
        match check(&Kernel::new(), &job).err().map(|failure| failure.reason) {
            None => assert_eq!(case.expected, "OK", "{test:?}"),
            Some(reason) => {
                assert!(explains(reason, &case.expected), "{reason} {test:?}");
                named += usize::from(reason != Reason::Unsatisfied);
            }
        }
        checked += 1;
    }
    assert_eq!((checked, left_out, named), (1093, 129, 23));
}
