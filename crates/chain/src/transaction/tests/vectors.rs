//! Bitcoin Core's vectors, as far as they need no script.

use bitcoin::hex::FromHex;
use serde_json::Value;

use crate::transaction::{Error, Transaction, check};

/// The transaction and the flags of each entry.
fn entries(json: &str) -> Vec<(Vec<u8>, String)> {
    let Value::Array(entries) = serde_json::from_str(json).unwrap() else { panic!("not a list") };
    let entries = entries.iter().filter_map(Value::as_array).filter(|entry| entry.len() == 3);
    entries
        .map(|entry| (Vec::from_hex(entry[1].as_str().unwrap()).unwrap(), entry[2].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn valid_transactions_of_bitcoin_core_pass() {
    let entries = entries(include_str!("../../../../../vectors/core/tx_valid.json"));
    assert_eq!(entries.len(), 121);
    for (bytes, _) in entries {
        let transaction = Transaction::parse(bytes).unwrap();
        assert_eq!(check(&transaction), Ok(()), "{}", transaction.txid());
    }
}

#[test]
fn bad_transactions_of_bitcoin_core_fail() {
    let entries = entries(include_str!("../../../../../vectors/core/tx_invalid.json"));
    let (bad, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, flags)| flags == "BADTX");
    let reasons: Vec<_> =
        bad.into_iter().map(|(bytes, _)| check(&Transaction::parse(bytes).unwrap()).unwrap_err().reason()).collect();
    // The entries' own titles, in their order: no outputs, a negative one, MAX_MONEY + 1 at once and as a sum, duplicate
    // inputs, a coinbase of size 1 and of 101, null inputs without being a coinbase.
    let expected = [
        "bad-txns-vout-empty",
        "bad-txns-vout-negative",
        "bad-txns-vout-toolarge",
        "bad-txns-txouttotal-toolarge",
        "bad-txns-inputs-duplicate",
        "bad-cb-length",
        "bad-cb-length",
        "bad-txns-prevout-null",
        "bad-txns-prevout-null",
    ];
    assert_eq!(reasons, expected);
    for (bytes, _) in others {
        let transaction = Transaction::parse(bytes).unwrap();
        assert_eq!(check(&transaction), Ok::<(), Error>(()), "{}: only its scripts fail", transaction.txid());
    }
}
