//! The rules of relay next to Bitcoin Core's engine: random scripts without signatures, of which both must say the same
//! but for what policy alone forbids.

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::taproot::{LeafVersion, TaprootBuilder};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, XOnlyPublicKey, absolute,
    transaction,
};
use yap_chain::coin::Coin;
use yap_chain::policy::script::{self, Error};
use yap_chain::verify::Flags;
use yap_script::{Kernel, check};

use crate::{coin, job};

/// Scripts tried.
const SCRIPTS: u64 = 6_000;

/// The secret key 1's, for taproot outputs.
const INTERNAL_KEY: &str = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// Opcodes, the items that each needs, and by how many it changes their number.
const OPERATIONS: [(u8, usize, isize); 51] = [
    (0x61, 0, 0),
    (0x6b, 1, -1),
    (0x6c, 0, 1),
    (0x6d, 2, -2),
    (0x6e, 2, 2),
    (0x6f, 3, 3),
    (0x70, 4, 2),
    (0x71, 6, 0),
    (0x72, 4, 0),
    (0x73, 1, 1),
    (0x74, 0, 1),
    (0x75, 1, -1),
    (0x76, 1, 1),
    (0x77, 2, -1),
    (0x78, 2, 1),
    (0x79, 2, 0),
    (0x7a, 2, -1),
    (0x7b, 3, 0),
    (0x7c, 2, 0),
    (0x7d, 2, 1),
    (0x82, 1, 1),
    (0x87, 2, -1),
    (0x88, 2, -2),
    (0x8b, 1, 0),
    (0x8c, 1, 0),
    (0x8f, 1, 0),
    (0x90, 1, 0),
    (0x91, 1, 0),
    (0x92, 1, 0),
    (0x93, 2, -1),
    (0x94, 2, -1),
    (0x9a, 2, -1),
    (0x9b, 2, -1),
    (0x9c, 2, -1),
    (0x9e, 2, -1),
    (0x9f, 2, -1),
    (0xa0, 2, -1),
    (0xa1, 2, -1),
    (0xa2, 2, -1),
    (0xa3, 2, -1),
    (0xa4, 2, -1),
    (0xa5, 3, -2),
    (0xa6, 1, 0),
    (0xa7, 1, 0),
    (0xa8, 1, 0),
    (0xa9, 1, 0),
    (0xaa, 1, 0),
    (0xab, 0, 0),
    (0xb1, 1, 0),
    (0xb2, 1, 0),
    (0x69, 1, -1),
];

/// SplitMix64: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

fn push(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0..=3 => vec![0],
        4..=11 => vec![[0x4f, 0x51, 0x52, 0x53, 0x54, 0x60][random.below(6)]],
        12 => vec![1, 0x20 | random.byte()],
        13 => vec![2, random.byte(), 1 + random.byte() / 2],
        14 => vec![4, random.byte(), random.byte(), random.byte(), random.byte()],
        _ => [&[33], &[random.byte(); 33][..]].concat(),
    }
}

/// A script that mostly finds the items it needs, and leaves one whose value depends on them.
fn script(random: &mut Random) -> Vec<u8> {
    let (mut script, mut depth, mut open) = (Vec::new(), 0_usize, 0);
    for _ in 0..random.below(40) {
        let (opcode, needed, change) = OPERATIONS[random.below(OPERATIONS.len())];
        match random.below(24) {
            0 => script.push(random.byte()),
            1 if depth > 0 => {
                script.push(0x63 + u8::try_from(random.below(2)).unwrap());
                (depth, open) = (depth - 1, open + 1);
            }
            2 | 3 if open > 0 => {
                script.push(0x68);
                open -= 1;
            }
            4 if open > 0 => script.push(0x67),
            5..=14 if depth >= needed => {
                script.push(opcode);
                depth = depth.checked_add_signed(change).unwrap();
            }
            _ => {
                script.extend(push(random));
                depth += 1;
            }
        }
    }
    script.extend(vec![0x68; open]);
    script.extend(vec![0x77; depth.saturating_sub(1)]);
    script
}

/// One input that spends such a script: bare, behind P2SH, in a witness, or in a taproot leaf.
fn spend(random: &mut Random) -> (Transaction, Vec<Coin>) {
    let inner = script(random);
    let (script_sig, spent, witness) = match random.below(4) {
        0 => (Vec::new(), inner, Vec::new()),
        1 if inner.len() < 256 => {
            let hash = hash160::Hash::hash(&inner).to_byte_array();
            let mut script_sig = ScriptBuf::new();
            script_sig.push_slice(bitcoin::script::PushBytesBuf::try_from(inner).unwrap());
            (script_sig.into_bytes(), [&[0xa9, 20], &hash[..], &[0x87]].concat(), Vec::new())
        }
        2 => {
            let hash = sha256::Hash::hash(&inner).to_byte_array();
            (Vec::new(), [&[0, 32], &hash[..]].concat(), vec![inner])
        }
        _ => {
            let (leaf, key) = (ScriptBuf::from_bytes(inner.clone()), INTERNAL_KEY.parse::<XOnlyPublicKey>().unwrap());
            let tree = TaprootBuilder::new().add_leaf(0, leaf.clone()).unwrap();
            let tree = tree.finalize(&Secp256k1::verification_only(), key).unwrap();
            let control = tree.control_block(&(leaf, LeafVersion::TapScript)).unwrap().serialize();
            (Vec::new(), ScriptBuf::new_p2tr_tweaked(tree.output_key()).into_bytes(), vec![inner, control])
        }
    };
    let input = TxIn {
        previous_output: OutPoint::new(Txid::all_zeros(), 0),
        script_sig: script_sig.into(),
        sequence: Sequence(3),
        witness: Witness::from_slice(&witness),
    };
    let transaction = Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::from_consensus(3),
        input: vec![input],
        output: vec![TxOut { value: Amount::ONE_SAT, script_pubkey: ScriptBuf::new() }],
    };
    (transaction, vec![coin(Amount::ONE_SAT, &ScriptBuf::from_bytes(spent))])
}

/// Whether policy alone may be what forbids it.
fn may_be_policy(error: Error) -> bool {
    [
        Error::MinimalData,
        Error::ScriptNumber,
        Error::CleanStack,
        Error::DiscourageUpgradableNops,
        Error::DiscourageUpgradableWitnessProgram,
        Error::DiscourageOpSuccess,
        Error::MinimalIf,
        Error::OpCodeSeparator,
        // Of an opcode made at random: an empty signature, which OP_0 pushes too, and keys that are no keys.
        Error::SigFindAndDelete,
        Error::PubkeyType,
        Error::WitnessPubkeyType,
        Error::DiscourageUpgradablePubkeyType,
    ]
    .contains(&error)
}

#[test]
fn policy_runs_scripts_as_bitcoin_core_does() {
    let (mut held, mut failed, mut forbidden) = (0, 0, 0);
    for seed in 0..SCRIPTS {
        let (transaction, spent) = spend(&mut Random(seed));
        let engine = check(&Kernel::new(), &job(&transaction, &spent, Flags::ALL));
        let parsed = yap_chain::transaction::Transaction::parse(bitcoin::consensus::serialize(&transaction)).unwrap();
        match (engine, script::check(&parsed, 0, &spent)) {
            (Ok(()), Ok(())) => held += 1,
            (Err(_), Err(_)) => failed += 1,
            (Ok(()), Err(error)) => {
                assert!(may_be_policy(error), "seed {seed}: Core's engine says yes, policy {error}");
                forbidden += 1;
            }
            (Err(failure), Ok(())) => panic!("seed {seed}: policy says yes, Core's engine {failure}"),
        }
    }
    assert!(held > 500 && failed > 500 && forbidden > 100, "{held} held, {failed} failed, {forbidden} were forbidden");
}
