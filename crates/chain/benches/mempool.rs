//! What a pool of 50,000 waiting transactions costs: to fill, to make a template of, to empty by a block.
//!
//! The transactions are synthetic and unsigned, of the size of a payment with one input and two outputs (P2WPKH). Six
//! in ten stand alone, the rest spend what others of the pool make, most often recent ones. Compared with: a block built
//! from scratch by what each transaction pays with its ancestors.
//!
//! `YAP_BENCH_TRANSACTIONS`: how many (default 50,000).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a bench may panic")]
#![allow(clippy::print_stdout, reason = "its output is what it prints")]
#![allow(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench reads the clock, and prints ratios"
)]

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use yap_chain::bitcoin;
use yap_chain::bitcoin::absolute::LockTime;
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::transaction::Version;
use yap_chain::bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, Script, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Txid, Witness,
    block,
};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::mempool::{Entry, Limits, Mempool, Place, Refusal, Room};
use yap_chain::transaction::Transaction;
use yap_chain::transaction::lock::Ancestors;
use yap_chain::verify::Flags;

const NOW: u64 = 1_700_000_000;
const HEIGHT: u32 = 800_000;
const RUNS: usize = 51;

fn main() {
    let count = std::env::var("YAP_BENCH_TRANSACTIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(50_000);
    let offered = transactions(count);
    let (mut pool, check, insert) = filled(&offered);
    let taken = pool.len();
    println!("{taken} of {count} transactions taken, {} bytes each as the pool counts", pool.usage() / taken);
    println!("check   {:8.2} µs each", micros(check) / count as f64);
    println!("insert  {:8.2} µs each", micros(insert) / taken as f64);
    println!("insert  {:8.2} µs at most, into a cluster of 64 in which all spend from half of it", tangled());

    let room = Room::of_block(HEIGHT, 1_600_000_000);
    let template = pool.template(&room);
    let (many, weight) = (template.entries.len(), template.weight);
    println!("template of {many} transactions, {weight} weight units:");
    println!("  kept in order  {:8.3} ms (median of {RUNS})", millis(median(|| drop(pool.template(&room)))));

    let entries: Vec<Arc<Entry>> = pool.by_age().cloned().collect();
    let start = Instant::now();
    let by_packages = greedy(&entries, &room);
    println!("  from scratch   {:8.3} ms", millis(start.elapsed()));
    let ratio = template.fees.to_sat() as f64 / by_packages as f64;
    println!("  fees           {:8.6} of those from scratch", ratio);
    assert!(template.fees.to_sat() >= by_packages);

    let spent: Vec<_> = template.entries.iter().map(|entry| entry.transaction().decoded().clone()).collect();
    let block = block_of(spent);
    let start = Instant::now();
    let removed = pool.connect(&block, NOW).len();
    println!("connect {:8.3} ms for a block of {removed}", millis(start.elapsed()));
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

/// What each coin of the chain is worth.
const VALUE: u64 = 10_000_000;
/// Where it stands among its transaction's outputs; none of the pool has so many.
const OF_CHAIN: u32 = 9;

fn transactions(count: usize) -> Vec<Arc<Transaction>> {
    let mut random = Random(1);
    let mut outputs: Vec<(OutPoint, u64)> = Vec::new();
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let recent = outputs.len().min(2000);
        let (previous_output, value) = match random.below(10) {
            0..4 if recent > 0 => outputs.swap_remove(outputs.len() - 1 - random.below(recent)),
            _ => (OutPoint { txid: Txid::hash(&number.to_le_bytes()), vout: OF_CHAIN }, VALUE),
        };
        // From 1 to about 100 satoshi for a virtual byte, low ones more often.
        let fee = (141 * (1 + random.below(10) * random.below(12)) + random.below(141)) as u64;
        let script_pubkey = ScriptBuf::from_bytes([&[0, 20][..], &[7; 20]].concat());
        let half = TxOut { value: Amount::from_sat((value - fee) / 2), script_pubkey };
        let witness = Witness::from_slice(&[&[1; 72][..], &[2; 33]]);
        let input = TxIn { previous_output, script_sig: ScriptBuf::new(), sequence: Sequence::MAX, witness };
        let transaction = bitcoin::Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: vec![half.clone(), half.clone()],
        };
        let transaction = Transaction::parse(serialize(&transaction)).unwrap();
        let txid = transaction.txid();
        if half.value.to_sat() > 100_000 {
            outputs.extend([0, 1].map(|vout| (OutPoint { txid, vout }, half.value.to_sat())));
        }
        all.push(Arc::new(transaction));
    }
    all
}

struct Headers;

impl Ancestors for Headers {
    fn median_time_past(&self, _: u32) -> u32 {
        0
    }

    fn hash(&self, _: u32) -> Option<BlockHash> {
        None
    }
}

/// A pool of what it takes, and the time to check and to insert.
fn filled(offered: &[Arc<Transaction>]) -> (Mempool, Duration, Duration) {
    let mut pool = Mempool::new(Limits::default(), 3);
    let script = [&[0, 20][..], &[7; 20]].concat();
    let coin = Coin::new(Amount::from_sat(VALUE), Script::from_bytes(&script), 1, false);
    let coins = |outpoint: &OutPoint| (outpoint.vout == OF_CHAIN).then(|| coin.clone());
    let ancestors = &Headers;
    let place = Place { height: HEIGHT, median_time_past: 0, ancestors, flags: Flags::ALL };
    let (mut check, mut insert) = (Duration::ZERO, Duration::ZERO);
    for transaction in offered {
        let start = Instant::now();
        let candidate = pool.check(transaction, &coins, &place, NOW);
        check += start.elapsed();
        match candidate {
            Ok(candidate) => {
                let start = Instant::now();
                pool.insert(candidate, NOW).unwrap();
                insert += start.elapsed();
            }
            Err(refusal) => {
                // A cluster that is full, and what would have spent from what was refused.
                assert!(matches!(refusal, Refusal::TooLargeCluster { .. } | Refusal::MissingInputs(_)), "{refusal}");
            }
        }
    }
    (pool, check, insert)
}

/// The longest that an insertion takes while half of a cluster, each of whose members spends from one root, comes to
/// be spent from by the other half, each from all of them, at fees that rise and fall.
fn tangled() -> f64 {
    let pay = |inputs: Vec<OutPoint>, values: Vec<u64>| {
        let input = inputs.into_iter().map(|previous_output| TxIn { previous_output, ..TxIn::default() });
        let output = values.into_iter().map(|value| TxOut { value: Amount::from_sat(value), ..TxOut::NULL });
        let (version, lock_time) = (Version::TWO, LockTime::ZERO);
        let transaction = bitcoin::Transaction { version, lock_time, input: input.collect(), output: output.collect() };
        Arc::new(Transaction::parse(serialize(&transaction)).unwrap())
    };
    let mut random = Random(2);
    let root = pay(vec![OutPoint { txid: Txid::all_zeros(), vout: OF_CHAIN }], vec![VALUE / 40; 31]);
    let mut all = vec![Arc::clone(&root)];
    let upper: Vec<_> = (0..31)
        .map(|vout| {
            let value = (VALUE / 40 - 20_000 - random.below(40_000) as u64) / 32;
            pay(vec![OutPoint { txid: root.txid(), vout }], vec![value; 32])
        })
        .collect();
    all.extend(upper.iter().cloned());
    all.extend((0..32).map(|vout| {
        let inputs = upper.iter().map(|above| OutPoint { txid: above.txid(), vout }).collect();
        pay(inputs, vec![1000 + random.below(80_000) as u64])
    }));
    let mut pool = Mempool::new(Limits::default(), 3);
    let coins = |outpoint: &OutPoint| {
        (outpoint.vout == OF_CHAIN).then(|| Coin::new(Amount::from_sat(VALUE), Script::new(), 1, false))
    };
    let place = Place { height: HEIGHT, median_time_past: 0, ancestors: &Headers, flags: Flags::ALL };
    let times = all.iter().map(|transaction| {
        let candidate = pool.check(transaction, &coins, &place, NOW).unwrap();
        let start = Instant::now();
        pool.insert(candidate, NOW).unwrap();
        start.elapsed()
    });
    micros(times.max().unwrap())
}

fn block_of(spent: Vec<bitcoin::Transaction>) -> Block {
    let header = block::Header {
        version: block::Version::TWO,
        prev_blockhash: BlockHash::all_zeros(),
        merkle_root: TxMerkleNode::all_zeros(),
        time: 0,
        bits: CompactTarget::from_consensus(0),
        nonce: 0,
    };
    Block::parse(serialize(&bitcoin::Block { header, txdata: spent })).unwrap()
}

/// A transaction with the ancestors that it still needs.
#[derive(PartialEq, Eq)]
struct Package {
    fee: u64,
    weight: u64,
    index: usize,
}

impl Ord for Package {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.fee * other.weight, other.fee * self.weight);
        left.cmp(&right).then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Package {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The fees of a block built from scratch, each time by the best package that is left.
fn greedy(entries: &[Arc<Entry>], room: &Room) -> u64 {
    let index: BTreeMap<Txid, usize> = entries.iter().enumerate().map(|(index, entry)| (entry.txid(), index)).collect();
    let parents: Vec<Vec<usize>> = entries
        .iter()
        .map(|entry| {
            let inputs = &entry.transaction().decoded().input;
            inputs.iter().filter_map(|input| index.get(&input.previous_output.txid).copied()).collect()
        })
        .collect();
    let mut children = vec![Vec::new(); entries.len()];
    for (child, parents) in parents.iter().enumerate() {
        parents.iter().for_each(|parent| children[*parent].push(child));
    }
    let mut taken = vec![false; entries.len()];
    let package = |of: usize, taken: &[bool]| {
        let (mut members, mut todo) = (Vec::new(), vec![of]);
        while let Some(next) = todo.pop() {
            if !taken[next] && !members.contains(&next) {
                members.push(next);
                todo.extend(&parents[next]);
            }
        }
        let fee = members.iter().map(|member| entries[*member].fee().to_sat()).sum();
        let weight = members.iter().map(|member| u64::from(entries[*member].weight())).sum();
        (Package { fee, weight, index: of }, members)
    };
    let mut heap: BinaryHeap<Package> = (0..entries.len()).map(|of| package(of, &taken).0).collect();
    let (mut weight, mut fees, mut misses) = (0, 0, 0);
    while let Some(best) = heap.pop() {
        let (current, members) = package(best.index, &taken);
        if members.is_empty() || current != best {
            continue;
        }
        let more = usize::try_from(current.weight).unwrap();
        if weight + more > room.weight {
            misses += 1;
            if misses > 1000 && weight + 4000 > room.weight {
                break;
            }
            continue;
        }
        (weight, fees, misses) = (weight + more, fees + current.fee, 0);
        members.iter().for_each(|member| taken[*member] = true);
        let mut todo: Vec<usize> = members.iter().flat_map(|member| children[*member].iter().copied()).collect();
        let mut seen = Vec::new();
        while let Some(next) = todo.pop() {
            if !taken[next] && !seen.contains(&next) {
                seen.push(next);
                heap.push(package(next, &taken).0);
                todo.extend(&children[next]);
            }
        }
    }
    fees
}
