use super::*;
use crate::testing::{MAGIC, hash, undo};

/// What the last commit knew.
type Infos = BTreeMap<u32, Info>;

fn open(directory: &Path, limit: u32, infos: &Infos) -> Files {
    Files::open(directory.to_path_buf(), MAGIC, limit, infos.clone()).unwrap()
}

/// What a commit does with the files.
fn commit(files: &mut Files, infos: &mut Infos) {
    let (unsynced, rows) = files.take_changes().unwrap();
    unsynced.sync().unwrap();
    for (key, row) in rows {
        let number = u32::from_be_bytes(key[1..].try_into().unwrap());
        match row {
            Some(row) => drop(infos.insert(number, Info::decode(&row).unwrap())),
            None => drop(infos.remove(&number)),
        }
    }
}

fn bytes(fill: u8, length: usize) -> Vec<u8> {
    vec![fill; length]
}

fn read(files: &mut Files, position: FilePosition) -> Result<Vec<u8>, Error> {
    files.block(position)?.read_block()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn records_are_framed_as_bitcoin_core_does() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 1 << 20, &Infos::new()), Infos::new());
    let first = files.write_block(&bytes(1, 100), 0).unwrap();
    let second = files.write_block(&bytes(2, 90), 1).unwrap();
    assert_eq!((first, second), (FilePosition { file: 0, offset: 8 }, FilePosition { file: 0, offset: 116 }));
    let undone = files.write_undo(0, hash(1), &undo(5)).unwrap();
    assert_eq!(undone, FilePosition { file: 0, offset: 8 });
    commit(&mut files, &mut infos);
    files.close().unwrap();
    let written = fs::read(directory.path().join("blk00000.dat")).unwrap();
    let frame = |length: u8| [MAGIC, [length, 0, 0, 0]].concat();
    assert_eq!(written, [frame(100), bytes(1, 100), frame(90), bytes(2, 90)].concat());
    let mut body = Vec::new();
    undo::codec::encode(&undo(5), &mut body);
    let summed = [hash(1).as_byte_array().as_slice(), &body].concat();
    let sum = sha256d::Hash::hash(&summed).to_byte_array().to_vec();
    let written = fs::read(directory.path().join("rev00000.dat")).unwrap();
    assert_eq!(written, [frame(u8::try_from(body.len()).unwrap()), body, sum].concat());
}

#[test]
fn records_are_read_before_and_after_they_reach_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 1 << 20, &Infos::new()), Infos::new());
    let small = files.write_block(&bytes(1, 100), 0).unwrap();
    let undone = files.write_undo(0, hash(0), &undo(5)).unwrap();
    assert_eq!(length(&directory.path().join("blk00000.dat")), 0, "gathered in memory");
    assert_eq!(read(&mut files, small).unwrap(), bytes(1, 100));
    let large = files.write_block(&bytes(2, 300_000), 1).unwrap();
    for _ in 0..2 {
        assert_eq!(read(&mut files, small).unwrap(), bytes(1, 100));
        assert_eq!(read(&mut files, large).unwrap(), bytes(2, 300_000));
        assert_eq!(files.undo(undone).unwrap().read_undo(hash(0)).unwrap(), undo(5));
        commit(&mut files, &mut infos);
        files = open(directory.path(), 1 << 20, &infos);
    }
}

#[test]
fn a_file_takes_blocks_up_to_its_limit_and_not_one_byte_more() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = open(directory.path(), 216, &Infos::new());
    let positions = [100, 100, 101, 100, 100, 500].map(|size| files.write_block(&bytes(1, size), 0).unwrap().file);
    // 2 × 108 bytes fill the first exactly; 109 + 108 are one too many; a block larger than the limit has its own.
    assert_eq!(positions, [0, 0, 1, 2, 2, 3]);
    assert_eq!(length(&directory.path().join("blk00000.dat")), 216, "what was reserved is given back");
}

#[test]
fn undo_data_follows_its_block_into_an_older_file() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 150, &Infos::new()), Infos::new());
    let blocks: Vec<_> = (0..3).map(|height| files.write_block(&bytes(1, 100), height).unwrap()).collect();
    let order = [2, 0, 1, 0, 2, 0];
    let undone: Vec<_> = order
        .iter()
        .zip(0..)
        .map(|(index, value)| files.write_undo(blocks[*index].file, hash(9), &undo(value)).unwrap())
        .collect();
    for (index, position) in order.iter().zip(&undone) {
        assert_eq!(u32::try_from(*index).unwrap(), position.file);
    }
    commit(&mut files, &mut infos);
    drop(files);
    let mut files = open(directory.path(), 150, &infos);
    for (position, value) in undone.iter().zip(0..) {
        assert_eq!(files.undo(*position).unwrap().read_undo(hash(9)).unwrap(), undo(value));
    }
}

#[test]
fn what_no_commit_knows_is_cut_off_and_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 1_000, &Infos::new()), Infos::new());
    let kept = files.write_block(&bytes(1, 400), 0).unwrap();
    commit(&mut files, &mut infos);
    let lost = files.write_block(&bytes(2, 400), 1).unwrap();
    let second = files.write_block(&bytes(3, 400), 2).unwrap();
    files.write_undo(0, hash(0), &undo(1)).unwrap();
    commit(&mut files, &mut infos.clone());
    assert!(directory.path().join("blk00001.dat").exists() && directory.path().join("rev00000.dat").exists());
    drop(files);
    fs::write(directory.path().join("notes.txt"), "mine").unwrap();

    let mut files = open(directory.path(), 1_000, &infos);
    assert_eq!(length(&directory.path().join("blk00000.dat")), 408);
    assert!(!directory.path().join("blk00001.dat").exists() && !directory.path().join("rev00000.dat").exists());
    assert!(directory.path().join("notes.txt").exists(), "what is not ours stays");
    assert!(matches!(read(&mut files, second), Err(Error::Pruned { file: 1 })));
    assert!(matches!(read(&mut files, lost), Err(Error::Damaged { offset: 416, why: Damage::Missing, .. })));
    assert_eq!(files.write_block(&bytes(4, 300), 1).unwrap(), lost);
    assert_eq!(read(&mut files, lost).unwrap(), bytes(4, 300));
    assert_eq!(read(&mut files, kept).unwrap(), bytes(1, 400));
}

use crate::error::Damage;

#[test]
fn damage_is_named_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 1 << 20, &Infos::new()), Infos::new());
    let block = files.write_block(&bytes(1, 100), 0).unwrap();
    let undone = files.write_undo(0, hash(0), &undo(5)).unwrap();
    commit(&mut files, &mut infos);
    files.close().unwrap();
    let blk = directory.path().join("blk00000.dat");
    let rev = directory.path().join("rev00000.dat");
    let (good_block, good_undo) = (fs::read(&blk).unwrap(), fs::read(&rev).unwrap());
    let mut block_with = |at: usize, value: u8| {
        let mut bytes = good_block.clone();
        bytes[at] = value;
        fs::write(&blk, bytes).unwrap();
        read(&mut files, block).unwrap_err()
    };
    assert!(matches!(block_with(0, 0), Error::Damaged { offset: 8, why: Damage::Magic, .. }));
    assert!(matches!(block_with(4, 101), Error::Damaged { why: Damage::Length(101), .. }));
    assert!(matches!(block_with(7, 255), Error::Damaged { why: Damage::Length(_), .. }));
    let message = block_with(0, 0).to_string();
    assert!(message.contains("blk00000.dat at byte 8"), "{message}");
    let place = |files: &mut Files| files.undo(undone).unwrap();
    for at in 8..good_undo.len() {
        let mut bytes = good_undo.clone();
        bytes[at] ^= 1;
        fs::write(&rev, bytes).unwrap();
        let error = place(&mut files).read_undo(hash(0)).unwrap_err();
        assert!(matches!(error, Error::Damaged { why: Damage::Checksum, .. }), "byte {at}: {error}");
    }
    fs::write(&rev, &good_undo).unwrap();
    let other = place(&mut files).read_undo(hash(1)).unwrap_err();
    assert!(matches!(other, Error::Damaged { why: Damage::Checksum, .. }), "another block's");
    fs::write(&rev, &good_undo[..good_undo.len() - 1]).unwrap();
    let short = place(&mut files).read_undo(hash(0)).unwrap_err();
    assert!(matches!(short, Error::Damaged { why: Damage::Missing, .. }));
    let nowhere = FilePosition { file: 0, offset: 7 };
    assert!(matches!(read(&mut files, nowhere), Err(Error::Damaged { why: Damage::Magic, .. })));
    fs::remove_file(&blk).unwrap();
    assert!(matches!(read(&mut files, block), Err(Error::Io { .. })));
}

#[test]
fn records_at_the_size_limit_are_written_and_one_past_it_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = open(directory.path(), BLOCK_FILE_SIZE, &Infos::new());
    let most = files.write_block(&bytes(1, framing::MAX_RECORD), 0).unwrap();
    assert_eq!(read(&mut files, most).unwrap().len(), framing::MAX_RECORD);
    let more = files.write_block(&bytes(1, framing::MAX_RECORD + 1), 0);
    assert!(matches!(more, Err(Error::TooLarge { size: 4_000_001 })));
}

#[test]
fn the_oldest_files_go_first_and_none_that_a_reorganisation_may_need() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, mut infos) = (open(directory.path(), 250, &Infos::new()), Infos::new());
    // Two blocks a file; blocks may come out of order.
    let positions: Vec<_> =
        [0, 1, 2, 9, 3, 4, 5, 6, 7, 8].map(|height| files.write_block(&bytes(1, 100), height).unwrap()).into();
    files.write_undo(0, hash(0), &undo(1)).unwrap();
    assert_eq!(files.numbers(), [0, 1, 2, 3, 4]);
    let total = files.total();
    assert_eq!(files.prunable(total, 100), [0_u32; 0], "small enough");
    assert_eq!(files.prunable(total - 1, 100), [0]);
    assert_eq!(files.prunable(0, 100), [0, 1, 2, 3], "all but the one that is written to");
    assert_eq!(files.prunable(0, 8), [0, 2, 3], "the second file has a block of height 9");
    assert_eq!(files.prunable(0, 1), [0]);
    assert_eq!(files.prunable(0, 0), [0_u32; 0]);

    commit(&mut files, &mut infos);
    files.forget(&[0, 2, 4]);
    commit(&mut files, &mut infos);
    files.delete(&[0, 2, 4]).unwrap();
    assert_eq!(files.numbers(), [1, 3, 4]);
    assert!(matches!(read(&mut files, positions[0]), Err(Error::Pruned { file: 0 })));
    assert!(matches!(files.write_undo(0, hash(0), &undo(1)), Err(Error::Pruned { file: 0 })));
    assert_eq!(read(&mut files, positions[2]).unwrap(), bytes(1, 100));
    assert!(!directory.path().join("blk00000.dat").exists() && !directory.path().join("rev00000.dat").exists());
    drop(files);
    let mut files = open(directory.path(), 250, &infos);
    assert_eq!(files.numbers(), [1, 3, 4]);
    assert_eq!(files.write_block(&bytes(1, 100), 10).unwrap().file, 5);
}

#[test]
fn a_scan_finds_every_record_and_stops_at_what_is_filled() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = open(directory.path(), 1 << 20, &Infos::new());
    let positions: Vec<_> = (0..3).map(|height| files.write_block(&bytes(height, 100), 0).unwrap()).collect();
    let events: Vec<_> = files.scan(0).unwrap().map(Result::unwrap).collect();
    let expected = positions
        .iter()
        .zip(0..)
        .map(|(position, fill)| framing::Event::Record { offset: u64::from(position.offset), bytes: bytes(fill, 100) });
    assert_eq!(events, expected.collect::<Vec<_>>());
    assert!(length(&directory.path().join("blk00000.dat")) > 324, "space is reserved behind them");
}
