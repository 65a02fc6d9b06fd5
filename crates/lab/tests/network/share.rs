//! Peers find one another and share a ledger, records and topics.

use std::time::Duration;

use yap_lab::peer::{Command, Event, FOUNDATION, Options, chain};
use yap_lab::ports;

use crate::running::{Running, SOON, are_one_network, start, start_in, start_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_of_one_host_find_each_other_by_the_registry() {
    let registry = tempfile::tempdir().unwrap();
    let with = |options: &mut Options| options.find.registry = Some(registry.path().join("yap"));
    let (alice, bob) = tokio::join!(start(with), start(with));
    alice.knows(&bob.name()).await;
    bob.knows(&alice.name()).await;
    are_one_network(&[&alice, &bob]).await;
    // One that comes later finds those that are there.
    let carol = start(with).await;
    carol.until("a session", |status| !status.peers.is_empty()).await;
    are_one_network(&[&alice, &bob, &carol]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_of_different_chains_in_one_registry_do_not_meet() {
    let registry = tempfile::tempdir().unwrap();
    let with = |options: &mut Options| options.find.registry = Some(registry.path().join("yap"));
    let other = start(|options| {
        with(options);
        options.spec = chain::easy("other");
    })
    .await;
    let (alice, bob) = (start(with).await, start(with).await);
    are_one_network(&[&alice, &bob]).await;
    alice.until("one session", |status| status.peers.len() == 1).await;
    assert!(other.status().await.peers.is_empty());
}

/// A line of three: each names the one before it.
async fn line(order: &[usize]) -> Vec<Running> {
    let ports = [(); 3].map(|()| ports::unused().unwrap());
    let one = |index: usize| {
        start(move |options| {
            options.listen.port = ports[index];
            if index > 0 {
                options.peers = vec![format!("127.0.0.1:{}", ports[index - 1]).parse().unwrap()];
            }
        })
    };
    let mut peers: Vec<Option<Running>> = vec![None, None, None];
    if order.is_empty() {
        let (first, middle, last) = tokio::join!(one(0), one(1), one(2));
        return vec![first, middle, last];
    }
    for &index in order {
        peers[index] = Some(one(index).await);
    }
    peers.into_iter().map(Option::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_becomes_one_network_in_whatever_order_it_starts() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let peers = line(&order).await;
        are_one_network(&[&peers[0], &peers[1], &peers[2]]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_starts_at_once_becomes_one_network() {
    let peers = line(&[]).await;
    are_one_network(&[&peers[0], &peers[1], &peers[2]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_dials_at_one_time_one_session_stays() {
    let (alice, bob) = (start(|_| {}).await, start(|_| {}).await);
    let (a, b) = (alice.address().await, bob.address().await);
    tokio::join!(alice.dial(&b), bob.dial(&a));
    alice.knows(&bob.name()).await;
    bob.knows(&alice.name()).await;
    let tip = alice.mine(1, None).await;
    bob.reaches(&tip).await;
    for peer in [&alice, &bob] {
        peer.until("one session", |status| status.peers.len() == 1).await;
    }
    are_one_network(&[&alice, &bob]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_a_chain_of_large_blocks() {
    let alice = start(|_| {}).await;
    let tip = alice.mine(10, Some(2_000_000)).await;
    let bob = start_with(&[alice.address().await]).await;
    bob.reaches(&tip).await;
    let status = bob.until("a session in the status", |status| !status.peers.is_empty()).await;
    assert_eq!(status.height, FOUNDATION + 10);
    assert!(status.peers[0].received > 19_990_000, "{status:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_block_crosses_once_peers_are_connected() {
    let alice = start(|_| {}).await;
    let bob = start_with(&[alice.address().await]).await;
    alice.knows(&bob.name()).await;
    let tip = alice.mine(1, Some(3_990_000)).await;
    bob.reaches(&tip).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_peer_that_all_started_from_they_stay_one_network() {
    let first = start(|_| {}).await;
    let meeting = first.address().await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(start_with(std::slice::from_ref(&meeting)).await);
    }
    are_one_network(&[&first, &others[0], &others[1], &others[2]]).await;
    // Until they know one another: of an address that nobody tells, nobody can know.
    for other in &others {
        other.until("peers besides the first", |status| status.peers.len() >= 2).await;
    }
    first.peer.kill().await;
    are_one_network(&[&others[0], &others[1], &others[2]]).await;
    let newcomer = start_with(&[others[2].address().await]).await;
    are_one_network(&[&others[0], &others[1], &others[2], &newcomer]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_known_by_its_name_is_found_at_another_port() {
    let meeting = start(|_| {}).await;
    let place = meeting.address().await;
    let alice = start_with(std::slice::from_ref(&place)).await;
    let bob = start_with(std::slice::from_ref(&place)).await;
    alice.dial(&bob.name()).await;
    alice.knows(&bob.name()).await;
    let before = bob.port().await;
    let (name, options, directory) = (bob.name(), bob.options.clone(), bob.directory);
    bob.peer.stop().await;
    alice.until("it is gone", |status| !status.peers.iter().any(|peer| peer.identity.as_ref() == Some(&name))).await;
    let bob = start_in(directory, options).await;
    assert_eq!(bob.name(), name);
    assert_ne!(bob.port().await, before);
    alice.knows(&name).await;
    are_one_network(&[&alice, &bob, &meeting]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_peer_goes_on_where_it_was() {
    let alice = start(|_| {}).await;
    let bob = start_with(&[alice.address().await]).await;
    let tip = alice.mine(3, Some(10_000)).await;
    bob.reaches(&tip).await;
    let (name, mut options, directory) = (bob.name(), bob.options.clone(), bob.directory);
    bob.peer.stop().await;
    // Nobody tells it where alice is: its address book does.
    options.peers.clear();
    let bob = start_in(directory, options).await;
    assert_eq!((bob.name(), bob.status().await.tip), (name, tip));
    bob.knows(&alice.name()).await;
    are_one_network(&[&alice, &bob]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_ring_a_message_of_a_topic_comes_once() {
    let mut ring = vec![start(|_| {}).await];
    for _ in 1..4 {
        let before = ring[ring.len() - 1].address().await;
        ring.push(start_with(&[before]).await);
    }
    ring[0].dial(&ring[3].address().await).await;
    for (index, peer) in ring.iter().enumerate() {
        peer.knows(&ring[(index + 1) % 4].name()).await;
        peer.peer.network().subscribe("stones", None).await.unwrap();
    }
    let publish = Command::Publish { topic: "stones".into(), text: "one".into() };
    ring[0].peer.execute(publish).await.unwrap();
    let publish = Command::Publish { topic: "stones".into(), text: "two".into() };
    ring[0].peer.execute(publish).await.unwrap();
    let publisher = ring[0].name();
    for peer in &mut ring[1..] {
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let message = |event: &Event| match event {
                Event::Topic { topic, text, identity } => Some((topic.clone(), text.clone(), identity.clone())),
                _ => None,
            };
            heard.push(peer.watch.find(SOON, message).await.unwrap());
        }
        heard.sort();
        let wanted = |text: &str| ("stones".to_owned(), text.to_owned(), publisher.clone());
        assert_eq!(heard, [wanted("one"), wanted("two")], "each once, whatever way it came");
    }
    // The publisher knows what it published.
    let own = |event: &Event| matches!(event, Event::Topic { .. }).then_some(());
    ring[0].watch.find(Duration::from_secs(1), own).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_got_wherever_it_was_put() {
    let first = start(|_| {}).await;
    let place = first.address().await;
    let mut peers = vec![first];
    for _ in 1..5 {
        peers.push(start_with(std::slice::from_ref(&place)).await);
    }
    for peer in &peers {
        peer.until("a routing table", |status| status.routing >= 2).await;
    }
    for (index, peer) in peers.iter().enumerate() {
        let put = Command::Put { key: format!("stone {index}"), value: None, bytes: Some(50_000) };
        let put = peer.peer.execute(put).await.unwrap();
        let from = &peers[(index + 2) % 5];
        let got = from.peer.execute(Command::Get { key: format!("stone {index}") }).await.unwrap();
        assert_eq!((&got["sha256"], got["length"].as_u64()), (&put["sha256"], Some(50_000)));
    }
    let missing = peers[3].peer.execute(Command::Get { key: "no such stone".into() }).await.unwrap_err();
    assert!(missing.to_string().contains("no peer that was asked has that record"), "{missing}");
    let key = "shared".to_owned();
    peers[1].peer.execute(Command::Provide { key: key.clone() }).await.unwrap();
    let found = peers[4].peer.execute(Command::Providers { key }).await.unwrap();
    assert_eq!(found["providers"], serde_json::json!([peers[1].name()]));
}
