//! Engines against whole chains and against Bitcoin Core's test vectors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may panic")]

mod chain;
mod notation;
mod policy;
mod script_tests;
mod split;
mod tx_tests;

use std::sync::Arc;

use bitcoin::consensus::serialize;
use bitcoin::{Amount, Script};
use yap_chain::coin::Coin;
use yap_chain::transaction::Transaction;
use yap_chain::verify::{Flags, Job};

/// The flags of consensus by the names that the vectors give them.
const NAMES: [(&str, Flags); 7] = [
    ("P2SH", Flags::P2SH),
    ("DERSIG", Flags::DERSIG),
    ("NULLDUMMY", Flags::NULLDUMMY),
    ("CHECKLOCKTIMEVERIFY", Flags::CHECKLOCKTIMEVERIFY),
    ("CHECKSEQUENCEVERIFY", Flags::CHECKSEQUENCEVERIFY),
    ("WITNESS", Flags::WITNESS),
    ("TAPROOT", Flags::TAPROOT),
];

/// The consensus rules among a vector's flags, and whether there are others.
fn flags(list: &str) -> (Flags, bool) {
    let mut found = (Flags::NONE, false);
    for word in list.split(',').filter(|word| !word.is_empty() && *word != "NONE") {
        match NAMES.iter().find(|(name, _)| *name == word) {
            Some((_, flag)) => found.0 = found.0.with(*flag),
            None => found.1 = true,
        }
    }
    found
}

fn job(transaction: &bitcoin::Transaction, spent: &[Coin], flags: Flags) -> Job {
    let transaction = Transaction::parse(serialize(transaction)).unwrap();
    Job { transaction: transaction.raw().clone(), spent: Arc::from(spent), flags }
}

fn coin(value: Amount, script: &Script) -> Coin {
    Coin::new(value, script, 1, false)
}

fn vectors(name: &str) -> Vec<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/core/").to_owned() + name;
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
