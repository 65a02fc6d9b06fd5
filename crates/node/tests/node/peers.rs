//! Nodes that keep one ledger.

use std::sync::Arc;

use yap_api::event::Event;
use yap_node::yap_chain::bitcoin::consensus::serialize;
use yap_node::yap_chain::transaction::Transaction;
use yap_protocol::io::Judged;

use super::town::{chain, event, give, muhash, pay, start, tip, wait_for, wait_for_tip};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_takes_over_the_chain_of_its_peer() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let builder = chain(1);
    let alice = start(directories[0].path(), &[]).await;
    give(&alice, builder.blocks()).await;
    let bob = start(directories[1].path(), &[&alice]).await;
    wait_for_tip(&bob, builder.tip()).await;
    assert_eq!(muhash(&alice).await, muhash(&bob).await);
    bob.stop().await.unwrap();
    alice.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_reaches_whoever_is_connected_through_others_and_is_confirmed_everywhere() {
    let directories: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut builder = chain(2);
    builder.prepare(1);
    let alice = start(directories[0].path(), &[]).await;
    give(&alice, builder.blocks()).await;
    let bob = start(directories[1].path(), &[&alice]).await;
    let carol = start(directories[2].path(), &[&bob]).await;
    wait_for_tip(&carol, builder.tip()).await;

    let payment = pay(&mut builder);
    let txid = payment.compute_txid();
    let submitted = Arc::new(Transaction::parse(serialize(&payment)).unwrap());
    assert_eq!(carol.backend().submit(submitted).await, Ok(Judged::Accepted));
    wait_for(&alice.backend(), |backend| async move {
        backend.ask(move |view| view.pool().contains_txid(&txid)).await.unwrap()
    })
    .await;
    let mut events = carol.backend().events();
    let block = builder.mine(&[payment]);
    give(&alice, [&block]).await;
    let why = event(&mut events, |event| match event {
        Event::TransactionRemoved { txid: gone, why } if *gone == txid => Some(why.clone()),
        _ => None,
    })
    .await;
    assert_eq!(why, "confirmed");
    wait_for_tip(&carol, builder.tip()).await;
    for node in [carol, bob, alice] {
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let builder = chain(3);
    let node = start(directory.path(), &[]).await;
    give(&node, builder.blocks()).await;
    let identity = node.backend().ask(|view| view.standing().identity).await.unwrap();
    node.stop().await.unwrap();
    let node = start(directory.path(), &[]).await;
    assert_eq!(tip(&node.backend()).await, (builder.height(), builder.tip()));
    assert_eq!(node.backend().ask(|view| view.standing().identity).await.unwrap(), identity);
    node.stop().await.unwrap();
}
