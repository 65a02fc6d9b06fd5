//! Scripts made at random: none does harm, and the answer is that with all signatures verified.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::{Amount, Script, ScriptBuf, Sequence, Witness};

use super::verifier::Verifier;
use crate::coin::Coin;
use crate::fixture::{Random, outpoint, parsed, spend};
use crate::policy::script::{Spend, Thrifty, check, flags, usual, verify};
use crate::policy::{self, Rules};
use crate::verify::Flags;

/// Spends tried.
const SPENDS: u64 = 20_000;

/// An item that scripts have a use for.
fn item(random: &mut Random) -> Vec<u8> {
    match random.below(12) {
        0..=2 => Vec::new(),
        3..=4 => vec![1],
        5 => vec![u8::try_from(random.below(256)).unwrap(); random.below(4)],
        6 => vec![0x30, 6, 2, 1, 1, 2, 1, 1, 1],
        7 => [&[2], &[1; 32][..]].concat(),
        8 => vec![3; 64],
        9 => vec![7; 32],
        10 => vec![9; random.below(600)],
        _ => vec![5],
    }
}

fn push(item: &[u8]) -> Vec<u8> {
    let mut script = ScriptBuf::new();
    match item {
        [] => script.push_opcode(bitcoin::opcodes::OP_0),
        [number @ 1..=16] => script.push_opcode((0x50 + number).into()),
        _ => script.push_slice(bitcoin::script::PushBytesBuf::try_from(item.to_vec()).unwrap()),
    }
    script.into_bytes()
}

fn script(random: &mut Random) -> Vec<u8> {
    let mut script = Vec::new();
    let most = random.below(20);
    for _ in 0..random.below(most + 1) {
        match random.below(10) {
            0..=3 => script.extend(push(&item(random))),
            4 => script.push(u8::try_from(random.below(256)).unwrap()),
            5 => script.push([0xac, 0xad, 0xae, 0xaf, 0xba][random.below(5)]),
            6 => script.push([0x63, 0x64, 0x67, 0x68][random.below(4)]),
            _ => script.push(0x61 + u8::try_from(random.below(0x5a)).unwrap()),
        }
    }
    // Many end with true, so that what is left on the stack matters.
    if random.below(2) == 0 {
        script.push(0x51);
    }
    script
}

/// A transaction of one input, and the coin that it spends, by one of all the ways.
fn spending(random: &mut Random) -> (bitcoin::Transaction, Vec<Coin>) {
    let inner = script(random);
    let mut items: Vec<Vec<u8>> = (0..random.below(5)).map(|_| item(random)).collect();
    let pushes: Vec<u8> = items.iter().flat_map(|item| push(item)).collect();
    let (script_sig, spent, witness) = match random.below(6) {
        0 => (pushes, inner, Vec::new()),
        1 => {
            let hash = hash160::Hash::hash(&inner).to_byte_array();
            ([pushes, push(&inner)].concat(), [&[0xa9, 20], &hash[..], &[0x87]].concat(), Vec::new())
        }
        2 => {
            let program = [&[0, 32], &sha256::Hash::hash(&inner).to_byte_array()[..]].concat();
            items.push(inner);
            (Vec::new(), program, items)
        }
        3 => {
            items.push(inner);
            items.push(
                [&[0xc0 | u8::try_from(random.below(4)).unwrap()], &vec![7; 32 * (1 + random.below(3))][..]].concat(),
            );
            (Vec::new(), [&[0x51, 32], &[7; 32][..]].concat(), items)
        }
        4 => {
            let key = [&[2], &[1; 32][..]].concat();
            let program = [&[0, 20], &hash160::Hash::hash(&key).to_byte_array()[..]].concat();
            (Vec::new(), program, vec![item(random), key])
        }
        _ => (script(random), inner, items),
    };
    let mut transaction = spend(&[outpoint(1)], &[1000]);
    transaction.input[0].script_sig = script_sig.into();
    transaction.input[0].witness = Witness::from_slice(&witness);
    transaction.input[0].sequence = Sequence(u32::try_from(random.below(200)).unwrap());
    (transaction, vec![Coin::new(Amount::ONE_SAT, Script::from_bytes(&spent), 1, false)])
}

#[test]
fn any_script_is_judged_as_with_all_signatures_verified() {
    let (mut held, mut refused) = (0, 0);
    for seed in 0..SPENDS {
        let (transaction, spent) = spending(&mut Random(seed));
        let spend = Spend::of(&transaction, 0, &spent).unwrap();
        let truth = verify::verify(&spend, flags::STANDARD, &Verifier(&spend));
        let verdict = check(&parsed(&transaction), 0, &spent);
        if verify::verify(&spend, Flags::ALL, &Verifier(&spend)).is_ok() {
            assert_eq!(verdict, truth, "seed {seed}");
            if truth.is_ok() { held += 1 } else { refused += 1 }
        } else {
            assert!(truth.is_err(), "seed {seed}: policy takes nothing that consensus refuses");
        }
        // Whatever the others judge, they do no harm.
        let _ = policy::check(&parsed(&transaction), &spent, &Rules::default());
    }
    assert!(held > 200 && refused > 200, "{held} held and {refused} were refused by policy alone");
}

#[test]
fn what_is_told_by_its_form_the_machine_says_too() {
    let mut told = 0;
    for seed in 0..SPENDS {
        let (transaction, spent) = spending(&mut Random(seed));
        let spend = Spend::of(&transaction, 0, &spent).unwrap();
        if usual::holds(&spend) {
            let transaction = parsed(&transaction);
            let hashes = std::cell::RefCell::new(bitcoin::sighash::SighashCache::new(transaction.decoded()));
            let thrifty = Thrifty::new(&spend, &hashes);
            assert_eq!(verify::verify(&spend, flags::STANDARD, &thrifty), Ok(()), "seed {seed}");
            told += 1;
        }
    }
    assert!(told > 200, "{told}");
}
