//! Blocks that break a rule each, unasked and announced.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::BlockHash;
use yap_chain::block::Block;
use yap_protocol::message::Inventory;
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::network::actor::Port;
use crate::{Builder, Mutation};

/// At each tick makes the next of its mutated blocks on the chain that it was given, announces it by header, sends it to
/// half of the peers at once and to the others when they ask.
#[derive(Debug)]
pub struct BadBlocks {
    builder: Builder,
    mutations: Vec<Mutation>,
    made: BTreeMap<BlockHash, Arc<Block>>,
}

impl BadBlocks {
    /// Makes these blocks on the builder's chain, which must be the network's.
    #[must_use]
    pub const fn new(builder: Builder, mutations: Vec<Mutation>) -> Self {
        Self { builder, mutations, made: BTreeMap::new() }
    }
}

impl Vice for BadBlocks {
    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        let Message::GetData(items) = message else { return };
        for item in items {
            if let Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) = item
                && let Some(block) = self.made.get(hash)
            {
                port.send(peer, Message::Block(Arc::clone(block)));
            }
        }
    }

    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        let Some(mutation) = self.mutations.pop() else { return };
        self.builder.set_time(port.network().wall().header_time());
        let Some(case) = mutation.apply(&mut self.builder) else { return };
        if matches!(case.expected, crate::mutation::Expected::Valid | crate::mutation::Expected::Open) {
            return;
        }
        let Some(block) = case.block.and_then(|_| Block::parse(case.raw).ok()).map(Arc::new) else { return };
        self.made.insert(block.hash(), Arc::clone(&block));
        for (index, peer) in peers.iter().enumerate() {
            port.send(*peer, Message::Headers(vec![*block.header()]));
            if index % 2 == 0 {
                port.send(*peer, Message::Block(Arc::clone(&block)));
            }
        }
    }
}
