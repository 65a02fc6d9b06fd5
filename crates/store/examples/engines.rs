//! Measures embedded engines on the work that the UTXO set gives them; the figures stand in
//! `docs/adr/0002-storage-engine.md`.
//!
//! Run with `cargo run --release -p yap-store --example engines [directory]` (Linux: CPU time and memory are read from
//! `/proc`). Each engine runs in processes of its own, so that one's memory does not count as another's.
//!
//! The ingestion writes one sorted table and names it in one manifest, so a commit is atomic if everything is in one
//! keyspace; the batch goes through the journal and the memtable.
//!
//! - `first`: one durable commit of 70,000 coins and a tip into an empty database.
//! - `load`: durable commits of 200,000 coins until there are 2,000,000.
//! - `churn`: durable commits of 200,000 new coins and 150,000 spent ones, picked at random.
//! - `hit`, `miss`: reads of random keys that are and are not there.
//! - `close`, `open`: clean end and start; `crash open`: start after the process ended without closing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a measurement by hand: it may stop at the first error, and it prints its result"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fjall::config::{CompressionPolicy, PartitioningPolicy, PinningPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, TableDefinition};

type Key = [u8; 36];

/// Changes in key order; `None` deletes.
type Changes = Vec<(Key, Option<Vec<u8>>)>;

const TIP: Key = [0; 36];
const FIRST: u32 = 70_000;
const COINS: u32 = 2_000_000;
const NEW: u32 = 200_000;
const SPENT: u32 = 150_000;
const ROUNDS: u32 = 5;
const READS: u32 = 200_000;
const CACHE: usize = 32 << 20;

trait Engine: Sized {
    const NAME: &str;
    fn open(directory: &Path) -> Self;
    fn commit(&mut self, changes: Changes);
    fn read(&self, key: &Key) -> Option<usize>;
}

struct FjallBatch(Database, Keyspace);
/// The database is kept because it merges as long as it lives.
struct FjallIngest(Keyspace, #[expect(dead_code, reason = "lives as long as the keyspace is used")] Database);
struct Redb(redb::Database);

fn fjall(directory: &Path) -> (Database, Keyspace) {
    let database = Database::builder(directory).cache_size(CACHE as u64).worker_threads(1).open().unwrap();
    let options = || {
        KeyspaceCreateOptions::default()
            .data_block_compression_policy(CompressionPolicy::disabled())
            .filter_block_partitioning_policy(PartitioningPolicy::all(true))
            .index_block_partitioning_policy(PartitioningPolicy::all(true))
            .filter_block_pinning_policy(PinningPolicy::all(false))
            .index_block_pinning_policy(PinningPolicy::all(false))
    };
    let keyspace = database.keyspace("coins", options).unwrap();
    (database, keyspace)
}

impl Engine for FjallBatch {
    const NAME: &str = "fjall, batch";

    fn open(directory: &Path) -> Self {
        let (database, keyspace) = fjall(directory);
        Self(database, keyspace)
    }

    fn commit(&mut self, changes: Changes) {
        let mut batch = fjall::OwnedWriteBatch::with_capacity(self.0.clone(), changes.len());
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(&self.1, key, value),
                None => batch.remove(&self.1, key),
            }
        }
        batch.durability(Some(PersistMode::SyncAll)).commit().unwrap();
    }

    fn read(&self, key: &Key) -> Option<usize> {
        self.1.get(key).unwrap().map(|value| value.len())
    }
}

impl Engine for FjallIngest {
    const NAME: &str = "fjall, ingestion";

    fn open(directory: &Path) -> Self {
        let (database, keyspace) = fjall(directory);
        Self(keyspace, database)
    }

    fn commit(&mut self, changes: Changes) {
        let mut ingestion = self.0.start_ingestion().unwrap();
        for (key, value) in changes {
            match value {
                Some(value) => ingestion.write(key, value).unwrap(),
                None => ingestion.write_tombstone(key).unwrap(),
            }
        }
        ingestion.finish().unwrap();
    }

    fn read(&self, key: &Key) -> Option<usize> {
        self.0.get(key).unwrap().map(|value| value.len())
    }
}

const TABLE: TableDefinition<'_, &[u8; 36], &[u8]> = TableDefinition::new("coins");

impl Engine for Redb {
    const NAME: &str = "redb";

    fn open(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        Self(redb::Builder::new().set_cache_size(CACHE).create(directory.join("redb")).unwrap())
    }

    fn commit(&mut self, changes: Changes) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut table = transaction.open_table(TABLE).unwrap();
            for (key, value) in changes {
                match value {
                    Some(value) => drop(table.insert(&key, value.as_slice()).unwrap()),
                    None => drop(table.remove(&key).unwrap()),
                }
            }
        }
        transaction.commit().unwrap();
    }

    fn read(&self, key: &Key) -> Option<usize> {
        let table = self.0.begin_read().unwrap().open_table(TABLE).unwrap();
        table.get(key).unwrap().map(|value| value.value().len())
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

fn key(number: u32) -> Key {
    let mut random = Random(u64::from(number));
    let mut key = [0; 36];
    for part in key[..32].chunks_mut(8) {
        part.copy_from_slice(&random.next().to_be_bytes());
    }
    key
}

fn value(number: u32) -> Vec<u8> {
    let mut random = Random(u64::from(number) << 32);
    (0..20 + random.below(26)).map(|_| random.next() as u8).collect()
}

fn batch(new: std::ops::Range<u32>, spent: Vec<u32>) -> Changes {
    let mut changes: Changes = new.map(|number| (key(number), Some(value(number)))).collect();
    changes.extend(spent.into_iter().map(|number| (key(number), None)));
    changes.push((TIP, Some(vec![1; 36])));
    changes.sort_unstable_by_key(|(key, _)| *key);
    changes
}

/// CPU time of all living threads.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.map(|task| of(task.unwrap())).sum())
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    format!("{} MB", line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_000)
}

fn disk(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|e| if e.path().is_dir() { disk(&e.path()) } else { allocated(&e.path()) }).sum()
}

fn allocated(file: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).map_or(0, |meta| meta.blocks() * 512)
}

fn timed<T>(what: &str, per: u32, run: impl FnOnce() -> T) -> T {
    let (wall, used) = (Instant::now(), cpu());
    let result = run();
    let (wall, used) = (wall.elapsed(), cpu().saturating_sub(used));
    println!("  {what:<12} {:>12.3?} wall {:>12.3?} CPU", wall / per, used / per);
    result
}

fn first<E: Engine>(directory: &Path) {
    let mut engine = timed("create", 1, || E::open(directory));
    let changes = batch(0..FIRST, Vec::new());
    timed("first", 1, || engine.commit(changes));
    timed("close", 1, || drop(engine));
    timed("open", 1, || drop(E::open(directory)));
    println!("  {:<12} {}, disk {} MB", "memory", peak_memory(), disk(directory) / 1_000_000);
}

fn churn<E: Engine>(directory: &Path) {
    let mut engine = E::open(directory);
    let base = peak_memory();
    let load: Vec<_> = (0..COINS / NEW).map(|round| batch(round * NEW..(round + 1) * NEW, Vec::new())).collect();
    let before = peak_memory();
    timed("load/commit", COINS / NEW, || load.into_iter().for_each(|changes| engine.commit(changes)));
    let (mut live, mut random): (Vec<u32>, _) = ((0..COINS).collect(), Random(7));
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|round| {
            let spent = (0..SPENT).map(|_| live.swap_remove(random.below(live.len()))).collect();
            let new = COINS + round * NEW..COINS + (round + 1) * NEW;
            live.extend(new.clone());
            batch(new, spent)
        })
        .collect();
    timed("churn/commit", ROUNDS, || rounds.into_iter().for_each(|changes| engine.commit(changes)));
    let hits: Vec<Key> = (0..READS).map(|_| key(live[random.below(live.len())])).collect();
    let misses: Vec<Key> = (0..READS).map(|number| key(u32::MAX - number)).collect();
    timed("hit", READS, || hits.iter().for_each(|key| assert!(engine.read(key).is_some())));
    timed("miss", READS, || misses.iter().for_each(|key| assert!(engine.read(key).is_none())));
    println!(
        "  {:<12} {}, {before} before ({base} at start), disk {} MB",
        "memory",
        peak_memory(),
        disk(directory) / 1_000_000
    );
    timed("close", 1, || drop(engine));
    let engine = timed("open", 1, || E::open(directory));
    timed("first read", 1, || assert!(engine.read(&TIP).is_some()));
    println!("  {:<12} disk {} MB", "reopened", disk(directory) / 1_000_000);
    std::process::exit(0); // without closing
}

fn crashed<E: Engine>(directory: &Path) {
    let engine = timed("crash open", 1, || E::open(directory));
    timed("first read", 1, || assert!(engine.read(&TIP).is_some()));
    println!("  {:<12} {}", "memory", peak_memory());
}

fn run<E: Engine>(phase: Option<&str>, base: &Path) {
    let directory = base.join(E::NAME.replace(", ", "-"));
    match phase {
        Some("first") => first::<E>(&directory.join("first")),
        Some("churn") => churn::<E>(&directory.join("churn")),
        Some(_) => crashed::<E>(&directory.join("churn")),
        None => {
            println!("{}", E::NAME);
            for phase in ["first", "churn", "crashed"] {
                let me = std::env::current_exe().unwrap();
                assert!(Command::new(me).arg(base).arg(E::NAME).arg(phase).status().unwrap().success());
            }
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let (engine, phase) = (arguments.next(), arguments.next());
    let wanted = |name: &str| engine.as_deref().is_none_or(|engine| engine == name);
    if wanted(FjallBatch::NAME) {
        run::<FjallBatch>(phase.as_deref(), &base);
    }
    if wanted(FjallIngest::NAME) {
        run::<FjallIngest>(phase.as_deref(), &base);
    }
    if wanted(Redb::NAME) {
        run::<Redb>(phase.as_deref(), &base);
    }
}
