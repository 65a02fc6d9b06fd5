//! Reading transactions: ids and sizes agree with `bitcoin`, and no bytes do harm.

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::hex::FromHex;

use crate::fixture::{Random, outpoint, spend};
use crate::transaction::Transaction;

fn agrees(transaction: &Transaction, expected: &bitcoin::Transaction) {
    assert_eq!(transaction.decoded(), expected);
    assert_eq!(transaction.txid(), expected.compute_txid());
    assert_eq!(transaction.wtxid(), expected.compute_wtxid());
    assert_eq!(transaction.base_size(), expected.base_size());
    assert_eq!(transaction.total_size(), expected.total_size());
    assert_eq!(transaction.weight(), usize::try_from(expected.weight().to_wu()).unwrap());
    assert_eq!(transaction.has_witness(), expected.input.iter().any(|input| !input.witness.is_empty()));
    assert_eq!(transaction.raw().as_slice(), serialize(expected));
}

#[test]
fn ids_and_sizes_are_those_of_the_bitcoin_crate() {
    let mut expected = spend(&[outpoint(1), outpoint(2)], &[1, 2]);
    agrees(&Transaction::parse(serialize(&expected)).unwrap(), &expected);
    expected.input[1].witness.push([1; 300]);
    expected.input[1].witness.push([]);
    agrees(&Transaction::parse(serialize(&expected)).unwrap(), &expected);
}

#[test]
fn bytes_behind_the_transaction_are_refused() {
    let mut bytes = serialize(&spend(&[outpoint(1)], &[1]));
    bytes.push(0);
    assert!(Transaction::parse(bytes).is_err());
}

#[test]
fn transactions_are_read_one_after_the_other() {
    let transactions = [spend(&[outpoint(1)], &[1]), spend(&[outpoint(2), outpoint(3)], &[4, 5])];
    let mut bytes = transactions.iter().flat_map(serialize).collect::<Vec<_>>();
    bytes.extend([7; 3]);
    let mut rest = &bytes[..];
    for expected in &transactions {
        agrees(&Transaction::read(&mut rest).unwrap(), expected);
    }
    assert_eq!(rest, [7; 3]);
    assert!(Transaction::read(&mut rest).is_err());
    assert_eq!(rest, [7; 3]);
}

#[test]
fn transaction_of_nothing_is_read() {
    let nothing = Transaction::parse(Vec::from_hex("feffffff000001020304").unwrap()).unwrap();
    assert_eq!((nothing.base_size(), nothing.total_size(), nothing.has_witness()), (10, 10, false));
    assert_eq!(nothing.decoded().version.0, -2);
    assert_eq!(nothing.decoded().lock_time.to_consensus_u32(), 0x0403_0201);
    assert_eq!(nothing.txid().to_raw_hash(), nothing.wtxid().to_raw_hash());
    assert_eq!(nothing.txid().to_raw_hash(), sha256d::Hash::hash(nothing.raw().as_slice()));
    assert!(Transaction::parse(Vec::from_hex("feffffff0000010203").unwrap()).is_err());
}

#[test]
fn outputs_without_inputs_are_not_read() {
    // Neither plainly, where the count of inputs is taken for the marker of BIP-0144, nor behind that marker.
    let output = "000000000000000000";
    for head in ["020000000001", "02000000000100", "0200000000010001"] {
        for tail in ["00000000", "0000000000"] {
            assert!(Transaction::parse(Vec::from_hex(&[head, output, tail].concat()).unwrap()).is_err());
        }
    }
}

#[test]
fn marker_without_witness_is_not_read() {
    let bytes = serialize(&spend(&[outpoint(1)], &[1]));
    let (version, rest) = bytes.split_at(4);
    let (body, lock_time) = rest.split_at(rest.len() - 4);
    assert!(Transaction::parse([version, &[0, 1], body, &[0], lock_time].concat()).is_err());
    assert!(Transaction::parse([version, &[0, 1], body, &[1, 0], lock_time].concat()).is_ok());
    assert!(Transaction::parse([version, &[0, 2], body, &[1, 0], lock_time].concat()).is_err(), "unknown flag");
}

#[test]
fn huge_counts_end_with_the_bytes() {
    let version = [2, 0, 0, 0];
    for count in [0xfffc_u64, 4_000_000, 0xffff_ffff, u64::MAX] {
        let count = serialize(&bitcoin::VarInt(count));
        assert!(Transaction::parse([&version[..], &count].concat()).is_err(), "inputs");
        let one_input = serialize(&spend(&[outpoint(1)], &[]));
        let before_outputs = &one_input[..one_input.len() - 5];
        assert!(Transaction::parse([before_outputs, &count].concat()).is_err(), "outputs");
        let mut witness = spend(&[outpoint(1)], &[1]);
        witness.input[0].witness.push([]);
        let witness = serialize(&witness);
        let before_witness = &witness[..witness.len() - 6];
        assert!(Transaction::parse([before_witness, &count].concat()).is_err(), "witness items");
        assert!(Transaction::parse([before_witness, &[1], &count[..]].concat()).is_err(), "bytes of an item");
    }
}

#[test]
fn flipped_bits_are_read_as_the_bitcoin_crate_reads_them() {
    let mut transaction = spend(&[outpoint(1), outpoint(2)], &[1, 2]);
    transaction.input[0].witness.push([1; 30]);
    let bytes = serialize(&transaction);
    let mut random = Random(1);
    for _ in 0..5_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(damaged.len());
            damaged[at] ^= 1 << random.below(8);
        }
        damaged.truncate(damaged.len() - random.below(2) * random.below(damaged.len()));
        match (Transaction::parse(damaged.clone()), deserialize::<bitcoin::Transaction>(&damaged)) {
            (Ok(ours), Ok(theirs)) => agrees(&ours, &theirs),
            (Err(_), Err(_)) => {}
            (Err(_), Ok(theirs)) => assert!(theirs.input.is_empty(), "{damaged:02x?}"),
            (Ok(ours), Err(_)) if ours.decoded().input.is_empty() => assert_eq!(ours.total_size(), 10),
            (Ok(_), Err(error)) => panic!("{error}: {damaged:02x?}"),
        }
    }
}
