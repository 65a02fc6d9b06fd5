//! Who is connected to whom, and the chain that all begin with.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::ScriptBuf;
use yap_chain::header::tree::Id;
use yap_protocol::link::Purpose;

use super::agent::Purse;
use super::forge::Draft;
use super::{Network, NodeId, START};

/// Connections that each node opens.
pub const DEGREE: usize = 8;

/// Seconds between the blocks of the chain that all begin with.
const SPACING: u32 = 600;

/// Blocks until a coinbase can be spent.
const MATURITY: u32 = 100;

/// How nodes find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// Each opens this many connections to nodes drawn at random, and looks for no others.
    Random(usize),
    /// Each knows this many seeds at first, and finds others by what it is told.
    Found(usize),
    /// One after the other.
    Line,
    /// Each with each.
    Full,
}

impl Network {
    /// Connects nodes.
    pub fn wire(&mut self, nodes: &[NodeId], topology: Topology) {
        match topology {
            Topology::Random(degree) => self.wire_randomly(nodes, degree),
            Topology::Found(seeds) => {
                let seeds: Vec<NodeId> = nodes.iter().copied().take(seeds).collect();
                for &node in nodes {
                    for &seed in seeds.iter().filter(|seed| **seed != node) {
                        self.add_peer(node, seed, Purpose::Seed);
                    }
                }
            }
            Topology::Line => nodes.windows(2).for_each(|pair| self.join(pair[0], pair[1])),
            Topology::Full => {
                for (index, &node) in nodes.iter().enumerate() {
                    nodes[..index].iter().for_each(|&other| self.join(node, other));
                }
            }
        }
    }

    /// Has a participant open a connection, and again whenever it is lost if it is a node.
    pub fn join(&mut self, from: NodeId, to: NodeId) {
        if self.is_honest(from) {
            self.add_peer(from, to, Purpose::Manual);
        } else {
            self.connect(from, to);
        }
    }

    fn wire_randomly(&mut self, nodes: &[NodeId], degree: usize) {
        let mut pairs: BTreeSet<(NodeId, NodeId)> = BTreeSet::new();
        for &node in nodes {
            let mut left = degree.min(nodes.len().saturating_sub(1));
            // In a small network a node may have as many connections as there are others before it has opened its own.
            for _ in 0..100 * degree {
                if left == 0 {
                    break;
                }
                let other = nodes[self.random.topology.index(nodes.len())];
                if other != node && pairs.insert((node.min(other), node.max(other))) {
                    self.join(node, other);
                    left -= 1;
                }
            }
        }
    }

    /// Makes a chain of empty blocks before the run begins, of which each pays to `outputs` scripts of the purse. Gives
    /// its tip; coins that are old enough to be spent there are in the purse.
    pub fn prepare(&mut self, blocks: u32, outputs: usize, purse: &mut Purse) -> Id {
        let mut tip = self.world.tree().genesis();
        for height in 1..=blocks {
            let payout: Vec<ScriptBuf> = (0..outputs).map(|_| purse.script()).collect();
            let time = START.header_time() - (blocks - height) * SPACING;
            let draft = Draft {
                transactions: &[],
                payout: &payout,
                fees: bitcoin::Amount::ZERO,
                time,
                salt: u64::from(height),
            };
            let block = Arc::new(draft.seal(self.world.tree(), tip));
            if height + MATURITY <= blocks + 1 {
                purse.receive(&block.transactions()[0]);
            }
            tip = self.adopt(&block);
        }
        tip
    }

    /// Puts a valid block into the world without giving it to anybody.
    pub fn adopt(&mut self, block: &Arc<yap_chain::block::Block>) -> Id {
        self.world.check(block).expect("the block is valid");
        self.world.connect(&block.hash()).expect("the block is valid");
        self.world.tree().get(&block.hash()).expect("it was taken in")
    }
}
