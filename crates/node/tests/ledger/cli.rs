//! The `yap` command from outside: what it says, writes and how it ends.

mod chain;
mod damage;
mod up;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{
    HEIGHT, MUHASH, TIP, assert_whole, bare, blocks, file_of, import, open, run, vector, yap, yap_with,
};

/// What Bitcoin Core says of the vector.
fn core() -> Value {
    serde_json::from_slice(&fs::read(vector("regtest-160.json")).unwrap()).unwrap()
}

/// A directory with the whole vector.
fn whole() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), &vector("regtest-160.blk")).ends(0);
    directory
}

#[test]
fn help_is_enough_to_get_started() {
    let help = run(bare().arg("--help")).ends(0).out;
    for text in ["yap --chain regtest import", "import", "export", "utxo", "block", "verify", "chain", "YAP_DATA_DIR"] {
        assert!(help.contains(text), "{text}: {help}");
    }
    assert!(!help.contains("IO:"), "{help}");
    for command in
        [&["import"][..], &["export"], &["utxo"], &["block"], &["verify"], &["chain", "show"], &["chain", "new"]]
    {
        let help = run(bare().args(command).arg("-h")).ends(0).out;
        // Each flag and argument is followed by words that say what it does.
        for line in help.lines().filter(|line| line.trim_start().starts_with(['-', '<'])) {
            let (_, text) = line.trim().split_once("  ").unwrap_or_default();
            assert!(text.trim().len() > 8, "{command:?}: {line}");
        }
    }
    assert!(run(bare().arg("--version")).ends(0).out.starts_with("yap "));
}

#[test]
fn a_wrong_command_line_ends_with_two_and_a_suggestion() {
    run(bare().args(["utxo", "--muhas"])).ends(2).says("'--muhash'");
    run(bare().args(["improt", "x"])).ends(2).says("'import'");
    run(bare().arg("import")).ends(2).says("<FILE>");
    run(bare().args(["import", "--dbcache", "3", "x"])).ends(2).says("3 is not in 4..=65536");
    run(bare().args(["import", "--prune", "549", "x"])).ends(2).says("550");
    let directory = tempfile::tempdir().unwrap();
    yap_with(directory.path(), ["import", "x", "--assume-valid", "zz"]).ends(2).says("\"zz\" is not a block hash");
}

#[test]
fn import_tells_what_it_did() {
    let (directory, core) = (tempfile::tempdir().unwrap(), core());
    let ran = import(directory.path(), &vector("regtest-160.blk")).ends(0);
    assert_eq!(ran.err, "");
    let summary = ran.json();
    assert_eq!(summary["chain"], "regtest");
    assert_eq!(summary["height"], HEIGHT);
    assert_eq!(summary["bestblockhash"], TIP);
    assert_eq!(summary["chainwork"], core["chainwork"]);
    for (field, value) in [("read", 160), ("stored", 160), ("known", 0), ("transactions", 1147), ("problems", 0)] {
        assert_eq!(summary[field], value, "{field}");
    }
    assert_eq!(summary["stopped"], false);
    // A second time nothing is left to do.
    let text = yap_with(directory.path(), ["import".as_ref(), vector("regtest-160.blk").as_os_str()]).ends(0).out;
    assert!(text.lines().any(|line| line.split_whitespace().eq(["known", "160"])), "{text}");
    assert!(text.lines().any(|line| line.split_whitespace().eq(["height", "160"])), "{text}");
}

#[test]
fn verbose_says_what_happens() {
    let directory = tempfile::tempdir().unwrap();
    let file = vector("regtest-160.blk");
    let ran = run(yap(directory.path()).args(["-vv", "import", "--commit-blocks", "50"]).arg(file)).ends(0);
    ran.says("opened").says("reading").says("commits height=").says("imported and committed read=160");
    yap_with(directory.path(), ["-v", "utxo"]).ends(0).says("opened directory=");
}

#[test]
fn every_way_to_import_ends_in_the_same_muhash() {
    for flags in [
        &["--assume-valid", "0"][..],
        &["--assume-valid", TIP],
        &["--threads", "1"],
        &["--threads", "5", "--dbcache", "4"],
        &["--commit-blocks", "1"],
    ] {
        let directory = tempfile::tempdir().unwrap();
        run(yap(directory.path()).arg("import").args(flags).arg(vector("regtest-160.blk"))).ends(0);
        assert_whole(directory.path());
    }
}

#[test]
fn utxo_has_core_s_fields_and_values() {
    let (directory, core) = (whole(), core());
    let utxo = yap_with(directory.path(), ["--json", "utxo", "--muhash"]).ends(0).json();
    for field in ["height", "bestblock", "txouts", "bogosize", "hash_serialized_3", "muhash"] {
        assert_eq!(utxo[field], core["tip"][field], "{field}");
    }
    assert_eq!(utxo["total_amount"].to_string(), "7725.00000000");
    assert_eq!(utxo["chainwork"], core["chainwork"]);
    let without = yap_with(directory.path(), ["--json", "utxo"]).ends(0).json();
    assert!(without.get("muhash").is_none());
    let text = yap_with(directory.path(), ["utxo", "--muhash"]).ends(0).out;
    assert!(text.lines().any(|line| line.split_whitespace().eq(["muhash", MUHASH])), "{text}");
}

#[test]
fn a_block_is_shown_by_height_and_by_hash() {
    let (directory, blocks) = (whole(), blocks());
    let by_height = yap_with(directory.path(), ["--json", "block", "160"]).ends(0).json();
    let by_hash = yap_with(directory.path(), ["--json", "block", TIP]).ends(0).json();
    assert_eq!(by_height, by_hash);
    assert_eq!(
        (&by_hash["hash"], &by_hash["height"], &by_hash["confirmations"]),
        (&TIP.into(), &160.into(), &1.into())
    );
    assert!(by_hash.get("nextblockhash").is_none());
    let block: bitcoin::Block = bitcoin::consensus::deserialize(&blocks[159]).unwrap();
    assert_eq!(by_hash["nTx"], block.txdata.len());
    assert_eq!(by_hash["tx"].as_array().unwrap().len(), block.txdata.len());
    assert_eq!(by_hash["merkleroot"], block.header.merkle_root.to_string());
    assert_eq!(by_hash["size"], blocks[159].len());
    assert_eq!(by_hash["weight"], block.weight().to_wu());
    assert_eq!(by_hash["previousblockhash"], block.header.prev_blockhash.to_string());
    assert_eq!(by_hash["header"], bitcoin::consensus::encode::serialize_hex(&block.header));
    let first = yap_with(directory.path(), ["--json", "block", "0"]).ends(0).json();
    assert_eq!(first["confirmations"], 161);
    assert!(first.get("previousblockhash").is_none());

    let hex = yap_with(directory.path(), ["block", "--raw", "160"]).ends(0).out;
    assert_eq!(hex.trim_end(), bitcoin::hex::DisplayHex::to_lower_hex_string(blocks[159].as_slice()));
    let data = yap_with(directory.path(), ["--json", "block", "--raw", TIP]).ends(0).json();
    assert_eq!(data["data"], hex.trim_end());
    for unknown in ["161", &"00".repeat(32), "zz"] {
        yap_with(directory.path(), ["block", unknown]).ends(1).says(&format!("no block {unknown}"));
    }
    let error = yap_with(directory.path(), ["--json", "block", "161"]).ends(1).json();
    assert!(error["error"].as_str().unwrap().contains("no block 161"));
}

#[test]
fn export_gives_back_what_was_imported() {
    let directory = whole();
    let out = directory.path().join("out.blk");
    let export = |arguments: &[&str]| run(yap(directory.path()).args(["--json", "export"]).arg(&out).args(arguments));
    let said = export(&["--from", "1"]).ends(0).json();
    assert_eq!((&said["blocks"], &said["size"]), (&160.into(), &506_658.into()));
    assert_eq!(fs::read(&out).unwrap(), fs::read(vector("regtest-160.blk")).unwrap());
    export(&[]).ends(1).says("out.blk is there already; --force overwrites it");
    assert_eq!(fs::read(&out).unwrap().len(), 506_658);
    export(&["--force", "--from", "7", "--to", "7"]).ends(0);
    assert_eq!(fs::read(&out).unwrap(), file_of(&blocks()[6..7]));
    for (from, to) in [("5", "4"), ("0", "161"), ("161", "161")] {
        export(&["--force", "--from", from, "--to", to]).ends(1).says("are not all in the best chain");
    }
    // Nothing was overwritten by what could not be done.
    assert_eq!(fs::read(&out).unwrap(), file_of(&blocks()[6..7]));
}

#[test]
fn export_and_import_work_through_a_pipe() {
    let (from, to) = (whole(), tempfile::tempdir().unwrap());
    let mut export = yap(from.path()).args(["export", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let pipe = export.stdout.take().unwrap();
    run(yap(to.path()).args(["import", "-"]).stdin(pipe)).ends(0);
    assert!(export.wait().unwrap().success());
    assert_whole(to.path());
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let directory = whole();
    for arguments in [&["export", "-"][..], &["block", "--raw", "159"], &["utxo"], &["--json", "block", "159"]] {
        let mut child =
            yap(directory.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if arguments[0] == "export" {
            let mut some = [0; 10];
            child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        }
        drop(child.stdout.take());
        let ran: crate::support::Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.ends(0).err, "", "{arguments:?}");
    }
}

#[test]
fn the_environment_names_chain_and_directory() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = bare();
    command.env("YAP_CHAIN", "regtest").env("YAP_DATA_DIR", directory.path());
    run(command.args(["--json", "import"]).arg(vector("regtest-160.blk"))).ends(0);
    assert!(directory.path().join("regtest/blocks/blk00000.dat").is_file());
    assert_whole(directory.path());
    // What is typed counts more.
    let mut command = bare();
    command.env("YAP_CHAIN", "nothing").env("YAP_DATA_DIR", "/nowhere");
    command.args(["--json", "--chain", "regtest", "--data-dir"]).arg(directory.path()).arg("utxo");
    assert_eq!(run(&mut command).ends(0).json()["height"], HEIGHT);
    // Without a word, it is below the home directory.
    run(bare().env("HOME", directory.path()).arg("utxo")).ends(0);
    assert!(directory.path().join(".yap/local/blocks").is_dir());
}

#[test]
fn the_data_directory_is_its_owner_s_alone() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("deep/data");
    yap_with(&data, ["utxo"]).ends(0);
    for path in [data.clone(), data.join("regtest"), data.join("regtest/blocks")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
}

#[test]
fn a_directory_in_use_is_named() {
    let directory = whole();
    let chainstate = open(&directory.path().join("regtest"), true);
    for command in [&["utxo"][..], &["verify"], &["block", "0"], &["import", "-"], &["export", "-"]] {
        let ran = yap_with(directory.path(), command).ends(1);
        assert!(!ran.err.contains("to mend"), "{ran:?}");
        ran.says(&format!("{} is in use by another process", directory.path().join("regtest").display()));
    }
    drop(chainstate);
    assert_whole(directory.path());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::File::create(&file).unwrap().write_all(b"here").unwrap();
    yap_with(&file, ["utxo"]).ends(1).says(&format!("{}", file.display())).says("Not a directory");
}
