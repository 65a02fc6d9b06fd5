use std::collections::BTreeMap;
use std::fs;

use bitcoin::bip158::FilterHeader;
use bitcoin::hashes::Hash;

use super::*;
use crate::commit::Filter;
use crate::index::{Record, Status};
use crate::testing::{Random, block, coin, hash, options, outpoint, tip, undo};

fn open(directory: &Path) -> Store {
    Store::open(directory, &options()).unwrap()
}

fn create(store: &mut Store, numbers: impl IntoIterator<Item = u32>) {
    let created = numbers.into_iter().map(|number| (outpoint(number), coin(number, 22, false))).collect();
    store.apply(Changes { removed: Vec::new(), created }).unwrap();
}

fn spend(store: &mut Store, numbers: impl IntoIterator<Item = u32>) {
    let removed = numbers.into_iter().map(outpoint).collect();
    store.apply(Changes { removed, created: Vec::new() }).unwrap();
}

fn commit(store: &mut Store, batch: Batch) {
    store.begin_commit(batch).unwrap();
    store.flush().unwrap();
}

fn set(store: &Store) -> BTreeMap<OutPoint, Coin> {
    store.reader().utxos().unwrap().map(Result::unwrap).collect()
}

fn record(sequence: u32, block: Option<FilePosition>) -> Record {
    let header = *crate::testing::block(sequence).header();
    let (hash, status, undo) = (header.block_hash(), Status::HEADER_VALID, None);
    Record { sequence, hash, header, height: sequence, status, transactions: 1, size: 81, block, undo }
}

#[test]
fn a_new_store_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!((store.tip(), store.coin_count()), (None, 0));
    let reader = store.reader();
    assert_eq!(reader.records().unwrap(), []);
    assert_eq!(reader.utxos().unwrap().tip(), None);
    assert_eq!(reader.block_files(), [0_u32; 0]);
    assert_eq!(reader.meta(b"anything").unwrap(), None);
}

#[test]
fn everything_that_is_committed_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..100);
    let at = store.write_block(&block(1), 1).unwrap();
    let undo_at = store.write_undo(at, hash(0), &undo(7)).unwrap();
    let mut batch = Batch::new(tip(1));
    // Sequence numbers order the records, whatever their order in the batch.
    batch.records = [300, 1, 0].map(|sequence| record(sequence, Some(at))).into();
    let header = FilterHeader::hash(b"header");
    batch.filters = vec![Filter { height: 1, block: hash(1), header, bytes: vec![1, 2, 3] }];
    batch.meta = vec![(b"name".to_vec(), Some(b"value".to_vec())), (Vec::new(), Some(Vec::new()))];
    commit(&mut store, batch);
    let before = set(&store);
    drop(store);

    let mut store = open(directory.path());
    assert_eq!((store.tip(), store.coin_count()), (Some(tip(1)), 100));
    assert_eq!(set(&store), before);
    assert_eq!(before.len(), 100);
    assert_eq!(store.coin(&outpoint(5)).unwrap(), Some(coin(5, 22, false)));
    let reader = store.reader().clone();
    let sequences: Vec<_> = reader.records().unwrap().into_iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [0, 1, 300]);
    assert_eq!(reader.records().unwrap()[1], record(1, Some(at)));
    assert_eq!(&reader.block(at).unwrap(), &**block(1).bytes());
    assert_eq!(reader.undo(undo_at, hash(0)).unwrap(), undo(7));
    assert_eq!(reader.filter(1, &hash(1)).unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(reader.filter_header(1, &hash(1)).unwrap(), Some(header));
    assert_eq!((reader.filter(1, &hash(2)).unwrap(), reader.filter_header(2, &hash(1)).unwrap()), (None, None));
    assert_eq!(reader.meta(b"name").unwrap(), Some(b"value".to_vec()));
    assert_eq!(reader.meta(b"").unwrap(), Some(Vec::new()));

    let mut batch = Batch::new(tip(2));
    batch.meta = vec![(b"name".to_vec(), Some(b"lost".to_vec())), (b"name".to_vec(), None)];
    batch.records = vec![Record { status: Status::FAILED, ..record(1, None) }];
    commit(&mut store, batch);
    assert_eq!(reader.meta(b"name").unwrap(), None, "the later of two changes counts");
    assert_eq!(reader.records().unwrap()[1].status, Status::FAILED);
    assert_eq!(reader.tip().unwrap(), Some(tip(2)));
}

/// All files below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut folders = vec![directory.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

#[test]
fn tables_that_were_being_made_at_a_kill_are_made_anew() {
    let whole = tempfile::tempdir().unwrap();
    drop(open(whole.path()));
    let files = files_below(&whole.path().join("tables"));
    assert!(files.len() > 3, "{files:?}");
    // Whichever of the files are there. What is in them is all the same: they go.
    for missing in 0..files.len() {
        let directory = tempfile::tempdir().unwrap();
        for file in files.iter().enumerate().filter(|(number, _)| *number != missing).map(|(_, file)| file) {
            let copy = directory.path().join(file.strip_prefix(whole.path()).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::write(copy, []).unwrap();
        }
        fs::write(directory.path().join("tables.unfinished"), []).unwrap();
        let mut store = open(directory.path());
        assert!(!directory.path().join("tables.unfinished").exists());
        commit(&mut store, Batch::new(tip(1)));
        drop(store);
        assert_eq!(open(directory.path()).tip(), Some(tip(1)));
    }
}

#[test]
fn nothing_is_removed_but_tables_that_were_being_made_without_blocks() {
    // A folder of somebody else, which is no engine's.
    let directory = tempfile::tempdir().unwrap();
    let foreign = directory.path().join("tables/0.jnl");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "mine").unwrap();
    Store::open(directory.path(), &options()).unwrap_err();
    assert_eq!(fs::read_to_string(&foreign).unwrap(), "mine");

    // With blocks beside them, tables are somebody's whole chain, whatever is marked.
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.write_block(&block(1), 1).unwrap();
    commit(&mut store, Batch::new(tip(1)));
    drop(store);
    fs::write(directory.path().join("tables.unfinished"), []).unwrap();
    assert_eq!(open(directory.path()).tip(), Some(tip(1)));
}

#[test]
fn block_files_without_tables_are_not_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    store.write_block(&block(1), 1).unwrap();
    commit(&mut store, Batch::new(tip(1)));
    drop(store);
    fs::remove_dir_all(directory.path().join("tables")).unwrap();
    for _ in 0..2 {
        let error = Store::open(directory.path(), &options()).unwrap_err();
        assert!(matches!(error, Error::NoTables { .. }), "{error}");
    }
    fs::rename(directory.path().join("blocks"), directory.path().join("elsewhere")).unwrap();
    open(directory.path());
    assert_eq!(fs::metadata(directory.path().join("elsewhere/blk00000.dat")).unwrap().len(), 89);
}

#[test]
fn a_commit_is_asked_for_at_the_bound_of_changed_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(directory.path(), &Options { block_file_size: 89, ..options() }).unwrap();
    let most = u32::try_from(blocks::MAX_CHANGED).unwrap();
    let positions: Vec<_> = (0..most)
        .map(|height| {
            assert!(!store.needs_commit(), "below the bound");
            store.write_block(&block(height), height).unwrap()
        })
        .collect();
    assert!(store.needs_commit());
    // Undo data back and forth between files keeps no more of them open.
    for _ in 0..200 {
        for position in &positions[..2] {
            store.write_undo(*position, hash(0), &undo(1)).unwrap();
        }
    }
    commit(&mut store, Batch::new(tip(most)));
    assert!(!store.needs_commit());
}

#[test]
fn names_at_the_limit_are_kept_and_one_past_it_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut batch = Batch::new(tip(1));
    let name = vec![7; crate::MAX_NAME];
    batch.meta = vec![(name.clone(), Some(vec![1]))];
    commit(&mut store, batch.clone());
    assert_eq!(store.reader().meta(&name).unwrap(), Some(vec![1]));
    batch.meta[0].0.push(7);
    assert!(matches!(store.begin_commit(batch), Err(Error::NameTooLong { length: 256 })));
}

#[test]
fn without_a_commit_nothing_has_happened() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..10);
    let first = store.write_block(&block(1), 1).unwrap();
    commit(&mut store, Batch::new(tip(1)));
    spend(&mut store, 0..5);
    create(&mut store, 10..20);
    let lost = store.write_block(&block(2), 2).unwrap();
    drop(store);

    let mut store = open(directory.path());
    assert_eq!((store.tip(), store.coin_count()), (Some(tip(1)), 10));
    assert_eq!(set(&store).len(), 10);
    assert_eq!(store.coin(&outpoint(0)).unwrap(), Some(coin(0, 22, false)));
    assert_eq!(store.coin(&outpoint(10)).unwrap(), None);
    assert_eq!(store.write_block(&block(3), 2).unwrap(), lost, "the tail is written over");
    assert_eq!(&store.reader().block(first).unwrap(), &**block(1).bytes());
    assert_eq!(&store.reader().block(lost).unwrap(), &**block(3).bytes());
}

#[test]
fn one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = Store::open(directory.path(), &options()).unwrap_err();
    assert!(matches!(&error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains(directory.path().to_str().unwrap()), "{error}");
    let reader = store.reader().clone();
    drop(store);
    assert!(matches!(Store::open(directory.path(), &options()), Err(Error::InUse { .. })), "a reader is left");
    drop(reader);
    open(directory.path());
}

#[test]
fn a_store_that_was_left_has_its_last_commit_and_stays_locked() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..1_000);
    store.begin_commit(Batch::new(tip(1))).unwrap();
    let reader = store.reader().clone();
    store.leave();
    assert_eq!(reader.tip().unwrap(), Some(tip(1)), "the commit under way has ended");
    drop(reader);
    assert!(matches!(Store::open(directory.path(), &options()), Err(Error::InUse { .. })));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_inside() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    drop(open(&directory));
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn another_chain_is_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let other = Options { chain: "other".to_owned(), genesis: hash(1), ..options() };
    let error = Store::open(directory.path(), &other).unwrap_err();
    assert!(matches!(&error, Error::OtherChain { found, wanted, .. } if found == "test" && wanted == "other"));
    open(directory.path());
}

#[test]
fn a_repeated_coinbase_replaces_the_coin_and_counts_once() {
    for committed in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        let coinbase = |store: &mut Store, value| {
            let created = vec![(outpoint(1), coin(value, 22, true))];
            store.apply(Changes { removed: Vec::new(), created }).unwrap();
        };
        coinbase(&mut store, 1);
        if committed {
            commit(&mut store, Batch::new(tip(1)));
            drop(store);
            store = open(directory.path());
        }
        coinbase(&mut store, 2);
        assert_eq!(store.coin_count(), 1);
        assert_eq!(store.coin(&outpoint(1)).unwrap(), Some(coin(2, 22, true)));
        spend(&mut store, [1]);
        commit(&mut store, Batch::new(tip(2)));
        assert_eq!((store.coin_count(), set(&store).len()), (0, 0), "the first coin does not come back");
    }
}

#[test]
fn work_goes_on_while_a_commit_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..5_000);
    store.begin_commit(Batch::new(tip(1))).unwrap();
    assert_eq!(store.tip(), None, "not known to have ended");
    assert_eq!(store.coin(&outpoint(7)).unwrap(), Some(coin(7, 22, false)));
    spend(&mut store, 0..5);
    create(&mut store, 5_000..5_010);
    store.begin_commit(Batch::new(tip(2))).unwrap();
    assert_eq!(store.tip(), Some(tip(1)));
    store.flush().unwrap();
    assert_eq!((store.tip(), store.is_committing()), (Some(tip(2)), false));
    assert_eq!((store.coin_count(), set(&store).len()), (5_005, 5_005));
    store.flush().unwrap();
}

#[test]
fn a_walk_over_the_set_sees_one_state() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..3_000);
    commit(&mut store, Batch::new(tip(1)));
    let mut walk = store.reader().utxos().unwrap();
    let first: Vec<_> = walk.by_ref().take(10).collect();
    for height in 2..12 {
        spend(&mut store, (height - 2) * 100..(height - 1) * 100);
        create(&mut store, 10_000 * height..10_000 * height + 50);
        commit(&mut store, Batch::new(tip(height)));
    }
    assert_eq!((walk.tip(), walk.total()), (Some(tip(1)), 3_000));
    let seen: Vec<_> = first.into_iter().chain(walk).map(Result::unwrap).collect();
    assert_eq!(seen.len(), 3_000);
    assert!(seen.is_sorted_by_key(|(outpoint, _)| yap_chain::coin::codec::key(outpoint)));
    assert!(seen.iter().all(|(_, coin)| coin.value.to_sat() < 3_000));
    assert_eq!(set(&store).len(), 2_500);
}

#[test]
fn pruned_blocks_are_gone_and_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { block_file_size: 89 * 10, ..options() };
    let mut store = Store::open(directory.path(), &options).unwrap();
    let mut records: Vec<_> =
        (0..40).map(|height| record(height, Some(store.write_block(&block(height), height).unwrap()))).collect();
    let mut batch = Batch::new(tip(39));
    batch.records.clone_from(&records);
    commit(&mut store, batch);
    let reader = store.reader().clone();
    assert_eq!(reader.block_files_size(), 89 * 40);
    assert_eq!(reader.prunable(0, 287), [0_u32; 0], "288 blocks are kept");
    assert_eq!(reader.prunable(0, 296), [0_u32; 0]);
    assert_eq!(reader.prunable(0, 297), [0], "blocks 0 to 9");
    assert_eq!(reader.prunable(89 * 25, 10_000), [0, 1], "as few as suffice");

    let mut batch = Batch::new(tip(39));
    batch.pruned = reader.prunable(89 * 25, 10_000);
    for record in &mut records[..20] {
        record.prune();
        batch.records.push(record.clone());
    }
    commit(&mut store, batch);
    assert!(!directory.path().join("blocks/blk00001.dat").exists());
    let position = FilePosition { file: 1, offset: 8 };
    assert!(matches!(reader.block(position), Err(Error::Pruned { file: 1 })));
    drop((store, reader));
    let store = Store::open(directory.path(), &options).unwrap();
    assert_eq!(store.reader().block_files(), [2, 3]);
    assert_eq!(store.reader().records().unwrap(), records);
    assert!(matches!(store.reader().block(position), Err(Error::Pruned { file: 1 })));
    let kept = records[20].block.unwrap();
    assert_eq!(&store.reader().block(kept).unwrap(), &**block(20).bytes());
}

#[test]
fn a_failed_commit_stops_the_store_and_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    create(&mut store, 0..10);
    commit(&mut store, Batch::new(tip(1)));
    // The engine can make no new file.
    let tables = directory.path().join("tables/keyspaces/1/tables");
    let aside = directory.path().join("aside");
    fs::rename(&tables, &aside).unwrap();
    create(&mut store, 10..20);
    store.begin_commit(Batch::new(tip(2))).unwrap();
    assert!(matches!(store.flush(), Err(Error::Io { .. })));
    assert_eq!(store.tip(), Some(tip(1)));
    assert!(matches!(store.begin_commit(Batch::new(tip(2))), Err(Error::Stopped)));
    assert!(matches!(store.write_block(&block(1), 1), Err(Error::Stopped)));
    assert!(matches!(store.apply(Changes::default()), Err(Error::Stopped)));
    fs::rename(&aside, &tables).unwrap();
    assert!(matches!(store.flush(), Err(Error::Stopped)), "for good");
    drop(store);
    let store = open(directory.path());
    assert_eq!((store.tip(), set(&store).len()), (Some(tip(1)), 10));
}

/// A small file system of its own, unmounted when dropped; `None` if this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(directory.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_and_the_last_commit_stands() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("skipped: a small file system needs the right to mount one");
        return;
    };
    let directory = disk.0.path().join("store");
    for blocks in [false, true] {
        let mut store = open(&directory);
        let mut last = store.tip().map_or(0, |tip| tip.height);
        let error = (last + 1..last + 1_000).find_map(|height| {
            if blocks {
                let large = [block(height).bytes().as_slice(), &[0; 0]].concat();
                let mut files = store.reader.shared.files();
                let written = files.write_block(&[large, vec![1; 100_000]].concat(), height);
                drop(files);
                if let Err(error) = written {
                    return Some(error);
                }
            } else {
                create(&mut store, height * 10_000..height * 10_000 + 1_000);
            }
            let ended = store.begin_commit(Batch::new(tip(height))).and_then(|()| store.flush());
            last = if ended.is_ok() { height } else { last };
            ended.err()
        });
        assert!(matches!(error, Some(Error::DiskFull { .. } | Error::Merge { .. })), "{error:?}");
        assert!(last > 0);
        let count = store.reader().utxos().unwrap().total();
        drop(store);
        // Room is made elsewhere: here by a larger disk.
        let remount = ["-o", "remount,size=64m"];
        assert!(std::process::Command::new("mount").args(remount).arg(disk.0.path()).status().unwrap().success());
        let mut store = open(&directory);
        assert_eq!(store.tip(), Some(tip(last)));
        assert_eq!(u64::try_from(set(&store).len()).unwrap(), count);
        create(&mut store, [1]);
        commit(&mut store, Batch::new(tip(last)));
        spend(&mut store, [1]);
        commit(&mut store, Batch::new(tip(last)));
        drop(store);
        let used = ["-o", "remount,size=12m"];
        assert!(std::process::Command::new("mount").args(used).arg(disk.0.path()).status().unwrap().success());
    }
}

#[test]
fn any_order_of_changes_commits_and_restarts_gives_the_same_set() {
    for seed in 0..6 {
        let directory = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let options = Options { cache: [0, 60_000, 1 << 20][random.below(3)], ..options() };
        let mut store = Store::open(directory.path(), &options).unwrap();
        let (mut truth, mut begun, mut height) = (BTreeMap::new(), BTreeMap::new(), 0);
        for step in 0..150 {
            match random.below(10) {
                0 => {
                    // The commit under way ends; what is newer is lost.
                    drop(store);
                    store = Store::open(directory.path(), &options).unwrap();
                    truth.clone_from(&begun);
                    assert_eq!(store.tip().map_or(0, |tip| tip.height), height);
                    assert_eq!(set(&store), truth, "seed {seed} step {step}");
                }
                1..4 => {
                    height += 1;
                    store.begin_commit(Batch::new(tip(height))).unwrap();
                    begun.clone_from(&truth);
                }
                4 => store.flush().unwrap(),
                _ => {
                    let mut changes = Changes::default();
                    for number in 0..u32::try_from(random.below(40)).unwrap() {
                        let at = outpoint(number + u32::try_from(random.below(8)).unwrap() * 40);
                        assert_eq!(store.coin(&at).unwrap().as_ref(), truth.get(&at), "seed {seed} step {step}");
                        if truth.remove(&at).is_some() {
                            changes.removed.push(at);
                        } else {
                            let coin = coin(u32::from(random.byte()), [22, 60][random.below(2)], false);
                            truth.insert(at, coin.clone());
                            changes.created.push((at, coin));
                        }
                    }
                    store.apply(changes).unwrap();
                }
            }
            assert_eq!(store.coin_count(), u64::try_from(truth.len()).unwrap(), "seed {seed} step {step}");
        }
    }
}
