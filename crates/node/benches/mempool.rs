//! What admitting transactions costs, as a ratio to a floor measured in the same run.
//!
//! The floor is the transactions' signatures, verified by libsecp256k1 alone on one thread. Two script threads beside
//! the one that judges could at best be twice as fast on two cores. Machines are noisy, so floor and admissions
//! alternate, and medians are compared; on a machine that has other work, compare CPU times.
//!
//! `YAP_BENCH_TRANSACTIONS`: how many (default 20,000). `YAP_BENCH_RUNS`: how many times each is measured (default 5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a bench may panic")]
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "its output is what it prints")]

#[path = "import/measure.rs"]
#[expect(dead_code, reason = "no other process is measured here")]
mod measure;
#[path = "import/signatures.rs"]
mod signatures;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use measure::Cost;
use rustix::time::{ClockId, clock_gettime};
use signatures::{Check, Checks, Extractor};
use yap_chain::bitcoin::consensus::serialize;
use yap_chain::bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use yap_chain::bitcoin::{self, Amount};
use yap_chain::coin::Coin;
use yap_chain::spec::Spec;
use yap_chain::transaction::Transaction;
use yap_chain::verify::{Flags, Job};
use yap_node::admission::{self, Admission, Event};
use yap_node::chainstate::{Options, Trust};
use yap_node::prepare::Prepared;
use yap_node::{Chainstate, yap_chain};
use yap_script::Template;
use yap_sim::bench::{Size, chain};
use yap_sim::builder::{self, Builder, Payment};
use yap_sim::lock::Kind;

const NOW: u64 = 2_000_000_000;
/// Script threads: the ratio is that of two cores.
const THREADS: usize = 2;
/// What each transaction pays.
const FEE: Amount = Amount::from_sat(2000);
/// Half P2WPKH, four in ten P2TR by key, one in ten P2WSH of 2 out of 3 keys.
const MIX: [(Kind, usize); 3] = [(Kind::Wpkh, 5), (Kind::TrKey, 4), (Kind::WshMultisig, 1)];

fn main() {
    let number = |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (count, runs) = (number("YAP_BENCH_TRANSACTIONS", 20_000), number("YAP_BENCH_RUNS", 5).max(1));
    let (builder, coins) = town(count);
    let (offered, Checks { good, vain, .. }) = transactions(builder.clone(), coins);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (signatures, tried) = (good.len(), vain.len());
    println!("{count} transactions, {signatures} signatures, {tried} keys of OP_CHECKMULTISIG tried in vain");
    println!("{cores} cores, {THREADS} script threads; each figure is the median of {runs} runs\n");

    let (mut floors, mut curves, mut costs, mut caller) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let secp = Secp256k1::verification_only();
    for _ in 0..runs {
        floors.push(floor(&good, &secp));
        curves.push(floor(&vain, &secp));
        let (cost, own) = admit(&builder, &offered);
        costs.push(cost);
        caller.push(own);
    }
    let [floor, vain, cost] = [&floors, &curves, &costs].map(|costs| Cost::median(costs));
    println!("{:<28} {:>9} {:>9} {:>12} {:>15}", "", "wall", "CPU", "CPU each", "per second");
    for (name, cost) in [("signatures, one thread", floor), ("tried in vain, one thread", vain), ("admitted", cost)] {
        let each = cost.cpu.as_secs_f64() * 1e6 / count as f64;
        let speed = count as f64 / cost.wall.as_secs_f64();
        println!("{name:<28} {:>9.1?} {:>9.1?} {each:>9.2} µs {speed:>15.0}", cost.wall, cost.cpu);
    }
    caller.sort_unstable();
    println!("of that, on the caller's thread {:>30.2} µs", caller[runs / 2].as_secs_f64() * 1e6 / count as f64);
    let times = floor.wall.as_secs_f64() / cost.wall.as_secs_f64();
    let could = THREADS as f64 * floor.cpu.as_secs_f64() / cost.cpu.as_secs_f64();
    let all = (floor.cpu + vain.cpu).as_secs_f64();
    let could_all = THREADS as f64 * all / cost.cpu.as_secs_f64();
    println!("{times:.2} times as fast as one thread of signatures; {could:.2} by CPU time over {THREADS} cores,");
    println!("{could_all:.2} of all that the curve asks");
}

/// A chain with so many coins of the mix.
fn town(count: usize) -> (Builder, Vec<(bitcoin::OutPoint, builder::Coin)>) {
    let size = Size { transactions: count, inputs: 1, outputs: 1, per_block: count };
    let mut spent = chain(1, size, &MIX);
    // Its last block spends them all, and is larger than blocks may be.
    let builder = spent.fork_at(spent.height() - 1);
    let wanted = |kind: Kind| MIX.iter().any(|(of, _)| *of == kind);
    let coins = builder.coins().iter().filter(|(_, coin)| !coin.coinbase && wanted(coin.lock.kind));
    let coins = coins.take(count).map(|(outpoint, coin)| (*outpoint, coin.clone())).collect();
    (builder, coins)
}

/// A payment of each coin, with two outputs, and the signatures in it.
fn transactions(
    mut builder: Builder,
    coins: Vec<(bitcoin::OutPoint, builder::Coin)>,
) -> (Vec<Arc<Transaction>>, Checks) {
    let secp = Secp256k1::verification_only();
    let (mut all, mut checks) = (Vec::new(), Checks::default());
    for coin in coins {
        let output = coin.1.output.clone();
        let mut payment = Payment::of(vec![coin]);
        let half = (payment.value() - FEE) / 2;
        payment.outputs = [Kind::Wpkh, Kind::TrKey].map(|kind| builder.output(kind, half)).to_vec();
        let mut signed = builder.sign(&payment);
        // The wallet adds an annex now and then, which is not standard.
        while signed.input[0].witness.len() == 2 && output.script_pubkey.is_p2tr() {
            signed = builder.sign(&payment);
        }
        let transaction = Transaction::parse(serialize(&signed)).unwrap();
        let spent = Coin::new(output.value, &output.script_pubkey, 1, false);
        let job = Job { transaction: transaction.raw().clone(), spent: [spent].into(), flags: Flags::ALL };
        let template = Template::of(&output.script_pubkey, &signed.input[0].script_sig, &signed.input[0].witness);
        checks.append(&mut Extractor::new(&secp, &signed, &job).input(0, template).unwrap());
        all.push(Arc::new(transaction));
    }
    (all, checks)
}

/// The chain, connected: its coins are in memory.
fn connected(folder: &Path, builder: &Builder) -> Chainstate {
    let options = Options { threads: 1, trust: Trust::Nobody, ..Options::default() };
    let mut chain = Chainstate::open(folder, Arc::new(Spec::regtest()), options).unwrap();
    for block in builder.blocks() {
        let block = yap_chain::block::Block::parse(serialize(block)).unwrap();
        let prepared = Prepared::new(block, chain.spec());
        let accepted = chain.process(prepared, u32::try_from(NOW).unwrap()).unwrap();
        assert!(matches!(accepted, yap_node::chainstate::Accepted::Stored));
        while chain.poll().is_some() {}
    }
    chain.settle().unwrap();
    assert_eq!(chain.tree().hash(chain.verified_tip()), builder.tip());
    chain
}

/// Signatures alone, on one thread.
fn floor(checks: &[Check], secp: &Secp256k1<VerifyOnly>) -> Cost {
    Cost::of(|| {
        black_box(checks.iter().filter(|check| check.holds(secp)).count());
    })
}

/// CPU time of this thread.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

/// All transactions, one after the other, into an empty pool that has verified nothing before. Also gives what of it the
/// caller's thread took.
fn admit(builder: &Builder, offered: &[Arc<Transaction>]) -> (Cost, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = connected(folder.path(), builder);
    let options = admission::Options { threads: THREADS, ..admission::Options::default() };
    let mut admission = Admission::new(&chain, options);
    let (mut judged, start) = (0, own_cpu());
    let cost = Cost::of(|| {
        for transaction in offered {
            while admission.submit(&mut chain, Arc::clone(transaction), None, NOW).is_err() {
                admission.wait(&mut chain).unwrap();
            }
            admission.step(&mut chain);
            judged += accepted(&mut admission);
        }
        admission.settle(&mut chain).unwrap();
        judged += accepted(&mut admission);
    });
    let own = own_cpu().saturating_sub(start);
    assert_eq!((judged, admission.pool().len()), (offered.len(), offered.len()));
    (cost, own)
}

fn accepted(admission: &mut Admission) -> usize {
    let events = std::iter::from_fn(|| admission.poll());
    let outcomes =
        events.filter_map(|event| if let Event::Judged { outcome, .. } = event { Some(outcome) } else { None });
    outcomes.map(Result::unwrap).count()
}
