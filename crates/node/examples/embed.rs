//! A peer inside one's own program: `cargo run -p yap-node --example embed`.
//!
//! It starts a node on the chain `local` in a directory of its own, makes three blocks, tells what happens meanwhile, and
//! stops.

use std::sync::Arc;

use yap_node::Node;
use yap_node::yap_api::backend::MiningOrder;
use yap_node::yap_api::event::Event;
use yap_node::yap_chain::spec::Spec;
use yap_node::yap_net::config::{Listen, PORT};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "a program of its own, which speaks to whoever runs it")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    // Another node of this machine may have the usual port: any other will do.
    let listen = Listen { port: 0, ..Listen::default() };
    let node = Node::builder(Arc::new(Spec::local()), directory.path()).listen(listen).http(None).start().await?;
    let backend = node.backend();
    let mut events = backend.events();

    let order = MiningOrder { blocks: 3, script: None, tries: u64::MAX, transactions: None };
    println!("mined {:?}", backend.mine(order).await??);
    while let Ok(stamped) = events.try_recv() {
        if let Event::BlockConnected { height, .. } = stamped.event {
            println!("block {height}");
        }
    }
    let height = backend.ask(|view| view.tree().height(view.tip())).await?;
    println!("the chain has height {height}; peers usually come to port {PORT}");
    node.stop().await?;
    Ok(())
}
