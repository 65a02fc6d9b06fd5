//! Networks on loopback, driven by hand: sessions come, carry messages, and end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, missing_docs, reason = "a test may panic")]

use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use yap_net::config::{Chain, Hosts};
use yap_net::error::DialError;
use yap_net::identity::{Keys, Name};
use yap_net::{Config, Event, Events, Given, Network, Notice};
use yap_protocol::address::Address;
use yap_protocol::link::{Direction, Link, PeerId, Purpose};
use yap_protocol::penalty::Reason;
use yap_protocol::{Input, Message, Output};

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

fn config(chain: u8) -> Config {
    let chain = Chain {
        name: format!("test-{chain}"),
        genesis: BlockHash::from_byte_array([chain; 32]),
        magic: [chain, 1, 2, 3],
    };
    let mut config = Config::new(Keys::generate(), chain);
    (config.listen.port, config.listen.hosts) = (0, Hosts::Loopback);
    (config.find.mdns, config.reach.upnp) = (false, false);
    config
}

struct Node {
    network: Network,
    events: Events,
}

impl Node {
    async fn start(config: Config) -> Self {
        let (network, events) = Network::start(config).await.expect("it starts");
        Self { network, events }
    }

    /// The first event that is wanted; others are passed over.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.next().await.expect("it runs");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    async fn connected(&mut self) -> (PeerId, Link) {
        self.until("a session", |event| match event {
            Event::Input(Input::Connected { peer, link }) => Some((peer, link)),
            _ => None,
        })
        .await
    }

    async fn disconnected(&mut self) -> PeerId {
        self.until("the end of a session", |event| match event {
            Event::Input(Input::Disconnected { peer }) => Some(peer),
            _ => None,
        })
        .await
    }

    async fn message(&mut self) -> Message {
        self.until("a message", |event| match event {
            Event::Input(Input::Message { message, .. }) => Some(message),
            _ => None,
        })
        .await
    }

    /// Why a dial of a peer that the user named failed.
    async fn failure(&mut self) -> DialError {
        self.until("a failed dial", |event| match event {
            Event::Notice(Notice::Dial { why, .. }) => Some(why),
            _ => None,
        })
        .await
    }

    /// Where it is reached by a carrier, such as `/ws`; by plain TCP for none.
    async fn address(&mut self, carrier: &str) -> Address {
        let waiting = async {
            loop {
                let status = self.network.status();
                let plain = |text: &str| !text.contains("quic") && !text.contains("ws");
                let fits = |text: &&String| {
                    text.starts_with("/ip4/127.")
                        && if carrier.is_empty() { plain(text) } else { text.contains(carrier) }
                };
                if let Some(text) = status.listening.iter().find(fits) {
                    let given: Given = text.parse().expect("a multiaddr");
                    return given.addresses(&[]).pop().expect("it can be dialled");
                }
                let _ = tokio::time::timeout(Duration::from_millis(20), self.events.next()).await;
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("it listens")
    }

    fn dial(&self, address: &Address, purpose: Purpose) {
        assert!(self.network.apply(Output::Dial { address: address.clone(), purpose }).is_none());
    }

    fn send(&self, peer: PeerId, message: Message) {
        assert!(self.network.apply(Output::Send { peer, message }).is_none());
    }
}

/// Two nodes with a session that alice opened; her name for bob, and his for her.
async fn pair(carrier: &str) -> (Node, PeerId, Node, PeerId) {
    let (mut alice, mut bob) = (Node::start(config(1)).await, Node::start(config(1)).await);
    let address = bob.address(carrier).await;
    alice.dial(&address, Purpose::Full);
    let ((theirs, link), (ours, back)) = tokio::join!(alice.connected(), bob.connected());
    assert_eq!((link.direction, link.purpose), (Direction::Outbound, Some(Purpose::Full)));
    assert_eq!(link.address, address, "the node knows it by what it dialled");
    assert_eq!(link.identity, Some(bob.network.identity()));
    assert_eq!((back.direction, back.identity), (Direction::Inbound, Some(alice.network.identity())));
    (alice, theirs, bob, ours)
}

async fn both_ways(carrier: &str) {
    let (mut alice, bobs, mut bob, alices) = pair(carrier).await;
    alice.send(bobs, Message::Ping(7));
    assert_eq!(bob.message().await, Message::Ping(7));
    bob.send(alices, Message::Pong(7));
    assert_eq!(alice.message().await, Message::Pong(7));
}

#[tokio::test]
async fn a_session_carries_messages_both_ways_over_tcp() {
    both_ways("").await;
}

#[tokio::test]
async fn a_session_carries_messages_both_ways_over_quic() {
    both_ways("quic").await;
}

#[tokio::test]
async fn a_session_carries_messages_both_ways_over_websocket() {
    both_ways("ws").await;
}

#[tokio::test]
async fn whoever_parts_is_still_heard_and_both_ends_learn_that_it_is_over() {
    let (mut alice, bobs, mut bob, alices) = pair("").await;
    for number in 0..100 {
        alice.send(bobs, Message::Ping(number));
    }
    assert!(alice.network.apply(Output::Disconnect { peer: bobs, why: Reason::Asked }).is_none());
    for number in 0..100 {
        assert_eq!(bob.message().await, Message::Ping(number));
    }
    assert_eq!(bob.disconnected().await, alices);
    assert_eq!(alice.disconnected().await, bobs);
}

#[tokio::test]
async fn a_peer_that_dies_is_gone() {
    let (alice, _, mut bob, alices) = pair("").await;
    drop(alice);
    assert_eq!(bob.disconnected().await, alices);
}

#[tokio::test]
async fn a_node_that_stops_tells_of_every_end_and_frees_its_port() {
    let (mut alice, bobs, mut bob, alices) = pair("").await;
    let port = alice.address("").await;
    alice.network.stop();
    assert_eq!(alice.disconnected().await, bobs);
    while alice.events.next().await.is_some() {}
    alice.events.finished().await;
    assert_eq!(bob.disconnected().await, alices);
    let text = port.endpoint.to_string();
    let number: u16 = text.split("/tcp/").nth(1).expect("a TCP address").parse().expect("a port");
    std::net::TcpListener::bind(("127.0.0.1", number)).expect("the port is free again");
}

#[tokio::test]
async fn the_wrong_peer_is_refused_and_named() {
    let (mut alice, mut bob) = (Node::start(config(1)).await, Node::start(config(1)).await);
    let wanted = Keys::generate().identity();
    let address = Address { identity: Some(wanted), ..bob.address("").await };
    alice.dial(&address, Purpose::Manual);
    let why = alice.failure().await;
    assert_eq!(why, DialError::WrongPeer { wanted, found: bob.network.identity() });
    let text = why.to_string();
    assert!(text.contains(&Name(wanted).to_string()) && text.contains("present address"), "{text}");
}

#[tokio::test]
async fn a_peer_of_another_chain_is_told_apart() {
    let (mut alice, mut bob) = (Node::start(config(1)).await, Node::start(config(2)).await);
    alice.dial(&bob.address("").await, Purpose::Manual);
    assert_eq!(alice.failure().await, DialError::WrongChain { chain: "test-1".into() });
}

#[tokio::test]
async fn a_node_does_not_connect_to_itself() {
    let mut alice = Node::start(config(1)).await;
    let address = alice.address("").await;
    alice.dial(&address, Purpose::Manual);
    assert_eq!(alice.failure().await, DialError::Ourselves);
}

#[tokio::test]
async fn a_port_where_nobody_listens_and_one_where_something_else_does_are_told_apart() {
    let mut alice = Node::start(config(1)).await;
    // Bound by us, so that nobody else can have it, and not listened on.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody: Given = closed.local_addr().unwrap().to_string().parse().unwrap();
    alice.dial(&nobody.addresses(&[])[0], Purpose::Manual);
    assert_eq!(alice.failure().await, DialError::Refused);

    let portal = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = portal.local_addr().unwrap();
    let _portal = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = portal.accept().await {
            let _ = stream.read(&mut [0; 512]).await;
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n").await;
        }
    });
    for form in [format!("127.0.0.1:{}", at.port()), format!("ws://127.0.0.1:{}", at.port())] {
        let given: Given = form.parse().unwrap();
        alice.dial(&given.addresses(&[])[0], Purpose::Manual);
        // Without HTTP, what the portal says may be lost with the connection.
        let why = alice.failure().await;
        let plain = !form.starts_with("ws") && why == DialError::Closed;
        assert!(plain || why == DialError::NotANode, "{form}: {why}");
    }
}

#[tokio::test]
async fn bitcoin_peers_come_in_by_the_same_port() {
    let (mut alice, mut bob) = (Node::start(config(1)).await, Node::start(config(1)).await);
    let text = bob.address("").await.endpoint.to_string();
    let port = text.split("/tcp/").nth(1).expect("a TCP address");
    let given: Given = format!("bitcoin://127.0.0.1:{port}").parse().unwrap();
    let address = given.addresses(&[]).pop().unwrap();
    alice.dial(&address, Purpose::Full);
    let (bobs, link) = alice.connected().await;
    assert_eq!((link.identity, link.address), (None, address));
    // The first bytes tell bob who that is.
    alice.send(bobs, Message::Ping(1));
    let (alices, _) = bob.connected().await;
    assert_eq!(bob.message().await, Message::Ping(1));
    bob.send(alices, Message::Pong(1));
    assert_eq!(alice.message().await, Message::Pong(1));
}
