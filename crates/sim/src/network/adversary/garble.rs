//! Bytes that are no messages, and messages with a byte changed.

use yap_protocol::codec;
use yap_protocol::message::Inventory;
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::Random;
use crate::network::actor::Port;

/// Sends a valid message with one byte changed, or random bytes, to each peer at each tick.
#[derive(Debug)]
pub struct Garble {
    random: Random,
}

impl Garble {
    /// Draws bytes from `random`.
    #[must_use]
    pub const fn new(random: Random) -> Self {
        Self { random }
    }

    fn bytes(&mut self, port: &Port<'_>) -> Vec<u8> {
        if self.random.one_in(4) {
            return self.random.bytes::<100>().to_vec();
        }
        let tree = port.network().world().tree();
        let message = match self.random.below(3) {
            0 => Message::Headers(vec![tree.header(tree.best())]),
            1 => Message::Inv(vec![Inventory::WitnessBlock(tree.hash(tree.best())); 3]),
            _ => Message::Ping(self.random.next()),
        };
        let mut bytes = codec::encode(&message, port.network().framing());
        let at = self.random.index(bytes.len());
        bytes[at] ^= 1 << self.random.below(8);
        bytes
    }
}

impl Vice for Garble {
    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        for peer in peers {
            let bytes = self.bytes(port);
            port.send_bytes(*peer, bytes);
        }
    }
}
