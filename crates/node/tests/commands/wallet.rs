//! The wallet, from the first coins to a backup.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{PATIENCE, Place, Ran};

/// The words of BIP-0039's first vector.
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn a_wallet_is_made_again_from_its_words_and_never_overwritten() {
    let mut place = Place::empty();
    let file = place.path().join("words");
    let restore = |place: &Place, words: &str| {
        std::fs::write(&file, words).unwrap();
        place.run(["wallet", "restore", "--words-file", file.to_str().unwrap()])
    };
    restore(&place, "abandon ability able").ends(2).says("these words make no wallet");
    restore(&place, WORDS).ends(0);
    restore(&place, WORDS).ends(1).says("never overwritten");
    place.run(["wallet", "create"]).ends(1).says("never overwritten");
    place.start();
    restore(&place, WORDS).ends(1).says("yap stop");
    let first = place.run(["wallet", "words"]).ends(0);
    assert!(first.out.contains("12 about"), "{first:?}");
    assert!(first.err.contains("Whoever has these words has the coins"), "{first:?}");
}

#[test]
fn coins_are_mined_paid_and_counted() {
    let place = Place::with_node();
    place.run(["mine", "101"]).ends(0);
    assert_eq!(sats(&place, "trusted"), 100_000_000);
    let address = place.run(["address", "--label", "shop"]).ends(0).out.trim().to_owned();
    let uri = place.run(["address", "--uri", "0.5 YAP"]).ends(0).out;
    assert!(uri.starts_with("yap:") && uri.trim_end().ends_with("amount=0.5"), "{uri}");

    place.run(["pay", &address, "0.25"]).ends(2).says("--yes");
    place.run(["pay", &address, "1000", "--yes"]).ends(1).says("nsufficient");
    let sent = place.run(["--json", "pay", &address, "0.25", "--yes"]).ends(0);
    let txid = sent.json().as_str().unwrap().to_owned();
    assert!(sent.err.contains("no peer is connected"), "{sent:?}");
    let history = place.run(["history", "--limit", "5"]).ends(0).out;
    assert!(history.contains("pending") && history.contains("shop"), "{history}");
    assert!(place.run(["mempool"]).ends(0).out.contains(&txid));
    assert!(place.run(["tx", &txid]).ends(0).out.contains("pending"));
    place.run(["mine"]).ends(0);
    assert!(place.run(["tx", &txid]).ends(0).out.contains("1 confirmation"));
    assert!(place.run(["mempool"]).ends(0).out.contains("No transaction waits"));
    assert!(place.run(["wallet", "coins"]).ends(0).out.contains("shop"));
}

#[test]
fn whoever_waits_is_told_when_a_block_has_the_payment() {
    let place = Place::with_node();
    place.run(["mine", "101"]).ends(0);
    let address = place.run(["address"]).ends(0).out.trim().to_owned();
    let mut command = place.command();
    let paying = command.args(["pay", &address, "0.1", "--yes", "--wait"]);
    let mut paying = paying.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while paying.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "nobody tells");
        if place.run(["--json", "mempool"]).ends(0).json()["size"] != 0 {
            place.run(["mine"]).ends(0);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ran::from(paying.wait_with_output().unwrap()).ends(0).says("confirmed in block 102");
}

#[test]
fn a_passphrase_guards_spending_and_nothing_else() {
    let place = Place::with_node();
    let (old, new) = (place.path().join("old"), place.path().join("new"));
    std::fs::write(&old, "first passphrase\n").unwrap();
    std::fs::write(&new, "second passphrase\n").unwrap();
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    place.run(["mine", "101"]).ends(0);
    place.run(["wallet", "encrypt", "--passphrase-file", old]).ends(0);
    assert!(place.run(["wallet", "info"]).ends(0).out.contains("locked"));
    let address = place.run(["address"]).ends(0).out.trim().to_owned();
    place.run(["pay", &address, "0.1", "--yes", "--passphrase-file", new]).ends(1);
    place.run(["pay", &address, "0.1", "--yes", "--passphrase-file", old]).ends(0);
    place.run(["wallet", "passphrase", "--passphrase-file", old, "--new-passphrase-file", new]).ends(0);
    place.run(["wallet", "unlock", "--passphrase-file", old]).ends(1);
    place.run(["wallet", "unlock", "--passphrase-file", new]).ends(0);
    place.run(["wallet", "lock"]).ends(0);
    let backup = place.path().join("backup");
    place.run(["wallet", "backup", backup.to_str().unwrap()]).ends(0);
    assert!(backup.is_file());
}

/// Satoshis of the wallet's balance.
fn sats(place: &Place, part: &str) -> u64 {
    let balances: Value = place.run(["--json", "balance"]).ends(0).json();
    let text = balances["mine"][part].to_string();
    text.replace('.', "").parse().unwrap()
}
