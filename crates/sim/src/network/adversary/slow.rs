//! Peers that take up room: those that read slowly what they ask for, and those that say nothing.

use yap_protocol::message::Inventory;
use yap_protocol::{Link, Message, PeerId};

use super::Vice;
use crate::network::actor::{Actor, Port};

/// Asks for every block, again and again, and reads the answers at a crawl.
#[derive(Debug)]
pub struct SlowReader {
    rate: u64,
}

impl SlowReader {
    /// Reads at `rate` bytes per second.
    #[must_use]
    pub const fn new(rate: u64) -> Self {
        Self { rate }
    }
}

impl Vice for SlowReader {
    fn ready(&mut self, port: &mut Port<'_>, peer: PeerId) {
        port.read_slowly(peer, self.rate);
    }

    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        let tree = port.network().world().tree();
        let blocks: Vec<_> = tree.iter().skip(1).map(|id| Inventory::WitnessBlock(tree.hash(id))).collect();
        for peer in peers {
            for some in blocks.chunks(500) {
                port.send(*peer, Message::GetData(some.to_vec()));
            }
        }
    }
}

/// Opens connections and says nothing on them, not even hello.
#[derive(Debug)]
pub struct Mute {
    victims: Vec<yap_protocol::Address>,
    connections: usize,
}

impl Mute {
    /// Opens so many connections to each victim.
    #[must_use]
    pub const fn new(victims: Vec<yap_protocol::Address>, connections: usize) -> Self {
        Self { victims, connections }
    }
}

impl Actor for Mute {
    fn start(&mut self, port: &mut Port<'_>) {
        for victim in &self.victims {
            for _ in 0..self.connections {
                port.dial(victim);
            }
        }
    }

    fn connected(&mut self, _: &mut Port<'_>, _: PeerId, _: &Link) {}

    fn message(&mut self, _: &mut Port<'_>, _: PeerId, _: Message) {}
}
