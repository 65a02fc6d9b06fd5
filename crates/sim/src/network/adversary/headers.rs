//! Lies about headers.

use std::sync::Arc;

use bitcoin::block::Header;
use yap_chain::header::tree::{Id, Tree};
use yap_protocol::message::MAX_HEADERS;
use yap_protocol::{Message, PeerId};

use super::Vice;
use crate::builder::{solve, unsolve};
use crate::network::START;
use crate::network::actor::Port;

/// Which lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Headers whose hash misses the target.
    NoWork,
    /// A long chain from the genesis block on, with less work than what everybody has.
    LowWork,
    /// Headers that follow nothing that is known.
    Unconnected,
}

/// Lies about headers: at each tick, and whenever it is asked.
#[derive(Debug)]
pub struct Headers {
    lie: Lie,
    tree: Option<Tree>,
    tip: Option<Id>,
    /// Headers that were sent.
    pub sent: u64,
}

impl Headers {
    /// Tells this lie.
    #[must_use]
    pub const fn new(lie: Lie) -> Self {
        Self { lie, tree: None, tip: None, sent: 0 }
    }

    /// The next headers of a chain that goes on for ever, whose times are those of long ago.
    fn more(&mut self, port: &Port<'_>) -> Vec<Header> {
        let world = port.network().world();
        let salt = u64::from(port.me().0);
        let tree = self.tree.get_or_insert_with(|| Tree::new(Arc::new(world.spec().clone()), salt));
        let mut tip = self.tip.unwrap_or_else(|| tree.genesis());
        let mut headers = Vec::with_capacity(MAX_HEADERS);
        for _ in 0..MAX_HEADERS {
            let mut header = tree.header(tree.genesis());
            header.prev_blockhash = tree.hash(tip);
            header.version = bitcoin::block::Version::from_consensus(0x2000_0000);
            header.time = tree.median_time_past(tip) + 1;
            header.nonce = 0;
            solve(&mut header);
            tip = tree.insert_trusted(&header).expect("it follows the one before");
            headers.push(header);
        }
        self.tip = Some(tip);
        headers
    }

    fn lie(&mut self, port: &mut Port<'_>, peer: PeerId) {
        let headers = match self.lie {
            Lie::LowWork => self.more(port),
            Lie::NoWork | Lie::Unconnected => {
                let tree = port.network().world().tree();
                let mut header = tree.header(tree.best());
                header.nonce = 0;
                header.time = START.header_time();
                if self.lie == Lie::NoWork {
                    header.prev_blockhash = tree.hash(tree.best());
                    unsolve(&mut header);
                } else {
                    header.prev_blockhash = header.merkle_root.to_raw_hash().into();
                    solve(&mut header);
                }
                vec![header]
            }
        };
        self.sent += headers.len() as u64;
        port.send(peer, Message::Headers(headers));
    }
}

impl Vice for Headers {
    fn ready(&mut self, port: &mut Port<'_>, peer: PeerId) {
        self.lie(port, peer);
    }

    fn message(&mut self, port: &mut Port<'_>, peer: PeerId, message: &Message) {
        if matches!(message, Message::GetHeaders(_)) {
            self.lie(port, peer);
        }
    }

    fn tick(&mut self, port: &mut Port<'_>, peers: &[PeerId]) {
        // A chain without an end is told to whoever asks on.
        if self.lie != Lie::LowWork {
            peers.iter().for_each(|peer| self.lie(port, *peer));
        }
    }
}
