//! Measures the store on an import's work apart from rules and signatures: coins looked up, made and spent in memory, one
//! commit at the end, and the start after it.
//!
//! Run with `cargo run --release -p yap-store --example utxo [directory [large]]`. The import has 1,000 blocks that make
//! 125 coins each and spend 55; then there are 200,000 records in the index. `large` makes 12 million coins instead.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a measurement by hand: it may stop at the first error, and it prints its result"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use yap_chain::bitcoin::consensus::deserialize;
use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::{Amount, BlockHash, OutPoint, Script, Txid};
use yap_chain::coin::Coin;
use yap_chain::connect::{Changes, Coins};
use yap_store::{Batch, DEFAULT_CACHE, Options, Record, Status, Store, Tip};

const BLOCKS: u32 = 1_000;
const MADE: u32 = 125;
const SPENT: u32 = 55;
const RECORDS: u32 = 200_000;

fn outpoint(number: u32) -> OutPoint {
    OutPoint { txid: Txid::hash(&(number / 2).to_le_bytes()), vout: number % 2 }
}

fn coin(number: u32) -> Coin {
    let script = [&[0, 20], BlockHash::hash(&number.to_le_bytes()).as_byte_array().get(..20).unwrap()].concat();
    Coin::new(Amount::from_sat(u64::from(number) * 1_000), Script::from_bytes(&script), number / MADE, false)
}

fn open(directory: &Path) -> Store {
    let (chain, magic, genesis) = ("example".to_owned(), *b"yap!", BlockHash::all_zeros());
    let options = Options { chain, magic, genesis, cache: DEFAULT_CACHE, block_file_size: yap_store::BLOCK_FILE_SIZE };
    Store::open(directory, &options).unwrap()
}

fn record(sequence: u32) -> Record {
    let header = deserialize(&[0; 80]).unwrap();
    let (hash, status) = (BlockHash::hash(&sequence.to_le_bytes()), Status::HEADER_VALID);
    Record { sequence, hash, header, height: sequence, status, transactions: 1, size: 300, block: None, undo: None }
}

/// CPU time of all living threads (Linux).
fn cpu() -> Duration {
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    Duration::from_nanos(tasks.map(|task| of(task.unwrap())).sum())
}

fn timed<T>(what: &str, per: u32, run: impl FnOnce() -> T) -> T {
    let (start, used) = (Instant::now(), cpu());
    let result = run();
    let (took, used) = (start.elapsed(), cpu().saturating_sub(used));
    println!("{what:<34} {took:>10.1?} wall {used:>10.1?} CPU {:>10.1?} CPU each", used / per);
    result
}

/// What the blocks do to the set. Coins are spent 200 blocks later, when the processor's caches have lost them.
fn changes() -> Vec<Changes> {
    let of = |block: u32| {
        let from = block.saturating_sub(200) * MADE;
        let removed = if block < 200 { Vec::new() } else { (from..from + SPENT).map(outpoint).collect() };
        let created = (block * MADE..(block + 1) * MADE).map(|number| (outpoint(number), coin(number))).collect();
        Changes { removed, created }
    };
    (0..BLOCKS).map(of).collect()
}

fn import(store: &mut Store) {
    let spent = (BLOCKS - 200) * SPENT;
    let blocks = changes();
    timed("make and spend, per spent coin", spent, || {
        blocks.into_iter().for_each(|changes| store.apply(changes).unwrap());
    });
    let random = |number: u32| number.wrapping_mul(2_654_435_761) % BLOCKS * MADE + SPENT + number % (MADE - SPENT);
    let hits: Vec<_> = (0..200_000).map(|number| outpoint(random(number))).collect();
    timed("look up a coin in memory", 200_000, || {
        assert!(hits.iter().all(|outpoint| store.coin(outpoint).unwrap().is_some()));
    });
}

/// Twelve million coins made, four million of them spent, as fast as commits go.
fn large(directory: &Path) {
    const STEP: u32 = 10_000;
    let mut store = open(directory);
    let commit = |store: &mut Store| store.begin_commit(Batch::new(Tip { hash: BlockHash::all_zeros(), height: 0 }));
    timed("make and spend, per coin made", 1_200 * STEP, || {
        for step in 0..1_200 {
            let created = (step * STEP..(step + 1) * STEP).map(|number| (outpoint(number), coin(number))).collect();
            let old = step.saturating_sub(100) * STEP..step.saturating_sub(100) * STEP + STEP / 3;
            let removed = if step < 100 { Vec::new() } else { old.map(outpoint).collect() };
            store.apply(Changes { removed, created }).unwrap();
            if store.needs_commit() {
                commit(&mut store).unwrap();
            }
        }
        commit(&mut store).and_then(|()| store.flush()).unwrap();
    });
    println!("{} coins, {} MB in memory", store.coin_count(), store.cache_size() / 1_000_000);
    let old: Vec<_> = (0..20_000).map(|number| outpoint(number % 1_000 * STEP + STEP / 2 + number / 5)).collect();
    timed("look up an old coin", 20_000, || assert!(old.iter().all(|at| store.coin(at).unwrap().is_some())));
    timed("look up what is not there", 20_000, || {
        (0..20_000).for_each(|number| assert!(store.coin(&outpoint(50_000_000 + number)).unwrap().is_none()));
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    timed("leave", 1, || store.leave());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let directory = base.join("yap-utxo-example");
    let _ = std::fs::remove_dir_all(&directory);
    if arguments.next().is_some_and(|argument| argument == "large") {
        large(&directory);
        // Merges still write into it until the process has ended.
        let _ = std::fs::remove_dir_all(directory);
        return;
    }
    let mut store = timed("open a new store", 1, || open(&directory));
    import(&mut store);
    println!("{} coins, {} MB in memory", store.coin_count(), store.cache_size() / 1_000_000);
    let count = store.coin_count() as u32;
    let tip = Tip { hash: BlockHash::all_zeros(), height: BLOCKS };
    timed("commit, per coin", count, || store.begin_commit(Batch::new(tip)).and_then(|()| store.flush()).unwrap());
    timed("close", 1, || drop(store));
    let mut store = timed("open", 1, || open(&directory));
    let live = (BLOCKS - 190) * MADE..BLOCKS * MADE;
    timed("look up a coin in the tables", 10_000, || {
        live.clone().take(10_000).for_each(|number| assert!(store.coin(&outpoint(number)).unwrap().is_some()));
    });
    timed("look up what is not there", 10_000, || {
        (0..10_000).for_each(|number| assert!(store.coin(&outpoint(1_000_000 + number)).unwrap().is_none()));
    });
    timed("walk over all coins", count, || assert_eq!(store.reader().utxos().unwrap().count() as u32, count));
    let mut batch = Batch::new(tip);
    batch.records = (0..RECORDS).map(record).collect();
    timed("commit records", RECORDS, || store.begin_commit(batch).and_then(|()| store.flush()).unwrap());
    drop(store);
    let store = timed("open", 1, || open(&directory));
    timed("load records", RECORDS, || assert_eq!(store.reader().records().unwrap().len() as u32, RECORDS));
    drop(store);
    std::fs::remove_dir_all(directory).unwrap();
}
