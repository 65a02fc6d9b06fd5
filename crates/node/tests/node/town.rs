//! Nodes for tests: on regtest, without discovery, in directories of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use yap_api::Backend;
use yap_api::event::{Event, Stamped};
use yap_net::config::{Find, Hosts, Listen, Reach};
use yap_node::Node;
use yap_node::yap_chain::bitcoin::consensus::serialize;
use yap_node::yap_chain::bitcoin::{self, BlockHash};
use yap_node::yap_chain::block::Block;
use yap_node::yap_chain::spec::Spec;
use yap_node::yap_chain::utxo::{Digest, Hashes};
use yap_protocol::io::Processed;
use yap_sim::Builder;
use yap_sim::builder::Payment;
use yap_sim::lock::Kind;

/// What anything may take before a test fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A node on regtest that finds nobody by itself, and is connected to these.
pub async fn start(directory: &Path, peers: &[&Node]) -> Node {
    let mut given = Vec::new();
    for peer in peers {
        given.push(address(peer).await.parse().unwrap());
    }
    builder(directory).peers(given).start().await.unwrap()
}

/// The builder of such a node.
pub fn builder(directory: &Path) -> yap_node::node::Builder {
    let listen = Listen { port: 0, hosts: Hosts::Loopback, ..Listen::default() };
    let find = Find { mdns: false, registry: None, dht: false, trust: Vec::new() };
    let reach = Reach { upnp: false, relay: false, punch: false, ..Reach::default() };
    Node::builder(Arc::new(Spec::regtest()), directory).listen(listen).find(find).reach(reach).http(None)
}

/// Where a node listens by TCP, once it does.
pub async fn address(node: &Node) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let listening = node.backend().ask(|view| view.standing().listening).await.unwrap();
        let tcp = |one: &&String| one.starts_with("/ip4/") && one.contains("/tcp/") && !one.contains("/ws");
        if let Some(address) = listening.iter().find(tcp) {
            return address.clone();
        }
        assert!(Instant::now() < deadline, "it does not listen: {listening:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Gives a node blocks, as a miner does.
pub async fn give<'a>(node: &Node, blocks: impl IntoIterator<Item = &'a yap_node::yap_chain::bitcoin::Block>) {
    for block in blocks {
        let block = Arc::new(Block::parse(serialize(block)).unwrap());
        let hash = block.hash();
        assert_eq!(node.backend().submit_block(block).await.unwrap(), Processed::Stored, "{hash}");
    }
}

/// Height and hash of the tip.
pub async fn tip(backend: &Arc<dyn Backend>) -> (u32, BlockHash) {
    backend.ask(|view| (view.tree().height(view.tip()), view.tree().hash(view.tip()))).await.unwrap()
}

/// Waits until the tip is that block.
pub async fn wait_for_tip(node: &Node, hash: BlockHash) {
    let backend = node.backend();
    wait_for(&backend, |backend| async move { tip(&backend).await.1 == hash }).await;
}

/// Waits until something holds; it is looked at after each event.
pub async fn wait_for<F: Future<Output = bool>>(backend: &Arc<dyn Backend>, holds: impl Fn(Arc<dyn Backend>) -> F) {
    let deadline = Instant::now() + DEADLINE;
    let mut events = backend.events();
    while !holds(Arc::clone(backend)).await {
        match timeout_at(deadline, events.recv()).await {
            Ok(Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_))) => {}
            other => panic!("it does not come about: {other:?}"),
        }
    }
}

/// The first event that is wanted.
pub async fn event<T>(
    events: &mut tokio::sync::broadcast::Receiver<Arc<Stamped>>,
    mut wanted: impl FnMut(&Event) -> Option<T>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let stamped = timeout_at(deadline, events.recv()).await.expect("the event comes in time").unwrap();
        if let Some(found) = wanted(&stamped.event) {
            return found;
        }
    }
}

/// The hash of all coins.
pub async fn muhash(node: &Node) -> Digest {
    let mut coins = node.backend().ask(|view| view.coins()).await.unwrap().unwrap();
    coins.totals(Hashes { serialized: false, muhash: true }, &|| false).unwrap().unwrap().muhash.unwrap()
}

/// A chain with coins that can be spent.
pub fn chain(seed: u64) -> Builder {
    let mut builder = Builder::regtest(seed);
    builder.mine_empty(110);
    builder
}

/// A signed payment that is standard.
pub fn pay(builder: &mut Builder) -> bitcoin::Transaction {
    let mut payment = Payment::of(vec![builder.coin_where(Kind::Wpkh, |_, _| true).unwrap()]);
    let value = payment.value() - bitcoin::Amount::from_sat(10_000);
    payment.outputs = vec![builder.output(Kind::Wpkh, value)];
    builder.sign(&payment)
}
