//! Prints what codecs, filters, set hashes and rules of relay cost per coin, element or input, in release:
//! `cargo run --release -p yap-chain --example costs`.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program for whoever measures: it reads the clock and prints"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, BlockHash, OutPoint, Script, Txid};
use yap_chain::block::Block;
use yap_chain::coin::{Coin, codec};
use yap_chain::filter::gcs;
use yap_chain::policy;
use yap_chain::policy::output::Kind;
use yap_chain::transaction::Transaction;
use yap_chain::undo::{self, Undo};
use yap_chain::utxo::{self, Hashes, MuHash, Stats};

/// Few enough that a round fits between two of the scheduler's interruptions.
const COINS: u32 = 5_000;
const ROUNDS: u32 = 40;

/// The best of some rounds, in nanoseconds per one of `count`.
fn measure(name: &str, count: u32, mut work: impl FnMut()) {
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    let best = best.min().unwrap().as_nanos() as f64 / f64::from(count);
    println!("{name:<40} {best:>10.1} ns");
}

/// Coins with the scripts of P2WPKH, P2TR, P2PKH and P2SH in turn, in order.
fn coins() -> Vec<(OutPoint, Coin)> {
    let mut coins: Vec<_> = (0..COINS)
        .map(|i| {
            let hash = sha256::Hash::hash(&i.to_le_bytes()).to_byte_array();
            let script = match i % 4 {
                0 => [&[0, 20][..], &hash[..20]].concat(),
                1 => [&[0x51, 32][..], &hash].concat(),
                2 => [&[0x76, 0xa9, 20][..], &hash[..20], &[0x88, 0xac]].concat(),
                _ => [&[0xa9, 20][..], &hash[..20], &[0x87]].concat(),
            };
            let value = Amount::from_sat(u64::from(i) * 7_919_000 + 12_345);
            let outpoint = OutPoint { txid: Txid::from_byte_array(hash), vout: i % 3 };
            (outpoint, Coin::new(value, Script::from_bytes(&script), 800_000 + i, false))
        })
        .collect();
    coins.sort_by_key(|(outpoint, _)| codec::key(outpoint));
    coins
}

/// The transactions of a chain that Bitcoin Core made, with the coins that they spend.
fn spends() -> Vec<(Transaction, Vec<Coin>)> {
    let (mut rest, mut coins) = (&include_bytes!("../../../vectors/regtest-160.blk")[..], BTreeMap::new());
    let mut spends = Vec::new();
    while let [_, _, _, _, a, b, c, d, after @ ..] = rest {
        let (block, after) = after.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        rest = after;
        for transaction in Block::parse(block.to_vec()).unwrap().transactions() {
            let decoded = transaction.decoded();
            for (vout, output) in (0..).zip(&decoded.output) {
                let coin = Coin::new(output.value, &output.script_pubkey, 1, transaction.is_coinbase());
                coins.insert(OutPoint { txid: transaction.txid(), vout }, coin);
            }
            if !transaction.is_coinbase() {
                let spent = decoded.input.iter().map(|input| coins[&input.previous_output].clone()).collect();
                spends.push((transaction.clone(), spent));
            }
        }
    }
    spends
}

/// The rules of relay, and of how scripts are satisfied; per input.
fn policy() {
    let (spends, rules) = (spends(), policy::Rules::default());
    let inputs: usize = spends.iter().map(|(_, spent)| spent.len()).sum();
    let inputs = u32::try_from(inputs).unwrap();
    measure("standardness, per input", inputs, || {
        spends.iter().for_each(|(transaction, spent)| policy::check(transaction, spent, &rules).unwrap());
    });
    measure("script policy, per input", inputs, || {
        spends.iter().for_each(|(transaction, spent)| policy::script::check_all(transaction, spent).unwrap());
    });
    let mut kinds = BTreeMap::<&str, Vec<(&Transaction, usize, &[Coin])>>::new();
    for (transaction, spent) in &spends {
        for (index, coin) in spent.iter().enumerate() {
            kinds.entry(Kind::of(coin.script()).name()).or_default().push((transaction, index, spent));
        }
    }
    for (kind, inputs) in kinds {
        measure(&format!("script policy, {kind}"), u32::try_from(inputs.len()).unwrap(), || {
            inputs.iter().for_each(|(transaction, index, spent)| {
                policy::script::check(transaction, *index, spent).unwrap();
            });
        });
    }
}

fn main() {
    policy();
    let coins = coins();
    let mut bytes = Vec::new();
    measure("coin encode", COINS, || {
        bytes.clear();
        coins.iter().for_each(|(_, coin)| codec::encode(coin, &mut bytes));
    });
    measure("coin decode", COINS, || {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            black_box(codec::decode(&mut rest).unwrap());
        }
    });
    measure("key of an outpoint", COINS, || {
        coins.iter().for_each(|(outpoint, _)| {
            black_box(codec::key(outpoint));
        });
    });

    let pairs = coins.chunks(2).map(|pair| pair.iter().map(|(_, coin)| coin.clone()).collect::<Arc<[Coin]>>());
    let undo = Undo { transactions: pairs.collect() };
    measure("undo encode, per coin", COINS, || {
        bytes.clear();
        undo::codec::encode(&undo, &mut bytes);
    });
    measure("undo decode, per coin", COINS, || drop(black_box(undo::codec::decode(&bytes).unwrap())));

    let key = gcs::Key::from(&BlockHash::hash(b"block"));
    for count in [500, 5_000] {
        let scripts: Vec<&[u8]> = coins.iter().take(count as usize).map(|(_, coin)| coin.script().as_bytes()).collect();
        measure(&format!("filter build, per element of {count}"), count, || {
            black_box(gcs::build(key, scripts.iter().copied()));
        });
        let filter = gcs::build(key, scripts.iter().copied());
        measure(&format!("filter check, per element of {count}"), count, || gcs::check(&filter).unwrap());
        measure(&format!("filter match, per element of {count}"), count, || {
            black_box(gcs::match_any(key, &filter, [&b"nobody's"[..]]).unwrap());
        });
    }

    measure("hash_serialized_3, per coin", COINS, || {
        let mut stats = Stats::new(Hashes { serialized: true, muhash: false });
        coins.iter().for_each(|(outpoint, coin)| stats.add(outpoint, coin).unwrap());
        black_box(stats.finish());
    });
    let mut muhash = MuHash::default();
    let mut element = Vec::new();
    measure("muhash insert", 500, || {
        for (outpoint, coin) in coins.iter().take(500) {
            element.clear();
            utxo::element(outpoint, coin, &mut element);
            muhash.insert(&element);
        }
    });
    measure("muhash digest", 1, || {
        black_box(muhash.digest());
    });
}
