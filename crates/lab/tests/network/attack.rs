//! Strangers that send garbage, half of something, too much, or nothing: others don't notice.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use yap_protocol::Message;
use yap_protocol::codec::{self, Framing};
use yap_protocol::message::{Inventory, NetworkId, Services, Version};

use crate::running::{Running, SOON, are_one_network, start, start_with};

/// Memory that a test's strangers may cost this process, with both peers in it.
const ROOM: u64 = 160 << 20;

async fn pair() -> (Running, Running, u16) {
    let alice = start(|_| {}).await;
    let port = alice.port().await;
    let bob = start_with(&[alice.address().await]).await;
    are_one_network(&[&alice, &bob]).await;
    (alice, bob, port)
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Waits until the peer has closed a connection, whatever it says before.
async fn is_cut_off(stream: &mut TcpStream, within: Duration) {
    let mut sink = vec![0; 1 << 16];
    let end = async { while !matches!(stream.read(&mut sink).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(within, end).await.expect("the connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_cut_off() {
    let (alice, bob, port) = pair().await;
    for first in
        ["\0\0\0\0", "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\0", "\x13/multistream/1.0.0\n"]
    {
        let mut stream = connect(port).await;
        // It may be cut off while it still talks.
        let _ = stream.write_all(first.as_bytes()).await;
        let _ = stream.write_all(&[0xa5; 100_000]).await;
        is_cut_off(&mut stream, SOON).await;
    }
    are_one_network(&[&alice, &bob]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_half_of_something_and_one_byte_a_second_are_cut_off() {
    let (alice, bob, port) = pair().await;
    let mut silent = connect(port).await;
    let mut half = connect(port).await;
    half.write_all(b"\x13/multistream/1.").await.unwrap();
    let mut shaking = connect(port).await;
    shaking.write_all(b"\x13/multistream/1.0.0\n\x07/noise\n\x01\x00").await.unwrap();
    let (mut reading, mut writing) = connect(port).await.into_split();
    let trickle = tokio::spawn(async move {
        for byte in b"\x13/multistream/1.0.0\n".iter().cycle() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    });
    are_one_network(&[&alice, &bob]).await;
    for stream in [&mut silent, &mut half, &mut shaking] {
        is_cut_off(stream, SOON).await;
    }
    let mut sink = [0; 1024];
    let end = async { while !matches!(reading.read(&mut sink).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(SOON, end).await.expect("whoever sends one byte a second is cut off");
    trickle.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connections_keep_nobody_out() {
    let (alice, bob, port) = pair().await;
    let before = alice.status().await.rss;
    let mut held = Vec::new();
    let begun = Instant::now();
    for round in 0..2000 {
        // What is refused at once is as good.
        if let Ok(Ok(mut stream)) =
            tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(("127.0.0.1", port))).await
        {
            if round % 2 == 0 {
                let _ = stream.write_all(b"\x13/multistream/1.0.0\n").await;
            }
            held.push(stream);
        }
        assert!(begun.elapsed() < SOON, "after {round} connections");
    }
    are_one_network(&[&alice, &bob]).await;
    let carol = start_with(&[alice.address().await]).await;
    are_one_network(&[&alice, &bob, &carol]).await;
    let grown = alice.status().await.rss.saturating_sub(before);
    assert!(grown < ROOM, "{grown} bytes for {} connections", held.len());
}

/// Says on Bitcoin's transport what a peer says first.
async fn greet(stream: &mut TcpStream, framing: Framing) {
    let version = Version {
        version: 70_016,
        services: Services::NETWORK.with(Services::WITNESS),
        timestamp: yap_net::Clock::start().wall(),
        receiver: (Services::default(), NetworkId::None, 0),
        nonce: 7,
        user_agent: "/stranger/".into(),
        start_height: 0,
        relay: true,
    };
    let mut out = codec::encode(&Message::Version(Box::new(version)), framing);
    out.extend(codec::encode(&Message::Verack, framing));
    stream.write_all(&out).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_much_and_reads_nothing_costs_little() {
    let (alice, bob, port) = pair().await;
    let tip = alice.mine(3, Some(3_900_000)).await;
    bob.reaches(&tip).await;
    let framing = Framing::Bitcoin(alice.options.spec.magic);
    let mut stream = connect(port).await;
    greet(&mut stream, framing).await;
    let before = alice.status().await.rss;
    let hash: bitcoin::BlockHash = tip.parse().unwrap();
    let wanted = vec![Inventory::WitnessBlock(hash); 100];
    let ask = codec::encode(&Message::GetData(wanted), framing);
    for _ in 0..10 {
        // It may be cut off before.
        if stream.write_all(&ask).await.is_err() {
            break;
        }
    }
    are_one_network(&[&alice, &bob]).await;
    let carol = start_with(&[alice.address().await]).await;
    are_one_network(&[&alice, &bob, &carol]).await;
    let grown = alice.status().await.rss.saturating_sub(before);
    assert!(grown < ROOM, "{grown} bytes for four gigabytes that were asked for");
}
