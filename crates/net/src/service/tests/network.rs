//! Nodes, each in a task of its own, which does what the engine does: feeds the service, and vets addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::swarm::{DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, Transport as _, kad, noise, yamux};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::super::*;
use crate::config::{self, Chain};
use crate::identity::Keys;
use crate::records::Store;

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(90);

static PORT: AtomicU64 = AtomicU64::new(1);

/// Short times, and four copies.
pub(super) fn config() -> config::Records {
    config::Records { replication: 4.try_into().unwrap(), repair: Duration::from_secs(4), ..config::Records::default() }
}

/// The same without rounds: what happens does so because a peer came or went.
pub(super) fn without_rounds() -> config::Records {
    config::Records { repair: Duration::from_secs(1_000_000), ..config() }
}

/// A DHT that nobody polls, which knows this many peers.
pub(super) fn unpolled(peers: usize) -> (Service, Kad) {
    let local = PeerId::random();
    let store = Store::open(local, None, &config()).unwrap();
    let mut kad = behaviour(local, &chain(), &config(), store);
    kad.set_mode(Some(kad::Mode::Server));
    for number in 0..peers {
        kad.add_address(&PeerId::random(), format!("/memory/{}", number + 1).parse().unwrap());
    }
    (Service::new(local, &config(), Instant::now()), kad)
}

fn chain() -> Chain {
    Chain { name: "test".into(), genesis: "0f".repeat(32).parse().unwrap(), magic: [0; 4] }
}

/// An address at which someone accepts and never says a word.
pub(super) fn tarpit() -> Multiaddr {
    let address: Multiaddr = format!("/memory/{}", PORT.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
    let mut transport = MemoryTransport::default().boxed();
    transport.listen_on(libp2p::core::transport::ListenerId::next(), address.clone()).unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some(event) = transport.next().await {
            if let Some((upgrade, _)) = event.into_incoming() {
                held.push(upgrade.await);
            }
        }
    });
    address
}

pub(super) type Call = Box<dyn FnOnce(&mut Service, &mut Kad) + Send>;

/// A running node.
pub(super) struct Node {
    pub(super) peer: PeerId,
    keys: Keys,
    directory: Option<PathBuf>,
    address: Multiaddr,
    calls: mpsc::Sender<Call>,
    task: JoinHandle<()>,
}

/// Nodes that can reach one another.
pub(super) struct Network {
    config: config::Records,
    /// Where each node listens: what identify would tell.
    directory: Arc<Mutex<BTreeMap<PeerId, Multiaddr>>>,
    /// Changes whenever anything has happened.
    pulse: watch::Sender<()>,
}

impl Network {
    pub(super) fn new(config: config::Records) -> Self {
        Self { config, directory: Arc::default(), pulse: watch::Sender::new(()) }
    }

    /// Nodes in memory; each knows the first.
    pub(super) async fn nodes(&self, count: usize) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..count {
            let known = nodes.first().map(|first| (first.peer, first.address.clone()));
            nodes.push(self.start(Keys::generate(), None, known));
        }
        self.meet(&nodes).await;
        nodes
    }

    /// Waits until each node has all of the others in its routing table.
    pub(super) async fn meet(&self, nodes: &[Node]) {
        self.until("all nodes know one another", async || {
            for node in nodes {
                let known = node.call(|_, kad| kad.kbuckets().map(|bucket| bucket.num_entries()).sum::<usize>()).await;
                if known < nodes.len() - 1 {
                    return false;
                }
            }
            true
        })
        .await;
    }

    pub(super) fn start(&self, keys: Keys, directory: Option<PathBuf>, known: Option<(PeerId, Multiaddr)>) -> Node {
        let pair = keys.pair();
        let peer = pair.public().to_peer_id();
        let transport = MemoryTransport::default()
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(&pair).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let store = Store::open(peer, directory.as_deref(), &self.config).unwrap();
        let mut kad = behaviour(peer, &chain(), &self.config, store);
        kad.set_mode(Some(kad::Mode::Server));
        let settings = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE);
        let mut swarm = Swarm::new(transport, kad, peer, settings);
        let address: Multiaddr = format!("/memory/{}", PORT.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
        swarm.listen_on(address.clone()).unwrap();
        swarm.add_external_address(address.clone());
        self.directory.lock().unwrap().insert(peer, address.clone());
        if let Some((peer, address)) = known {
            swarm.behaviour_mut().add_address(&peer, address);
        }
        let service = Service::new(peer, &self.config, Instant::now());
        let (calls, called) = mpsc::channel(1_024);
        let (book, pulse) = (self.directory.clone(), self.pulse.clone());
        let task = tokio::spawn(run(swarm, service, called, book, pulse));
        Node { peer, keys, directory, address, calls, task }
    }

    /// Stops a node at once, and forgets that it was there.
    pub(super) async fn kill(&self, node: Node) -> (Keys, Option<PathBuf>) {
        node.task.abort();
        let _ = node.task.await;
        self.directory.lock().unwrap().remove(&node.peer);
        (node.keys, node.directory)
    }

    /// Waits until something is so, looking whenever anything has happened.
    pub(super) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let mut pulse = self.pulse.subscribe();
        let wait = async {
            while !is_so().await {
                pulse.changed().await.unwrap();
            }
        };
        assert!(tokio::time::timeout(DEADLINE, wait).await.is_ok(), "it is not so in time that {what}");
    }

    /// Waits until every record is held by the nodes that are closest to it.
    pub(super) async fn settle(&self, nodes: &[Node], keys: &[Vec<u8>]) {
        let copies = self.config.replication.get();
        self.until("every record is where it belongs", async || {
            let mut held = BTreeMap::new();
            for node in nodes {
                held.insert(node.peer, node.held().await);
            }
            let is_home = |key: &Vec<u8>| closest(nodes, key).iter().take(copies).all(|peer| held[peer].contains(key));
            keys.iter().all(is_home)
        })
        .await;
    }
}

/// The nodes in the order of their distance to a key.
pub(super) fn closest(nodes: &[Node], key: &[u8]) -> Vec<PeerId> {
    let key = KBucketKey::new(RecordKey::new(&key));
    let mut order: Vec<PeerId> = nodes.iter().map(|node| node.peer).collect();
    order.sort_by_cached_key(|peer| KBucketKey::from(*peer).distance(&key));
    order
}

impl Node {
    /// Where others find it.
    pub(super) fn known(&self) -> (PeerId, Multiaddr) {
        (self.peer, self.address.clone())
    }

    /// Does something within the node.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Service, &mut Kad) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let call: Call = Box::new(move |service, kad| drop(reply.send(call(service, kad))));
        assert!(self.calls.send(call).await.is_ok(), "the node has stopped");
        answer.await.unwrap()
    }

    /// Asks something of the service.
    pub(super) async fn ask<T: Send + 'static>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (reply, answer) = oneshot::channel();
        let request = request(reply);
        self.call(move |service, kad| service.request(kad, request, Instant::now())).await;
        tokio::time::timeout(PATIENCE, answer).await.expect("every request is answered in time").unwrap()
    }

    pub(super) async fn put(&self, key: &[u8], value: &[u8]) -> Result<Stored, RecordError> {
        let (key, value) = (key.to_vec(), value.to_vec());
        self.ask(|reply| Request::Put { key, value, reply }).await
    }

    pub(super) async fn get(&self, key: &[u8]) -> Result<Vec<u8>, RecordError> {
        let key = key.to_vec();
        self.ask(|reply| Request::Get { key, reply }).await
    }

    /// The keys of the records that it holds.
    pub(super) async fn held(&self) -> BTreeSet<Vec<u8>> {
        self.call(|_, kad| {
            let store = kad.store_mut();
            let mut held = BTreeSet::new();
            let mut position = None;
            while let Some((next, entry)) = store.after(position.as_ref()) {
                held.insert(entry.key().to_vec());
                position = Some(next);
            }
            held
        })
        .await
    }
}

/// What the engine does.
#[expect(clippy::wildcard_enum_match_arm, reason = "a test needs none of the others")]
async fn run(
    mut swarm: Swarm<Kad>,
    mut service: Service,
    mut calls: mpsc::Receiver<Call>,
    book: Arc<Mutex<BTreeMap<PeerId, Multiaddr>>>,
    pulse: watch::Sender<()>,
) {
    loop {
        let deadline = service.next_deadline().unwrap_or_else(|| Instant::now() + DEADLINE);
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::Behaviour(event) => service.event(swarm.behaviour_mut(), event, Instant::now()),
                SwarmEvent::ConnectionEstablished { peer_id, num_established, .. } => {
                    if num_established.get() == 1 {
                        service.peer_came(&peer_id, Instant::now());
                    }
                    let address = book.lock().unwrap().get(&peer_id).cloned();
                    if let Some(address) = address {
                        swarm.behaviour_mut().add_address(&peer_id, address);
                    }
                }
                SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                    service.peer_lost(&peer_id, Instant::now());
                }
                SwarmEvent::OutgoingConnectionError {
                    peer_id: Some(peer),
                    error: DialError::Transport(_) | DialError::NoAddresses | DialError::WrongPeerId { .. },
                    ..
                } => service.unreachable(swarm.behaviour_mut(), &peer, Instant::now()),
                _ => {}
            },
            Some(call) = calls.recv() => {
                call(&mut service, swarm.behaviour_mut());
                // A look at a node is nothing that happened.
                continue;
            }
            () = tokio::time::sleep_until(deadline.into()) => service.deadline(swarm.behaviour_mut(), Instant::now()),
        }
        pulse.send_replace(());
    }
}
