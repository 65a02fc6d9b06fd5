//! The rules one by one: what breaks each, and what is just within it.

#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small and of our own making")]

mod alone;
mod chain;
mod outputs;
mod spent;

use bitcoin::{Amount, ScriptBuf, Transaction, TxOut};

use crate::coin::Coin;
use crate::fixture::{outpoint, spend};

/// Pushes `data` by its length.
fn push(data: &[u8]) -> Vec<u8> {
    let mut script = ScriptBuf::new();
    script.push_slice(bitcoin::script::PushBytesBuf::try_from(data.to_vec()).unwrap());
    script.into_bytes()
}

/// A compressed key by its encoding.
fn key() -> Vec<u8> {
    [&[2], &[1; 32][..]].concat()
}

fn multisig(required: u8, keys: u8) -> Vec<u8> {
    [&[0x50 + required], &push(&key()).repeat(keys.into())[..], &[0x50 + keys, 0xae]].concat()
}

fn p2sh(hash: &[u8]) -> Vec<u8> {
    [&[0xa9, 20], hash, &[0x87]].concat()
}

fn p2wpkh() -> Vec<u8> {
    [&[0, 20], &[7; 20][..]].concat()
}

fn p2wsh() -> Vec<u8> {
    [&[0, 32], &[7; 32][..]].concat()
}

fn p2tr() -> Vec<u8> {
    [&[0x51, 32], &[7; 32][..]].concat()
}

const ANCHOR: [u8; 4] = [0x51, 2, 0x4e, 0x73];

/// A transaction of one input that pays 100,000 satoshi to each of these scripts.
fn paying(scripts: &[&[u8]]) -> Transaction {
    let mut transaction = spend(&[outpoint(1)], &[]);
    let output = |script: &&[u8]| TxOut { value: Amount::from_sat(100_000), script_pubkey: script.to_vec().into() };
    transaction.output = scripts.iter().map(output).collect();
    transaction
}

fn coin(script: &[u8]) -> Coin {
    Coin::new(Amount::from_sat(1_000_000), bitcoin::Script::from_bytes(script), 1, false)
}
