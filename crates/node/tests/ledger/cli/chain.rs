//! Chains: built in, described by a file, made by the user.

use std::fs;
use std::path::Path;

use yap_chain::spec::{NAMES, Spec};

use crate::support::{Ran, assert_whole, bare, import, run, vector, yap_with};

fn new(directory: &Path, arguments: &[&str]) -> Ran {
    run(bare().current_dir(directory).args(["--json", "chain", "new"]).args(arguments))
}

#[test]
fn every_built_in_chain_is_shown() {
    for name in NAMES {
        let genesis = Spec::builtin(name).unwrap().genesis.block_hash().to_string();
        let text = run(bare().args(["--chain", name, "chain", "show"])).ends(0).out;
        assert!(text.starts_with(&format!("# genesis block: {genesis}\n# built in")), "{text}");
        assert!(text.contains(&format!("name = \"{name}\"")), "{text}");
        let json = run(bare().args(["--json", "--chain", name, "chain", "show"])).ends(0).json();
        assert_eq!((&json["chain"], &json["genesisblockhash"]), (&name.into(), &genesis.as_str().into()));
        assert_eq!(json.get("signet_challenge").is_some(), name == "signet");
    }
}

#[test]
fn a_chain_that_nobody_knows_is_named_with_those_that_are_known() {
    let ran = run(bare().args(["--chain", "regtst", "utxo"])).ends(2).says("there is no chain \"regtst\"");
    ran.says(&NAMES.join(", "));
}

#[test]
fn a_wrong_chain_file_is_told_by_line_and_field() {
    let directory = tempfile::tempdir().unwrap();
    new(directory.path(), &["stones"]).ends(0);
    let text = fs::read_to_string(directory.path().join("stones.toml")).unwrap();
    let file = directory.path().join("bad.toml");
    let line = 1 + text.lines().position(|line| line.starts_with("spacing")).unwrap();
    for (bad, message) in [
        (text.replace("spacing = 10", "spacing = 0"), format!("line {line}: work.spacing")),
        (text.replace("spacing = 10", "spacing = "), format!("line {line}")),
        (text.replace("spacing", "spicing"), format!("line {line}: work.spicing")),
    ] {
        fs::write(&file, bad).unwrap();
        run(bare().arg("--chain").arg(&file).args(["chain", "show"])).ends(2).says(&format!("bad.toml: {message}"));
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    run(bare().arg("--chain").arg(&file).args(["chain", "show"])).ends(2).says("bad.toml");
}

#[test]
fn a_new_chain_has_the_genesis_block_that_was_told() {
    let directory = tempfile::tempdir().unwrap();
    // Of wrong first blocks, half would pass for right ones: the easiest target takes every second hash.
    for number in 0..10 {
        let name = format!("stones-{number}");
        let said = new(directory.path(), &[&name, "--message", "Rai from Palau", "--ticker", "FEI"]).ends(0).json();
        let file = directory.path().join(said["file"].as_str().unwrap());
        let shown = run(bare().args(["--json", "--chain"]).arg(&file).args(["chain", "show"])).ends(0).json();
        assert_eq!(shown["genesisblockhash"], said["genesisblockhash"]);
        assert_eq!((&shown["chain"], &shown["ticker"]), (&name.as_str().into(), &"FEI".into()));
        // What is shown is the file, but for a comment.
        let text = run(bare().arg("--chain").arg(&file).args(["chain", "show"])).ends(0).out;
        assert!(text.ends_with(&fs::read_to_string(&file).unwrap()), "{text}");
    }
}

#[test]
fn a_new_chain_can_be_used_at_once() {
    let directory = tempfile::tempdir().unwrap();
    for (name, flags) in [
        ("steady", &["--retarget", "none", "--spacing", "60"][..]),
        ("classic", &["--retarget", "bitcoin", "--interval", "144", "--subsidy", "50", "--halving", "210000"]),
        ("quick", &["--half-life", "600", "--halving", "0"]),
        ("signed", &["--challenge", "51"]),
    ] {
        let arguments: Vec<_> = [name].iter().chain(flags).copied().collect();
        let said = new(directory.path(), &arguments).ends(0).json();
        let with = |data: &str, arguments: &[&str]| {
            let mut command = bare();
            command.current_dir(directory.path()).args([
                "--json",
                "--chain",
                &format!("{name}.toml"),
                "--data-dir",
                data,
            ]);
            run(command.args(arguments))
        };
        with("one", &["export", &format!("{name}.blk")]).ends(0);
        let imported = with("two", &["import", &format!("{name}.blk")]).ends(0).json();
        assert_eq!((&imported["chain"], &imported["known"]), (&name.into(), &1.into()));
        assert_eq!(imported["bestblockhash"], said["genesisblockhash"]);
        assert_eq!(with("two", &["utxo", "--muhash"]).ends(0).json()["txouts"], 0);
        assert!(directory.path().join("two").join(name).is_dir());
        with("two", &["verify"]).ends(0);
    }
}

#[test]
fn what_makes_no_chain_is_refused_and_no_file_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let long = "m".repeat(92);
    for (arguments, message) in [
        (&["Stones"][..], "name"),
        (&["regtest"], "not the name of a built-in chain"),
        (&["stones", "--message", long.as_str()], "message"),
        (&["stones", "--ticker", "TOOLONGTICKER"], "ticker"),
        (&["stones", "--challenge", "5"], "is not a script"),
        (&["stones", "--subsidy", "0.000000001"], "--subsidy"),
        (&["stones", "--subsidy", "21000001"], "initial"),
        (&["stones", "--spacing", "0"], "--spacing"),
    ] {
        new(directory.path(), arguments).ends(2).says(message);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "{arguments:?}");
    }
    new(directory.path(), &["stones"]).ends(0);
    let before = fs::read(directory.path().join("stones.toml")).unwrap();
    new(directory.path(), &["stones"]).ends(1).says("stones.toml is there already; --force overwrites it");
    assert_eq!(fs::read(directory.path().join("stones.toml")).unwrap(), before);
    new(directory.path(), &["stones", "--force", "--message", "other"]).ends(0);
    assert_ne!(fs::read(directory.path().join("stones.toml")).unwrap(), before);
}

#[test]
fn a_directory_of_another_chain_of_the_same_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (file, message) in [("one.toml", "one"), ("two.toml", "two")] {
        new(directory.path(), &["stones", "-o", file, "--message", message]).ends(0);
    }
    let utxo =
        |file: &str| run(bare().current_dir(directory.path()).args(["--data-dir", "data", "--chain", file, "utxo"]));
    utxo("one.toml").ends(0);
    let ran = utxo("two.toml").ends(1).says("holds the chain \"stones\" with genesis block");
    ran.says("choose another directory");
    utxo("one.toml").ends(0);
}

#[test]
fn chains_live_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    import(directory.path(), &vector("regtest-160.blk")).ends(0);
    run(bare().arg("--data-dir").arg(directory.path()).args(["--chain", "signet", "utxo"])).ends(0);
    assert!(directory.path().join("regtest").is_dir() && directory.path().join("signet").is_dir());
    assert_whole(directory.path());
    yap_with(directory.path(), ["verify"]).ends(0);
}
