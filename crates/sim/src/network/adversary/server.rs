//! Serves headers of the best chain as an honest node would, and blocks as its fault has it.

use std::sync::Arc;

use bitcoin::consensus::serialize;
use yap_chain::block::Block;
use yap_protocol::message::{Inventory, Locate, MAX_HEADERS};
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::network::World;
use crate::network::actor::Port;

/// What is wrong with the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None come.
    Stalls,
    /// They have the right header, and by turns other transactions or what is none.
    Lies,
    /// They are not those that were asked for.
    Mistakes,
}

/// Serves headers, and blocks with a fault.
#[derive(Debug)]
pub struct Server {
    fault: Fault,
    /// Blocks that were asked for.
    pub asked: u64,
}

impl Server {
    /// Has this fault.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self { fault, asked: 0 }
    }

    fn serve(&mut self, port: &mut Port<'_>, peer: PeerId, hash: &bitcoin::BlockHash) {
        self.asked += 1;
        let world = port.network().world();
        let block = match self.fault {
            Fault::Stalls => return,
            Fault::Lies => {
                world.block(hash).map(|block| if self.asked % 2 == 1 { changed(block) } else { rubbish(block) })
            }
            Fault::Mistakes => world.tree().iter().nth(1).and_then(|id| world.block(&world.tree().hash(id)).cloned()),
        };
        if let Some(block) = block {
            port.send(peer, Message::Block(block));
        }
    }
}

impl Vice for Server {
    fn ready(&mut self, port: &mut Port<'_>, peer: PeerId) {
        let tree = port.network().world().tree();
        let tip = tree.header(tree.best());
        port.send(peer, Message::Headers(vec![tip]));
    }

    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        match message {
            Message::GetHeaders(locate) => {
                let headers = headers(port.network().world(), locate);
                port.send(peer, Message::Headers(headers));
            }
            Message::GetData(items) => {
                for item in items {
                    match item {
                        Inventory::Block(hash) | Inventory::WitnessBlock(hash) | Inventory::CompactBlock(hash) => {
                            self.serve(port, peer, hash);
                        }
                        Inventory::Tx(_) | Inventory::Wtx(_) | Inventory::WitnessTx(_) | Inventory::Unknown { .. } => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// What follows the locator on the best chain.
pub(super) fn headers(world: &World, locate: &Locate) -> Vec<bitcoin::block::Header> {
    let tree = world.tree();
    let from = tree.height(tree.find_fork(tree.best(), &locate.locator));
    let last = tree.height(tree.best()).min(from + MAX_HEADERS as u32);
    (from + 1..=last).filter_map(|height| tree.ancestor(tree.best(), height)).map(|id| tree.header(id)).collect()
}

/// The same header over what can't be read.
fn rubbish(block: &Block) -> Arc<Block> {
    let bytes = block.bytes();
    let end = bytes.len() - 1;
    Arc::new(Block::unread(bytes[..end].to_vec()).expect("header and count are whole"))
}

/// The same header over another coinbase.
fn changed(block: &Block) -> Arc<Block> {
    let mut changed = bitcoin::Block {
        header: *block.header(),
        txdata: block.transactions().iter().map(|transaction| transaction.decoded().clone()).collect(),
    };
    changed.txdata[0].lock_time = bitcoin::absolute::LockTime::from_consensus(1);
    Arc::new(Block::parse(serialize(&changed)).expect("it was serialised"))
}
