//! Input that is damaged, in disorder, or made to do harm. What is wrong is named, what is right is taken in.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Amount, Block};
use wait4::Wait4;
use yap_node::import::{self, LISTED_PROBLEMS, Source, Summary};

use crate::support::{
    HEIGHT, MAGIC, MUHASH, Ran, Random, TIP, assert_whole, blocks, file_of, framed, import, import_stdin, muhash, open,
    run, vector, yap, yap_with,
};

/// Imports bytes as a file, and gives what the command said with the file's name taken out.
fn import_bytes(data: &Path, bytes: &[u8]) -> Ran {
    fs::create_dir_all(data).unwrap();
    let file = data.join("input.blk");
    fs::write(&file, bytes).unwrap();
    let mut ran = import(data, &file);
    ran.err = ran.err.replace(&file.display().to_string(), "FILE");
    ran
}

/// Imports bytes that come through standard input.
fn import_piped(data: &Path, parts: impl IntoIterator<Item = Vec<u8>>) -> Ran {
    let mut child = import_stdin(data);
    let mut pipe = child.stdin.take().unwrap();
    for part in parts {
        pipe.write_all(&part).unwrap();
    }
    drop(pipe);
    child.wait_with_output().unwrap().into()
}

/// One case of input that has all blocks of the vector, and something else.
#[track_caller]
fn whole_in_spite_of(bytes: &[u8], message: &str) {
    let directory = tempfile::tempdir().unwrap();
    import_bytes(directory.path(), bytes).ends(1).says(message);
    assert_whole(directory.path());
}

#[test]
fn garbage_before_between_and_behind_records_costs_no_block() {
    let mut random = Random::new(1);
    let blocks = blocks();
    let garbage = random.bytes(1_000);
    let (first, second) = (file_of(&blocks[..70]), file_of(&blocks[70..]));
    let at = first.len();
    let why = "1000 bytes are no blocks: no record starts here";
    whole_in_spite_of(&[&garbage, first.as_slice(), &second].concat(), &format!("FILE, byte 0: {why}"));
    whole_in_spite_of(&[&first, garbage.as_slice(), &second].concat(), &format!("FILE, byte {at}: {why}"));
    let end = at + second.len();
    whole_in_spite_of(&[&first, second.as_slice(), &garbage].concat(), &format!("FILE, byte {end}: {why}"));
}

#[test]
fn a_false_length_costs_no_other_block() {
    let blocks = blocks();
    let (first, second) = (file_of(&blocks[..70]), file_of(&blocks[70..]));
    let record = |length: u32| [&MAGIC, length.to_le_bytes().as_slice(), &[7; 200]].concat();
    for (length, message) in [
        (0, "a record of 0 bytes is shorter than a block header"),
        (79, "a record of 79 bytes is shorter than a block header"),
        (80, ": not a block: "),
        (100, ": not a block: "),
        // These two reach over the next records, and over the end of the input.
        (100_000, ": not a block: "),
        (4_000_000, "bytes before the record does"),
        (4_000_001, "a record of 4000001 bytes is longer than any block"),
        (u32::MAX, "a record of 4294967295 bytes is longer than any block"),
    ] {
        whole_in_spite_of(&[&first, record(length).as_slice(), &second].concat(), message);
    }
}

#[test]
fn zero_padding_is_no_problem() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = blocks();
    let padding = vec![0; 300_000];
    let bytes = [&padding, file_of(&blocks[..70]).as_slice(), &padding, &file_of(&blocks[70..]), &padding].concat();
    import_bytes(directory.path(), &bytes).ends(0);
    assert_whole(directory.path());
}

#[test]
fn a_file_that_is_cut_off_gives_what_is_in_it() {
    let blocks = blocks();
    let whole = file_of(&blocks[..10]);
    let last = whole.len() - framed(&blocks[9]).len();
    // In the magic, behind it, in the length, behind it, in the header, behind it, in the transactions.
    for kept in [1, 3, 4, 6, 8, 9, 87, 88, 89, 120, whole.len() - last - 1] {
        let directory = tempfile::tempdir().unwrap();
        let ran = import_bytes(directory.path(), &whole[..last + kept]).ends(1).says(&format!("FILE, byte {last}: "));
        assert_eq!(ran.json()["height"], 9, "{kept}: {ran:?}");
        if kept >= 4 {
            ran.says("the input ends");
        }
        import(directory.path(), &vector("regtest-160.blk")).ends(0);
        assert_whole(directory.path());
    }
}

#[test]
fn input_without_blocks_is_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    import_bytes(data, &[]).ends(0);
    import_bytes(data, &Random::new(2).bytes(50_000)).ends(1).says("FILE, byte 0: 50000 bytes are no blocks");
    import_bytes(data, &MAGIC.repeat(5_000)).ends(1).says("FILE, byte 0: 4 bytes are no blocks");
    import(data, data).ends(1).says(&format!("{}: cannot be read", data.display()));
    import(data, &data.join("nothing.blk")).ends(1).says("nothing.blk: cannot be read: No such file");
    assert_eq!(import(data, &data.join("nothing.blk")).json()["problems"], 1);
}

#[test]
fn a_file_that_is_missing_does_not_keep_the_others_out() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.blk");
    run(yap(directory.path()).arg("import").arg(&missing).arg(vector("regtest-160.blk"))).ends(1).says("missing.blk");
    assert_whole(directory.path());
}

#[test]
fn blocks_of_another_chain_are_told_by_their_magic() {
    let blocks = blocks();
    for (magic, name) in [([0xf9, 0xbe, 0xb4, 0xd9], "bitcoin"), ([0x1c, 0x16, 0x3f, 0x28], "testnet4")] {
        let directory = tempfile::tempdir().unwrap();
        let mut bytes = file_of(&blocks[..20]);
        let size = bytes.len();
        let mut at = 0;
        for block in &blocks[..20] {
            bytes[at..at + 4].copy_from_slice(&magic);
            at += block.len() + 8;
        }
        let ran = import_bytes(directory.path(), &bytes).ends(1);
        assert_eq!(ran.json()["problems"], 1);
        ran.says(&format!(
            "FILE, byte 0: {size} bytes are no blocks of this chain, but look like those of `--chain {name}`"
        ));
    }
}

#[test]
fn blocks_may_come_in_any_order() {
    let mut reversed = blocks();
    reversed.reverse();
    let mut orders = vec![reversed];
    for seed in 0..3 {
        let mut blocks = blocks();
        Random::new(seed).shuffle(&mut blocks);
        orders.push(blocks);
    }
    for order in orders {
        let directory = tempfile::tempdir().unwrap();
        import_bytes(&directory.path().join("file"), &file_of(&order)).ends(0);
        assert_whole(&directory.path().join("file"));
        // Through a pipe no header is known beforehand.
        import_piped(&directory.path().join("pipe"), [file_of(&order)]).ends(0);
        assert_whole(&directory.path().join("pipe"));
    }
}

#[test]
fn blocks_that_come_twice_count_once() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = blocks();
    let twice: Vec<_> = blocks.iter().flat_map(|block| [block, block]).collect();
    let summary = import_bytes(directory.path(), &file_of(twice)).ends(0).json();
    assert_eq!((&summary["read"], &summary["stored"], &summary["known"]), (&320.into(), &160.into(), &160.into()));
    assert_whole(directory.path());
    let again = import(directory.path(), &vector("regtest-160.blk")).ends(0).json();
    assert_eq!((&again["stored"], &again["known"]), (&0.into(), &160.into()));
}

#[test]
fn a_block_whose_parent_never_comes_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = blocks();
    let without_tenth: Vec<_> = blocks[..9].iter().chain(&blocks[10..12]).collect();
    let ran = import_piped(directory.path(), [file_of(without_tenth)]).ends(1);
    assert_eq!((&ran.json()["height"], &ran.json()["problems"]), (&9.into(), &2.into()), "{ran:?}");
    ran.says("standard input, byte").says("has an unknown parent").says("import the blocks before it first");
    import(directory.path(), &vector("regtest-160.blk")).ends(0);
    assert_whole(directory.path());
}

/// Gives a block the proof of work of regtest again, after it was changed.
fn mine(block: &mut Block) -> Vec<u8> {
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    serialize(block)
}

#[test]
fn an_invalid_block_and_its_children_are_refused_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let blocks = blocks();
    let mut greedy: Block = deserialize(&blocks[4]).unwrap();
    greedy.txdata[0].output[0].value += Amount::ONE_SAT;
    let bad = mine(&mut greedy);
    let mut child: Block = deserialize(&blocks[5]).unwrap();
    child.header.prev_blockhash = greedy.block_hash();
    let below = mine(&mut child);
    for order in [vec![&bad, &below], vec![&below, &bad]] {
        let data = directory.path().join(if order[0] == &bad { "order" } else { "disorder" });
        let input: Vec<_> = blocks[..4].iter().chain(order).chain(&blocks[4..]).collect();
        let ran = import_bytes(&data, &file_of(input)).ends(1);
        assert_eq!(ran.json()["height"], HEIGHT);
        assert!(ran.json()["problems"].as_u64().unwrap() >= 1, "{ran:?}");
        ran.says(&format!("block {}", greedy.block_hash())).says("is invalid: bad-cb-amount");
        assert_whole(&data);
        yap_with(&data, ["verify"]).ends(0);
    }
}

#[test]
fn problems_are_listed_up_to_a_bound_and_counted_beyond() {
    let junk = |count: usize| framed(&[0x11; 90]).repeat(count);
    for (count, more) in
        [(LISTED_PROBLEMS, None), (LISTED_PROBLEMS + 1, Some(1)), (20_000, Some(20_000 - LISTED_PROBLEMS))]
    {
        let directory = tempfile::tempdir().unwrap();
        let bytes = [junk(count), fs::read(vector("regtest-160.blk")).unwrap()].concat();
        let ran = import_bytes(directory.path(), &bytes).ends(1);
        assert_eq!(ran.json()["problems"], count);
        let listed = ran.err.lines().filter(|line| line.contains(": not a block: ")).count();
        assert_eq!(listed, LISTED_PROBLEMS.min(count));
        let rest = ran.err.lines().find(|line| line.contains("more problems"));
        assert_eq!(rest.map(str::to_owned), more.map(|more| format!("yap: … and {more} more problems")));
        assert_whole(directory.path());
    }
}

/// Imports a file through the library, without scripts.
fn import_within(data: &Path, file: &Path) -> (Summary, String, String) {
    let mut chainstate = open(data, true);
    let options = import::Options { threads: 1, commit_blocks: None };
    let sources = [Source::File(file.to_path_buf())];
    let summary = import::import(&mut chainstate, &sources, options, &Arc::default(), &mut |_| {}).unwrap();
    let tip = chainstate.tree().hash(chainstate.tip()).to_string();
    (summary, tip, muhash(&chainstate))
}

#[test]
fn a_flipped_bit_is_found_and_keeps_no_good_block_out_later() {
    let file = fs::read(vector("regtest-160.blk")).unwrap();
    for seed in 0..100 {
        let directory = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let mut bytes = file.clone();
        // A third of them among the frames, headers and coinbases of the first blocks, which are small.
        let at = if seed % 3 == 0 { random.below(20_000) } else { random.below(bytes.len()) };
        bytes[at] ^= 1 << random.below(8);
        let damaged = directory.path().join("damaged.blk");
        fs::write(&damaged, bytes).unwrap();
        let data = directory.path().join("data");
        let (summary, tip, _) = import_within(&data, &damaged);
        assert!(summary.problem_count > 0, "seed {seed}: the flip at byte {at} was not noticed");
        assert_ne!(tip, TIP, "seed {seed}, byte {at}");
        let (summary, tip, muhash) = import_within(&data, &vector("regtest-160.blk"));
        let problems = summary.problems;
        assert_eq!((tip.as_str(), muhash.as_str()), (TIP, MUHASH), "seed {seed}, byte {at}: {problems:?}");
        assert!(problems.is_empty(), "seed {seed}, byte {at}: {problems:?}");
    }
}

/// Feeds parts to an import, with the vector behind them, and gives how it ended and its most memory, in MiB.
fn feed(data: &Path, parts: &mut dyn Iterator<Item = Vec<u8>>) -> (bool, u64) {
    let mut child = yap(data)
        .args(["import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for part in parts {
        pipe.write_all(&part).unwrap();
    }
    pipe.write_all(&fs::read(vector("regtest-160.blk")).unwrap()).unwrap();
    drop(pipe);
    let ended = child.wait4().unwrap();
    (ended.status.success(), ended.rusage.maxrss >> 20)
}

/// Memory that no input may exceed, in MiB. The program's own pages are 33 of it in a development build.
const MOST_MEMORY: u64 = 240;

#[test]
fn two_hundred_megabytes_of_harm_do_not_fill_the_memory() {
    let mut random = Random::new(3);
    let noise = random.bytes(4_000_000);
    let magics = MAGIC.repeat(1_000);
    let full = framed(&noise);
    let cases: [(&str, bool, &mut dyn Iterator<Item = Vec<u8>>); 4] = [
        ("zeros", true, &mut (0..50).map(|_| vec![0; 4_000_000])),
        ("noise", false, &mut (0..50).map(|_| noise.clone())),
        ("records of noise", false, &mut (0..50).map(|_| full.clone())),
        ("magics", false, &mut (0..500).map(|_| magics.clone())),
    ];
    for (name, sound, parts) in cases {
        let directory = tempfile::tempdir().unwrap();
        let (success, memory) = feed(directory.path(), parts);
        eprintln!("{name}: {memory} MiB");
        assert_eq!(success, sound, "{name}");
        assert!(memory < MOST_MEMORY, "{name}: {memory} MiB");
        assert_whole(directory.path());
    }
}

/// A block of an unknown parent with as many transactions as fit, each as small as can be. It breaks no rule that can
/// be checked without its parent.
fn crumbs(example: &Block, nonce: u32) -> Vec<u8> {
    let mut block = example.clone();
    let txid = block.txdata[0].compute_txid();
    let crumb = |vout| bitcoin::Transaction {
        version: bitcoin::transaction::Version::ONE,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn {
            previous_output: bitcoin::OutPoint { txid, vout },
            sequence: bitcoin::Sequence::MAX,
            ..bitcoin::TxIn::default()
        }],
        output: vec![bitcoin::TxOut { value: Amount::ZERO, script_pubkey: bitcoin::ScriptBuf::new() }],
    };
    block.txdata.truncate(1);
    // Without witness data, 1,000,000 bytes have the greatest weight.
    block.txdata.extend((0..999_000 / 60 - 10).map(crumb));
    block.header.prev_blockhash = bitcoin::hashes::Hash::hash(&nonce.to_le_bytes());
    mine(&mut block)
}

#[test]
fn large_blocks_of_the_smallest_transactions_do_not_fill_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let example: Block = deserialize(&blocks()[0]).unwrap();
    let blocks: Vec<_> = (0..50).map(|nonce| framed(&crumbs(&example, nonce))).collect();
    let sizes = blocks.iter().map(Vec::len);
    assert!(sizes.clone().sum::<usize>() > 49_000_000, "{:?}", sizes.max());
    let (success, memory) = feed(directory.path(), &mut blocks.into_iter());
    eprintln!("{memory} MiB");
    assert!(!success);
    assert!(memory < MOST_MEMORY, "{memory} MiB");
    assert_whole(directory.path());
}

/// One record of the greatest length holds more of the smallest transactions than any block may.
#[test]
fn records_with_more_transactions_than_a_block_may_have_do_not_fill_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut block: Block = deserialize(&blocks()[0]).unwrap();
    let crumb = block.txdata[0].clone();
    block.txdata[0].input[0].witness.clear();
    let small = bitcoin::Transaction {
        input: vec![bitcoin::TxIn::default()],
        output: vec![bitcoin::TxOut { value: Amount::ZERO, script_pubkey: bitcoin::ScriptBuf::new() }],
        ..crumb
    };
    block.txdata.extend(std::iter::repeat_n(small, 3_999_000 / 60));
    let record = framed(&serialize(&block));
    assert!((3_990_000..=4_000_008).contains(&record.len()), "{}", record.len());
    let (success, memory) = feed(directory.path(), &mut (0..50).map(|_| record.clone()));
    eprintln!("{memory} MiB");
    assert!(!success);
    assert!(memory < MOST_MEMORY, "{memory} MiB");
    assert_whole(directory.path());
}

#[test]
fn records_within_records_do_not_take_forever() {
    let directory = tempfile::tempdir().unwrap();
    // Each eight bytes promise a block of 4 MB, which is there, and is none. The last of them end before the vector.
    let promise = [&MAGIC, 4_000_000_u32.to_le_bytes().as_slice()].concat();
    let (success, memory) = feed(directory.path(), &mut [promise.repeat(1_000_000), vec![0; 4_000_000]].into_iter());
    assert!(!success);
    assert!(memory < MOST_MEMORY, "{memory} MiB");
    assert_whole(directory.path());
}

/// Items of no bytes take one byte each in a block, and five where they are decoded.
#[test]
fn large_blocks_of_empty_witness_items_do_not_fill_the_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut block: Block = deserialize(&blocks()[0]).unwrap();
    block.txdata[0].input[0].witness = vec![Vec::new(); 3_990_000].into();
    // Of an unknown parent each, so that they are held until their parents come.
    let records = (0..20_u32).map(|nonce| {
        block.header.prev_blockhash = bitcoin::hashes::Hash::hash(&nonce.to_le_bytes());
        framed(&mine(&mut block))
    });
    let records: Vec<_> = records.collect();
    let (success, memory) = feed(directory.path(), &mut records.into_iter());
    eprintln!("{memory} MiB");
    assert!(!success);
    assert!(memory < MOST_MEMORY, "{memory} MiB");
    assert_whole(directory.path());
}

#[test]
fn block_files_that_bitcoin_core_masked_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let key = [0x13, 0, 0xa7, 0x55, 0xfe, 1, 0x80, 0x3c];
    let mut blocks = blocks();
    blocks.reverse();
    let masked: Vec<u8> = file_of(&blocks).iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let file = directory.path().join("blk00000.dat");
    fs::write(&file, &masked).unwrap();
    import(directory.path(), &file).ends(1).says("no record starts here");
    fs::write(directory.path().join("xor.dat"), key).unwrap();
    import(directory.path(), &file).ends(0);
    assert_whole(directory.path());
    // A file that was exported to the same place is as it is.
    run(yap(directory.path()).arg("import").arg(vector("regtest-160.blk"))).ends(0);
}
