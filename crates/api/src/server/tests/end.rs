//! The server stops orderly, and at once where nothing holds it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;

use crate::event::Event;
use crate::fixture::{Node, answers, closes, gate, open, post, until};

/// A clean stop of the whole node takes a tenth of a second at most.
const PROMPT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn idle_connections_and_streams_do_not_hold_the_stop_up() {
    let node = Node::start().await;
    let cookie = node.home.path().join(".cookie");
    assert!(cookie.exists());
    let mut idle = open(node.address()).await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(answers(&mut idle, 1).await[0].status, 200);
    let mut half = open(node.address()).await;
    half.write_all(b"GET / HT").await.unwrap();
    let mut body = open(node.address()).await;
    let request = post("/", "", "{}");
    body.write_all(&request[..request.len() - 1]).await.unwrap();
    let mut stream = open(node.address()).await;
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    until("the stream", || node.backend.listeners() == 1).await;
    node.backend.tell(Event::Stopping);
    let begun = Instant::now();
    let Node { server, home: _home, .. } = node;
    server.stop().await;
    let took = begun.elapsed();
    assert!(took < PROMPT, "{took:?}");
    assert!(!cookie.exists());
    for connection in [&mut idle, &mut half, &mut body] {
        assert!(closes(connection).await);
    }
    let mut told = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut told).await.unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("event: stopping") && told.ends_with("0\r\n\r\n"), "{told}");
}

#[tokio::test]
async fn requests_that_are_being_answered_are_let_end() {
    let node = Node::start().await;
    let mut waiting = open(node.address()).await;
    waiting.write_all(&post("/", "", r#"{"id":1,"method":"wait"}"#)).await.unwrap();
    let gate = gate();
    until("the call", || gate.begun.load(Ordering::SeqCst) == 1).await;
    let address = node.address();
    let stop = tokio::spawn(node.server.stop());
    let refused = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("nothing new is taken");
    gate.open.notify_waiters();
    assert_eq!(answers(&mut waiting, 1).await[0].json()["result"], true);
    stop.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    let node = Node::start().await;
    let mut waiting = open(node.address()).await;
    waiting.write_all(&post("/", "", r#"{"id":1,"method":"wait"}"#)).await.unwrap();
    let gate = gate();
    until("the call", || gate.begun.load(Ordering::SeqCst) == 1).await;
    let begun = Instant::now();
    node.server.stop().await;
    assert!(begun.elapsed() < super::super::STOP + Duration::from_secs(1));
    assert!(answers(&mut waiting, 1).await.is_empty());
}

#[tokio::test]
async fn a_change_goes_on_when_the_caller_goes_and_a_look_does_not() {
    let node = Node::start().await;
    let gate = gate();
    let mut callers = Vec::new();
    for (method, headers) in [("wait", String::new()), ("waitowner", node.authorization())] {
        let mut caller = open(node.address()).await;
        let body = format!(r#"{{"id":1,"method":"{method}"}}"#);
        caller.write_all(&post("/", &headers, body)).await.unwrap();
        callers.push(caller);
    }
    until("both calls", || gate.begun.load(Ordering::SeqCst) == 2).await;
    drop(callers);
    node.server.guests.gone().await;
    gate.open.notify_waiters();
    until("the change", || gate.ended.load(Ordering::SeqCst) == 1).await;
    node.server.stop().await;
    assert_eq!(gate.ended.load(Ordering::SeqCst), 1, "the look was stopped");
}

#[tokio::test]
async fn a_server_that_is_dropped_stops() {
    let node = Node::start().await;
    let (address, cookie) = (node.address(), node.home.path().join(".cookie"));
    let mut idle = open(address).await;
    let Node { server, home: _home, .. } = node;
    drop(server);
    assert!(closes(&mut idle).await);
    assert!(!cookie.exists());
    let refused = async { while tokio::net::TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("the port is free");
}
