//! A chain that Bitcoin Core made, over the network: what a fresh node makes of it is what Core says of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use yap_node::Chainstate;
use yap_node::chainstate;
use yap_node::import::{self, Source};
use yap_node::yap_chain::spec::Spec;
use yap_node::yap_chain::utxo::Hashes;

use super::town::{start, tip, wait_for, wait_for_tip};

/// The files of a chain, but for their extension: the larger one, if it is at hand. It changes more coins than are committed
/// at a glance.
fn vector() -> PathBuf {
    match std::env::var_os("YAP_TEST_DATA") {
        Some(folder) => Path::new(&folder).join("regtest-240"),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/regtest-160"),
    }
}

/// Imports the chain, as `yap import` does.
fn import(directory: &Path, height: u32) {
    let mut chain = Chainstate::open(directory, Arc::new(Spec::regtest()), chainstate::Options::default()).unwrap();
    let options = import::Options { threads: 1, commit_blocks: None };
    let sources = [Source::File(vector().with_extension("blk"))];
    let summary =
        import::import(&mut chain, &sources, options, &Arc::new(AtomicBool::new(false)), &mut |_| ()).unwrap();
    assert_eq!((summary.progress.stored, summary.problem_count), (u64::from(height), 0), "{:?}", summary.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_core_that_two_peers_serve_is_what_core_says_of_it() {
    let said: Value = serde_json::from_slice(&std::fs::read(vector().with_extension("json")).unwrap()).unwrap();
    let height = u32::try_from(said["tip"]["height"].as_u64().unwrap()).unwrap();
    let directories: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    for directory in &directories[..2] {
        import(directory.path(), height);
    }
    let alice = start(directories[0].path(), &[]).await;
    let bob = start(directories[1].path(), &[]).await;
    let carol = start(directories[2].path(), &[&alice, &bob]).await;
    wait_for_tip(&carol, said["tip"]["bestblock"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(tip(&carol.backend()).await.0, height);
    // The one that was connected first may have given all of it; both are kept.
    wait_for(&carol.backend(), |backend| async move {
        let peers = backend.ask(|view| view.peers()).await.unwrap();
        peers.iter().filter(|peer| peer.best_header == Some(height)).count() == 2
    })
    .await;
    let mut coins = carol.backend().ask(|view| view.coins()).await.unwrap().unwrap();
    let totals = coins.totals(Hashes { serialized: true, muhash: true }, &|| false).unwrap().unwrap();
    assert_eq!(totals.muhash.unwrap().to_string(), said["tip"]["muhash"]);
    assert_eq!(totals.serialized.unwrap().to_string(), said["tip"]["hash_serialized_3"]);
    assert_eq!(totals.txouts, said["tip"]["txouts"].as_u64().unwrap());
    for node in [carol, bob, alice] {
        node.stop().await.unwrap();
    }
}
