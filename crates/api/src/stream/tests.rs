//! Readers of events get what they ask for, and never hold the node up.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::backend::RecordError;
use crate::fixture::{EVENTS, Node, open, until};
use crate::server::limits::Limits;

/// Opens a stream, and waits until the node has it.
async fn listen(node: &Node, query: &str, headers: &str) -> TcpStream {
    let before = node.backend.listeners();
    let mut stream = open(node.address()).await;
    let request = format!("GET /events{query} HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    until("the stream", || node.backend.listeners() > before).await;
    stream
}

/// Reads until the text ends so.
async fn read(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    let more = async {
        while !String::from_utf8_lossy(&bytes).ends_with(end) {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{}", String::from_utf8_lossy(&bytes));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), more).await.expect(end);
    String::from_utf8(bytes).unwrap()
}

fn notice(text: &str) -> Event {
    Event::Notice { text: text.into() }
}

fn payment() -> Event {
    let txid = "0101010101010101010101010101010101010101010101010101010101010101".parse().unwrap();
    Event::Payment { txid, amount: -5, height: None }
}

fn message(topic: &str) -> Event {
    Event::Message { topic: topic.into(), from: "a".into(), data: "hi".into(), hex: false }
}

#[test]
fn kinds_are_those_of_the_json() {
    let schema = serde_json::to_value(schemars::schema_for!(Event)).unwrap();
    let variants = schema["oneOf"].as_array().unwrap().iter();
    let tags: Vec<_> = variants.map(|variant| variant["properties"]["type"]["const"].as_str().unwrap()).collect();
    assert_eq!(tags, Event::KINDS);
    for event in [payment(), notice("x"), message("t"), Event::Stopping] {
        assert_eq!(serde_json::to_value(&event).unwrap()["type"], event.kind());
    }
}

#[tokio::test]
async fn events_are_told_as_they_happen() {
    let node = Node::start().await;
    let mut stream = listen(&node, "", "").await;
    node.backend.tell(notice("one\ntwo"));
    let text = read(&mut stream, "\"}}\n\n").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"));
    let data = r#"{"id":1,"time":1700000000000,"event":{"type":"notice","text":"one\ntwo"}}"#;
    assert_eq!(body, format!("retry: 1000\n\nid: 1\nevent: notice\ndata: {data}\n\n"));
}

#[tokio::test]
async fn readers_choose_by_type_and_topic() {
    let node = Node::start().await;
    let mut types = listen(&node, "?types=notice,stopping", "").await;
    let mut topic = listen(&node, "?topic=a%20b", "").await;
    for event in [message("other"), notice("x"), message("a b"), Event::Stopping] {
        node.backend.tell(event);
    }
    let text = read(&mut types, "\"}}\n\n").await;
    let text = if text.contains("stopping") { text } else { text + &read(&mut types, "\"}}\n\n").await };
    assert!(text.contains("id: 2\n") && text.contains("id: 4\n") && !text.contains("message"), "{text}");
    let text = read(&mut topic, "\n\n").await;
    let text = if text.contains("id: 3\n") { text } else { text + &read(&mut topic, "}}\n\n").await };
    assert!(text.contains("id: 3\n") && !text.contains("id: 1\n") && !text.contains("id: 2\n"), "{text}");
    let unknown = node.get("/events?types=nonsense").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.text().contains("block_connected, "));
}

#[tokio::test]
async fn an_owner_is_subscribed_to_a_topic_for_as_long_as_the_stream_is_open() {
    let node = Node::start().await;
    let both = [listen(&node, "?topic=a%20b", &node.authorization()).await, listen(&node, "?topic=c", "").await];
    until("a subscription", || node.backend.calls() == ["subscribe a b"]).await;
    drop(both);
    until("its end", || node.backend.calls() == ["unsubscribe a b"]).await;
    node.backend.scene().record = Err(RecordError::Refused("too many topics".into()));
    let request = |query: &str| {
        let head = format!("GET /events{query} HTTP/1.0\r\nhost: localhost\r\n{}\r\n", node.authorization());
        async { node.raw(head).await }
    };
    let refused = request("?topic=a").await;
    assert_eq!((refused.status, refused.text().trim_end()), (409, "too many topics"));
    assert_eq!(request(&format!("?topic={}", "a".repeat(128))).await.status, 409);
    node.backend.calls();
    assert_eq!(request(&format!("?topic={}", "a".repeat(129))).await.status, 400);
    assert_eq!(request("?topic=").await.status, 400);
    assert!(node.backend.calls().is_empty());
}

#[tokio::test]
async fn payments_are_told_to_the_owner_alone() {
    let node = Node::start().await;
    let mut owner = listen(&node, "", &node.authorization()).await;
    let mut anyone = listen(&node, "", "").await;
    node.backend.tell(payment());
    node.backend.tell(Event::Stopping);
    let read_all = async |stream: &mut TcpStream| {
        let mut text = String::new();
        while !text.contains("stopping\"}}\n\n") {
            text += &read(stream, "\n\n").await;
        }
        text
    };
    assert!(read_all(&mut owner).await.contains("event: payment\n"));
    assert!(!read_all(&mut anyone).await.contains("payment"));
    assert_eq!(node.get("/events?types=payment").await.status, 401);
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_it_lost() {
    let node = Node::start().await;
    let mut stream = listen(&node, "", "").await;
    // No await between them: the reader gets no turn.
    for _ in 0..EVENTS + 5 {
        node.backend.tell(notice("x"));
    }
    let mut text = String::new();
    while !text.contains(&format!("id: {}\n", EVENTS + 5)) {
        text += &read(&mut stream, "\n\n").await;
    }
    assert!(text.contains("event: lost\ndata: {\"lost\":5}\n\n"), "{text}");
    assert!(!text.contains("id: 5\n") && text.contains("id: 6\n"));
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_left_and_holds_nobody_up() {
    let short = Duration::from_millis(200);
    let node =
        Node::with(Limits { stream_stall: short, keep_alive: Duration::from_millis(20), ..Limits::default() }).await;
    let stream = listen(&node, "", "").await;
    let text = "x".repeat(1 << 20);
    let fill = async {
        while node.backend.listeners() > 0 {
            node.backend.tell(notice(&text));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), fill).await.expect("it is left");
    drop(stream);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open() {
    let stall = Duration::from_millis(400);
    let node =
        Node::with(Limits { keep_alive: Duration::from_millis(50), stream_stall: stall, ..Limits::default() }).await;
    let mut stream = listen(&node, "", "").await;
    let begun = std::time::Instant::now();
    while begun.elapsed() < stall * 2 {
        read(&mut stream, ":\n\n").await;
    }
    assert_eq!(node.backend.listeners(), 1);
}

#[tokio::test]
async fn streams_are_bounded() {
    let node = Node::with(Limits { streams: 2, ..Limits::default() }).await;
    let first = listen(&node, "", "").await;
    let _second = listen(&node, "", "").await;
    assert_eq!(node.get("/events").await.status, 429, "one past the bound");
    drop(first);
    until("the end of the first", || node.backend.listeners() == 1).await;
    let _third = listen(&node, "", "").await;
}

#[test]
fn events_come_back_from_their_json() {
    let events = [
        payment(),
        message("t"),
        Event::Syncing { behind: 7 },
        Event::PeerConnected { peer: 1 << 60, identity: None, address: "a".into(), path: "direct".into() },
    ];
    for event in events {
        let stamped = Stamped { id: u64::MAX, time: 1, event };
        let value: Value = serde_json::from_str(&serde_json::to_string(&stamped).unwrap()).unwrap();
        assert_eq!(value["id"], json!(u64::MAX));
        assert_eq!(serde_json::from_value::<Stamped>(value).unwrap(), stamped);
    }
}
