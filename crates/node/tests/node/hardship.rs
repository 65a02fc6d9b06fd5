//! Nodes in hardship: busy, lied to, with mistakes in what asks them, dropped without a word.

use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use yap_api::backend::{ReadError, Unavailable};
use yap_api::event::Event;
use yap_node::chainstate::{Options, Trust};
use yap_node::node::StartError;
use yap_node::yap_chain::bitcoin::Block;
use yap_sim::mutation::Mutation;

use super::town::{DEADLINE, address, builder, chain, event, give, start, tip, wait_for, wait_for_tip};

/// Requests that may wait, as the node's documentation says.
const REQUESTS: usize = 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_can_take_no_more_requests_says_so_and_answers_those_it_took() {
    let directory = tempfile::tempdir().unwrap();
    let node = builder(directory.path()).wallet(false).start().await.unwrap();
    let backend = node.backend();
    let (begun, begins) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let held = backend.look(Box::new(move |_| {
        begun.send(()).unwrap();
        gone.recv_timeout(DEADLINE).unwrap();
    }));
    assert_eq!(held, Ok(()));
    begins.recv_timeout(DEADLINE).unwrap();
    let (answer, answers) = mpsc::channel();
    let ask = || {
        let answer = answer.clone();
        backend.look(Box::new(move |_| answer.send(()).unwrap()))
    };
    for number in 0..REQUESTS {
        assert_eq!(ask(), Ok(()), "request {number}");
    }
    assert_eq!(ask(), Err(Unavailable::Busy), "one past the bound");
    // To stop is more than a request: it waits for room.
    backend.stop();
    go.send(()).unwrap();
    for _ in 0..REQUESTS {
        answers.recv_timeout(DEADLINE).unwrap();
    }
    node.stop().await.unwrap();
    assert_eq!(ask(), Err(Unavailable::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_what_asks_a_node_does_not_cost_the_node() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]).await;
    let backend = node.backend();
    let mut events = backend.events();
    let asked = backend.ask(|_| -> u32 { panic!("as the test wants") }).await;
    assert_eq!(asked, Err(Unavailable::Stopped), "there is no answer");
    let told = event(&mut events, |event| match event {
        Event::Notice { text } => Some(text.clone()),
        _ => None,
    });
    assert!(told.await.contains("mistake in this program"));
    assert_eq!(tip(&backend).await.0, 0, "it goes on");
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_node_ends_though_somebody_could_still_ask_it() {
    let directory = tempfile::tempdir().unwrap();
    let node = start(directory.path(), &[]).await;
    let backend = node.backend();
    drop(node);
    let deadline = Instant::now() + DEADLINE;
    while backend.ask(|_| ()).await != Err(Unavailable::Stopped) {
        assert!(Instant::now() < deadline, "it goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_can_not_start_leaves_its_directory_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let started = builder(directory.path()).http_at(vec![address]).start().await;
    let Err(error @ StartError::Http(_)) = started else { panic!("{started:?}") };
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let node = start(directory.path(), &[]).await;
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_a_block_with_a_bad_script_is_left() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut honest = chain(21);
    honest.prepare(2);
    let mut wrong = honest.fork_at(honest.height());
    let scripts = Mutation::all().into_iter().filter(|mutation| matches!(mutation, Mutation::Script(_)));
    let bad: Block = scripts.into_iter().find_map(|mutation| mutation.apply(&mut wrong)?.block).unwrap();
    let hash = bad.block_hash();
    wrong.adopt(bad);
    wrong.mine_empty(2);

    // The liar takes the block without a look at its scripts.
    let trusting = Options { trust: Trust::Block(wrong.tip()), ..Options::default() };
    let liar = builder(directories[1].path()).ledger(trusting).start().await.unwrap();
    // What is trusted must be known to be so before its scripts would be looked at.
    for block in wrong.blocks() {
        let header = block.header;
        liar.backend().ask(move |view| view.accept_header(&header)).await.unwrap().unwrap();
    }
    give(&liar, wrong.blocks()).await;
    wait_for_tip(&liar, wrong.tip()).await;
    let alice = start(directories[0].path(), &[]).await;
    give(&alice, honest.blocks()).await;
    let mut events = alice.backend().events();
    alice.backend().add_peer(&address(&liar).await, false).await.unwrap().unwrap();

    let (mut refused, mut fault) = (None, None);
    let gone = event(&mut events, |event| {
        match event {
            Event::BlockRefused { hash, reason } => refused = Some((*hash, reason.clone())),
            Event::PeerFault { fault: told, .. } => fault = Some(told.clone()),
            _ => {}
        }
        matches!(event, Event::PeerGone { .. }).then_some(())
    });
    gone.await;
    assert_eq!(refused, Some((hash, "block-script-verify-flag-failed".to_owned())));
    assert!(fault.is_some(), "and is told why");
    assert_eq!(tip(&alice.backend()).await.1, honest.tip());
    liar.stop().await.unwrap();
    alice.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_holds_to_be_invalid_is_left_by_the_node_and_taken_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut builder = chain(22);
    builder.mine_empty(3);
    let node = start(directory.path(), &[]).await;
    give(&node, builder.blocks()).await;
    let backend = node.backend();
    let below = builder.block(builder.height() - 3).unwrap().block_hash();
    let hash = builder.block(builder.height() - 2).unwrap().block_hash();
    backend.ask(move |view| view.invalidate(view.tree().get(&hash).unwrap())).await.unwrap().unwrap();
    wait_for_tip(&node, below).await;
    // It is kept across a restart.
    node.stop().await.unwrap();
    let node = start(directory.path(), &[]).await;
    assert_eq!(tip(&node.backend()).await.1, below);
    let last = builder.tip();
    node.backend().ask(move |view| view.reconsider(view.tree().get(&last).unwrap())).await.unwrap().unwrap();
    wait_for_tip(&node, last).await;
    node.stop().await.unwrap();
    let node = start(directory.path(), &[]).await;
    assert_eq!(tip(&node.backend()).await.1, last);
    node.stop().await.unwrap();
}

/// CPU time of this process so far, in hundredths of a second.
#[cfg(target_os = "linux")]
fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_nothing_to_do_do_nothing() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let builder = chain(23);
    let alice = start(directories[0].path(), &[]).await;
    give(&alice, builder.blocks()).await;
    let bob = start(directories[1].path(), &[&alice]).await;
    wait_for_tip(&bob, builder.tip()).await;
    wait_for(&bob.backend(), |backend| async move { backend.ask(|view| !view.peers().is_empty()).await.unwrap() })
        .await;
    // What has begun comes to its end.
    let _ = timeout(Duration::from_secs(2), std::future::pending::<()>()).await;
    let before = cpu();
    let _ = timeout(Duration::from_secs(5), std::future::pending::<()>()).await;
    let spent = cpu() - before;
    // One core would have 500. A loop that never sleeps takes it all, one that wakes each millisecond still dozens.
    assert!(spent < 50, "{spent} hundredths of a second in five seconds");
    bob.stop().await.unwrap();
    alice.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_disk_fails_ends_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let builder = chain(24);
    let mut node = start(directory.path(), &[]).await;
    give(&node, builder.blocks()).await;
    let backend = node.backend();
    for file in std::fs::read_dir(directory.path().join("blocks")).unwrap() {
        std::fs::OpenOptions::new().write(true).open(file.unwrap().path()).unwrap().set_len(100).unwrap();
    }
    let hash = builder.block(3).unwrap().block_hash();
    let told = backend.ask(move |view| view.invalidate(view.tree().get(&hash).unwrap())).await.unwrap();
    let Err(ReadError::Damaged(told)) = told else { panic!("{told:?}") };
    // Nobody asked it to stop.
    let ended = timeout(DEADLINE, node.finished()).await.unwrap().unwrap_err();
    assert_eq!(ended.to_string(), told, "what it ends of is what was met first");
    assert_eq!(backend.ask(|_| ()).await, Err(Unavailable::Stopped));
    assert_eq!(node.stop().await.unwrap_err().to_string(), told);
}
