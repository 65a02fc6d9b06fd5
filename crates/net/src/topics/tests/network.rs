//! Small networks over memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::select_all;
use libp2p::core::Transport;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::IdentTopic;
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, noise, yamux};
use tokio::time::timeout;

use super::super::gossip::{self, Gossip};
use super::super::{Behaviour, Event, MAX_MESSAGE, MAX_NAME, Message, Validator, Verdict};
use super::chain;
use crate::address;

fn swarm<B: NetworkBehaviour>(keys: &Keypair, behaviour: B) -> Swarm<B> {
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(keys).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(600));
    Swarm::new(transport, behaviour, keys.public().to_peer_id(), config)
}

struct Network {
    nodes: Vec<Swarm<Behaviour>>,
    addresses: Vec<Multiaddr>,
    /// What came, by node, in order.
    messages: Vec<Vec<Message>>,
    /// Who was reported as flooding, and by which node.
    flooding: Vec<(usize, PeerId)>,
}

impl Network {
    async fn new(count: usize) -> Self {
        let nodes = (0..count).map(|_| {
            let keys = Keypair::generate_ed25519();
            swarm(&keys, Behaviour::new(&keys, &chain()))
        });
        let (nodes, messages) = (nodes.collect(), vec![Vec::new(); count]);
        let mut network = Self { nodes, addresses: Vec::new(), messages, flooding: Vec::new() };
        for node in &mut network.nodes {
            node.listen_on("/memory/0".parse().unwrap()).unwrap();
            let address = loop {
                if let SwarmEvent::NewListenAddr { address, .. } = node.select_next_some().await {
                    break address;
                }
            };
            network.addresses.push(address);
        }
        network
    }

    fn subscribe_all(&mut self, topic: &str) {
        for node in &mut self.nodes {
            node.behaviour_mut().subscribe(topic, None).unwrap();
        }
    }

    fn dial(&mut self, from: usize, to: usize) {
        self.nodes[from].dial(self.addresses[to].clone()).unwrap();
    }

    fn publish(&mut self, from: usize, topic: &str, data: &[u8]) {
        self.nodes[from].behaviour_mut().publish(topic, data.into()).unwrap();
    }

    fn count(&self, node: usize, data: &[u8]) -> usize {
        self.messages[node].iter().filter(|message| message.data == data).count()
    }

    /// Runs all until something holds.
    async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let run = async {
            while !holds(self) {
                let (node, event) = {
                    let events = self.nodes.iter_mut().enumerate().map(|(at, node)| node.map(move |event| (at, event)));
                    select_all(events).next().await.expect("swarms don't end")
                };
                match event {
                    SwarmEvent::Behaviour(Event::Message(message)) => self.messages[node].push(message),
                    SwarmEvent::Behaviour(Event::Flooding(peer)) => self.flooding.push((node, peer)),
                    SwarmEvent::Behaviour(Event::Unheard(id)) => panic!("nobody heard {id}"),
                    _ => {}
                }
            }
        };
        timeout(Duration::from_secs(60), run).await.expect("it happens within the deadline");
    }

    /// Everybody but `publisher` gets `data` once. What would come again would come before the message that follows.
    async fn delivers_once(&mut self, publisher: usize, topic: &str, data: &[u8]) {
        let others: Vec<_> = (0..self.nodes.len()).filter(|node| *node != publisher).collect();
        self.until(|network| others.iter().all(|node| network.count(*node, data) > 0)).await;
        let mark = [data, b"?"].concat();
        self.publish(publisher, topic, &mark);
        self.until(|network| others.iter().all(|node| network.count(*node, &mark) > 0)).await;
        for node in others {
            assert_eq!(self.count(node, data), 1, "node {node}");
        }
        assert_eq!(self.count(publisher, data), 0, "whoever publishes knows");
    }
}

#[tokio::test]
async fn a_line_delivers_what_is_published_before_anybody_is_connected() {
    let mut network = Network::new(3).await;
    network.subscribe_all("chat");
    network.dial(0, 1);
    network.dial(1, 2);
    network.publish(0, "chat", b"hello");
    network.delivers_once(0, "chat", b"hello").await;

    let message = &network.messages[2][0];
    assert_eq!(&*message.topic, "chat");
    assert_eq!(Some(message.source), address::identity(network.nodes[0].local_peer_id()));
    network.publish(2, "chat", b"hello yourself");
    network.delivers_once(2, "chat", b"hello yourself").await;
}

#[tokio::test]
async fn a_ring_delivers_once() {
    let mut network = Network::new(4).await;
    network.subscribe_all("chat");
    for node in 0..4 {
        network.dial(node, (node + 1) % 4);
    }
    network.publish(1, "chat", b"round");
    network.delivers_once(1, "chat", b"round").await;
    for node in 0..4 {
        let text = format!("from {node}");
        network.publish(node, "chat", text.as_bytes());
        network.delivers_once(node, "chat", text.as_bytes()).await;
    }
    assert!(network.flooding.is_empty());
}

#[tokio::test]
async fn whoever_subscribes_a_moment_late_gets_it_from_a_neighbour() {
    let mut network = Network::new(3).await;
    for node in [0, 1] {
        network.nodes[node].behaviour_mut().subscribe("chat", None).unwrap();
    }
    network.dial(0, 1);
    network.dial(1, 2);
    network.publish(0, "chat", b"hello");
    network.until(|network| network.count(1, b"hello") == 1).await;
    network.nodes[2].behaviour_mut().subscribe("chat", None).unwrap();
    network.delivers_once(0, "chat", b"hello").await;
}

#[tokio::test]
async fn whoever_has_not_subscribed_reaches_all_who_have() {
    // 0 publishes and is the only link between 1 and 2, of which 2 comes after the message.
    let mut network = Network::new(3).await;
    for node in [1, 2] {
        network.nodes[node].behaviour_mut().subscribe("chat", None).unwrap();
    }
    network.dial(0, 1);
    network.publish(0, "chat", b"hello");
    network.until(|network| network.count(1, b"hello") == 1).await;
    network.dial(2, 0);
    network.delivers_once(0, "chat", b"hello").await;
    assert!(network.messages[0].is_empty());
}

#[tokio::test]
async fn the_largest_message_of_the_longest_name_arrives() {
    let mut network = Network::new(3).await;
    let topic = "a".repeat(MAX_NAME);
    network.subscribe_all(&topic);
    network.dial(0, 1);
    network.dial(1, 2);
    let largest = vec![7; MAX_MESSAGE];
    network.publish(0, &topic, &largest);
    network.until(|network| network.count(1, &largest) == 1 && network.count(2, &largest) == 1).await;
}

#[tokio::test]
async fn a_burst_of_the_largest_messages_arrives() {
    let mut network = Network::new(2).await;
    network.subscribe_all("chat");
    network.dial(0, 1);
    network.publish(0, "chat", b"first");
    network.until(|network| network.count(1, b"first") == 1).await;
    for number in 0..40 {
        network.publish(0, "chat", &vec![number; MAX_MESSAGE]);
    }
    network.until(|network| network.messages[1].len() == 41).await;
}

fn judging(verdict: fn(&[u8]) -> Verdict) -> (Validator, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let validator: Validator = Arc::new(move |data, _| {
        counter.fetch_add(1, Ordering::Relaxed);
        verdict(data)
    });
    (validator, calls)
}

#[tokio::test]
async fn what_a_validator_rejects_goes_no_further_and_costs_its_sender() {
    let mut network = Network::new(3).await;
    network.subscribe_all("chat");
    let (validator, _) = judging(|data| if data.starts_with(b"bad") { Verdict::Reject } else { Verdict::Accept });
    network.nodes[1].behaviour_mut().subscribe("chat", Some(validator)).unwrap();
    network.dial(0, 1);
    network.dial(1, 2);
    network.publish(0, "chat", b"good");
    network.until(|network| network.count(2, b"good") == 1).await;
    for number in 0..9 {
        assert!(network.flooding.is_empty());
        network.publish(0, "chat", format!("bad {number}").as_bytes());
    }
    network.until(|network| !network.flooding.is_empty()).await;
    assert_eq!(network.flooding, [(1, *network.nodes[0].local_peer_id())]);
    // 1 hears nothing of 0 any more, but 2 does of 1.
    network.publish(0, "chat", b"good again");
    network.publish(1, "chat", b"farewell");
    network.until(|network| network.count(2, b"farewell") == 1).await;
    assert_eq!(network.messages[2].len(), 2, "{:?}", network.messages[2]);
    assert_eq!(network.messages[1].len(), 1);
}

#[tokio::test]
async fn what_a_validator_ignores_goes_no_further_and_costs_nobody() {
    let mut network = Network::new(3).await;
    network.subscribe_all("chat");
    let (validator, calls) = judging(|data| if data.starts_with(b"dull") { Verdict::Ignore } else { Verdict::Accept });
    network.nodes[1].behaviour_mut().subscribe("chat", Some(validator)).unwrap();
    network.dial(0, 1);
    network.dial(1, 2);
    network.publish(0, "chat", b"good");
    network.until(|network| network.count(2, b"good") == 1).await;
    for number in 0..100 {
        network.publish(0, "chat", format!("dull {number}").as_bytes());
    }
    network.publish(0, "chat", b"good again");
    network.until(|network| network.count(2, b"good again") == 1).await;
    assert_eq!(calls.load(Ordering::Relaxed), 102);
    assert_eq!((network.messages[1].len(), network.messages[2].len()), (2, 2));
    assert!(network.flooding.is_empty());
}

#[tokio::test]
async fn whoever_unsubscribes_gets_no_more() {
    let mut network = Network::new(2).await;
    network.subscribe_all("chat");
    network.subscribe_all("news");
    network.dial(0, 1);
    network.publish(0, "chat", b"one");
    network.until(|network| network.count(1, b"one") == 1).await;
    network.nodes[1].behaviour_mut().unsubscribe("chat");
    network.publish(0, "chat", b"two");
    network.publish(0, "news", b"three");
    network.until(|network| network.count(1, b"three") == 1).await;
    assert_eq!(network.count(1, b"two"), 0);
}

#[tokio::test]
async fn a_peer_that_sends_what_is_too_long_is_reported() {
    let mut network = Network::new(1).await;
    network.subscribe_all("chat");
    let keys = Keypair::generate_ed25519();
    let mut mallory: Swarm<Gossip> = swarm(&keys, gossip::new(&keys, &chain()));
    mallory.dial(network.addresses[0].clone()).unwrap();
    let mut sent: u8 = 0;
    let crime = async {
        while network.flooding.is_empty() {
            tokio::select! {
                _ = mallory.select_next_some() => {}
                event = network.nodes[0].select_next_some() => match event {
                    SwarmEvent::Behaviour(Event::Flooding(peer)) => network.flooding.push((0, peer)),
                    SwarmEvent::Behaviour(other) => panic!("{other:?}"),
                    _ => {}
                }
            }
            // As soon as mallory knows of the subscription, all that it takes and one more.
            let mut send = |with| mallory.behaviour_mut().publish(IdentTopic::new("chat"), vec![with; MAX_MESSAGE + 1]);
            while sent < 10 && send(sent).is_ok() {
                sent += 1;
            }
        }
    };
    timeout(Duration::from_secs(60), crime).await.expect("it happens within the deadline");
    assert_eq!(network.flooding, [(0, *mallory.local_peer_id())]);
    assert!(network.messages[0].is_empty());
}
