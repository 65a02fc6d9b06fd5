//! What users of the DHT live through.

use std::collections::BTreeSet;

use super::*;
use crate::records::Versioned;
use libp2p::kad::Record;
use libp2p::kad::store::RecordStore as _;

fn names(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("record {number}").into_bytes()).collect()
}

/// What one byte of a name becomes as a value.
fn value(name: &[u8]) -> Vec<u8> {
    [name, b" is worth this"].concat()
}

async fn put_all(nodes: &[Node], names: &[Vec<u8>]) {
    for (name, node) in names.iter().zip(nodes.iter().cycle()) {
        let stored = node.put(name, &value(name)).await.unwrap();
        assert_eq!(stored.copies, 4);
    }
}

async fn get_all(nodes: &[Node], names: &[Vec<u8>]) {
    for node in nodes {
        for name in names {
            assert_eq!(node.get(name).await, Ok(value(name)), "{}", String::from_utf8_lossy(name));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_puts_everyone_gets_also_after_the_putter_has_gone() {
    let network = Network::new(config());
    let mut nodes = network.nodes(6).await;
    assert_eq!(nodes[1].put(b"a", b"stone").await, Ok(Stored { copies: 4 }));
    for node in &nodes {
        assert_eq!(node.get(b"a").await, Ok(b"stone".to_vec()));
    }
    let is_due = nodes[1].call(|_, kad| {
        let (store, day) = (kad.store_mut(), Duration::from_secs(86_400));
        store.is_due(store.entry(&RecordKey::new(b"a")).unwrap(), day, Instant::now())
    });
    assert!(!is_due.await, "it was put a moment ago");
    network.kill(nodes.remove(1)).await;
    for node in &nodes {
        assert_eq!(node.get(b"a").await, Ok(b"stone".to_vec()));
    }
}

#[tokio::test]
async fn a_missing_key_is_soon_known_to_be_missing_though_peers_have_died() {
    let network = Network::new(config());
    let mut nodes = network.nodes(6).await;
    for _ in 0..2 {
        network.kill(nodes.remove(5 - (6 - nodes.len()))).await;
    }
    let start = Instant::now();
    assert_eq!(nodes[0].get(b"nothing").await, Err(RecordError::NotFound));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn the_longest_value_goes_around_and_a_longer_one_is_refused() {
    let network = Network::new(config());
    let nodes = network.nodes(5).await;
    let longest: Vec<u8> = (0..MAX_VALUE).map(|at| u8::try_from(at % 251).unwrap()).collect();
    assert_eq!(nodes[0].put(&[1; MAX_KEY], &longest).await, Ok(Stored { copies: 4 }));
    for node in &nodes {
        assert_eq!(node.get(&[1; MAX_KEY]).await, Ok(longest.clone()));
    }
    let longer = vec![0; MAX_VALUE + 1];
    assert_eq!(nodes[0].put(b"a", &longer).await, Err(RecordError::Value(MAX_VALUE + 1)));
    assert_eq!(nodes[0].put(&[1; MAX_KEY + 1], b"").await, Err(RecordError::Key(MAX_KEY + 1)));
    assert_eq!(nodes[0].get(b"").await, Err(RecordError::Key(0)));
}

#[tokio::test]
async fn the_last_put_wins_everywhere_whoever_puts_it() {
    let network = Network::new(config());
    let nodes = network.nodes(6).await;
    nodes[0].put(b"a", b"first").await.unwrap();
    assert_eq!(nodes[1].put(b"a", b"second").await, Ok(Stored { copies: 4 }));
    for node in &nodes {
        assert_eq!(node.get(b"a").await, Ok(b"second".to_vec()));
    }
    // The first is not its putter's any more, once that has heard of the second.
    let key = RecordKey::new(b"a");
    let is_ours = nodes[0].call(move |_, kad| kad.store_mut().entry(&key).map(|entry| entry.is_ours())).await;
    assert_ne!(is_ours, Some(true));
    assert_eq!(nodes[0].put(b"a", b"third").await, Ok(Stored { copies: 4 }));
    for node in &nodes {
        assert_eq!(node.get(b"a").await, Ok(b"third".to_vec()));
    }
}

#[tokio::test]
async fn a_put_wins_over_one_whose_clock_is_far_ahead() {
    let network = Network::new(config());
    let nodes = network.nodes(7).await;
    let ahead = nodes[0].call(|_, kad| kad.store_mut().millis(Instant::now())).await + 1_000_000_000;
    nodes[0]
        .call(move |_, kad| kad.store_mut().publish(&RecordKey::new(b"a"), b"ahead".to_vec(), ahead))
        .await
        .unwrap();
    // It is put anew, as it was never taken.
    network.settle(&nodes, &[b"a".to_vec()]).await;
    // One that has not heard of it.
    let mut ignorant = None;
    for node in &nodes {
        if node.held().await.is_empty() {
            ignorant = Some(node);
        }
    }
    assert_eq!(ignorant.unwrap().put(b"a", b"now").await, Ok(Stored { copies: 4 }));
    for node in &nodes {
        assert_eq!(node.get(b"a").await, Ok(b"now".to_vec()));
    }
}

#[tokio::test]
async fn one_that_is_alone_keeps_its_record_and_offers_it_to_whoever_comes() {
    let network = Network::new(config());
    let alone = network.nodes(1).await.remove(0);
    assert_eq!(alone.put(b"a", b"stone").await, Ok(Stored { copies: 0 }));
    assert_eq!(alone.get(b"a").await, Ok(b"stone".to_vec()));
    assert_eq!(alone.get(b"b").await, Err(RecordError::NotFound));
    assert_eq!(alone.ask(|reply| Request::Provide { key: b"p".to_vec(), reply }).await, Ok(()));

    let newcomer = network.start(crate::identity::Keys::generate(), None, Some(alone.known()));
    let nodes = [alone, newcomer];
    network.settle(&nodes, &[b"a".to_vec()]).await;
    network
        .until("the newcomer heard who provides", async || {
            nodes[1].call(|_, kad| !kad.store_mut().providers(&RecordKey::new(b"p")).is_empty()).await
        })
        .await;
}

#[tokio::test]
async fn a_record_that_nobody_puts_anew_is_gone_after_its_life() {
    let brief = config::Records { lifetime: Duration::from_secs(8), repair: Duration::from_secs(1), ..config() };
    let network = Network::new(brief);
    let nodes = network.nodes(4).await;
    nodes[0].put(b"a", b"stone").await.unwrap();
    assert_eq!(nodes[0].ask(|reply| Request::Withdraw { key: b"a".to_vec(), reply }).await, Ok(()));
    network
        .until("nobody has it", async || {
            for node in &nodes {
                if !node.held().await.is_empty() {
                    return false;
                }
            }
            true
        })
        .await;
    assert_eq!(nodes[1].get(b"a").await, Err(RecordError::NotFound));
}

#[tokio::test]
async fn providers_are_found_until_they_stop() {
    let network = Network::new(config());
    let nodes = network.nodes(6).await;
    let providers = async |node: &Node| node.ask(|reply| Request::Providers { key: b"p".to_vec(), reply }).await;
    assert_eq!(providers(&nodes[0]).await, Err(RecordError::NotFound));
    for node in &nodes[1..3] {
        assert_eq!(node.ask(|reply| Request::Provide { key: b"p".to_vec(), reply }).await, Ok(()));
    }
    let expected: BTreeSet<_> = nodes[1..3].iter().map(|node| node.peer).collect();
    for node in &nodes {
        network
            .until("both are found", async || {
                providers(node).await.is_ok_and(|found| found.into_iter().collect::<BTreeSet<_>>() == expected)
            })
            .await;
    }
    nodes[1]
        .call(|service, kad| service.request(kad, Request::StopProviding { key: b"p".to_vec() }, Instant::now()))
        .await;
    let ours = nodes[1].call(|_, kad| kad.store_mut().provided().count()).await;
    assert_eq!(ours, 0);
}

#[tokio::test]
async fn a_peer_is_found_by_its_name_alone() {
    let network = Network::new(config());
    let nodes = network.nodes(3).await;
    // It knows the first alone.
    let newcomer = network.start(crate::identity::Keys::generate(), None, Some(nodes[0].known()));
    let (identity, address) = nodes[2].known();
    network
        .until("the first is connected", async || {
            let first = nodes[0].peer;
            newcomer.call(move |_, kad| kad.is_connected(&first)).await
        })
        .await;
    let found = newcomer.ask(|reply| Request::FindPeer { identity, reply }).await;
    assert!(found.iter().any(|found| found.to_string().starts_with(&address.to_string())), "{found:?}");
    let nobody = PeerId::random();
    assert!(newcomer.ask(|reply| Request::FindPeer { identity: nobody, reply }).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_of_the_nodes_die_one_by_one_and_no_record_is_lost() {
    let network = Network::new(config());
    let mut nodes = network.nodes(12).await;
    let names = names(40);
    put_all(&nodes, &names).await;
    for _ in 0..4 {
        network.kill(nodes.remove(0)).await;
        network.settle(&nodes, &names).await;
    }
    get_all(&nodes, &names).await;
}

#[tokio::test]
async fn when_a_holder_dies_the_next_closest_gets_its_records() {
    let network = Network::new(without_rounds());
    let mut nodes = network.nodes(7).await;
    let names = names(20);
    put_all(&nodes, &names).await;
    network.kill(nodes.remove(3)).await;
    network.settle(&nodes, &names).await;
}

#[tokio::test]
async fn a_round_gives_a_record_to_the_closest_whatever_is_known() {
    let network = Network::new(config());
    let nodes = network.nodes(6).await;
    nodes[0]
        .call(|service, kad| {
            let key = RecordKey::new(b"a");
            let closest: Vec<u32> = service.closest(kad, &key).iter().map(short).collect();
            kad.store_mut().put(Record::new(key.clone(), Versioned { revision: 1, bytes: b"x" }.encode())).unwrap();
            kad.store_mut().know(&key, &closest, None);
        })
        .await;
    network.settle(&nodes, &[b"a".to_vec()]).await;
}

#[tokio::test]
async fn peers_that_say_nothing_hold_up_no_request_for_long() {
    let network = Network::new(without_rounds());
    let nodes = network.nodes(4).await;
    nodes[0].put(b"a", b"stone").await.unwrap();
    for node in &nodes {
        for _ in 0..3 {
            let address = tarpit();
            node.call(move |_, kad| kad.add_address(&PeerId::random(), address)).await;
        }
    }
    let start = Instant::now();
    assert_eq!(nodes[1].get(b"a").await, Ok(b"stone".to_vec()));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let (put, got) = tokio::join!(nodes[2].put(b"b", b"stone"), nodes[3].get(b"missing"));
    assert!(put.unwrap().copies > 0);
    got.unwrap_err();
    assert!(start.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_node_that_serves_nobody_puts_and_gets() {
    let network = Network::new(config());
    let nodes = network.nodes(4).await;
    let client = network.start(crate::identity::Keys::generate(), None, Some(nodes[0].known()));
    client.call(|_, kad| kad.set_mode(Some(kad::Mode::Client))).await;
    network
        .until("the client knows the first", async || {
            let first = nodes[0].peer;
            client.call(move |_, kad| kad.is_connected(&first)).await
        })
        .await;
    assert_ne!(client.put(b"a", b"stone").await, Ok(Stored { copies: 0 }));
    assert_eq!(nodes[3].get(b"a").await, Ok(b"stone".to_vec()));
    nodes[2].put(b"b", b"shell").await.unwrap();
    assert_eq!(client.get(b"b").await, Ok(b"shell".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_stop_and_start_in_another_order_and_no_record_is_lost() {
    let folders: Vec<_> = (0..8).map(|_| tempfile::tempdir().unwrap()).collect();
    let network = Network::new(config());
    let mut nodes: Vec<Node> = Vec::new();
    for folder in &folders {
        let known = nodes.first().map(Node::known);
        nodes.push(network.start(crate::identity::Keys::generate(), Some(folder.path().to_path_buf()), known));
    }
    network.meet(&nodes).await;
    let names = names(30);
    put_all(&nodes, &names).await;
    assert_eq!(nodes[3].ask(|reply| Request::Provide { key: b"p".to_vec(), reply }).await, Ok(()));
    let provider = nodes[3].peer;
    let mut before = Vec::new();
    let mut stopped = Vec::new();
    for node in nodes {
        before.push(node.held().await);
        stopped.push(network.kill(node).await);
    }

    let mut again: Vec<Node> = Vec::new();
    for (keys, folder) in stopped.into_iter().rev() {
        let known = again.first().map(Node::known);
        again.push(network.start(keys, folder, known));
    }
    for (node, before) in again.iter().rev().zip(&before) {
        assert!(node.held().await.is_superset(before));
    }
    network.meet(&again).await;
    get_all(&again, &names).await;
    let found = again[0].ask(|reply| Request::Providers { key: b"p".to_vec(), reply }).await;
    assert_eq!(found, Ok(vec![provider]));
}

#[tokio::test]
async fn a_newcomer_gets_the_records_that_it_is_closest_to() {
    let network = Network::new(without_rounds());
    let mut nodes = network.nodes(7).await;
    let names = names(30);
    // Its putter would offer them to whoever comes.
    for name in &names {
        nodes[0].put(name, &value(name)).await.unwrap();
    }
    network.kill(nodes.remove(0)).await;
    network.settle(&nodes, &names).await;
    nodes.push(network.start(crate::identity::Keys::generate(), None, Some(nodes[0].known())));
    network.settle(&nodes, &names).await;
    assert!(!nodes.last().unwrap().held().await.is_empty());
}

#[tokio::test]
async fn a_get_heals_a_holder_that_slept_through_a_put() {
    // No round does it before the get.
    let network = Network::new(without_rounds());
    let nodes = network.nodes(5).await;
    nodes[0].put(b"a", b"new").await.unwrap();
    let key = RecordKey::new(b"a");
    let order = closest(&nodes, b"a");
    let named = |peer: PeerId| nodes.iter().find(|node| node.peer == peer).unwrap();
    let sleeper = named(order[0]);
    // It has nothing but an old value, as if it had been away.
    let stale = Record::new(key.clone(), Versioned { revision: 1, bytes: b"old" }.encode());
    sleeper
        .call(move |_, kad| {
            let store = kad.store_mut();
            let _ = store.withdraw(&stale.key);
            store.remove(&stale.key);
            store.put(stale).unwrap();
        })
        .await;
    assert_eq!(named(order[4]).get(b"a").await, Ok(b"new".to_vec()));
    network
        .until("the sleeper has the new value", async || {
            let key = key.clone();
            let value = sleeper.call(move |_, kad| kad.store_mut().get(&key).map(|record| record.value.clone())).await;
            value.is_some_and(|value| Versioned::decode(&value).is_some_and(|value| value.bytes == b"new"))
        })
        .await;
}

#[tokio::test]
async fn a_holder_that_refuses_is_not_counted_as_a_copy() {
    let network = Network::new(config());
    let nodes = network.nodes(5).await;
    for node in &nodes[1..] {
        // Their share for everybody is used up by records of their own.
        node.call(|_, kad| {
            let store = kad.store_mut();
            let ahead = store.millis(Instant::now()) + (1 << 41);
            store.publish(&RecordKey::new(b"a"), b"mine".to_vec(), ahead).unwrap();
        })
        .await;
    }
    // As a node whose put began before it could hear of theirs.
    let record = Record::new(RecordKey::new(b"a"), Versioned { revision: 1, bytes: b"late" }.encode());
    let targets: Vec<_> = nodes[1..].iter().map(|node| node.peer).collect();
    let (reply, answer) = oneshot::channel();
    nodes[0].call(move |service, kad| service.give(kad, record, targets, task::Why::Put(reply), Instant::now())).await;
    assert_eq!(answer.await.unwrap(), Ok(Stored { copies: 0 }));
}

#[tokio::test]
async fn one_holder_that_refuses_does_not_hold_up_a_put() {
    let small = config::Records { room: 1 << 20, ..without_rounds() };
    let network = Network::new(small);
    let nodes = network.nodes(5).await;
    let putter = nodes[0].peer;
    nodes[1]
        .call(move |_, kad| {
            let store = kad.store_mut();
            store.expect_from(Some(&putter));
            for number in 0..128_u32 {
                let value = Versioned { revision: 1, bytes: b"" }.encode();
                store.put(Record::new(number.to_be_bytes().to_vec(), value)).unwrap();
            }
            store.expect_from(None);
        })
        .await;
    let start = Instant::now();
    assert_eq!(nodes[0].put(b"a", b"stone").await, Ok(Stored { copies: 3 }));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_connected_peer_stays_in_the_routing_table_though_a_dial_failed() {
    let network = Network::new(config());
    let nodes = network.nodes(2).await;
    let other = nodes[1].peer;
    let kept = nodes[0].call(move |service, kad| {
        service.unreachable(kad, &other, Instant::now());
        kad.addresses(&other).is_some()
    });
    assert!(kept.await);
}

#[tokio::test]
async fn a_flood_of_records_from_one_peer_stays_within_its_share() {
    let small = config::Records { room: 1 << 20, ..config() };
    let network = Network::new(small);
    let nodes = network.nodes(2).await;
    let victim = nodes[0].peer;
    let mut answers = Vec::new();
    for number in 0..300_u32 {
        let (reply, answer) = oneshot::channel();
        let record = Record::new(number.to_be_bytes().to_vec(), Versioned { revision: 1, bytes: &[0; 100] }.encode());
        nodes[1]
            .call(move |service, kad| service.give(kad, record, vec![victim], task::Why::Put(reply), Instant::now()))
            .await;
        answers.push(answer);
    }
    let mut taken = 0;
    for answer in answers {
        taken += answer.await.unwrap().unwrap().copies;
    }
    assert_eq!((taken, nodes[0].held().await.len()), (128, 128), "half of the 256 that have room");
}

#[tokio::test]
async fn more_requests_than_the_bound_are_refused_and_all_are_answered() {
    let network = Network::new(config());
    let nodes = network.nodes(3).await;
    let answers = nodes[0]
        .call(|service, kad| {
            let ask = |_| {
                let (reply, answer) = oneshot::channel();
                service.request(kad, Request::Get { key: b"nothing".to_vec(), reply }, Instant::now());
                answer
            };
            (0..=MAX_REQUESTS).map(ask).collect::<Vec<_>>()
        })
        .await;
    let mut busy = 0;
    for answer in answers {
        match answer.await.unwrap() {
            Err(RecordError::Busy) => busy += 1,
            other => assert_eq!(other, Err(RecordError::NotFound)),
        }
    }
    assert_eq!(busy, 1);
    assert_eq!(nodes[0].call(|service, _| service.waiting()).await, 0);
}

#[tokio::test]
async fn a_record_that_was_withdrawn_is_not_ours_and_still_there() {
    let network = Network::new(config());
    let nodes = network.nodes(3).await;
    nodes[0].put(b"a", b"stone").await.unwrap();
    let withdraw = async |node: &Node| node.ask(|reply| Request::Withdraw { key: b"a".to_vec(), reply }).await;
    assert_eq!(withdraw(&nodes[1]).await, Err(RecordError::NotFound));
    assert_eq!(withdraw(&nodes[0]).await, Ok(()));
    assert_eq!(withdraw(&nodes[0]).await, Err(RecordError::NotFound));
    assert_eq!(nodes[2].get(b"a").await, Ok(b"stone".to_vec()));
}
