//! Lines, order, partitions and repetition, seen with participants that are no nodes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use yap_protocol::{Link, Message, PeerId, Time};
use yap_sim::network::adversary::{Gossip, Reference};
use yap_sim::network::scenario::{How, PropagationConfig, propagation};
use yap_sim::network::{Actor, Config, Network, NodeId, Port};

/// What an actor saw.
type Log = Rc<RefCell<Vec<(Time, Seen)>>>;

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Open,
    Heard(u64),
    Gone,
}

/// Writes down what it sees, and sends so many pings on each connection, then closes it if told to.
#[derive(Debug)]
struct Scribe {
    log: Log,
    pings: u64,
    closes: bool,
}

impl Scribe {
    fn pair(pings: u64, closes: bool) -> (Network, [NodeId; 2], [Log; 2]) {
        let mut network = Network::new("engine", Config::default(), 1);
        let logs = [Log::default(), Log::default()];
        let one = Self { log: Rc::clone(&logs[0]), pings, closes };
        let two = Self { log: Rc::clone(&logs[1]), pings: 0, closes: false };
        let ids = [network.add_actor(Box::new(one), None), network.add_actor(Box::new(two), None)];
        (network, ids, logs)
    }

    fn note(&self, port: &Port<'_>, seen: Seen) {
        self.log.borrow_mut().push((port.now(), seen));
    }
}

impl Actor for Scribe {
    fn connected(&mut self, port: &mut Port<'_>, peer: PeerId, _: &Link) {
        self.note(port, Seen::Open);
        for nonce in 0..self.pings {
            port.send(peer, Message::Ping(nonce));
        }
        if self.closes {
            port.close(peer);
        }
    }

    fn message(&mut self, port: &mut Port<'_>, _: PeerId, message: Message) {
        let Message::Ping(nonce) = message else { panic!("only pings are sent") };
        self.note(port, Seen::Heard(nonce));
    }

    fn disconnected(&mut self, port: &mut Port<'_>, _: PeerId) {
        self.note(port, Seen::Gone);
    }
}

fn seen(log: &Log) -> Vec<Seen> {
    log.borrow().iter().map(|(_, seen)| seen.clone()).collect()
}

#[test]
fn messages_of_a_connection_keep_their_order_and_the_end_comes_last() {
    let (mut network, ids, logs) = Scribe::pair(200, true);
    network.connect(ids[0], ids[1]);
    network.run_until(Time::from_secs(10)).unwrap();
    assert_eq!(seen(&logs[0]), [Seen::Open, Seen::Gone]);
    let expected: Vec<Seen> =
        std::iter::once(Seen::Open).chain((0..200).map(Seen::Heard)).chain([Seen::Gone]).collect();
    assert_eq!(seen(&logs[1]), expected);
    assert_eq!(network.connection_count(ids[0]), (0, 0));
}

#[test]
fn a_division_holds_messages_until_it_is_healed() {
    let (mut network, ids, logs) = Scribe::pair(0, false);
    network.connect(ids[0], ids[1]);
    network.run_until(Time::from_secs(5)).unwrap();
    network.divide(|id| id.0);
    network.connect(ids[1], ids[0]);
    network.run_until(Time::from_secs(30)).unwrap();
    assert_eq!(seen(&logs[0]), [Seen::Open], "nothing gets across, and dialling fails");
    network.heal();
    network.connect(ids[1], ids[0]);
    network.run_until(Time::from_secs(60)).unwrap();
    assert_eq!(seen(&logs[0]), [Seen::Open, Seen::Open]);
}

#[test]
fn bytes_take_their_time_on_the_line() {
    let config = Config::default();
    let sized = |pings| {
        let (mut network, ids, logs) = Scribe::pair(pings, false);
        network.connect(ids[0], ids[1]);
        network.run_until(Time::from_secs(60)).unwrap();
        let log = logs[1].borrow();
        log.last().unwrap().0.since(log[0].0)
    };
    // Each ping takes ten bytes.
    let few = sized(1);
    let many = sized(500_000);
    let sending = Duration::from_secs_f64(500_000.0 * 10.0 / config.line.upload as f64);
    assert!(many > sending && many < sending + few + Duration::from_secs(1), "{many:?} for {sending:?}");
}

#[test]
fn whoever_is_not_there_can_not_be_dialled() {
    let (mut network, ids, logs) = Scribe::pair(0, false);
    network.connect(ids[0], ids[0]);
    network.run_until(Time::from_secs(60)).unwrap();
    assert!(seen(&logs[0]).is_empty());
}

#[test]
fn one_seed_gives_one_transcript() {
    let config =
        PropagationConfig { nodes: 40, transactions: 10, how: How::Announcing, ..PropagationConfig::default() };
    let run = |seed| {
        let report = propagation(&config, seed).unwrap();
        (report.transcript, report.events)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// What is known of the bare models: to announce first takes three trips per hop and sends each body once; to push takes
/// one trip per hop and sends a body over nearly every connection.
#[test]
fn bare_models_cost_what_they_must() {
    let config = PropagationConfig { nodes: 200, transactions: 20, ..PropagationConfig::default() };
    let [push, announce] =
        [How::Pushing, How::Announcing].map(|how| propagation(&PropagationConfig { how, ..config }, 1).unwrap());
    assert_eq!((push.transactions.complete, announce.transactions.complete), (20, 20));
    assert!(announce.copies < 1.0 && announce.copies > 0.99, "{announce:?}");
    assert!(push.copies > 8.0, "{push:?}");
    let ratio = announce.transactions.nearly / push.transactions.nearly;
    assert!((2.0..4.5).contains(&ratio), "{ratio}: {push:?} {announce:?}");
}

#[test]
fn references_are_actors_like_others() {
    let mut network = Network::new("engine", Config::default(), 1);
    let id = network.add_actor(Box::new(Reference::new(Gossip::Push)), None);
    assert!(!network.is_honest(id) && !network.is_running(id));
}

#[test]
fn encoded_messages_are_the_same_as_those_that_are_not() {
    let config = PropagationConfig { nodes: 30, transactions: 5, how: How::Announcing, ..PropagationConfig::default() };
    let mut encoded = config;
    encoded.network.codec = true;
    let [plain, encoded] = [config, encoded].map(|config| propagation(&config, 3).unwrap());
    assert_eq!((plain.transcript, plain.events), (encoded.transcript, encoded.events));
}
