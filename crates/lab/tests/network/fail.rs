//! What is wrong is said: what happened, why, and what to do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use yap_lab::peer::{Command, Options, Peer, chain};
use yap_lab::ports::unused;
use yap_net::identity::{Keys, Name};

use crate::running::{are_one_network, start};

/// The words with which a peer that can't start says so.
async fn refusal(change: impl FnOnce(&mut Options)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut options = Options::loopback(directory.path());
    change(&mut options);
    match Peer::start(&options).await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    assert!(!text.contains('\n'), "one line: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_named_and_another_one_suggested() {
    let alice = start(|_| {}).await;
    let port = alice.port().await;
    has(&refusal(|options| options.listen.port = port).await, &[&port.to_string(), "in use", "P2P_PORT"]);
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port();
    has(&refusal(|options| options.listen.port = port).await, &[&port.to_string(), "in use"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_peers_port_is_free_again() {
    let port = unused().unwrap();
    let alice = start(|options| options.listen.port = port).await;
    assert_eq!(alice.port().await, port);
    alice.peer.stop().await;
    let bob = start(|options| options.listen.port = port).await;
    assert_eq!(bob.port().await, port);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_used_is_not_replaced() {
    use std::os::unix::fs::PermissionsExt;

    let key = |options: &Options| options.data.join("key");
    let damaged = refusal(|options| {
        std::fs::write(key(options), "not a key").unwrap();
        std::fs::set_permissions(key(options), std::fs::Permissions::from_mode(0o600)).unwrap();
    })
    .await;
    has(&damaged, &["key"]);
    let open = refusal(|options| {
        drop(Keys::load_or_create(&key(options)).unwrap());
        std::fs::set_permissions(key(options), std::fs::Permissions::from_mode(0o644)).unwrap();
    })
    .await;
    has(&open, &["key", "chmod 600"]);
    let folder = refusal(|options| std::fs::create_dir(key(options)).unwrap()).await;
    has(&folder, &["key"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_address_that_is_none_is_refused() {
    let text = refusal(|options| options.listen.external = vec!["203.0.113.5:6001".into()]).await;
    has(&text, &["203.0.113.5:6001", "multiaddr", "/ip4/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_no_known_form_is_told() {
    let alice = start(|_| {}).await;
    for (address, word) in [
        ("/ip4/300.1.1.1/tcp/1", "300.1.1.1"),
        ("/ip4/127.0.0.1/tcp/99999", "99999"),
        ("http://127.0.0.1:6001", "ws://"),
        ("127.0.0.1:port", "port"),
        ("", "12D3KooW"),
    ] {
        let error = alice.peer.execute(Command::Dial { address: address.into() }).await.unwrap_err();
        has(&error.to_string(), &[word]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_instead_of_the_wanted_peer_is_named() {
    let (mut alice, bob) = (start(|_| {}).await, start(|_| {}).await);
    let wanted = Name(Keys::generate().identity()).to_string();
    alice.dial(&format!("{}/p2p/{wanted}", bob.address().await)).await;
    let text = alice.notice("answered there").await;
    has(&text, &[&bob.name(), &wanted, "present address"]);
    assert!(alice.status().await.peers.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_chain_is_told_of_and_left() {
    let (mut alice, bob) = (start(|_| {}).await, start(|options| options.spec = chain::easy("other")).await);
    alice.dial(&bob.address().await).await;
    has(&alice.notice("chain").await, &["lab", "same chain"]);
    assert!(alice.status().await.peers.is_empty() && bob.status().await.peers.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_node_is_told_of() {
    let mut alice = start(|_| {}).await;
    // A web server, as of a portal.
    let server = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = server.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            let mut request = [0; 4096];
            // Whoever asked may have gone.
            let _ = stream.read(&mut request).await;
            let page = "Log in first. ".repeat(20);
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n{page}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            while !matches!(stream.read(&mut request).await, Ok(0) | Err(_)) {}
        }
    });
    alice.dial(&format!("127.0.0.1:{port}")).await;
    has(&alice.notice("no node").await, &[&port.to_string(), "portal"]);
    answering.abort();
    // Nobody at all.
    let port = unused().unwrap();
    alice.dial(&format!("127.0.0.1:{port}")).await;
    has(&alice.notice(&port.to_string()).await, &["check the port"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_names_itself_says_so_and_works() {
    let (mut alice, bob) = (start(|_| {}).await, start(|_| {}).await);
    let own = alice.address().await;
    alice.dial(&own).await;
    alice.notice("this node itself").await;
    alice.dial(&bob.address().await).await;
    are_one_network(&[&alice, &bob]).await;
}
