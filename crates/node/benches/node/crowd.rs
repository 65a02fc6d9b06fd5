//! How long a payment and a block take to reach everybody, among ever more nodes on one machine, and how many connections
//! that needs (W6).

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::json;
use yap_api::client::{Client, Filter, Told};
use yap_api::event::Event;

use crate::process::Node;
use crate::{median, millis};

/// Nodes in each crowd, unless `YAP_BENCH_NODES` says so.
const SIZES: [usize; 4] = [3, 10, 30, 100];

/// Payments, and blocks, that are followed.
const ROUNDS: usize = 10;

/// Blocks after which the first reward can be spent.
const MATURE: usize = 101;

/// Time after which what was told is taken to be lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the number of connections must stay the same until it counts.
const SETTLED: Duration = Duration::from_secs(3);

/// Nodes, and what they tell.
struct Crowd {
    nodes: Vec<Node>,
    heard: Receiver<(usize, String, Instant)>,
    _places: Vec<tempfile::TempDir>,
}

/// From the first node that has it: until half of the nodes have it, and until all have.
#[derive(Clone, Copy)]
struct Spread {
    half: Duration,
    all: Duration,
    /// What all processes spent meanwhile, from the call on.
    cpu: Duration,
}

impl Crowd {
    /// Starts so many, each of which is told of one that was started before it.
    fn start(size: usize) -> Self {
        let places: Vec<_> = (0..size).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut nodes: Vec<Node> = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let known = number.checked_sub(1).map(|last| &nodes[last / 2]);
            nodes.push(Node::start(place.path(), "local", known.as_slice()));
        }
        let (sender, heard) = channel();
        for (number, node) in nodes.iter_mut().enumerate() {
            node.ready();
            let client = Client::new(&node.http.to_string(), None).unwrap();
            let events = client.events(&Filter::types(["transaction_added", "block_connected"])).unwrap();
            let sender = sender.clone();
            // It ends with the stream, which ends with the node.
            std::thread::spawn(move || {
                for told in events.map_while(Result::ok) {
                    let Told::Event(stamped) = told else { panic!("events came faster than they were read") };
                    let id = match &stamped.event {
                        Event::TransactionAdded { txid } => txid.to_string(),
                        Event::BlockConnected { hash, .. } => hash.to_string(),
                        _ => continue,
                    };
                    if sender.send((number, id, Instant::now())).is_err() {
                        return;
                    }
                }
            });
        }
        Self { nodes, heard, _places: places }
    }

    /// Sessions of all nodes, once they stay the same.
    fn sessions(&self) -> usize {
        let (begun, mut last) = (Instant::now(), (0, Instant::now()));
        while last.1.elapsed() < SETTLED && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(200));
            let peers = |node: &Node| node.call("getconnectioncount", &json!([])).as_u64().unwrap();
            let ends = self.nodes.iter().map(peers).sum::<u64>();
            if last.0 != ends {
                last = (ends, Instant::now());
            }
        }
        usize::try_from(last.0 / 2).unwrap()
    }

    fn cpu(&self) -> Duration {
        self.nodes.iter().map(|node| node.usage().cpu).sum()
    }

    /// Waits until every node has told of what `begin` makes.
    fn spreads(&self, begin: impl FnOnce() -> String) -> Spread {
        let before = self.cpu();
        let wanted = begin();
        let mut times = BTreeMap::new();
        while times.len() < self.nodes.len() {
            let (number, id, at) = self.heard.recv_timeout(PATIENCE).expect("it reaches everybody");
            if id == wanted {
                times.insert(number, at);
            }
        }
        let cpu = self.cpu().saturating_sub(before);
        let first = *times.values().min().unwrap();
        let mut times: Vec<Duration> = times.values().map(|at| at.duration_since(first)).collect();
        times.sort();
        Spread { half: times[times.len() / 2], all: times[times.len() - 1], cpu }
    }
}

pub(crate) fn run() {
    let given = std::env::var("YAP_BENCH_NODES").ok();
    let sizes: Vec<usize> = match &given {
        Some(list) => list.split(',').filter_map(|size| size.trim().parse().ok()).filter(|size| *size > 0).collect(),
        None => SIZES.to_vec(),
    };
    println!("nodes on this machine, each told of one other; median of {ROUNDS}, from the first that has it");
    println!(
        "{:>6} {:>9} {:>9} {:>22} {:>10} {:>22} {:>10}",
        "nodes", "sessions", "per node", "payment: half, all", "CPU", "block: half, all", "CPU"
    );
    for size in sizes {
        measure(size);
    }
    println!();
}

fn measure(size: usize) {
    let crowd = Crowd::start(size);
    let sessions = crowd.sessions();
    let (payer, payee) = (&crowd.nodes[0], &crowd.nodes[size - 1]);
    let address = |node: &Node| node.call("getnewaddress", &json!([])).as_str().unwrap().to_owned();
    let mine = |node: &Node, blocks: usize, to: &str| {
        let hashes = node.call("generatetoaddress", &json!([blocks, to]));
        hashes.as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
    };
    let (to_payer, to_payee) = (address(payer), address(payee));
    crowd.spreads(|| mine(payer, MATURE, &to_payer));
    let (mut payments, mut blocks) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        payments.push(
            crowd.spreads(|| payer.call("sendtoaddress", &json!([to_payee, "0.5"])).as_str().unwrap().to_owned()),
        );
        let miner = &crowd.nodes[round * size / ROUNDS];
        blocks.push(crowd.spreads(|| mine(miner, 1, &to_payer)));
    }
    print!("{size:>6} {sessions:>9} {:>9.1}", sessions as f64 / size as f64);
    for spreads in [payments, blocks] {
        let of = |figure: fn(&Spread) -> Duration| millis(median(spreads.iter().map(figure).collect()));
        print!(" {:>7.1} ms {:>8.1} ms {:>7.1} ms", of(|one| one.half), of(|one| one.all), of(|one| one.cpu));
    }
    println!();
    for node in crowd.nodes {
        node.stop();
    }
}
