use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::{OP_CHECKSIGVERIFY, OP_DROP};
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::{OutPoint, Txid};
use proptest::prelude::*;

use super::*;
use crate::block::{Contents, Draft, check};
use crate::fixture;
use crate::header::tree::{Id, Tree};
use crate::spec::Spec;
use crate::transaction::Transaction;

/// Blocks of the public signet, each signed by one of two.
const BLOCKS: &str = include_str!("../../../../vectors/signet-10.txt");

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn of(bytes: &[u8]) -> Producers {
    Producers::new(bytes.iter().map(|byte| key(*byte).public()).collect()).unwrap()
}

/// A block on a new chain of these producers, which `by` signs.
fn signed(producers: &Producers, by: &Key, transactions: usize) -> Block {
    let spec = Spec { challenge: Some(producers.challenge().to_owned()), ..Spec::regtest() };
    let tree = Tree::new(Arc::new(spec), 1);
    let some = (0..transactions).map(|n| {
        let outpoint = OutPoint { txid: Txid::hash(&n.to_le_bytes()), vout: 0 };
        let transaction = bitcoin::Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![fixture::input(outpoint)],
            output: vec![fixture::output(7)],
        };
        Arc::new(Transaction::parse(serialize(&transaction)).unwrap())
    });
    let contents = Contents { transactions: some.collect(), ..Contents::default() };
    let draft = Draft::new(&tree, tree.genesis(), contents, 1_800_000_000);
    let signed = by.sign(&draft, 7, producers).unwrap();
    assert!(signed.is_signed() && !draft.is_signed());
    assert_eq!(signed.header(0), signed.header(1), "it has one header");
    signed.seal(0, signed.header(0).time, 5)
}

#[test]
fn challenges_are_written_and_read() {
    for count in [1, 2, 3, 16] {
        let bytes: Vec<u8> = (1..=count).rev().collect();
        let producers = of(&bytes);
        assert_eq!(Producers::of(producers.challenge()).as_ref(), Some(&producers));
        assert_eq!(producers.count(), u16::from(count));
        assert_eq!(producers.place(&key(1).public()), Some(u16::from(count) - 1), "the order is the script's");
        assert_eq!(producers.place(&key(99).public()), None);
    }
    // One of one may be written the long way.
    let long = Builder::new().push_int(1).push_key(&key(3).public().into()).push_int(1).push_opcode(OP_CHECKMULTISIG);
    assert_eq!(Producers::of(&long.into_script()).unwrap().keys(), [key(3).public()]);
}

#[test]
fn too_few_too_many_and_repeated_keys_make_no_challenge() {
    assert_eq!(Producers::new(Vec::new()), Err(Error::Count { count: 0 }));
    let many: Vec<_> = (1..=17).map(|byte| key(byte).public()).collect();
    assert!(Producers::new(many[..16].to_vec()).is_ok());
    assert_eq!(Producers::new(many), Err(Error::Count { count: 17 }));
    let twice = key(2).public();
    assert_eq!(Producers::new(vec![key(1).public(), twice, twice]), Err(Error::Twice { key: twice }));
}

#[test]
fn other_scripts_name_no_producers() {
    let [a, b] = [1, 2].map(|byte| bitcoin::PublicKey::new(key(byte).public()));
    let long = bitcoin::PublicKey::new_uncompressed(key(1).public());
    let two = |least, first: bitcoin::PublicKey, second, count| {
        let keys = Builder::new().push_int(least).push_key(&first).push_key(&second);
        keys.push_int(count).push_opcode(OP_CHECKMULTISIG).into_script()
    };
    assert!(Producers::of(&two(1, a, b, 2)).is_some());
    for script in [
        ScriptBuf::new(),
        ScriptBuf::from_bytes(vec![0x51]),
        two(2, a, b, 2),
        two(1, a, b, 3),
        two(1, a, a, 2),
        two(1, long, b, 2),
        Builder::new().push_int(1).push_int(0).push_opcode(OP_CHECKMULTISIG).into_script(),
        Builder::new().push_key(&long).push_opcode(OP_CHECKSIG).into_script(),
        Builder::new().push_key(&a).push_opcode(OP_CHECKSIGVERIFY).into_script(),
        Builder::new().push_int(1).push_opcode(OP_DROP).push_key(&a).push_opcode(OP_CHECKSIG).into_script(),
        Builder::new().push_slice([2; 33]).push_opcode(OP_CHECKSIG).push_opcode(OP_CHECKSIG).into_script(),
        ScriptBuf::new_p2wpkh(&a.wpubkey_hash().unwrap()),
    ] {
        assert_eq!(Producers::of(&script), None, "{script}");
    }
}

#[test]
fn the_public_signets_blocks_are_told_apart() {
    let producers = Producers::of(&Spec::signet().challenge.unwrap()).unwrap();
    assert_eq!(Spec::signet().producers(), None, "other programs know of nothing irreversible there");
    assert_eq!(producers.count(), 2);
    let signers: Vec<_> = BLOCKS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            producers.signer(&Block::parse(serialize(&deserialize_hex::<bitcoin::Block>(line).unwrap())).unwrap())
        })
        .collect();
    assert_eq!(signers.len(), 10);
    assert!(signers.iter().all(Option::is_some), "{signers:?}");
    // Of another challenge, with the same keys in another order, they are nobody's.
    let other = Producers::new(producers.keys().iter().rev().copied().collect()).unwrap();
    let first: bitcoin::Block = deserialize_hex(BLOCKS.lines().find(|line| !line.starts_with('#')).unwrap()).unwrap();
    assert_eq!(other.signer(&Block::parse(serialize(&first)).unwrap()), None);
}

#[test]
fn a_signed_draft_is_a_block_of_its_producer() {
    for bytes in [&[4][..], &[4, 5], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]] {
        let producers = of(bytes);
        for (place, byte) in (0..).zip(bytes) {
            let block = signed(&producers, &key(*byte), 3);
            check(&block).unwrap();
            assert_eq!(producers.signer(&block), Some(place));
            assert_eq!(Block::parse(block.bytes().to_vec()).unwrap(), block);
        }
        assert_eq!(producers.signer(&signed(&producers, &key(77), 3)), None, "a stranger signed");
    }
}

#[test]
fn a_signature_holds_for_one_block_whatever_its_nonce() {
    let producers = of(&[1, 2]);
    let block = signed(&producers, &key(2), 1);
    let changed = |change: fn(&mut bitcoin::block::Header)| {
        let mut header = *block.header();
        change(&mut header);
        producers.signer(&Block::assemble(header, block.transactions().to_vec()))
    };
    assert_eq!(changed(|header| header.nonce += 1), Some(1), "work is done after signing");
    assert_eq!(changed(|header| header.time += 1), None);
    assert_eq!(changed(|header| header.version = bitcoin::block::Version::TWO), None);
    assert_eq!(changed(|header| header.prev_blockhash = bitcoin::BlockHash::all_zeros()), None);
    let fewer = Block::assemble(*block.header(), block.transactions()[..1].to_vec());
    assert_eq!(producers.signer(&fewer), None);
}

#[test]
fn a_high_s_is_as_good_as_a_low_one() {
    let producers = of(&[9]);
    let message = Message::from_digest([7; 32]);
    let secret = SecretKey::from_slice(&[9; 32]).unwrap();
    let low = Secp256k1::new().sign_ecdsa(&message, &secret);
    let mut compact = low.serialize_compact();
    let s = SecretKey::from_slice(&compact[32..]).unwrap().negate();
    compact[32..].copy_from_slice(&s.secret_bytes());
    let high = bitcoin::secp256k1::ecdsa::Signature::from_compact(&compact).unwrap();
    assert_ne!(high, low);
    let bytes = [high.serialize_der().as_ref(), &[1]].concat();
    assert!(key::Signature::read(&bytes).unwrap().is_by(&producers.keys()[0], &message));
}

#[test]
fn unreadable_solutions_are_nobodys() {
    for bytes in [&[][..], &[1], &[0x30, 0, 1], &[0xff; 72]] {
        assert!(key::Signature::read(bytes).is_none(), "{bytes:?}");
    }
    let producers = of(&[1]);
    let unsigned: bitcoin::Block = Spec::regtest().genesis;
    assert_eq!(producers.signer(&Block::parse(serialize(&unsigned)).unwrap()), None);
}

#[test]
fn a_key_is_not_printed() {
    let text = format!("{:?}", key(0x5a));
    assert!(!text.contains("5a5a5a") && text.contains("public"), "{text}");
    assert!(Key::new(&[0; 32]).is_none() && Key::new(&[0xff; 32]).is_none());
}

/// A chain of so many blocks; `signers` is who signed each, from height 1.
fn chain(signers: &[u16]) -> (Tree, Id, BTreeMap<Id, u16>) {
    let mut tree = Tree::new(Arc::new(Spec::regtest()), 1);
    let mut tip = tree.genesis();
    let mut by = BTreeMap::new();
    for signer in signers {
        let draft = Draft::new(&tree, tip, Contents::default(), 1_800_000_000);
        tip = tree.insert_trusted(&draft.header(0)).unwrap();
        by.insert(tip, *signer);
    }
    (tree, tip, by)
}

proptest! {
    /// Against the definition: the highest block with more than two thirds of the producers above it.
    #[test]
    fn the_newest_irreversible_block_is_found(
        producers in 1_u16..8,
        signers in prop::collection::vec(0_u16..9, 0..40),
        floor in 0_u32..20,
    ) {
        let (tree, tip, by) = chain(&signers);
        let height = tree.height(tip);
        let floor = floor.min(height);
        let above = |block: u32| {
            let builders = signers.iter().skip(block as usize).filter(|signer| **signer < producers);
            builders.collect::<std::collections::BTreeSet<_>>().len()
        };
        let expected = (floor + 1..=height).rev().find(|block| above(*block) * 3 > usize::from(producers) * 2);
        let floor = tree.ancestor(tip, floor).unwrap();
        let found = irreversible(&tree, (floor, tip), producers, |id| by.get(&id).copied());
        prop_assert_eq!(found.map(|id| tree.height(id)), expected);
    }
}
