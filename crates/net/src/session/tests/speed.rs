//! How fast messages go, next to the stream that carries them. Run it optimised, and alone:
//!
//! ```text
//! cargo test --release -p yap-net session::tests::speed -- --ignored --nocapture
//! ```

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Stream, StreamProtocol, Swarm, noise, tcp, yamux};
use std::time::Instant;
use yap_protocol::message::CFilter;

use super::*;

const MEGABYTE: usize = 1 << 20;

/// Megabytes of one run.
const AMOUNT: usize = 256;

fn swarm() -> Swarm<Behaviour> {
    let key = Keypair::generate_ed25519();
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(LONG);
    Swarm::new(transport, Behaviour::new(StreamProtocol::new("/yap/00000000/1")), key.public().to_peer_id(), config)
}

/// Both ends of a stream over TCP.
async fn streams() -> (Stream, Stream) {
    let (mut alice, mut bob) = (swarm(), swarm());
    bob.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    let bob_id = *bob.local_peer_id();
    let (mut ours, mut theirs): (Option<Stream>, Option<Stream>) = (None, None);
    while ours.is_none() || theirs.is_none() {
        tokio::select! {
            event = alice.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                    let _: ConnectionId = connection_id;
                    alice.behaviour_mut().open(bob_id, connection_id);
                }
                SwarmEvent::Behaviour(Event::Opened { stream, .. }) => ours = Some(stream),
                _ => {}
            },
            event = bob.select_next_some() => match event {
                SwarmEvent::NewListenAddr { address, .. } => alice.dial(address).unwrap(),
                SwarmEvent::Behaviour(Event::Opened { stream, .. }) => theirs = Some(stream),
                _ => {}
            },
        }
    }
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = alice.select_next_some() => {}
                _ = bob.select_next_some() => {}
            }
        }
    });
    (ours.unwrap(), theirs.unwrap())
}

/// Megabytes a second of bare streams.
async fn bare() -> f64 {
    let (mut ours, mut theirs) = streams().await;
    let begun = Instant::now();
    let writing = tokio::spawn(async move {
        let bytes = vec![7; MEGABYTE / 4];
        for _ in 0..AMOUNT * 4 {
            ours.write_all(&bytes).await.unwrap();
        }
        ours.close().await.unwrap();
    });
    let (mut buffer, mut total) = (vec![0; MEGABYTE / 16], 0);
    while total < AMOUNT * MEGABYTE {
        total += theirs.read(&mut buffer).await.unwrap();
    }
    writing.await.unwrap();
    AMOUNT as f64 / begun.elapsed().as_secs_f64()
}

/// Megabytes a second of sessions that carry this message, of about a megabyte.
async fn carried(message: Message) -> f64 {
    let (ours, theirs) = streams().await;
    let (mut alice, mut bob) = (Bench::new(Limits::default()), Bench::new(Limits::default()));
    let with_bob = start(PeerId(1), ours, Framing::Stream, &alice.limits, &alice.inbox).unwrap();
    let _with_alice = start(PeerId(1), theirs, Framing::Stream, &bob.limits, &bob.inbox).unwrap();
    let begun = Instant::now();
    let sending = tokio::spawn(async move {
        let mut waits = false;
        for _ in 0..AMOUNT {
            while with_bob.0.bytes() > alice.limits.send_high || waits {
                waits = matches!(alice.next().await.1, Received::Congested(true));
            }
            with_bob.send(message.clone()).unwrap();
        }
        with_bob.finish();
        assert_eq!(alice.closed().await, Why::Finished);
    });
    for _ in 0..AMOUNT {
        bob.message().await;
    }
    let speed = AMOUNT as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(bob.closed().await, Why::Theirs);
    sending.await.unwrap();
    speed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn messages_go_nearly_as_fast_as_bytes() {
    let filter = CFilter { kind: 0, block: bitcoin::BlockHash::all_zeros(), filter: vec![7; MEGABYTE - 100] };
    let (mut least, mut most) = (f64::MAX, 0_f64);
    for round in 0..5 {
        let (stream, filters, blocks) =
            (bare().await, carried(Message::CFilter(filter.clone())).await, carried(block(MEGABYTE)).await);
        println!("round {round}: bare stream {stream:.0} MiB/s, filters {filters:.0}, blocks {blocks:.0}");
        least = least.min(filters / stream);
        most = most.max(filters / stream);
    }
    println!("a filter's bytes go at {least:.2} to {most:.2} of the speed of the stream");
    assert!(most >= 0.7, "{most}");
}
