//! A process that commits without pause is killed again and again; each time the store is exactly at one of its commits.

#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use yap_chain::bitcoin::hashes::Hash;
use yap_chain::bitcoin::{Amount, BlockHash, OutPoint, Script, Txid};
use yap_chain::block::Block;
use yap_chain::coin::Coin;
use yap_chain::connect::Changes;
use yap_store::{Batch, FilePosition, Options, Record, Status, Store, Tip};

/// Tells the test binary that it is the process to be killed.
const DIRECTORY: &str = "YAP_STORE_KILLED";

/// Length of a block with its frame: all are alike, so that their places are known.
const RECORD: u32 = 8 + 81 + 3_000;
const PER_FILE: u32 = 20;

fn open(directory: &Path) -> Store {
    let (chain, magic, genesis) = ("killed".to_owned(), *b"kill", hash(0));
    let options = Options { chain, magic, genesis, cache: 100_000, block_file_size: PER_FILE * RECORD };
    Store::open(directory, &options).unwrap()
}

fn hash(number: u32) -> BlockHash {
    BlockHash::hash(&number.to_le_bytes())
}

fn coin(height: u32, vout: u32) -> (OutPoint, Coin) {
    let txid = Txid::hash(&height.to_le_bytes());
    let value = Amount::from_sat(u64::from(height) * 100 + u64::from(vout));
    (OutPoint { txid, vout }, Coin::new(value, Script::from_bytes(&[0x51; 30]), height, false))
}

/// Each block makes 50 coins and spends 10 of the one before and 30 of one long ago.
fn changes(height: u32) -> Changes {
    let created = (0..50).map(|vout| coin(height, vout)).collect();
    let of = |below: u32, vouts: std::ops::Range<u32>| {
        let from = height.checked_sub(below).filter(|from| *from > 0);
        from.into_iter().flat_map(move |from| vouts.clone().map(move |vout| coin(from, vout).0))
    };
    Changes { removed: of(1, 0..10).chain(of(30, 10..40)).collect(), created }
}

fn set(height: u32) -> BTreeMap<OutPoint, Coin> {
    let mut set = BTreeMap::new();
    for height in 1..=height {
        let changes = changes(height);
        assert!(changes.removed.iter().all(|outpoint| set.remove(outpoint).is_some()));
        set.extend(changes.created);
    }
    set
}

/// A header, no transactions by its count, and bytes that make it as long as the others.
fn block(height: u32) -> Block {
    // One transaction with one input, whose script fills the block.
    let script = 81 + 3_000 - 81 - 4 - 1 - 36 - 3 - 4 - 1 - 4;
    let mut bytes = vec![0; 76];
    bytes.extend(height.to_le_bytes());
    bytes.extend([1, 1, 0, 0, 0, 1]);
    bytes.extend([7; 36]);
    bytes.push(0xfd);
    bytes.extend(u16::try_from(script).unwrap().to_le_bytes());
    bytes.extend(vec![9; script]);
    bytes.extend([0xff; 4]);
    bytes.push(0);
    bytes.extend([0; 4]);
    Block::parse(bytes).unwrap()
}

fn record(height: u32, at: FilePosition) -> Record {
    let header = *block(height).header();
    let (hash, status, size) = (header.block_hash(), Status::SCRIPTS_VALID, RECORD - 8);
    Record { sequence: height, hash, header, height, status, transactions: 1, size, block: Some(at), undo: None }
}

/// The process to be killed: commits, and says so, until it is.
#[test]
fn worker() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut store = open(Path::new(&directory));
    let start = store.tip().map_or(0, |tip| tip.height);
    let mut records = Vec::new();
    for height in start + 1..start + 100_000 {
        store.apply(changes(height)).unwrap();
        records.push(record(height, store.write_block(&block(height), height).unwrap()));
        if height % 3 != 0 {
            let mut batch = Batch::new(Tip { hash: hash(height), height });
            batch.records = std::mem::take(&mut records);
            store.begin_commit(batch).unwrap();
            let ended = store.tip().map_or(0, |tip| tip.height);
            writeln!(std::io::stderr(), "ended {ended}").unwrap();
        }
    }
}

#[test]
fn a_killed_store_is_at_its_last_commit() {
    let directory = tempfile::tempdir().unwrap();
    for (round, lines) in [1, 2, 40, 3, 7, 25, 1, 60].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut ended = output.filter_map(|line| line.strip_prefix("ended ").and_then(|height| height.parse().ok()));
        let known: u32 = ended.nth(lines - 1).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(directory.path());
        let height = store.tip().map_or(0, |tip| tip.height);
        assert!(height >= known, "round {round}: at {height}, but {known} had ended");
        assert_eq!(store.tip().map(|tip| tip.hash), (height > 0).then(|| hash(height)));
        let utxos = store.reader().utxos().unwrap();
        assert_eq!(utxos.total(), store.coin_count());
        assert_eq!(utxos.map(Result::unwrap).collect::<BTreeMap<_, _>>(), set(height), "round {round}");
        let records = store.reader().records().unwrap();
        assert_eq!(records.len(), usize::try_from(height).unwrap(), "round {round}");
        for (record, number) in records.iter().zip(1..) {
            let at = record.block.unwrap();
            assert_eq!((at.file, at.offset), ((number - 1) / PER_FILE, (number - 1) % PER_FILE * RECORD + 8));
            assert_eq!(&store.reader().block(at).unwrap(), &**block(number).bytes(), "round {round}");
        }
    }
}
