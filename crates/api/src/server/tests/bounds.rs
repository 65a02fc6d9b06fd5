//! Each bound holds, and nothing is refused that is within it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{Answer, Node, answers, closes, gate, open, post, until};
use crate::server::limits::{BODY_OPEN, CONNECTIONS, DEPTH, HEAD_BYTES, HEADERS, Limits, VALUES_OPEN};

/// A call of `echo` whose body has exactly so many bytes.
fn echo(bytes: usize) -> String {
    let frame = r#"{"id":1,"method":"echo","params":[""]}"#;
    format!(r#"{{"id":1,"method":"echo","params":["{}"]}}"#, "x".repeat(bytes.saturating_sub(frame.len())))
}

#[tokio::test]
async fn bodies_are_bounded_for_anyone_and_for_the_owner() {
    let node = Node::start().await;
    assert_eq!(node.post(echo(BODY_OPEN)).await.status, 200);
    assert_eq!(node.post(echo(BODY_OPEN + 1)).await.status, 413);
    assert_eq!(node.own(echo(BODY_OPEN + 1)).await.status, 200);
    let small = Node::with(Limits { body: 2000, body_open: 1000, ..Limits::default() }).await;
    assert_eq!(small.own(echo(2000)).await.status, 200);
    assert_eq!(small.own(echo(2001)).await.status, 413);
}

#[tokio::test]
async fn the_owner_may_send_a_block_of_the_largest_size() {
    let node = Node::start().await;
    let answer = node.own(echo(8_000_100)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > 8_000_000);
}

#[tokio::test]
async fn bodies_in_pieces_are_bounded_too() {
    let node = Node::with(Limits { body_open: 1000, ..Limits::default() }).await;
    let chunked = |text: &str| {
        let (first, second) = text.split_at(500);
        format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
             {:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        )
    };
    assert_eq!(node.raw(chunked(&echo(1000))).await.status, 200);
    assert_eq!(node.raw(chunked(&echo(1001))).await.status, 413);
}

#[tokio::test]
async fn bodies_have_a_common_room() {
    let node = Node::with(Limits { bodies_open: 4 << 10, ..Limits::default() }).await;
    let mut slow = open(node.address()).await;
    let request = post("/", "", echo(4 << 10));
    slow.write_all(&request[..request.len() - 1]).await.unwrap();
    let full = async { while node.post(echo(100)).await.status != 429 {} };
    tokio::time::timeout(Duration::from_secs(20), full).await.unwrap();
    assert_eq!(node.own(echo(100)).await.status, 200, "the owner has a room of their own");
    slow.write_all(&request[request.len() - 1..]).await.unwrap();
    assert_eq!(answers(&mut slow, 1).await[0].status, 200);
    assert_eq!(node.post(echo(100)).await.status, 200);
}

#[tokio::test]
async fn heads_are_bounded() {
    let node = Node::start().await;
    let frame = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: \r\n\r\n";
    let long = |bytes: usize| frame.replace("x: ", &format!("x: {}", "x".repeat(bytes - frame.len())));
    assert_eq!(node.raw(long(HEAD_BYTES)).await.status, 200);
    assert_eq!(node.raw(long(HEAD_BYTES + 1)).await.status, 431);
    let many = |count: usize| {
        let more: String = (1..count).map(|at| format!("x{at}: 1\r\n")).collect();
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{more}\r\n")
    };
    assert_eq!(node.raw(many(HEADERS)).await.status, 200);
    assert_eq!(node.raw(many(HEADERS + 1)).await.status, 431);
}

#[tokio::test]
async fn depth_and_number_of_values_are_bounded() {
    let node = Node::start().await;
    let nested = |levels: usize| {
        format!(r#"{{"id":1,"method":"echo","params":[{}{}]}}"#, "[".repeat(levels - 2), "]".repeat(levels - 2))
    };
    assert_eq!(node.post(nested(DEPTH)).await.status, 200);
    let refused = node.post(nested(DEPTH + 1)).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_i64()), (400, Some(-32700)));
    assert_eq!(node.post(nested(100_000)).await.status, 400);
    // Eight for the frame: two containers, three colons, two commas, and one.
    let listed =
        |values: usize| format!(r#"{{"id":1,"method":"echo","params":[{}]}}"#, vec!["0"; values - 7].join(","));
    let refusal = |answer: Answer| answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        refusal(node.post(listed(VALUES_OPEN + 1)).await),
        format!("Parse error: more than {VALUES_OPEN} values")
    );
    assert!(!refusal(node.post(listed(VALUES_OPEN)).await).contains("Parse error"));
    assert!(!refusal(node.own(listed(VALUES_OPEN + 1)).await).contains("Parse error"));
}

#[tokio::test]
async fn connections_are_bounded() {
    let node = Node::with(Limits { connections: 3, ..Limits::default() }).await;
    let mut inside = Vec::new();
    for _ in 0..3 {
        let mut stream = open(node.address()).await;
        stream.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        inside.push(stream);
    }
    let mut outside = open(node.address()).await;
    assert!(closes(&mut outside).await, "one past the bound");
    drop(inside);
    let again = async {
        loop {
            let mut stream = open(node.address()).await;
            // It may be cut off while it writes.
            let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            if !answers(&mut stream, 1).await.is_empty() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("places are free again");
    assert_eq!(Limits::default().connections, CONNECTIONS);
}

#[tokio::test]
async fn who_only_waits_makes_room() {
    let node = Node::with(Limits { connections: 3, ..Limits::default() }).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(answers(stream, 1).await[0].status, 200);
    };
    let mut silent = open(node.address()).await;
    let (mut second, mut third) = (open(node.address()).await, open(node.address()).await);
    ask(&mut second).await;
    ask(&mut third).await;
    let mut fourth = open(node.address()).await;
    ask(&mut fourth).await;
    assert!(closes(&mut silent).await, "it has waited longest");
    ask(&mut third).await;
    ask(&mut second).await;
}

#[tokio::test]
async fn requests_at_a_time_are_bounded_and_the_owner_is_not_held_up() {
    let node = Node::with(Limits { requests_open: 2, turn: Duration::from_millis(50), ..Limits::default() }).await;
    let wait = r#"{"id":1,"method":"wait"}"#;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut stream = open(node.address()).await;
        stream.write_all(&post("/", "", wait)).await.unwrap();
        waiting.push(stream);
    }
    let gate = gate();
    until("both calls", || gate.begun.load(Ordering::SeqCst) == 2).await;
    let busy = node.post(echo(100)).await;
    assert_eq!(busy.status, 429, "one past the bound");
    assert!(busy.head.contains("retry-after: 1"));
    assert_eq!(node.own(echo(100)).await.status, 200);
    gate.open.notify_waiters();
    for stream in &mut waiting {
        assert_eq!(answers(stream, 1).await[0].json()["result"], true);
    }
    assert_eq!(node.post(echo(100)).await.status, 200);
}

#[tokio::test]
async fn slow_heads_bodies_readers_and_idlers_are_left() {
    let short = Duration::from_millis(100);
    let limits =
        Limits { head_time: short, idle_time: short, transfer_time: short, rate: 1 << 30, ..Limits::default() };
    let node = Node::with(limits).await;
    let mut idle = open(node.address()).await;
    let mut head = open(node.address()).await;
    head.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut body = open(node.address()).await;
    let request = post("/", "", echo(1000));
    body.write_all(&request[..request.len() - 1]).await.unwrap();
    for stream in [&mut idle, &mut head, &mut body] {
        assert!(closes(stream).await);
    }
    let mut reader = open(node.address()).await;
    reader.write_all(&post("/", "", r#"{"id":1,"method":"long","params":[50000000]}"#)).await.unwrap();
    let guests = async { node.server.guests.gone().await };
    tokio::time::timeout(Duration::from_secs(20), guests).await.expect("a reader that takes nothing is left");
}

#[tokio::test]
async fn drops_of_a_head_do_not_put_its_end_off() {
    let node = Node::with(Limits { head_time: Duration::from_millis(300), ..Limits::default() }).await;
    let mut slow = open(node.address()).await;
    let begun = std::time::Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    slow.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    while slow.write_all(b"x").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it goes on for ever");
        tick.tick().await;
    }
}

#[tokio::test]
async fn who_keeps_the_rate_is_not_left() {
    let limits = Limits { transfer_time: Duration::from_millis(1), rate: 1, ..Limits::default() };
    let node = Node::with(limits).await;
    // A second for each byte.
    assert_eq!(node.post(echo(100)).await.status, 200);
}
