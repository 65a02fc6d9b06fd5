//! A chain that Bitcoin Core made, over the network: what a fresh node makes of it is what Core says of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use yap_node::Chainstate;
use yap_node::chainstate;
use yap_node::import::{self, Source};
use yap_node::yap_chain::spec::Spec;
use yap_node::yap_chain::utxo::Hashes;

use super::town::{start, tip, wait_for, wait_for_tip};

/// Blocks of the chain.
const HEIGHT: u32 = 160;

fn vector(extension: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/regtest-160").with_extension(extension)
}

/// Imports the chain, as `yap import` does.
fn import(directory: &Path) {
    let mut chain = Chainstate::open(directory, Arc::new(Spec::regtest()), chainstate::Options::default()).unwrap();
    let options = import::Options { threads: 1, commit_blocks: None };
    let sources = [Source::File(vector("blk"))];
    let summary =
        import::import(&mut chain, &sources, options, &Arc::new(AtomicBool::new(false)), &mut |_| ()).unwrap();
    assert_eq!((summary.progress.stored, summary.problem_count), (u64::from(HEIGHT), 0), "{:?}", summary.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_core_that_two_peers_serve_is_what_core_says_of_it() {
    let said: Value = serde_json::from_slice(&std::fs::read(vector("json")).unwrap()).unwrap();
    let directories: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    for directory in &directories[..2] {
        import(directory.path());
    }
    let alice = start(directories[0].path(), &[]).await;
    let bob = start(directories[1].path(), &[]).await;
    let carol = start(directories[2].path(), &[&alice, &bob]).await;
    wait_for_tip(&carol, said["tip"]["bestblock"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(tip(&carol.backend()).await.0, HEIGHT);
    // The one that was connected first may have given all of it; both are kept.
    wait_for(&carol.backend(), |backend| async move {
        let peers = backend.ask(|view| view.peers()).await.unwrap();
        peers.iter().filter(|peer| peer.best_header == Some(HEIGHT)).count() == 2
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
