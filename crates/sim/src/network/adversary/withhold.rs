//! Announces what is real, and then does not give it.

use bitcoin::ScriptBuf;
use yap_protocol::message::Inventory;
use yap_protocol::{Message, PeerId};

use super::Vice;
use super::server::headers;
use crate::network::Network;
use crate::network::actor::Port;
use crate::network::agent::Purse;
use crate::network::forge::Draft;

/// At each tick finds a block and makes a payment, announces both to everybody, and gives neither.
#[derive(Debug)]
pub struct Withhold {
    purse: Purse,
    blocks: bool,
}

impl Withhold {
    /// Withholds payments from this purse, and blocks if `blocks`.
    #[must_use]
    pub const fn new(purse: Purse, blocks: bool) -> Self {
        Self { purse, blocks }
    }
}

impl Vice for Withhold {
    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        if let Message::GetHeaders(locate) = message {
            let headers = headers(port.network().world(), locate);
            port.send(peer, Message::Headers(headers));
        }
    }

    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        if let Some(payment) = self.purse.give() {
            let item = Inventory::Wtx(payment.transaction.wtxid());
            peers.iter().for_each(|peer| port.send(*peer, Message::Inv(vec![item])));
        }
        if self.blocks {
            let header = block(port.network());
            peers.iter().for_each(|peer| port.send(*peer, Message::Headers(vec![header])));
        }
    }
}

/// The header of a block on the best chain that nobody will see.
fn block(network: &Network) -> bitcoin::block::Header {
    let tree = network.world().tree();
    let draft = Draft {
        transactions: &[],
        payout: &[ScriptBuf::new()],
        fees: bitcoin::Amount::ZERO,
        time: network.wall().header_time(),
        salt: network.now().as_micros(),
    };
    *draft.seal(tree, tree.best()).header()
}
