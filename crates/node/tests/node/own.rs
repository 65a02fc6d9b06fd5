//! What is a node's own: payments that nobody took yet, and the wallet.

use std::sync::Arc;

use yap_api::Backend;
use yap_api::backend::{MineError, MiningOrder, Unavailable, WalletError};
use yap_node::yap_chain::bitcoin::consensus::serialize;
use yap_node::yap_chain::bitcoin::{self, Txid};
use yap_node::yap_chain::transaction::Transaction;
use yap_protocol::io::Judged;

use super::town::{builder, chain, give, pay, start, tip, wait_for};

/// Transactions that no peer has yet.
async fn untaken(backend: &Arc<dyn Backend>) -> Vec<Txid> {
    backend.ask(|view| view.pool().unbroadcast().iter().copied().collect()).await.unwrap()
}

/// Waits until a transaction is pending.
async fn wait_for_payment(backend: &Arc<dyn Backend>, txid: Txid) {
    wait_for(
        backend,
        |backend| async move { backend.ask(move |view| view.pool().contains_txid(&txid)).await.unwrap() },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_known_to_be_untaken_until_a_peer_has_it_also_after_a_restart() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut builder = chain(31);
    builder.prepare(1);
    let alice = start(directories[0].path(), &[]).await;
    give(&alice, builder.blocks()).await;
    let payment = pay(&mut builder);
    let txid = payment.compute_txid();
    let payment = Arc::new(Transaction::parse(serialize(&payment)).unwrap());
    assert_eq!(alice.backend().submit(payment).await, Ok(Judged::Accepted));
    assert_eq!(untaken(&alice.backend()).await, [txid], "nobody is there");
    alice.stop().await.unwrap();

    let alice = start(directories[0].path(), &[]).await;
    wait_for_payment(&alice.backend(), txid).await;
    assert_eq!(untaken(&alice.backend()).await, [txid], "it was not forgotten");
    let bob = start(directories[1].path(), &[&alice]).await;
    wait_for_payment(&bob.backend(), txid).await;
    assert_eq!(untaken(&alice.backend()).await, [], "bob asked for it");
    assert_eq!(untaken(&bob.backend()).await, [], "it is not his own");
    bob.stop().await.unwrap();
    alice.stop().await.unwrap();
}

/// Has the node mine a block for its wallet.
async fn mine(backend: &Arc<dyn Backend>) -> Result<(), MineError> {
    let order = MiningOrder { blocks: 1, script: None, tries: 1_000_000, transactions: None };
    backend.mine(order).await.unwrap().map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_made_let_go_of_and_loaded_while_the_node_runs() {
    let directory = tempfile::tempdir().unwrap();
    let node = builder(directory.path()).wallet(false).start().await.unwrap();
    let backend = node.backend();
    assert_eq!((backend.has_wallet().await, backend.load_wallet().await), (Ok(false), Ok(Err(WalletError::None))));
    assert_eq!(backend.with_wallet(|_| ()).await, Err(Unavailable::NoWallet));
    assert_eq!(mine(&backend).await, Err(MineError::NoWallet));
    assert_eq!(backend.create_wallet().await, Ok(Ok(())));
    assert_eq!(backend.create_wallet().await, Ok(Err(WalletError::Exists)));
    assert_eq!(backend.load_wallet().await, Ok(Err(WalletError::Loaded)));
    wait_for(&backend, |backend| async move { mine(&backend).await.is_ok() }).await;
    let (height, _) = tip(&backend).await;
    let rewards = |wallet: &mut yap_wallet::Wallet| (wallet.tip().0, wallet.balance().immature);
    let before = backend.with_wallet(rewards).await.unwrap();
    assert_eq!(before.0, height, "it follows the node");
    assert!(before.1 > bitcoin::Amount::ZERO);

    assert_eq!(backend.unload_wallet().await, Ok(Ok(())));
    assert_eq!(backend.unload_wallet().await, Ok(Err(WalletError::NotLoaded)));
    assert_eq!(backend.with_wallet(|_| ()).await, Err(Unavailable::NoWallet));
    assert_eq!((backend.has_wallet().await, backend.create_wallet().await), (Ok(true), Ok(Err(WalletError::Exists))));
    assert_eq!(backend.load_wallet().await, Ok(Ok(())));
    assert_eq!(backend.with_wallet(rewards).await, Ok(before));
    node.stop().await.unwrap();
    assert!(backend.load_wallet().await.is_err(), "a node that has stopped opens nothing");

    let node = builder(directory.path()).wallet(false).start().await.unwrap();
    assert_eq!(node.backend().load_wallet().await, Ok(Ok(())));
    assert_eq!(node.backend().with_wallet(rewards).await, Ok(before));
    // Also one that is dropped frees the directory.
    drop((node, backend));
}
