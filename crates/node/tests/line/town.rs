//! Nodes, all that they tell, and what can be waited for.
//!
//! The event stream of each node is read from when it is ready until it ends. Whoever waits looks anew after each event.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use yap_api::client::{Filter, Told};
use yap_api::event::Event;

use crate::link::Link;
use crate::node::Node;

/// Time after which what must happen is taken to be lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Longest wait for an event before something is looked at again: not all that can be asked for has an event.
const GLANCE: Duration = Duration::from_millis(200);

/// Blocks on top of which what a block created can be spent.
pub(crate) const MATURITY: u64 = 100;

/// Satoshis.
pub(crate) const COIN: i64 = 100_000_000;

/// Something that a node told.
pub(crate) struct Heard {
    pub(crate) node: usize,
    pub(crate) at: Instant,
    pub(crate) event: Event,
}

/// Nodes. They have numbers from 1.
pub(crate) struct Town {
    nodes: Vec<Node>,
    pub(crate) heard: Vec<Heard>,
    sender: Sender<(usize, Told)>,
    receiver: Receiver<(usize, Told)>,
    _base: TempDir,
}

impl Town {
    /// Three nodes that are to stand in a line, 1 - 2 - 3; none is started. None mines unless it is told to.
    pub(crate) fn line() -> Self {
        let base = tempfile::tempdir().unwrap();
        let mut nodes: Vec<Node> = Vec::new();
        for number in 1..=3 {
            let peers = nodes.last().map(Node::url).unwrap_or_default();
            nodes.push(Node::new(base.path().join(number.to_string()), peers, "off"));
        }
        Self::of(nodes, base)
    }

    /// The same, but 3 reaches 2 over a link.
    pub(crate) fn over_a_link(scheme: &str) -> (Self, Link) {
        let mut town = Self::line();
        let link = Link::to(town.node(2).p2p);
        town.node_mut(3).know_only(&link.url(scheme));
        (town, link)
    }

    /// Nodes that are given; none is started. What they keep is in `base`.
    pub(crate) fn of(nodes: Vec<Node>, base: TempDir) -> Self {
        let (sender, receiver) = channel();
        Self { nodes, heard: Vec::new(), sender, receiver, _base: base }
    }

    /// Three nodes in a line that run and have found each other.
    pub(crate) fn running() -> Self {
        let mut town = Self::line();
        town.start_all();
        town.connected([1, 2, 1]);
        town
    }

    pub(crate) fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    pub(crate) fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// Numbers of the nodes that run.
    pub(crate) fn alive(&self) -> Vec<usize> {
        (1..=self.nodes.len()).filter(|number| self.node(*number).is_started()).collect()
    }

    /// Starts a node, and waits until it answers.
    pub(crate) fn start(&mut self, number: usize) {
        self.node_mut(number).start();
        self.ready(number);
    }

    /// Starts all that don't run, at once.
    pub(crate) fn start_all(&mut self) {
        let idle: Vec<usize> = (1..=self.nodes.len()).filter(|number| !self.node(*number).is_started()).collect();
        for number in &idle {
            self.node_mut(*number).start();
        }
        for number in idle {
            self.ready(number);
        }
    }

    fn ready(&mut self, number: usize) {
        self.node_mut(number).ready();
        let events = self.node(number).client.events(&Filter::default()).unwrap();
        let sender = self.sender.clone();
        // It ends with the stream, which ends with the node.
        std::thread::spawn(move || {
            for told in events.map_while(Result::ok) {
                if sender.send((number, told)).is_err() {
                    return;
                }
            }
        });
    }

    /// Ends all nodes at one moment, as a power cut would.
    pub(crate) fn kill_all(&mut self) {
        for node in &mut self.nodes {
            node.strike();
        }
        for node in &mut self.nodes {
            node.kill();
        }
    }

    fn note(&mut self, (node, told): (usize, Told)) {
        match told {
            Told::Event(stamped) => self.heard.push(Heard { node, at: Instant::now(), event: stamped.event }),
            Told::Lost(count) => panic!("node {node} told {count} events faster than they were read"),
        }
    }

    /// Notes all that was told until now.
    pub(crate) fn listen(&mut self) {
        while let Ok(told) = self.receiver.try_recv() {
            self.note(told);
        }
    }

    /// Notes what is told until a moment.
    pub(crate) fn listen_until(&mut self, end: Instant) {
        while let Ok(told) = self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.note(told);
        }
    }

    /// Waits until `look` sees something.
    #[track_caller]
    pub(crate) fn until<T>(&mut self, what: &str, mut look: impl FnMut(&Self) -> Result<T, String>) -> T {
        let begun = Instant::now();
        loop {
            self.listen();
            let last = match look(self) {
                Ok(seen) => return seen,
                Err(last) => last,
            };
            if begun.elapsed() > PATIENCE {
                panic!("{what} does not come about: {last}\n{}", self.words());
            }
            if let Ok(told) = self.receiver.recv_timeout(GLANCE) {
                self.note(told);
            }
        }
    }

    pub(crate) fn words(&self) -> String {
        let told = |number, method| match self.node(number).call(method, json!([])) {
            Ok(told) => told.to_string(),
            Err(error) => error.to_string(),
        };
        let words = |number| {
            let (tips, peers) = (told(number, "getchaintips"), told(number, "getpeerinfo"));
            format!("node {number}: tips {tips}, peers {peers}\n{}\n", self.node(number).last_words())
        };
        (1..=self.nodes.len()).map(words).collect()
    }

    #[track_caller]
    pub(crate) fn call(&self, number: usize, method: &str, parameters: Value) -> Value {
        let refused = |error| panic!("{method} at node {number}: {error}\n{}", self.words());
        self.node(number).call(method, parameters).unwrap_or_else(refused)
    }

    /// Waits until the nodes have so many peers.
    #[track_caller]
    pub(crate) fn connected(&mut self, wanted: [u64; 3]) {
        self.until(&format!("{wanted:?} peers"), |town| {
            let count = |number: usize| match town.node(number).is_started() {
                true => town.call(number, "getconnectioncount", json!([])).as_u64().unwrap(),
                false => 0,
            };
            let now = [count(1), count(2), count(3)];
            if now == wanted { Ok(()) } else { Err(format!("{now:?}")) }
        });
    }

    /// Waits until these nodes have the same tip. Gives its height and hash.
    #[track_caller]
    pub(crate) fn agreed_among(&mut self, numbers: &[usize]) -> (u64, String) {
        self.until("one tip", |town| {
            let tip = |number: &usize| {
                let info = town.call(*number, "getblockchaininfo", json!([]));
                (info["blocks"].as_u64().unwrap(), info["bestblockhash"].as_str().unwrap().to_owned())
            };
            let tips: Vec<_> = numbers.iter().map(tip).collect();
            if tips.windows(2).all(|pair| pair[0] == pair[1]) { Ok(tips[0].clone()) } else { Err(format!("{tips:?}")) }
        })
    }

    /// Waits until all nodes that run have the same tip, and requires that they have the same coins.
    #[track_caller]
    pub(crate) fn agreed(&mut self) -> (u64, String) {
        let alive = self.alive();
        let tip = self.agreed_among(&alive);
        let muhash = |number: &usize| {
            let info = self.call(*number, "gettxoutsetinfo", json!(["muhash"]));
            assert_eq!(info["bestblock"], json!(tip.1), "node {number}");
            info["muhash"].as_str().unwrap().to_owned()
        };
        let hashes: Vec<String> = alive.iter().map(muhash).collect();
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "{hashes:?}");
        assert_eq!(hashes[0].len(), 64);
        tip
    }

    pub(crate) fn height(&self, number: usize) -> u64 {
        self.call(number, "getblockcount", json!([])).as_u64().unwrap()
    }

    pub(crate) fn address(&self, number: usize) -> String {
        self.call(number, "getnewaddress", json!([])).as_str().unwrap().to_owned()
    }

    /// Makes so many blocks at a node, for its wallet.
    #[track_caller]
    pub(crate) fn mine(&self, number: usize, blocks: u64) {
        self.mine_to(number, blocks, &self.address(number));
    }

    /// Makes so many blocks at a node, for an address.
    #[track_caller]
    pub(crate) fn mine_to(&self, number: usize, blocks: u64, address: &str) {
        let begun = Instant::now();
        let mut left = blocks;
        while left > 0 {
            assert!(begun.elapsed() < PATIENCE, "{left} of {blocks} blocks are missing");
            let made = self.call(number, "generatetoaddress", json!([left.min(25), address, 50_000_000]));
            left -= u64::try_from(made.as_array().unwrap().len()).unwrap();
        }
    }

    /// Pays some satoshis from one node's wallet to an address; gives the payment's id.
    #[track_caller]
    pub(crate) fn pay(&self, number: usize, address: &str, amount: i64) -> String {
        let amount = format!("{}.{:08}", amount / COIN, amount % COIN);
        self.call(number, "sendtoaddress", json!([address, amount])).as_str().unwrap().to_owned()
    }

    /// Satoshis that a wallet has confirmed or of its own, and that others' payments are about to bring.
    pub(crate) fn balance(&self, number: usize) -> (i64, i64) {
        let mine = &self.call(number, "getbalances", json!([]))["mine"];
        (sats(&mine["trusted"]), sats(&mine["untrusted_pending"]))
    }

    /// Waits until a wallet has so much.
    #[track_caller]
    pub(crate) fn has(&mut self, number: usize, trusted: i64, pending: i64) {
        self.until(&format!("node {number} has {trusted} and {pending} pending"), |town| {
            let balance = town.balance(number);
            if balance == (trusted, pending) { Ok(()) } else { Err(format!("{balance:?}")) }
        });
    }

    /// Confirmations of a payment, as a wallet that has to do with it sees it; negative if another took its place.
    #[track_caller]
    pub(crate) fn confirmations(&self, number: usize, txid: &str) -> i64 {
        self.call(number, "gettransaction", json!([txid]))["confirmations"].as_i64().unwrap()
    }

    /// Waits until a payment has so many confirmations, as that wallet sees it.
    #[track_caller]
    pub(crate) fn confirmed(&mut self, number: usize, txid: &str, wanted: i64) {
        self.until(&format!("{txid} has {wanted} confirmations at node {number}"), |town| {
            match town.confirmations(number, txid) {
                confirmations if confirmations == wanted => Ok(()),
                other => Err(format!("{other} confirmations")),
            }
        });
    }

    /// Ids of the transactions that wait at a node.
    #[track_caller]
    pub(crate) fn pool(&self, number: usize) -> Vec<String> {
        serde_json::from_value(self.call(number, "getrawmempool", json!([]))).unwrap()
    }

    /// Waits until a transaction waits at a node.
    #[track_caller]
    pub(crate) fn waits(&mut self, number: usize, txid: &str) {
        self.until(&format!("{txid} waits at node {number}"), |town| {
            let pool = town.pool(number);
            if pool.iter().any(|one| one == txid) { Ok(()) } else { Err(format!("{pool:?}")) }
        });
    }
}

/// Satoshis of an amount, which is exact.
fn sats(amount: &Value) -> i64 {
    let text = amount.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part: String = part.chars().chain("00000000".chars()).take(8).collect();
    whole.parse::<i64>().unwrap() * COIN + part.parse::<i64>().unwrap()
}
