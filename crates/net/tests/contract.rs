//! What every owner relies on, whatever happens: each dial ends once, each session begins before its first message and
//! ends once. Networks in the memory of one process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(clippy::arithmetic_side_effects, clippy::wildcard_enum_match_arm, missing_docs, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash as _;
use yap_net::config::Chain;
use yap_net::identity::{Keys, Name};
use yap_net::{Config, DialError, Event, Events, Given, Network, Notice, RecordError};
use yap_protocol::address::{Address, Identity};
use yap_protocol::link::{Direction, Link, PeerId, Purpose};
use yap_protocol::peers::ban::Target;
use yap_protocol::penalty::Reason;
use yap_protocol::{Input, Message, Output};

/// Far beyond what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % most
    }
}

fn config(keys: &Keys, memory: u64) -> Config {
    let genesis = BlockHash::from_byte_array([7; 32]);
    let chain = Chain { name: "test".into(), genesis, magic: [7, 1, 2, 3] };
    let mut config = Config::new(keys.clone(), chain);
    config.listen.memory = Some(memory);
    (config.find.mdns, config.reach.upnp) = (false, false);
    config
}

/// A node that keeps one session with each peer, by the protocol's rule, and holds the network to its word.
struct Node {
    keys: Keys,
    memory: u64,
    running: Option<(Network, Events)>,
    /// Dials that have not ended.
    dials: BTreeMap<Address, usize>,
    /// Every address that was dialled.
    dialled: BTreeSet<Address>,
    live: BTreeMap<PeerId, Link>,
    seen: BTreeSet<PeerId>,
    parted: BTreeSet<PeerId>,
    heard: Vec<Message>,
    complaints: Vec<DialError>,
}

impl Node {
    async fn start(memory: u64) -> Self {
        Self::start_with(memory, |_| {}).await
    }

    async fn start_with(memory: u64, change: impl FnOnce(&mut Config)) -> Self {
        let keys = Keys::generate();
        let mut config = config(&keys, memory);
        change(&mut config);
        let running = Some(Network::start(config).await.expect("it starts"));
        let (dials, dialled, live, seen, parted) = Default::default();
        Self { keys, memory, running, dials, dialled, live, seen, parted, heard: Vec::new(), complaints: Vec::new() }
    }

    fn identity(&self) -> Identity {
        self.keys.identity()
    }

    fn address(&self, named: bool) -> Address {
        let named = if named { format!("/p2p/{}", Name(self.identity())) } else { String::new() };
        let given: Given = format!("/memory/{}{named}", self.memory).parse().expect("a multiaddr");
        given.addresses(&[]).pop().expect("it can be dialled")
    }

    fn apply(&self, output: Output) {
        if let Some((network, _)) = &self.running {
            assert!(network.apply(output).is_none());
        }
    }

    fn dial(&mut self, address: Address, purpose: Purpose) {
        if self.running.is_some() {
            *self.dials.entry(address.clone()).or_default() += 1;
            self.dialled.insert(address.clone());
            self.apply(Output::Dial { address, purpose });
        }
    }

    fn part(&mut self, peer: PeerId, why: Reason) {
        if self.parted.insert(peer) {
            self.apply(Output::Disconnect { peer, why });
        }
    }

    fn lasting(&self, with: Identity) -> Vec<PeerId> {
        let lasting = |(peer, link): &(&PeerId, &Link)| link.identity == Some(with) && !self.parted.contains(peer);
        self.live.iter().filter(lasting).map(|(peer, _)| *peer).collect()
    }

    fn is_quiet(&self) -> bool {
        self.dials.is_empty() && self.parted.iter().all(|peer| !self.live.contains_key(peer))
    }

    /// Takes what has happened within some time.
    async fn pump(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while let Some((_, events)) = &mut self.running {
            match tokio::time::timeout_at(until, events.next()).await {
                Ok(Some(event)) => self.happens(event),
                Ok(None) => panic!("it has not been told to stop"),
                Err(_) => return,
            }
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Input(Input::Connected { peer, link }) => self.connected(peer, link),
            Event::Input(Input::Disconnected { peer }) => {
                assert!(self.live.remove(&peer).is_some(), "{peer} ended without having begun, or twice");
            }
            Event::Input(Input::DialFailed { address }) => {
                assert!(self.dial_ended(&address), "a dial of {address} failed that was not made, or ended before");
            }
            Event::Input(Input::Message { peer, message, .. }) => {
                assert!(self.live.contains_key(&peer), "a message of {peer}, which is not connected");
                self.heard.push(message);
            }
            Event::Input(Input::Malformed { peer, error }) => panic!("{peer} says what can't be read: {error}"),
            Event::Input(Input::Congested { peer, .. }) => assert!(self.live.contains_key(&peer)),
            Event::Notice(Notice::Dial { why, .. }) => self.complaints.push(why),
            _ => {}
        }
    }

    fn dial_ended(&mut self, address: &Address) -> bool {
        let Some(count) = self.dials.get_mut(address) else { return false };
        *count -= 1;
        if *count == 0 {
            self.dials.remove(address);
        }
        true
    }

    fn connected(&mut self, peer: PeerId, link: Link) {
        assert!(self.seen.insert(peer), "{peer} begins again");
        if link.direction == Direction::Outbound {
            // One that moved, or was opened anew where its connection was lost, has no dial of its own.
            let answers = self.dial_ended(&link.address);
            assert!(answers || self.dialled.contains(&link.address), "{} was never dialled", link.address);
        }
        let identity = link.identity.expect("libp2p names everybody");
        let before = self.lasting(identity).pop();
        let newer = link.direction;
        self.live.insert(peer, link);
        if let Some(other) = before {
            // Of two that were dialled from both ends, that of the smaller key stays; of two that we dialled, the older;
            // of two that they dialled, they part from one.
            let ours = |direction| (self.identity() < identity) == (direction == Direction::Outbound);
            let older = self.live[&other].direction;
            match (older, newer) {
                (Direction::Inbound, Direction::Inbound) => {}
                _ if older == newer || ours(older) => self.part(peer, Reason::Duplicate),
                _ => self.part(other, Reason::Duplicate),
            }
        }
    }

    async fn stop(&mut self) {
        let Some((network, mut events)) = self.running.take() else { return };
        network.stop();
        let rest = async {
            while let Some(event) = events.next().await {
                self.happens(event);
            }
            events.finished().await;
        };
        tokio::time::timeout(DEADLINE, rest).await.expect("it stops");
        assert!(self.live.is_empty(), "sessions of a network that has stopped: {:?}", self.live);
        assert!(self.dials.is_empty(), "dials of a network that has stopped: {:?}", self.dials);
    }

    async fn restart(&mut self) {
        self.stop().await;
        self.seen.clear();
        self.parted.clear();
        self.running = Some(Network::start(config(&self.keys, self.memory)).await.expect("it starts again"));
    }
}

async fn pump(nodes: &mut [Node], time: Duration) {
    futures::future::join_all(nodes.iter_mut().map(|node| node.pump(time))).await;
}

async fn settle(nodes: &mut [Node], what: &str, done: impl Fn(&[Node]) -> bool) {
    let until = tokio::time::Instant::now() + DEADLINE;
    while !done(nodes) {
        assert!(tokio::time::Instant::now() < until, "waited in vain for {what}");
        pump(nodes, Duration::from_millis(100)).await;
    }
}

/// How many rounds of a kind are played; `YAP_NET_ROUNDS` says otherwise.
fn rounds(usual: u64) -> u64 {
    std::env::var("YAP_NET_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[tokio::test]
async fn whatever_is_dialled_parted_from_or_stopped_the_owner_hears_of_each_end_once() {
    for seed in 1..=rounds(8) {
        eprintln!("SEED={seed}");
        let mut random = Random(seed);
        let mut nodes = Vec::new();
        for number in 0..3 {
            nodes.push(Node::start(1_000_000 + seed * 10 + number).await);
        }
        let nobody = {
            let given: Given = "/memory/999999".parse().unwrap();
            given.addresses(&[]).pop().unwrap()
        };
        for _ in 0..60 {
            let (one, other) = (random.below(3), random.below(3));
            match random.below(12) {
                0..=4 => {
                    let address = nodes[other].address(random.below(2) == 0);
                    let purpose = [Purpose::Full, Purpose::Manual, Purpose::Feeler][random.below(3)];
                    nodes[one].dial(address, purpose);
                }
                5 => nodes[one].dial(nobody.clone(), Purpose::Full),
                6..=7 => {
                    let peers: Vec<PeerId> = nodes[one].live.keys().copied().collect();
                    if !peers.is_empty() {
                        let why = [Reason::Asked, Reason::Done, Reason::Evicted][random.below(3)];
                        nodes[one].part(peers[random.below(peers.len())], why);
                    }
                }
                8 => nodes[one].restart().await,
                9..=10 => {
                    for peer in nodes[one].live.keys() {
                        nodes[one].apply(Output::Send { peer: *peer, message: Message::Ping(seed) });
                    }
                }
                _ => pump(&mut nodes, Duration::from_millis(500)).await,
            }
            if random.below(3) == 0 {
                let time = Duration::from_millis(u64::try_from(random.below(40)).unwrap());
                pump(&mut nodes, time).await;
            }
        }
        settle(&mut nodes, "the end of every dial", |nodes| nodes.iter().all(Node::is_quiet)).await;
        for node in &mut nodes {
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn of_two_nodes_that_dial_each_other_one_session_stays_for_good() {
    // All at once: what takes time is to wait until connections that are left over have been closed.
    futures::future::join_all((1..=rounds(32)).map(dial_each_other)).await;
}

async fn dial_each_other(seed: u64) {
    let mut random = Random(seed);
    let mut nodes = vec![Node::start(2_000_000 + seed * 10).await, Node::start(2_000_001 + seed * 10).await];
    let named = random.below(2) == 0;
    let addresses = [nodes[0].address(named), nodes[1].address(named)];
    for (one, other) in [(0, 1), (1, 0)] {
        nodes[one].dial(addresses[other].clone(), Purpose::Full);
        let until = std::time::Instant::now() + Duration::from_micros(u64::try_from(random.below(6000)).unwrap());
        while std::time::Instant::now() < until {
            pump(&mut nodes, Duration::ZERO).await;
            tokio::task::yield_now().await;
        }
    }
    let identities = [nodes[0].identity(), nodes[1].identity()];
    let one_each = |nodes: &[Node]| {
        let one = |node: &Node, with: usize| node.live.len() == 1 && node.lasting(identities[with]).len() == 1;
        one(&nodes[0], 1) && one(&nodes[1], 0) && nodes.iter().all(Node::is_quiet)
    };
    settle(&mut nodes, &format!("one session at each end, SEED={seed}"), one_each).await;
    let live = |nodes: &[Node]| nodes.iter().map(|node| node.live.keys().copied().collect()).collect();
    let before: Vec<Vec<PeerId>> = live(&nodes);
    // What is left over is closed after 15 seconds, and must not be what the session runs on.
    pump(&mut nodes, Duration::from_secs(20)).await;
    let after: Vec<Vec<PeerId>> = live(&nodes);
    assert_eq!(before, after, "the session that was kept was lost, SEED={seed}");
    nodes[0].apply(Output::Send { peer: after[0][0], message: Message::Ping(seed) });
    settle(&mut nodes, "a message", |nodes| nodes[1].heard.contains(&Message::Ping(seed))).await;
    for node in &mut nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_peer_that_stays_away_is_complained_of_once() {
    let mut alice = Node::start(3_000_000).await;
    let given: Given = "/memory/3999999".parse().unwrap();
    let nobody = given.addresses(&[]).pop().unwrap();
    for _ in 0..5 {
        alice.dial(nobody.clone(), Purpose::Manual);
        let mut nodes = [alice];
        settle(&mut nodes, "the end of a dial", |nodes| nodes[0].is_quiet()).await;
        [alice] = nodes;
    }
    assert_eq!(alice.complaints.len(), 1);
}

#[tokio::test]
async fn a_network_whose_events_nobody_takes_any_more_stops() {
    let mut alice = Node::start(4_000_000).await;
    // Nothing is left to tell, and nothing happens that would be.
    alice.pump(Duration::from_secs(1)).await;
    let (network, events) = alice.running.take().unwrap();
    drop(events);
    let stopped = async {
        while network.subscribe("topic", None).await != Err(yap_net::error::PublishError::Stopped) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stopped).await.expect("it stops");
}

#[tokio::test]
async fn whoever_owns_a_network_that_stops_hears_what_became_of_every_dial() {
    let mut alice = Node::start(5_000_000).await;
    let given: Given = "/memory/5999999".parse().unwrap();
    let nobody = given.addresses(&[]).pop().unwrap();
    // More than the channel to the owner has room for, and none of them is taken before the end.
    for _ in 0..600 {
        alice.dial(nobody.clone(), Purpose::Full);
    }
    tokio::time::timeout(DEADLINE, async {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    alice.stop().await;
}

#[tokio::test]
async fn dials_of_an_owner_that_does_not_listen_are_given_up_beyond_a_bound() {
    let mut alice = Node::start(7_000_000).await;
    let given: Given = "/memory/7999999".parse().unwrap();
    let nobody = given.addresses(&[]).pop().unwrap();
    for _ in 0..6000 {
        alice.dial(nobody.clone(), Purpose::Full);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    alice.pump(Duration::from_secs(2)).await;
    let ended = 6000 - alice.dials.remove(&nobody).unwrap_or_default();
    // What the engine keeps, the channel, and those that were under way.
    assert!((2048..2048 + 256 + 256).contains(&ended), "{ended} of 6000");
    alice.dial(nobody, Purpose::Full);
    let mut nodes = [alice];
    settle(&mut nodes, "the end of a dial", |nodes| nodes[0].is_quiet()).await;
}

#[tokio::test]
async fn a_network_without_the_dht_rests_when_its_peers_are_gone() {
    let without = |config: &mut Config| {
        config.find.dht = false;
        // So that whatever is due for the DHT is due soon.
        config.records.repair = Duration::from_millis(100);
    };
    let mut nodes = vec![Node::start_with(6_000_000, without).await, Node::start_with(6_000_001, without).await];
    let address = nodes[1].address(true);
    nodes[0].dial(address, Purpose::Full);
    settle(&mut nodes, "a session", |nodes| nodes.iter().all(|node| node.live.len() == 1)).await;
    nodes[1].stop().await;
    settle(&mut nodes, "its end", |nodes| nodes[0].live.is_empty()).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.worker_total_busy_duration(0);
    let while_waiting = Duration::from_secs(2);
    nodes[0].pump(while_waiting).await;
    let busy = metrics.worker_total_busy_duration(0) - before;
    assert!(busy < while_waiting / 4, "busy for {busy:?} of {while_waiting:?} with nothing to do");
}

#[tokio::test]
async fn a_dial_of_somebody_banned_says_so_on_both_sides_until_it_is_lifted() {
    let mut nodes = vec![Node::start(5_000_000).await, Node::start(5_000_001).await];
    let (alice, bob) = (nodes[0].address(true), nodes[1].address(true));
    nodes[0].dial(bob.clone(), Purpose::Manual);
    settle(&mut nodes, "a session", |nodes| nodes.iter().all(|node| node.live.len() == 1)).await;
    let peer = *nodes[0].live.keys().next().unwrap();
    nodes[0].part(peer, Reason::Banned);
    settle(&mut nodes, "its end", |nodes| nodes.iter().all(|node| node.live.is_empty())).await;

    nodes[0].dial(bob.clone(), Purpose::Manual);
    nodes[1].dial(alice, Purpose::Manual);
    settle(&mut nodes, "the ends of both dials", |nodes| nodes.iter().all(Node::is_quiet)).await;
    let banned = Target::Identity(nodes[1].identity());
    assert_eq!(nodes[0].complaints, [DialError::Banned(banned.clone())]);
    let text = nodes[0].complaints[0].to_string();
    let name = Name(nodes[1].identity()).to_string();
    assert!(
        text.contains(&format!("{name} is banned here")) && text.contains(&format!("setban {name} remove")),
        "{text}"
    );
    assert_eq!(nodes[1].complaints, [DialError::Closed], "the other end can't know more");
    assert!(nodes[1].complaints[0].to_string().contains("banned"));

    nodes[0].running.as_ref().unwrap().0.lift_ban(banned);
    nodes[0].dial(bob, Purpose::Manual);
    settle(&mut nodes, "a session", |nodes| nodes.iter().all(|node| node.live.len() == 1)).await;
}

#[tokio::test]
async fn records_of_a_network_without_the_dht_are_refused_with_the_reason() {
    let alice = Node::start_with(4_000_000, |config| config.find.dht = false).await;
    let (network, _events) = alice.running.as_ref().unwrap();
    let key = || b"key".to_vec();
    assert_eq!(network.put(key(), b"value".to_vec()).await.err(), Some(RecordError::Off));
    assert_eq!(network.get(key()).await.err(), Some(RecordError::Off));
    assert_eq!(network.withdraw(key()).await.err(), Some(RecordError::Off));
    assert_eq!(network.provide(key()).await.err(), Some(RecordError::Off));
    assert_eq!(network.providers(key()).await.err(), Some(RecordError::Off));
}
