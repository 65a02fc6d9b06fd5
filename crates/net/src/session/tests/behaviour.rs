//! Two swarms in one process.

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::Transport;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, StreamProtocol, Swarm, noise, yamux};
use tokio::time::Instant;
use yap_protocol::link::Direction;

use super::*;
use crate::session::handler::STREAMS;

const OURS: StreamProtocol = StreamProtocol::new("/yap/00000000/1");
const THEIRS: StreamProtocol = StreamProtocol::new("/yap/ffffffff/1");

/// Time that nothing here takes.
const TOO_LONG: Duration = Duration::from_secs(60);

/// How long a connection may be without a stream.
const IDLE: Duration = Duration::from_millis(200);

fn swarm(protocol: StreamProtocol) -> Swarm<Behaviour> {
    let key = Keypair::generate_ed25519();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE);
    Swarm::new(transport, Behaviour::new(protocol), key.public().to_peer_id(), config)
}

/// Two connected swarms.
struct Pair {
    alice: Swarm<Behaviour>,
    bob: Swarm<Behaviour>,
    /// What alice calls the connection.
    connection: ConnectionId,
}

/// What happened to whom.
#[derive(Debug)]
enum Happened {
    Alice(SwarmEvent<Event>),
    Bob(SwarmEvent<Event>),
}

impl Pair {
    async fn new(theirs: StreamProtocol) -> Self {
        let (mut alice, mut bob) = (swarm(OURS), swarm(theirs));
        bob.listen_on("/memory/0".parse().unwrap()).unwrap();
        let address: Multiaddr = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = bob.select_next_some().await {
                break address;
            }
        };
        alice.dial(address).unwrap();
        let mut pair = Self { alice, bob, connection: ConnectionId::new_unchecked(0) };
        let (mut ours, mut theirs) = (None, false);
        while ours.is_none() || !theirs {
            match pair.next().await {
                Happened::Alice(SwarmEvent::ConnectionEstablished { connection_id, .. }) => ours = Some(connection_id),
                Happened::Bob(SwarmEvent::ConnectionEstablished { .. }) => theirs = true,
                _ => {}
            }
        }
        pair.connection = ours.unwrap();
        pair
    }

    async fn next(&mut self) -> Happened {
        let event = async {
            tokio::select! {
                event = self.alice.select_next_some() => Happened::Alice(event),
                event = self.bob.select_next_some() => Happened::Bob(event),
            }
        };
        timeout(TOO_LONG, event).await.expect("something happens")
    }

    fn open(&mut self) {
        let bob = *self.bob.local_peer_id();
        self.alice.behaviour_mut().open(bob, self.connection);
    }

    /// Opens a stream, and gives both of its ends.
    async fn opened(&mut self) -> (libp2p::Stream, libp2p::Stream) {
        self.open();
        let (mut ours, mut theirs) = (None, None);
        while ours.is_none() || theirs.is_none() {
            match self.next().await {
                Happened::Alice(SwarmEvent::Behaviour(Event::Opened { peer, connection, direction, stream })) => {
                    assert_eq!((peer, connection), (*self.bob.local_peer_id(), self.connection));
                    assert_eq!(direction, Direction::Outbound);
                    ours = Some(stream);
                }
                Happened::Bob(SwarmEvent::Behaviour(Event::Opened { peer, direction, stream, .. })) => {
                    assert_eq!((peer, direction), (*self.alice.local_peer_id(), Direction::Inbound));
                    theirs = Some(stream);
                }
                other => panic!("{other:?}"),
            }
        }
        (ours.unwrap(), theirs.unwrap())
    }

    /// Why alice's stream was not opened.
    async fn failed(&mut self) -> OpenError {
        loop {
            if let Happened::Alice(SwarmEvent::Behaviour(event)) = self.next().await {
                match event {
                    Event::Failed { peer, connection, why } => {
                        assert_eq!((peer, connection), (*self.bob.local_peer_id(), self.connection));
                        return why;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_runs_on_a_stream_that_was_opened() {
    let mut pair = Pair::new(OURS).await;
    let (ours, theirs) = pair.opened().await;
    let (mut alice, mut bob) = (Bench::new(Limits::default()), Bench::new(Limits::default()));
    let with_bob = start(PeerId(1), ours, Framing::Stream, &alice.limits, &alice.inbox).unwrap();
    let with_alice = start(PeerId(1), theirs, Framing::Stream, &bob.limits, &bob.inbox).unwrap();
    let driving = tokio::spawn(async move {
        let begun = Instant::now();
        loop {
            if let Happened::Alice(SwarmEvent::ConnectionClosed { .. }) = pair.next().await {
                return begun.elapsed();
            }
        }
    });
    let sent = block(2_000_000);
    let begun = Instant::now();
    let mut rounds = 0_u64;
    // The stream alone keeps the connection, for longer than one without.
    while begun.elapsed() < IDLE * 4 {
        with_bob.send(Message::Ping(rounds)).unwrap();
        with_alice.send(sent.clone()).unwrap();
        assert_eq!(bob.message().await.0, Message::Ping(rounds));
        assert_eq!(alice.message().await.0, sent);
        rounds += 1;
    }
    let lived = begun.elapsed();
    with_bob.send(Message::Verack).unwrap();
    with_bob.finish();
    assert_eq!(bob.message().await.0, Message::Verack);
    assert_eq!(bob.closed().await, Why::Theirs);
    assert_eq!(alice.closed().await, Why::Finished);
    // And with it, the connection goes.
    let closed = driving.await.unwrap();
    assert!(closed >= lived, "{closed:?}");
}

#[tokio::test]
async fn either_end_may_open() {
    let mut pair = Pair::new(OURS).await;
    let (mut ours, mut theirs) = pair.opened().await;
    let Pair { alice, bob, .. } = pair;
    // The other way round, on the same connection.
    let mut pair = Pair { connection: ConnectionId::new_unchecked(0), alice: bob, bob: alice };
    pair.connection = *pair.alice.behaviour().connections().first().unwrap();
    let (mut back, mut forth) = pair.opened().await;
    let driving = tokio::spawn(async move {
        while !matches!(pair.next().await, Happened::Alice(SwarmEvent::ConnectionClosed { .. })) {}
    });
    for (from, to) in [(&mut ours, &mut theirs), (&mut back, &mut forth)] {
        from.write_all(b"hello").await.unwrap();
        from.flush().await.unwrap();
        let mut heard = [0; 5];
        to.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }
    drop((ours, theirs, back, forth));
    driving.await.unwrap();
}

#[tokio::test]
async fn a_peer_of_another_chain_is_told_apart() {
    let mut pair = Pair::new(THEIRS).await;
    pair.open();
    pair.open();
    assert_eq!(pair.failed().await, OpenError::WrongChain);
    pair.open();
    assert_eq!(pair.failed().await, OpenError::WrongChain, "asked twice while under way, told once");
}

#[tokio::test]
async fn a_connection_that_closes_opens_nothing() {
    let mut pair = Pair::new(OURS).await;
    let connection = pair.connection;
    pair.open();
    assert!(pair.alice.close_connection(connection));
    assert_eq!(pair.failed().await, OpenError::Closed);
    pair.open();
    assert_eq!(pair.failed().await, OpenError::Closed, "there is no such connection");
}

#[tokio::test]
async fn a_peer_that_opens_ten_thousand_streams_is_told_of_once() {
    let mut pair = Pair::new(OURS).await;
    let (mut opened, mut accepted, mut flooded) = (0, Vec::new(), 0);
    pair.open();
    while opened < 10_000 {
        match pair.next().await {
            Happened::Alice(SwarmEvent::Behaviour(Event::Opened { .. })) => {
                opened += 1;
                pair.open();
            }
            Happened::Alice(SwarmEvent::Behaviour(Event::Failed { why, .. })) => {
                assert_eq!(why, OpenError::Closed, "the stream may be reset before its end is seen");
                opened += 1;
                pair.open();
            }
            Happened::Bob(SwarmEvent::Behaviour(Event::Opened { stream, connection, .. })) => {
                accepted.push((stream, connection));
            }
            Happened::Bob(SwarmEvent::Behaviour(Event::Flooded { peer, connection })) => {
                assert_eq!(peer, *pair.alice.local_peer_id());
                assert!(accepted.iter().all(|(_, of)| *of == connection));
                flooded += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((accepted.len(), flooded), (STREAMS, 1));
}
