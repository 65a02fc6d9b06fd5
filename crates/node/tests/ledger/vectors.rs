//! Real chains, against what Bitcoin Core said of them: tip, work, coins, hashes, filters.

use std::path::{Path, PathBuf};

use serde_json::Value;
use yap_chain::bitcoin::Amount;
use yap_chain::bitcoin::hashes::{Hash, sha256};
use yap_chain::spec::Spec;
use yap_sim::blk;
use yap_sim::verdict::{Subject, Verdict};

use crate::subject::Ledger;

/// Where larger chains are, if there are any.
fn large() -> Option<PathBuf> {
    let folder = std::env::var_os("YAP_TEST_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: YAP_TEST_DATA names no folder with regtest-240");
    }
    folder
}

/// Gives the chain to a fresh ledger, and compares at every height that Core was asked about.
fn compare(folder: &Path, name: &str) {
    let file = std::fs::read(folder.join(name).with_extension("blk")).unwrap();
    let said = std::fs::read(folder.join(name).with_extension("json")).unwrap();
    let said: Value = serde_json::from_slice(&said).unwrap();
    let mut ledger = Ledger::regtest();
    for (height, raw) in (1_u32..).zip(blk::blocks(&file, Spec::regtest().magic)) {
        assert_eq!(ledger.submit(raw), Verdict::Accepted, "height {height}");
        if let Some(muhash) = said["muhash_at"].get(height.to_string()) {
            assert_eq!(ledger.totals().muhash.unwrap().to_string(), *muhash, "height {height}");
        }
    }
    let (tip, (hash, height)) = (&said["tip"], ledger.tip());
    assert_eq!(hash.to_string(), tip["bestblock"]);
    assert_eq!(u64::from(height), tip["height"].as_u64().unwrap());
    let totals = ledger.totals();
    assert_eq!(totals.txouts, tip["txouts"].as_u64().unwrap());
    assert_eq!(totals.bogosize, tip["bogosize"].as_u64().unwrap());
    assert_eq!(totals.amount, Amount::from_btc(tip["total_amount"].as_f64().unwrap()).unwrap());
    assert_eq!(totals.serialized.unwrap().to_string(), tip["hash_serialized_3"]);
    assert_eq!(totals.muhash.unwrap().to_string(), tip["muhash"]);
    let chainstate = ledger.restart().chainstate();
    assert_eq!(format!("{:064x}", chainstate.tree().work(chainstate.tip())), said["chainwork"]);
    for filter in said["filters"].as_array().unwrap() {
        let height = u32::try_from(filter["height"].as_u64().unwrap()).unwrap();
        let block = chainstate.tree().hash(chainstate.at_height(height).unwrap());
        assert_eq!(block.to_string(), filter["block"]);
        let stored = chainstate.store().reader().filter(height, &block).unwrap().unwrap();
        assert_eq!(sha256::Hash::hash(&stored).to_string(), filter["filter_sha256"], "height {height}");
        let header = chainstate.store().reader().filter_header(height, &block).unwrap().unwrap();
        assert_eq!(header.to_string(), filter["header"], "height {height}");
    }
}

#[test]
fn the_vector_chain_has_cores_figures() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors"), "regtest-160");
}

#[test]
fn the_larger_chain_has_cores_figures() {
    if let Some(folder) = large() {
        compare(&folder, "regtest-240");
    }
}
