//! Damaged ledgers: what is told of them is true, and mending as told mends them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ran, assert_whole, copy, run, vector, yap, yap_with};

/// Files with something in them below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if fs::metadata(&path).unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

/// Types the commands that were told, with another copy of the blocks where one is asked for.
fn mend(told: &str, other: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_yap")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let commands: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert!(commands.len() >= 2, "{told}");
    for (at, command) in commands.iter().enumerate() {
        let command = command.replace("OTHER/blocks/blk*.dat", &other.display().to_string());
        let output = Command::new("sh").args(["-c", &command]).env("PATH", &path).output().unwrap();
        let ran = Ran::from(output);
        // Blocks that are damaged are told of again by the first import, if others complete it.
        assert!(ran.code == Some(0) || (at == 1 && commands.len() == 3), "{command}: {ran:?}");
    }
}

/// Verifies a damaged ledger, mends it as told, and gives what was told.
#[track_caller]
fn verify_and_mend(data: &Path) -> Ran {
    let ran = yap_with(data, ["verify"]).ends(1).says("to mend it");
    let json = yap_with(data, ["--json", "verify"]).ends(1).json();
    let told = json["mend"].as_str().unwrap();
    assert!(ran.err.contains(told), "{ran:?}");
    mend(told, &vector("regtest-160.blk"));
    yap_with(data, ["verify"]).ends(0).says("no damage found");
    assert_whole(data);
    ran
}

/// A whole ledger that was written in several commits, as a template.
fn template(directory: &Path) -> PathBuf {
    let data = directory.join("template");
    run(yap(&data).args(["import", "--commit-blocks", "40"]).arg(vector("regtest-160.blk"))).ends(0);
    data
}

#[test]
fn damaged_block_files_are_found_and_mended() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(directory.path());
    // In the magic, the length, the header and the transactions of blocks near the end, the middle and the beginning.
    let length = fs::metadata(template.join("regtest/blocks/blk00000.dat")).unwrap().len() as usize;
    for at in [300, 297, 293, length / 2, length - 3] {
        let data = directory.path().join(format!("it's {at}"));
        copy(&template, &data);
        flip(&data.join("regtest/blocks/blk00000.dat"), at);
        let ran = verify_and_mend(&data);
        assert!(ran.out.contains("block ") && ran.err.contains("OTHER/blocks"), "{ran:?}");
    }
}

#[test]
fn a_block_file_that_is_gone_or_short_is_found_and_mended() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(directory.path());
    for cut in [0, 100_000] {
        let data = directory.path().join(cut.to_string());
        copy(&template, &data);
        let file = data.join("regtest/blocks/blk00000.dat");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - cut]).unwrap();
        if cut == 0 {
            fs::remove_file(&file).unwrap();
        }
        let told = yap_with(&data, ["--json", "verify"]).ends(1).json()["mend"].as_str().unwrap().to_owned();
        mend(&told, &vector("regtest-160.blk"));
        yap_with(&data, ["verify"]).ends(0);
        assert_whole(&data);
    }
}

#[test]
fn damaged_undo_files_are_found_and_mended() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(directory.path());
    let length = fs::metadata(template.join("regtest/blocks/rev00000.dat")).unwrap().len() as usize;
    for at in [Some(2), Some(length / 2), Some(length - 1), None] {
        let data = directory.path().join(format!("{at:?}"));
        copy(&template, &data);
        let file = data.join("regtest/blocks/rev00000.dat");
        match at {
            Some(at) => flip(&file, at),
            None => fs::remove_file(&file).unwrap(),
        }
        let ran = verify_and_mend(&data);
        assert!(ran.out.contains("undo data of block") && !ran.err.contains("OTHER"), "{ran:?}");
    }
}

#[test]
fn damaged_tables_are_found_and_mended() {
    let directory = tempfile::tempdir().unwrap();
    let template = template(directory.path());
    let tables = template.join("regtest/tables");
    let mut found = 0;
    for (number, file) in files(&tables).into_iter().enumerate() {
        let name = file.strip_prefix(&template).unwrap().to_path_buf();
        let length = fs::metadata(&file).unwrap().len() as usize;
        for at in [Some(0), Some(length / 2), Some(length * 9 / 10), None] {
            let data = directory.path().join(format!("{number}-{at:?}"));
            copy(&template, &data);
            match at {
                Some(at) => flip(&data.join(&name), at),
                None => fs::remove_file(data.join(&name)).unwrap(),
            }
            let verified = yap_with(&data, ["verify"]);
            if verified.code == Some(0) {
                // A byte that means nothing to the engine.
                assert_whole(&data);
                continue;
            }
            found += 1;
            // Mending takes a while, and is the same for all.
            let ran = verified.ends(1).says("to mend it");
            if found % 8 == 1 {
                verify_and_mend(&data);
            }
            assert!(ran.err.contains("blk*.dat"), "{}, {at:?}: {ran:?}", name.display());
            fs::remove_dir_all(data).unwrap();
        }
    }
    assert!(found > 10, "{found}");
}

#[test]
fn block_files_survive_the_loss_of_their_tables() {
    let directory = tempfile::tempdir().unwrap();
    let data = template(directory.path());
    fs::remove_dir_all(data.join("regtest/tables")).unwrap();
    yap_with(&data, ["utxo"]).ends(1).says("the tables that go with them are missing").says("to mend it");
    verify_and_mend(&data);
}

#[test]
fn other_commands_tell_how_to_mend_too() {
    let directory = tempfile::tempdir().unwrap();
    let data = template(directory.path());
    flip(&data.join("regtest/blocks/blk00000.dat"), 340);
    let ran = yap_with(&data, ["block", "1"]).ends(1).says("to mend it").says("error: ");
    assert!(!ran.err.contains("panicked"));
    run(yap(&data).args(["export", "-"]).stdout(std::process::Stdio::null())).ends(1).says("to mend it");
}

#[test]
fn an_export_that_fails_leaves_no_part_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let data = template(directory.path());
    let blocks = data.join("regtest/blocks/blk00000.dat");
    flip(&blocks, fs::metadata(&blocks).unwrap().len() as usize / 2);
    let out = directory.path().join("out.blk");
    run(yap(&data).arg("export").arg(&out)).ends(1).says("is damaged").says("to mend it");
    assert!(!out.exists());
    fs::remove_file(&blocks).unwrap();
    run(yap(&data).arg("export").arg(&out)).ends(1).says("blk00000.dat: No such file").says("to mend it");
}
