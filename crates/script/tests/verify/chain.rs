//! A chain that Bitcoin Core has validated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::{OP_PUSHBYTES_0, OP_PUSHNUM_1};
use bitcoin::script::{Builder, Instruction, PushBytesBuf};
use bitcoin::{Amount, OutPoint, ScriptBuf, TxIn, TxOut, Txid, Witness, absolute, transaction};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::verify::{Flags, Job};
use yap_script::{Batch, Kernel, Pool, Reason, Template, check, pool};

use crate::{coin, job};

/// The jobs of each block of `vectors/regtest-160.blk`.
pub(crate) fn jobs() -> Vec<Vec<Job>> {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/regtest-160.blk")).unwrap();
    let (mut rest, mut coins, mut blocks) = (file.as_slice(), BTreeMap::new(), Vec::new());
    // Each record: magic, length, block.
    while let [_, _, _, _, a, b, c, d, body @ ..] = rest {
        let (bytes, after) = body.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        rest = after;
        let block = Block::parse(bytes.to_vec()).unwrap();
        blocks.push(
            block
                .transactions()
                .iter()
                .filter_map(|transaction| {
                    let decoded = transaction.decoded();
                    let spent = decoded.input.iter().filter_map(|input| coins.remove(&input.previous_output)).collect();
                    for (vout, output) in (0..).zip(&decoded.output) {
                        let coin = Coin::new(output.value, &output.script_pubkey, 1, transaction.is_coinbase());
                        coins.insert(OutPoint::new(transaction.txid(), vout), coin);
                    }
                    let job = Job { transaction: transaction.raw().clone(), spent, flags: Flags::ALL };
                    (!transaction.is_coinbase()).then_some(job)
                })
                .collect(),
        );
    }
    assert!(rest.is_empty());
    blocks
}

pub(crate) fn decode(job: &Job) -> bitcoin::Transaction {
    bitcoin::consensus::deserialize(job.transaction.as_slice()).unwrap()
}

fn is_signature(element: &[u8]) -> bool {
    // DER with the hash type, or Schnorr with or without one.
    (element.first() == Some(&0x30) && (60..=73).contains(&element.len())) || (64..=65).contains(&element.len())
}

fn flip(element: &mut [u8]) {
    let middle = element.len() / 2;
    element[middle] ^= 1;
}

/// The witness with the first signature changed in one byte.
pub(crate) fn flip_in_witness(witness: &Witness) -> Option<Witness> {
    let mut elements = witness.to_vec();
    flip(elements.iter_mut().find(|element| is_signature(element))?);
    Some(Witness::from_slice(&elements))
}

/// The script signature with the first signature changed in one byte.
pub(crate) fn flip_in_script(script: &ScriptBuf) -> Option<ScriptBuf> {
    let (mut flipped, mut done) = (ScriptBuf::new(), false);
    for instruction in script.instructions() {
        match instruction.ok()? {
            Instruction::PushBytes(bytes) => {
                let mut bytes = bytes.as_bytes().to_vec();
                if !done && is_signature(&bytes) {
                    flip(&mut bytes);
                    done = true;
                }
                flipped.push_slice(PushBytesBuf::try_from(bytes).unwrap());
            }
            Instruction::Op(code) => flipped.push_opcode(code),
        }
    }
    done.then_some(flipped)
}

#[test]
fn every_script_of_the_chain_holds() {
    let blocks = jobs();
    let inputs: usize = blocks.iter().flatten().map(|job| job.spent.len()).sum();
    assert!(inputs > 1000, "{inputs}");
    let (pool, verdicts) = Pool::new(Kernel::new(), pool::Options { threads: 3, ..Default::default() });
    let count = blocks.len() as u64;
    for (id, jobs) in (0..).zip(blocks) {
        pool.submit(Batch::new(id, jobs));
    }
    let mut seen = BTreeSet::new();
    for _ in 0..count {
        let verdict = verdicts.recv_timeout(Duration::from_secs(120)).unwrap();
        assert_eq!(verdict.result, Ok(()), "block {}", verdict.id);
        seen.insert(verdict.id);
    }
    assert!(seen.into_iter().eq(0..count));
}

#[test]
fn one_flipped_byte_of_a_signature_fails_exactly_that_input() {
    let mut flipped = BTreeMap::<Template, usize>::new();
    for original in jobs().iter().flatten() {
        let transaction = decode(original);
        for input in 0..transaction.input.len() {
            let mut bad = transaction.clone();
            let spender = &mut bad.input[input];
            match (flip_in_witness(&spender.witness), flip_in_script(&spender.script_sig)) {
                (Some(witness), _) => spender.witness = witness,
                (None, Some(script_sig)) => spender.script_sig = script_sig,
                (None, None) => continue,
            }
            let failure = check(&Kernel::new(), &job(&bad, &original.spent, Flags::ALL)).unwrap_err();
            let template =
                Template::of(original.spent[input].script(), &bad.input[input].script_sig, &bad.input[input].witness);
            assert_eq!(failure.transaction, bad.compute_txid());
            assert_eq!((failure.input, failure.reason, failure.template), (input, Reason::Unsatisfied, template));
            let text = format!(
                "input {input} of transaction {} ({template}): its script is not satisfied",
                failure.transaction
            );
            assert_eq!(failure.to_string(), text);
            *flipped.entry(template).or_default() += 1;
        }
    }
    // Seven templates occur, each with more than one signature.
    assert!(flipped.len() == 7 && flipped.values().all(|count| *count > 80), "{flipped:?}");
}

#[test]
fn jobs_that_make_no_sense_are_refused_without_blame() {
    let blocks = jobs();
    let good = blocks.iter().flatten().next().unwrap();
    let one_more = Job { spent: [&good.spent[..], &good.spent[..1]].concat().into(), ..good.clone() };
    let none = Job { spent: [].into(), ..good.clone() };
    let (inputs, spent) = (good.spent.len(), good.spent.len() + 1);
    for (bad, expected) in [
        (one_more, Reason::Coins { inputs, spent }),
        (none, Reason::Coins { inputs, spent: 0 }),
        (Job { flags: Flags::WITNESS, ..good.clone() }, Reason::Flags(Flags::WITNESS)),
        (Job { flags: Flags(1 << 30), ..good.clone() }, Reason::Flags(Flags(1 << 30))),
    ] {
        let failure = check(&Kernel::new(), &bad).unwrap_err();
        assert_eq!(failure.reason, expected);
        assert!(!failure.reason.is_invalid());
    }
}

/// An input per coin, each spending it with an empty script signature.
fn sweep(coins: usize) -> bitcoin::Transaction {
    let input = |vout| TxIn { previous_output: OutPoint::new(Txid::all_zeros(), vout), ..Default::default() };
    bitcoin::Transaction {
        version: transaction::Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: (0..u32::try_from(coins).unwrap()).map(input).collect(),
        output: vec![TxOut { value: Amount::ONE_SAT, script_pubkey: ScriptBuf::new() }],
    }
}

#[test]
fn a_large_transaction_is_verified_by_all_threads_together() {
    let (pool, verdicts) = Pool::new(Kernel::new(), pool::Options { threads: 3, ..Default::default() });
    let [yes, no] =
        [OP_PUSHNUM_1, OP_PUSHBYTES_0].map(|code| coin(Amount::ONE_SAT, Builder::new().push_opcode(code).as_script()));
    let transaction = sweep(5000);
    let mut coins = vec![yes; 5000];
    pool.submit(Batch::new(0, vec![job(&transaction, &coins, Flags::ALL)]));
    assert_eq!(verdicts.recv_timeout(Duration::from_secs(60)).unwrap().result, Ok(()));
    for bad in [4999, 3000, 17] {
        coins[bad] = no.clone();
        pool.submit(Batch::new(1, vec![job(&transaction, &coins, Flags::ALL)]));
        let failure = verdicts.recv_timeout(Duration::from_secs(60)).unwrap().result.unwrap_err();
        assert_eq!((failure.transaction, failure.input), (transaction.compute_txid(), bad), "the first of all");
    }
}
